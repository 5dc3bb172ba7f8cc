"""Accounts, roles and who has which: the requests that bring them to what is wanted. Pure.

Whether an account has the password that it should have cannot be read: that is found out by logging in
(:mod:`tasks`), not by a record of what was set.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalogue import (
    ADMIN,
    ADMIN_ROLE,
    CHARM,
    DOMAIN,
    MARK,
    OPTIONS,
    PROJECT,
    Account,
    Desired,
    Json,
    Observed,
    Step,
    ours,
    record_id,
)

SYSTEM = 'system'


def domains(want: Desired, seen: Observed) -> Iterator[Step]:
    """The domain of services, others that are wanted, and the project of services.

    Keystone does not tell names of domains apart by case.
    """
    known = {str(d['name']).lower() for d in seen.domains}
    new = {name.lower(): name for name in sorted({DOMAIN, *want.domains}, reverse=True)}
    for lower, name in sorted(new.items()):
        if lower not in known:
            body = {'domain': {'name': name, 'description': MARK}}
            yield Step('POST', '/domains', f'create domain {name}', body)
    domain = record_id(seen.domains, name=DOMAIN)
    if domain and not record_id(seen.projects, name=PROJECT):
        record = {'name': PROJECT, 'domain_id': domain, 'description': MARK}
        yield Step('POST', '/projects', f'create project {PROJECT}', {'project': record})


def roles(want: Desired, seen: Observed) -> Iterator[Step]:
    """Roles that are not there. Their names are not told apart by case: 'Admin' is there when 'admin' is."""
    known = {str(r['name']).lower() for r in seen.roles}
    for lower, name in sorted({n.lower(): n for n in want.roles | want.admin_roles}.items()):
        if lower not in known:
            yield Step('POST', '/roles', f'create role {name}', {'role': {'name': name}})


def users(want: Desired, seen: Observed) -> Iterator[Step]:
    """The admin, where it never was; what the charm's own account needs; service accounts."""
    if want.admin_password and not record_id(seen.admins, name=ADMIN):
        body = {'name': ADMIN, 'domain_id': seen.session.domain, 'password': want.admin_password}
        yield Step('POST', '/users', f'create user {ADMIN}', {'user': body})
    for record in seen.admins:
        if record['name'] == CHARM and _lacks_options(record):
            path = f'/users/{record["id"]}'
            yield Step('PATCH', path, f'set options of {CHARM}', {'user': {'options': OPTIONS}})
    domain = record_id(seen.domains, name=DOMAIN)
    if not domain:
        return
    known = {str(u['name']): u for u in seen.users}
    for account in sorted(want.accounts, key=lambda a: a.name):
        record = known.get(account.name)
        if record is None:
            body = {
                'name': account.name, 'domain_id': domain, 'description': MARK,
                'password': account.password, 'enabled': True, 'options': OPTIONS,
            }  # fmt: skip
            yield Step('POST', '/users', f'create user {account.name}', {'user': body})
        elif ours(record) and (_lacks_options(record) or not record.get('enabled', True)):
            # Only a rotation disables: the password that it had since is nobody's.
            body = {'enabled': True, 'options': OPTIONS, 'password': account.password}
            path = f'/users/{record["id"]}'
            yield Step('PATCH', path, f'enable {account.name}', {'user': body})
    for account in sorted(want.retired, key=lambda a: a.name):
        record = known.get(account.name)
        if record and ours(record) and record.get('enabled', True):
            body = {'enabled': False, 'password': account.password}
            path = f'/users/{record["id"]}'
            yield Step('PATCH', path, f'retire {account.name}', {'user': body})


def conflicts(want: Desired, seen: Observed) -> Iterator[str]:
    """Accounts that somebody else made, and domains that are spelt otherwise, in words."""
    spelt = {str(d['name']).lower(): str(d['name']) for d in seen.domains}
    for name in sorted({DOMAIN, *want.domains}):
        there = spelt.get(name.lower(), name)
        if there != name and not record_id(seen.domains, name=name):
            yield f'domain {name} cannot be made: there is one that is spelt {there}'
    known = {str(u['name']): u for u in seen.users}
    for account in sorted(want.accounts, key=lambda a: a.name):
        record = known.get(account.name)
        if record and not ours(record):
            yield (
                f'user {account.name} in {DOMAIN} was not made by the charm: rename or delete it'
            )


def assignments(want: Desired, seen: Observed) -> Iterator[Step]:
    """Roles that accounts do not have yet."""
    roles = {str(r['name']).lower(): str(r['id']) for r in seen.roles}
    known = {str(u['name']): str(u['id']) for u in seen.users if ours(u)}
    project = record_id(seen.projects, name=PROJECT)
    admin = record_id(seen.admins, name=ADMIN)
    own = seen.session.project
    wanted = {
        (known.get(a.name, ''), project, roles.get(r.lower(), '')): f'{a.name} {r}'
        for a in want.accounts
        for r in a.roles
    }
    wanted |= {(admin, own, roles.get(r.lower(), '')): f'the admin {r}' for r in want.admin_roles}
    if want.admin_password:
        role = roles.get(ADMIN_ROLE, '')
        wanted |= {(admin, where, role): 'the admin its role' for where in (own, SYSTEM)}
    for key in sorted(wanted.keys() - seen.assignments):
        if all(key):
            user, where, role = key
            at = SYSTEM if where == SYSTEM else f'projects/{where}'
            yield Step('PUT', f'/{at}/users/{user}/roles/{role}', f'give {wanted[key]}')


def leftovers(want: Desired, seen: Observed) -> Iterator[Step]:
    """Accounts whose relation is broken."""
    for record in seen.users:
        if record['name'] in want.gone_users and ours(record) and not _wanted(want, record):
            yield Step('DELETE', f'/users/{record["id"]}', f'delete user {record["name"]}')


def _wanted(want: Desired, record: Json) -> bool:
    return any(a.name == record['name'] for a in want.accounts)


def _lacks_options(record: Json) -> bool:
    options: Json = record.get('options') or {}
    return any(options.get(name) != value for name, value in OPTIONS.items())


def set_password(account: Account | str, user: str, password: str) -> Step:
    """Give *user* (an id) a password."""
    name = account if isinstance(account, str) else account.name
    return Step(
        'PATCH', f'/users/{user}', f'set password of {name}', {'user': {'password': password}}
    )
