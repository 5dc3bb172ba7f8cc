"""What Juju could never be in: the checker that runs after every change in tests.

Each check is a function from a settled model to sentences about what is wrong. Source: Juju's page
on hooks (documentation.ubuntu.com/juju/3.6/reference/hook) and worker/uniter of Juju 3.6.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterator

from . import leadership, relations, resolver, tasks
from .model import Agent, Hook, Machine, Model, Relation, Secret


def problems(model: Model) -> list[str]:
    """Everything about *model* that could not be, all at once; empty if it is sound."""
    return [sentence for check in CHECKS for sentence in check(model)]


def units(model: Model) -> Iterator[str]:
    """Units belong to what is there, and go when they are done."""
    for key, unit in model.units.items():
        if key != unit.name:
            yield f'unit {unit.name} is filed under {key}'
        application = model.applications.get(unit.application)
        if application is None:
            yield f'unit {unit.name} has no application'
            continue
        if unit.name.rpartition('/')[0] != unit.application:
            yield f'unit {unit.name} belongs to {unit.application}'
        if unit.number >= application.next_unit:
            yield f'unit {unit.name} has a number that is yet to be given'
        if unit.machine not in model.machines:
            yield f'unit {unit.name} is on machine {unit.machine}, which is not there'
        if application.life != 'alive' and unit.life == 'alive':
            yield f'unit {unit.name} lives on in a dying application'
        if (
            unit.life != 'alive'
            and resolver.finished(model, unit)
            and not model.subordinates_of(unit.name)
        ):
            yield f'unit {unit.name} has nothing left to do and is still there'


def subordinates(model: Model) -> Iterator[str]:
    """Subordinates live with their principals."""
    for unit in model.units.values():
        if unit.application not in model.applications:
            continue
        subordinate = model.charm_of(unit.application).subordinate
        if subordinate != bool(unit.principal):
            yield f'unit {unit.name} has principal {unit.principal!r}, subordinate is {subordinate}'
        if not unit.principal:
            continue
        principal = model.units.get(unit.principal)
        if principal is None:
            yield f'unit {unit.name} has outlived its principal {unit.principal}'
            continue
        if principal.machine != unit.machine:
            yield f'unit {unit.name} is on another machine than its principal'
        if principal.life != 'alive' and unit.life == 'alive':
            yield f'unit {unit.name} is alive and its principal is not'
        twins = [
            u for u in model.subordinates_of(principal.name) if u.application == unit.application
        ]
        if len(twins) > 1:
            yield f'unit {principal.name} has several subordinates of {unit.application}'


def agents(model: Model) -> Iterator[str]:
    """What an agent has in hand and behind it fits together."""
    for unit in model.units.values():
        for sentence in _agent(unit.agent):
            yield f'unit {unit.name}: {sentence}'
        if unit.life == 'alive' and (unit.agent.stopped or unit.agent.removed):
            yield f'unit {unit.name} is alive and has run stop or remove'
        for rid in unit.agent.relations:
            if rid not in model.relations:
                yield f'unit {unit.name} knows of relation {rid}, which is not there'
        for sid in unit.agent.storage_attached:
            if sid not in model.storage:
                yield f'unit {unit.name} knows of storage {sid}, which is not there'


def _agent(agent: Agent) -> Iterator[str]:
    if (agent.hook is None) != (agent.step == 'idle'):
        yield f'step is {agent.step} with hook {agent.hook}'
    if agent.hook is not None and agent.hook.kind in ('action', 'exec'):
        yield 'an action is in hand as a hook'
    if agent.step == 'running' and agent.task:
        yield 'a hook and a task run at once'
    for earlier, later in (
        (bool(agent.deployed), agent.installed),
        (agent.installed, agent.started),
        (agent.started, agent.stopped),
        (agent.installed, agent.removed),
    ):
        if later and not earlier:
            yield f'its life is out of order: {agent.deployed=} {agent.installed=} {agent.started=}'
    for known in agent.relations.values():
        if known.members and not known.created:
            yield 'it has members of a relation that it was not notified of'
    if agent.then is not None and agent.step == 'idle':
        yield 'something was put off and forgotten'


def statuses_shown(model: Model) -> Iterator[str]:
    """Agents show what they do."""
    for unit in model.units.values():
        shown, agent = unit.agent_status.current, unit.agent
        if (agent.step == 'failed') != (shown == 'error'):
            yield f'unit {unit.name} shows {shown} at step {agent.step}'
        if agent.task and agent.step == 'idle' and shown != 'executing':
            yield f'unit {unit.name} runs a task and shows {shown}'
        if (
            agent.step == 'running'
            and agent.hook != Hook('update-status')
            and shown != 'executing'
        ):
            yield f'unit {unit.name} runs {agent.hook} and shows {shown}'
        if shown == 'allocating' and agent.deployed:
            yield f'unit {unit.name} has its charm and shows {shown}'
        if shown == 'idle' and agent.deployed:
            hook = resolver.next_step(model, unit, 0.0)
            if hook is not None and not (isinstance(hook, Hook) and hook.kind == 'update-status'):
                yield f'unit {unit.name} has {hook} to do and shows idle'


def locks(model: Model) -> Iterator[str]:
    """A machine does one thing at a time."""
    for machine in model.machines:
        running = [
            u.name
            for u in model.units.values()
            if u.machine == machine and (u.agent.step == 'running' or u.agent.task)
        ]
        running += [
            f'task {t.id}'
            for t in model.tasks.values()
            if t.receiver == machine and t.status in ('running', 'aborting')
        ]
        if len(running) > 1:
            yield f'machine {machine} runs several things at once: {", ".join(running)}'


def applications(model: Model) -> Iterator[str]:
    """Applications have charms and leaders, and go when they are done."""
    for key, application in model.applications.items():
        if key != application.name:
            yield f'application {application.name} is filed under {key}'
        if application.charm not in model.charms:
            yield f'application {application.name} has no charm'
        if application.leader:
            leader = model.units.get(application.leader)
            if leader is None or leader.application != application.name:
                yield f'application {application.name} is led by {application.leader}'
        elif any(
            u.agent.deployed and model.machines[u.machine].phase == 'started'
            for u in model.units_of(application.name)
            if u.machine in model.machines
        ):
            yield f'application {application.name} has able units and no leader'
        mine = [r for r in model.relations_of(application.name) if not relations.is_peer(r)]
        if application.life != 'alive' and not mine and not model.units_of(application.name):
            yield f'application {application.name} is dying, empty and still there'
    for unit in model.units.values():
        if (
            unit.agent.leader_seen
            and unit.agent.step == 'idle'
            and not leadership.is_leader(model, unit.name)
        ):
            yield f'unit {unit.name} still thinks that it leads'


def relations_known(model: Model) -> Iterator[str]:
    """Relations join what is there, once, and go when they are done."""
    seen: dict[frozenset[tuple[str, str]], int] = {}
    for key, relation in model.relations.items():
        for sentence in _relation(model, key, relation):
            yield f'relation {key}: {sentence}'
        sides = frozenset((e.application, e.name) for e in relation.endpoints)
        if sides in seen:
            yield f'relations {seen[sides]} and {key} are the same'
        seen[sides] = key


def _relation(model: Model, key: int, relation: Relation) -> Iterator[str]:
    if key != relation.id:
        yield f'filed under {key}'
    roles = [e.role for e in relation.endpoints]
    if roles not in (['peer'], ['provider', 'requirer']):
        yield f'its roles are {roles}'
    for end in relation.endpoints:
        if end.application not in model.applications and end.application not in model.remotes:
            yield f'{end.application} is not there'
    if relation.life != 'alive' and not relation.units:
        yield 'dying, empty and still there'
    if set(relation.units) & set(relation.departed):
        yield 'a unit is in scope and has left it'
    for name in relation.units:
        yield from _in_scope(model, relation, name)


def _in_scope(model: Model, relation: Relation, name: str) -> Iterator[str]:
    application = name.rpartition('/')[0]
    if application in model.remotes:
        return
    unit = model.units.get(name)
    if unit is None:
        yield f'unit {name} is in scope and not there'
        return
    if not unit.agent.installed:
        yield f'unit {name} is in scope before its install'
    if not relations.concerns(model, unit, relation):
        yield f'unit {name} is in scope of what does not concern it'
    if relation.id not in unit.agent.relations:
        yield f'unit {name} is in scope and knows nothing of it'


def machines(model: Model) -> Iterator[str]:
    """Machines have addresses of their own, in spaces that are there."""
    seen: dict[str, str] = {}
    for machine in model.machines.values():
        yield from _addresses(model, machine, seen)
    networks: dict[str, str] = {}
    for name, space in model.spaces.items():
        if name != space.name:
            yield f'space {name} is filed wrongly'
        for subnet in space.subnets:
            if subnet.network in networks:
                yield f'spaces {networks[subnet.network]} and {name} share network {subnet.network}'
            networks[subnet.network] = name


@functools.lru_cache(4096)  # Asked after every change, of the same few.
def _lies_in(address: str, subnet: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(subnet)


def _addresses(model: Model, machine: Machine, seen: dict[str, str]) -> Iterator[str]:
    for address in machine.addresses:
        space = model.spaces.get(address.space)
        if space is None:
            yield f'machine {machine.id} is in space {address.space}, which is not there'
            continue
        for text in (address.ipv4, address.ipv6):
            if not text:
                continue
            if text in seen:
                yield f'machines {seen[text]} and {machine.id} share {text}'
            seen[text] = machine.id
            if not any(_lies_in(text, subnet) for subnet in space.cidrs):
                yield f'machine {machine.id} has {text}, outside of {", ".join(space.cidrs)}'


def storage(model: Model) -> Iterator[str]:
    """Storage belongs to units that are there, or is on machines that are."""
    for each in model.storage.values():
        if each.owner and each.owner not in model.units:
            yield f'storage {each.id} belongs to {each.owner!r}, which is not there'
        if each.owner and each.machine:
            yield f'storage {each.id} belongs to {each.owner} and to no unit of machine {each.machine}'
        if not each.owner and each.machine not in model.machines:
            yield f'storage {each.id} is on machine {each.machine!r}, which is not there'
        if not each.owner and (each.attached or each.detaching):
            yield f'storage {each.id} belongs to nobody, who has it attached'


def secrets(model: Model) -> Iterator[str]:
    """Secrets belong to, are granted to and followed by what is there."""
    for secret in model.secrets.values():
        for sentence in _secret(model, secret):
            yield f'secret {secret.id}: {sentence}'


def _secret(model: Model, secret: Secret) -> Iterator[str]:
    if not secret.revisions:
        yield 'it has no revision'
    if secret.owner and secret.owner not in model.applications and secret.owner not in model.units:
        yield f'its owner {secret.owner} is not there'
    for access in secret.access:
        if access.relation is not None and access.relation not in model.relations:
            yield f'access of {access.target} rests on relation {access.relation}, which is not there'
    for name in secret.consumers:
        if (
            '/' in name
            and name not in model.units
            and name.rpartition('/')[0] not in model.remotes
        ):
            yield f'{name} follows it and is not there'


def tasks_held(model: Model) -> Iterator[str]:
    """Tasks run on what is there, and an agent holds those that run."""
    held = {u.agent.task: u for u in model.units.values() if u.agent.task}
    for task in model.tasks.values():
        if task.operation not in model.operations:
            yield f'task {task.id} belongs to no operation'
        there = task.receiver in model.units or task.receiver in model.machines
        if task.status not in tasks.ENDED and not there:
            yield f'task {task.id} waits for {task.receiver}, which is not there'
        running = task.status in ('running', 'aborting')
        if running and '/' in task.receiver and task.id not in held:
            yield f'task {task.id} is {task.status} and no agent has it in hand'
        if task.id in held and not running:
            yield f'unit {held[task.id].name} has task {task.id} in hand, which is {task.status}'
    for operation in model.operations.values():
        lost = [t for t in operation.tasks if t not in model.tasks]
        if lost:
            yield f'operation {operation.id} has lost tasks {lost}'


def models(model: Model) -> Iterator[str]:
    """A dead model is empty."""
    if model.life == 'dead' and (model.machines or model.units or model.applications):
        yield 'the model is dead and not empty'
    for offer in model.offers.values():
        if offer.application not in model.applications:
            yield f'offer {offer.name} is of {offer.application}, which is not there'


CHECKS = (
    units,
    subordinates,
    agents,
    statuses_shown,
    locks,
    applications,
    relations_known,
    machines,
    storage,
    secrets,
    tasks_held,
    models,
)
