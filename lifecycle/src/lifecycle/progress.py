"""How far an application has come, and whether a step is done: both are seen, not remembered. Pure."""

from __future__ import annotations

import dataclasses

from lifecycle import record as record_
from lifecycle.observed import Application, Unit
from lifecycle.step import Step


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """How far one application has come on its way to a base."""

    application: Application
    record: record_.Record
    base: str
    """The base that it goes to; empty: it keeps its own."""
    started: record_.Started
    """As it was before it was touched, or as it is now."""
    old: tuple[Unit, ...]
    """Units that have to go, in that order: what is draining already, then the others, the leader last."""
    new: tuple[Unit, ...]
    """Units on the target, by number."""

    @property
    def gone(self) -> tuple[str, ...]:
        """Names of units that have gone, by number."""
        there = {unit.name for unit in self.application.units}
        return tuple(sorted((u for u in self.started.old if u not in there), key=_number))

    @property
    def before(self) -> int:
        """How many units were on the target before it was touched."""
        return self.started.units - len(self.started.old)

    @property
    def ready(self) -> frozenset[str]:
        """Names of the units that serve and are admitted."""
        return frozenset(unit.name for unit in self.application.units if unit.ready)

    @property
    def shrinks(self) -> bool:
        """Whether it is moved as fewer units than it has."""
        declared, name = self.application.declaration, self.application.name
        way = self.record.ways.get(name, declared.way)
        fits = not declared.own_units or self.started.units <= declared.own_units
        return way == 'own' and bool(declared.own_shrinks) and not fits

    def least(self, step: Step) -> int:
        """How many units must be ready beside the one that *step* takes out.

        All that there were, or as many as its own way moves; where units are upgraded in place, one fewer, and one at
        least unless that was accepted.
        """
        if self.shrinks:
            return self.application.declaration.own_units
        if not step.in_place:
            return self.started.units
        alone = f'{step.application}.alone' in self.record.skips
        return max(self.started.units - 1, 0 if alone else 1)

    @property
    def founder(self) -> Unit | None:
        """The first unit on the target: it migrates the database."""
        return self.new[0] if self.new else None


def progress_of(application: Application, record: record_.Record, base: str) -> Progress:
    """How far *application* has come on its way to *base*, or to another archive where that is empty."""
    known = record.started.get(application.name)
    old = tuple(unit for unit in application.units if _is_old(unit, base, known, record))
    started = known or record_.Started(
        base=_former(application, old),
        units=len(application.units),
        old=tuple(unit.name for unit in old),
        origin=application.origin,
    )
    names = {unit.name for unit in old}
    return Progress(
        application=application,
        record=record,
        base=base,
        started=started,
        old=tuple(sorted(old, key=_goes)),
        new=tuple(unit for unit in application.units if unit.name not in names),
    )


def _is_old(unit: Unit, base: str, known: record_.Started | None, record: record_.Record) -> bool:
    if not base:
        app = unit.name.partition('/')[0]
        return (known is None or unit.name in known.old) and not record.has_run(
            app, 'upgrade', unit.name
        )
    if unit.base:
        return unit.base != base
    # A unit without a machine as yet was added by us, unless it was there before.
    return known is None or unit.name in known.old


def _former(application: Application, old: tuple[Unit, ...]) -> str:
    return next((unit.base for unit in old if unit.base), application.base)


def _goes(unit: Unit) -> tuple[bool, bool, int]:
    leaving = unit.drained or unit.admission.state == 'draining'
    return not leaving, unit.leader, unit.number


def _number(unit: str) -> int:
    return int(unit.rpartition('/')[2])


def done(step: Step, seen: Progress) -> bool:
    """Whether *step* is done."""
    match step.verb:
        case 'base' | 'origin':
            there = seen.application
            return there.base == step.base if step.verb == 'base' else there.origin == step.origin
        case 'add':
            return len(seen.new) >= step.number
        case 'admit':
            return sum(unit.name in seen.ready for unit in seen.new) >= step.number
        case 'drain':
            return all(unit.drained for unit in seen.old if unit.name == step.unit)
        case 'resume':
            return step.unit in seen.ready and all(unit.name != step.unit for unit in seen.old)
        case 'remove':
            return all(unit.name != step.unit for unit in seen.application.units)
        case 'upgrade':
            return seen.record.has_run(step.application, step.verb, step.unit)
        case 'settle' | 'healthy':
            return _well(step, seen)
        case 'rehearse' | 'expand' | 'online' | 'contract' | 'refresh' | 'switch':
            # What was done is not rehearsed any more.
            either = (step.verb, 'expand') if step.verb == 'rehearse' else (step.verb,)
            return any(seen.record.has_run(step.application, verb) for verb in either)


def _unready(step: Step, seen: Progress) -> str:
    """Why nobody can take over yet."""
    app, least = step.application, seen.least(step)
    ready = sum(unit.name in seen.ready for unit in seen.new)
    if ready < least:
        return f'{app} has {ready} ready units on {step.base}, of {least}'
    return ''


def _too_many(step: Step, seen: Progress) -> str:
    """Why those that are left cannot be moved as one."""
    app, least = step.application, seen.least(step)
    if seen.shrinks and len(seen.old) > least:
        return f'{app} has {len(seen.old)} units on its old base, and is moved as {least}'
    return ''


def _well(step: Step, seen: Progress) -> bool:
    """Whether all units that are left, or have another charm, are well."""
    if step.verb == 'healthy':
        well = all(unit.healthy or unit.dying for unit in seen.application.units)
        return well and seen.record.has_run(step.application, 'refresh')
    well = all(unit.healthy for unit in seen.old) and any(unit.leader for unit in seen.old)
    # Once one is there that follows, they had settled; those that hand over are at work.
    return len(seen.old) <= seen.least(step) and (bool(seen.new) or well)


def held(step: Step, seen: Progress) -> str:
    """Why *step* may not be carried out yet; empty when it may."""
    app = step.application
    if step.verb in ('drain', 'remove'):
        others, least = seen.ready - {step.unit}, seen.least(step)
        if step.unit in seen.ready and len(others) < least:
            return (
                f'{app} has {len(others)} other ready units, and had {seen.started.units} units: '
                f'{step.unit} serves until {least} are ready'
            )
    if step.action:
        unit = next((one for one in seen.application.units if one.name == step.unit), None)
        if unit is not None and unit.failed:  # An action on it would not end.
            return f'{step.unit} is in error: {unit.message or unit.agent}'
    if step.verb in ('rehearse', 'expand'):
        agents = [unit.agent for unit in seen.application.units if unit.name == step.unit]
        if agents != ['idle']:
            return f'{step.unit} is not idle yet'
    if step.verb in ('switch', 'settle'):
        return _too_many(step, seen) or (_unready(step, seen) if step.verb == 'switch' else '')
    if step.verb in ('online', 'contract') and seen.old:
        return f'{seen.old[0].name} is still on {seen.old[0].base or "its old base"}'
    return ''
