"""What API charms ask for over a relation: the wire format of both versions, parsed and checked.

``openstack-api-endpoints`` version 2 holds the first version (``openstack-loadbalancer``, as the
existing charm of that name has it) as a strict subset, so one parser reads both. Application
data that is not what it may be refuses that relation; a unit's data refuses that unit.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping

from charmkit.relations import ENDPOINT_TYPES, Relation, loadbalancer

from . import behaviour, checked

V1_TYPES: Mapping[str, str] = {
    'keystone': 'identity', 'glance': 'image', 'glance-api': 'image', 'cinder': 'volumev3',
    'nova': 'compute', 'nova-api': 'compute', 'neutron': 'network', 'placement': 'placement',
    'heat': 'orchestration', 'barbican': 'key-manager', 'designate': 'dns', 'swift': 'object-store',
    'radosgw': 'object-store',
}  # fmt: skip
"""Service types of names seen in version 1, which has no key for the type."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One service that wants a frontend."""

    service: str
    type: str
    port: int
    types: tuple[str, ...]
    path: str = ''
    protocol: str = 'http'
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """A relation, or one service of it, that is not served, and why."""

    relation: int
    app: str
    reason: str
    service: str = ''
    """Empty: all of the relation."""


def parse(relation: Relation) -> Request | Refusal:
    """What *relation* asks for, or why it is refused."""
    try:
        return _parse(relation)
    except checked.InvalidError as e:
        return Refusal(relation=relation.id, app=relation.app, reason=str(e))


def min_ready(requests: Iterable[Request]) -> dict[str, int]:
    """How many units of each service must stay; the most that any of its relations asks for."""
    out: dict[str, int] = {}
    for request in requests:
        for endpoint in request.endpoints:
            out[endpoint.service] = max(out.get(endpoint.service, 0), endpoint.min_ready)
    return out


def _parse(relation: Relation) -> Request:
    version = _version(relation.app_data.get('interface-versions', ''))
    found = checked.json_list(relation.app_data.get('endpoints', ''), 'endpoints', at_most=64)
    endpoints = tuple(_endpoint(item, version) for item in found)
    names = [e.service for e in endpoints]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise checked.InvalidError(f'service-name {twice[0]} is there twice')
    servers: list[Server] = []
    lifecycles: dict[str, loadbalancer.Lifecycle] = {}
    refused: dict[str, str] = {}
    for unit, bag in sorted(relation.units.items()):
        try:
            items = checked.json_list(bag.get('endpoints', ''), 'endpoints', at_most=64)
            mine = [s for s in (_server(unit, item) for item in items) if s.service in names]
            lifecycle = _lifecycle(bag.get('lifecycle', ''))
        except checked.InvalidError as e:
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
    )


def _version(text: str) -> int:
    if not text:
        return 1
    theirs = checked.json_list(text, 'interface-versions', at_most=16)
    common = {v for v in theirs if isinstance(v, int)} & set(loadbalancer.VERSIONS)
    if not common:
        raise checked.InvalidError(
            f'no version of the interface in common: {checked.shown(theirs)}'
        )
    return max(common)


def _endpoint(item: object, version: int) -> Endpoint:
    data = checked.mapping(item, 'endpoint')
    name = checked.text(data.get('service-name'), 'service-name', checked.NAME)
    where = f'{name}:'
    kind = V1_TYPES.get(name, '')
    if data.get('service-type') is not None:
        kind = checked.text(data['service-type'], f'{where} service-type', checked.NAME)
    types = checked.items(data.get('endpoint-types'), f'{where} endpoint-types') or list(
        ENDPOINT_TYPES
    )
    for t in types:
        checked.one_of(t, f'{where} endpoint-types', ENDPOINT_TYPES)
    protocol = checked.one_of(
        data.get('protocol') or 'http', f'{where} protocol', ('http', 'tcp', 'passthrough')
    )
    base = behaviour.of_type(kind)
    check = checked.one_of(
        data.get('check-type') or 'http', f'{where} check-type', ('tcp', 'http', 'https')
    )
    if check == 'tcp' or protocol != 'http':
        base = dataclasses.replace(base, check=behaviour.Check(tcp=True))
    if version == 1:
        protocol, base = _as_version_1(name, kind, check, base)
    hostnames = checked.mapping(data.get('hostnames'), f'{where} hostnames')
    return Endpoint(
        service=name,
        type=kind,
        port=checked.port(data.get('frontend-port'), f'{where} frontend-port'),
        types=tuple(t for t in ENDPOINT_TYPES if t in types),
        path=checked.text(data.get('path') or '', f'{where} path', checked.URL_PATH),
        protocol='http' if protocol == 'http' else 'tcp',
        hostnames={
            checked.one_of(t, f'{where} hostnames', ENDPOINT_TYPES): checked.text(
                h, f'{where} hostnames', checked.HOSTNAME
            )
            for t, h in hostnames.items()
            if h is not None
        },
        min_ready=checked.integer(data.get('min-ready', 1), f'{where} min-ready', 0, 1000),
        behaviour=behaviour.overridden(base, data, where),
    )


def _as_version_1(
    name: str, kind: str, check: str, base: behaviour.Behaviour
) -> tuple[str, behaviour.Behaviour]:
    """Version 1 balances connections; its one HTTP check asks over TLS, with ``GET /`` for 200.

    What the table knows is served as HTTP all the same, so that it can be drained. The check is
    taken at its word for ceph-dashboard alone, whose standbys answer otherwise on purpose.
    """
    if check == 'tcp':
        return 'tcp', base
    if name == 'ceph-dashboard' or check == 'https':
        over_tls = behaviour.Check(path='/', expect=('200',), tls=True)
        return 'passthrough', dataclasses.replace(base, check=over_tls)
    if kind:
        return 'http', base
    return 'http', behaviour.UNKNOWN


def _server(unit: str, item: object) -> Server:
    data = checked.mapping(item, 'endpoint')
    name = checked.text(data.get('service-name'), 'service-name', checked.NAME)
    where = f'{name}:'
    tls = checked.mapping(data.get('tls'), f'{where} tls')
    if tls.get('mode', 'none') != 'none':
        raise checked.InvalidError(f'{where} TLS towards the unit is not supported yet')
    addresses = [
        checked.address(a, f'{where} addresses')
        for a in checked.items(data.get('addresses'), f'{where} addresses', at_most=16)
    ]
    first = checked.address(data.get('backend-ip'), f'{where} backend-ip')
    if addresses and first not in addresses:
        raise checked.InvalidError(f'{where} backend-ip is none of addresses')
    return Server(
        unit=unit,
        service=name,
        address=str(first),
        port=checked.port(data.get('backend-port'), f'{where} backend-port'),
        weight=checked.integer(data.get('weight', 100), f'{where} weight', 1, 256),
        backup=checked.boolean(data.get('backup', False), f'{where} backup'),
    )


def _lifecycle(text: str) -> loadbalancer.Lifecycle | None:
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise checked.InvalidError('lifecycle is not JSON') from None
    data = checked.mapping(value, 'lifecycle')
    states = ('ready', 'drain', 'maintenance', 'gone')
    checked.one_of(data.get('state'), 'lifecycle state', states)
    checked.text(data.get('token'), 'lifecycle token', checked.TOKEN)
    checked.integer(data.get('deadline-s', 300), 'lifecycle deadline-s', 1, 86_400)
    checked.integer(data.get('beat', 0), 'lifecycle beat', 0, 2**31)
    return loadbalancer.read_lifecycle({'lifecycle': text})
