"""Less load, and a smaller bundle, with which a failure stays the same."""

from __future__ import annotations

import asyncio
import pathlib
import time

import pytest
import yaml

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import panel, verdict
from matrix.plans import plan
from matrix.run import replays, setting

LOST = verdict.Signature('acknowledged put', 'put', 'lost')


def _smaller(
    needs_rate: float, needs: set[str], *, rate: float | None = 10, limit: int = 99
) -> tuple[setting.Setting, list[setting.Setting]]:
    tried: list[setting.Setting] = []

    async def alike(one: setting.Setting) -> bool:
        tried.append(one)
        return (one.rate or 10) >= needs_rate and not needs & {*one.without}

    found = asyncio.run(
        setting.smaller(
            alike,
            rate=rate,
            applications=('front', 'cache', 'api'),
            enough=lambda: len(tried) >= limit,
        )
    )
    return found, tried


@pytest.mark.parametrize(
    ('needs_rate', 'needs', 'found'),
    [
        (1, set[str](), setting.Setting(1, ('front', 'cache', 'api'))),
        (2, {'api'}, setting.Setting(3, ('front', 'cache'))),
        (9, {'front', 'cache', 'api'}, setting.Setting()),
    ],
)
def test_what_a_failure_does_not_need_is_left_out(
    needs_rate: float, needs: set[str], found: setting.Setting
) -> None:
    assert _smaller(needs_rate, needs)[0] == found


def test_a_load_that_is_the_bundles_own_is_left_as_it_is_and_time_ends_the_search() -> None:
    found, tried = _smaller(1, set(), rate=None)
    assert (found.rate, len(tried)) == (None, 3)
    assert _smaller(1, set(), limit=2)[0] == setting.Setting(1, ('front',))


def test_applications_are_taken_out_by_an_overlay() -> None:
    text = setting.overlay(setting.Setting(2, ('front', 'cache')))
    assert yaml.safe_load(text) == {'applications': {'front': None, 'cache': None}}
    assert setting.overlay(setting.Setting(2)) == ''
    assert str(setting.Setting(2, ('front',))) == '2 operations a second, no front'
    assert setting.plain(setting.FULL) == {}


def test_what_was_struck_is_never_left_out() -> None:
    assert setting.spare(('store', 'cache', 'api'), ('cache/0',)) == ('api', 'store')


@pytest.mark.parametrize(
    ('value', 'rate'), [({'rate': 10}, 10.0), ({'rate': 0, 'own': True}, None), ({}, None)]
)
def test_the_rate_of_a_load_is_that_of_its_note(value: located.Plain, rate: float | None) -> None:
    entry = journal.Entry(1, 0, '', journal.Note(notes.LOAD, value))
    assert setting.rate_of([entry]) == rate


def test_a_setting_is_a_replay_of_its_own_and_is_not_run_twice(tmp_path: pathlib.Path) -> None:
    ran: list[str] = []

    async def replay(one: plan.Plan, folder: pathlib.Path) -> panel.Judged:
        ran.append(folder.name)
        failed = verdict.Verdict('x', verdict.Outcome.FAIL, 'lost', signature=LOST)
        return panel.Judged('t', (failed,), 'lost', ending='failed')

    async def go() -> None:
        said: list[journal.What] = []
        search = replays.Search(replay, tmp_path, LOST, said.append, time.monotonic() + 60)
        assert await search.alike(plan.Plan(1, ()), 'no front')
        assert await search.alike(plan.Plan(1, ()), 'no front')
        assert await search.alike(plan.Plan(1, ()), 'no cache')
        (first, _) = said
        assert isinstance(first, journal.Note)
        assert isinstance(first.value, dict)
        assert first.value['setting'] == 'no front'

    asyncio.run(go())
    assert ran == ['01', '02']
