"""How a run begins: what is wished for, what is seen, and whether it goes on with an upgrade that was begun."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from lifecycle import look, preflight, progress, upgrade_lock
from lifecycle import plan as plan_
from lifecycle import record as record_
from lifecycle.observed import Application, Observed
from lifecycle.problem import ProblemError
from lifecycle.step import Target
from lifecycle.world import World


@dataclasses.dataclass(frozen=True, kw_only=True)
class UpgradeRequest:
    """What is asked of a run."""

    target: Target
    chosen: tuple[str, ...] = ()
    ways: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The ways that the user chose, by application."""
    later: bool = False
    """After another target that is not reached yet: only to be shown."""
    begun: bool = False
    """Of those alone that were begun."""
    until: str = ''
    """The id of a step after which to stop."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Survey:
    """What a run knows at its beginning."""

    declarations: look.Declarations
    seen: Observed
    plan: plan_.Plan
    findings: tuple[preflight.Finding, ...]


def survey(world: World, wish: UpgradeRequest) -> Survey:
    """What a run would do now, and what stands in the way; nothing is changed.

    Raises:
        ProblemError: there can be no plan; says why.
        WorldError: Juju does not answer.
    """
    record = upgrade_lock.read(world)
    status = world.status()
    # What another upgrade left unfinished must be seen, too.
    begun_only = wish.begun or wish.target.back
    looked = {*wish.chosen, *record.started} if wish.chosen or begun_only else ()
    # Of all where something is begun: what stands beneath it, too.
    declarations = look.declarations(world, status, looked if begun_only else ())
    origins = bool(wish.target.origin or record.origin)
    seen = look.observe(world, declarations, record, looked, status, origins=origins)
    now = int(world.now())
    begun = _fresh(wish.target, now) if wish.later else _begun(seen, wish.target, now)
    begun = dataclasses.replace(begun, ways={**begun.ways, **_fitting(seen, begun, wish)})
    seen = dataclasses.replace(seen, record=begun)
    plan = plan_.plan(seen, wish.target, _scope(seen, wish))
    return Survey(
        declarations=declarations,
        seen=seen,
        plan=plan,
        findings=preflight.findings(seen, plan, look.checks(world, seen, plan)),
    )


def _scope(seen: Observed, wish: UpgradeRequest) -> Sequence[str]:
    if wish.chosen or not (wish.target.back or wish.begun):
        return wish.chosen
    return tuple(app for app in seen.record.started if app in seen.applications)


def _fitting(seen: Observed, record: record_.Record, wish: UpgradeRequest) -> Mapping[str, str]:
    """The ways that the user chose.

    Raises:
        ProblemError: one is not the application's, or it goes another one already.
    """
    for name, way in wish.ways.items():
        app = seen.applications.get(name)
        if app is None or way not in app.declaration.ways:
            can = ', '.join(app.declaration.ways) if app else 'it is not in the model'
            raise ProblemError(f'--way {name}={way}: the ways of {name} are: {can}')
        if name in record.started and record.ways.get(name, app.declaration.way) != way:
            raise ProblemError(
                f'--way {name}={way}: {name} was begun in another way; it goes on in that'
            )
    return wish.ways


def _begun(seen: Observed, target: Target, now: int) -> record_.Record:
    """The record with which a run to *target* goes on, or begins.

    Raises:
        ProblemError: another upgrade is under way, or there is no way back.
    """
    record = seen.record
    there = target_of(record)
    if same(target, there) or (target.back and record.back):
        return record
    if target.back:
        return _turned(seen, now)
    started = [app for app in record.started if app in seen.applications]
    unfinished = plan_.plan(seen, there, started).next if started else None
    if unfinished is not None:
        what = 'a rollback' if record.back else f'an upgrade to {there}'
        raise ProblemError(
            f'{what} is under way, and {unfinished.id} comes next: end it first ({there.command})'
        )
    # What was accepted before anything was begun is meant for this.
    begun = dataclasses.replace(_fresh(target, now), holder=record.holder)
    return begun if not record.empty else dataclasses.replace(begun, skips=record.skips)


def _fresh(target: Target, now: int) -> record_.Record:
    return record_.Record(
        base=target.base,
        origin=target.origin,
        charms=target.charms,
        digest=target.digest,
        began=now,
    )


def target_of(record: record_.Record) -> Target:
    """Where the upgrade that *record* is of goes."""
    return Target(
        base=record.base,
        origin=record.origin,
        charms=record.charms,
        digest=record.digest,
        back=record.back,
    )


def same(one: Target, other: Target) -> bool:
    """Whether both are one target: charms are, wherever they lie."""
    bare = dataclasses.replace(one, charms='', paths={})
    return bare == dataclasses.replace(other, charms='', paths={})


def _turned(seen: Observed, now: int) -> record_.Record:
    record = seen.record
    if not record.started:
        raise ProblemError('nothing was begun in this model: there is nothing to roll back')
    if record.digest:
        raise ProblemError(
            'charms were refreshed: there is no rollback from that; --charms with a folder of the former ones is an '
            'upgrade like any other'
        )
    upgraded = sorted(
        one.unit
        for ran in record.ran.values()
        for one in ran
        if one.verb in ('begin upgrade', 'upgrade')
    )
    if upgraded:
        raise ProblemError(
            f'{upgraded[0]} has packages of {record.origin} in place of its former ones, and packages do not go back: '
            'go forward, or replace it by a unit that is made by hand'
        )
    contracted = sorted(app for app in record.started if record.has_begun(app, 'contract'))
    if contracted:
        raise ProblemError(
            f'{contracted[0]}: its database was contracted for {record.base or record.origin}, so the former release '
            'cannot use it any more: go forward, or restore a backup'
        )
    switched = sorted(
        app
        for app in record.started
        # One that is skipped was done by hand, as far as anybody knows.
        if record.has_begun(app, 'switch') or f'{app}.switch' in record.skips
    )
    if switched:
        raise ProblemError(
            f'{switched[0]}: its former units were told to hand over what they hold to those on {record.base}, and '
            'what these have written since goes back by no replication: go forward, or restore a backup'
        )
    started = {
        name: dataclasses.replace(
            one,
            old=_goes_back(seen.applications[name], one, record),
        )
        for name, one in record.started.items()
        if name in seen.applications
    }
    return record_.Record(
        base=record.base,
        origin=record.origin,
        ways=record.ways,
        back=True,
        began=now,
        holder=record.holder,
        started=started,
        lost=record.lost,
    )


def _goes_back(
    app: Application, started: record_.Started, record: record_.Record
) -> tuple[str, ...]:
    """Names of the units that must go: those that are not as all were."""
    if record.origin:
        return tuple(unit.name for unit in app.units if unit.name not in started.old)
    return tuple(unit.name for unit in progress.progress_of(app, record_.EMPTY, started.base).old)
