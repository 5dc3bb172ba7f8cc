"""The catalogue and its accounts: what is wanted, what is there, and the requests in between. Pure.

Source: the Identity API v3. A plan holds only what can be asked for with the ids that are known:
what refers to a thing that is only being made comes in the plan of the next round, so one observes
and plans again until nothing is left.

What the charm made carries a mark in its description, and only that is ever changed or deleted.
(A mark of one's own in an endpoint is no way: keystone 2025.1 takes it, and from then on answers the list
of endpoints with 400. An endpoint is the charm's when its service is, and its URL is one that the charm registered.)
Nothing is deleted for not being wanted: only what is named as gone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import request_ledger
from charmkit.relations import EndpointType, keystone

DOMAIN = 'service_domain'
PROJECT = 'services'
MARK = 'kept by the keystone charm'
ADMIN = 'admin'
ADMIN_DOMAIN = 'Default'
CHARM = 'charm-keystone'
"""The charm's own account, in the domain of the admin: what it does it does with this."""
ADMIN_ROLE = 'admin'
SERVICE_ROLE = 'service'

OPTIONS = {
    'ignore_change_password_upon_first_use': True,
    'ignore_password_expiry': True,
    'ignore_lockout_failure_attempts': True,
}
"""What no account that programs use may be subject to."""

Json = Mapping[str, Any]
EndpointKey = tuple[str, str, str, EndpointType]
"""Name and type of a service, a region, and an endpoint type."""


@dataclasses.dataclass(frozen=True)
class Account:
    """A user in the project of services, and the roles that it has there."""

    name: str
    password: str = dataclasses.field(repr=False)
    roles: frozenset[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desired:
    """What the related applications, and keystone itself, want to be there."""

    services: frozenset[keystone.CatalogService] = frozenset()
    accounts: frozenset[Account] = frozenset()
    roles: frozenset[str] = frozenset({ADMIN_ROLE, SERVICE_ROLE})
    admin_roles: frozenset[str] = frozenset()
    """Roles that the admin is to have in its own project, beside the one it has."""
    admin_password: str = dataclasses.field(default='', repr=False)
    """With which the admin is made when there is none; '' where it has been made before."""
    domains: frozenset[str] = frozenset()
    """Domains that are to exist, such as those whose users are in an LDAP directory."""
    registered: frozenset[tuple[EndpointKey, str]] = frozenset()
    """URLs that the charm has registered until now."""
    gone: frozenset[keystone.CatalogService] = frozenset()
    """What is to go, with the URLs that it was registered with."""
    gone_users: frozenset[str] = frozenset()
    retired: frozenset[Account] = frozenset()
    """Accounts that a rotation has replaced: disabled, with a password that nobody has."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """Ids of the charm's account that asks, of its project and of their domain."""

    user: str
    project: str
    domain: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observed:
    """What keystone has, each record as its API shows it."""

    session: Session
    admins: tuple[Json, ...] = ()
    """Users called admin, and the charm's own, in the domain of the admin."""
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
    """Ids of user, project and role, in the two projects that matter here; ``system`` stands for the system."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One request to make."""

    method: Literal['POST', 'PUT', 'PATCH', 'DELETE']
    path: str
    summary: str
    body: Json | None = dataclasses.field(default=None, repr=False, hash=False)


def desired(
    decision: request_ledger.Decision,
    before: Mapping[int, request_ledger.Registered],
    accounts: Mapping[str, Account],
    own: tuple[keystone.CatalogService, ...],
    own_before: tuple[keystone.CatalogService, ...] = (),
) -> Desired:
    """What the requests in force, and keystone's *own* endpoints, need.

    *before* and *own_before* are what was registered until now; *accounts* are by the user name
    that a request builds.
    """
    every = decision.requests
    wanted = frozenset({*own, *(s for r in every for s in r.services)})
    known = [s for r in before.values() for s in r.services]
    users = {r.username for r in every if r.username}
    used = {user for r in decision.in_force.values() for user in r.users}
    return Desired(
        services=wanted,
        accounts=frozenset(accounts[user] for user in users),
        roles=frozenset({ADMIN_ROLE, SERVICE_ROLE, *(role for r in every for role in r.roles)}),
        admin_roles=frozenset(role for r in every for role in r.admin_roles),
        registered=frozenset(
            (p, url) for s in (*known, *own_before) for p, url in endpoint_keys(s)
        ),
        gone=frozenset(
            {
                *decision.withdrawn,
                *request_ledger.withdrawn(own_before, own),
                *(s for r in decision.broken.values() for s in r.services),
            }
        ),
        gone_users=frozenset(
            account
            for r in decision.broken.values()
            for user in r.users
            if user not in used
            for account in names(user)
        ),
    )


def names(user: str) -> tuple[str, str]:
    """The two accounts that take turns for the service account *user*; see :mod:`renewal`."""
    return user, f'{user}-2'


def endpoint_keys(service: keystone.CatalogService) -> Iterator[tuple[EndpointKey, str]]:
    """Each place that *service* takes in the catalogue, and the URL there."""
    for kind, url in service.urls:
        yield (service.name, service.type, service.region, kind), url


def facts(want: Account | None, seen: Observed) -> keystone.Account | None:
    """What is published of an account, once it is there (all but its roles, which the plan knows)."""
    domain, project = record_id(seen.domains, name=DOMAIN), record_id(seen.projects, name=PROJECT)
    user = record_id(seen.users, name=want.name) if want else ''
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
        admin_domain_id=seen.session.domain,
        admin_project_id=seen.session.project,
        admin_user_id=record_id(seen.admins, name=ADMIN),
        admin_role=ADMIN_ROLE,
    )


def record_id(records: Iterable[Json], **values: str) -> str:
    """The id of the record with *values*; '' if there is none."""
    for record in records:
        if all(record.get(k) == v for k, v in values.items()):
            return str(record['id'])
    return ''


def ours(record: Json) -> bool:
    """Whether *record* carries the charm's mark."""
    return str(record.get('description') or '').startswith(MARK)
