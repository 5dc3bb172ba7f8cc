"""What crosses a relation: typed data, and pure functions to and from databags.

One module of this package holds one interface. A charm declares what it needs of other charms as
:class:`Need` values; a need is at once the request, the parser and the typed key under which
the answer is found: ``ready[DB].url``. Nothing here reads Juju, a clock or a machine.

Write a module for an interface like this::

    def need(name: str) -> Need[Database]:
        def request(site: Site) -> Databag:
            return {'database': name, 'hostname': site.address_on('shared-db')}

        def parse(bag: Databag, site: Site) -> Database | None:
            if site.unit not in bag.get('allowed_units', '').split():
                return None                        # not answered yet: data, not an error
            return Database(name, bag['db_host'], bag['password'])

        return Need('shared-db', request, first(parse), name)

The providing side of an interface gets whole :class:`Relation` values and answers with databags.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Literal, TypeVar

T = TypeVar('T')
Databag = Mapping[str, str]
EndpointType = Literal['public', 'internal', 'admin']
JUJUS_OWN = frozenset({'egress-subnets', 'ingress-address', 'private-address'})
"""Keys that Juju itself writes into each unit's databag."""
ENDPOINT_TYPES: tuple[EndpointType, ...] = ('public', 'internal', 'admin')


def _nothing() -> Databag:
    return {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Relation:
    """One relation as Juju shows it to this unit, read whole and once in a hook."""

    id: int
    name: str
    """The endpoint's name on this side, such as ``shared-db``."""
    app: str
    """The application on the other side (this one, for a peer relation)."""
    app_data: Databag = dataclasses.field(default_factory=_nothing, repr=False)
    """What the other application's leader wrote."""
    units: Mapping[str, Databag] = dataclasses.field(
        default_factory=dict[str, Databag], repr=False
    )
    """What each unit of the other side wrote, by unit name."""
    my_data: Databag = dataclasses.field(default_factory=_nothing, repr=False)
    """What this unit wrote, with Juju's own keys such as ``ingress-address``."""
    parsed: dict[str, object] = dataclasses.field(
        default_factory=dict[str, object], init=False, repr=False, compare=False
    )
    """What was made of it already, by whoever is asked for it many times in a run; another relation has its own."""

    @property
    def published(self) -> Databag:
        """What this unit wrote, without those."""
        return {k: v for k, v in self.my_data.items() if k not in JUJUS_OWN}

    def remote_databags(self) -> Iterator[Databag]:
        """Each remote unit's data over its application's data; application data alone if no unit.

        The older interfaces answer in unit databags, the newer ones in the application's. Units
        come in the order of their numbers, so the choice of the first that answers is stable.
        """
        if not self.units:
            yield self.app_data
        for _, data in sorted(self.units.items(), key=lambda item: unit_order(item[0])):
            yield {**self.app_data, **data}


@dataclasses.dataclass(frozen=True)
class Network:
    """One address of this machine."""

    interface: str
    address: str
    subnet: str
    """In CIDR form; '' when Juju does not know."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """Who asks, and where it serves."""

    unit: str
    """This unit's name, ``placement/0``."""
    leader: bool
    address: str
    """Where others reach this unit when no binding says otherwise; an IP address."""
    addresses: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """This unit's ingress address on each binding, such as ``public`` or ``shared-db``."""
    all_addresses: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """Every ingress address on each binding, of both families, the preferred one first."""
    networks: Mapping[str, tuple[Network, ...]] = dataclasses.field(
        default_factory=dict[str, 'tuple[Network, ...]']
    )
    """Where each binding is on this machine."""
    urls: Mapping[str, Mapping[str, str]] = dataclasses.field(
        default_factory=dict[str, Mapping[str, str]]
    )
    """By service, then by endpoint type: the scheme, host and port that clients are to use, with no path."""
    hosts: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """By service: every name and address by which clients may ask for it, as in ``urls`` and beyond."""
    listening: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """By service that a daemon serves by itself: the address that it is to listen on."""
    secure_port: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """By service whose load balancers come by TLS: the port on which this very unit is reached so."""
    unregistered: frozenset[EndpointType] = frozenset()
    """Endpoint types that are not to be in the catalogue: a load balancer has another, and none has these."""
    awaited: Mapping[str, frozenset[EndpointType]] = dataclasses.field(
        default_factory=dict[str, frozenset[EndpointType]]
    )
    """By service: endpoint types whose load balancer has not yet said where clients reach it. Those in ``urls`` are not
    to be registered."""
    region: str = 'RegionOne'

    @property
    def app(self) -> str:
        """This application's name."""
        return self.unit.rpartition('/')[0]

    def address_on(self, binding: str) -> str:
        """This unit's address on *binding*, or its usual one."""
        return self.addresses.get(binding, self.address)

    def registered(self, service: str) -> tuple[EndpointType, ...]:
        """The endpoint types under which *service* is to be in the catalogue now."""
        none = self.unregistered | self.awaited.get(service, frozenset())
        return tuple(t for t in ENDPOINT_TYPES if t not in none)

    def is_placed(self, service: str, *types: EndpointType) -> bool:
        """Whether clients may be told where *service* is, of *types* or of all: no load balancer's answer is awaited.

        Until then ``urls`` has a unit's own address, and other charms would go there, and elsewhere soon after.
        """
        return not self.awaited.get(service, frozenset()) & {*(types or ENDPOINT_TYPES)}

    def is_near(self, binding: str, address: str) -> bool:
        """Whether *address* lies in one of the networks of *binding*."""
        return any(address_in(address, n.subnet) for n in self.networks.get(binding, ()))


@dataclasses.dataclass(frozen=True)
class Need(Generic[T]):
    """Something that a charm cannot serve without, got over one relation."""

    relation: str
    """The endpoint's name, which is also the binding asked for its address."""
    request: Callable[[Site], Databag]
    """What this unit writes to ask for it. Several needs may share a relation, not a key."""
    read: Callable[[tuple[Relation, ...], Site], T | None]
    """The typed data, from every relation of the endpoint, whole; None while this unit has not been answered."""
    name: str = ''
    """Tells several needs on one relation apart, and names this one to the operator."""
    request_app: Callable[[Site], Databag] | None = None
    """What the leader writes for the whole application, where the interface has such a thing."""
    refusal: Callable[[tuple[Relation, ...], Site], str] | None = None
    """Why the other side does not do as it is asked now, in its words; '' when it does."""
    optional: bool = False
    """It serves without this as long as nobody is related; then it waits for the answer."""
    lapses: bool = False
    """What is no longer said is gone. Without it a unit that served goes on with what was said before, until the
    relation ends."""


def first(
    parse: Callable[[Databag, Site], T | None],
) -> Callable[[tuple[Relation, ...], Site], T | None]:
    """For :attr:`Need.read`: the first complete answer of one unit or application; *parse* reads one."""

    def read(relations: tuple[Relation, ...], site: Site) -> T | None:
        found = (parse(bag, site) for relation in relations for bag in relation.remote_databags())
        return next((value for value in found if value is not None), None)

    return read


def unit_order(unit: str) -> tuple[str, int]:
    """Sorting key that puts ``a/2`` before ``a/10``."""
    app, _, number = unit.rpartition('/')
    return app, int(number) if number.isdecimal() else -1


def host_in_url(host: str) -> str:
    """*host* as a URL spells it: IPv6 addresses in brackets (RFC 3986, section 3.2.2)."""
    return f'[{host}]' if ':' in host and not host.startswith('[') else host


def host_in(address: str, subnet: str) -> bool:
    """Whether *address* lies in *subnet* (CIDR form) and a host can have it: not the network's own, nor broadcast.

    Source: RFC 922, RFC 3021 (a /31 has neither), RFC 4291 section 2.6.1.
    """
    if not address_in(address, subnet):
        return False
    found, network = ipaddress.ip_address(address), ipaddress.ip_network(subnet, strict=False)
    if network.prefixlen >= network.max_prefixlen - 1:
        return True
    last = network.broadcast_address if network.version == 4 else None
    return found not in (network.network_address, last)


def address_in(address: str, subnet: str) -> bool:
    """Whether *address* lies in *subnet* (CIDR form); False when either is not what it claims."""
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return False
