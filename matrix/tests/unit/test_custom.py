"""Tasks of a bundle's own, as the engine runs them."""

from __future__ import annotations

import asyncio
import pathlib
import sys

import pytest

from matrix import model
from matrix.engine import custom, progress, rules, runner
from matrix.grammar import suite, suitefile
from matrix.judge import verdict

_TASKS = """
import asyncio
from matrix.model import TestFailure

async def tells(context, rule, task, event=None):
    context.set_state('quorum', task.args['state'])
    assert context.states['quorum'] == task.args['state']
    context.bus.dispatch('tells', 'quorum.change', {'now': 3})
    return True

async def older(context, rule, task):
    return rule.name == 'older'

def plain(context, rule, task, event=None):
    context.set_state('plain.seen', 'yes')
    return True

async def hears(context, rule, task, event=None):
    context.timeline.append(event.payload)
    return True

async def fails(context, rule, task, event=None):
    raise TestFailure(task, 'no quorum')
"""


def run_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *lines: str
) -> tuple[verdict.Ending, progress.State, model.Context]:
    name = f'bundle_tasks_{tmp_path.name}'
    (tmp_path / f'{name}.py').write_text(_TASKS)
    monkeypatch.setattr(sys, 'path', [str(tmp_path), *sys.path])
    text = 'tests:\n- rules:\n' + ''.join(f'  - {line}\n' for line in lines)
    read = suitefile.read(text.replace('own.', f'{name}.'), 's.yaml')
    context = model.Context(
        model.Config(tmp_path),
        test=read.tests[0],
        suite=suite.Suite(read.tests),
        states={},
        set_state=lambda name, value: None,
        bus=model.Bus(lambda origin, kind, payload: None),
    )
    running = runner.run(
        read.tests[0],
        custom.body(context),
        policy=progress.Policy(),
        said=lambda event: None,
        deadline=30,
    )
    state = asyncio.run(running)
    return rules.ending(state), state, context


def test_a_task_sets_states_reads_them_and_sends_events(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending, state, context = run_own(
        tmp_path,
        monkeypatch,
        'do: {task: own.tells, state: reached}',
        '{do: own.older, after: quorum.reached}',
        '{do: own.hears, on: quorum.*}',
    )
    assert (ending, [run.phase for run in state.runs]) == ('passed', ['complete'] * 3)
    assert context.timeline == [{'now': 3}]


@pytest.mark.parametrize(
    ('task', 'ending', 'said'),
    [
        ('own.fails', 'failed', 'no quorum'),
        ('own.nothing', 'infrastructure', "s.yaml:3: no task 'bundle_tasks"),
        ('nowhere.at_all', 'infrastructure', "no module for 'nowhere.at_all'"),
        ('matrix.tasks.fail', 'failed', 'failed on purpose'),
    ],
)
def test_a_failure_is_told_with_its_reason(
    task: str,
    ending: verdict.Ending,
    said: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, state, _ = run_own(tmp_path, monkeypatch, f'do: {task}')
    assert found == ending
    assert said in state.runs[0].message
