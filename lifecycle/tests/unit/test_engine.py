"""A run may be killed anywhere, and actions may fail: it ends as the one that was not, and nobody loses a request."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from unittest import mock

import pytest
import simulated
from hypothesis import given
from hypothesis import strategies as st

from lifecycle import engine, progress, upgrade_lock, upgrade_request, ways
from lifecycle import record as record_
from lifecycle.journal import JournalEntry
from lifecycle.problem import ProblemError
from lifecycle.step import Step, Target

FORWARD = upgrade_request.UpgradeRequest(target=Target(base='debian@13'))
BACK = upgrade_request.UpgradeRequest(target=Target(back=True))
_numbers = itertools.count()


def cloud(**units: int) -> simulated.Model:
    model = simulated.Model()
    for name, count in units.items():
        model.deploy(name, count, after='' if name == 'keystone' else 'keystone')
    return model


def run(
    model: simulated.Model, wish: upgrade_request.UpgradeRequest = FORWARD
) -> list[JournalEntry]:
    said: list[JournalEntry] = []
    engine.run(model, wish, f'nonce-{next(_numbers)}', said.append)
    return said


def ends(model: simulated.Model) -> object:
    """What matters of how a run has ended."""
    record = upgrade_lock.read(model)
    return (
        {
            name: (
                app.base,
                app.schema,
                sorted(u.base for u in app.units),
                {u.state for u in app.units},
            )
            for name, app in model.apps.items()
        },
        record.base,
        {name: sorted({one.verb for one in ran}) for name, ran in record.ran.items()},
        record.holder,
    )


def moved(model: simulated.Model) -> Iterator[str]:
    for app in model.apps.values():
        yield from (u.base for u in app.units)


def test_everything_is_moved_and_nothing_lost():
    model = cloud(keystone=2, placement=3)
    run(model)
    assert model.wrong == []
    assert set(moved(model)) == {'debian@13'}
    assert {name: len(app.units) for name, app in model.apps.items()} == {
        'keystone': 2,
        'placement': 3,
    }
    assert model.contracted == ['keystone', 'placement']


def test_an_application_is_moved_in_this_order():
    model = cloud(keystone=2)
    run(model)
    assert model.asked == [
        'base keystone debian@13',
        'add keystone',
        'rehearse-migrations keystone/2',
        'db-expand keystone/2',
        'pause keystone/1',
        'remove keystone/1',
        'add keystone',
        'pause keystone/0',
        'remove keystone/0',
        'db-online keystone/leader',
        'db-contract keystone/leader',
    ]


def test_a_second_command_finds_nothing_to_do():
    model = cloud(keystone=2)
    run(model)
    asked = list(model.asked)
    model.begin()
    assert [one.kind for one in run(model)] == ['begin', 'end']
    assert model.asked == asked


def till_the_end(
    model: simulated.Model, wish: upgrade_request.UpgradeRequest, kills: list[tuple[int, bool]]
) -> None:
    """A run that is killed at each of *kills* and begun again each time."""
    for at, after in kills:
        model.begin(f'ann@here process {next(_numbers)}')
        model.kill_at, model.kill_after = at, after
        try:
            run(model, wish)
        except simulated.KilledError:
            continue
    model.begin(f'ann@here process {next(_numbers)}')
    run(model, wish)


KILLS = st.lists(st.tuples(st.integers(1, 150), st.booleans()), max_size=3)


@given(
    kills=KILLS,
    failures=st.lists(
        st.sampled_from(['rehearse-migrations', 'db-expand', 'pause', 'db-online', 'db-contract']),
        max_size=4,
    ),
    keystone=st.integers(1, 3),
)
def test_killed_anywhere_it_ends_as_the_one_that_was_not(
    kills: list[tuple[int, bool]], failures: list[str], keystone: int
):
    left_alone = cloud(keystone=keystone, glance=1)
    run(left_alone)
    model = cloud(keystone=keystone, glance=1)
    model.failures = failures
    till_the_end(model, FORWARD, kills)
    assert ends(model) == ends(left_alone)
    assert model.wrong == left_alone.wrong == []


@given(kills=KILLS, turned=st.integers(1, 120), after=st.booleans())
def test_turned_back_anywhere_it_ends_where_it_was(
    kills: list[tuple[int, bool]], turned: int, after: bool
):
    model = cloud(keystone=2, glance=1)
    model.kill_at, model.kill_after = turned, after
    try:
        run(model)
    except simulated.KilledError:
        model.begin()
    if not upgrade_lock.read(model).started:
        return
    if model.contracted:  # Even if it was killed before it could say so.
        with pytest.raises(ProblemError, match='its database was contracted'):
            run(model, BACK)
    if any('contract' in one.verb for ran in upgrade_lock.read(model).ran.values() for one in ran):
        return
    till_the_end(model, BACK, kills)
    assert model.wrong == []
    assert set(moved(model)) == {'debian@12'}
    assert {name: len(app.units) for name, app in model.apps.items()} == {
        'keystone': 2,
        'glance': 1,
    }


def test_there_is_no_way_back_from_a_contracted_database():
    model = cloud(keystone=2)
    run(model)
    with pytest.raises(ProblemError, match='keystone: its database was contracted'):
        run(model, BACK)


def test_there_is_no_way_back_from_where_nobody_went():
    with pytest.raises(ProblemError, match='nothing was begun'):
        run(cloud(keystone=2), BACK)


# --- In place: another release on the same base.

IN_PLACE = upgrade_request.UpgradeRequest(
    target=Target(origin='cloud:noble-epoxy'), ways={'keystone': 'in-place', 'glance': 'in-place'}
)


def of_two(*names: str) -> simulated.Model:
    """Applications of two units, of which one may be out at a time."""
    model = cloud(**dict.fromkeys(names, 2))
    model.least = dict.fromkeys(names, 1)
    return model


def test_units_are_upgraded_in_place_one_after_the_other():
    model = of_two('keystone')
    run(model, IN_PLACE_KEYSTONE)
    assert model.wrong == []
    assert model.asked == [
        'openstack-origin keystone cloud:noble-epoxy',
        'pause keystone/1',
        'openstack-upgrade keystone/1',
        'rehearse-migrations keystone/1',
        'db-expand keystone/1',
        'resume keystone/1',
        'pause keystone/0',
        'openstack-upgrade keystone/0',
        'resume keystone/0',
        'db-online keystone/leader',
        'db-contract keystone/leader',
    ]


IN_PLACE_KEYSTONE = upgrade_request.UpgradeRequest(
    target=IN_PLACE.target, ways={'keystone': 'in-place'}
)


@given(
    kills=KILLS,
    failures=st.lists(st.sampled_from(['openstack-upgrade', 'resume', 'db-expand']), max_size=3),
)
def test_killed_anywhere_in_place_it_ends_as_the_one_that_was_not(
    kills: list[tuple[int, bool]], failures: list[str]
):
    left_alone = of_two('keystone', 'glance')
    run(left_alone, IN_PLACE)
    model = of_two('keystone', 'glance')
    model.failures = failures
    till_the_end(model, IN_PLACE, kills)
    assert ends(model) == ends(left_alone)
    assert model.wrong == left_alone.wrong == []


def test_another_release_is_had_by_new_units_too():
    model = cloud(keystone=2)
    run(model, upgrade_request.UpgradeRequest(target=IN_PLACE.target))
    assert model.wrong == []
    assert [(u.name, u.packages) for u in model.apps['keystone'].units] == [
        ('keystone/2', 'cloud:noble-epoxy'),
        ('keystone/3', 'cloud:noble-epoxy'),
    ]


def test_one_unit_alone_is_not_upgraded_in_place_unless_that_is_accepted():
    model = cloud(keystone=1)
    model.least = {'keystone': 0}
    with pytest.raises(ProblemError, match=r'skip keystone\.alone --reason WHY'):
        run(model, IN_PLACE_KEYSTONE)
    record = upgrade_lock.read(model)
    model.keep(record_.dump(record_.with_skip(record, 'keystone.alone', 'at night')), first=False)
    run(model, IN_PLACE_KEYSTONE)
    assert model.wrong == []


def test_there_is_no_way_back_from_packages_that_were_upgraded():
    model = of_two('keystone')
    run(model, IN_PLACE_KEYSTONE)
    with pytest.raises(ProblemError, match='keystone/0 has packages of cloud:noble-epoxy'):
        run(model, BACK)


@given(kills=KILLS, turned=st.integers(1, 160), after=st.booleans(), in_place=st.booleans())
def test_another_archive_is_turned_back_from_as_long_as_no_package_was_upgraded(
    kills: list[tuple[int, bool]], turned: int, after: bool, in_place: bool
):
    model = of_two('keystone', 'glance')
    model.kill_at, model.kill_after = turned, after
    wish = IN_PLACE if in_place else upgrade_request.UpgradeRequest(target=IN_PLACE.target)
    try:
        run(model, wish)
    except simulated.KilledError:
        model.begin()
    if not upgrade_lock.read(model).started:
        return
    ran = upgrade_lock.read(model).ran.values()
    begun = any(one.verb.startswith('begin') for every in ran for one in every)
    assert begun or not any('upgrade ' in one for one in model.asked)
    if begun or model.contracted:
        with pytest.raises(ProblemError, match='go forward'):
            run(model, BACK)
        return
    till_the_end(model, BACK, kills)
    assert model.wrong == []
    for app in model.apps.values():
        assert app.origin == 'distro'
        assert [(u.packages, u.state) for u in app.units] == [('distro', 'ready')] * 2


def test_a_way_that_a_charm_has_not_is_refused():
    model = cloud(keystone=2)
    with pytest.raises(
        ProblemError, match='--way keystone=own: the ways of keystone are: replace, in-place'
    ):
        run(model, upgrade_request.UpgradeRequest(target=FORWARD.target, ways={'keystone': 'own'}))


def test_an_engine_that_upgrades_before_it_has_drained_is_caught():
    def careless(step: Step, seen: progress.Progress) -> bool:
        return step.verb == 'drain' or kept(step, seen)

    kept = progress.done
    model = of_two('keystone')
    with mock.patch.object(progress, 'done', careless):
        run(model, IN_PLACE_KEYSTONE)
    assert any('was upgraded while it was ready' in one for one in model.wrong)


def test_another_target_waits_until_the_first_is_reached():
    model = cloud(keystone=2)
    model.kill_at = 40
    with pytest.raises(simulated.KilledError):
        run(model)
    model.begin()
    with pytest.raises(ProblemError, match='an upgrade to debian@13 is under way, and keystone'):
        run(model, IN_PLACE_KEYSTONE)


# --- The test's own checks can fail: what an engine without its safeguards does, they find.


def never(step: Step, seen: progress.Progress) -> str:
    return ''


def test_an_engine_that_removes_before_it_has_drained_is_caught():
    def careless(step: Step, seen: progress.Progress) -> bool:
        return step.verb == 'drain' or kept(step, seen)

    kept = progress.done
    model = cloud(keystone=2)
    with mock.patch.object(progress, 'done', careless):
        run(model)
    assert any('was removed while it was ready' in one for one in model.wrong)


def test_an_engine_that_does_not_wait_until_units_are_admitted_is_caught():
    def careless(step: Step, seen: progress.Progress) -> bool:
        return step.verb == 'admit' or kept(step, seen)

    kept = progress.done
    model = cloud(keystone=2)
    with mock.patch.object(progress, 'done', careless), mock.patch.object(progress, 'held', never):
        run(model)
    assert any('units in rotation, 2 before' in one for one in model.wrong)


def test_an_engine_that_contracts_too_early_is_caught():
    model = cloud(keystone=2)
    original = ways.replace

    def careless(seen: progress.Progress, target: Target) -> Iterator[Step]:
        steps = list(original(seen, target))
        yield from sorted(
            steps, key=lambda step: step.verb not in ('base', 'add', 'expand', 'admit', 'contract')
        )

    with (
        mock.patch.object(ways, 'replace', careless),
        mock.patch.object(progress, 'held', never),
    ):
        run(model)
    assert any('was contracted while' in one for one in model.wrong)


def test_the_guard_alone_keeps_a_unit_that_is_needed():
    """Were `admit` left out of the plan, draining would still wait until as many units are ready."""

    def careless(step: Step, seen: progress.Progress) -> bool:
        return step.verb == 'admit' or kept(step, seen)

    kept = progress.done
    model = cloud(keystone=2)
    with mock.patch.object(progress, 'done', careless):
        run(model)
    assert model.wrong == []


# --- Who is at work.


def test_a_second_run_is_told_who_is_at_work():
    model = cloud(keystone=2)
    model.kill_at = 30
    with pytest.raises(simulated.KilledError):
        run(model)
    model.begin('bob@there process 7')
    model.gone = False
    with pytest.raises(ProblemError, match='ann@here process 1 is at work on this model'):
        run(model)
    model.clock += record_.LEASE_S
    run(model)
    assert model.wrong == []


def test_a_run_that_was_taken_over_ends():
    model = cloud(keystone=2)
    other = upgrade_lock.Book(model, 'other')

    def tell(event: JournalEntry) -> None:
        if event.step == 'keystone.expand' and event.kind == 'step':
            model.clock += record_.LEASE_S + 1
            other.take()

    with pytest.raises(ProblemError, match='has taken over: this run ends here'):
        engine.run(model, FORWARD, 'mine', tell)
    assert upgrade_lock.read(model).holder is not None


def test_of_two_that_take_a_free_record_at_once_one_has_it():
    model = cloud(keystone=1)
    upgrade_lock.Book(model, 'first').take()
    upgrade_lock.Book(model, 'first').release()
    one, two = upgrade_lock.Book(model, 'one'), upgrade_lock.Book(model, 'two')
    original = model.kept

    def kept(revision: int | None = None) -> object:
        found = original(revision)
        if revision is None and len(model.revisions) == 2:
            model.kept = original  # type: ignore[method-assign]
            two.take()  # It comes between the first one's look and its word.
        return found

    model.kept = kept  # type: ignore[method-assign, assignment]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ProblemError, match='is at work'):
        one.take()
    two.read()
