"""The plan: every step from what is seen to the target, in order, each with its state. Pure.

A run that was killed and begun again makes the same plan, less what is done.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

from lifecycle import order, progress, ways
from lifecycle import record as record_
from lifecycle.observed import Application, Observed
from lifecycle.problem import ProblemError
from lifecycle.step import ORIGIN, RUN_ONCE, Step, Target


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
        way, why = chosen_way(app, seen.record, target)
        if why:
            left.append(Left(application=app.name, why=why))
            continue
        standing = progress.progress_of(app, seen.record, base_for(app, seen.record, target))
        if target.digest:
            steps += _stated(ways.refresh(standing, target), standing)
            continue
        steps += _stated(_way(way, target)(standing, target), standing)
    return Plan(target=target, steps=tuple(_in_turn(steps)), left=tuple(left))


def _way(way: str, target: Target) -> Callable[[progress.Progress, Target], Iterator[Step]]:
    if way == 'own':
        return ways.own
    return ways.replace if way == 'replace' or target.back else ways.in_place


def _in_order(seen: Observed, target: Target) -> Iterable[Application]:
    found = order.ordered(seen.applications.values())
    return reversed(found) if target.back else found


def base_for(app: Application, record: record_.Record, target: Target) -> str:
    """The base that *app* is to have; empty for one that is to keep its own."""
    if not target.back:
        return target.base
    started = record.started.get(app.name)
    return started.base if started and not record.origin else ''


def chosen_way(app: Application, record: record_.Record, target: Target) -> tuple[str, str]:
    """The way in which *app* is moved, and why it is not."""
    way = record.ways.get(app.name, app.declaration.way)
    if target.digest:
        return way, _without_charm(app, target)
    return way, _stays(app, record, target) or _unfit(app, way, record, target)


def _without_charm(app: Application, target: Target) -> str:
    if not app.units:
        return 'has no units'
    known = not target.paths or app.charm in target.paths  # Else it is not known what lies there.
    return '' if known else f'{target.charms} has no charm {app.charm}'


def _stays(app: Application, record: record_.Record, target: Target) -> str:
    base = base_for(app, record, target)
    if target.back and app.name not in record.started:
        return 'was not moved'
    if app.subordinate:
        return 'is a subordinate: it goes where its principals go'
    if app.unread:
        return f'its declaration could not be read: {app.unread}'
    if not app.units:
        return 'has no units'
    begun = app.name in record.started
    if base and not begun and {unit.base for unit in app.units} == {base}:
        return f'is on {base}'
    if not base and app.origin is None:
        return f'its charm has no option {ORIGIN}'
    return ''


def _unfit(app: Application, way: str, record: record_.Record, target: Target) -> str:
    if way not in app.declaration.ways:
        return f'its charm cannot be moved by the way {way}; it can by {", ".join(app.declaration.ways)}'
    if way == 'own':
        return _unfit_for_own(app, record, target)
    if way not in ('replace', 'in-place'):
        return f'its way is {way}'
    if way == 'in-place' and not (target.origin or target.back):
        more = (
            f'; --way {app.name}=replace replaces its units'
            if 'replace' in app.declaration.ways
            else ''
        )
        return f'its way is in-place, and a unit keeps its base as long as it lives{more}'
    if app.stored and not app.declaration.written:
        return 'has storage, and its charm has no lifecycle.yaml that says how it is moved'
    return ''


def _unfit_for_own(app: Application, record: record_.Record, target: Target) -> str:
    why = ''.join(f'; {words}' for words in app.declaration.may_not_mix)
    missing = [one for one in ('switch', 'drain') if one not in app.declaration.actions]
    if missing:
        return f'its way is own, and its charm names no action for {" and ".join(missing)}{why}'
    if target.origin:
        return f'its way is own, to another base; an archive is not its way{why}'
    most, started = app.declaration.own_units, record.started.get(app.name)
    units = started.units if started else len(app.units)
    if most and units > most and not app.declaration.own_shrinks:
        return f'its way is own, by which its charm moves {most} at most, and there are {units} units{why}'
    return ''


def _stated(steps: Iterable[Step], seen: progress.Progress) -> Iterator[Step]:
    for step in steps:
        reason = seen.record.skips.get(step.id)
        if progress.done(step, seen):
            found = seen.record.said(step.application, step.verb) if step.verb in RUN_ONCE else ''
            yield dataclasses.replace(step, state='done', note=found)
        elif reason is not None:
            yield dataclasses.replace(step, state='skipped', note=reason)
        else:
            yield dataclasses.replace(step, note=progress.held(step, seen))


def _in_turn(steps: Iterable[Step]) -> Iterator[Step]:
    """The first that is not done is next."""
    found = False
    for step in steps:
        if not found and step.state == 'waiting':
            found = True
            yield dataclasses.replace(step, state='next')
        else:
            yield step
