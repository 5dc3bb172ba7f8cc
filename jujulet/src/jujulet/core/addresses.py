"""Which spaces a machine is in and which address a unit uses: all of it a function of the model.

A machine gets its addresses when it comes into the model and keeps them for life. Source: Juju's page on
spaces (documentation.ubuntu.com/juju/3.6/reference/space).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from . import edit
from . import model as model_
from .model import Address, Application, Model, Subnet
from .topology import Space

DEFAULT_SPACE = 'alpha'
FIRST_HOST = 10
"""Hosts below are left to gateways and to addresses that charms float."""


class Full(model_.Refused):
    """A space has no address left for another machine."""

    def __init__(self, space: Space):
        left = ', '.join(space.cidrs)
        super().__init__(
            f'space "{space.name}" has no address left in {left}'
            if left
            else f'space "{space.name}" has no subnet: juju move-to-space {space.name} CIDR gives it one'
        )
        self.space = space


def space_of(application: Application, endpoint: str) -> str:
    """The space to which an endpoint (or extra binding) is bound."""
    bound = application.bindings.get(endpoint)
    return bound or application.bindings.get('') or DEFAULT_SPACE


def spaces_in(constraints: Mapping[str, Any]) -> list[str]:
    """Spaces that constraints ask for, without those that they forbid (``^dmz``)."""
    value = constraints.get('spaces') or ()
    if isinstance(value, str):
        value = value.split(',')
    names = [str(name).strip() for name in cast('Iterable[Any]', value)]
    return [name for name in names if name and not name.startswith('^')]


def needed_spaces(application: Application, constraints: Mapping[str, Any]) -> tuple[str, ...]:
    """Spaces in which a machine must be for a unit: its default first, then by name."""
    default = space_of(application, '')
    wanted = {s for s in application.bindings.values() if s} | set(spaces_in(constraints))
    if '' not in application.bindings and spaces_in(constraints):
        rest = sorted(wanted)
        return tuple(rest)
    return (default, *sorted(wanted - {default}))


def address(model: Model, unit: str, endpoint: str = '') -> Address | None:
    """The address that a unit uses for an endpoint; None if its machine is not in that space."""
    mine = model.units[unit]
    machine = model.machines.get(mine.machine)
    application = model.applications[mine.application]
    if machine is None or not machine.addresses:
        return None
    space = space_of(application, endpoint)
    for each in machine.addresses:
        if each.space == space:
            return each
    if application.bindings.get(endpoint) or application.bindings.get(''):
        return None
    return machine.addresses[0]  # An unbound endpoint takes what there is.


def host(value: Address) -> str:
    """The one address that settings and status show: IPv4 if there is one."""
    return value.ipv4 or value.ipv6


def subnet(value: Address) -> str:
    """An address as the network of itself alone."""
    return f'{value.ipv4}/32' if value.ipv4 else f'{value.ipv6}/128'


def settings(model: Model, unit: str, endpoint: str) -> dict[str, str]:
    """What Juju itself writes into a unit's databag as it enters a relation's scope."""
    found = address(model, unit, endpoint)
    if found is None:
        return {}
    out = {'egress-subnets': subnet(found), 'ingress-address': host(found)}
    if not model.juju_version.startswith('4'):
        out['private-address'] = host(found)
    return out


def allocate(
    model: Model, machine: str, spaces: Iterable[str]
) -> tuple[Model, tuple[Address, ...]]:
    """Addresses for a new machine, one a space.

    Each space hands its hosts out in turn, so that an address is not soon used again.
    Raises Refused for an unknown space, Full for a full one.
    """
    out: list[Address] = []
    for name in dict.fromkeys(spaces):
        model, found = _one(model, machine, name)
        out.append(found)
    return model, tuple(out)


def _one(model: Model, machine: str, name: str) -> tuple[Model, Address]:
    space = model.spaces.get(name)
    if space is None:
        raise model_.Refused(f'space "{name}" not found')
    used = {a.ipv4 or a.ipv6 for m in model.machines.values() for a in m.addresses}
    for subnet in space.subnets:
        model, found = _in_subnet(model, subnet, used)
        if found:
            return model, Address(name, *found, _mac(model.uuid, machine, name))
    raise Full(space)


def _in_subnet(
    model: Model, subnet: Subnet, used: Collection[str]
) -> tuple[Model, tuple[str, str] | None]:
    """The next free IPv4 and IPv6 address of a subnet. A full one changes nothing of the model."""
    net4 = ipaddress.ip_network(subnet.ipv4) if subnet.ipv4 else None
    net6 = ipaddress.ip_network(subnet.ipv6) if subnet.ipv6 else None
    size = net4.num_addresses if net4 else 1 << 16
    first = FIRST_HOST if size > 2 * FIRST_HOST else 2
    hosts = size - 1 - first
    kind = f'address:{subnet.network}'
    next_ = model.sequences.get(kind, 0)
    for turn in range(next_, next_ + max(hosts, 0)):
        offset = first + turn % hosts
        ipv4 = str(net4[offset]) if net4 else ''
        ipv6 = str(net6[offset]) if net6 else ''
        if (ipv4 or ipv6) not in used:
            return edit.taken(model, kind, turn), (ipv4, ipv6)
    return model, None


def _mac(uuid: str, machine: str, space: str) -> str:
    digest = hashlib.sha256(f'{uuid}/{machine}/{space}'.encode()).hexdigest()
    return '00:16:3e:' + ':'.join(digest[i : i + 2] for i in (0, 2, 4))


def missing(model: Model, machine: str, spaces: Iterable[str]) -> list[str]:
    """Which of *spaces* a machine is not in."""
    there = {a.space for a in model.machines[machine].addresses}
    return [s for s in spaces if s not in there]


def rebound(model: Model, application: Application) -> Model:
    """*model* in which *application* is in place, after a check that its machines are in its spaces.

    Raises Refused if a unit's machine lacks a space.
    """
    spaces = needed_spaces(application, application.constraints)
    for unit in model.units_of(application.name):
        lacking = missing(model, unit.machine, spaces)
        if lacking and model.machines[unit.machine].addresses:
            raise model_.Refused(
                f'unit "{unit.name}" is on machine "{unit.machine}", '
                f'which is not in space "{lacking[0]}"'
            )
    return edit.put_application(model, application)
