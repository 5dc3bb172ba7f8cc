"""The page of a run, from its journal alone."""

from __future__ import annotations

import contextlib
import pathlib
import re
from html.parser import HTMLParser
from typing import Any

import simulated
import test_engine

from lifecycle import journal, page, story
from lifecycle.journal import JournalEntry

ASSETS = pathlib.Path(page.__file__).parent / 'assets'


def rendered(told: story.Story) -> str:
    template, style = ASSETS / 'page.html.jinja', ASSETS / 'page.css'
    return page.render(told, template.read_text(), style.read_text())


def event(at: float, kind: str, step: str = '', said: str = '') -> JournalEntry:
    return JournalEntry(at=at, kind=kind, step=step, application=step.partition('.')[0], said=said)


RUN = [
    event(100, 'begin', said='3 steps to debian@13'),
    event(101, 'step', 'k.base', 'juju set-application-base k debian@13'),
    event(103, 'done', 'k.base'),
    event(103, 'step', 'k.expand', 'juju run k/2 db-expand'),
    event(104, 'failed', 'k.expand', 'there is no database yet; tried again in 10 s'),
    event(115, 'step', 'k.expand', 'juju run k/2 db-expand'),
    event(120, 'done', 'k.expand'),
    event(120, 'waits', 'k.admit.1', 'lb/0 does not send requests to k/2 yet'),
]


def test_each_step_is_a_band_from_its_first_word_to_its_end():
    told = story.summarise(RUN)
    assert [(b.step, b.start, b.end, b.state) for b in told.bands] == [
        ('k.base', 1, 3, 'done'),
        ('k.expand', 3, 20, 'failed'),
        ('k.admit.1', 20, 20, 'open'),
    ]
    assert told.outcome == 'cut off'


def test_a_step_that_came_undone_has_two_bands():
    again = [*RUN[:3], event(110, 'step', 'k.base', 'again'), event(112, 'done', 'k.base')]
    assert [(b.start, b.end) for b in story.summarise(again).bands] == [(1, 3), (10, 12)]


def test_a_page_is_the_same_each_time(snapshot: Any):
    assert rendered(story.summarise([*RUN, event(130, 'stop', said='interrupted')])) == snapshot


def test_a_long_run_has_its_time_written_every_four_hours():
    text = rendered(story.summarise([event(0, 'begin'), event(30 * 3600, 'end')]))
    written = re.findall(r'>(\d+ h \d+ min)<', text)
    assert {'4 h 0 min', '8 h 0 min', '28 h 0 min'} <= {*written}
    assert '1 h 0 min' not in written


def test_a_journal_without_a_line_is_a_page():
    assert 'Cut off' in rendered(story.summarise([]))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_what_comes_from_a_model_is_text_wherever_it_stands():
    evil = '</title><script>alert(1)</script><img src=x onerror=alert(1)> "\'><b> {{ 7 * 7 }}'
    text = rendered(story.summarise([event(1, kind, f'k.{evil}', evil) for kind in journal.KINDS]))
    tags = Tags()
    tags.feed(text)
    assert tags.found.isdisjoint({'script', 'img', 'b'})
    assert 'onerror' not in tags.attributes
    assert '49' not in re.sub(r'[\d.]+"', '', text.partition('</style>')[2])


def test_it_fetches_nothing():
    text = rendered(story.summarise(RUN))
    assert re.findall(r'(?:https?:)?//|src=|href=|@import|url\(', text) == []
    assert 'default-src &#39;none&#39;' in text


def test_a_whole_run_is_told(tmp_path: pathlib.Path):
    model = test_engine.cloud(keystone=2)
    path = tmp_path / 'new' / 'run.jsonl'
    with journal.Journal(path) as kept:
        for one in test_engine.run(model):
            kept.write(one)
    told = story.summarise(journal.read(path))
    assert told.outcome == 'end'
    assert {band.state for band in told.bands} == {'done'}
    assert {band.step for band in told.bands} >= {'keystone.base', 'keystone.remove.0'}
    assert path.stat().st_mode & 0o077 == 0


def test_a_line_that_was_cut_off_is_left_out(tmp_path: pathlib.Path):
    path = tmp_path / 'run.jsonl'
    with journal.Journal(path) as kept:
        for one in RUN:
            kept.write(one)
    with path.open('a') as file:
        file.write('{"at": 5, "ki')
    assert journal.read(path) == tuple(RUN)


def test_what_is_killed_leaves_a_journal_that_says_how_far_it_came():
    model = simulated.Model()
    model.deploy('keystone', 2)
    model.kill_at = 60
    said: list[JournalEntry] = []
    with contextlib.suppress(simulated.KilledError):
        test_engine.engine.run(model, test_engine.FORWARD, 'x', said.append)
    assert story.summarise(said).outcome == 'cut off'
