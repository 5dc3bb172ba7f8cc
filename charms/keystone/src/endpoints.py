"""Regions, services and their endpoints: the requests that bring them to what is wanted. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from catalogue import MARK, Desired, EndpointKey, Json, Observed, Step, endpoint_keys, ours


def regions(want: Desired, seen: Observed) -> Iterator[Step]:
    """Regions that are named and not there. Keystone does not tell their names apart by case."""
    known = {name.lower() for name in seen.regions}
    new = {name.lower(): name for name in sorted((s.region for s in want.services), reverse=True)}
    for name in sorted(name for lower, name in new.items() if lower not in known):
        body = {'region': {'id': name, 'description': MARK}}
        yield Step('POST', '/regions', f'create region {name}', body)


def services(want: Desired, seen: Observed) -> Iterator[Step]:
    """Services that are not there, or that are ours and disabled."""
    for name, kind in sorted({(s.name, s.type) for s in want.services}):
        record = _service(seen, name, kind)
        if record is None:
            body = {'name': name, 'type': kind, 'description': MARK}
            yield Step('POST', '/services', f'create service {name}', {'service': body})
        elif ours(record) and not record.get('enabled', True):
            path = f'/services/{record["id"]}'
            yield Step('PATCH', path, f'enable service {name}', {'service': {'enabled': True}})


@dataclasses.dataclass(frozen=True)
class Choice:
    """What there is for one place in the catalogue."""

    service: Json
    record: Json | None
    """The endpoint to use for it; None: one is to be made."""
    taken: bool = False
    """Somebody else's endpoint is there."""


def endpoints(want: Desired, seen: Observed) -> Iterator[Step]:
    """Endpoints to move, to enable, to make."""
    for key, url in sorted(p for s in want.services for p in endpoint_keys(s)):
        choice = _choice(want, seen, key, url)
        if choice is None or choice.taken:
            continue
        name, _, region, kind = key
        if choice.record is None:
            ids = {'service_id': choice.service['id'], 'region_id': region}
            body = {**ids, 'interface': kind, 'url': url}
            yield Step('POST', '/endpoints', f'create {name} {kind} {url}', {'endpoint': body})
        elif choice.record['url'] != url or not choice.record.get('enabled', True):
            path = f'/endpoints/{choice.record["id"]}'
            body = {'url': url, 'enabled': True}
            yield Step('PATCH', path, f'move {name} {kind} to {url}', {'endpoint': body})


def conflicts(want: Desired, seen: Observed) -> Iterator[str]:
    """What is not registered because something else has its place, in words."""
    spelt = {name.lower(): name for name in seen.regions}
    for name, region in sorted({(s.name, s.region) for s in want.services if s.urls}):
        there = spelt.get(region.lower(), region)
        if region not in seen.regions and there != region:
            yield f'{name} is not registered in {region}: the region is spelt {there} in the catalogue'
    for key, url in sorted(p for s in want.services for p in endpoint_keys(s)):
        choice = _choice(want, seen, key, url)
        if choice and choice.taken and choice.record:
            name, _, region, kind = key
            yield (
                f'{name} {kind} in {region} is {choice.record["url"]}, which the charm did not make: '
                f'delete that endpoint to have {url}'
            )


def leftovers(want: Desired, seen: Observed) -> Iterator[Step]:
    """What is gone: endpoints with the URL that they were registered with, then an empty service."""
    wanted = {key for s in want.services for key, _ in endpoint_keys(s)}
    for key, url in sorted(p for s in want.gone for p in endpoint_keys(s)):
        service = _service(seen, key[0], key[1])
        if key in wanted or service is None or not ours(service):
            continue
        for record in _at(seen, service, key):
            if record['url'] == url:
                path = f'/endpoints/{record["id"]}'
                yield Step('DELETE', path, f'delete {key[0]} {key[3]} {url}')
    kept = {(s.name, s.type) for s in want.services}
    for name, kind in sorted({(s.name, s.type) for s in want.gone} - kept):
        service = _service(seen, name, kind)
        if service and ours(service) and not _used(seen, service):
            yield Step('DELETE', f'/services/{service["id"]}', f'delete service {name}')


def _choice(want: Desired, seen: Observed, key: EndpointKey, url: str) -> Choice | None:
    """What to do for *key*; None while its service or its region is not there."""
    service = _service(seen, key[0], key[1])
    if service is None or key[2] not in seen.regions:
        return None
    there = _at(seen, service, key)
    if equal := [r for r in there if r['url'] == url]:
        # Enabling an endpoint of somebody else's service would be touching it.
        usable = ours(service) or equal[0].get('enabled', True)
        return Choice(service, equal[0], taken=not usable)
    known = {u for p, u in want.registered if p == key}
    if mine := [r for r in there if r['url'] in known]:
        return Choice(service, mine[0])
    if ours(service):
        # One that was edited by hand, or came with a restored database, is moved. Of several, it is unknown which.
        return Choice(service, there[0] if len(there) == 1 else None)
    return Choice(service, there[0] if there else None, taken=bool(there))


def _service(seen: Observed, name: str, kind: str) -> Json | None:
    """The service of that name and type: ours if there are several."""
    found = [r for r in seen.services if (r.get('name'), r.get('type')) == (name, kind)]
    return min(found, key=lambda r: (not ours(r), str(r['id'])), default=None)


def _at(seen: Observed, service: Mapping[str, object], key: EndpointKey) -> list[Json]:
    wanted = (service['id'], key[2], key[3])
    found = [
        r for r in seen.endpoints if (r['service_id'], r['region_id'], r['interface']) == wanted
    ]
    return sorted(found, key=lambda r: str(r['id']))


def _used(seen: Observed, service: Json) -> bool:
    return any(r['service_id'] == service['id'] for r in seen.endpoints)
