"""What agent and controller say to each other."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jujulet.machines import link, messages


@given(st.binary(), st.text(), st.dictionaries(st.text(), st.text()))
def test_a_request_comes_out_as_it_went_in(stdin: bytes, word: str, env: dict[str, str]) -> None:
    sent = messages.run(7, ['sh', word], env, '/', stdin, 1.5)
    line = messages.encode(sent)
    assert line.count(b'\n') == 1
    got = messages.decode(line)
    assert got == sent
    assert messages.raw(got['stdin']) == stdin


@pytest.mark.parametrize('line', [b'', b'{', b'[]', b'7', b'{"type": 7}', b'{"id": 1}', b'\xff'])
def test_nonsense_is_malformed(line: bytes) -> None:
    with pytest.raises(messages.Malformed):
        messages.decode(line)


@given(st.binary())
def test_no_line_breaks_the_decoder(line: bytes) -> None:
    with contextlib.suppress(messages.Malformed):
        messages.decode(line)


@given(st.lists(st.text(st.characters(exclude_characters='\n\r', codec='utf-8'))), st.data())
def test_lines_are_whole_however_they_were_cut(lines: list[str], data: st.DataObject) -> None:
    text = '\n'.join(lines).encode()
    got: list[str] = []
    cutter = link.Lines(lambda _stream, line: got.append(line))
    while text:
        size = data.draw(st.integers(1, len(text)))
        cutter.feed('stdout', text[:size])
        text = text[size:]
    cutter.finish()
    expected = lines[:-1] if lines and not lines[-1] else lines
    assert got == expected


def test_ended_by_term_or_kill_means_run_it_again_and_other_signals_do_not() -> None:
    assert link.Ended(0, 15).killed
    assert link.Ended(0, 9).killed
    assert not link.Ended(0, 11).killed
    assert not link.Ended(1).killed
    assert link.Ended(0, 9).returncode == 137
