"""What happens to a model as hooks begin and end. Called by the controller around each operation.

An agent that is ``error`` here is shown as workload ``error`` and agent ``idle`` (see ``core.derived``).
A unit may be gone by the time its hook ends (removed by force): then nothing but its task is recorded.
"""

from __future__ import annotations

import random

from . import (
    commit,
    edit,
    hooks,
    modelconfig,
    options,
    relationhooks,
    schedule,
    scopes,
    settle,
    statuses,
    storage,
    tasks,
)
from .context import Context, Outcome
from .model import Hook, Model, Unit
from .operations import RunHook

FIRST_RETRY, LAST_RETRY = 5.0, 300.0
"""Seconds before a failed hook runs again: doubled each time, up to the last."""


def begin(model: Model, op: RunHook, context_id: str, now: float) -> tuple[Model, Context]:
    """The model in which *op* runs, and the context that its tools see. KeyError if its unit is gone."""
    model = schedule.aged(model, now)
    hook = op.hook
    if hook.kind in hooks.TASKS:
        model = tasks.started(model, hook.task, now)
    if not op.unit:
        return model, Context(context_id, '', hook, now, {})
    if hook.kind in hooks.TASKS:
        model = edit.agent(model, op.unit, task=hook.task)
    else:
        model = _taken_up(model, op.unit, hook, now)
    model = edit.agent(model, op.unit, context=context_id)
    model = _announce(model, op.unit, hook, now)
    application = model.applications[model.units[op.unit].application]
    config = options.effective(model.charms[application.charm], application)
    return settle.settle(model, now), Context(context_id, op.unit, hook, now, config)


def _taken_up(model: Model, name: str, hook: Hook, now: float) -> Model:
    agent = model.units[name].agent
    put_off = agent.hook if agent.step in ('queued', 'failed') and agent.hook != hook else None
    model = edit.agent(
        model,
        name,
        hook=hook,
        step='running',
        then=put_off or agent.then,
        resolved='',
        retry_at=0.0,
    )
    if hook.kind == 'config-changed':
        model = scopes.refreshed(model, name)
    return relationhooks.fresh(model, name, hook)


def _announce(model: Model, name: str, hook: Hook, now: float) -> Model:
    unit = model.units[name]
    if unit.agent.step == 'failed':
        return model  # An action does not hide the error.
    if hook.kind == 'update-status' and unit.agent_status.current != 'error':
        return model
    task = model.tasks.get(hook.task)
    doing = hooks.running(hook, task.name if task else '')
    model = statuses.agent(model, name, 'executing', doing, now)
    if hook.kind == 'install' and not unit.status_set:
        return statuses.workload(model, name, 'maintenance', 'installing charm software', now)
    if hook.kind in _BEFORE:
        return statuses.workload(model, name, 'maintenance', _BEFORE[hook.kind], now)
    return model


_BEFORE = {
    'stop': 'stopping charm software',
    'remove': 'cleaning up prior to charm deletion',
}


def finish(model: Model, context: Context, outcome: Outcome, now: float) -> Model:
    """*model* after a hook: all of its writes if it succeeded, none if it failed."""
    if not _is_in_hand(model, context.unit, context.id):
        if context.hook.kind in hooks.TASKS:
            model = tasks.finished(model, context, outcome, now, flushed=True)
        return settle.settle(model, now)
    if context.hook.kind in hooks.TASKS:
        model = _finish_task(model, context, outcome, now)
    else:
        model = _finish_hook(model, context, outcome, now)
    return settle.settle(model, now)


def _is_in_hand(model: Model, name: str, context_id: str) -> bool:
    """Whether a unit waits for this context: it may be gone, and another of its name may be there."""
    return name in model.units and model.units[name].agent.context == context_id


def _finish_task(model: Model, context: Context, outcome: Outcome, now: float) -> Model:
    flushed = True
    if outcome.code == 0 and not outcome.killed and not outcome.missing:
        try:
            model = commit.flush(model, context, now)
        except commit.Failed:
            flushed = False
    model = tasks.finished(model, context, outcome, now, flushed=flushed)
    return _task_done(model, context.unit, now)


def _task_done(model: Model, name: str, now: float) -> Model:
    model = edit.agent(model, name, task='')
    if model.units[name].agent_status.current == 'executing':
        model = statuses.agent(model, name, 'idle', '', now)
    return model


def _finish_hook(model: Model, context: Context, outcome: Outcome, now: float) -> Model:
    name = context.unit
    agent = model.units[name].agent
    if agent.step != 'running':
        return model  # It was interrupted, and what ran on is not what the model waits for.
    if outcome.killed:
        if context.writes.reboot == 'now':
            model = edit.agent(model, name, reboot='now')
        return _requeued(model, name, now)
    if outcome.code == 0 or outcome.missing:
        try:
            return succeeded(commit.flush(model, context, now), name, context.hook, now)
        except commit.Failed:
            pass
    return _failed(model, name, context.hook, now)


def succeeded(model: Model, name: str, hook: Hook, now: float) -> Model:
    """*model* in which a hook has run, with everything that follows for its agent."""
    model = settle.after_hook(settle.at_leisure(model, name, now), name, hook, now)
    if name not in model.units:
        return model
    if hook.kind in ('update-status', 'start') or not model.units[name].agent.update_status_at:
        return next_update_status(model, name, now)
    return model


def next_update_status(model: Model, name: str, now: float) -> Model:
    """*model* in which ``update-status`` of a unit waits for one interval from *now*, give or take a fifth."""
    unit = model.units[name]
    if not unit.agent.started:
        return model
    spread = random.Random(f'{model.seed}:{name}:{unit.agent.hooks}').uniform(0.8, 1.2)  # noqa: S311
    return edit.agent(model, name, update_status_at=now + modelconfig.interval(model) * spread)


def _requeued(model: Model, name: str, now: float) -> Model:
    model = edit.agent(model, name, step='queued')
    return statuses.agent(model, name, 'idle', '', now)


def _failed(model: Model, name: str, hook: Hook, now: float) -> Model:
    unit = model.units[name]
    retry_at = 0.0
    if modelconfig.get(model, 'automatically-retry-hooks'):
        pause = min(FIRST_RETRY * 2**unit.agent.retries, LAST_RETRY)
        spread = random.Random(f'{model.seed}:{name}:{unit.agent.retries}')  # noqa: S311
        retry_at = now + pause * spread.uniform(0.9, 1.1)
    model = edit.agent(
        model, name, step='failed', retries=unit.agent.retries + 1, retry_at=retry_at
    )
    message = f'hook failed: "{hooks.name(hook)}"'
    return statuses.agent(model, name, 'error', message, now, _data(hook))


def _data(hook: Hook) -> dict[str, object]:
    data: dict[str, object] = {'hook': hooks.name(hook)}
    if hook.relation is not None:
        data['relation-id'] = hook.relation
    if hook.remote_unit:
        data['remote-unit'] = hook.remote_unit
    return data


def interrupted(model: Model, unit: str, now: float, context_id: str = '') -> Model:
    """*model* after the agent (or the controller) died while *unit* had something in hand.

    A hook is queued again; an action or command has failed. With *context_id*, only what runs in that context.
    """
    if unit not in model.units or (context_id and not _is_in_hand(model, unit, context_id)):
        return model
    agent = model.units[unit].agent
    if agent.task:
        model = tasks.abandoned(model, agent.task, now)
        model = _task_done(model, unit, now)
    if model.units[unit].agent.step == 'running':
        model = _requeued(model, unit, now)
    return settle.settle(model, now)


def abandoned(model: Model, task: str, now: float) -> Model:
    """*model* after the agent (or the controller) died while a command ran on a machine."""
    return tasks.abandoned(model, task, now)


def all_interrupted(model: Model, now: float) -> Model:
    """*model* as a controller finds it that has just started: nothing that was in hand is."""
    for unit in list(model.units.values()):
        if _in_hand(unit):
            model = interrupted(model, unit.name, now)
    for task in list(model.tasks.values()):
        if task.status in ('running', 'aborting'):
            model = tasks.abandoned(model, task.id, now)
    return settle.settle(model, now)


def _in_hand(unit: Unit) -> bool:
    return unit.agent.step == 'running' or bool(unit.agent.task)


def deployed(model: Model, unit: str, url: str, now: float) -> Model:
    """*model* in which a unit's charm is unpacked: its first, or a newer one."""
    if unit not in model.units:
        return model
    agent = model.units[unit].agent
    if agent.step == 'running':
        return model
    application = model.applications[model.units[unit].application]
    if not agent.deployed:
        machine = model.machines.get(model.units[unit].machine)
        boots = machine.boots if machine else 0
        model = edit.agent(
            model,
            unit,
            deployed=url,
            charm_seen=application.charm_modified,
            boots_seen=boots,
        )
        model = statuses.workload(model, unit, 'waiting', statuses.AGENT_INITIALIZING, now)
        model = statuses.agent(model, unit, 'idle', '', now)
    elif agent.step == 'failed' or not agent.installed:
        # Juju runs no upgrade-charm for an upgrade that was forced on a unit in error.
        model = edit.agent(model, unit, deployed=url, charm_seen=application.charm_modified)
    elif agent.deployed != url or agent.charm_seen < application.charm_modified:
        upgrade = Hook('upgrade-charm', version=application.charm_modified)
        model = edit.agent(model, unit, deployed=url, hook=upgrade, step='queued')
    return settle.settle(model, now)


def storage_attached(model: Model, unit: str, storage_id: str, now: float) -> Model:
    """*model* in which a storage instance is in place on the machine of a unit, if it is still that unit's."""
    return settle.settle(storage.attached(model, unit, storage_id, now), now)
