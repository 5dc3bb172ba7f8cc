"""What applications have asked for, and what of it is in force. Pure.

What is incomplete or refused is not gone: the last good request of a relation stays in force until
a better one comes, and only a relation that is broken ends it. So the leader keeps, for each
relation, what it has registered: in the peer relation's application data, where the next leader finds it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

from charmkit.relations import ENDPOINT_TYPES, EndpointType, Relation, keystone, wire

KEY = 'requests'


@dataclasses.dataclass(frozen=True)
class Registered:
    """What a relation has in the catalogue."""

    request: keystone.Request
    left: tuple[keystone.CatalogService, ...] = ()
    """Services that its earlier requests registered elsewhere: they go with the relation."""
    users: tuple[str, ...] = ()
    """Every name that its account has had."""

    @property
    def services(self) -> tuple[keystone.CatalogService, ...]:
        """All that it has in the catalogue."""
        return (*self.request.services, *self.left)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """What holds now, by relation id."""

    in_force: Mapping[int, Registered] = dataclasses.field(default_factory=dict[int, Registered])
    refused: Mapping[int, keystone.Refusal] = dataclasses.field(
        default_factory=dict[int, keystone.Refusal]
    )
    """Why what a relation asks for now is not done; its last good request may be in force."""
    broken: Mapping[int, Registered] = dataclasses.field(default_factory=dict[int, Registered])
    """What relations have registered that are there no longer."""
    withdrawn: tuple[keystone.CatalogService, ...] = ()
    """Endpoints of services in force that a good request says are not to be any more."""

    @property
    def requests(self) -> tuple[keystone.Request, ...]:
        """Those in force, in the order of their relations."""
        return tuple(r.request for _, r in sorted(self.in_force.items()))


def decide(relations: Iterable[Relation], kept: Mapping[int, Registered]) -> Decision:
    """Weigh what *relations* ask for now against what was *kept* of what they asked before.

    A service in a region belongs to the first to ask for it.
    """
    there = sorted(relations, key=lambda r: r.id)
    in_force = {r.id: kept[r.id] for r in there if r.id in kept}
    owners = {place: i for i, reg in in_force.items() for place in _places(reg.services)}
    names = {r.id: r.app for r in there}
    refused: dict[int, keystone.Refusal] = {}
    for relation in there:
        asked = keystone.request(relation)
        if asked is None:
            continue
        if isinstance(asked, keystone.Request):
            wanted = _places(asked.services)
            rivals = [p for p in wanted if owners.get(p, relation.id) != relation.id]
            for name, region in rivals[:1]:
                owner = names[owners[name, region]]
                reason = f'{owner} has the service {name} in {region} already'
                asked = keystone.Refusal(relation.app, reason)
        if isinstance(asked, keystone.Refusal):
            refused[relation.id] = asked
        else:
            owners |= dict.fromkeys(_places(asked.services), relation.id)
            in_force[relation.id] = _succeed(in_force.get(relation.id), asked)
    broken = {i: reg for i, reg in kept.items() if i not in names}
    gone = tuple(
        service
        for i, reg in in_force.items()
        if i in kept
        for service in withdrawn(kept[i].services, reg.request.services)
    )
    return Decision(in_force=in_force, refused=refused, broken=broken, withdrawn=gone)


def withdrawn(
    before: Iterable[keystone.CatalogService], now: Iterable[keystone.CatalogService]
) -> Iterable[keystone.CatalogService]:
    """Endpoint types that were registered *before* and that the same service *now* says are not to be."""
    said = {(s.name, s.region): dict(s.urls) for s in now}
    for service in before:
        types = said.get((service.name, service.region))
        urls = tuple((t, u) for t, u in service.urls if types is not None and t not in types)
        if urls:
            yield dataclasses.replace(service, urls=urls)


def _succeed(before: Registered | None, asked: keystone.Request) -> Registered:
    """*asked* in the place of what was registered *before*."""
    if before is None:
        return Registered(asked, users=_users(asked))
    places = _places(asked.services)
    left = tuple(s for s in before.services if (s.name, s.region) not in places)
    users = tuple(dict.fromkeys((*before.users, *_users(asked))))
    return Registered(asked, left, users)


def _users(request: keystone.Request) -> tuple[str, ...]:
    return (request.username,) if request.username else ()


def _places(services: Iterable[keystone.CatalogService]) -> list[tuple[str, str]]:
    return [(s.name, s.region) for s in services]


def dump(registered: Mapping[int, Registered]) -> str:
    """For :func:`load`."""
    return wire.dump({str(i): _fields(r) for i, r in sorted(registered.items())})


def load(text: str) -> dict[int, Registered]:
    """What :func:`dump` wrote; what cannot be read is left out."""
    found: dict[int, Registered] = {}
    for relation, fields in wire.objects(wire.load_object(text)):
        if relation.isdecimal():
            found[int(relation)] = _registered(int(relation), fields)
    return found


def _fields(registered: Registered) -> dict[str, Any]:
    request = registered.request
    return {
        'app': request.app,
        'services': [_service_fields(s) for s in request.services],
        'roles': list(request.roles),
        'admin_roles': list(request.admin_roles),
        'left': [_service_fields(s) for s in registered.left],
        'users': list(registered.users),
    }


def _service_fields(service: keystone.CatalogService) -> dict[str, Any]:
    return {'name': service.name, 'region': service.region, 'urls': dict(service.urls)}


def _registered(relation: int, fields: Mapping[str, Any]) -> Registered:
    request = keystone.Request(
        relation=relation,
        app=wire.text(fields.get('app')),
        services=_services(fields.get('services')),
        roles=wire.texts(fields.get('roles')),
        admin_roles=wire.texts(fields.get('admin_roles')),
    )
    return Registered(request, _services(fields.get('left')), wire.texts(fields.get('users')))


def dump_services(services: Iterable[keystone.CatalogService]) -> str:
    """For :func:`load_services`."""
    return wire.dump([_service_fields(s) for s in services])


def load_services(text: str) -> tuple[keystone.CatalogService, ...]:
    """What :func:`dump_services` wrote."""
    return _services(wire.load_array(text))


def _services(value: object) -> tuple[keystone.CatalogService, ...]:
    found: list[keystone.CatalogService] = []
    items = cast('list[object]', value) if isinstance(value, list) else []
    for _, fields in wire.objects({str(n): item for n, item in enumerate(items)}):
        name, urls = wire.text(fields.get('name')), fields.get('urls')
        if keystone.type_of(name) and isinstance(urls, Mapping):
            said = cast('Mapping[str, object]', urls)
            there: tuple[tuple[EndpointType, str], ...] = tuple(
                (t, wire.text(said[t])) for t in ENDPOINT_TYPES if t in said
            )
            region = wire.text(fields.get('region'))
            found.append(keystone.CatalogService(name, keystone.type_of(name), region, there))
    return tuple(found)
