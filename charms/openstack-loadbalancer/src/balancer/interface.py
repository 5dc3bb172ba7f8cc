"""What API charms ask for over a relation: the wire format of both versions, parsed and validated.

``openstack-api-endpoints`` version 2 holds the first version (``openstack-loadbalancer``, as the
existing charm of that name has it) as a strict subset, so one parser reads both. Application
data that is not what it may be refuses that relation; a unit's data refuses that unit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
from collections.abc import Mapping
from typing import Literal

from charmkit.proxy.config import Check, Mode
from charmkit.relations import ENDPOINT_TYPES, Databag, Relation, loadbalancer, running, wire

from . import behaviour, validation

V1_TYPES: Mapping[str, str] = {
    'keystone': 'identity', 'glance': 'image', 'glance-api': 'image', 'cinder': 'volumev3',
    'nova': 'compute', 'nova-api': 'compute', 'neutron': 'network', 'placement': 'placement',
    'heat': 'orchestration', 'barbican': 'key-manager', 'designate': 'dns', 'swift': 'object-store',
    'radosgw': 'object-store',
}  # fmt: skip
"""Service types of names seen in version 1, which has no key for the type."""
_MOST_SUBNETS = 64
"""How many of a unit's ``egress-subnets`` are looked at."""
_LONGEST_S = 86_400
"""The longest deadline that a drain is given; the shortest is one second."""
_ANY = 10**18


@dataclasses.dataclass(frozen=True, kw_only=True)
class Addresses:
    """Which addresses a unit may name as its own."""

    ours: frozenset[str] = frozenset()
    """The load balancer's, VIPs among them: a request sent there would come back."""
    trusted: tuple[str, ...] = ()
    """Networks in which the operator lets units name any address."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One service that wants a frontend."""

    service: str
    type: str
    port: int
    types: tuple[str, ...]
    path: str = ''
    protocol: Mode = 'http'
    hostnames: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    min_ready: int = 1
    behaviour: behaviour.Behaviour


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """One unit that serves one service."""

    unit: str
    service: str
    address: str
    port: int
    weight: int = 100
    backup: bool = False
    maxconn: int = 0
    """How many requests it can take at once; 0: it does not say."""
    server_name: str = ''
    """It serves TLS with a certificate for this name; '': it does not."""

    @property
    def name(self) -> str:
        """What haproxy calls it; the application's name cannot end in a number, so it is unique."""
        return self.unit.replace('/', '-')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """All that one relation asks for."""

    relation: int
    app: str
    version: int
    endpoints: tuple[Endpoint, ...]
    servers: tuple[Server, ...]
    lifecycles: Mapping[str, loadbalancer.Lifecycle]
    """By unit; absent where a unit said nothing (version 1)."""
    refused_units: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Why the data of a unit was not taken."""
    runs: Mapping[str, running.Running] = dataclasses.field(
        default_factory=dict[str, running.Running]
    )
    """What each unit says that it runs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """A relation, or one service of it, that is not served, and why."""

    relation: int
    app: str
    reason: str
    service: str = ''
    """Empty: all of the relation."""


def names(relation: Relation) -> frozenset[str]:
    """What the services of *relation* call themselves and their types, whether or not they may be served."""
    said = wire.load_array(relation.app_data.get('endpoints', ''))[:64]
    each = (dict(wire.objects({'': x})).get('', {}) for x in said)
    found = (wire.text(e.get(k)) for e in each for k in ('service-name', 'service-type'))
    return frozenset(found) - {''}


def ports(relation: Relation) -> tuple[tuple[str, int], ...]:
    """The services that *relation* asks for, each with the port that clients use, whether or not they may be served."""
    found = parse(relation)
    return (
        tuple((e.service, e.port) for e in found.endpoints) if isinstance(found, Request) else ()
    )


def parse(relation: Relation, addresses: Addresses = Addresses()) -> Request | Refusal:
    """What *relation* asks for, or why it is refused."""
    try:
        return _parse(relation, addresses)
    except validation.InvalidError as e:
        return Refusal(relation=relation.id, app=relation.app, reason=str(e))


def _parse(relation: Relation, addresses: Addresses) -> Request:
    version = _version(relation.app_data.get('interface-versions', ''))
    found = validation.json_list(relation.app_data.get('endpoints', ''), 'endpoints', at_most=64)
    endpoints = tuple(_endpoint(item, version) for item in found)
    names = [e.service for e in endpoints]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise validation.InvalidError(f'service-name {twice[0]} is there twice')
    servers: list[Server] = []
    lifecycles: dict[str, loadbalancer.Lifecycle] = {}
    refused: dict[str, str] = {}
    for unit, bag in sorted(relation.units.items()):
        try:
            mine = _servers(unit, bag, names, addresses)
            lifecycle = _lifecycle(bag.get('lifecycle', ''))
        except validation.InvalidError as e:
            refused[unit] = str(e)
            continue
        servers += mine
        if lifecycle:
            lifecycles[unit] = lifecycle
    return Request(
        relation=relation.id,
        app=relation.app,
        version=version,
        endpoints=endpoints,
        servers=tuple(servers),
        lifecycles=lifecycles,
        refused_units=refused,
        runs={unit: running.read(bag) for unit, bag in relation.units.items()},
    )


def _version(text: str) -> int:
    if not text:
        return 1
    theirs = validation.json_list(text, 'interface-versions', at_most=16)
    common = {v for v in theirs if type(v) is int} & set(loadbalancer.VERSIONS)
    if not common:
        raise validation.InvalidError(
            f'no version of the interface in common: {validation.shown(theirs)}'
        )
    return max(common)


def _endpoint(item: object, version: int) -> Endpoint:
    data = validation.mapping(item, 'endpoint')
    name = validation.name(data.get('service-name'), 'service-name')
    where = f'{name}:'
    kind = V1_TYPES.get(name, '')
    if data.get('service-type') is not None:
        kind = validation.name(data['service-type'], f'{where} service-type')
    types = validation.items(data.get('endpoint-types'), f'{where} endpoint-types', at_most=8)
    if types == [] and data.get('endpoint-types') is not None:
        raise validation.InvalidError(f'{where} endpoint-types is empty')
    types = types or list(ENDPOINT_TYPES)
    for t in types:
        validation.one_of(t, f'{where} endpoint-types', ENDPOINT_TYPES)
    protocol = validation.one_of(
        data.get('protocol') or 'http', f'{where} protocol', ('http', 'tcp', 'passthrough')
    )
    base = behaviour.of_type(kind)
    check = validation.one_of(
        data.get('check-type') or 'http', f'{where} check-type', ('tcp', 'http', 'https')
    )
    if version == 1:
        protocol, base = _as_version_1(name, kind, check, base)
    elif protocol != 'http':
        base = behaviour.of_connections(base)
    elif check == 'tcp':
        base = dataclasses.replace(base, check=Check(tcp=True))
    hostnames = validation.mapping(data.get('hostnames'), f'{where} hostnames')
    return Endpoint(
        service=name,
        type=kind,
        port=validation.port(data.get('frontend-port'), f'{where} frontend-port'),
        types=tuple(t for t in ENDPOINT_TYPES if t in types),
        path=validation.text(data.get('path') or '', f'{where} path', validation.URL_PATH),
        protocol='http' if protocol == 'http' else 'tcp',
        hostnames={
            validation.one_of(t, f'{where} hostnames', ENDPOINT_TYPES): validation.host(
                h, f'{where} hostnames'
            )
            for t, h in hostnames.items()
            if h is not None
        },
        min_ready=validation.integer(data.get('min-ready', 1), f'{where} min-ready', 0, 1000),
        behaviour=behaviour.overridden(base, data, where),
    )


def _as_version_1(
    name: str, kind: str, check: str, base: behaviour.Behaviour
) -> tuple[Literal['http', 'tcp'], behaviour.Behaviour]:
    """Version 1 balances connections; its one HTTP check asks over TLS, with ``GET /`` for 200.

    What the table knows is served as HTTP all the same, so that it can be drained. The check is
    taken at its word for ceph-dashboard alone, whose standbys answer otherwise on purpose.
    """
    if check == 'tcp':
        return 'tcp', behaviour.of_connections(base)
    if name == 'ceph-dashboard' or check == 'https':
        over_tls = Check(path='/', expect=('200',), tls=True)
        return 'tcp', dataclasses.replace(behaviour.of_connections(base), check=over_tls)
    if kind:
        return 'http', base
    return 'http', behaviour.UNKNOWN


def _servers(unit: str, bag: Databag, names: list[str], addresses: Addresses) -> list[Server]:
    found = validation.json_list(bag.get('endpoints', ''), 'endpoints', at_most=64)
    servers = [s for s in (_server(unit, item) for item in found) if s.service in names]
    twice = {s.service for s in servers if [x.service for x in servers].count(s.service) > 1}
    if twice:
        raise validation.InvalidError(f'{min(twice)}: is there twice')
    own = _own(bag, addresses.trusted) if servers else ()
    for s in servers:
        if s.address in addresses.ours:
            raise validation.InvalidError(
                f'{s.service}: {s.address} is an address of the load balancer itself'
            )
        if not any(ipaddress.ip_address(s.address) in network for network in own):
            raise validation.InvalidError(
                f"{s.service}: {s.address} is not the unit's own (its ingress-address is "
                f'{validation.shown(bag.get("ingress-address", ""))}); '
                'the option backend-networks can allow it'
            )
    return servers


def _own(bag: Databag, trusted: tuple[str, ...]) -> tuple[validation.Network, ...]:
    """Where the addresses of a unit lie: Juju says by which its relation reaches it."""
    egress = bag.get('egress-subnets', '').split(',', _MOST_SUBNETS)[:_MOST_SUBNETS]
    found: list[validation.Network] = []
    for text in (bag.get('ingress-address', ''), *egress, *trusted):
        with contextlib.suppress(ValueError):  # Juju may give a name here.
            found.append(ipaddress.ip_network(text.strip()))
    return tuple(found)


def _server(unit: str, item: object) -> Server:
    data = validation.mapping(item, 'endpoint')
    name = validation.name(data.get('service-name'), 'service-name')
    where = f'{name}:'
    tls = validation.mapping(data.get('tls'), f'{where} tls')
    secure = validation.one_of(tls.get('mode', 'none'), f'{where} tls mode', ('none', 'verify'))
    server_name = ''
    if secure == 'verify':
        server_name = validation.host(tls.get('server-name'), f'{where} tls server-name')
    addresses = [
        validation.address(a, f'{where} addresses')
        for a in validation.items(data.get('addresses'), f'{where} addresses', at_most=16)
    ]
    first = validation.address(data.get('backend-ip'), f'{where} backend-ip')
    if addresses and first not in addresses:
        raise validation.InvalidError(f'{where} backend-ip is none of addresses')
    return Server(
        unit=unit,
        service=name,
        address=str(first),
        port=validation.port(data.get('backend-port'), f'{where} backend-port'),
        weight=validation.integer(data.get('weight', 100), f'{where} weight', 1, 256),
        backup=validation.boolean(data.get('backup', False), f'{where} backup'),
        maxconn=validation.integer(data.get('maxconn', 0), f'{where} maxconn', 0, 1_000_000),
        server_name=server_name,
    )


def _lifecycle(text: str) -> loadbalancer.Lifecycle | None:
    if not text:
        return None
    data = validation.mapping(validation.json_value(text, 'lifecycle'), 'lifecycle')
    states = ('ready', 'drain', 'maintenance', 'gone')
    validation.one_of(data.get('state'), 'lifecycle state', states)
    validation.text(data.get('token'), 'lifecycle token', validation.TOKEN)
    deadline = validation.integer(data.get('deadline-s', 300), 'lifecycle deadline-s', -_ANY, _ANY)
    validation.integer(data.get('beat', 0), 'lifecycle beat', 0, 2**31)
    found = loadbalancer.read_lifecycle({'lifecycle': text})
    # What the unit wishes is plain, however far it has gone with it: refused, it would be out at once.
    return found and dataclasses.replace(found, deadline_s=min(max(deadline, 1), _LONGEST_S))
