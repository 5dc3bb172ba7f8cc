"""A hook's output in lines, however long they are and however they arrive."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies

from jujulet.machines import link


def cut(chunks: list[bytes]) -> list[str]:
    found: list[str] = []
    lines = link.Lines(lambda _, text: found.append(text))
    for chunk in chunks:
        lines.feed('stdout', chunk)
    lines.finish()
    return found


def test_lines_are_lines() -> None:
    assert cut([b'a\r\n', b'\nb', b'c\nd']) == ['a', '', 'bc', 'd']


def test_a_line_without_an_end_is_cut_where_juju_cuts_it() -> None:
    """60 MB without a line end were one line, and took their square in time."""
    found = cut([b'x' * 65536] * 64)
    assert set(map(len, found)) == {link.LONGEST_LINE}
    assert sum(map(len, found)) == 64 * 65536


@hypothesis.given(strategies.lists(strategies.text('ab\n', max_size=10000), max_size=5))
def test_no_line_is_longer_and_nothing_is_lost(chunks: list[str]) -> None:
    found = cut([chunk.encode() for chunk in chunks])
    assert all(len(each) <= link.LONGEST_LINE for each in found)
    assert ''.join(found) == ''.join(chunks).replace('\n', '')
