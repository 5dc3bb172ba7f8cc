"""What stands in the way of a plan before it is begun: each finding a sentence with its cure. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from lifecycle.observed import Application, Observed
from lifecycle.plan import Plan, base_for


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    id: str
    application: str
    blocking: bool
    """Nothing is begun while it is there, unless it is skipped with a reason."""
    sentence: str
    cure: str
    skipped: str = ''
    """Why it is accepted."""


def findings(seen: Observed, plan: Plan) -> tuple[Finding, ...]:
    """What stands in the way of *plan*: of the applications that were not begun yet, in its order."""
    found: list[Finding] = []
    for name in plan.applications:
        if name in seen.record.started:
            continue
        app = seen.applications[name]
        base = base_for(app, seen.record, plan.target)
        in_place = any(step.in_place for step in plan.steps if step.application == name)
        found += (*_of_base(seen, app, base), *_of_units(app), *_of_balancers(app))
        if in_place and len(app.units) < 2:
            found.append(_alone(app))
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
                cure='its units are added and removed one by one; see to it that it bears that',
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
