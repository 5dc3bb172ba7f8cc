"""The ``mysql-shared`` interface (``shared-db``): databases on a server that many charms share.

Source: the interface that Charmed OpenStack's charms speak. All keys live in unit databags. A
unit asks with ``database``, ``username`` and ``hostname`` (its address, or a JSON list of them);
when it wants several databases, each of these keys is prefixed, ``nova_database``. The server
answers ``db_host``, and for each database ``password`` and ``allowed_units``, prefixed alike.

Beside them, and only here: ``generation``, prefixed alike, names what is in the database. It is another one when
the data is not what it was (restored, made anew, on another server), and whatever a client remembers of its
database is of no use then. A server that does not speak of generations leaves it out. And ``db_host_turn``, a number:
each unit of a clustered server answers alike, but what a unit said that is lost by now stays in its databag; the answer
with the highest number counts. It is left out where there is one server only.

A server that offers TLS says so as :mod:`~charmkit.relations.server_tls` has it.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from . import Databag, Need, Relation, Site, host_in_url, server_tls, sharing, wire

PORT = 3306
CA = server_tls.CA
IN_FORCE = server_tls.IN_FORCE
mark = server_tls.mark

_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_-]{0,63}')
_SYSTEM_DATABASES = frozenset({'mysql', 'sys', 'information_schema', 'performance_schema'})
_SYSTEM_USERS = frozenset({'root', 'mysql', 'mariadb.sys', 'debian-sys-maint', 'public'})
_PASSWORD = re.compile(r'[ -~]{1,512}')
_HOST = re.compile(r'[A-Za-z0-9.:\[\]_-]{1,255}')
_MOST_DATABASES = 64
"""That one unit may ask for."""
_MOST_ADDRESSES = 64
_LONGEST_ADDRESS = 45


@dataclasses.dataclass(frozen=True)
class Database:
    """A database that the server has granted this unit."""

    name: str
    user: str
    host: str
    password: str = dataclasses.field(repr=False)
    generation: str = ''
    """Of what is in it; '' where the server does not say."""
    ca: str = dataclasses.field(default='', repr=False)
    """Whom to trust, PEM: the server is to be verified; '' where it offers no TLS."""
    ca_path: str = dataclasses.field(default='', repr=False)
    """The file on this machine that has it."""

    @property
    def holds(self) -> str:
        """Stands for what is in it: the same whichever server has it by now, as far as the server speaks of that."""
        return f'{self.name} {self.generation or f"on {self.host}"}'

    @property
    def url(self) -> str:
        """Where SQLAlchemy finds it. With a file of authorities the driver verifies the server, and its name."""
        login = f'{self.user}:{quote(self.password, safe="")}'
        tls = f'&ssl_ca={quote(self.ca_path)}' if self.ca else ''
        return f'mysql+pymysql://{login}@{host_in_url(self.host)}/{self.name}?charset=utf8mb4{tls}'


def need(
    name: str, *, user: str = '', prefix: str = '', optional: bool = False, tls: bool = True
) -> Need[Database]:
    """A database called *name*; *prefix* tells several on one relation apart.

    Without *tls* nothing is said of it: of a driver that does not verify its server by :attr:`Database.url`.
    """
    p, user = (f'{prefix}_' if prefix else ''), user or name

    def request(site: Site) -> Databag:
        address = site.address_on('shared-db')
        return {f'{p}database': name, f'{p}username': user, f'{p}hostname': address}

    def parse(bag: Databag, site: Site) -> Database | None:
        password, host = bag.get(f'{p}password', ''), bag.get('db_host', '')
        allowed = site.unit in bag.get(f'{p}allowed_units', '').split()
        if not (allowed and _PASSWORD.fullmatch(password) and _HOST.fullmatch(host)):
            return None
        generation = bag.get(f'{p}generation', '')
        generation = generation if wire.one_line(generation, 64) else ''
        if not (tls and bag.get(CA)):
            return Database(name, user, host, password, generation)
        ca = server_tls.authorities(bag)
        # Never without TLS because of what cannot be read: what was said before stays in force.
        path = f'/etc/ssl/{site.app}-shared-db.pem'
        return Database(name, user, host, password, generation, ca, path) if ca else None

    def read(relations: tuple[Relation, ...], site: Site) -> Database | None:
        bags = (bag for relation in relations for bag in relation.remote_databags())
        newest = sorted(bags, key=_turn, reverse=True)  # Stable: of equals, the first.
        found = (parse(bag, site) for bag in newest)
        return next((value for value in found if value is not None), None)

    def refusal(relations: tuple[Relation, ...], _: Site) -> str:
        bags = [bag for relation in relations for bag in relation.remote_databags()]
        wrong = tls and any(bag.get(CA) and not server_tls.authorities(bag) for bag in bags)
        return server_tls.UNREADABLE if wrong else ''

    return Need('shared-db', request, read, name, optional=optional, refusal=refusal)


def _turn(bag: Databag) -> int:
    text = bag.get('db_host_turn', '')
    return int(text) if re.fullmatch('[0-9]{1,9}', text) else 0


@dataclasses.dataclass(frozen=True)
class Request:
    """What one unit asks for: a database, and an account that may use it from some addresses."""

    unit: str
    prefix: str
    database: str
    user: str
    hosts: tuple[str, ...]
    tls: str = ''
    """What it verifies the server by (:func:`mark`); '' while it comes without TLS."""


Refusal = sharing.Refusal


def requests(
    relation: Relation, kept: Iterable[Request] = ()
) -> tuple[tuple[Request, ...], tuple[Refusal, ...]]:
    """What the units of *relation* ask for, and what of that is refused; *kept*: see :func:`sharing.requests`."""
    return sharing.requests(
        relation, kept, prefixes=_prefixes, read=_read, most=(_MOST_DATABASES, 'databases')
    )


def response(
    db_host: str,
    granted: Iterable[Request],
    passwords: Mapping[str, str],
    generations: Mapping[str, str] | None = None,
    *,
    turn: int = 0,
    ca: str = '',
) -> dict[str, str]:
    """What the server publishes on one relation once *granted* hold.

    *granted* are the requests of that relation's units, *passwords* is keyed by user, *generations* by database.
    *turn* is higher than any before whenever what a unit of a cluster said before may be of no use. *ca* is whom to
    trust, PEM; '' offers no TLS.
    """
    out: dict[str, str] = {}
    units: dict[str, set[str]] = {}
    for request in granted:
        p = f'{request.prefix}_' if request.prefix else ''
        out[f'{p}password'] = passwords[request.user]
        if generation := (generations or {}).get(request.database):
            out[f'{p}generation'] = generation
        units.setdefault(f'{p}allowed_units', set()).add(request.unit)
    if out:
        out['db_host'] = db_host
        if turn:
            out['db_host_turn'] = str(turn)
        if ca:
            out[CA] = server_tls.encoded(ca)
    return out | {key: ' '.join(sorted(names)) for key, names in units.items()}


def _prefixes(bag: Databag) -> set[str]:
    found = {key.removesuffix('_database') for key in bag if key.endswith('_database')}
    return found | ({''} if 'database' in bag else set())


def _read(unit: str, prefix: str, bag: Databag, once: bool) -> Request | None:
    """The request at *prefix*; None when nothing is said, or not everything yet.

    Raises:
        ValueError: for nonsense, and for half a request where there was *once* a whole one.
    """
    p = f'{prefix}_' if prefix else ''
    database, user, hostname = (
        bag.get(p + key, '') for key in ('database', 'username', 'hostname')
    )
    missing = [key for key in ('database', 'username', 'hostname') if not bag.get(p + key)]
    if missing:
        if once and len(missing) < 3:
            raise ValueError(f'{p}{missing[0]} is missing')
        return None
    if not _NAME.fullmatch(database) or database.lower() in _SYSTEM_DATABASES:
        raise ValueError(f'database name {database[:80]!r} is not allowed')
    if not _NAME.fullmatch(user) or user.lower() in _SYSTEM_USERS:
        raise ValueError(f'user name {user[:80]!r} is not allowed')
    return Request(unit, prefix, database, user, _hosts(hostname), server_tls.read_mark(bag))


def _hosts(hostname: str) -> tuple[str, ...]:
    """Addresses, canonical and sorted. The server resolves no names, so a name is refused."""
    values: tuple[object, ...] = (hostname,)
    if hostname.startswith('['):
        values = tuple(wire.load_array(hostname))
        if not values:
            raise ValueError('hostname is not a JSON list of addresses')
    if len(values) > _MOST_ADDRESSES:
        raise ValueError(f'hostname lists more than {_MOST_ADDRESSES} addresses')
    return tuple(sorted({_address(v) for v in values}))


def _address(value: object) -> str:
    try:
        if isinstance(value, str) and len(value) <= _LONGEST_ADDRESS and '%' not in value:
            address = ipaddress.ip_address(value)
            # Clients of a server that listens on IPv4 have no mapped addresses there.
            return str(getattr(address, 'ipv4_mapped', None) or address)
    except ValueError:
        pass
    raise ValueError(f'hostname {str(value)[:80]!r} is not an IP address')
