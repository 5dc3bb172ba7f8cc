"""Matrix's own tasks, on a model of values and a clock that jumps."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import re
from typing import Any

import cloudstage
import pytest
from enginestage import on_virtual_clock
from executionstage import Execution
from faultstage import MODEL, Stage
from hypothesis import given
from hypothesis import strategies as st

from matrix import model, tasks
from matrix.faults import fault
from matrix.grammar import problem, suite
from matrix.history import journal
from matrix.load import openloop, record
from matrix.plans import plan, planfile, snapshot
from matrix.run import execution
from matrix.tasks import beside, planning


def _plan(folder: pathlib.Path, *events: dict[str, Any]) -> pathlib.Path:
    path = folder / 'given.yaml'
    first = {
        'selectors': [{'selector': 'units'}],
        'fault': 'freeze',
        'targets': ['db/0'],
        'hold': 5,
    }
    whole = [{'id': f'e{n}', **first, **event} for n, event in enumerate(events, 1)]
    path.write_text(str({'format': 'v2', 'seed': 7, 'events': whole}))
    return path


def _chaos(
    folder: pathlib.Path, stage: Stage, *events: dict[str, Any], **args: Any
) -> tuple[Execution, float]:
    execution = Execution(
        folder, faults={'freeze': stage.fault()}, chaos_plan=_plan(folder, *events)
    )
    _, seconds = on_virtual_clock(execution.task(tasks.chaos, control=10, **args))
    return execution, seconds


def test_deploy_deploys_the_bundle_once(tmp_path: pathlib.Path) -> None:
    execution = Execution(tmp_path)
    assert asyncio.run(execution.task(tasks.deploy, version='current'))
    execution.execution.deployed = True
    assert asyncio.run(execution.task(tasks.deploy))
    assert execution.link.asked == [f'deploy {tmp_path}/bundle.yaml']
    there = Execution(tmp_path, model='mine')
    assert asyncio.run(there.task(tasks.deploy))
    assert there.link.asked == []
    empty = Execution(tmp_path, model='mine', state=snapshot.Model())
    assert asyncio.run(empty.task(tasks.deploy))
    assert len(empty.link.asked) == 1


def test_a_model_is_healthy_when_nothing_changed_for_its_time(tmp_path: pathlib.Path) -> None:
    execution = Execution(tmp_path)
    _, seconds = on_virtual_clock(execution.task(tasks.health, stability_period=30))
    assert 30 <= seconds < 31
    assert execution.values == [('health.status', 'settling'), ('health.status', 'healthy')]
    # Looked at again, it need not show it anew.
    _, seconds = on_virtual_clock(execution.task(tasks.health, stability_period=30))
    assert seconds < 1


def test_chaos_has_a_quiet_time_before_and_reads_back_after(tmp_path: pathlib.Path) -> None:
    execution, _ = _chaos(tmp_path, Stage(), {'at': 1})
    assert execution.notes('phase') == ['settled', 'control', 'chaos', 'recovery', 'readback']
    assert [one.phase for one in execution.faults()] == ['armed', 'landed', 'healed']
    moments = [one['moment'] for one in execution.notes('fingerprint') if isinstance(one, dict)]
    assert moments == ['before', 'after']
    assert planfile.read((tmp_path / 'plan.yaml').read_text(), 'p') == planfile.read(
        (tmp_path / 'given.yaml').read_text(), 'p'
    )


def test_events_overlap_as_planned_and_one_at_a_time_where_it_is_said(
    tmp_path: pathlib.Path,
) -> None:
    events = ({'at': 0, 'hold': 10}, {'at': 3, 'hold': 1, 'targets': ['db/1']})
    execution, _ = _chaos(tmp_path, Stage(), *events)
    assert [f'{one.id} {one.phase}' for one in execution.faults()][2:4] == [
        'e2 armed',
        'e2 landed',
    ]
    execution, _ = _chaos(tmp_path, Stage(), *events, serial=True)
    assert [one.id for one in execution.faults()] == ['e1'] * 3 + ['e2'] * 3


def test_whatever_ends_the_chaos_heals_what_bites(tmp_path: pathlib.Path) -> None:
    stage = Stage()
    execution = Execution(
        tmp_path,
        faults={'freeze': stage.fault()},
        chaos_plan=_plan(tmp_path, {'at': 1, 'hold': 900}),
    )

    async def cut_short() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(execution.task(tasks.chaos, control=1), 60)

    on_virtual_clock(cut_short())
    assert [one.phase for one in execution.faults()] == ['armed', 'landed', 'healed']
    assert execution.execution.calm.is_set()


def test_calm_is_over_exactly_while_a_fault_bites(tmp_path: pathlib.Path) -> None:
    seen: list[bool] = []
    stage = Stage()
    execution = Execution(
        tmp_path,
        faults={'freeze': stage.fault()},
        chaos_plan=_plan(tmp_path, {'at': 5, 'hold': 5}),
    )

    async def look() -> None:
        chaos = asyncio.ensure_future(execution.task(tasks.chaos, control=0))
        await asyncio.sleep(4)
        seen.append(execution.execution.calm.is_set())
        await asyncio.sleep(5)
        seen.append(execution.execution.calm.is_set())
        await chaos
        seen.append(execution.execution.calm.is_set())

    on_virtual_clock(look())
    assert seen == [True, False, True]


def test_a_model_that_does_not_come_back_fails_the_chaos_and_says_what_is_missing(
    tmp_path: pathlib.Path,
) -> None:
    stage = Stage()
    execution = Execution(
        tmp_path, faults={'freeze': stage.fault()}, chaos_plan=_plan(tmp_path, {'at': 1})
    )
    db, web = MODEL.applications
    unit = dataclasses.replace(db.units[0], workload_status='blocked', message='no peers')
    broken = snapshot.Model(
        (dataclasses.replace(db, units=(unit, db.units[1])), web), MODEL.machines
    )
    original = stage.step

    async def step(name: str) -> None:
        if name == 'inject':
            execution.link.state = broken
        await original(name)

    stage.step = step  # type: ignore[method-assign]
    with pytest.raises(model.TestFailure, match='did not come back: db/0 is blocked: no peers'):
        on_virtual_clock(execution.task(tasks.chaos, control=1, patience=20))
    assert execution.notes('phase')[-1] == 'readback'


def test_a_fault_that_nobody_has_is_refused_and_the_others_go_on(tmp_path: pathlib.Path) -> None:
    old = tmp_path / 'old.yaml'
    old.write_text(
        'actions:\n- {action: reboot, selectors: [{selector: units}, {selector: one}]}\n'
    )
    execution = Execution(tmp_path, faults={}, chaos_plan=old)
    on_virtual_clock(execution.task(tasks.chaos, control=1))
    (refused,) = execution.notes('refused')
    assert isinstance(refused, dict)
    assert 'reboot' in str(refused['reason'])


def test_a_plan_of_the_first_format_runs_two_seconds_apart_and_strikes_whom_it_finds(
    tmp_path: pathlib.Path,
) -> None:
    old = tmp_path / 'old.yaml'
    chosen = '[{selector: units, application: db}, {selector: one}]'
    old.write_text(
        f'actions:\n- {{action: reboot, selectors: {chosen}}}\n- {{action: remove_unit, selectors: {chosen}}}\n'
    )
    stage = Stage()
    found: dict[str, fault.Fault] = {
        name: stage.fault(kind=plan.Kind(name, ())) for name in ('reboot', 'remove-unit')
    }
    execution = Execution(tmp_path, faults=found, chaos_plan=old)
    on_virtual_clock(execution.task(tasks.chaos, control=1))
    kinds = [one.kind for one in execution.faults() if one.phase == 'landed']
    assert kinds == ['reboot', 'remove-unit']
    assert {target for one in execution.faults() for target in one.targets} <= {'db/0', 'db/1'}
    (written,) = execution.notes('plan')
    assert isinstance(written, dict)
    assert [one['with'] for one in written['events']] == [{}, {'for_good': True}]  # type: ignore[index,union-attr]
    assert (tmp_path / 'chaos_plan_m.yaml').is_file()


def test_faults_of_a_second_chaos_are_named_apart(tmp_path: pathlib.Path) -> None:
    stage = Stage()
    given = _plan(tmp_path, {'at': 1}, {'at': 9})
    staged = Execution(tmp_path, faults={'freeze': stage.fault()}, chaos_plan=given)

    async def thrice() -> None:
        for _ in range(3):
            await staged.task(tasks.chaos, control=1)

    on_virtual_clock(thrice())
    plans = [planfile.from_plain(one) for one in staged.notes('plan')]
    names = [[one.id for one in each.events] for each in plans]
    assert names == [['e1', 'e2'], ['2-e1', '2-e2'], ['3-e1', '3-e2']]
    struck = [one.id for one in staged.faults() if one.phase == 'healed']
    assert struck == [name for some in names for name in some]


def test_a_plan_takes_no_names_of_one_before() -> None:
    event = plan.FaultEvent('e1', 'freeze', 0, 5, ())
    own = plan.Plan(7, (event, dataclasses.replace(event, id='e2')))
    assert plan.renamed(own, set()) is own
    assert plan.renamed(own, {'e3'}) is own
    found = plan.renamed(own, {'e2', '2-e1'})
    assert [one.id for one in found.events] == ['3-e1', '3-e2']


def test_a_made_plan_leaves_enough_units_alone_and_has_no_holes() -> None:
    stage = Stage()
    known = [
        stage.fault(kind=plan.Kind('all', plan_units()), spare=0),
        stage.fault(kind=plan.Kind('one', plan_units(one=True)), spare=1),
    ]
    facts = {machine.id: frozenset[str]() for machine in MODEL.machines}
    asked = planning.Wanted(count=6, gap=10, cover=False)
    for seed in range(20):
        made = planning.make(asked, known, MODEL, facts, seed, 'sha256:0')
        assert all(0 <= event.at - 10 * n <= 10 for n, event in enumerate(made.events))
        for event in made.events:
            if event.fault == 'one':
                assert event.targets in (('db/0',), ('db/1',))
    only = planning.make(
        dataclasses.replace(asked, strikes=(planning.Strike(('on*',)),)),
        known,
        MODEL,
        facts,
        1,
        '',
    )
    assert {event.fault for event in only.events} == {'one'}
    assert len(only.events) == 6
    longer = planning.make(dataclasses.replace(asked, hold=2.0), known, MODEL, facts, 1, '')
    assert {event.hold for event in longer.events} == {2.0}


@given(
    seed=st.integers(0, 2**32),
    strikes=st.lists(
        st.tuples(
            st.lists(st.sampled_from(['all', 'one', 'o*']), max_size=2),
            st.lists(st.sampled_from(['db', 'web']), max_size=2, unique=True),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_each_fault_strikes_only_whom_a_strike_names_for_it(
    seed: int, strikes: list[tuple[list[str], list[str]]]
) -> None:
    stage = Stage()
    known = [
        stage.fault(kind=plan.Kind('all', plan_units(one=True)), spare=0),
        stage.fault(kind=plan.Kind('one', plan_units(one=True)), spare=1),
    ]
    facts = {machine.id: frozenset[str]() for machine in MODEL.machines}
    asked = planning.Wanted(
        count=6,
        strikes=tuple(planning.Strike(tuple(kinds), tuple(names)) for kinds, names in strikes),
        redundant=False,
    )
    made = planning.make(asked, known, MODEL, facts, seed, '')
    for event in made.events:
        [target] = event.targets
        application = target.partition('/')[0]
        assert any(
            strike.has(event.fault) and application in (strike.applications or ('db', 'web'))
            for strike in asked.strikes
        )
    possible = any(
        strike.has('all') or (strike.has('one') and 'db' in (strike.applications or ('db',)))
        for strike in asked.strikes
    )
    assert (
        bool(made.events) is possible
    )  # One unit alone cannot be spared: 'one' does not strike web.


def _wanted(**args: Any) -> planning.Wanted:
    known = {name: Stage().fault() for name in ('worker-kill', 'worker-stop', 'stop')}
    return planning.wanted(
        args,
        chaos_plan=None,
        count=5,
        redundant=True,
        folder=pathlib.Path(),
        known=known,
        seed=1,
    )


def test_what_strikes_whom_is_read_from_a_suite() -> None:
    said = [{'kinds': ['stop'], 'applications': 'mysql rabbitmq-server'}, {'kinds': 'worker-*'}]
    assert _wanted(strikes=said).strikes == (
        planning.Strike(('stop',), ('mysql', 'rabbitmq-server')),
        planning.Strike(('worker-*',), ()),
    )
    assert _wanted(kinds='stop', applications='db').strikes == (
        planning.Strike(('stop',), ('db',)),
    )
    assert _wanted().strikes == (planning.Strike(),)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({'strikes': 'stop'}, "'strikes' is a list of mappings"),
    ({'strikes': []}, "'strikes' is a list of mappings"),
    ({'strikes': ['stop']}, "'strikes' is a list of mappings"),
    ({'strikes': [{'kind': 'stop'}]}, "unknown key 'kind' in 'strikes'; did you mean 'kinds'"),
    ({'strikes': [{'kinds': 'worker-kil'}]}, "there is no fault 'worker-kil'; did you mean"),
    ({'strikes': [{'kinds': [1]}]}, "'kinds' is a list of names"),
    ({'strikes': [{}], 'kinds': 'stop'}, "stand in each of 'strikes', or without them"),
]


@pytest.mark.parametrize(('args', 'said'), REFUSED)
def test_what_strikes_whom_is_refused_where_it_says_nothing(
    args: dict[str, Any], said: str
) -> None:
    with pytest.raises(model.InfraFailure, match=re.escape(said)):
        _wanted(**args)


def plan_units(*, one: bool = False) -> tuple[Any, ...]:
    from matrix.plans import selectors

    return (selectors.Selector('units'), *([selectors.Selector('one')] if one else []))


@pytest.mark.parametrize(
    ('args', 'said'),
    [
        ({}, 'needs the names of an application and an action'),
        ({'application': 'db', 'action': 'x', 'params': 3}, "'params' is a mapping"),
        (
            {'application': 'db', 'action': 'x', 'unit': 'some'},
            "'unit' is a number, leader or random",
        ),
        ({'application': 'no', 'action': 'x', 'unit': 'random'}, 'no has no units'),
        (
            {'application': 'db', 'action': 'x', 'timeout': 'long'},
            "'timeout' is a number of seconds",
        ),
    ],
)
def test_what_run_action_cannot_run_is_told(
    tmp_path: pathlib.Path, args: dict[str, Any], said: str
) -> None:
    with pytest.raises(model.InfraFailure, match=said):
        asyncio.run(Execution(tmp_path).task(tasks.run_action, **args))


def test_an_action_that_fails_fails_its_rule(tmp_path: pathlib.Path) -> None:
    execution = Execution(tmp_path)
    with pytest.raises(model.TestFailure, match='no action x'):
        asyncio.run(execution.task(tasks.run_action, application='db', action='x'))
    assert execution.states['run_action.x'] == 'failed'


def test_faults_wait_for_a_load_that_takes_its_time(tmp_path: pathlib.Path) -> None:
    stage = Stage()
    execution = Execution(
        tmp_path, faults={'freeze': stage.fault()}, chaos_plan=_plan(tmp_path, {'at': 0})
    )
    rule = suite.RuleSpec('matrix.tasks.end_to_end', problem.Where('s.yaml', 1))
    execution.context.test = suite.Test('t', (rule,), rule.where)

    async def go() -> list[str]:
        chaos = asyncio.ensure_future(execution.task(tasks.chaos, control=10))
        await asyncio.sleep(50)
        before = [one.phase for one in execution.faults()]
        execution.execution.loaded.set()
        await asyncio.sleep(9)
        before += [one.phase for one in execution.faults()]
        await chaos
        return before

    assert on_virtual_clock(go())[0] == []
    assert len(execution.faults()) == 3
    assert ['chaos: waits for the load to begin (at most 2 min more)'] in execution.notes('waits')


def test_the_first_fault_waits_for_what_lasts_and_in_the_end_it_is_let_go(
    tmp_path: pathlib.Path,
) -> None:
    stage = Stage()
    execution = Execution(
        tmp_path, faults={'freeze': stage.fault()}, chaos_plan=_plan(tmp_path, {'at': 0})
    )
    rule = suite.RuleSpec('matrix.tasks.end_to_end', problem.Where('s.yaml', 1))
    execution.context.test = suite.Test('t', (rule,), rule.where)
    cloud = cloudstage.Cloud()
    kept = cloudstage.Kept(cloud)

    async def go() -> None:
        async with openloop.clients(kept, write=execution.written.append, seed=1) as them:
            execution.execution.clients.append(them)
            execution.execution.loaded.set()
            load = asyncio.ensure_future(them.run(rate=1))
            await execution.task(tasks.chaos, control=3)
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)

    on_virtual_clock(go())
    phases = ['settled', 'control', 'chaos', 'recovery', 'readback', 'clearing']
    assert execution.notes('phase') == phases
    done = [
        one.kind
        for one in execution.written[: execution.written.index(execution.faults()[0])]
        if isinstance(one, journal.Operation) and one.phase == 'ok'
    ]
    assert {f'{one.name}.create' for one in cloudstage.EVERYTHING} <= {*done}
    [left] = execution.notes('left')
    assert isinstance(left, dict)
    assert left['left'] == []
    assert not (cloud.servers or cloud.volumes or cloud.networks)


def test_a_fault_that_raises_makes_its_event_refused_and_the_others_go_on(
    tmp_path: pathlib.Path,
) -> None:
    async def broken(_: fault.Injection) -> str:
        raise KeyError('oh')

    stage = Stage()
    found = {'freeze': stage.fault(), 'own': stage.fault(kind=plan.Kind('own', ()), unable=broken)}
    events = ({'at': 0, 'fault': 'own'}, {'at': 3})
    execution = Execution(tmp_path, faults=found, chaos_plan=_plan(tmp_path, *events))
    on_virtual_clock(execution.task(tasks.chaos, control=1))
    (refused,) = execution.notes('refused')
    assert isinstance(refused, dict)
    assert refused['reason'] == "the fault broke: KeyError: 'oh'"
    assert [one.id for one in execution.faults()] == ['e2'] * 3


def test_every_wait_has_its_reason_and_ends_with_none(tmp_path: pathlib.Path) -> None:
    execution, _ = _chaos(tmp_path, Stage(), {'at': 1})
    said = execution.notes('waits')
    assert ['chaos: 10 s of load without a fault'] in said
    assert ['chaos e1: freeze on db/0 (at most 5 s more)'] in said
    assert said[-1] == []
    assert not any(
        isinstance(one, journal.Note) and one.kind == 'refused' for one in execution.written
    )


@pytest.mark.parametrize(('again', 'waited'), [(3.0, True), (None, False)])
def test_the_chaos_goes_on_until_what_is_asked_works_again_or_its_time_is_over(
    tmp_path: pathlib.Path, again: float | None, waited: bool
) -> None:
    stage = Stage()
    execution = Execution(
        tmp_path,
        faults={'freeze': stage.fault()},
        chaos_plan=_plan(tmp_path, {'at': 0, 'hold': 1}),
    )
    said = record.Record(execution.written.append)
    said.put(journal.Operation('1', 'get', 'invoke'))
    said.put(journal.Operation('1', 'get', 'ok'))
    execution.execution.clients.append(said)
    execution.execution.loaded.set()

    async def go() -> float:
        loop = asyncio.get_running_loop()
        chaos = asyncio.ensure_future(execution.task(tasks.chaos, control=1))
        while 'recovery' not in execution.notes('phase'):
            await asyncio.sleep(0.1)
        healed = loop.time()
        said.put(journal.Operation('2', 'get', 'invoke'))
        if again is not None:
            await asyncio.sleep(again)
            said.put(journal.Operation('2', 'get', 'ok'))
        await chaos
        return loop.time() - healed

    took, _ = on_virtual_clock(go())
    assert (took < 10) == waited
    assert took < 40
    assert any('until get works again' in str(one) for one in execution.notes('waits'))


def test_what_works_again_is_told_from_what_was_not_tried() -> None:
    not_again = beside.not_again
    assert not_again({'a': (5, 5)}, {'a': (6, 6), 'b': (2, 0)}) == 'b'
    assert not_again({'a': (5, 5), 'b': (2, 0)}, {'a': (6, 6), 'b': (2, 0)}) == ''
    assert not_again({'a': (5, 5)}, {'a': (5, 5)}) is None
    assert not_again({'a': (5, 5)}, {'a': (6, 5)}) == 'a'
    assert not_again({}, {}) is None


@pytest.mark.parametrize(
    ('seconds', 'said'),
    [(0.2, '1 s'), (40, '40 s'), (99.4, '99 s'), (100, '2 min'), (5940, '99 min'), (7200, '2 h')],
)
def test_a_length_of_time_is_said_in_what_people_count_it_in(seconds: float, said: str) -> None:
    assert execution.span(seconds) == said


def test_a_wait_is_noted_once_however_often_its_end_is_counted_anew(
    tmp_path: pathlib.Path,
) -> None:
    staged = Execution(tmp_path)
    for left in (30, 29, 28):
        staged.execution.waits('chaos', 'waits for x', left)
    staged.execution.waits('health', 'looks')
    staged.execution.waits('chaos', '')
    assert staged.notes('waits') == [
        ['chaos: waits for x (at most 30 s more)'],
        ['chaos: waits for x (at most 30 s more)', 'health: looks'],
        ['health: looks'],
    ]
