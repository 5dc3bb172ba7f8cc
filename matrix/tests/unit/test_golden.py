"""What suites of juju-solutions/matrix mean: rewritten after its tests/*.matrix and rules.1/2.yaml."""

from __future__ import annotations

import asyncio
import pathlib

import pytest
from enginestage import Tasks, on_virtual_clock, sleep

from matrix import model
from matrix.engine import progress, rules, runner
from matrix.grammar import suite, suitefile
from matrix.judge import verdict

_FOLDER = pathlib.Path(__file__).parent / 'golden'


async def _health(doings: runner.RuleActions) -> bool:
    healthy = asyncio.get_running_loop().time() > 30
    doings.set_state('health.status', 'healthy' if healthy else 'busy')
    return True


async def _fails(_: runner.RuleActions) -> bool:
    raise model.TestFailure(None, 'no')


_TASKS: Tasks = {
    'deploy': lambda _: sleep(20),
    'traffic': lambda _: sleep(1e9),
    'chaos': lambda _: sleep(58),
    'health': _health,
    'fails': _fails,
    'a': lambda _: sleep(5),
}


def _run(
    test: suite.Test, *, ha: bool = False
) -> tuple[list[tuple[float, str]], verdict.Ending, float]:
    began: list[tuple[float, str]] = []

    async def body(rule: suite.RuleSpec, event: object, doings: runner.RuleActions) -> object:
        began.append((asyncio.get_running_loop().time(), rule.state))
        task = _TASKS.get(rule.state)
        return True if task is None else await task(doings)

    running = runner.run(test, body, policy=progress.Policy(ha=ha), said=lambda _: None)
    state, seconds = on_virtual_clock(running)
    return began, rules.ending(state), seconds


def _tests(name: str) -> tuple[suite.Test, ...]:
    return suitefile.read((_FOLDER / name).read_text(), name).tests


@pytest.mark.parametrize(
    ('name', 'first', 'seconds'),
    [
        (
            'rules.1.yaml',
            {'deploy': 0, 'traffic': 20, 'chaos': 20, 'health': 20, 'report': 78},
            78,
        ),
        ('rules.2.yaml', {'deploy': 0, 'health': 20, 'fails': 35, 'last': 35}, 35),
        ('basic.matrix', {'a': 0, 'b': 5}, 5),
        ('glitch.matrix', {'deploy': 0, 'health': 20, 'chaos': 35}, 93),
    ],
)
def test_each_rule_starts_when_it_did(name: str, first: dict[str, float], seconds: float) -> None:
    began, ending, took = _run(_tests(name)[0])
    assert {state: at for at, state in reversed(began)} == first
    assert (ending, took) == ('passed', seconds)


def test_periodic_rules_ran_as_often_as_they_did() -> None:
    began, _, _ = _run(_tests('rules.1.yaml')[0])
    assert [at for at, state in began if state == 'health'] == [20 + 5 * n for n in range(12)]
    began, _, _ = _run(_tests('rules.2.yaml')[0])
    assert [at for at, state in began if state == 'health'] == [20, 25, 30, 35]


def test_every_test_of_a_file_is_read_in_its_order() -> None:
    first, second = _tests('basic.matrix')
    assert (first.name, first.description, second.name) == (
        'first',
        'one rule after the other',
        'second',
    )
    assert second.rules[0].gating == 'ha_only'
