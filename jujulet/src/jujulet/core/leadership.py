"""Who leads an application, and what that tells its units.

Juju's leader holds a lease of a minute and renews it while its agent lives. Here the office stays with a unit until
that unit is gone, or its machine has been down for as long as the lease runs. Source: core/leadership and
worker/leadership/tracker.go of Juju 3.6.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

from . import edit
from .model import Application, Hook, Model, Unit

LEASE = 60.0
"""Seconds for which a leader that is not heard of stays in office."""


def settle(model: Model, now: float, applications: Collection[str]) -> Model:
    """*model* in which each of *applications* that can have a leader has one, and no dead one has.

    So has every other whose leader's lease runs.
    """
    for application in list(model.applications.values()):
        if application.lease_until or application.name in applications:
            model = _settle_one(model, application, now)
    return model


def _settle_one(model: Model, application: Application, now: float) -> Model:
    leader = model.units.get(application.leader)
    if leader is not None:
        if not _down(model, leader):
            return _lease(model, application, 0.0)
        if not application.lease_until:
            return _lease(model, application, now + LEASE)
        if now < application.lease_until:
            return model
    chosen = _choose(model, application)
    if not chosen and leader is not None:
        return model  # Nobody else is there: whoever was leader is so again when it comes back.
    if chosen == application.leader:
        return model
    changed = dataclasses.replace(
        application,
        leader=chosen,
        lease_until=0.0,
        leader_settings_version=application.leader_settings_version + 1,
    )
    return edit.put_application(model, changed)


def _lease(model: Model, application: Application, until: float) -> Model:
    if application.lease_until == until:
        return model
    return edit.application(model, application.name, lease_until=until)


def _choose(model: Model, application: Application) -> str:
    able = [
        u
        for u in model.units_of(application.name)
        if u.agent.deployed and not _down(model, u) and u.life != 'dead'
    ]
    able.sort(key=lambda u: (u.life != 'alive', u.agent.stopped, u.number))
    return able[0].name if able else ''


def _down(model: Model, unit: Unit) -> bool:
    machine = model.machines.get(unit.machine)
    return machine is None or machine.phase == 'down'


def is_leader(model: Model, unit: str) -> bool:
    """Whether a unit is its application's leader (``is-leader``)."""
    found = model.units.get(unit)
    return found is not None and model.applications[found.application].leader == unit


def next_hook(model: Model, unit: Unit) -> Hook | None:
    """``leader-elected`` or, up to Juju 3.6, ``leader-settings-changed``, if one is due."""
    if not unit.agent.installed or unit.agent.stopped:
        return None
    application = model.applications[unit.application]
    if application.leader == unit.name:
        return None if unit.agent.leader_seen else Hook('leader-elected')
    if model.juju_version.startswith('4') or unit.life != 'alive' or not application.leader:
        return None
    version = application.leader_settings_version
    if version == unit.agent.leader_settings_seen:
        return None
    return Hook('leader-settings-changed', version=version)


def after_hook(model: Model, unit: str, hook: Hook) -> Model:
    """*model* once a leadership hook has run."""
    application = model.applications[model.units[unit].application]
    if hook.kind == 'leader-elected':
        version = application.leader_settings_version
        return edit.agent(model, unit, leader_seen=True, leader_settings_seen=version)
    return edit.agent(model, unit, leader_seen=False, leader_settings_seen=hook.version)


def demoted(model: Model, units: Iterable[Unit]) -> Model:
    """*model* in which one of *units* that lost the office knows it: that needs no hook of its own."""
    for unit in units:
        agent = unit.agent
        if agent.leader_seen and agent.step == 'idle' and not is_leader(model, unit.name):
            model = edit.agent(model, unit.name, leader_seen=False)
    return model


def wake_at(model: Model) -> list[float]:
    """When leases run out."""
    return [a.lease_until for a in model.applications.values() if a.lease_until]
