"""The 25 defects of juju-solutions/matrix 0.10 (found by reading its source), none of which may come back.

Defects 1 (XUnit) and 23 (crash dump) are in test_old_defects_reports.py.
"""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import sys

import enginestage
import processes
import pytest
from enginestage import Ran, Tasks, sleep
from executionstage import Execution
from faultstage import Stage
from hypothesis import given
from hypothesis import strategies as st
from test_custom import run_own
from test_plans import DB, FREEZE, KILL, MODEL, made_plan, select_names, step
from test_suite import read_rules, refusal

from matrix import cli, model, tasks
from matrix.engine import progress, runner
from matrix.faults import fault
from matrix.grammar import located, problem, suite, suitefile
from matrix.history import journal
from matrix.judge import panel, verdict
from matrix.juju import model_health
from matrix.plans import chaosplan, plan, snapshot
from matrix.run import bundlefile, defaults, prepare
from matrix.tasks import bundlecode, executable, healthy

ROOT = pathlib.Path(__file__)


def _program(folder: pathlib.Path, text: str) -> pathlib.Path:
    path = folder / 'tests' / 'task'
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)
    return path


async def _execute(folder: pathlib.Path, path: pathlib.Path) -> bool:
    context = Execution(folder).context
    rule = suite.RuleSpec('tests/task', problem.Where('s.yaml', 4), args={'word': 'hello'})
    doings = runner.RuleActions(0, lambda _: None, lambda: {'deploy': 'complete'})
    return await executable.run(path, context, rule, progress.BusEvent('x', 3), doings)


def test_defect_2_a_program_is_a_task_that_passes_or_fails_by_its_exit_code(
    tmp_path: pathlib.Path,
) -> None:
    told = 'grep -q \'"args": {"word": "hello"}, "event": {"kind": "x", "payload": 3}\' && test -z "$HOME"'
    assert asyncio.run(_execute(tmp_path, _program(tmp_path, told)))
    with pytest.raises(model.TestFailure, match='tests/task exited with 7: no quorum'):
        asyncio.run(_execute(tmp_path, _program(tmp_path, 'echo no quorum >&2; exit 7')))
    with pytest.raises(model.InfraFailure, match=r's\.yaml:4'):
        asyncio.run(_execute(tmp_path, tmp_path / 'nothing'))


def test_defect_2_a_program_that_is_stopped_leaves_nothing_running(tmp_path: pathlib.Path) -> None:
    said = tmp_path / 'pid'
    path = _program(tmp_path, f'{processes.lasting(said)}; wait')

    async def cut_short() -> None:
        running = asyncio.create_task(_execute(tmp_path, path))
        await processes.started(said)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cut_short())
    processes.ended(int(said.read_text()))


def test_defect_3_a_task_that_is_not_async_runs_too(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending, _, _ = run_own(
        tmp_path, monkeypatch, 'do: own.plain', '{do: own.older, after: plain.seen.yes}'
    )
    assert ending == 'passed'


def test_defect_4_on_delivers_every_event_even_while_its_task_runs() -> None:
    async def send(doings: runner.RuleActions) -> bool:
        for number in range(4):
            doings.dispatch('app.tick', number)
            await asyncio.sleep(1)
        return True

    text = '{do: send}\n{do: hear, on: "app.*", until: send}'
    ran = Ran(text, {'send': send, 'hear': lambda _: sleep(0.9)})
    assert (ran.got, ran.ending) == ([0, 1, 2, 3], 'passed')


@pytest.mark.parametrize('key', ['on', '"on"', "'on'", 'true', 'True'])
def test_defect_5_on_is_a_word_however_it_is_written(key: str) -> None:
    (rule,) = read_rules(f'{{do: a.b, {key}: model.*}}')
    assert rule.on == 'model.*'


def test_defect_6_a_plan_for_a_non_leader_strikes_the_leader_only_in_strict_compat() -> None:
    assert select_names(DB, step('leader', value=False), step('one')) in (['db/1'], ['db/2'])
    assert select_names(DB, step('leader', value=False), step('one'), strict=True) == ['db/0']


def test_defect_7_units_without_application_are_all_and_an_action_needs_selectors() -> None:
    assert len(select_names(step('units'))) == 5
    with pytest.raises(problem.RefusedError, match="p:2: error: 'reboot' needs 'selectors'"):
        chaosplan.read('actions:\n- action: reboot', 'p')


def test_defect_8_a_load_that_ends_early_has_failed() -> None:
    text = '{do: chaos}\n{do: matrix.tasks.end_to_end, until: chaos}'
    ends: Tasks = {'chaos': lambda _: sleep(9), 'end_to_end': lambda _: sleep(1)}
    assert Ran(text, ends).ending == 'failed'
    assert Ran(text, ends, strict=True).ending == 'passed'


@pytest.mark.parametrize(
    ('name', 'text', 'error', 'said'),
    [
        ('end_to_end.py', 'async def end_to_end(m, l): return', model.TestFailure, 'returned'),
        ('end_to_end.py', 'async def end_to_end(m, l): m.x', model.TestFailure, 'AttributeError'),
        (
            'end_to_end.py',
            'import nothing_of_that_name',
            model.InfraFailure,
            'ModuleNotFoundError',
        ),
        ('end_to_end', '#!/bin/sh\nexit 7', model.TestFailure, 'exited with 7'),
    ],
)
def test_defect_8_a_load_that_breaks_is_never_a_pass(
    tmp_path: pathlib.Path, name: str, text: str, error: type[Exception], said: str
) -> None:
    (tmp_path / 'tests').mkdir()
    (tmp_path / 'tests' / name).write_text(text)
    (tmp_path / 'tests' / name).chmod(0o755)
    with pytest.raises(error, match=said):
        asyncio.run(Execution(tmp_path).task(tasks.end_to_end))


def test_defect_9_a_failed_rule_cancels_the_others_and_none_outlives_the_test() -> None:
    cleaned: list[float] = []

    async def load(_: runner.RuleActions) -> bool:
        try:
            return await sleep(1000)
        finally:
            await asyncio.sleep(2)
            cleaned.append(asyncio.get_running_loop().time())

    async def bad(_: runner.RuleActions) -> bool:
        await asyncio.sleep(1)
        return False

    ran = Ran('{do: load}\n{do: bad}\n{do: never, after: load}', {'load': load, 'bad': bad})
    assert ran.phases == ['cancelled', 'failed', 'cancelled']
    assert (ran.ending, cleaned, ran.seconds) == ('failed', [3], 3)


def _with(**unit: str) -> snapshot.Model:
    return snapshot.Model((snapshot.Application('db', (snapshot.Unit('db/0', '0', **unit),)),))  # type: ignore[arg-type]


BLOCKED = _with(workload_status='blocked', message='missing relation: db')


def test_defect_10_a_unit_that_becomes_blocked_is_not_healthy_any_more(
    tmp_path: pathlib.Path,
) -> None:
    stage = Execution(tmp_path, state=BLOCKED)
    stage.states['health.status'] = 'healthy'
    with pytest.raises(
        model.TestFailure, match='unhealthy: db/0 is blocked: missing relation: db'
    ):
        enginestage.on_virtual_clock(stage.task(tasks.health))
    assert stage.states['health.status'] == 'unhealthy'


def test_defect_10_a_blocked_unit_is_no_failure_while_a_fault_bites(
    tmp_path: pathlib.Path,
) -> None:
    stage = Execution(tmp_path, state=BLOCKED)
    stage.execution.calm.clear()

    async def for_an_hour() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stage.task(tasks.health), 3600)

    enginestage.on_virtual_clock(for_an_hour())
    assert stage.values == [('health.status', 'busy')] * len(stage.values)


def test_defect_11_what_is_blocked_at_deployment_ends_the_test_and_says_why(
    tmp_path: pathlib.Path,
) -> None:
    stage = Execution(tmp_path, state=BLOCKED)

    async def health() -> float:
        with pytest.raises(model.TestFailure, match='missing relation'):
            await stage.task(tasks.health)
        return asyncio.get_running_loop().time()

    ended, _ = enginestage.on_virtual_clock(health())
    assert healthy.PATIENCE <= ended < healthy.PATIENCE + 10
    assert any('missing relation: db' in str(said) for said in stage.notes('waits'))


@pytest.mark.parametrize(
    ('unit', 'seconds'),
    [
        ({'workload_status': 'error', 'message': 'hook failed: "start"'}, healthy.PATIENCE),
        ({'workload_status': 'waiting', 'message': 'for a database'}, 10 * healthy.PATIENCE),
        ({'workload_status': 'error', 'agent_status': 'executing'}, 4 * healthy.PATIENCE),
    ],
)
def test_defect_11_nothing_waits_for_ever(unit: dict[str, str], seconds: float) -> None:
    course, now, seen = healthy.Course(), 0.0, _with(**unit)
    while True:
        course = healthy.go_on(course, now, seen)
        status, left = healthy.judge(
            course, now, model_health.look(seen), stability=30, patience=healthy.PATIENCE
        )
        if status == 'unhealthy':
            break
        assert left > 0
        now += left
    assert now == seconds


def test_defect_12_a_juju_that_is_not_there_is_one_clear_line(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / 'bundle.yaml').write_text('applications: {a: {charm: a, num_units: 1}}')
    monkeypatch.setenv('PATH', '/nowhere')
    monkeypatch.chdir(tmp_path)
    assert cli.main([]) == 1
    assert capsys.readouterr().err == "error: there is no 'juju' on the PATH\n"
    assert not (tmp_path / 'matrix-runs').exists()


def test_defect_12_the_readmes_own_grammar_runs_and_a_bad_suite_is_told_at_once(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (rule,) = read_rules('do: {action: matrix.tasks.chaos}')
    assert rule.task == 'matrix.tasks.chaos'
    (tmp_path / 'bundle.yaml').write_text('applications: {a: {charm: a}}')
    (tmp_path / 'bad.yaml').write_text('tests:\n- rules:\n  - do: {atcion: deploy}\n')
    assert cli.main(['-p', str(tmp_path), str(tmp_path / 'bad.yaml')]) == 2
    assert f"{tmp_path}/bad.yaml:3: error: 'do' needs 'task'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('endings', 'code'),
    [
        ([], 0),
        (['passed'], 0),
        (['passed', 'unknown'], 101),
        (['infrastructure', 'passed'], 1),
        (['failed', 'infrastructure'], 101),
        (['infrastructure', 'no-model'], 200),
    ],
)
def test_defect_13_the_exit_code_is_that_of_the_worst_ending(
    endings: list[verdict.Ending], code: int
) -> None:
    assert verdict.exit_code(endings) == code
    assert verdict.exit_code(['unknown'], unknown_is='pass') == 0


def test_defect_14_fail_fast_runs_no_test_after_one_that_failed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matrix.run import alltests, models, onetest, writing

    async def bad(prepared: prepare.Prepared, test: suite.Test, *_: object) -> panel.Judged:
        return panel.Judged(test.name, ending='failed')

    async def given(_: models.Models) -> str:
        return 'm'

    monkeypatch.setattr(onetest, 'run', bad)
    monkeypatch.setattr(models.Models, 'get', given)
    (tmp_path / 'bundle.yaml').write_text('applications: {a: {charm: a}}')
    bundle = bundlefile.find(tmp_path)
    ends: list[list[str]] = []
    for fast in (True, False):
        asked = Execution(tmp_path, fail_fast=fast, shrink_for=None).execution.options
        prepared = prepare.prepare(asked, bundle, None, 1)
        with writing.opened(tmp_path / f'{fast}.jsonl', lambda _: None) as write:
            ran = asyncio.run(alltests.run(prepared, tmp_path, write, '3.6'))
        ends.append([one.skipped for one in ran.tests])
        assert ran.code == 101
    assert ends == [['', 'a test before it failed'], ['', '']]


@pytest.mark.parametrize('name', ['test.yaml', 'tests.yaml'])
@pytest.mark.parametrize(
    ('text', 'ha'),
    [('matrix: {ha: true}', True), ('charm_name: x', None), ('', None), ('matrix:', None)],
)
def test_defect_15_a_bundles_own_defaults_are_read_from_either_file(
    tmp_path: pathlib.Path, name: str, text: str, ha: bool | None
) -> None:
    from matrix.cli import flags

    (tmp_path / 'tests').mkdir()
    (tmp_path / 'tests' / name).write_text(text)
    extra = defaults.read(tmp_path)
    assert flags.of_bundle(defaults.matrix(extra), tmp_path).get('ha') is ha


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('matrix: {chaos_nun: 3}', "there is no option 'chaos_nun'; did you mean 'chaos_num'?"),
        ('matrix:\n  ha: 3', 'ha: it is true or false, this is 3'),
        ('matrix: {interval: soon}', "interval: 'soon' is not a number above 0"),
        ('matrix: [1]', "'matrix' is a mapping of options"),
        ('matrix: {skin: blue}', 'skin: it is tui or raw'),
    ],
)
def test_defect_15_they_are_checked(tmp_path: pathlib.Path, text: str, said: str) -> None:
    from matrix.cli import flags

    document = located.load(text, 't.yaml')
    assert isinstance(document, located.Mapping)
    with pytest.raises(problem.RefusedError, match=r't.yaml:\d: error: ') as refused:
        flags.of_bundle(document.get('matrix'), tmp_path)
    assert said in str(refused.value)


def _struck(folder: pathlib.Path, stage: Stage, **args: located.Plain) -> Execution:
    found = stage.fault()
    event = {'id': 'e1', 'fault': found.kind.name, 'at': 1, 'hold': 2, 'targets': ['db/0']}
    events = [{**event, 'selectors': [{'selector': 'units'}]}]
    path = folder / 'plan.yaml'
    path.write_text(str({'format': 'v2', 'seed': 7, 'events': events}))
    return Execution(folder, faults={found.kind.name: found}, chaos_plan=path)


def test_defect_16_chaos_of_which_nothing_could_be_done_is_unknown(tmp_path: pathlib.Path) -> None:
    stage = Stage(unable='there is no such service')
    execution = _struck(tmp_path, stage)
    assert enginestage.on_virtual_clock(execution.task(tasks.chaos, control=1))[0]
    entries = tuple(
        journal.Entry(n, float(n), '', what)
        for n, what in enumerate([journal.Note('test.start', 't'), *execution.written], 1)
    )
    (judged,) = panel.judge(journal.Journal(entries)).tests
    assert judged.outcome is not verdict.Outcome.PASS
    assert any('there is no such service' in one.sentence for one in judged.verdicts)


@pytest.mark.parametrize('unit', [0, '0', 'leader', 'random'])
def test_defect_17_an_action_needs_no_params_and_a_unit_may_be_a_number(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, unit: int | str
) -> None:
    execution, asked = Execution(tmp_path), list[tuple[str, str, dict[str, object]]]()

    async def run(unit: str, action: str, params: dict[str, object], *, within: float):
        asked.append((unit, action, params))
        return {'done': 'yes'}

    monkeypatch.setattr(execution.link, 'run_action', run)
    assert asyncio.run(execution.task(tasks.run_action, application='db', action='x', unit=unit))
    ((struck, action, params),) = asked
    assert (struck in {'db/0', 'db/1', 'db/leader'}, action, params) == (True, 'x', {})
    assert execution.states['run_action.x'] == 'completed'


def test_defect_18_a_rule_whose_until_already_holds_is_skipped() -> None:
    text = '{do: a}\n{do: b, after: a, until: a}'
    assert (Ran(text).phases, Ran(text).calls) == (['complete', 'skipped'], ['a'])


def test_defect_19_unknown_gating_is_an_error_and_never_gates_only_in_strict_compat() -> None:
    text = 'tests:\n- rules:\n  - do: a.b\n    gating: ha-only\n'
    assert refusal(text) == [
        "s.yaml:4: error: 'gating' is true, false or ha_only, this is 'ha-only'; did you mean 'ha_only'?"
    ]
    assert read_rules('{do: a.b, gating: ha-only}', strict=True)[0].gating == 'never'


def test_defect_20_a_fault_is_announced_before_it_bites_with_whom_it_strikes(
    tmp_path: pathlib.Path,
) -> None:
    stage = Stage()
    execution = _struck(tmp_path, stage)
    seen: list[tuple[int, list[str]]] = []
    first = execution.sent
    original = stage.step

    async def step_(name: str) -> None:
        if name == 'inject':
            seen.append((len(first), [one.phase for one in execution.faults()]))
        await original(name)

    stage.step = step_  # type: ignore[method-assign]
    enginestage.on_virtual_clock(execution.task(tasks.chaos, control=1))
    assert seen == [(1, ['armed'])]
    assert execution.sent == [
        ('chaos.activate', {'event': 'e1', 'fault': 'freeze', 'targets': ['db/0']})
    ]
    assert [one.targets for one in execution.faults()] == [('db/0',)] * 3


@given(st.integers(0, 2**40))
def test_defect_21_a_plan_follows_from_its_seed(seed: int) -> None:
    made = made_plan(seed)
    assert made == made_plan(seed)
    assert made == plan.generate(seed, [KILL, FREEZE], MODEL, count=8, bundle='sha256:0')
    assert all(event.targets for event in made.events)


def test_defect_22_two_rules_of_one_name_are_complete_when_both_are() -> None:
    text = '{do: x.run}\n{do: y.run}\n{do: b, after: run}'
    pace = iter([3, 8])
    ran = Ran(text, {'run': lambda _: sleep(next(pace))})
    assert ran.seconds == 8
    assert ran.calls == ['run', 'run', 'b']


def test_defect_24_yaml_makes_no_objects_and_a_plan_is_never_changed_by_running(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(problem.RefusedError, match=r's\.yaml:1: error'):
        suitefile.read('tests: !!python/object/apply:os.system ["true"]', 's.yaml')
    text = 'actions:\n- action: sleep\n  selectors:\n  - selector: units\n  seconds: 1\n'
    before = chaosplan.read(text, 'p')
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.actions[0].name = 'reboot'  # type: ignore[misc]
    path = tmp_path / 'old.yaml'
    path.write_text(text)
    found: dict[str, fault.Fault] = {'sleep': Stage().fault()}
    execution = Execution(tmp_path, faults=found, chaos_plan=path)
    enginestage.on_virtual_clock(execution.task(tasks.chaos, control=1))
    assert chaosplan.read((tmp_path / 'chaos_plan_m.yaml').read_text(), 'q') == before


_OLD = """
import asyncio

async def task(context, rule, task, event=None):
    await asyncio.sleep(0, loop=context.loop)
    lock = asyncio.Lock(loop=context.loop)
    async with lock:
        return dict(loop='kept')
"""


def test_defect_25_code_of_its_time_runs_on_the_python_of_today(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / 'tests').mkdir()
    (tmp_path / 'tests' / 'old_task.py').write_text(_OLD)
    load = 'import asyncio\nasync def end_to_end(m, l): await asyncio.sleep(0, loop=m.loop)'
    (tmp_path / 'tests' / 'end_to_end.py').write_text(load.replace('m.loop', 'None'))
    with pytest.raises(model.TestFailure, match='returned, and should go on'):
        asyncio.run(Execution(tmp_path).task(tasks.end_to_end))
    before = {name for name in sys.modules if name == 'tests' or name.startswith('tests.')}
    with bundlecode.importable(tmp_path):
        import importlib

        module = importlib.import_module('tests.old_task')
        assert asyncio.run(module.task(Execution(tmp_path).context, None, None)) == {
            'loop': 'kept'
        }
    assert f"{tmp_path}/tests/old_task.py:5: 'loop=' is left out" in caplog.text
    assert {name for name in sys.modules if name == 'tests' or name.startswith('tests.')} == before
