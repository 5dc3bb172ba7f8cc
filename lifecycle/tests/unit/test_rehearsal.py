"""Migrations are rehearsed on a copy before anything of a database is changed, and a run stops where that fails."""

from __future__ import annotations

import contextlib
from unittest import mock

import pytest
import simulated
from hypothesis import given
from hypothesis import strategies as st
from test_engine import BACK, FORWARD, cloud, run

from lifecycle import engine, record, shown, upgrade_lock, upgrade_request, ways
from lifecycle.problem import ProblemError

REHEARSE = 'rehearse-migrations'
FOUND = 'keystone (1.0 MiB) copied in 2.0 s; expand 3.0 s'


def failing(units: int = 2) -> tuple[simulated.Model, str]:
    """A model in which the rehearsal has failed, and what the run said."""
    model = cloud(keystone=units)
    model.unchanged = [REHEARSE]
    with pytest.raises(engine.StoppedError) as caught:
        run(model)
    return model, str(caught.value)


def test_it_comes_once_the_first_new_unit_is_there_and_before_the_expansion():
    model = cloud(keystone=2)
    run(model)
    assert model.asked[1:4] == ['add keystone', f'{REHEARSE} keystone/2', 'db-expand keystone/2']
    assert model.asked.count(f'{REHEARSE} keystone/2') == 1


def test_how_long_it_took_is_in_the_journal_and_the_record_and_the_plan():
    model = cloud(keystone=2)
    said = run(
        model, upgrade_request.UpgradeRequest(target=FORWARD.target, until='keystone.rehearse')
    )
    done = [e.said for e in said if e.kind == 'done' and e.step == 'keystone.rehearse']
    assert done == [FOUND]
    kept = upgrade_lock.read(model)
    assert record.load(record.dump(kept)).said('keystone', 'rehearse') == FOUND
    known = upgrade_request.survey(model, FORWARD)
    assert FOUND in shown.table(known.seen, known.plan, ())
    assert not any(e.step == 'keystone.expand' for e in said)


def test_one_that_fails_stops_the_run_at_once_and_says_how_to_go_on_or_back():
    model, said = failing()
    assert (
        model.asked.count(f'{REHEARSE} keystone/2') == 1
    )  # It is not tried for a quarter of an hour.
    assert not any(one.startswith('db-') for one in model.asked)
    assert said.startswith(
        f'keystone would not be migrated: {REHEARSE} on keystone/2: Nothing was'
    )
    for way in (
        f'`juju run keystone/2 {REHEARSE}`',
        '`juju lifecycle skip keystone.rehearse --reason WHY`',
        '`juju lifecycle rollback`',
    ):
        assert way in said


def test_once_it_is_mended_the_same_command_goes_on():
    model, _ = failing()
    model.begin()
    run(model)
    assert model.wrong == []
    assert model.contracted == ['keystone']


def test_left_out_with_a_reason_the_upgrade_goes_on_without_it():
    model, _ = failing()
    kept = record.with_skip(upgrade_lock.read(model), 'keystone.rehearse', 'it was done elsewhere')
    model.keep(record.dump(kept), first=False)
    model.unrehearsed = {'keystone.rehearse'}
    model.begin()
    run(model)
    assert model.wrong == []
    assert model.asked.count(f'{REHEARSE} keystone/2') == 1
    assert upgrade_lock.read(model).skips['keystone.rehearse'] == 'it was done elsewhere'


def test_after_one_that_failed_there_is_a_way_back():
    model, _ = failing()
    model.begin()
    run(model, BACK)
    assert {u.base for u in model.apps['keystone'].units} == {'debian@12'}
    assert model.apps['keystone'].schema == 'zed'
    assert model.wrong == []


def test_one_that_is_refused_for_now_is_tried_again():
    """The unit that has just come has no database yet."""
    model = cloud(keystone=2)
    model.failures, model.refusals = [REHEARSE], [REHEARSE]
    run(model)
    assert model.wrong == []
    assert model.asked.count(f'{REHEARSE} keystone/2') == 3


def test_a_charm_that_declares_none_is_moved_without():
    model = cloud(keystone=2)
    declared = model.apps['keystone'].declared or ''
    model.apps['keystone'].declared = declared.replace(f'rehearse: {REHEARSE}, ', '')
    model.unrehearsed = {'keystone.rehearse'}
    run(model)
    assert not any(REHEARSE in one for one in model.asked)
    assert model.contracted == ['keystone']


def test_a_record_from_before_there_were_rehearsals_asks_for_none_of_what_is_done():
    model = cloud(keystone=2)
    run(model, upgrade_request.UpgradeRequest(target=FORWARD.target, until='keystone.expand'))
    kept = record.without(upgrade_lock.read(model), 'keystone', 'rehearse')
    model.keep(record.dump(kept), first=False)
    model.begin()
    run(model)
    assert model.asked.count(f'{REHEARSE} keystone/2') == 1


@given(at=st.integers(1, 60), after=st.booleans(), fails=st.integers(0, 2))
def test_killed_anywhere_no_database_is_changed_before_its_rehearsal_went_well(
    at: int, after: bool, fails: int
):
    model = cloud(keystone=2, placement=1)
    model.unchanged = [REHEARSE] * fails
    model.kill_at, model.kill_after = at, after
    for _ in range(fails + 2):
        with contextlib.suppress(simulated.KilledError, engine.StoppedError, ProblemError):
            run(model)
        model.begin(f'ann@here process {model.calls + at}')
    assert model.wrong == []
    assert model.contracted == ['keystone', 'placement']


def test_an_engine_that_expands_before_is_caught():
    """The twin."""
    whole = ways._migrated  # pyright: ignore[reportPrivateUsage]
    with mock.patch.object(ways, '_migrated', lambda *a, **k: list(whole(*a, **k))[::-1]):  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        model = cloud(keystone=2)
        run(model)
    assert model.wrong == ['keystone was expanded, and nobody had rehearsed that']
