"""What follows from a change without anybody doing anything: run after every change until nothing more follows.

Units of what is dying die, agents at leisure enter scopes, what is empty and dying goes, leaders are found, and
agents that have work show it at once.
"""

from __future__ import annotations

import dataclasses

from . import (
    affected,
    edit,
    hooks,
    leadership,
    options,
    relationhooks,
    relations,
    resolver,
    scopes,
    secrets,
    statuses,
    storage,
    tasks,
)
from .affected import Affected
from .model import Agent, Hook, Model, Relation, Unit, drop


def settle(model: Model, now: float) -> Model:
    """*model* with all that follows from it. The same object if nothing does.

    Looks at what differs from the last model that was settled, and at whom that concerns.
    """
    found = affected.between(model.indexes.settled, model)
    found.units.update(secrets.whose_time_has_come(model, now))
    return _settle(model, now, found)


def settle_everything(model: Model, now: float) -> Model:
    """As :func:`settle`, whatever was settled before: all units are looked at."""
    return _settle(model, now, affected.everything(model))


def _settle(model: Model, now: float, found: Affected) -> Model:
    while True:
        before = model
        for follow in _FOLLOWS:
            then = follow(model, now, found)
            if then is not model:
                found.add(affected.between(model, then))
                model = then
        if model is before:
            break
    model = _busy(model, now, found)
    model.indexes.settled = model
    return model


def _those(model: Model, names: set[str]) -> list[Unit]:
    """The units of these names that are there, in the model's order."""
    if len(names) < 2:
        return [model.units[n] for n in names if n in model.units]
    return [u for n, u in model.units.items() if n in names]


def _dying(model: Model, _now: float, found: Affected) -> Model:
    for unit in _those(model, found.units):
        if unit.life != 'alive':
            continue
        application = model.applications[unit.application]
        principal = model.units.get(unit.principal)
        if (
            application.life != 'alive'
            or (principal is not None and principal.life != 'alive')
            or (unit.principal and scopes.orphaned(model, unit))
        ):
            force = principal is not None and principal.life != 'alive' and principal.force
            model = edit.unit(model, unit.name, life='dying', force=unit.force or force)
    return model


def _stale(model: Model, now: float, found: Affected) -> Model:
    """Hooks that were queued or had failed are dropped once what they tell of is gone."""
    for unit in _those(model, found.units):
        hook, step = unit.agent.hook, unit.agent.step
        if hook is None or step not in ('queued', 'failed'):
            continue
        if _moot(model, unit, hook):
            model = at_leisure(model, unit.name, now)
        elif step == 'failed' and unit.force and unit.life != 'alive':
            model = skipped(model, unit.name, now)
    return model


def _moot(model: Model, unit: Unit, hook: Hook) -> bool:
    if hook.kind in hooks.RELATION:
        return hook.relation not in model.relations
    if hook.kind in hooks.SECRET:
        return hook.secret not in model.secrets
    if hook.kind in hooks.STORAGE:
        found = model.storage.get(hook.storage)
        return found is None or found.owner != unit.name
    return hook.kind == 'leader-elected' and not leadership.is_leader(model, unit.name)


def at_leisure(model: Model, name: str, now: float) -> Model:
    """*model* in which a unit's agent has nothing in hand, or what a reboot had put off."""
    then = model.units[name].agent.then
    model = edit.agent(
        model,
        name,
        hook=then,
        step='queued' if then else 'idle',
        then=None,
        retries=0,
        retry_at=0.0,
        resolved='',
    )
    if model.units[name].agent_status.current in ('executing', 'error'):
        model = statuses.agent(model, name, 'idle', '', now)
    return model


def skipped(model: Model, name: str, now: float) -> Model:
    """*model* in which a failed hook counts as run, though nothing of what it asked for holds."""
    hook = model.units[name].agent.hook
    if hook is None:
        return at_leisure(model, name, now)
    return after_hook(at_leisure(model, name, now), name, hook, now)


def after_hook(model: Model, name: str, hook: Hook, now: float) -> Model:
    """*model* in which a unit's charm has been told of what *hook* tells."""
    agent = model.units[name].agent
    model = edit.agent(model, name, hooks=agent.hooks + 1)
    if hook.kind in hooks.RELATION:
        return relationhooks.after_hook(model, name, hook)
    if hook.kind in hooks.SECRET:
        return secrets.after_hook(model, name, hook, now)
    if hook.kind in hooks.STORAGE:
        return storage.after_hook(model, name, hook, now)
    if hook.kind in ('leader-elected', 'leader-settings-changed'):
        return leadership.after_hook(model, name, hook)
    return _after_lifecycle_hook(model, name, hook, now)


def _after_lifecycle_hook(model: Model, name: str, hook: Hook, now: float) -> Model:
    unit = model.units[name]
    machine = model.machines.get(unit.machine)
    boots = machine.boots if machine else 0
    changes = _LIFE.get(hook.kind, {})
    if hook.kind == 'start':
        changes = {'started': True, 'boots_seen': boots}
    elif hook.kind == 'config-changed':
        changes = {'config_seen': hook.digest}
        if not unit.agent.started:
            changes |= {'hook': Hook('start'), 'step': 'queued'}
    elif hook.kind == 'upgrade-charm':
        behind = Hook('config-changed', digest=options.digest(model, unit))
        changes = {'charm_seen': hook.version, 'hook': behind, 'step': 'queued'}
    model = edit.agent(model, name, **changes)
    if hook.kind == 'start' and not unit.status_set and not unit.agent.started:
        model = statuses.workload(model, name, 'unknown', '', now)
    if hook.kind in _AFTER:
        model = statuses.workload(model, name, *_AFTER[hook.kind], now)
    return model


_LIFE: dict[str, dict[str, object]] = {
    'install': {'installed': True},
    'stop': {'stopped': True},
    'remove': {'removed': True},
}
_AFTER = {'stop': ('maintenance', ''), 'remove': ('terminated', '')}


def _scopes(model: Model, now: float, found: Affected) -> Model:
    return scopes.settle(model, now, [u.name for u in _those(model, found.units)])


def _storage(model: Model, now: float, found: Affected) -> Model:
    on_machines = {''} if found.machines else set[str]()
    return storage.settle(model, found.owners | found.units | on_machines, now)


def _gone_units(model: Model, now: float, found: Affected) -> Model:
    for name in [u.name for u in _those(model, found.units)]:
        unit = model.units.get(name)
        if unit is None or unit.life == 'alive' or model.subordinates_of(name):
            continue
        if resolver.finished(model, unit) or _unreachable(model, unit):
            model = without_unit(model, name, now)
    return model


def _unreachable(model: Model, unit: Unit) -> bool:
    """Whether a unit that is to go by force has no agent that could still run its hooks."""
    if unit.life == 'alive' or not unit.force:
        return False
    machine = model.machines.get(unit.machine)
    return machine is None or machine.phase != 'started'


def without_unit(model: Model, name: str, now: float) -> Model:
    """*model* without a unit, and without what was its alone. Its machine goes with its last unit."""
    unit = model.units[name]
    for relation in relations.relations_of(model, unit):
        if name in relation.units:
            model = relationhooks.left(model, name, relation.id)
    model = secrets.owner_gone(model, name)
    model = tasks.cancelled_for(model, name, now)
    model = storage.without_owner(model, unit, now)
    model = edit.without(model, 'units', name)
    machine = model.machines.get(unit.machine)
    if machine is not None and not model.units_on(machine.id):
        model = edit.machine(model, machine.id, life='dying')
    return model


def _gone_relations(model: Model, _now: float, _found: Affected) -> Model:
    for relation in list(model.relations.values()):
        if relation.life == 'alive':
            continue
        for name in relation.units:
            if name.rpartition('/')[0] in model.remotes:
                model = relationhooks.left(model, name, relation.id)
        if not model.relations[relation.id].units:
            model = without_relation(model, relation)
    return model


def _gone_remotes(model: Model, _now: float, _found: Affected) -> Model:
    gone = [
        r.name
        for r in model.remotes.values()
        if (r.life != 'alive' or not r.url) and not model.relations_of(r.name)
    ]
    return edit.without(model, 'remotes', *gone) if gone else model


def without_relation(model: Model, relation: Relation) -> Model:
    """*model* without a relation, and without grants that rested on it."""
    model = secrets.relation_gone(model, relation.id)
    for unit in list(model.units.values()):
        if relation.id in unit.agent.relations:
            rest = drop(unit.agent.relations, relation.id)
            model = edit.agent(model, unit.name, relations=rest)
    model.indexes.forget(relation.id)
    return edit.without(model, 'relations', relation.id)


def _gone_applications(model: Model, _now: float, _found: Affected) -> Model:
    for application in list(model.applications.values()):
        if application.life == 'alive' or model.units_of(application.name):
            continue
        mine = model.relations_of(application.name)
        if any(not relations.is_peer(r) for r in mine):
            continue
        for relation in mine:
            model = without_relation(model, relation)
        offers = [o.name for o in model.offers.values() if o.application == application.name]
        model = edit.without(model, 'offers', *offers) if offers else model
        model = secrets.owner_gone(model, application.name)
        model = edit.without(model, 'applications', application.name)
    return model


def _leaders(model: Model, now: float, found: Affected) -> Model:
    model = leadership.settle(model, now, found.applications)
    return leadership.demoted(model, _those(model, found.units))


def _model(model: Model, _now: float, _found: Affected) -> Model:
    if model.life == 'alive':
        return model
    for machine in list(model.machines.values()):
        if machine.life == 'alive' and not model.units_on(machine.id):
            model = edit.machine(model, machine.id, life='dying')
    empty = not (model.machines or model.units or model.applications)
    if model.life == 'dying' and empty:
        return dataclasses.replace(model, life='dead')
    return model


_FOLLOWS = (
    _dying,
    _stale,
    _scopes,
    _storage,
    _gone_units,
    _gone_relations,
    _gone_remotes,
    _gone_applications,
    _leaders,
    _model,
)


def _busy(model: Model, now: float, found: Affected) -> Model:
    """*model* in which an agent that has work to do shows it before it begins, and one that has none is idle."""
    idle = {n for n in found.news if _shows_idle(model, n)}
    for unit in _those(model, found.units | idle):
        shown = unit.agent_status.current
        if shown not in ('idle', 'executing') or not _at_rest(unit.agent):
            continue
        step = resolver.next_step(model, unit, now)
        if isinstance(step, Hook) and step.kind == 'update-status':
            step = None
        if step is None:
            model = statuses.agent(model, unit.name, 'idle', '', now)
        elif shown == 'idle':
            model = statuses.agent(model, unit.name, 'executing', _doing(model, step), now)
    return model


def _shows_idle(model: Model, name: str) -> bool:
    unit = model.units.get(name)
    return unit is not None and unit.agent_status.current == 'idle'


def _at_rest(agent: Agent) -> bool:
    return agent.step in ('idle', 'queued') and not agent.task


def _doing(model: Model, step: resolver.Step) -> str:
    if not isinstance(step, Hook):
        return 'upgrading charm' if not hasattr(step, 'storage') else 'attaching storage'
    task = model.tasks.get(step.task)
    return hooks.running(step, task.name if task else '')
