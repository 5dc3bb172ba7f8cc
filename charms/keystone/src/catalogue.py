"""Services, endpoints, accounts and roles: desired, observed, and the requests in between. Pure.

Source: the Identity API v3. A plan holds only what can be asked for with the ids that are known:
what refers to a thing that is only being made comes in the plan of the next round, so one observes
and plans again until nothing is left. What the charm made carries a mark in its description, and
only that is ever deleted. (A mark of one's own in an endpoint is no way: keystone 2025.1
takes it, and from then on answers the list of endpoints with 400.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

from charmkit import passwords
from charmkit.relations import keystone

DOMAIN = 'service_domain'
PROJECT = 'services'
MARK = 'kept by the keystone charm'
ADMIN_ROLE = 'admin'
SERVICE_ROLE = 'service'

_OPTIONS = {
    'ignore_change_password_upon_first_use': True,
    'ignore_password_expiry': True,
    'ignore_lockout_failure_attempts': True,
}

Json = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Account:
    """A user in the project of services, and the roles that it has there."""

    name: str
    password: str = dataclasses.field(repr=False)
    roles: frozenset[str]

    @property
    def description(self) -> str:
        """Carries the mark, and which password the user was given: that cannot be observed."""
        return f'{MARK}, password {passwords.fingerprint(self.password)}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desired:
    """What the related applications, and keystone itself, want to be there."""

    services: frozenset[keystone.Service] = frozenset()
    accounts: frozenset[Account] = frozenset()
    roles: frozenset[str] = frozenset({ADMIN_ROLE, SERVICE_ROLE})
    admin_roles: frozenset[str] = frozenset()
    """Roles that the admin is to have in its own project, beside the one it has."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Admin:
    """Ids of the user that asks, of its project and of their domain."""

    user: str
    project: str
    domain: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observed:
    """What keystone has, each record as its API shows it."""

    admin: Admin
    regions: frozenset[str] = frozenset()
    domains: tuple[Json, ...] = ()
    projects: tuple[Json, ...] = ()
    """Those of the domain of services."""
    roles: tuple[Json, ...] = ()
    users: tuple[Json, ...] = ()
    """Those of the domain of services."""
    services: tuple[Json, ...] = ()
    endpoints: tuple[Json, ...] = ()
    assignments: frozenset[tuple[str, str, str]] = frozenset()
    """Ids of user, project and role, in the two projects that matter here."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One request to make."""

    method: Literal['POST', 'PUT', 'PATCH', 'DELETE']
    path: str
    summary: str
    body: Json | None = dataclasses.field(default=None, repr=False, hash=False)


def desired(
    requests: Iterable[keystone.Request], own: Iterable[keystone.Service], seed: str
) -> Desired:
    """What *requests*, and keystone's *own* endpoints, need."""
    every = tuple(requests)
    accounts = frozenset(
        Account(
            r.username,
            password(seed, r.username),
            frozenset({ADMIN_ROLE, SERVICE_ROLE, *r.roles}),
        )
        for r in every
        if r.services
    )
    return Desired(
        services=frozenset({*own, *(s for r in every for s in r.services)}),
        accounts=accounts,
        roles=frozenset({ADMIN_ROLE, SERVICE_ROLE, *(role for r in every for role in r.roles)}),
        admin_roles=frozenset(role for r in every for role in r.admin_roles),
    )


def password(seed: str, user: str) -> str:
    """The password of the service account *user*."""
    return passwords.derive(seed, 'service-user', user)


def plan(want: Desired, seen: Observed) -> tuple[Step, ...]:
    """This round's requests; none when *seen* is as *want* says."""
    domain = _id(seen.domains, name=DOMAIN)
    project = _id(seen.projects, name=PROJECT) if domain else ''
    return (
        *_domain(domain),
        *(_project(domain) if domain and not project else ()),
        *_roles(want, seen),
        *_regions(want, seen),
        *_services(want, seen),
        *_endpoints(want, seen),
        *(_accounts(want, seen, domain) if domain else ()),
        *_assignments(want, seen, project),
        *_leftovers(want, seen),
    )


def facts(want: Account | None, seen: Observed) -> keystone.Account | None:
    """What is told about an account, once it is there (all but its roles, which the plan knows)."""
    domain, project = _id(seen.domains, name=DOMAIN), _id(seen.projects, name=PROJECT)
    user = _id(seen.users, name=want.name) if want else ''
    if want and not (domain and project and user):
        return None
    return keystone.Account(
        username=want.name if want else '',
        password=want.password if want else '',
        user_id=user,
        domain=DOMAIN,
        domain_id=domain,
        project=PROJECT,
        project_id=project,
        admin_domain_id=seen.admin.domain,
        admin_project_id=seen.admin.project,
        admin_user_id=seen.admin.user,
        admin_role=ADMIN_ROLE,
    )


def _id(records: Iterable[Json], **values: str) -> str:
    """The id of the record with *values*; '' if there is none."""
    for record in records:
        if all(record.get(k) == v for k, v in values.items()):
            return str(record['id'])
    return ''


def _ours(record: Json) -> bool:
    return str(record.get('description') or '').startswith(MARK)


def _is_one_of(service: Json, names_and_types: Collection[tuple[str, str]]) -> bool:
    return (service.get('name'), service.get('type')) in names_and_types


def _domain(known: str) -> Iterator[Step]:
    if not known:
        body = {'domain': {'name': DOMAIN, 'description': MARK}}
        yield Step('POST', '/domains', f'create domain {DOMAIN}', body)


def _project(domain: str) -> Iterator[Step]:
    record = {'name': PROJECT, 'domain_id': domain, 'description': MARK}
    yield Step('POST', '/projects', f'create project {PROJECT}', {'project': record})


def _roles(want: Desired, seen: Observed) -> Iterator[Step]:
    # Role names are not told apart by case: 'Admin' is there when 'admin' is.
    known = {str(r['name']).lower() for r in seen.roles}
    for name in sorted({n.lower(): n for n in want.roles | want.admin_roles}.items()):
        if name[0] not in known:
            yield Step('POST', '/roles', f'create role {name[1]}', {'role': {'name': name[1]}})


def _regions(want: Desired, seen: Observed) -> Iterator[Step]:
    for name in sorted({s.region for s in want.services} - seen.regions):
        yield Step('POST', '/regions', f'create region {name}', {'region': {'id': name}})


def _services(want: Desired, seen: Observed) -> Iterator[Step]:
    for name, kind in sorted({(s.name, s.type) for s in want.services}):
        record = next(
            (r for r in seen.services if (r.get('name'), r.get('type')) == (name, kind)), None
        )
        if record is None:
            body = {'name': name, 'type': kind, 'description': MARK}
            yield Step('POST', '/services', f'create service {name}', {'service': body})
        elif not _ours(record) or not record.get('enabled', True):
            body = {'description': MARK, 'enabled': True}
            path = f'/services/{record["id"]}'
            yield Step('PATCH', path, f'adopt service {name}', {'service': body})


def _endpoints(want: Desired, seen: Observed) -> Iterator[Step]:
    wanted = {
        (service_id, s.region, kind): (s.name, url)
        for s in want.services
        if (service_id := _id(seen.services, name=s.name, type=s.type))
        for kind, url in s.urls
    }
    # Endpoints of a service that goes altogether go with it.
    kept = {(s.name, s.type) for s in want.services}
    mine = {str(r['id']) for r in seen.services if _ours(r) and _is_one_of(r, kept)}
    met: set[tuple[str, str, str]] = set()
    for record in sorted(seen.endpoints, key=lambda r: str(r['id'])):
        key = (str(record['service_id']), str(record['region_id']), str(record['interface']))
        path = f'/endpoints/{record["id"]}'
        if key not in wanted or key in met:
            if key[0] in mine:
                yield Step('DELETE', path, f'delete endpoint {key[2]} {record["url"]}')
            continue
        met.add(key)
        name, url = wanted[key]
        if record['url'] != url or not record.get('enabled', True):
            body = {'url': url, 'enabled': True}
            yield Step('PATCH', path, f'move {name} {key[2]} to {url}', {'endpoint': body})
    for key in sorted(wanted.keys() - met):
        name, url = wanted[key]
        body = {'service_id': key[0], 'region_id': key[1], 'interface': key[2], 'url': url}
        yield Step('POST', '/endpoints', f'create {name} {key[2]} {url}', {'endpoint': body})


def _accounts(want: Desired, seen: Observed, domain: str) -> Iterator[Step]:
    known = {str(u['name']): u for u in seen.users}
    for account in sorted(want.accounts, key=lambda a: a.name):
        body = {
            'description': account.description,
            'password': account.password,
            'enabled': True,
            'options': _OPTIONS,
        }
        record = known.get(account.name)
        if record is None:
            body |= {'name': account.name, 'domain_id': domain}
            yield Step('POST', '/users', f'create user {account.name}', {'user': body})
        elif record.get('description') != account.description:
            path = f'/users/{record["id"]}'
            yield Step('PATCH', path, f'set password of {account.name}', {'user': body})
        elif not record.get('enabled', True):
            path = f'/users/{record["id"]}'
            yield Step('PATCH', path, f'enable {account.name}', {'user': {'enabled': True}})


def _assignments(want: Desired, seen: Observed, project: str) -> Iterator[Step]:
    roles = {str(r['name']).lower(): str(r['id']) for r in seen.roles}
    users = {str(u['name']): str(u['id']) for u in seen.users}
    wanted = {
        (users.get(a.name, ''), project, roles.get(r.lower(), '')): f'{a.name} {r}'
        for a in want.accounts
        for r in a.roles
    } | {
        (seen.admin.user, seen.admin.project, roles.get(r.lower(), '')): f'the admin {r}'
        for r in want.admin_roles
    }
    for key in sorted(wanted.keys() - seen.assignments):
        if all(key):
            path = f'/projects/{key[1]}/users/{key[0]}/roles/{key[2]}'
            yield Step('PUT', path, f'give {wanted[key]}')


def _leftovers(want: Desired, seen: Observed) -> Iterator[Step]:
    services = {(s.name, s.type) for s in want.services}
    for record in seen.services:
        if _ours(record) and not _is_one_of(record, services):
            path = f'/services/{record["id"]}'
            yield Step('DELETE', path, f'delete service {record["name"]}')
    accounts = {a.name for a in want.accounts}
    for record in seen.users:
        if _ours(record) and record['name'] not in accounts:
            yield Step('DELETE', f'/users/{record["id"]}', f'delete user {record["name"]}')
