"""Where units are: the spaces of a model, and the machines with their addresses in them."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from . import charm as charm_
from .parts import Life, frozen_map


@dataclasses.dataclass(frozen=True)
class Subnet:
    """One network of a space: a subnet of IPv4, of IPv6, or one of each."""

    ipv4: str
    """In CIDR form, as ``ipv6``; the gateway is its first host. Empty if there is none."""
    ipv6: str = ''
    network: str = ''
    """What the network is called: no other one of the model is called so."""

    @property
    def cidrs(self) -> tuple[str, ...]:
        """What it has of the two."""
        return tuple(filter(None, (self.ipv4, self.ipv6)))


@dataclasses.dataclass(frozen=True)
class Space:
    """Subnets that reach one another, and no other space. A machine has an address in each of its spaces."""

    name: str
    subnet4: str
    """The first subnet, in CIDR form; the gateway is its first host."""
    subnet6: str = ''
    network: str = ''
    """What the first subnet's network is called after where that is another name than its own."""
    more: tuple[Subnet, ...] = ()
    """Subnets after the first one, in the order in which they are filled."""
    grows: bool = False
    """It gets another subnet when it is full: its subnets were chosen, not given."""
    group: str = ''
    """What its networks say that they belong to, where that is not what the first one is called: see ``belongs``."""

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """All of them, in the order in which they are filled."""
        if not self.subnet4 and not self.subnet6:
            return ()
        return (Subnet(self.subnet4, self.subnet6, self.network or self.name), *self.more)

    @property
    def belongs(self) -> str:
        """By what the networks of one space are known as such on the host: it stays, whatever the space is called."""
        return self.group or self.network or self.name

    @property
    def cidrs(self) -> tuple[str, ...]:
        """All of its subnets in CIDR form."""
        return tuple(cidr for subnet in self.subnets for cidr in subnet.cidrs)


def with_subnets(space: Space, subnets: Iterable[Subnet]) -> Space:
    """*space* with these subnets and no others."""
    found = (*subnets,)
    first = found[0] if found else Subnet('')
    return dataclasses.replace(
        space,
        subnet4=first.ipv4,
        subnet6=first.ipv6,
        network='' if first.network == space.name else first.network,
        more=found[1:],
        group=space.belongs,
    )


def subnet_of(space: Space, address: Address) -> Subnet:
    """The subnet of *space* in which a machine has its *address* there. LookupError if there is none."""
    subnets = space.subnets
    for subnet in subnets:
        if len(subnets) == 1 or _holds(subnet, address.ipv4 or address.ipv6):
            return subnet
    raise LookupError(f'space {space.name} has no subnet with {address.ipv4 or address.ipv6}')


@functools.lru_cache(4096)  # Asked of the same few, with every status.
def _holds(subnet: Subnet, host: str) -> bool:
    return any(ipaddress.ip_address(host) in ipaddress.ip_network(c) for c in subnet.cidrs)


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a machine is in one space. Static: it survives restarts of machine and host."""

    space: str
    ipv4: str
    ipv6: str = ''
    mac: str = ''


def interface(number: int) -> str:
    """Name of the interface of a machine's address: machines are made so."""
    return f'eth{number}'


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine: wanted from the moment it is in the model, there once ``phase`` is ``started``."""

    id: str
    base: charm_.Base
    life: Life = 'alive'
    phase: Literal['pending', 'started', 'down', 'failed'] = 'pending'
    """``pending``: to be made. ``started``: agent connected. ``down``: agent lost. ``failed``: could not be made."""
    message: str = ''
    """Progress or error of making it, for people (shown as the message of ``machine-status``)."""
    since: float = 0.0
    constraints: Mapping[str, Any] = dataclasses.field(default_factory=frozen_map)
    addresses: tuple[Address, ...] = ()
    layer: str = ''
    """Key of the install layer that it is made from; empty for a bare base (see ``core.layers``)."""
    boots: int = 0
    """How often its system has started; a unit that has seen fewer runs an extra ``start``."""
    hostname: str = ''
    lsb_release: str = ''
    """The release of Ubuntu, such as ``ubuntu@24.04``, that ``/etc/lsb-release`` of a Debian machine names."""
    exclusive: bool = True
    """False once a unit was placed here by ``--to``: no install layer is taken from it."""
    given: Mapping[str, bool] = dataclasses.field(default_factory=frozen_map)
    """Devices and kernel modules that it was to have at its last start, and whether the host has them."""
