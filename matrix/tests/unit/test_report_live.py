"""The live view, by Textual's own pilot; and what follows a journal that grows."""

from __future__ import annotations

import asyncio
import pathlib

import pytest
import rehearsal

pytest.importorskip('textual')

from textual.widgets import RichLog, Sparkline, Static

from matrix.history import journal, redact
from matrix.report import live, tail, watching

NONE = redact.secrets([])


def _lines(read: journal.Journal) -> list[str]:
    return [journal.to_line(entry, NONE) for entry in read.entries]


def _shown(view: live.View, name: str) -> str:
    return str(view.query_one(name, Static).render())


def test_a_finished_run_is_opened_whole(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'journal.jsonl'
    path.write_text(''.join(_lines(rehearsal.run(600))))
    view = live.View(path)

    async def look() -> None:
        async with view.run_test(size=(140, 45)) as pilot:
            await view.read()
            await pilot.pause()
            assert 'over: failed' in _shown(view, '#head')
            assert 'end_to_end' in _shown(view, '#rules')
            assert 'mysql/0' in _shown(view, '#status')
            assert 'e3 freeze mysql/0' in _shown(view, '#faults')
            assert '600' in str(sum(view.watch_.counts.values()))
            whole = len(view.query_one('#log', RichLog).lines)
            await pilot.press('n', 'n', 'n')
            await pilot.pause()
            assert 'around e3' in str(view.query_one('#log').border_title)
            assert 0 < len(view.query_one('#log', RichLog).lines) < whole
            await pilot.press('escape')
            await pilot.pause()
            assert len(view.query_one('#log', RichLog).lines) == whole
            await pilot.press('q')
        assert not view.is_running

    asyncio.run(look())


def test_it_follows_a_journal_that_grows_and_was_not_there(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'journal.jsonl'
    lines = _lines(rehearsal.run(600))
    chaos = next(n for n, line in enumerate(lines) if '"e2"' in line)
    view = live.View(path, interval=3600)

    async def look() -> None:
        async with view.run_test(size=(120, 40)) as pilot:
            assert 'waiting for a journal' in _shown(view, '#head')
            half = lines[chaos][:20]
            path.write_text(''.join(lines[:chaos]) + half)
            await view.read()
            await pilot.pause()
            assert 'chaos' in _shown(view, '#head')
            assert 'e2' not in view.watch_.bands
            assert any(view.query_one('#rate', Sparkline).data or ())
            path.write_text(''.join(lines))
            await view.read()
            await pilot.pause()
            assert 'over: failed' in _shown(view, '#head')
            assert len(view.watch_.bands) == 8

    asyncio.run(look())


def test_what_a_model_says_is_text_not_markup(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'journal.jsonl'
    path.write_text(''.join(_lines(rehearsal.run(60, hostile=' [bold]x[/nonsense] \x1b[2J'))))
    view = live.View(path)

    async def look() -> None:
        async with view.run_test(size=(120, 40)) as pilot:
            await view.read()
            await pilot.pause()
            assert '[bold]x[/nonsense]' in _shown(view, '#head')
            assert '\x1b' not in _shown(view, '#status') + _shown(view, '#rules')

    asyncio.run(look())


@pytest.mark.parametrize('lines', [0, 60])
def test_leaving_while_the_journal_is_read_is_no_error(tmp_path: pathlib.Path, lines: int) -> None:
    path = tmp_path / 'journal.jsonl'
    path.write_text('')
    view = live.View(path)

    async def leave() -> None:
        async with view.run_test(size=(120, 40)):
            pass
        path.write_text(''.join(_lines(rehearsal.run(60))[:lines]))
        await view.read()  # As a timer that came just before the end.

    asyncio.run(leave())


def test_a_damaged_line_is_counted_and_the_rest_is_shown(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'journal.jsonl'
    first, second, *_ = _lines(rehearsal.run(10))
    path.write_text(f'{first}garbage\n{second}')
    following = tail.Tail(path)
    assert len(following.new()) == 2
    assert following.damaged == 1
    assert following.new() == ()


def test_a_run_that_went_on_without_load_still_shows_it() -> None:
    seen = watching.Watch()
    for entry in rehearsal.run(600).entries:
        seen.take(entry)
    seen.now += 900
    assert sum(seen.rate(120)) > 50
    assert max(seen.p95(120)) > 0
    (_, pieces), *_ = watching.timeline(seen.bands, seen.now, 100)
    assert pieces[-1][1] < 20


def test_a_band_is_drawn_from_where_it_landed() -> None:
    bands = {
        'e1': watching.Band('e1', 'kill', ('a/0',), 0.0, 5.0, 10.0),
        'e2': watching.Band('e2', 'loss', ('b/0',), 10.0),
    }
    (_, one), (_, two) = watching.timeline(bands, 20.0, 20)
    assert one == [(0, 5, 'armed'), (5, 10, 'proven')]
    assert two == [(10, 20, 'armed')]
