"""The engine: rules start, repeat, stop and fail as their test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from enginestage import Ran, Tasks, on_virtual_clock, rules_test, sleep
from hypothesis import given
from hypothesis import strategies as st

from matrix import model
from matrix.engine import progress, rules, runner
from matrix.grammar import suite
from matrix.judge import verdict


def test_rules_without_conditions_start_at_once_and_together() -> None:
    ran = Ran('{do: a}\n{do: b}', {'a': lambda _: sleep(5), 'b': lambda _: sleep(5)})
    assert (ran.ending, ran.seconds) == ('passed', 5)


def test_after_waits_until_the_other_is_complete() -> None:
    ran = Ran('{do: a}\n{do: b, after: a}', {'a': lambda _: sleep(5), 'b': lambda _: sleep(5)})
    assert (ran.ending, ran.seconds) == ('passed', 10)


def test_while_lets_a_rule_start_only_as_long_as_the_other_is_at_work() -> None:
    ran = Ran('{do: a}\n{do: b, while: a}', {'a': lambda _: sleep(5), 'b': lambda _: sleep(5)})
    assert (ran.ending, ran.seconds) == ('passed', 5)


def test_a_rule_that_missed_its_while_makes_the_test_unknown() -> None:
    ran = Ran('{do: a}\n{do: b, after: a, while: a}')
    assert (ran.ending, ran.phases) == ('unknown', ['complete', 'stuck'])
    assert 'a to be running or paused (now complete)' in ran.state.runs[1].message


def test_periodic_with_until_repeats_until_it_holds() -> None:
    ran = Ran('{do: a}\n{do: b, periodic: 3, until: a}', {'a': lambda _: sleep(10)})
    assert ran.calls.count('b') == 4
    assert (ran.ending, ran.seconds) == ('passed', 10)


@pytest.mark.parametrize('rule', ['{do: b, periodic: 3}', '{do: b, until: a}'])
def test_periodic_or_until_alone_runs_once(rule: str) -> None:
    ran = Ran('{do: a}\n' + rule, {'a': lambda _: sleep(10)})
    assert ran.calls.count('b') == 1


def test_until_cancels_what_runs_and_counts_it_as_done() -> None:
    ran = Ran('{do: a}\n{do: b, until: a}', {'a': lambda _: sleep(4), 'b': lambda _: sleep(99)})
    assert (ran.phases, ran.seconds) == (['complete', 'complete'], 4)


def test_a_state_that_holds_for_no_time_at_all_is_still_seen() -> None:
    async def flicker(doings: runner.RuleActions) -> bool:
        doings.set_state('health.status', 'healthy')
        doings.set_state('health.status', 'busy')
        return True

    ran = Ran('{do: flicker}\n{do: b, after: health.status.healthy}', {'flicker': flicker})
    assert ran.ending == 'passed'


def test_strict_compat_runs_once_what_would_be_skipped() -> None:
    ran = Ran('{do: a}\n{do: b, after: a, until: a}', strict=True)
    assert ran.calls == ['a', 'b']


def test_on_without_until_listens_until_the_others_are_done() -> None:
    ran = Ran('{do: a}\n{do: log, on: rule.done}\n{do: b, after: a}')
    assert ran.calls.count('log') == 2
    assert ran.ending == 'passed'


def test_a_rule_hears_what_no_rule_sent() -> None:
    heard: list[object] = []

    async def body(
        rule: suite.RuleSpec, event: progress.BusEvent | None, _: runner.RuleActions
    ) -> object:
        heard.append((rule.state, None if event is None else event.payload))
        return await sleep(1)

    def ready(send: runner.OnBusEvent) -> None:
        asyncio.get_running_loop().call_soon(send, progress.BusEvent('model.change', 'm'))

    test = rules_test('{do: a}\n{do: b, on: model.*}')
    running = runner.run(test, body, policy=progress.Policy(), said=lambda _: None, ready=ready)
    state, _ = on_virtual_clock(running)
    assert rules.ending(state) == 'passed'
    assert heard == [('a', None), ('b', 'm')]


def test_a_rule_does_not_hear_itself() -> None:
    async def shout(doings: runner.RuleActions) -> bool:
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
    async def bad(_: runner.RuleActions) -> bool:
        raise model.TestFailure(None, 'no')

    ran = Ran(f'{{do: bad, gating: {gating}}}', {'bad': bad}, ha=ha)
    assert (ran.ending, ran.phases) == (ending, ['failed'])


def test_strict_compat_lets_the_others_end_by_themselves() -> None:
    async def bad(_: runner.RuleActions) -> bool:
        return False

    ran = Ran('{do: a}\n{do: bad}', {'a': lambda _: sleep(50), 'bad': bad}, strict=True)
    assert (ran.phases, ran.ending) == (['complete', 'failed'], 'failed')


@pytest.mark.parametrize('error', [model.InfraFailure('gone'), KeyError('x')])
def test_any_other_exception_breaks_the_run_whatever_its_gating(error: Exception) -> None:
    async def bad(_: runner.RuleActions) -> bool:
        raise error

    ran = Ran('{do: bad, gating: false}', {'bad': bad})
    assert ran.ending == 'infrastructure'


def test_a_task_that_cancels_itself_has_not_passed() -> None:
    async def bad(_: runner.RuleActions) -> bool:
        raise asyncio.CancelledError

    assert Ran('{do: bad}', {'bad': bad}).ending == 'infrastructure'


def test_a_load_that_is_stopped_has_done_well() -> None:
    text = '{do: chaos}\n{do: matrix.tasks.end_to_end, until: chaos}'
    tasks: Tasks = {'chaos': lambda _: sleep(9), 'end_to_end': lambda _: sleep(1000)}
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


def test_the_default_suite_runs_its_course() -> None:
    async def health(doings: runner.RuleActions) -> bool:
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
        'deploy': lambda _: sleep(20),
        'health': health,
        'end_to_end': lambda _: sleep(1e9),
        'chaos': lambda _: sleep(60),
    }
    ran = Ran(text, tasks)
    assert (ran.ending, ran.phases, ran.seconds) == ('passed', ['complete'] * 4, 95)


def test_a_journal_that_cannot_be_written_ends_the_test_with_its_error() -> None:
    def full(_: progress.BusEvent) -> None:
        raise OSError('no space left')

    async def body(*_: object) -> bool:
        return await sleep(10)

    running = runner.run(rules_test('{do: a}'), body, policy=progress.Policy(), said=full)
    with pytest.raises(ExceptionGroup, match='unhandled') as error:
        on_virtual_clock(running)
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

    def task(name: str) -> Callable[[runner.RuleActions], Awaitable[object]]:
        async def go(_: runner.RuleActions) -> bool:
            await asyncio.sleep(paces[name])
            return name != fails

        return go

    ran = Ran('\n'.join(lines), {name: task(name) for name in 'abcd'}, deadline=500)
    assert ran.state.finished
    assert set(ran.phases) <= progress.OVER
    assert ('failed' in ran.phases) == (ran.ending == 'failed') or ran.seconds == 500
