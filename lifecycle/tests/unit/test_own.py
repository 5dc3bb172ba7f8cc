"""What holds data is moved by its own way: killed anywhere, the unit that has what no other has is never removed."""

from __future__ import annotations

import contextlib

import pytest
import simulated
from hypothesis import given
from hypothesis import strategies as st
from test_engine import BACK, FORWARD, KILLS, ends, run, till_the_end

from lifecycle import declared, preflight, upgrade_lock, upgrade_request, ways
from lifecycle import record as record_
from lifecycle.engine import StoppedError
from lifecycle.problem import ProblemError
from lifecycle.progress import Progress
from lifecycle.step import Step, Target


def cloud(*, keystone: int = 0, units: int = 1, more: str = simulated.SHRINKS) -> simulated.Model:
    model = simulated.Model()
    model.deploy_own('mysql', units, more)
    if units > 1 and more:
        kept = record_.with_skip(record_.EMPTY, 'mysql.shrinks', 'there is a backup')
        model.keep(record_.dump(kept), first=True)
        model.begin(model.who)
    if keystone:
        model.deploy('keystone', keystone, after='mysql')
    return model


def test_a_database_is_moved_in_this_order():
    model = cloud(keystone=1)
    run(model)
    assert model.wrong == []
    assert model.asked[:6] == [
        'base mysql debian@13',
        'add mysql',
        'switch-over mysql/0',
        'drain mysql/0',
        'remove mysql/0',
        'base keystone debian@13',
    ]
    assert (
        [u.name for u in model.apps['mysql'].units] == ['mysql/1'] == [model.apps['mysql'].holder]
    )


def test_a_cluster_is_moved_in_this_order():
    model = cloud(units=3)
    run(model)
    assert model.wrong == []
    assert model.asked == [
        'base mysql debian@13',
        'remove mysql/1',
        'remove mysql/2',
        'add mysql',
        'switch-over mysql/0',
        'drain mysql/0',
        'remove mysql/0',
        'add mysql',
        'add mysql',
    ]
    assert [(u.name, u.state) for u in model.apps['mysql'].units] == [
        ('mysql/3', 'ready'),
        ('mysql/4', 'ready'),
        ('mysql/5', 'ready'),
    ]


@given(
    kills=KILLS,
    failures=st.lists(st.sampled_from(['switch-over', 'drain']), max_size=3),
    units=st.integers(1, 5),
)
def test_killed_anywhere_it_ends_as_the_one_that_was_not(
    kills: list[tuple[int, bool]], failures: list[str], units: int
):
    left_alone = cloud(units=units)
    run(left_alone)
    model = cloud(units=units)
    model.failures = failures
    till_the_end(model, FORWARD, kills)
    assert ends(model) == ends(left_alone)
    assert model.wrong == []


@given(kills=KILLS, turned=st.integers(1, 120), after=st.booleans(), units=st.integers(1, 4))
def test_turned_back_before_the_switch_it_ends_where_it_was(
    kills: list[tuple[int, bool]], turned: int, after: bool, units: int
):
    model = cloud(units=units)
    model.kill_at, model.kill_after = turned, after
    with contextlib.suppress(simulated.KilledError):
        run(model)
    model.begin()
    record = upgrade_lock.read(model)
    if not record.started:
        return
    if record.has_begun('mysql', 'switch'):
        with pytest.raises(ProblemError, match='mysql: its former units were told to hand over'):
            run(model, BACK)
        return
    assert model.apps['mysql'].holder == 'mysql/0'
    till_the_end(model, BACK, kills)
    assert model.wrong == []
    there = model.apps['mysql'].units
    assert there[0].name == 'mysql/0'
    assert [(u.base, u.state) for u in there] == [('debian@12', 'ready')] * units


@given(
    moments=st.lists(
        st.tuples(st.integers(1, 90), st.sampled_from(['removed', 'lost']), st.integers(0, 9)),
        max_size=2,
    )
)
def test_whatever_befalls_units_the_last_that_has_the_data_is_not_removed_by_the_run(
    moments: list[tuple[int, str, int]],
):
    model = cloud(units=3)
    model.by_hand = {at: (what, which) for at, what, which in moments}
    model.most_calls = 20_000
    with contextlib.suppress(StoppedError, ProblemError):
        run(model)
    assert [one for one in model.wrong if 'no other unit has' in one] == []


def test_without_the_switch_the_data_would_go(monkeypatch: pytest.MonkeyPatch):
    """The twin."""
    real = ways.own

    def without(seen: Progress, target: Target) -> list[Step]:
        return [step for step in real(seen, target) if step.verb not in ('switch', 'drain')]

    monkeypatch.setattr(ways, 'own', without)
    model = cloud()
    model.least = dict.fromkeys(model.apps, 0)
    run(model)
    assert 'mysql/0 was removed, and with it what no other unit has' in model.wrong


def test_a_switch_that_is_skipped_does_not_let_the_old_one_go():
    model = cloud()
    wish = upgrade_request.UpgradeRequest(target=Target(base='debian@13'), until='mysql.admit.1')
    run(model, wish)
    model.begin()
    kept = record_.with_skip(upgrade_lock.read(model), 'mysql.switch', 'I think that I did it')
    model.keep(record_.dump(kept), first=False)
    model.most_calls = 20_000
    with pytest.raises(Exception, match='it is no former server'):
        run(model)
    assert model.wrong == []


@pytest.mark.parametrize('skipped', [False, True])
def test_what_was_switched_by_hand_does_not_go_back(skipped: bool):
    model = cloud()
    wish = upgrade_request.UpgradeRequest(target=Target(base='debian@13'), until='mysql.admit.1')
    run(model, wish)
    model.run_action('mysql/0', 'switch-over', 60.0, lambda: None)
    assert model.apps['mysql'].holder == 'mysql/1'
    if skipped:
        model.begin()
        kept = record_.with_skip(upgrade_lock.read(model), 'mysql.switch', 'done by hand')
        model.keep(record_.dump(kept), first=False)
    model.most_calls = 20_000
    with pytest.raises(
        Exception, match='to hand over what they hold' if skipped else 'ready units'
    ):
        run(model, BACK)
    assert model.wrong == []
    assert [u.name for u in model.apps['mysql'].units] == ['mysql/0', 'mysql/1']


@pytest.mark.parametrize('last', ['sure', 'unclear'])
def test_a_switch_that_surely_changed_nothing_leaves_the_way_back_open(last: str):
    model = cloud()
    many = ['switch-over'] * 200
    if last == 'sure':
        model.failures, model.unchanged = many[:1], many
    else:
        model.failures = many
    with pytest.raises(StoppedError):
        run(model)
    model.failures, model.unchanged = [], []
    model.begin()
    if last == 'unclear':
        with pytest.raises(ProblemError, match='mysql: its former units were told to hand over'):
            run(model, BACK)
        return
    run(model, BACK)
    assert model.wrong == []
    assert [u.name for u in model.apps['mysql'].units] == ['mysql/0']


def test_what_a_unit_says_of_itself_is_shown_before_its_data_are_moved():
    model = cloud(keystone=1)
    for app in ('mysql', 'keystone'):
        model.apps[app].units[0].said = 'its binary log is off'
    known = upgrade_request.survey(model, FORWARD)
    said = [one for one in known.findings if '.said.' in one.id]
    assert [(one.id, one.sentence, one.blocking) for one in said] == [
        ('mysql.said.0', 'mysql/0 says: its binary log is off', False)
    ]


def test_the_plan_says_how_long_clients_wait():
    model = cloud()
    known = upgrade_request.survey(model, FORWARD)
    (switch,) = (step for step in known.plan.steps if step.verb == 'switch')
    assert 'clients wait meanwhile, 5 s at most' in switch.why
    assert 'no way back' in switch.why
    assert preflight.blocking(known.findings) == ()


def test_a_cluster_that_was_shrunk_comes_back_whole():
    model = cloud(units=4)
    wish = upgrade_request.UpgradeRequest(target=Target(base='debian@13'), until='mysql.settle')
    run(model, wish)
    assert [u.name for u in model.apps['mysql'].units] == ['mysql/0']
    model.begin()
    run(model, BACK)
    assert model.wrong == []
    assert [(u.base, u.state) for u in model.apps['mysql'].units] == [('debian@12', 'ready')] * 4


def test_those_that_are_left_have_settled_once_one_of_them_leads():
    model = cloud(units=2)
    wish = upgrade_request.UpgradeRequest(target=Target(base='debian@13'), until='mysql.remove.1')
    run(model, wish)
    model.begin()
    for leads in (False, True):
        model.apps['mysql'].units[0].leader = leads
        steps = {step.id: step for step in upgrade_request.survey(model, FORWARD).plan.steps}
        assert steps['mysql.settle'].state == ('done' if leads else 'next')


def test_what_it_means_to_be_moved_as_fewer_units_is_to_be_accepted_first():
    model = cloud(units=3)
    model.revisions.clear()
    known = upgrade_request.survey(model, FORWARD)
    (one,) = preflight.blocking(known.findings)
    assert one.id == 'mysql.shrinks'
    assert [step.id for step in known.plan.steps if step.state == 'done'] == []
    assert '2 go first, and come back' in one.sentence
    assert 'its data are on one unit alone' in one.sentence
    with pytest.raises(ProblemError, match=r'skip mysql\.shrinks --reason'):
        run(model)
    assert model.asked == []


def test_a_cluster_is_not_switched_while_it_is_one(monkeypatch: pytest.MonkeyPatch):
    """The twin: without those steps nobody can follow."""
    real = ways.own

    def without(seen: Progress, target: Target) -> list[Step]:
        return [s for s in real(seen, target) if not (s.verb == 'remove' and s.unit != 'mysql/0')]

    monkeypatch.setattr(ways, 'own', without)
    model = cloud(units=3)
    model.most_calls = 20_000
    with pytest.raises(StoppedError, match='mysql has 3 units on its old base, and is moved as 1'):
        run(model)
    assert [u.name for u in model.apps['mysql'].units][:3] == ['mysql/0', 'mysql/1', 'mysql/2']


def test_more_units_than_its_charm_bears_are_left():
    model = cloud(units=2, more='')
    left = {one.application: one.why for one in upgrade_request.survey(model, FORWARD).plan.left}
    assert 'moves 1 at most, and there are 2 units' in left['mysql']


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('own-shrinks: 5\nown-units: 1', 'own-shrinks: 5: must be a text'),
        ('own-shrinks: ""\nown-units: 1', 'must be a text that says what it means'),
        ('own-shrinks: [a]\nown-units: 1', 'must be a text'),
        ('own-shrinks: "its data are on one unit"', 'wants own-units'),
        ('mix-needs: {store: 5}', 'must be a text'),
    ],
)
def test_a_declaration_that_does_not_say_what_it_means_is_refused(line: str, words: str):
    with pytest.raises(ProblemError, match=words):
        declared.parse(f'version: 1\n{line}\n', 'x')
