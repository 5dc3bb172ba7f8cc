"""What stands in the way of a plan before it is begun: each finding a sentence with its cure. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from lifecycle.observed import Application, Observed
from lifecycle.plan import Plan, base_for


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checks:
    """What was asked beside the status."""

    now: float = 0.0
    """Seconds since the epoch."""
    free: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """Bytes left on the root file system, by unit; one that did not answer is left out."""
    backups: Mapping[str, float | None] = dataclasses.field(
        default_factory=dict[str, float | None]
    )
    """When the action by which a charm takes backups has last ended well (seconds since the epoch), by application."""

    actions: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """That action, by application."""


NONE = Checks()
KINDS = (
    'admission', 'alone', 'backup', 'balancer', 'base', 'bypass', 'company', 'declaration', 'disk', 'drain', 'error',
    'hook', 'left', 'mix', 'mix-needs', 'said', 'shrinks', 'status', 'undeclared',
)  # fmt: skip
"""What stands after the application in the id of a finding."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    id: str
    application: str
    blocking: bool
    """Nothing is begun while it is there, unless it is skipped with a reason."""
    sentence: str
    cure: str
    passes: bool = False
    """It is of the kind that goes by itself soon: a run waits for that."""
    skipped: str = ''
    """Why it is accepted."""


def findings(seen: Observed, plan: Plan, asked: Checks = NONE) -> tuple[Finding, ...]:
    """What stands in the way of *plan*: of the applications that were not begun yet, in its order."""
    found: list[Finding] = []
    for name in plan.applications:
        if name in seen.record.started:
            continue
        app = seen.applications[name]
        base = base_for(app, seen.record, plan.target)
        in_place = any(step.in_place for step in plan.steps if step.application == name)
        found += _of_units(app)
        if plan.target.digest:
            found += _of_disks(app, asked)
            continue
        found += _of_base(seen, app, base)
        if not any(step.verb == 'switch' for step in plan.steps if step.application == name):
            found += _of_balancers(app)  # Else its own way sees to those who use it.
        else:
            found += (*_said_of(app), *_shrinks(app))
        if not plan.target.back:
            found += (*_of_company(app), *_of_bypasses(seen, app), *_of_disks(app, asked))
        if in_place and len(app.units) < 2:
            found.append(_alone(app))
    found += _of_backups(asked)
    for left in plan.left:
        app = seen.applications[left.application]
        if app.unread:
            found.append(_unread(app))
        elif app.name in seen.record.started:
            found.append(_stuck(app, left.why))
    skips = seen.record.skips
    return tuple(dataclasses.replace(one, skipped=skips.get(one.id, '')) for one in found)


def blocking(every: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that keep anything from being begun."""
    return tuple(one for one in every if one.blocking and not one.skipped)


def _unread(app: Application) -> Finding:
    return Finding(
        id=f'{app.name}.declaration',
        application=app.name,
        blocking=True,
        sentence=app.unread,
        cure=f'mend it and run the command again, or name the applications to move without {app.name}',
    )


def _stuck(app: Application, why: str) -> Finding:
    return Finding(
        id=f'{app.name}.left',
        application=app.name,
        blocking=True,
        sentence=f'{app.name} was begun and cannot go on: {why}',
        cure='change that, and the same command goes on',
    )


def _alone(app: Application) -> Finding:
    return Finding(
        id=f'{app.name}.alone',
        application=app.name,
        blocking=True,
        sentence=f'{app.name} has one unit, which would not serve while it is upgraded in place',
        cure=f'juju add-unit {app.name}, and remove it afterwards',
    )


def _of_base(seen: Observed, app: Application, base: str) -> Iterator[Finding]:
    # A subordinate is on each new unit, too.
    members = {
        app.name,
        *(unit.partition('/')[0] for one in app.units for unit in one.subordinates),
    }
    for name in sorted(members):
        one = seen.applications.get(name)
        if one is None:
            continue
        known = one.declaration.releases
        if base and known and base not in known:
            yield Finding(
                id=f'{app.name}.base' if name == app.name else f'{app.name}.base.{name}',
                application=app.name,
                blocking=True,
                sentence=f'the charm of {name} does not support {base}; it supports {", ".join(known)}',
                cure=f'juju refresh {name} to a revision that does, or leave {app.name} out',
            )
        elif not one.declaration.written:
            yield Finding(
                id=f'{app.name}.undeclared.{name}',
                application=app.name,
                blocking=False,
                sentence=f'the charm of {name} has no lifecycle.yaml: whether it supports {base} is not known',
                cure='its units are added and removed one by one; make sure that it supports that',
            )
    for words in app.declaration.may_not_mix:
        yield Finding(
            id=f'{app.name}.mix',
            application=app.name,
            blocking=False,
            sentence=f'{app.name} with units of two bases: {words}',
            cure='read the charm on what that means here',
        )


def _of_units(app: Application) -> Iterator[Finding]:
    for unit in app.units:
        if unit.failed:
            yield Finding(
                id=f'{app.name}.error.{unit.number}',
                application=app.name,
                blocking=True,
                sentence=f'{unit.name} is in error: {unit.message or unit.agent}',
                cure=f'juju resolved {unit.name} once its cause is gone (juju debug-log --include {unit.name})',
            )
        elif unit.agent == 'executing' and 'update-status' not in unit.doing:
            yield Finding(
                id=f'{app.name}.hook.{unit.number}',
                application=app.name,
                blocking=True,
                passes=True,
                sentence=f'{unit.name} is at work: {unit.doing or "a hook is under way"}',
                cure='wait until it is idle',
            )
        elif unit.agent not in ('idle', 'executing') or unit.workload != 'active':
            yield Finding(
                id=f'{app.name}.status.{unit.number}',
                application=app.name,
                blocking=True,
                sentence=f'{unit.name} is {unit.workload} ({unit.message or "no word why"}), its agent {unit.agent}',
                cure='wait until it is active, or mend what it says',
            )
        elif unit.admission.state not in ('admitted', 'unbalanced'):
            yield Finding(
                id=f'{app.name}.admission.{unit.number}',
                application=app.name,
                blocking=True,
                sentence=f'{unit.name} is not in rotation: {unit.admission.why or unit.admission.state}',
                cure='juju run it its action that resumes, or wait until the load balancer sends it requests',
            )


def _of_balancers(app: Application) -> Iterator[Finding]:
    declaration = app.declaration
    if declaration.behind and not app.balancers:
        yield Finding(
            id=f'{app.name}.balancer',
            application=app.name,
            blocking=True,
            sentence=f'{app.name} has no load balancer: none of {", ".join(declaration.behind)} is related',
            cure=f'juju integrate {app.name}:{declaration.behind[0]} LOADBALANCER:backend, or accept that requests '
            'under way are lost',
        )
    elif declaration.behind and any(u.admission.state == 'unbalanced' for u in app.units):
        why = next(u.admission.why for u in app.units if u.admission.state == 'unbalanced')
        yield Finding(
            id=f'{app.name}.balancer',
            application=app.name,
            blocking=True,
            sentence=f'the load balancer of {app.name} does not say whom it sends requests: {why or "no units"}',
            cure='juju refresh it to one that acknowledges drains',
        )
    if 'drain' not in declaration.actions and declaration.written:
        yield Finding(
            id=f'{app.name}.drain',
            application=app.name,
            blocking=False,
            sentence=f'{app.name} has no action that drains a unit: what it has under way when it is removed is lost',
            cure='do it when nobody needs it',
        )


def _said_of(app: Application) -> Iterator[Finding]:
    """What units that are well say of themselves: where a charm moves data, that may be what is to be known before."""
    for unit in app.units:
        if unit.workload == 'active' and unit.message:
            yield Finding(
                id=f'{app.name}.said.{unit.number}',
                application=app.name,
                blocking=False,
                sentence=f'{unit.name} says: {unit.message}',
                cure='know it before its data are moved',
            )


def _shrinks(app: Application) -> Iterator[Finding]:
    """Of more units than its own way moves."""
    declared = app.declaration
    if declared.own_shrinks and len(app.units) > declared.own_units:
        yield Finding(
            id=f'{app.name}.shrinks',
            application=app.name,
            blocking=True,
            sentence=f'{app.name} is moved as {_many(declared.own_units)}: {len(app.units) - declared.own_units} go '
            f'first, and come back on the new base; meanwhile: {declared.own_shrinks}',
            cure='have a backup elsewhere, choose a time when few use it, and accept this',
        )


def _of_company(app: Application) -> Iterator[Finding]:
    ready = sum(unit.ready for unit in app.units)
    if len(app.units) == 1 or (app.units and ready < 2):
        yield Finding(
            id=f'{app.name}.company',
            application=app.name,
            blocking=False,
            sentence=f'{app.name} has {_many(ready)} ready: should that fail meanwhile, nothing serves',
            cure=f'juju add-unit {app.name}, if its charm supports two',
        )
    for endpoint, why in app.declaration.mix_needs.items():
        if not app.related.get(endpoint):
            yield Finding(
                id=f'{app.name}.mix-needs.{endpoint}',
                application=app.name,
                blocking=True,
                sentence=f'{app.name}:{endpoint} is not related: {why}',
                cure=f'juju integrate {app.name}:{endpoint} to what provides it',
            )


def _many(units: int) -> str:
    return 'one unit' if units == 1 else f'{units or "no"} units'


def _of_bypasses(seen: Observed, app: Application) -> Iterator[Finding]:
    """Of *app*'s units that are published by their own addresses, which go with them."""
    if not app.balancers:
        return  # That is a finding of its own.
    owners = {address: unit.name for unit in app.units for address in unit.addresses}
    mentioned: dict[str, str] = {}
    for other in seen.applications.values():
        for unit in other.units:
            for one in unit.mentions:
                if one.host in owners:
                    where = f'{unit.name} has {one.place} in {one.key} of {one.endpoint}'
                    mentioned.setdefault(
                        f'{other.name}.{one.endpoint}',
                        f'{where}: that is {owners[one.host]} itself',
                    )
    for place, said in sorted(mentioned.items()):
        yield Finding(
            id=f'{app.name}.bypass.{place}',
            application=app.name,
            blocking=True,
            sentence=f'{said}, not {" or ".join(app.balancers)}: who uses it is lost when that unit goes',
            cure=f'have the address of the load balancer or a VIP published there (juju status --relations {app.name}; '
            'juju show-unit), and what uses it take it up',
        )


LEAST_FREE = 2 * 1024**3
"""Bytes that packages, their cache and a database's temporary tables may need."""


def _of_disks(app: Application, asked: Checks) -> Iterator[Finding]:
    for unit in app.units:
        free = asked.free.get(unit.name)
        if free is not None and free < LEAST_FREE:
            yield Finding(
                id=f'{app.name}.disk.{unit.number}',
                application=app.name,
                blocking=True,
                sentence=f'the machine of {unit.name} has {free / 1024**3:.1f} GiB left on /, and '
                f'{LEAST_FREE / 1024**3:.0f} may be needed',
                cure=f'make room: juju exec --unit {unit.name} -- du -xh --max-depth=2 /var',
            )


OLDEST_BACKUP_S = 24 * 3600.0
"""Seconds after which a backup is not what one would want to go back to."""


def _of_backups(asked: Checks) -> Iterator[Finding]:
    for app, at in asked.backups.items():
        if at is None:
            said = f'{app} was not backed up, as far as Juju remembers'
        elif asked.now - at > OLDEST_BACKUP_S:
            said = f'{app} was last backed up {(asked.now - at) / 3600:.0f} hours ago'
        else:
            continue
        yield Finding(
            id=f'{app}.backup',
            application=app,
            blocking=True,
            sentence=f'{said}; once a database is contracted, a backup is the only way back',
            cure=f'juju run {app}/leader {asked.actions.get(app, "backup")}, and copy it elsewhere',
        )


def keepers(seen: Observed, names: list[str]) -> list[str]:
    """Applications that declare how their data are backed up, and that those of *names* stand on."""
    needs = {word for name in names for word in seen.applications[name].declaration.after}
    return [
        app.name
        for app in seen.applications.values()
        if 'backup' in app.declaration.actions
        and (app.name in names or needs.intersection(app.declaration.provides))
    ]
