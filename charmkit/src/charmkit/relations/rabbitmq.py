"""The ``rabbitmq`` interface (``amqp``): an account and a virtual host on a message broker that charms share.

Source: the interface that Charmed OpenStack's charms speak. All keys live in unit databags. A unit asks with
``username`` and ``vhost``; when it wants several, both are prefixed, ``nova_username``. Each unit of the broker
answers with its own ``hostname``, and ``password``, prefixed alike; clients know them all.

Beside them, and only here: a client that says ``takes-username`` goes by the ``username`` of the answer, prefixed
alike. So a password can be rotated without a lost request: the broker has two accounts for each user, which are in
force in turn. ``turn`` counts the rotations; of two units that answer differently, the one with more is right.

A unit that offers TLS gives ``ssl_port``, as in Charmed OpenStack, and ``ssl_ca``
(:mod:`~charmkit.relations.server_tls`). A client comes by TLS to all members or to none: once all that answer offer it,
and from then on, as it says by ``tls-ca``, as long as one does, to those that do.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from . import (
    Databag,
    Need,
    Relation,
    Site,
    certificates,
    host_in_url,
    server_tls,
    sharing,
    unit_order,
)

PORT = 5672
TLS_PORT = 5671

_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}')
_VHOST = re.compile(r'[A-Za-z0-9_./-]{1,64}')
_PASSWORD = re.compile(r'[!-~]{1,512}')
_HOST = re.compile(r'[A-Za-z0-9.:\[\]_-]{1,255}')
_MOST_ACCOUNTS = 16
"""That one unit may ask for."""
_TURN = re.compile(r'[0-9]{1,9}')
_PORT = re.compile(r'[1-9][0-9]{0,4}')


@dataclasses.dataclass(frozen=True)
class Broker:
    """A virtual host that this unit may use, and where."""

    hosts: tuple[str, ...]
    """Every member of the cluster, the one that this unit should try first at the front."""
    user: str
    vhost: str
    password: str = dataclasses.field(repr=False)
    port: int = PORT
    ca: str = dataclasses.field(default='', repr=False)
    """Whom to trust, PEM: the members are to be verified; '' where they offer no TLS."""
    ca_path: str = dataclasses.field(default='', repr=False)
    """The file on this machine that has it."""

    @property
    def transport_url(self) -> str:
        """Where oslo.messaging finds it (oslo.messaging's documentation, TransportURL)."""
        login = f'{quote(self.user, safe="")}:{quote(self.password, safe="")}'
        members = (f'{login}@{host_in_url(h)}:{self.port}' for h in self.hosts)
        return f'rabbit://{",".join(members)}/{self.vhost}'


def need(
    user: str, vhost: str = 'openstack', *, prefix: str = '', relation: str = 'amqp'
) -> Need[Broker]:
    """An account called *user* that may do all in *vhost*; *prefix* tells several on one relation apart."""
    p = f'{prefix}_' if prefix else ''

    def request(site: Site) -> Databag:
        return {f'{p}username': user, f'{p}vhost': vhost, f'{p}takes-username': 'true'}

    def read(relations: tuple[Relation, ...], site: Site) -> Broker | None:
        return next((b for r in relations if (b := _parse(r, site, user, vhost, p))), None)

    def refusal(relations: tuple[Relation, ...], _: Site) -> str:
        bags = [bag for each in relations for bag in each.remote_databags()]
        wrong = (_unreadable(bag) for bag in bags if bag.get(server_tls.CA))
        return next(filter(None, wrong), '')

    return Need(relation, request, read, f'{relation} {prefix}'.strip(), refusal=refusal)


@dataclasses.dataclass(frozen=True)
class _Member:
    host: str
    user: str
    password: str = dataclasses.field(repr=False)
    turn: int
    bag: Databag = dataclasses.field(repr=False)

    @property
    def offers(self) -> bool:
        """TLS, whether what it says of it can be read or not."""
        return bool(self.bag.get(server_tls.CA))


def _parse(relation: Relation, site: Site, user: str, vhost: str, p: str) -> Broker | None:
    every = [m for bag in relation.remote_databags() if (m := _member(bag, user, p))]
    # Once by TLS, never without because of one that does not offer it yet, or of what cannot be read.
    verifies = bool(relation.published.get(server_tls.IN_FORCE))
    by_tls = any(m.offers for m in every) and (verifies or all(m.offers for m in every))
    if by_tls:
        every = [m for m in every if m.offers and not _unreadable(m.bag)]
    if not every:
        return None
    newest = max(every, key=lambda m: m.turn)
    port, ca, path = PORT, '', ''
    if by_tls:
        port = int(every[0].bag['ssl_port'])
        every = [m for m in every if int(m.bag['ssl_port']) == port]
        ca = _together(server_tls.authorities(m.bag) for m in every)
        path = f'/etc/ssl/{site.app}-{relation.name}.pem'
    hosts = spread(dict.fromkeys(m.host for m in every), site.unit)
    return Broker(hosts, newest.user, vhost, newest.password, port, ca, path)


def _member(bag: Databag, user: str, p: str) -> _Member | None:
    host = bag.get('hostname') or bag.get('private-address', '')
    name, password = bag.get(f'{p}username', user), bag.get(f'{p}password', '')
    if not (_HOST.fullmatch(host) and _NAME.fullmatch(name) and _PASSWORD.fullmatch(password)):
        return None
    turn = bag.get(f'{p}turn', '')
    return _Member(host, name, password, int(turn) if _TURN.fullmatch(turn) else 0, bag)


def _unreadable(bag: Databag) -> str:
    """What is wrong with an offer of TLS; '' for nothing."""
    port = bag.get('ssl_port', '')
    if not (_PORT.fullmatch(port) and int(port) < 65536):
        return f'ssl_port is {port[:20]!r}, which is no port'
    return '' if server_tls.authorities(bag) else server_tls.UNREADABLE


def _together(texts: Iterable[str]) -> str:
    """All authorities, in an order that does not hang on who says them."""
    every = {pem for text in texts for pem in certificates.pem_blocks(text)}
    return ''.join(f'{pem}\n' for pem in sorted(every))


def spread(hosts: Iterable[str], unit: str) -> tuple[str, ...]:
    """*hosts* in the order in which *unit* is to try them.

    The units of an application begin at different ones, as evenly as their numbers allow; applications begin at
    different ones too, and what one host loses is spread over the others: every second unit goes on the other way.
    """
    every = [*hosts]
    if not every:
        return ()
    app, number = unit_order(unit)
    start = int(hashlib.sha256(app.encode()).hexdigest()[:8], 16) + number
    first = start % len(every)
    rotated = [*every[first:], *every[:first]]
    if number // len(every) % 2:
        rotated[1:] = reversed(rotated[1:])
    return tuple(rotated)


@dataclasses.dataclass(frozen=True)
class Request:
    """What one unit asks for: an account, and a virtual host in which it may do all."""

    unit: str
    prefix: str
    user: str
    vhost: str
    takes_username: bool = False
    """It goes by the user name of the answer, which is another one after a rotation."""
    tls: str = ''
    """What it verifies the members by (:func:`server_tls.mark`); '' while it comes without TLS."""


@dataclasses.dataclass(frozen=True)
class Account:
    """What the broker has for a user: the answer to one request."""

    name: str
    password: str = dataclasses.field(repr=False)
    turn: int = 0
    """How often the password was rotated."""


Refusal = sharing.Refusal


def requests(
    relation: Relation, kept: Iterable[Request] = ()
) -> tuple[tuple[Request, ...], tuple[Refusal, ...]]:
    """What the units of *relation* ask for, and what of that is refused; *kept*: see :func:`sharing.requests`."""
    return sharing.requests(
        relation, kept, prefixes=_prefixes, read=_read, most=(_MOST_ACCOUNTS, 'accounts')
    )


def response(
    address: str, granted: Iterable[Request], accounts: Mapping[Request, Account], *, ca: str = ''
) -> dict[str, str]:
    """What a unit of the broker that is reached at *address* publishes on one relation once *granted* hold.

    Units of one application ask for the same; where they do not, the last one's answer stands. *ca* is whom to trust,
    PEM; '' offers no TLS.
    """
    out: dict[str, str] = {}
    for request in granted:
        p = f'{request.prefix}_' if request.prefix else ''
        account = accounts[request]
        out[f'{p}password'] = account.password
        if request.takes_username:
            out |= {f'{p}username': account.name, f'{p}turn': str(account.turn)}
    if not out:
        return {}
    tls = {'ssl_port': str(TLS_PORT), server_tls.CA: server_tls.encoded(ca)} if ca else {}
    return {**out, **tls, 'hostname': address, 'private-address': address}


def _prefixes(bag: Databag) -> set[str]:
    found = {
        key.removesuffix(end)
        for end in ('_username', '_vhost')
        for key in bag
        if key.endswith(end)
    }
    return found | ({''} if {'username', 'vhost'} & bag.keys() else set())


def _read(unit: str, prefix: str, bag: Databag, once: bool) -> Request | None:
    """The request at *prefix*; None when nothing is said, or not everything yet.

    Raises:
        ValueError: for nonsense, and for half a request where there was *once* a whole one.
    """
    p = f'{prefix}_' if prefix else ''
    user, vhost = bag.get(f'{p}username', ''), bag.get(f'{p}vhost', '')
    if not (user and vhost):
        if once and (user or vhost):
            raise ValueError(f'{p}{"vhost" if user else "username"} is missing')
        return None
    if not _NAME.fullmatch(user) or user.lower() == 'guest' or user.endswith(SECOND):
        raise ValueError(f'user name {user[:80]!r} is not allowed')
    if not _VHOST.fullmatch(vhost):
        raise ValueError(f'virtual host {vhost[:80]!r} is not allowed')
    takes_username = bag.get(f'{p}takes-username') == 'true'
    return Request(unit, prefix, user, vhost, takes_username, server_tls.read_mark(bag))


SECOND = '.2'
"""Ends the name of the second account of each user."""
