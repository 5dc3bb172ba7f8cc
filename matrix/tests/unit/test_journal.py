"""The journal: written once, read again the same, and never with a secret."""

from __future__ import annotations

import itertools
import json
import pathlib
import stat
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.history import journal, journalfile, redact

NONE = redact.secrets([])
_WORD = st.text(st.characters(codec='ascii', categories=['L', 'N']), max_size=6)
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | _WORD,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from('abc'), inner, max_size=2)
    ),
    max_leaves=5,
)
_WHAT = (
    st.builds(
        journal.Operation,
        _WORD,
        _WORD,
        st.sampled_from(['invoke', 'ok', 'fail', 'info']),
        value=_PLAIN,
    )
    | st.builds(
        journal.Fault,
        _WORD,
        _WORD,
        st.sampled_from(['armed', 'landed', 'healed']),
        st.tuples(_WORD),
    )
    | st.builds(
        journal.Hook,
        _WORD,
        _WORD,
        st.sampled_from(['started', 'ended']),
        st.none() | st.integers(),
    )
    | st.builds(journal.Status, _WORD, _WORD)
    | st.builds(journal.Effect, _WORD, _PLAIN)
    | st.builds(journal.Note, _WORD, _PLAIN)
)


def _writer(path: pathlib.Path, *secrets: str) -> journalfile.Writer:
    clock = itertools.count()
    return journalfile.Writer(
        path,
        now=lambda: float(next(clock)),
        wall=lambda: '2026-01-01T00:00:00Z',
        secrets=redact.secrets(secrets),
    )


@given(st.lists(_WHAT, max_size=5))
def test_what_is_written_is_read_again(whats: list[journal.What]) -> None:
    entries = tuple(journal.Entry(n, n / 2, 'now', what) for n, what in enumerate(whats))
    text = ''.join(journal.to_line(entry, NONE) for entry in entries)
    assert journal.read(text, 'j') == journal.Journal(entries)


@given(st.text(max_size=40) | _PLAIN.map(json.dumps))
def test_any_other_line_is_a_problem_with_its_number(line: str) -> None:
    read = journal.read(f'\n{line}', 'j')
    assert read.entries == ()
    assert all(one.where.line >= 2 for one in read.problems)
    assert bool(read.problems) == bool(line.strip('\n'))


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('{"seq": 1', 'delimiter'),
        ('{"seq": 1, "at": 0, "wall": "", "is": "hok"}', "'is' must be one of"),
        ('{"seq": true, "at": 0, "wall": "", "is": "note", "kind": "x"}', 'wrong kind'),
        ('{"seq": 1, "at": NaN, "wall": "", "is": "note", "kind": "x"}', 'NaN is not a number'),
        (
            '{"seq": 1, "at": 0, "wall": "", "is": "note"}',
            "missing 1 required positional argument: 'kind'",
        ),
        (
            '{"seq": 1, "at": 0, "wall": "", "is": "note", "kind": "x", "valeu": 1}',
            "did you mean 'value'?",
        ),
        (
            '{"seq": 1, "at": 0, "wall": "", "is": "op", "id": "1", "kind": "x", "phase": "done"}',
            "'phase' must",
        ),
        (
            '{"seq": 1, "at": 0, "wall": "", "is": "op", "id": 1, "kind": "x", "phase": "ok"}',
            "'id' is of",
        ),
    ],
)
def test_a_damaged_line_says_what_is_wrong(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=r'.') as error:
        journal.from_line(line)
    assert said in str(error.value)


def test_the_file_is_its_owners_alone_and_only_grows(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'journal.jsonl'
    with _writer(path) as writer:
        writer.write(journal.Note('start'))
    before = path.read_text()
    with _writer(path) as writer:
        writer.write(journal.Note('again'))
    assert path.read_text().startswith(before)
    assert [entry.seq for entry in journalfile.read(path).entries] == [1, 2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_journal_whose_writer_was_killed_goes_on_and_tells_of_the_torn_line(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / 'journal.jsonl'
    with _writer(path) as writer:
        writer.write(journal.Note('whole'))
    with path.open('a') as file:
        file.write('{"seq": 2, "at"')
    with _writer(path) as writer:
        writer.write(journal.Note('next'))
    read = journalfile.read(path)
    assert [entry.what for entry in read.entries] == [journal.Note('whole'), journal.Note('next')]
    assert [one.where.line for one in read.problems] == [2]


def test_a_journal_is_not_written_through_a_link(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'link').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(OSError, match='symbolic'):
        _writer(tmp_path / 'link')


def test_entries_out_of_order_are_a_problem() -> None:
    lines = [journal.to_line(journal.Entry(n, 0, '', journal.Note('x')), NONE) for n in (2, 1)]
    assert 'entry 1 stands after entry 2' in str(journal.read(''.join(lines), 'j').problems[-1])


@given(st.text(min_size=4, max_size=12), st.sampled_from(['value', 'error', 'key', 'deep']))
def test_a_known_secret_is_nowhere_in_the_line(secret: str, place: str) -> None:
    text = f'before {secret} after'
    values: dict[str, Any] = {'key': {text: 1}, 'deep': [{'a': [text]}]}
    operation = journal.Operation(
        '7',
        'q',
        'ok',
        value=values.get(place, text),
        error=text if place == 'error' else '',
    )
    line = journal.to_line(journal.Entry(1, 0, '', operation), redact.secrets([secret]))
    written = json.loads(line)
    found = [*_strings(written.get('value')), written.get('error', '')]
    assert any(redact.HIDDEN in one for one in found)
    if secret not in f'before {redact.HIDDEN} after':  # Words of ours may hold one made of them.
        assert not any(secret in one for one in found)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        inner = cast('dict[str, Any]', value)
        return [*inner, *(one for item in inner.values() for one in _strings(item))]
    if isinstance(value, list):
        return [one for item in cast('list[Any]', value) for one in _strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('--os-password=hunter22 --x', '--os-password=[secret] --x'),
        ('{"password": "hunter22"}', '{"password": "[secret]"}'),
        ('Authorization: Bearer abcdef0123456789', 'Authorization: Bearer [secret]'),
        ('mysql://nova:hunter22@10.0.0.1/nova', 'mysql://nova:[secret]@10.0.0.1/nova'),
        ('got gAAAAABmZ0123456789abcdefgh= back', 'got [secret] back'),
        ('-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----', '[secret]'),
        ('GET /v3/auth/tokens 201', 'GET /v3/auth/tokens 201'),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, kept: str) -> None:
    assert redact.text(text, NONE) == kept


def test_what_stands_under_a_secret_key_is_hidden_whole() -> None:
    value = redact.plain({'X-Auth-Token': 'a', 'user': {'password': ['b']}, 'name': 'c'}, NONE)
    assert value == {'X-Auth-Token': '[secret]', 'user': {'password': '[secret]'}, 'name': 'c'}


def test_secrets_are_not_shown_and_not_too_short() -> None:
    assert 'hunter22' not in repr(redact.secrets(['hunter22']))
    with pytest.raises(ValueError, match='fewer than 4'):
        redact.secrets(['abc'])


def test_an_operation_without_an_answer_is_info() -> None:
    entries = (
        journal.Entry(1, 1.0, '', journal.Operation('a', 'get', 'invoke')),
        journal.Entry(2, 1.5, '', journal.Operation('a', 'get', 'ok', value=3)),
        journal.Entry(3, 2.0, '', journal.Operation('b', 'get', 'invoke')),
    )
    first, second = journal.operations(entries)
    assert (first.how, first.latency, first.value) == ('ok', 0.5, 3)
    assert (second.how, second.latency) == ('info', None)
