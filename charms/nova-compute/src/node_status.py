"""Whether servers can be made on this node: nova has its service and host, placement what it offers. Pure, but a task.

A nova-compute that runs is not enough: until its host is mapped to a cell, every server that comes here fails. What is
seen of that is asked of nova itself; the controller only tells when to ask.
"""

from __future__ import annotations

import dataclasses
import http
import urllib.parse
from collections.abc import Mapping
from typing import Any, cast

import charmkit
from charmkit import front, keystone, openstack
from charmkit.machine import Machine
from nova_service import BINARY

LOOK = 'standing'
"""Of the task."""
MEMORY = 'standing'
"""In the unit's memory: the service, and whether servers could be made when nova was asked last."""
WAIT_S = 120.0
"""How long a look waits for what comes by itself: a cloud that is being made may have no API yet."""
_PAUSE_S = 2.0
_NONE: Mapping[str, Any] = {}
_LOG = '/var/log/nova/nova-compute.log'


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """What nova and placement have of a node."""

    service: str = ''
    """The UUID of its service; '' when nova has none."""
    listed: bool = False
    """Nova shows its hypervisor, which it does of hosts that are mapped to a cell."""
    up: bool = False
    """Nova has heard of its service lately."""
    offered: bool = False
    """Placement has its processors, memory and disk."""
    refused: str = ''
    """Why that is not known."""

    @property
    def serves(self) -> bool:
        """Servers can be made there."""
        return bool(self.service) and self.listed and self.up and self.offered


@dataclasses.dataclass(frozen=True)
class ProbeNode:
    """Ask nova and placement; the result is a :class:`NodeStatus`."""

    host: str
    """As nova calls it."""
    hostname: str
    """What the name of its hypervisor begins with: the machine's own."""
    identity: keystone.Identity
    mapped: frozenset[str] = frozenset()
    """Services whose hosts are mapped, as the controller says."""
    patient: bool = True
    """Wait for a nova that does not answer, too."""
    name: str = LOOK

    def carry_out(self, machine: Machine) -> NodeStatus:
        """Ask, by *machine*; again as long as it is known to come."""
        end = machine.now() + WAIT_S
        while True:
            found = self._asked(machine)
            if not self._comes(found) or machine.now() >= end:
                return found
            machine.sleep(_PAUSE_S)

    def _comes(self, found: NodeStatus) -> bool:
        """Whether what is missing comes by itself; what is mapped by others does not, until the controller says it."""
        if found.refused:
            return self.patient
        if found.service and not found.listed:
            return found.service in self.mapped
        return not found.serves

    def _asked(self, machine: Machine) -> NodeStatus:
        host = urllib.parse.quote(self.host, safe='')
        try:
            nova = openstack.login(machine, self.identity, 'compute', 'compute 2.53')
            known: Any = nova.ask('GET', f'/os-services?binary={BINARY}&host={host}')
            service = next((str(s['id']) for s in known['services']), '')
            node: Mapping[str, Any] = (
                _hypervisor(nova, self.host, self.hostname) if service else _NONE
            )
            return NodeStatus(
                service=service,
                listed=bool(node),
                up=node.get('state') == 'up',
                offered=bool(node) and _is_offered(machine, self.identity, str(node['id'])),
            )
        except openstack.RefusedError as e:
            return NodeStatus(refused=str(e))
        except (KeyError, TypeError, AttributeError):
            return NodeStatus(refused='nova answers what nobody can read')


def _hypervisor(nova: openstack.Client, host: str, hostname: str) -> Mapping[str, Any]:
    """What nova shows of the hypervisor of *host*; nothing while the host is not mapped."""
    pattern = urllib.parse.quote(hostname.partition('.')[0], safe='')
    try:
        found: Any = nova.ask(
            'GET', f'/os-hypervisors/detail?hypervisor_hostname_pattern={pattern}'
        )
    except openstack.RefusedError as e:
        if e.status == http.HTTPStatus.NOT_FOUND:
            return _NONE
        raise
    return next((h for h in found['hypervisors'] if h['service']['host'] == host), _NONE)


def _is_offered(machine: Machine, identity: keystone.Identity, node: str) -> bool:
    """Whether placement has an inventory of *node*: its identity is that of nova's record."""
    placement = openstack.login(machine, identity, 'placement')
    try:
        found: Any = placement.ask('GET', f'/resource_providers/{node}/inventories')
    except openstack.RefusedError as e:
        if e.status == http.HTTPStatus.NOT_FOUND:
            return False
        raise
    return bool(found['inventories'])


def tasks(
    look: ProbeNode | None, inputs: charmkit.Inputs, *, again: bool = False
) -> tuple[ProbeNode, ...]:
    """Whether to *look*: while servers cannot be made yet, where nova-compute has been started, or *again*.

    None: nova has published no account.
    """
    idle = bool(inputs.memory.get(front.PAUSED)) or BINARY in inputs.failed
    if look is None or idle:
        return ()
    known = _kept(inputs).get('serves') is True
    if known and not again and BINARY not in inputs.started:
        return ()
    return (dataclasses.replace(look, patient=not known),)


def service(inputs: charmkit.Inputs) -> str:
    """The UUID of its service, as far as it is known."""
    return str(_now(inputs).get('service', ''))


def serves(inputs: charmkit.Inputs) -> bool:
    """Whether servers can be made here, as far as it is known."""
    return _now(inputs).get('serves') is True


def memory(inputs: charmkit.Inputs) -> Mapping[str, Any]:
    """What nova said; while it says nothing, what it said last."""
    return {MEMORY: dict(_now(inputs))}


def nothing() -> Mapping[str, Any]:
    """The memory of a node that is out of the cloud."""
    return {MEMORY: {}}


def notes(inputs: charmkit.Inputs) -> tuple[charmkit.Status, ...]:
    """What servers are still waiting for."""
    found = inputs.seen.get(LOOK)
    if serves(inputs) or not isinstance(found, NodeStatus):
        return ()
    return (charmkit.Status('waiting', _missing(found)),)


def _missing(found: NodeStatus) -> str:
    if found.refused:
        return f'it is not known whether servers can be made here: {found.refused}'
    if not found.service:
        return f'waiting for nova-compute to register with nova: see {_LOG}'
    if not found.listed:
        return 'waiting for nova to map this host to a cell'
    if not found.up:
        return f'nova takes nova-compute here for down: see {_LOG}'
    return 'waiting for placement to have what this host offers'


def _now(inputs: charmkit.Inputs) -> Mapping[str, object]:
    found = inputs.seen.get(LOOK)
    if not isinstance(found, NodeStatus) or found.refused:
        return _kept(inputs)
    return {'service': found.service, 'serves': found.serves}


def _kept(inputs: charmkit.Inputs) -> Mapping[str, object]:
    kept = inputs.memory.get(MEMORY)
    return cast('Mapping[str, object]', kept) if isinstance(kept, Mapping) else {}
