"""Plans: chosen from a seed, written and read, replayed exactly, shrunk to what matters."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.grammar import problem
from matrix.judge import verdict
from matrix.plans import chaosplan, plan, planfile, selectors, shrink, snapshot, streams


def _app(name: str, units: int) -> snapshot.Application:
    found = tuple(snapshot.Unit(f'{name}/{n}', str(n), leader=n == 0) for n in range(units))
    return snapshot.Application(name, found)


MODEL = snapshot.Model(
    (_app('db', 3), _app('api', 2)), tuple(snapshot.Machine(str(n)) for n in range(3))
)


def select_names(*steps: selectors.Selector, strict: bool = False) -> list[str]:
    chosen = selectors.select(steps, MODEL, random.Random(1), strict_compat=strict)  # noqa: S311
    return [one.name for one in chosen]


def step(name: str, **args: str | int | bool) -> selectors.Selector:
    return selectors.Selector(name, tuple(args.items()))


DB = step('units', application='db')


@pytest.mark.parametrize(
    ('steps', 'names'),
    [
        ([step('units')], ['db/0', 'db/1', 'db/2', 'api/0', 'api/1']),
        ([DB], ['db/0', 'db/1', 'db/2']),
        ([DB, step('leader')], ['db/0']),
        ([DB, step('leader', value=False)], ['db/1', 'db/2']),
        ([DB, step('leader', value=False), step('leader')], []),
        ([step('machines')], ['0', '1', '2']),
        ([step('applications', application='api')], ['api']),
        ([step('applications', application='none')], []),
        ([step('units', count=2)], ['db/0', 'db/1']),
        ([DB, step('agent_status', expect='idle'), step('workload_status', expect='error')], []),
        ([step('units', application='none'), step('one')], []),
        ([step('machines'), step('leader')], None),
        ([step('unit')], None),
        ([step('units', app='db')], None),
        ([step('units', count=0)], None),
    ],
)
def test_each_selector_narrows_what_the_one_before_chose(
    steps: list[selectors.Selector], names: list[str] | None
) -> None:
    if names is None:
        with pytest.raises(ValueError, match='selector'):
            select_names(*steps)
    else:
        assert select_names(*steps) == names


V1 = """actions:
- action: reboot
  selectors:
  - {selector: units, application: zookeeper}
  - {selector: leader, value: false}
  - {selector: one}
- action: add_unit
  selectors:
  - {selector: applications, application: zookeeper}
  count: 2
"""


def test_a_plan_of_the_first_format_is_written_as_it_was_read() -> None:
    read = chaosplan.read(V1, 'plan.yaml')
    assert [action.name for action in read.actions] == ['reboot', 'add_unit']
    assert read.actions[1].args == (('count', 2),)
    assert chaosplan.write(read) == V1


@pytest.mark.parametrize('wrapper', ['chaos', 'glitch'])
def test_the_documented_wrapper_and_its_keys_are_taken(wrapper: str) -> None:
    inner = ''.join(f'  {line}\n' for line in V1.splitlines())
    text = f'{wrapper}:\n  format: v1\n{inner}    inflight: 1\n    interval: 3\n'
    read = chaosplan.read(text, 'plan.yaml')
    assert read.actions[0] == chaosplan.read(V1, 'plan.yaml').actions[0]
    assert read.actions[1].args == (('count', 2), ('inflight', 1), ('interval', 3))


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('[]', "p:1: error: a plan needs 'actions', a list"),
        ('actions:\n- {selectors: []}', "p:2: error: an action needs 'action', its name"),
        ('actions:\n- action: reboot', "p:2: error: 'reboot' needs 'selectors', a list"),
        (
            'actions:\n- action: rebot\n  selectors: []',
            "p:2: error: there is no action 'rebot'; did you mean 'reboot'?",
        ),
        (
            'actions:\n- action: reboot\n  selectors:\n  - selector: unit',
            "p:4: error: there is no selector 'unit'; did you mean 'units'?",
        ),
        (
            'actions:\n- action: reboot\n  selectors:\n  - {selector: units, applicaton: x}',
            "p:4: error: selector 'units' has no argument 'applicaton'; did you mean 'application'?",
        ),
        ('chaos: {format: v3, actions: []}', "p:1: error: 'format' is v1 here, this is 'v3'"),
    ],
)
def test_what_is_wrong_with_a_first_plan_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(problem.RefusedError) as refused:
        chaosplan.read(text, 'p')
    assert [str(one) for one in refused.value.problems] == [said]


FREEZE = plan.Kind('freeze', (DB, step('one')), (5, 30), (('percent', 10, 100),))
KILL = plan.Kind('kill', (step('units'), step('one')), (0, 0))
KINDS = {kind.name: kind for kind in (FREEZE, KILL)}
_SEEDS = st.integers(0, 2**64)


def made_plan(seed: int, count: int = 8) -> plan.Plan:
    return plan.generate(seed, [FREEZE, KILL], MODEL, count=count, bundle='sha256:0')


def test_a_seed_means_the_same_plan_for_ever() -> None:
    drawn = [
        streams.stream(seed, 'e1', purpose).randrange(1000)
        for seed, purpose in ((7, 'at'), (7, 'at'), (7, 'hold'), (8, 'at'))
    ]
    assert drawn == [501, 501, 935, 425]


@given(_SEEDS, st.integers(0, 7))
def test_what_one_event_is_does_not_depend_on_how_many_there_are(seed: int, count: int) -> None:
    assert made_plan(seed, count).events == made_plan(seed).events[:count]


@given(_SEEDS)
def test_a_plan_is_written_and_read_the_same_and_replays_exactly(seed: int) -> None:
    made = made_plan(seed)
    read = planfile.read(planfile.write(made), 'plan.yaml')
    assert read == made
    assert tuple(plan.resolve(event, MODEL, read.seed) for event in read.events) == made.events


@given(_SEEDS)
def test_targets_that_are_gone_are_chosen_again_by_the_events_own_stream(seed: int) -> None:
    bare = [dataclasses.replace(event, targets=('gone/9',)) for event in made_plan(seed).events]
    found = tuple(plan.resolve(event, MODEL, seed) for event in bare)
    assert found == made_plan(seed).events


@pytest.mark.parametrize(
    ('value', 'target', 'struck'),
    [(True, 'a/0', 'a/0'), (True, 'a/1', 'a/0'), (False, 'a/0', 'a/1'), (False, 'a/1', 'a/1')],
)
def test_who_is_struck_for_leading_is_whoever_leads(value: bool, target: str, struck: str) -> None:
    """A replay runs in the model in which another one has deposed the leader."""
    units = (snapshot.Unit('a/0', '0', leader=True), snapshot.Unit('a/1', '1'))
    model = snapshot.Model((snapshot.Application('a', units),), ())
    steps = (
        selectors.Selector('units'),
        selectors.Selector('leader', (('value', value),)),
        selectors.Selector('one'),
    )
    event = plan.FaultEvent('e1', 'depose-leader', 0.0, 1.0, steps, (target,))
    assert plan.resolve(event, model, 1).targets == (struck,)


def test_an_event_without_a_target_in_the_model_is_left_out() -> None:
    assert plan.generate(1, [FREEZE], snapshot.Model(), count=3).events == ()
    assert plan.generate(1, [], MODEL, count=3).events == ()


def test_two_kinds_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match='share a name'):
        plan.generate(1, [KILL, KILL], MODEL, count=1)


_V2 = """format: v2
seed: 1
events:
- id: e1
  fault: freeze
  at: 1
  hold: 2
  selectors: [{selector: units}]
"""


@pytest.mark.parametrize(
    ('old', 'new', 'said'),
    [
        ('at: 1', 'at: -1', "p:6: error: 'at' is a number of seconds, this is -1"),
        ('at: 1', 'at: .inf', "p:6: error: 'at' is a number of seconds, this is inf"),
        ('hold: 2', 'holds: 2', "p:7: error: an event has no key 'holds'; did you mean 'hold'?"),
        ('seed: 1', 'seed: many', "p:2: error: 'seed' is a whole number, this is 'many'"),
        ('units', 'unit', "p:8: error: there is no selector 'unit'; did you mean 'units'?"),
        ('format: v2', 'format: v9', "p:1: error: a plan of this kind has 'format: v2'"),
        ('events:', 'event:', "p:1: error: a plan needs 'events', a list"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said_with_its_line(old: str, new: str, said: str) -> None:
    planfile.read(_V2, 'p')
    with pytest.raises(problem.RefusedError) as refused:
        planfile.read(_V2.replace(old, new, 1), 'p')
    assert said in [str(one) for one in refused.value.problems]


def test_two_events_of_one_name_are_refused() -> None:
    event = _V2[_V2.index('- id') :]
    with pytest.raises(problem.RefusedError, match="two events are called 'e1'"):
        planfile.read(_V2 + event, 'p')


LOST = verdict.Signature('acknowledged writes', 'put', 'lost')
SLOW = verdict.Signature('service level', error='slow')
_EVENT = plan.FaultEvent('e', 'freeze', 0, 20, (DB,), ('db/0', 'db/1'), (('percent', 80),))


def _of(count: int) -> plan.Plan:
    events = (dataclasses.replace(_EVENT, id=f'e{n}', at=n) for n in range(count))
    return plan.Plan(1, tuple(events))


def _ids(one: plan.Plan) -> set[str]:
    return {event.id for event in one.events}


class Runs:
    """A bundle that fails when all culprits are there."""

    def __init__(self, culprits: set[str]):
        self.culprits = culprits
        self.plans: list[plan.Plan] = []

    def __call__(self, one: plan.Plan) -> verdict.Signature | None:
        self.plans.append(one)
        return LOST if self.culprits <= _ids(one) else None


@given(
    st.integers(1, 10).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.sets(st.integers(0, n - 1), max_size=3),
            st.permutations(range(n)),
            st.integers(0, n),
        )
    )
)
def test_shrinking_finds_exactly_the_culprits_whatever_the_suspicion(
    case: tuple[int, set[int], list[int], int],
) -> None:
    count, numbers, order, known = case
    culprits = {f'e{n}' for n in numbers}
    runs = Runs(culprits)
    suspects = [f'e{n}' for n in order[:known]]
    found = shrink.shrink(_of(count), runs, signature=LOST, suspects=suspects)
    assert _ids(found.plan) == culprits
    assert found.minimal
    assert found.reproduced
    assert found.runs == len(runs.plans) == len({one.events for one in runs.plans})


def test_the_plan_without_faults_is_the_first_question() -> None:
    runs = Runs(set())
    found = shrink.shrink(_of(9), runs, signature=LOST)
    assert (found.plan.events, found.runs, found.reproduced) == ((), 1, True)


def test_a_good_suspicion_saves_runs() -> None:
    def cost(*suspects: str) -> int:
        return shrink.shrink(_of(16), Runs({'e3'}), signature=LOST, suspects=suspects).runs

    assert cost('e3') <= 4 < cost()


def test_another_failure_on_the_way_is_not_taken_for_this_one() -> None:
    def run(one: plan.Plan) -> verdict.Signature | None:
        return LOST if _ids(one) >= {'e0', 'e1'} else SLOW

    found = shrink.shrink(_of(4), run, signature=LOST)
    assert _ids(found.plan) == {'e0', 'e1'}


def test_a_failure_that_does_not_come_again_is_not_shrunk() -> None:
    found = shrink.shrink(_of(4), lambda _: None, signature=LOST)
    assert (found.plan, found.runs, found.reproduced, found.minimal) == (_of(4), 2, False, False)


def test_a_spent_budget_leaves_what_was_found_and_says_that_it_is_not_minimal() -> None:
    found = shrink.shrink(_of(16), Runs({'e3', 'e9'}), signature=LOST, budget=5)
    assert (found.runs, found.minimal) == (5, False)
    assert _ids(found.plan) >= {'e3', 'e9'}


def test_events_become_as_mild_as_the_failure_allows() -> None:
    def run(one: plan.Plan) -> verdict.Signature | None:
        strong = [
            event
            for event in one.events
            if event.hold >= 9
            and int(dict(event.parameters)['percent']) >= 40
            and 'db/0' in event.targets
        ]
        return LOST if strong else None

    found = shrink.shrink(_of(3), run, signature=LOST, kinds=KINDS)
    (event,) = found.plan.events
    assert 9 <= event.hold < 20
    assert event.targets == ('db/0',)
    assert 40 <= int(dict(event.parameters)['percent']) < 80
    assert run(found.plan) == LOST


@given(_SEEDS)
def test_milder_forms_come_to_an_end(seed: int) -> None:
    event: plan.FaultEvent = made_plan(seed).events[0] if made_plan(seed).events else _EVENT
    for _ in range(100):
        forms = plan.weaker(event, KINDS[event.fault])
        assert event not in forms
        if not forms:
            return
        event = forms[-1]
    raise AssertionError('a hundred milder forms')
