"""How a test goes on: (state, what happened) -> (state, what to do). Pure.

A rule waits for its conditions, runs, perhaps pauses and runs again, and is over. Nothing is
polled: each change of a state and each event is one happening, and wakes whom it concerns.
Semantics: juju-solutions/matrix 0.10, with the changes that `progress.Policy` names.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Sequence

from matrix.engine import progress
from matrix.grammar import catalogue, located, suite
from matrix.judge import verdict


def begin(test: suite.Test, policy: progress.Policy) -> progress.State:
    """A test of which nothing has happened yet."""
    return progress.State(test, policy, tuple(progress.RuleProgress() for _ in test.rules))


def transition(
    state: progress.State, happening: progress.Happening
) -> tuple[progress.State, tuple[progress.Order, ...]]:
    """The next state, and what to carry out, in this order.

    What a task says after its test is over changes nothing.
    """
    if state.finished:
        return state, ()
    step = _Step(state)
    step.take(happening)
    step.settle()
    return step.result(), tuple(step.orders)


def waits(state: progress.State) -> tuple[str, ...]:
    """Why each rule that is not over does not go on, one sentence each."""
    board = dict(state.board)
    found: list[str] = []
    for rule, run in zip(state.test.rules, state.runs, strict=True):
        if run.phase == 'waiting':
            found.append(f'{rule.where}: {rule.task} waits for {_missing(rule, board)}')
        elif run.phase == 'listening':
            found.append(f'{rule.where}: {rule.task} waits for an event {rule.on!r}')
        elif run.phase not in progress.OVER:
            end = suite.ending(rule)
            until = '' if end is None else f', until {end.state} is {" or ".join(end.values)}'
            now = '' if end is None else f' (now {board.get(end.state, "never set")})'
            found.append(f'{rule.where}: {rule.task} is {run.phase}{until}{now}')
    return tuple(found)


def ending(state: progress.State) -> verdict.Ending:
    """How a finished test ended, the worst first."""
    phases = [run.phase for run in state.runs]
    if state.failing and 'broken' not in phases:
        return 'failed'
    if any(
        run.phase == 'failed' and suite.gates(rule.gating, ha=state.policy.ha)
        for rule, run in zip(state.test.rules, state.runs, strict=True)
    ):
        return 'failed'
    if 'broken' in phases:
        return 'infrastructure'
    return 'unknown' if 'stuck' in phases or not state.finished else 'passed'


def _missing(rule: suite.RuleSpec, board: dict[str, str]) -> str:
    unmet = [one for one in suite.entry(rule) if board.get(one.state) not in one.values]
    return ' and '.join(f'{one} (now {board.get(one.state, "never set")})' for one in unmet)


def _holds(condition: suite.Condition | None, board: dict[str, str]) -> bool:
    return condition is not None and board.get(condition.state) in condition.values


class _Step:
    """One transition in the making."""

    def __init__(self, state: progress.State):
        self.state = state
        self.rules = state.test.rules
        self.runs = list(state.runs)
        self.board = dict(state.board)
        self.failing = state.failing
        self.finished = False
        self.orders: list[progress.Order] = []

    def result(self) -> progress.State:
        return dataclasses.replace(
            self.state,
            runs=tuple(self.runs),
            board=tuple(self.board.items()),
            failing=self.failing,
            finished=self.finished,
        )

    def take(self, happening: progress.Happening) -> None:
        match happening:
            case progress.Begin():
                self.publish('test.start', self.state.test.name)
            case progress.StateSet(name, value, origin):
                self.set_state(name, value, origin)
            case progress.Occurred(event):
                self.publish(event.kind, event.payload, event.origin)
            case progress.Ended():
                self.ended(happening)
            case progress.Elapsed(rule) if self.runs[rule].phase == 'paused':
                self.start(rule)
            case progress.Elapsed():
                pass
            case progress.Overdue(seconds):
                self.overdue(seconds)

    def settle(self) -> None:
        while self.advance():
            pass
        if all(run.phase in progress.OVER for run in self.runs):
            self.finished = True
            self.publish('test.complete', self.state.test.name)
            self.orders.append(progress.Finish())

    def advance(self) -> bool:
        """Whether a rule could move."""
        return any([self.consider(index) for index in range(len(self.rules))]) or self.give_up()

    def consider(self, index: int) -> bool:
        rule, run = self.rules[index], self.runs[index]
        done = _holds(suite.ending(rule), self.board)
        if run.phase == 'waiting':
            if done and not self.state.policy.strict_compat:
                self.over(index, 'skipped', f'until {rule.until} held before it could start')
                return True
            if all(_holds(condition, self.board) for condition in suite.entry(rule)):
                self.runs[index] = dataclasses.replace(run, once=done)
                self.enter(index)
                return True
        elif done and not run.once and run.phase in {'running', 'paused', 'listening'}:
            self.stop(index)
            return True
        return False

    def give_up(self) -> bool:
        """End what nothing can wake any more: no task runs, and no pause will end."""
        if any(run.phase in progress.BUSY or run.phase == 'paused' for run in self.runs):
            return False
        for index, run in enumerate(self.runs):
            if run.phase == 'listening' and self.rules[index].until is None:
                self.over(index, 'complete', '')
                return True  # Its state is complete now, which another rule may wait for.
        waiting = [i for i, run in enumerate(self.runs) if run.phase == 'waiting']
        for index in waiting:
            missing = _missing(self.rules[index], self.board)
            self.over(index, 'stuck', f'nothing is left that could bring {missing}')
        listening = [i for i, run in enumerate(self.runs) if run.phase == 'listening']
        for index in listening:
            end = suite.ending(self.rules[index])
            self.over(index, 'stuck', f'nothing is left that could bring {end}')
        return bool(waiting or listening)

    def enter(self, index: int) -> None:
        self.publish('rule.create', self.rules[index].task, index)
        if self.rules[index].on is None:
            self.start(index)
        else:
            self.phase(index, 'listening')

    def start(self, index: int, event: progress.BusEvent | None = None) -> None:
        run = self.runs[index]
        self.phase(index, 'running')
        self.runs[index] = dataclasses.replace(self.runs[index], times=run.times + 1)
        self.orders.append(progress.Start(index, event))

    def stop(self, index: int) -> None:
        if self.runs[index].phase == 'running':
            self.phase(index, 'stopping')
            self.orders.append(progress.Cancel(index))
            return
        if self.runs[index].phase == 'paused':
            self.orders.append(progress.Wake(index))
        self.over(index, 'complete', '')

    def ended(self, said: progress.Ended) -> None:
        index, phase = said.rule, self.runs[said.rule].phase
        if said.how == 'failed':
            self.over(index, 'failed', said.message)
            if suite.gates(self.rules[index].gating, ha=self.state.policy.ha):
                self.abort()
        elif said.how == 'broken' or (said.how == 'cancelled' and phase == 'running'):
            self.over(index, 'broken', said.message or 'the task cancelled itself')
            self.abort()
        elif phase == 'running':
            self.returned(index)
        else:
            self.over(index, 'complete' if phase == 'stopping' else 'cancelled', '')

    def returned(self, index: int) -> None:
        rule, run = self.rules[index], self.runs[index]
        task = catalogue.TASKS.get(rule.task, catalogue.Task())
        if task.perpetual and not self.state.policy.strict_compat:
            self.ended(
                progress.Ended(
                    index, 'failed', 'it ended by itself, and should go on until it is stopped'
                )
            )
        elif rule.on is not None and run.queue:
            self.runs[index] = dataclasses.replace(run, queue=run.queue[1:])
            self.start(index, run.queue[0])
        elif rule.on is not None:
            self.phase(index, 'listening')
        elif rule.periodic is not None and rule.until is not None and not run.once:
            self.phase(index, 'paused')
            self.orders.append(progress.Pause(index, rule.periodic))
        else:
            self.over(index, 'complete', '')

    def abort(self) -> None:
        if self.failing:
            return
        self.failing = True
        if not self.state.policy.strict_compat:
            self.cancel_all()

    def cancel_all(self) -> None:
        for index, run in enumerate(self.runs):
            if run.phase == 'running':
                self.orders.append(progress.Cancel(index))
            if run.phase in {'running', 'stopping'}:
                self.phase(index, 'aborting')
            elif run.phase not in progress.OVER and run.phase != 'aborting':
                if run.phase == 'paused':
                    self.orders.append(progress.Wake(index))
                self.over(index, 'cancelled', 'the test had failed')

    def overdue(self, seconds: float) -> None:
        reasons = '; '.join(waits(self.result()))
        self.failing = True
        self.publish('test.overdue', f'not over after {seconds:g} s: {reasons}')
        self.cancel_all()

    def hear(self, event: progress.BusEvent) -> None:
        for index, rule in enumerate(self.rules):
            run = self.runs[index]
            # A rule that woke itself by what it does would never end.
            if (
                rule.on is None
                or event.origin == index
                or not fnmatch.fnmatchcase(event.kind, rule.on)
            ):
                continue
            if run.phase == 'listening':
                self.start(index, event)
            elif run.phase == 'running':
                self.runs[index] = dataclasses.replace(run, queue=(*run.queue, event))

    def over(self, index: int, phase: progress.Phase, message: str) -> None:
        self.runs[index] = dataclasses.replace(self.runs[index], message=message)
        self.phase(index, phase)
        self.publish(
            'rule.done',
            {
                'task': self.rules[index].task,
                'phase': phase,
                'message': message,
                'gates': suite.gates(self.rules[index].gating, ha=self.state.policy.ha),
            },
            index,
        )

    def phase(self, index: int, phase: progress.Phase) -> None:
        self.runs[index] = dataclasses.replace(self.runs[index], phase=phase)
        name = self.rules[index].state
        shared = [
            run.phase
            for run, rule in zip(self.runs, self.rules, strict=True)
            if rule.state == name
        ]
        self.set_state(name, _level(shared), index)

    def set_state(self, name: str, value: str | None, origin: int | None = None) -> None:
        if value is not None and self.board.get(name) != value:
            self.board[name] = value
            self.publish('state.change', {'name': name, 'value': value}, origin)

    def publish(self, kind: str, payload: located.Plain, origin: int | None = None) -> None:
        event = progress.BusEvent(kind, payload, origin)
        self.orders.append(progress.Publish(event))
        self.hear(event)


def _level(phases: Sequence[str]) -> str | None:
    """The state of a name from all rules that share it: complete only when none of them is at work."""
    if any(phase in progress.BUSY for phase in phases):
        return suite.RUNNING
    if any(phase in {'paused', 'listening'} for phase in phases):
        return suite.PAUSED
    # A stuck or cancelled rule did not do what others may wait for.
    ended = any(phase in {'complete', 'failed', 'skipped'} for phase in phases)
    return suite.COMPLETE if ended else None
