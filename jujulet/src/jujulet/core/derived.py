"""The statuses of units and applications as they are shown, which is not quite as they are kept.

Source: core/status of Juju 3.6, and the page
documentation.ubuntu.com/juju/3.6/reference/status.
"""

from __future__ import annotations

from . import backoff, hooks, resolver
from . import model as model_

SEVERITY = ('error', 'blocked', 'waiting', 'maintenance', 'active', 'terminated', 'unknown')
"""Workload statuses, most severe first, as Juju 3.6 has it."""


def of_application(model: model_.Model, application: str, now: float) -> model_.Status:
    """What the leader has set, else the most severe status of the units, else ``unknown``."""
    app = model.applications[application]
    if app.status is not None:
        return app.status
    order = SEVERITY
    if model.juju_version.startswith('4.'):  # Juju 4 counts maintenance as worse than waiting.
        order = ('error', 'blocked', 'maintenance', 'waiting', *SEVERITY[4:])
    seen = [of_unit(model, u, now)[0] for u in model.units_of(application)]
    if not seen:
        return model_.Status('unknown')
    return min(seen, key=lambda s: order.index(s.current) if s.current in order else len(order))


def of_unit(
    model: model_.Model, u: model_.Unit, now: float
) -> tuple[model_.Status, model_.Status]:
    """Workload and agent status as shown: a failed hook is shown as the workload's error.

    A unit that has a hook to run is ``executing`` although its agent has not begun, so that nobody who changed
    something and then looks for ``idle`` finds the state from before the change.
    """
    workload, agent = u.workload, u.agent_status
    if agent.current == 'error':
        message = agent.message + _on_whose_account(model, u, agent)
        return (
            model_.Status('error', message, agent.since, agent.data),
            model_.Status('idle', '', agent.since),
        )
    if _lost(model, u):
        lost = model_.Status('lost', 'agent is not communicating with the server', agent.since)
        hint = f"agent lost, see 'juju show-status-log {u.name}'"
        return model_.Status('unknown', hint, agent.since), lost
    if trouble := backoff.shown(u):
        return workload, trouble
    if agent.current == 'idle':
        hook = u.agent.hook if u.agent.step == 'queued' else resolver.next_hook(model, u, now)
        if hook is not None and hook.kind != 'update-status':
            return workload, model_.Status('executing', _doing(hook), now)
    return workload, agent


def _doing(hook: model_.Hook) -> str:
    """As a running agent says it; an action or command is not named before it runs."""
    return '' if hook.kind in ('action', 'exec') else f'running {hooks.name(hook)} hook'


def _on_whose_account(model: model_.Model, u: model_.Unit, agent: model_.Status) -> str:
    """`` for mysql:db``, when the failed hook was one of a relation."""
    relation = model.relations.get(agent.data.get('relation-id', -1))
    if relation is None:
        return ''
    others = [e for e in relation.endpoints if e.application != u.application]
    return f' for {others[0].application}:{others[0].name}' if others else ''


def _lost(model: model_.Model, u: model_.Unit) -> bool:
    m = model.machines.get(u.machine)
    if m is None or m.phase != 'down' or u.agent.reboot:
        return False
    return u.agent.installed and u.workload.current != 'terminated'
