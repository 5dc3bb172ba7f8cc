"""The engine: rules start, repeat, stop and fail as their test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix import model
from matrix.engine import progress, rules, runner
from matrix.grammar import suite, suitefile
from matrix.judge import verdict

T = TypeVar('T')


class _Loop(asyncio.SelectorEventLoop):
    """A clock that jumps to the next timer: hours of test in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        inner: Any = self
        if not inner._ready and inner._scheduled:
            self.now = max(self.now, inner._scheduled[0].when())
        super()._run_once()  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]


def _on_virtual_clock(main: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """What a coroutine returns, and how many virtual seconds it took."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        result = runner.run(main)
        return result, runner.get_loop().time()


Tasks = dict[str, Callable[[runner.Doings], Awaitable[object]]]


async def _sleep(seconds: float) -> bool:
    await asyncio.sleep(seconds)
    return True


def _test(text: str) -> suite.Test:
    lines = ''.join(f'  - {line}\n' for line in text.strip().splitlines())
    return suitefile.read(f'tests:\n- name: t\n  rules:\n{lines}', 'suite.yaml').tests[0]


class Ran:
    """A test that has been run on the virtual clock."""

    def __init__(
        self,
        text: str,
        tasks: Tasks | None = None,
        *,
        deadline: float | None = None,
        ha: bool = False,
        strict: bool = False,
    ):
        self.calls: list[str] = []
        self.events: list[progress.Event] = []
        self.got: list[object] = []

        async def body(
            rule: suite.Rule, event: progress.Event | None, doings: runner.Doings
        ) -> object:
            self.calls.append(rule.state)
            if event is not None:
                self.got.append(event.payload)
            task = (tasks or {}).get(rule.state)
            return True if task is None else await task(doings)

        self.state, self.seconds = _on_virtual_clock(
            runner.run(
                _test(text),
                body,
                policy=progress.Policy(ha=ha, strict_compat=strict),
                said=self.events.append,
                deadline=deadline,
            )
        )

    @property
    def phases(self) -> list[str]:
        return [run.phase for run in self.state.runs]

    @property
    def ending(self) -> verdict.Ending:
        return rules.ending(self.state)


def test_rules_without_conditions_start_at_once_and_together() -> None:
    ran = Ran('{do: a}\n{do: b}', {'a': lambda _: _sleep(5), 'b': lambda _: _sleep(5)})
    assert (ran.ending, ran.seconds) == ('passed', 5)


def test_after_waits_until_the_other_is_complete() -> None:
    ran = Ran('{do: a}\n{do: b, after: a}', {'a': lambda _: _sleep(5), 'b': lambda _: _sleep(5)})
    assert (ran.ending, ran.seconds) == ('passed', 10)


def test_while_lets_a_rule_start_only_as_long_as_the_other_is_at_work() -> None:
    ran = Ran('{do: a}\n{do: b, while: a}', {'a': lambda _: _sleep(5), 'b': lambda _: _sleep(5)})
    assert (ran.ending, ran.seconds) == ('passed', 5)


def test_a_rule_that_missed_its_while_makes_the_test_unknown() -> None:
    ran = Ran('{do: a}\n{do: b, after: a, while: a}')
    assert (ran.ending, ran.phases) == ('unknown', ['complete', 'stuck'])
    assert 'a to be running or paused (now complete)' in ran.state.runs[1].message


def test_periodic_with_until_repeats_until_it_holds() -> None:
    ran = Ran('{do: a}\n{do: b, periodic: 3, until: a}', {'a': lambda _: _sleep(10)})
    assert ran.calls.count('b') == 4
    assert (ran.ending, ran.seconds) == ('passed', 10)


@pytest.mark.parametrize('rule', ['{do: b, periodic: 3}', '{do: b, until: a}'])
def test_periodic_or_until_alone_runs_once(rule: str) -> None:
    ran = Ran('{do: a}\n' + rule, {'a': lambda _: _sleep(10)})
    assert ran.calls.count('b') == 1


def test_until_cancels_what_runs_and_counts_it_as_done() -> None:
    ran = Ran('{do: a}\n{do: b, until: a}', {'a': lambda _: _sleep(4), 'b': lambda _: _sleep(99)})
    assert (ran.phases, ran.seconds) == (['complete', 'complete'], 4)


def test_a_state_that_holds_for_no_time_at_all_is_still_seen() -> None:
    async def flicker(doings: runner.Doings) -> bool:
        doings.set_state('health.status', 'healthy')
        doings.set_state('health.status', 'busy')
        return True

    ran = Ran('{do: flicker}\n{do: b, after: health.status.healthy}', {'flicker': flicker})
    assert ran.ending == 'passed'


def test_a_rule_whose_until_already_holds_is_skipped() -> None:
    text = '{do: a}\n{do: b, after: a, until: a}'
    assert (Ran(text).phases, Ran(text).calls) == (['complete', 'skipped'], ['a'])


def test_strict_compat_runs_once_what_would_be_skipped() -> None:
    ran = Ran('{do: a}\n{do: b, after: a, until: a}', strict=True)
    assert ran.calls == ['a', 'b']


def test_on_delivers_every_event_even_while_its_task_runs() -> None:
    async def send(doings: runner.Doings) -> bool:
        for number in range(4):
            doings.dispatch('app.tick', number)
            await asyncio.sleep(1)
        return True

    text = '{do: send}\n{do: hear, on: "app.*", until: send}'
    ran = Ran(text, {'send': send, 'hear': lambda _: _sleep(0.9)})
    assert (ran.got, ran.ending) == ([0, 1, 2, 3], 'passed')


def test_on_without_until_listens_until_the_others_are_done() -> None:
    ran = Ran('{do: a}\n{do: log, on: rule.done}\n{do: b, after: a}')
    assert ran.calls.count('log') == 2
    assert ran.ending == 'passed'


def test_a_rule_does_not_hear_itself() -> None:
    async def shout(doings: runner.Doings) -> bool:
        doings.dispatch('x')
        return True

    ran = Ran('{do: a}\n{do: shout, on: "*"}', {'shout': shout})
    assert ran.ending == 'passed'


@pytest.mark.parametrize(
    ('gating', 'ha', 'ending'),
    [
        ('true', False, 'failed'),
        ('false', True, 'passed'),
        ('ha_only', False, 'passed'),
        ('ha_only', True, 'failed'),
    ],
)
def test_gating_says_whose_failure_counts(gating: str, ha: bool, ending: verdict.Ending) -> None:
    async def bad(_: runner.Doings) -> bool:
        raise model.TestFailure(None, 'no')

    ran = Ran(f'{{do: bad, gating: {gating}}}', {'bad': bad}, ha=ha)
    assert (ran.ending, ran.phases) == (ending, ['failed'])


def test_a_failed_rule_cancels_the_others_and_none_outlives_the_test() -> None:
    cleaned: list[float] = []

    async def load(_: runner.Doings) -> bool:
        try:
            return await _sleep(1000)
        finally:
            await asyncio.sleep(2)
            cleaned.append(asyncio.get_running_loop().time())

    async def bad(_: runner.Doings) -> bool:
        await asyncio.sleep(1)
        return False

    ran = Ran('{do: load}\n{do: bad}\n{do: never, after: load}', {'load': load, 'bad': bad})
    assert ran.phases == ['cancelled', 'failed', 'cancelled']
    assert (ran.ending, cleaned, ran.seconds) == ('failed', [3], 3)


def test_strict_compat_lets_the_others_end_by_themselves() -> None:
    async def bad(_: runner.Doings) -> bool:
        return False

    ran = Ran('{do: a}\n{do: bad}', {'a': lambda _: _sleep(50), 'bad': bad}, strict=True)
    assert (ran.phases, ran.ending) == (['complete', 'failed'], 'failed')


@pytest.mark.parametrize('error', [model.InfraFailure('gone'), KeyError('x')])
def test_any_other_exception_breaks_the_run_whatever_its_gating(error: Exception) -> None:
    async def bad(_: runner.Doings) -> bool:
        raise error

    ran = Ran('{do: bad, gating: false}', {'bad': bad})
    assert ran.ending == 'infrastructure'


def test_a_task_that_cancels_itself_has_not_passed() -> None:
    async def bad(_: runner.Doings) -> bool:
        raise asyncio.CancelledError

    assert Ran('{do: bad}', {'bad': bad}).ending == 'infrastructure'


def test_a_load_that_ends_early_has_failed() -> None:
    text = '{do: chaos}\n{do: matrix.tasks.end_to_end, until: chaos}'
    tasks: Tasks = {'chaos': lambda _: _sleep(9), 'end_to_end': lambda _: _sleep(1)}
    assert Ran(text, tasks).ending == 'failed'
    assert Ran(text, tasks, strict=True).ending == 'passed'


def test_a_load_that_is_stopped_has_done_well() -> None:
    text = '{do: chaos}\n{do: matrix.tasks.end_to_end, until: chaos}'
    tasks: Tasks = {'chaos': lambda _: _sleep(9), 'end_to_end': lambda _: _sleep(1000)}
    assert (Ran(text, tasks).ending, Ran(text, tasks).seconds) == ('passed', 9)


def test_a_state_that_never_comes_ends_the_test_at_once_and_says_why() -> None:
    ran = Ran('{do: a}\n{do: b, after: health.status.healty}')
    assert (ran.ending, ran.seconds) == ('unknown', 0)
    assert 'health.status to be healty (now never set)' in ran.state.runs[1].message


def test_a_test_that_takes_too_long_fails_with_its_reasons() -> None:
    text = '{do: health, periodic: 5, until: health.status.healthy}\n{do: b, after: health.status.healthy}'
    ran = Ran(text, deadline=60)
    assert (ran.ending, ran.seconds) == ('failed', 60)
    said = next(str(event.payload) for event in ran.events if event.kind == 'test.overdue')
    assert 'health is paused, until health.status is healthy (now never set)' in said


def test_two_rules_of_one_name_are_complete_when_both_are() -> None:
    text = '{do: x.run}\n{do: y.run}\n{do: b, after: run}'
    pace = iter([3, 8])
    ran = Ran(text, {'run': lambda _: _sleep(next(pace))})
    assert ran.seconds == 8
    assert ran.calls == ['run', 'run', 'b']


def test_the_default_suite_runs_its_course() -> None:
    async def health(doings: runner.Doings) -> bool:
        now = asyncio.get_running_loop().time()
        doings.set_state('health.status', 'healthy' if now > 30 else 'settling')
        return True

    text = """
{do: matrix.tasks.deploy}
{do: matrix.tasks.health, after: deploy, periodic: 5, until: chaos.complete, gating: ha_only}
{do: matrix.tasks.end_to_end, after: health.status.healthy, until: chaos.complete}
{do: matrix.tasks.chaos, after: health.status.healthy, gating: ha_only}
"""
    tasks: Tasks = {
        'deploy': lambda _: _sleep(20),
        'health': health,
        'end_to_end': lambda _: _sleep(1e9),
        'chaos': lambda _: _sleep(60),
    }
    ran = Ran(text, tasks)
    assert (ran.ending, ran.phases, ran.seconds) == ('passed', ['complete'] * 4, 95)


def test_a_journal_that_cannot_be_written_ends_the_test_with_its_error() -> None:
    def full(_: progress.Event) -> None:
        raise OSError('no space left')

    async def body(*_: object) -> bool:
        return await _sleep(10)

    running = runner.run(_test('{do: a}'), body, policy=progress.Policy(), said=full)
    with pytest.raises(ExceptionGroup, match='unhandled') as error:
        _on_virtual_clock(running)
    assert error.group_contains(OSError, match='no space left')


def test_what_happens_after_the_end_changes_nothing() -> None:
    state = Ran('{do: a}').state
    assert rules.transition(state, progress.StateSet('a', 'running')) == (state, ())


_CONDITIONS = st.sampled_from(
    ['', 'after: a', 'while: b', 'when: c', 'until: a', 'until: b', 'on: "rule.*"', 'periodic: 2']
)


@given(st.lists(st.sets(_CONDITIONS, max_size=3), min_size=1, max_size=4), st.data())
def test_every_test_ends_and_leaves_nothing_running(
    conditions: list[set[str]], data: st.DataObject
) -> None:
    lines: list[str] = []
    for name, chosen in zip('abcd', conditions, strict=False):
        keys = {said.partition(':')[0]: said for said in chosen if said}
        lines.append('{' + ', '.join([f'do: {name}', *keys.values()]) + '}')
    paces = {name: data.draw(st.sampled_from([0, 1, 5])) for name in 'abcd'}
    fails = data.draw(st.sampled_from(['', 'a', 'b']))

    def task(name: str) -> Callable[[runner.Doings], Awaitable[object]]:
        async def go(_: runner.Doings) -> bool:
            await asyncio.sleep(paces[name])
            return name != fails

        return go

    ran = Ran('\n'.join(lines), {name: task(name) for name in 'abcd'}, deadline=500)
    assert ran.state.finished
    assert set(ran.phases) <= progress.OVER
    assert ('failed' in ran.phases) == (ran.ending == 'failed') or ran.seconds == 500
