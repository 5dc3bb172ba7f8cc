"""Units whose RabbitMQ is of another series than that which serves: who they are, and what they say. Pure.

RabbitMQ 4.0 neither starts on what 3.10 has left nor joins it. So units on a newer base are a broker of their own that
*follows*: it has the same accounts, virtual hosts and lasting queues, and no clients. When the operator says so (the
action ``switch-over``) the server stops, and hands its clients on to it until it is removed. Messages that somebody
waits for are delivered before; what nobody consumes stays where it is.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, cast

import charmkit
from charmkit import host
from charmkit.relations import Databag, host_in_url, rabbitmq, unit_order, wire

SERIES = 'series'
"""In a unit's data on the peer relation: that of its RabbitMQ, such as ``3.10``; in the application's: that which
serves."""
SUCCESSOR = 'successor'
"""In the application's data there: the first member of the broker that follows."""
AMQP_HOST = 'amqp-host'
"""In a unit's data there: where clients reach it."""
HANDED = 'handed-over'
"""There: the unit that has taken this one's place, and its address (:class:`Handed`)."""
FOLLOWS = 'follows'
"""There: this unit's broker follows, and has the definitions of this digest."""
SERVES = 'serves'
"""There: this unit was published to clients of a former server."""
DEFINITIONS = 'definitions'
"""There: the server's virtual hosts and lasting queues, as RabbitMQ exports them; no user, no password."""
Role = Literal['member', 'follower', 'former', 'apart']

RELAY = 'rabbitmq-relay'
SOCKET = f'{RELAY}.socket'
RELAYS = {rabbitmq.PORT: RELAY, rabbitmq.TLS_PORT: f'{RELAY}-tls'}
"""By the port that they hand on."""
_FOLDER = '/etc/systemd/system'
_PROXY = '/lib/systemd/systemd-socket-proxyd'
_NOTE = '# Written by the charm: local changes are overwritten.'
_VERSION = re.compile(r'(?:[0-9]+:)?([0-9]{1,4})\.([0-9]{1,4})(?:[.+~-]|$)')
_MOST_BYTES = 512 * 1024


@dataclasses.dataclass(frozen=True)
class Handed:
    """Who has taken a server's place."""

    to: str
    address: str


def read_handed(text: str) -> Handed | None:
    """Understand what :func:`write_handed` wrote; None for nothing."""
    data = wire.load_object(text)
    to, address = wire.text(data.get('to')), wire.text(data.get('address'))
    return Handed(to, address) if to and address else None


def write_handed(handed: Handed) -> str:
    """*handed* as a value of a databag."""
    return wire.dump(dataclasses.asdict(handed))


def series(version: str) -> str:
    """The series of a package's *version*: ``3.10.8-1.1+deb12u1`` is of ``3.10``; '' for what is none."""
    found = _VERSION.match(version)
    return f'{int(found[1])}.{int(found[2])}' if found else ''


def newer(one: str, other: str) -> bool:
    """Whether series *one* is newer than series *other*; what is not known is not."""
    return bool(one and other) and _numbers(one) > _numbers(other)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split('.'))


def mine(inputs: charmkit.Inputs) -> str:
    """That of this unit; '' while it is not installed."""
    return series(inputs.versions.get('rabbitmq-server', ''))


def said(bag: Databag) -> str:
    """That which a unit has said; '' for none, or nonsense."""
    return series(bag.get(SERIES, ''))


def bag_of(inputs: charmkit.Inputs, unit: str) -> Databag:
    """What *unit* says on the peer relation; nothing where it is not there."""
    return inputs.my_peer_data if unit == inputs.site.unit else inputs.peer_units.get(unit, {})


def handed(inputs: charmkit.Inputs) -> Handed | None:
    """To whom this unit has handed over."""
    return read_handed(inputs.my_peer_data.get(HANDED, ''))


def serving(inputs: charmkit.Inputs) -> str:
    """The series that serves; '' while nobody knows. A hand-over counts at once, before the leader has said it."""
    recorded = series(inputs.peers.get(SERIES, ''))
    for unit in (inputs.site.unit, *inputs.peer_units):
        after = read_handed(bag_of(inputs, unit).get(HANDED, ''))
        there = _series_of(inputs, after.to) if after else ''
        if newer(there, recorded):
            recorded = there
    return recorded


def _series_of(inputs: charmkit.Inputs, unit: str) -> str:
    return mine(inputs) if unit == inputs.site.unit else said(bag_of(inputs, unit))


def role(inputs: charmkit.Inputs) -> Role:
    """What this unit is to its application."""
    here, there = mine(inputs), serving(inputs)
    if handed(inputs):
        return 'former'
    if not here or not there or here == there:
        return 'member'
    return 'follower' if newer(here, there) else 'apart'


def alike(inputs: charmkit.Inputs) -> Mapping[str, Databag]:
    """The other units that may be members of one cluster with this one; a unit that has not said its series may."""
    here = mine(inputs)
    known = ('', here) if role(inputs) == 'member' else (here,)
    return {u: bag for u, bag in inputs.peer_units.items() if not here or said(bag) in known}


def followers(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """Units of a newer series than this server's, by number."""
    here = mine(inputs)
    newcomers = (u for u, bag in inputs.peer_units.items() if newer(said(bag), here))
    return tuple(sorted(newcomers, key=unit_order))


def app_data(inputs: charmkit.Inputs, founder: str, waits: str) -> dict[str, str]:
    """What the leader says: the series that serves, and who begins the one that follows.

    *waits* is how a unit says that its node runs and is in no cluster.
    """
    serves = serving(inputs)
    every = (inputs.site.unit, *inputs.peer_units)
    there = {u: _series_of(inputs, u) for u in every}
    known = {s for s in there.values() if s}
    if serves not in known and '' not in there.values():  # None of that series is here any more.
        serves = there.get(founder, '') or mine(inputs)
    follow = [u for u in sorted(every, key=unit_order) if newer(there[u], serves)]
    before = inputs.peers.get(SUCCESSOR, '')
    ready = [u for u in follow if bag_of(inputs, u).get(waits)]
    successor = before if before in follow else next(iter(ready), '')
    return {SERIES: serves, SUCCESSOR: successor}


def unit_data(inputs: charmkit.Inputs) -> dict[str, str]:
    """What each unit says beside its membership."""
    kept = (HANDED, FOLLOWS, SERVES, DEFINITIONS)
    return {
        SERIES: mine(inputs),
        AMQP_HOST: inputs.site.address_on('amqp'),
        **{k: v for k, v in inputs.my_peer_data.items() if k in kept},
    }


# --- What is carried over.


def portable(exported: str) -> str:
    """Of what ``rabbitmqctl export_definitions`` says, what a newer broker can take and no charm makes by itself.

    Users are the charm's to make. Mirrored queues are no more. A queue for replies or for what is fanned out is its
    client's, which makes it anew. '' where it is more than a databag should hold.
    """
    data = wire.load_object(exported)
    queues = [q for q in _objects(data, 'queues') if q.get('durable') and not _passing(q)]
    exchanges = [
        e
        for e in _objects(data, 'exchanges')
        if e.get('durable') and not str(e.get('name')).startswith('amq.')
    ]
    names = {(q.get('vhost'), q.get('name')) for q in queues}
    sources = {(e.get('vhost'), e.get('name')) for e in exchanges}
    kept = {
        'vhosts': [{'name': v['name']} for v in _objects(data, 'vhosts') if 'name' in v],
        'queues': queues,
        'exchanges': exchanges,
        'bindings': [
            b
            for b in _objects(data, 'bindings')
            if b.get('destination_type') == 'queue'
            and (b.get('vhost'), b.get('destination')) in names
            and (b.get('vhost'), b.get('source')) in sources
        ],
        'policies': [p for p in _objects(data, 'policies') if not _mirrors(p)],
    }
    text = json.dumps(kept, sort_keys=True, separators=(',', ':'))
    return text if len(text) <= _MOST_BYTES else ''


def _passing(queue: Mapping[str, Any]) -> bool:
    name = str(queue.get('name', ''))
    return name.startswith(('reply_', 'amq.')) or '_fanout' in name


def _mirrors(policy: Mapping[str, Any]) -> bool:
    definition = policy.get('definition')
    return isinstance(definition, dict) and any(
        str(key).startswith('ha-') for key in cast('dict[str, Any]', definition)
    )


def _objects(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [cast('Mapping[str, Any]', x) for x in wire.items(data.get(key)) if isinstance(x, dict)]


# --- A former server's machine.


def relay(here: str, there: str, ports: Iterable[int]) -> host.Host:
    """What hands clients of *here* on to *there*: systemd's own proxy. It and the server exclude each other."""
    return host.merge(*(_relay(here, there, port) for port in sorted(ports)))


def _relay(here: str, there: str, port: int) -> host.Host:
    listen, target = (f'{host_in_url(a)}:{port}' for a in (here, there))
    name = RELAYS[port]
    socket = f'{name}.socket'
    return host.Host(
        files=(
            host.File(
                path=f'{_FOLDER}/{name}.service',
                content=_SERVICE.format(target=target, socket=socket),
            ),
            host.File(path=f'{_FOLDER}/{socket}', content=_SOCKET.format(listen=listen)),
        ),
        services=(host.SystemdService(socket),),
    )


_SERVICE = f"""{_NOTE}
[Unit]
Description=Hands clients of the former message broker on
Requires={{socket}}
After={{socket}}

[Service]
ExecStart={_PROXY} --connections-max=8192 {{target}}
LimitNOFILE=32768
User=nobody
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=true
"""
_SOCKET = f"""{_NOTE}
[Unit]
Description=Where the former message broker was
Conflicts=rabbitmq-server.service
After=rabbitmq-server.service

[Socket]
ListenStream={{listen}}
FreeBind=true

[Install]
WantedBy=sockets.target
"""


_PORTS = tuple(f'{port:04X}' for port in RELAYS)


def connections(table: str) -> int:
    """How many clients are connected, by what ``/proc/net/tcp`` or ``tcp6`` says (proc(5)); loopback's are none."""
    return sum(1 for _ in _established(table))


def _established(table: str) -> Iterator[str]:
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) < 4 or words[3] != '01':
            continue
        address, _, port = words[1].rpartition(':')
        loopback = address in ('0100007F', '00000000000000000000000001000000') or (
            address.startswith('0000000000000000FFFF0000') and address.endswith('7F')
        )
        if port in _PORTS and not loopback:
            yield words[2]
