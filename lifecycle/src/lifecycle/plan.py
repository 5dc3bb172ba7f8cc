"""The plan: every step from what is seen to the target, in order, each with its state. Pure.

A run that was killed and begun again makes the same plan, less what is done.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from lifecycle import done, order
from lifecycle import record as record_
from lifecycle.observed import Application, Observed
from lifecycle.problem import ProblemError
from lifecycle.step import NEW, Step, Target, Verb


@dataclasses.dataclass(frozen=True, kw_only=True)
class Left:
    """An application that is not moved, and why."""

    application: str
    why: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done."""

    target: Target
    steps: tuple[Step, ...]
    left: tuple[Left, ...] = ()

    @property
    def next(self) -> Step | None:
        """The step that comes next; None when all is done."""
        return next((step for step in self.steps if step.state == 'next'), None)

    @property
    def applications(self) -> tuple[str, ...]:
        """Those that it moves, in order."""
        return tuple(dict.fromkeys(step.application for step in self.steps))


def plan(seen: Observed, target: Target, chosen: Sequence[str] = ()) -> Plan:
    """The way from what is *seen* to *target*, of the *chosen* applications or of all.

    Raises:
        ProblemError: an application is not there, or the charms' order is a circle.
    """
    unknown = [name for name in chosen if name not in seen.applications]
    if unknown:
        raise ProblemError(
            f'{unknown[0]} is no application of this model; there are {", ".join(seen.applications)}'
        )
    steps: list[Step] = []
    left: list[Left] = []
    for app in _in_order(seen, target):
        if chosen and app.name not in chosen:
            continue
        base = base_for(app, seen.record, target)
        why = _stays(app, seen.record, base)
        if why:
            left.append(Left(application=app.name, why=why))
        else:
            steps += _replaced(
                done.standing(app, seen.record, base), seen.record, back=target.back
            )
    return Plan(target=target, steps=tuple(_in_turn(steps)), left=tuple(left))


def _in_order(seen: Observed, target: Target) -> Iterable[Application]:
    found = order.ordered(seen.applications.values())
    return reversed(found) if target.back else found


def base_for(app: Application, record: record_.Record, target: Target) -> str:
    """The base that *app* is to have; empty for one that is not to be moved."""
    if not target.back:
        return target.base
    started = record.started.get(app.name)
    return started.base if started else ''


def _stays(app: Application, record: record_.Record, base: str) -> str:
    """Why *app* is not moved; empty when it is."""
    declaration = app.declaration
    if not base:
        return 'was not moved'
    if app.subordinate:
        return 'is a subordinate: it goes where its principals go'
    if app.unread:
        return f'its declaration could not be read: {app.unread}'
    if not app.units:
        return 'has no units'
    if app.name not in record.started and {unit.base for unit in app.units} == {base}:
        return f'is on {base}'
    if declaration.way != 'replace':
        return f'its way is {declaration.way}, which juju-lifecycle does not carry out yet'
    if app.stored and not declaration.written:
        return 'has storage, and its charm has no lifecycle.yaml that says how it is moved'
    return ''


def _replaced(seen: done.Standing, record: record_.Record, *, back: bool) -> Iterator[Step]:
    """Unit after unit by a new one: nothing goes before its replacement serves."""
    for step in _replace(seen, back=back):
        reason = record.skips.get(step.id)
        if done.done(step, seen):
            yield dataclasses.replace(step, state='done')
        elif reason is not None:
            yield dataclasses.replace(step, state='skipped', note=reason)
        else:
            yield dataclasses.replace(step, note=done.held(step, seen))


def _replace(seen: done.Standing, *, back: bool) -> Iterator[Step]:
    app, actions = seen.application.name, seen.application.declaration.actions
    once = dict(actions) if not back else dict[str, str]()
    old = (*seen.gone, *(unit.name for unit in seen.old))

    def step(verb: Verb, part: object = '', **more: object) -> Step:
        known = Step(
            id=f'{app}.{verb}{f".{part}" if part != "" else ""}', application=app, verb=verb
        )
        return dataclasses.replace(known, base=seen.base, **more)  # pyright: ignore[reportArgumentType]

    def action(verb: Verb, unit: str, why: str, name: str) -> Step:
        part = unit.rpartition('/')[2] if verb == 'drain' else ''
        return step(verb, part, unit=unit, action=name, command=f'juju run {unit} {name}', why=why)

    yield step(
        'base',
        command=f'juju set-application-base {app} {seen.base}',
        why='units that are added from now on have this base; those there are stay as they are',
    )
    founder = seen.founder.name if seen.founder else f'{app}/{NEW}'
    for turn, unit in enumerate(old, 1):
        number = turn + seen.before
        if turn <= len(seen.started.old):
            yield step(
                'add',
                turn,
                number=number,
                command=f'juju add-unit {app}',
                why=f'to stand in for {unit}',
            )
            if turn == 1 and 'expand' in once:
                why = 'the database gets what the new units need, and keeps what the old ones do'
                yield action('expand', founder, why, once['expand'])
            yield step('admit', turn, number=number, why=_admitted(seen.application))
        part = unit.rpartition('/')[2]
        if 'drain' in actions:
            why = f'no more requests for {unit}; those under way end'
            yield action('drain', unit, why, actions['drain'])
        command = f'juju remove-unit --no-prompt {unit}'
        yield step('remove', part, unit=unit, command=command, why='its replacement serves')
    why = {
        'online': 'data are brought into their new form, while clients are served',
        'contract': 'what only the former release needed leaves the database; there is no way back after it',
    }
    for verb in ('online', 'contract'):
        if verb in once:
            yield action(verb, f'{app}/leader', why[verb], once[verb])


def _admitted(app: Application) -> str:
    if app.balancers:
        return f'wait until it is active and {" and ".join(app.balancers)} send it requests'
    return 'wait until it is active; there is no load balancer that could say that it sends it requests'


def _in_turn(steps: Iterable[Step]) -> Iterator[Step]:
    """The first that is not done is next."""
    found = False
    for step in steps:
        if not found and step.state == 'waiting':
            found = True
            yield dataclasses.replace(step, state='next')
        else:
            yield step
