"""The ``mysql-shared`` interface (``shared-db``): databases on a server that many charms share.

Source: the interface that Charmed OpenStack's charms speak. All keys live in unit databags. A
unit asks with ``database``, ``username`` and ``hostname`` (its address, or a JSON list of them);
when it wants several databases, each of these keys is prefixed, ``nova_database``. The server
answers ``db_host``, and for each database ``password`` and ``allowed_units``, prefixed alike.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from typing import cast
from urllib.parse import quote

from . import Databag, Need, Relation, Site, first, host_in_url, unit_order

PORT = 3306

_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_-]{0,63}')
_SYSTEM_DATABASES = frozenset({'mysql', 'sys', 'information_schema', 'performance_schema'})
_SYSTEM_USERS = frozenset({'root', 'mysql', 'mariadb.sys', 'debian-sys-maint', 'public'})


@dataclasses.dataclass(frozen=True)
class Database:
    """A database that the server has granted this unit."""

    name: str
    user: str
    host: str
    password: str = dataclasses.field(repr=False)

    @property
    def url(self) -> str:
        """Where SQLAlchemy finds it."""
        login = f'{self.user}:{quote(self.password, safe="")}'
        return f'mysql+pymysql://{login}@{host_in_url(self.host)}/{self.name}?charset=utf8'


def need(name: str, *, user: str = '', prefix: str = '') -> Need[Database]:
    """A database called *name*; *prefix* tells several on one relation apart."""
    p, user = (f'{prefix}_' if prefix else ''), user or name

    def request(site: Site) -> Databag:
        address = site.address_on('shared-db')
        return {f'{p}database': name, f'{p}username': user, f'{p}hostname': address}

    def answered(bag: Databag, site: Site) -> Database | None:
        password, host = bag.get(f'{p}password'), bag.get('db_host')
        allowed = site.unit in bag.get(f'{p}allowed_units', '').split()
        if not (password and host and allowed):
            return None
        return Database(name, user, host, password)

    return Need('shared-db', request, first(answered), name)


@dataclasses.dataclass(frozen=True)
class Request:
    """What one unit asks for: a database, and an account that may use it from some addresses."""

    unit: str
    prefix: str
    database: str
    user: str
    hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why a request cannot be met, in words for the operator."""

    unit: str
    reason: str


def requests(relation: Relation) -> tuple[tuple[Request, ...], tuple[Refusal, ...]]:
    """What the units of *relation* ask for, and what of that is refused.

    An incomplete request is neither: the unit has not said everything yet.
    """
    met: list[Request] = []
    refused: list[Refusal] = []
    for unit, bag in sorted(relation.units.items(), key=lambda item: unit_order(item[0])):
        for prefix in sorted(_prefixes(bag)):
            p = f'{prefix}_' if prefix else ''
            values = [bag.get(f'{p}{key}', '') for key in ('database', 'username', 'hostname')]
            if not all(values):
                continue
            try:
                met.append(_request(unit, prefix, *values))
            except ValueError as e:
                refused.append(Refusal(unit, str(e)))
    return tuple(met), tuple(refused)


def answer(
    db_host: str, granted: Iterable[Request], passwords: Mapping[str, str]
) -> dict[str, str]:
    """What the server publishes on one relation once *granted* hold.

    *granted* are the requests of that relation's units, *passwords* is keyed by user.
    """
    out: dict[str, str] = {}
    units: dict[str, set[str]] = {}
    for request in granted:
        p = f'{request.prefix}_' if request.prefix else ''
        out[f'{p}password'] = passwords[request.user]
        units.setdefault(f'{p}allowed_units', set()).add(request.unit)
    if out:
        out['db_host'] = db_host
    return out | {key: ' '.join(sorted(names)) for key, names in units.items()}


def _prefixes(bag: Databag) -> set[str]:
    found = {key.removesuffix('_database') for key in bag if key.endswith('_database')}
    return found | ({''} if 'database' in bag else set())


def _request(unit: str, prefix: str, database: str, user: str, hostname: str) -> Request:
    if not _NAME.fullmatch(database) or database.lower() in _SYSTEM_DATABASES:
        raise ValueError(f'database name {database!r} is not allowed')
    if not _NAME.fullmatch(user) or user.lower() in _SYSTEM_USERS:
        raise ValueError(f'user name {user!r} is not allowed')
    return Request(unit, prefix, database, user, _hosts(hostname))


def _hosts(hostname: str) -> tuple[str, ...]:
    """Addresses, canonical and sorted. The server resolves no names, so a name is refused."""
    values: list[object] = [hostname]
    if hostname.startswith('['):
        try:
            values = cast('list[object]', json.loads(hostname))
        except ValueError:
            raise ValueError('hostname is not a JSON list of addresses') from None
    try:
        return tuple(sorted({str(ipaddress.ip_address(str(v))) for v in values}))
    except ValueError:
        raise ValueError(f'hostname {hostname[:80]!r} is not an IP address') from None
