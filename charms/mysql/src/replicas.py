"""Units whose MariaDB is of another series than the server's: what they are, and what they say. Pure.

MariaDB neither clusters over two series nor copies files from one to the other. A unit on a newer base becomes a
*replica*: it takes a logical copy, follows the server by its binary log, and takes its place when the operator says so
(the action ``switch-over``). There is no way back: an older server does not follow a newer one. The unit that was the
server becomes a *former* server: it writes nothing any more, and hands its clients on until it is removed.

Source: MariaDB Server documentation: "Replication Between Different MariaDB Versions" (the replica may be newer, not
older), "Upgrading Between Major Versions".
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Literal

import binary_log
import charmkit
import grants
from charmkit import host, shared_secrets
from charmkit.relations import Databag, unit_order, wire

SERIES = 'series'
"""In a unit's data on the peer relation: the series of its server, such as ``10.11``."""
DB_HOST = 'db-host'
"""There: where clients reach the unit."""
SOURCE = 'source'
"""There: the units that can follow this server, parted by spaces."""
FOLLOWS = 'follows'
"""There: the server that this unit has copied and follows."""
HANDED = 'handed-over'
"""There: what a former server has handed over, and to whom (:class:`Handed`)."""
PASSWORD = 'replica-password'  # noqa: S105 -- the name of one
"""The Juju secret: what a replica logs in to its server with, and the server to the replica."""
USER = 'charm-replica'
Kind = Literal['server', 'replica', 'former', 'apart', 'none']

REPLICATION = '/etc/mysql/mariadb.conf.d/92-charm-replication.cnf'
CLOSED = '/etc/mysql/mariadb.conf.d/93-charm-handed-over.cnf'
"""A server with this file has given up what it had, or was about to: whatever starts it, it writes nothing."""
LOGIN = '/etc/mysql/charm-replica.cnf'
_NOTE = '# Written by the charm: local changes are overwritten.'
_VERSION = re.compile(r'(?:[0-9]+:)?([0-9]{1,4})\.([0-9]{1,4})(?:[.+~-]|$)')


def series(version: str) -> str:
    """The series of a package's *version*: ``1:10.11.6-0+deb12u1`` is of ``10.11``; '' for what is none."""
    found = _VERSION.match(version)
    return f'{int(found[1])}.{int(found[2])}' if found else ''


def newer(one: str, other: str) -> bool:
    """Whether series *one* is newer than series *other*."""
    return _numbers(one) > _numbers(other)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split('.') if n)


def mine(inputs: charmkit.Inputs) -> str:
    """The series of this unit's server; '' while it is not installed."""
    return series(inputs.versions.get('mariadb-server', ''))


def said(bag: Databag) -> str:
    """The series that a unit has said; '' for none, or nonsense."""
    return series(bag.get(SERIES, ''))


def bag_of(inputs: charmkit.Inputs, unit: str) -> Databag:
    """What *unit* says on the peer relation; nothing where it is not there."""
    return inputs.my_peer_data if unit == inputs.site.unit else inputs.peer_units.get(unit, {})


CLUSTER = 'cluster'
"""In the application's data on the peer relation: how a cluster is to be, if there is one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Handed:
    """What a server has handed over."""

    to: str
    """The unit that has it now."""
    address: str
    """Where that is reached."""
    position: str = ''
    """The last of its transactions (a GTID); whoever has it has all."""


def read_handed(text: str) -> Handed | None:
    """Understand what :func:`write_handed` wrote; None for nothing."""
    data = wire.load_object(text)
    to, address = wire.text(data.get('to')), wire.text(data.get('address'))
    position = wire.text(data.get('position'))
    return Handed(to=to, address=address, position=position) if to and address else None


def write_handed(handed: Handed) -> str:
    """*handed* as a value of a databag."""
    return wire.dump(dataclasses.asdict(handed))


def server(inputs: charmkit.Inputs, recorded: str) -> str:
    """The unit that holds the databases, if the leader has *recorded* that one, and it may have handed them over.

    One that has handed over does not hold them, whether or not the unit that has them is in sight.
    """
    for _ in range(len(inputs.peer_units) + 1):
        handed = read_handed(bag_of(inputs, recorded).get(HANDED, ''))
        if handed is None:
            return recorded
        recorded = handed.to
    return recorded


def kind(inputs: charmkit.Inputs, server: str) -> Kind:
    """What this unit is, where *server* holds the databases. ``none``: it has no part, or its part is not known yet."""
    me = inputs.site.unit
    if server == me:
        return 'server'
    if read_handed(inputs.my_peer_data.get(HANDED, '')):
        return 'former'
    here, there = mine(inputs), said(bag_of(inputs, server))
    if not here or not there or here == there:
        return 'none'
    return 'replica' if newer(here, there) else 'apart'


def replicas(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """Units that follow this one, or are to."""
    here = mine(inputs)
    found = (u for u, bag in inputs.peer_units.items() if here and newer(said(bag), here))
    return tuple(sorted((u for u in found if u in addresses(inputs)), key=unit_order))


def addresses(inputs: charmkit.Inputs) -> dict[str, str]:
    """Where the other units' servers are; those that have said it."""
    return {
        u: bag[DB_HOST]
        for u, bag in inputs.peer_units.items()
        if _is_address(bag.get(DB_HOST, ''))
    }


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return '%' not in text


def handed_over(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """Units that say that they have handed over."""
    every = inputs.peer_units.items()
    return tuple(
        sorted((u for u, bag in every if read_handed(bag.get(HANDED, ''))), key=unit_order)
    )


def formers(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """Units that have handed over and hand clients on, or may have: those of an older series.

    The new server may hear from the leader that it is the server before it hears from the former one that this has
    handed over: Juju tells of one databag after the other. Clients come by the former one from the first moment on.
    """
    here = mine(inputs)
    older = {u for u, bag in inputs.peer_units.items() if said(bag) and newer(here, said(bag))}
    return tuple(sorted({*handed_over(inputs), *(older if here else ())}, key=unit_order))


def sources(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """The addresses from which this server's clients may come by a relay, beside their own; a cluster has none."""
    if inputs.peers.get(CLUSTER):
        return ()
    there = addresses(inputs)
    here = (inputs.site.address_on('shared-db'),) if replicas(inputs) else ()
    return (*here, *(there[u] for u in formers(inputs) if u in there))


def passwords(inputs: charmkit.Inputs) -> shared_secrets.Chosen:
    """The password of replicas, chosen by the leader when the first one comes; a cluster has none."""
    there = inputs.peers.get(PASSWORD) or any(
        said(bag) and mine(inputs) and said(bag) != mine(inputs)
        for bag in inputs.peer_units.values()
    )
    alone = not inputs.peers.get(CLUSTER)
    return shared_secrets.decide((PASSWORD,) if there and alone else (), inputs)


def server_id(unit: str) -> int:
    """Of the server of *unit*: no two are alike, and none is the default."""
    return 100 + int(unit.rpartition('/')[2])


def configuration(inputs: charmkit.Inputs, *, follows: bool) -> host.File:
    """To follow and to be followed. A server that runs takes it up with its next restart, whatever that is for."""
    variables = {'server_id': str(server_id(inputs.site.unit)), **binary_log.variables(inputs)}
    if follows:
        variables |= {'read_only': 'ON', 'relay_log': 'charm-relay', 'relay_log_recovery': 'ON'}
    lines = (f'{k} = {v}' for k, v in variables.items())
    return host.File(path=REPLICATION, content='\n'.join((_NOTE, '[mariadbd]', *lines, '')))


def login(password: str) -> host.File:
    """What the clients of the charm log in to the other server with."""
    # A client of 11.4 or newer wants TLS, which a server without certificates does not have.
    content = f'{_NOTE}\n[client]\nuser = {USER}\npassword = {password}\nskip-ssl\n'
    return host.File(path=LOGIN, content=content, mode=0o600)


_MAY = (
    'SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, RELOAD, PROCESS, REPLICATION SLAVE, BINLOG MONITOR, '
    'SLAVE MONITOR, REPLICATION SLAVE ADMIN, READ_ONLY ADMIN, CONNECTION ADMIN'
)
"""To be copied and followed; and, on the replica, for the server that hands over to it."""


def accounts(
    seen: Mapping[grants.Account, tuple[str, ...]], wanted: frozenset[str], password: str
) -> Iterator[grants.Statement]:
    """What lets replicas in, each at one of the addresses *wanted*, and nobody else by that name."""
    hashed = grants.hashed(password)
    for address in sorted(wanted):
        account = grants.Account(USER, address)
        if seen.get(account) == (hashed,):
            continue
        name = grants.written(account)
        yield grants.Statement(
            f'let the replica at {address} in',
            f"CREATE OR REPLACE USER {name} IDENTIFIED VIA {grants.NATIVE} USING '{hashed}';",
        )
        yield grants.Statement(
            f'let the replica at {address} follow', f'GRANT {_MAY} ON *.* TO {name};'
        )
    for account in sorted(a for a in seen if a.user == USER and a.host not in wanted):
        yield grants.Statement(
            f'let nobody in at {account.host} as a replica',
            f'DROP USER IF EXISTS {grants.written(account)};',
        )
