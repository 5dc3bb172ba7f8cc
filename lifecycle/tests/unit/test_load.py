"""A load on the cloud: a run stops when one of its requests is lost, and the page shows all of them."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_engine import FORWARD, cloud

from lifecycle import engine, load, page, record, shown, story, upgrade_lock, upgrade_request
from lifecycle.journal import JournalEntry
from lifecycle.load import Request


def line(at: float = 1.0, seconds: float = 0.5, *, ok: bool = True, **more: Any) -> str:
    return json.dumps({'at': at, 'seconds': seconds, 'ok': ok, 'what': 'GET /', **more})


def test_a_run_stops_when_a_request_is_lost_and_says_which_step_did_it():
    model = cloud(keystone=2)
    said: list[JournalEntry] = []

    def watch() -> tuple[Request, ...]:
        good = Request(at=model.clock, seconds=0.1, ok=True)
        bad = Request(at=model.clock, seconds=3.2, ok=False, what='POST /v3', said='504')
        return (good, bad) if model.asked[-1:] == ['pause keystone/1'] else (good,)

    with pytest.raises(engine.StoppedError, match=r'during keystone\.drain\.1\. The same command'):
        engine.run(model, FORWARD, 'n', said.append, watch)
    lost = [one for one in said if one.kind == 'lost']
    assert [(one.step, one.said) for one in lost] == [
        ('keystone.drain.1', '1 request was lost: POST /v3: 504 after 3.2 s')
    ]
    assert 'remove keystone/1' not in model.asked
    known = upgrade_request.survey(model, FORWARD)
    text = shown.table(known.seen, known.plan, known.findings)
    assert 'Lost: one request during keystone.drain.1: POST /v3: 504 after 3.2 s' in text
    (kept,) = json.loads(shown.as_json(known.seen, known.plan, ()))['lost']
    assert (kept['step'], kept['requests']) == ('keystone.drain.1', 1)
    engine.run(model, FORWARD, 'again', said.append)
    assert model.wrong == []
    assert len(upgrade_lock.read(model).lost) == 1


def test_the_plan_says_what_the_next_step_waits_for():
    model = cloud(keystone=1)
    wish = dataclasses.replace(FORWARD, until='keystone.add.1')
    engine.run(model, wish, 'n', lambda _: None)
    newcomer = model.apps['keystone'].units[1]
    newcomer.state, newcomer.left = 'installing', 99
    model.apps['keystone'].schema = 'both'
    kept = record.with_ran(
        upgrade_lock.read(model), 'keystone', record.Ran(verb='expand', unit=newcomer.name, at=1)
    )
    model.keep(record.dump(kept), first=False)
    known = upgrade_request.survey(model, FORWARD)
    assert known.plan.next
    assert known.plan.next.id == 'keystone.admit.1'
    text = shown.table(known.seen, known.plan, ())
    assert 'keystone/1 is maintenance: installing' in text


def test_a_run_whose_load_loses_nothing_goes_on_to_its_end():
    model = cloud(keystone=1)
    good = Request(at=1.0, seconds=0.1, ok=True)
    engine.run(model, FORWARD, 'n', lambda _: None, lambda: (good,))
    assert model.contracted == ['keystone']


def test_only_what_is_written_from_now_on_counts_and_half_a_line_waits_for_its_rest(
    tmp_path: pathlib.Path,
):
    path = tmp_path / 'load.jsonl'
    path.write_text(line(ok=False) + '\n')
    watch = load.Watch(path)
    assert watch() == ()
    whole = line(at=2.0, ok=False)
    with path.open('a') as file:
        file.write(whole[:9])
    assert watch() == ()
    with path.open('a') as file:
        file.write(whole[9:] + '\n' + line(at=3.0) + '\n')
    assert [(one.at, one.ok) for one in watch()] == [(2.0, False), (3.0, True)]


@given(st.lists(st.text(max_size=80) | st.sampled_from([line(), 'null', '[1]', '{"at": 1e999}'])))
def test_any_line_is_read_or_left_out(lines: list[str]):
    for one in load.parse(lines):
        assert one == Request(at=1.0, seconds=0.5, ok=True, what='GET /')


def told(requests: list[Request]) -> story.Story:
    events = [
        JournalEntry(at=100.0, kind='begin', said='to debian@13'),
        JournalEntry(at=101.0, kind='step', step='k.drain.0', application='k'),
        JournalEntry(at=105.0, kind='done', step='k.drain.0', application='k'),
        JournalEntry(at=106.0, kind='step', step='k.remove.0', application='k'),
        JournalEntry(at=110.0, kind='done', step='k.remove.0', application='k'),
        JournalEntry(at=120.0, kind='end'),
    ]
    return story.summarise(events, requests)


def test_each_step_has_the_requests_that_were_under_way_meanwhile():
    requests = [
        Request(at=50.0, seconds=1.0, ok=False),  # Before the run: none of its own.
        Request(
            at=104.0, seconds=3.0, ok=False
        ),  # Over the end of one and the beginning of the other.
        Request(at=107.0, seconds=0.5, ok=True),
    ]
    one = told(requests)
    assert len(one.requests) == 2
    assert [(b.step, b.requests, b.lost, b.slowest) for b in one.bands] == [
        ('k.drain.0', 1, 1, 3.0),
        ('k.remove.0', 2, 1, 3.0),
    ]


def test_every_lost_request_is_a_dot_however_many_there_were():
    every = [Request(at=100.0 + n / 1000, seconds=0.01, ok=n != 7777) for n in range(10_000)]
    text = page.render(
        told(every),
        '{{ dots|length }} {% for x, y, state in dots if state == "lost" %}lost{% endfor %} {{ lost }}',
        '',
    )
    dots, drawn, lost = text.split()
    assert int(dots) < 4000
    assert (drawn, lost) == ('lost', '1')
