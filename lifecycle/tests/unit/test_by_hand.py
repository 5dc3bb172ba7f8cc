"""What others do meanwhile: units removed by hand, machines lost, Juju away, a second run, a run turned round."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import simulated
from hypothesis import example, given
from hypothesis import strategies as st
from test_engine import BACK, FORWARD, cloud, moved, run

from lifecycle import engine, preflight, progress, upgrade_lock, upgrade_request
from lifecycle import record as record_
from lifecycle.journal import JournalEntry
from lifecycle.problem import ProblemError
from lifecycle.step import Step, Target
from lifecycle.world import WorldError

_numbers = itertools.count(500)


@example(befalls={5: ('removed', 0), 22: ('removed', 1)}, killed=1)
@given(
    befalls=st.dictionaries(
        st.integers(5, 140),
        st.tuples(st.sampled_from(['removed', 'lost']), st.integers(0, 5)),
        max_size=2,
    ),
    killed=st.integers(1, 150),
)
def test_units_that_others_remove_and_machines_that_are_lost_are_made_good(
    befalls: dict[int, tuple[str, int]], killed: int
):
    model = cloud(keystone=2, glance=1)
    model.by_hand, model.kill_at = dict(befalls), killed
    for _ in range(8):
        left = len(model.by_hand)
        try:
            run(model)
            if (
                len(model.by_hand) == left
            ):  # Else something befell a unit, maybe after the last look.
                break
            model.begin(f'ann@here process {next(_numbers)}')
        except (simulated.KilledError, engine.StoppedError, ProblemError) as stopped:
            lost = [u.name for app in model.apps.values() for u in app.units if u.state == 'lost']
            if 'has no units' in str(stopped):
                return
            if not isinstance(stopped, simulated.KilledError):
                assert lost, f'{stopped}: with nothing lost it goes on'
                assert any(name in str(stopped) for name in lost)
            for name in lost:  # As it advises.
                model.vanish(name)
            model.begin(f'ann@here process {next(_numbers)}')
    model.by_hand.clear()  # What would befall a unit while this looks.
    model.kill_at = None  # Nor does it end this look.
    assert model.wrong == []
    assert set(moved(model)) <= {'debian@13'}
    started = upgrade_lock.read(model).started
    assert {name: len(model.apps[name].units) for name in started} == {
        name: one.units for name, one in started.items()
    }


def test_a_unit_that_was_added_and_is_removed_before_it_is_seen_is_added_again():
    model = cloud(keystone=2)
    add = model.add_unit
    added: list[str] = []

    def gone_at_once(application: str) -> None:
        add(application)
        added.append(model.apps[application].units[-1].name)
        if len(added) == 1:
            model.vanish(added[0])

    model.add_unit = gone_at_once
    run(model)
    assert len(added) == 3
    assert len(model.apps['keystone'].units) == 2
    assert model.wrong == []


def test_no_action_is_run_on_a_unit_whose_agent_is_lost():
    model = cloud(keystone=2)

    def tell(event: JournalEntry) -> None:
        if event.kind == 'step' and event.step == 'keystone.expand':
            model._unit('keystone/1').state = 'lost'  # pyright: ignore[reportPrivateUsage]

    model.least = {'keystone': 0}
    with pytest.raises(engine.StoppedError, match=r'keystone/1 is in error.*its machine is lost'):
        engine.run(model, FORWARD, 'n', tell)
    assert model.wrong == []


def test_an_action_whose_unit_is_lost_meanwhile_is_not_waited_for():
    model = cloud(keystone=2)
    model.takes_minutes = {'pause': 60}

    def tell(event: JournalEntry) -> None:
        if event.kind == 'step' and event.step == 'keystone.drain.1':
            model._unit('keystone/1').state = 'lost'  # pyright: ignore[reportPrivateUsage]

    model.least = {'keystone': 0}
    began = model.clock
    with pytest.raises(engine.StoppedError, match='keystone/1 is in error'):
        engine.run(model, FORWARD, 'n', tell)
    assert model.clock - began < 600


def test_who_has_a_long_action_run_is_at_work_all_the_time():
    model = cloud(keystone=1)
    model.takes_minutes = {'db-online': 40}
    leases: list[bool] = []
    kept = upgrade_lock.Book.alive

    def alive(book: upgrade_lock.Book) -> None:
        kept(book)
        holder = upgrade_lock.read(model).holder
        leases.append(holder is not None and holder.until > model.clock)

    told: list[JournalEntry] = []
    upgrade_lock.Book.alive = alive  # type: ignore[method-assign]
    try:
        engine.run(model, FORWARD, 'n', told.append)
    finally:
        upgrade_lock.Book.alive = kept  # type: ignore[method-assign]
    assert len(leases) == 40
    assert all(leases)


def test_a_run_that_is_taken_over_during_an_action_ends_there():
    model = cloud(keystone=1)
    model.takes_minutes = {'db-online': 3}
    other = upgrade_lock.Book(model, 'other')
    kept = upgrade_lock.Book.alive

    def alive(book: upgrade_lock.Book) -> None:
        model.clock += record_.LEASE_S + 1
        other.take()
        kept(book)

    upgrade_lock.Book.alive = alive  # type: ignore[method-assign]
    try:
        with pytest.raises(ProblemError, match='has taken over'):
            run(model)
    finally:
        upgrade_lock.Book.alive = kept  # type: ignore[method-assign]


def test_a_juju_that_is_away_for_a_while_ends_no_run_even_where_something_is_to_be_remembered():
    model = cloud(keystone=1)
    fails = {'now': 0}
    keep = model.keep

    def away(content: dict[str, str], *, first: bool) -> None:
        if 'db-expand keystone/1' in model.asked and fails['now'] < 3:
            fails['now'] += 1
            raise WorldError('juju update-secret: connection is shut down')
        keep(content, first=first)

    model.keep = away  # type: ignore[method-assign, assignment]
    run(model)
    assert fails['now'] == 3
    assert model.asked.count('db-expand keystone/1') == 1


def test_the_way_back_is_the_way_that_was_chosen():
    model = cloud(neutron=2)
    app = model.apps['neutron']
    assert app.declared is not None
    app.declared = app.declared.replace('way: replace', 'way: in-place')
    chosen = upgrade_request.UpgradeRequest(
        target=FORWARD.target, ways={'neutron': 'replace'}, until='neutron.remove.1'
    )
    run(model, chosen)
    run(model, BACK)
    assert set(moved(model)) == {'debian@12'}
    assert model.wrong == []


def test_an_application_that_was_removed_meanwhile_keeps_nobody_from_going_back():
    model = cloud(keystone=2, glance=1)
    run(model, upgrade_request.UpgradeRequest(target=FORWARD.target, until='glance.admit.1'))
    keystone = model.apps['keystone']
    keystone.schema = 'both'
    record = dataclasses.replace(upgrade_lock.read(model), ran={})
    model.keep(record_.dump(record), first=False)
    del model.apps['keystone']
    upgrade_request.survey(
        model, upgrade_request.UpgradeRequest(target=FORWARD.target, begun=True)
    )
    run(model, upgrade_request.UpgradeRequest(target=Target(back=True), until='glance.base'))
    del model.least['keystone']
    run(model, BACK)
    assert set(moved(model)) == {'debian@12'}


def test_what_was_begun_and_cannot_go_on_is_not_called_done():
    model = cloud(keystone=2)
    run(model, upgrade_request.UpgradeRequest(target=FORWARD.target, until='keystone.admit.1'))
    app = model.apps['keystone']
    assert app.declared is not None
    app.declared = app.declared.replace('way: replace', 'way: own').replace(
        'ways: [replace, in-place]', 'ways: [own]'
    )
    with pytest.raises(ProblemError, match='keystone was begun and cannot go on: its way is own'):
        run(model)


def test_a_finding_of_what_is_stuck_can_be_accepted():
    model = cloud(keystone=2)
    run(model, upgrade_request.UpgradeRequest(target=FORWARD.target, until='keystone.admit.1'))
    model.apps['keystone'].declared = 'version: 1\nway: stay\n'
    book = upgrade_lock.Book(model, 'skips')
    book.take()
    book.change(lambda record: record_.with_skip(record, 'keystone.left', 'it goes away'))
    book.release()
    known = upgrade_request.survey(model, FORWARD)
    assert preflight.blocking(known.findings) == ()


def test_an_engine_that_runs_actions_on_lost_units_is_caught():
    model = cloud(keystone=2)
    kept = progress.held

    def careless(step: Step, seen: progress.Progress) -> str:
        said = kept(step, seen)
        return '' if 'is in error' in said else said

    def tell(event: JournalEntry) -> None:
        if event.kind == 'step' and event.step == 'keystone.expand':
            model._unit('keystone/1').state = 'lost'  # pyright: ignore[reportPrivateUsage]

    progress.held = careless
    try:
        with pytest.raises(engine.StoppedError):
            engine.run(model, FORWARD, 'n', tell)
    finally:
        progress.held = kept
    assert any('which is lost' in one for one in model.wrong)


def test_what_a_charm_refuses_until_all_units_are_as_far_is_waited_for_and_told_once():
    model = cloud(keystone=1)
    model.refusals = [
        'db-contract'
    ] * 200  # More than half an hour: no failure would be borne so long.
    said = run(model)
    told = [one for one in said if 'not all units run epoxy: x/0 runs zed' in one.said]
    assert [(one.kind, one.step) for one in told] == [('waits', 'keystone.contract')]
    assert [one.kind for one in said if one.step == 'keystone.contract'] == [
        'step',
        'waits',
        'done',
    ]
    assert model.contracted == ['keystone']


def test_what_is_refused_for_ever_ends_the_run_with_its_reason():
    model = cloud(keystone=1)
    model.refusals, model.most_calls = ['db-contract'] * 5000, 9000
    with pytest.raises(
        engine.StoppedError, match=r'keystone\.contract was not done.*not all units run epoxy'
    ):
        run(model)


def test_where_the_contraction_was_refused_there_is_a_way_back():
    model = cloud(keystone=1)
    model.refusals = ['db-contract'] * 5

    def tell(event: JournalEntry) -> None:
        if event.step == 'keystone.contract' and event.kind == 'waits':
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.run(model, FORWARD, 'n', tell)
    assert model.contracted == []
    run(model, BACK)
    assert set(moved(model)) == {'debian@12'}
