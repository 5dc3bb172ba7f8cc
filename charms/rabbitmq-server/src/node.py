"""What the machine of a member must look like, from what Juju says. Pure.

A node is named after its unit (``rabbit@rabbitmq-server-0``), and Erlang finds the others' addresses in a file of the
charm's own: so neither the machine's host name nor a name server has a say in who is who.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import amqp_tls
import broker
import charmkit
import membership
import succession
from charmkit import host, rolling, state
from charmkit.options import Option, count
from charmkit.relations import host_in_url, rabbitmq, unit_order

ENVIRONMENT = '/etc/rabbitmq/rabbitmq-env.conf'
CONFIG = '/etc/rabbitmq/rabbitmq.conf'
INETRC = '/etc/rabbitmq/erl_inetrc'
HOSTS = '/etc/rabbitmq/hosts'
COOKIE = '/var/lib/rabbitmq/.erlang.cookie'
SERVICE = broker.SERVICE
PACKAGES = frozenset({'rabbitmq-server'})
KEYS = 'keys'
"""The Juju secret: what passwords are derived from, and the cookie that nodes know each other by."""
MEMBERS = 'members'
"""In a unit's data on the peer relation: the members of the cluster that it is in, in JSON."""
CLUSTERING_PORT = 25672

_NOTE = '# Written by the charm: local changes are overwritten.'
_MIB = 1 << 20
_DISK_MIB = 1024
_MEMORY_PERCENT = 40


def secret(inputs: charmkit.Inputs, key: str) -> str:
    """The ``seed`` or the ``cookie``; '' until the leader has made them."""
    return inputs.secrets.get(inputs.peers.get(KEYS, ''), {}).get(key, '')


def secrets(inputs: charmkit.Inputs) -> dict[str, state.Secret]:
    """Before there is a peer relation its URI could not be kept."""
    if inputs.peers.get(KEYS) or not inputs.my_peer_data:
        return {}
    content = {key: state.password(inputs, key, 64) for key in ('seed', 'cookie')}
    return {KEYS: state.Secret(content=content, description='passwords, and the Erlang cookie')}


def prepared() -> host.Host:
    """What a machine needs before anything is known of the cluster."""
    return host.Host(packages=PACKAGES)


def desired(inputs: charmkit.Inputs, *, stopped: bool = False) -> host.Host:
    """The server with its files; *stopped* while it is paused, or leaves."""
    if not secret(inputs, 'cookie'):
        # A member whose secret cannot be read for a while goes on with the cookie that it has.
        idle = stopped or MEMBERS not in inputs.my_peer_data
        return host.Host(packages=PACKAGES, services=(_service('stopped'),) if idle else ())
    return host.Host(
        packages=PACKAGES,
        files=(*files(inputs),),
        services=(_service('stopped' if stopped else 'running'),),
    )


def _service(wanted: str) -> host.SystemdService:
    # No probe: a node that waits for the majority listens nowhere, and starting it again would not help it.
    return host.SystemdService(SERVICE, 'running' if wanted == 'running' else 'stopped')


def files(inputs: charmkit.Inputs) -> Iterator[host.File]:
    """All that RabbitMQ and Erlang read."""
    yield host.File(
        path=COOKIE,
        content=secret(inputs, 'cookie'),
        owner='rabbitmq',
        group='rabbitmq',
        mode=0o400,
        notify=(SERVICE,),
    )
    yield host.File(path=INETRC, content=_INETRC, notify=(SERVICE,))
    yield host.File(path=HOSTS, content=_hosts(inputs))  # Erlang looks at it again by itself.
    yield host.File(path=ENVIRONMENT, content=_environment(inputs), notify=(SERVICE,))
    tls = amqp_tls.decide(inputs)
    if tls.pem:  # Before what refers to it.
        yield host.File(path=amqp_tls.PEM, content=tls.pem, group='rabbitmq', mode=0o640)
    local, clients = _listeners(inputs)
    listeners = (local, *((clients,) if tls.plain else ()), *tls.lines)
    yield host.File(
        path=CONFIG,
        content='\n'.join((_NOTE, *listeners, *_limits(inputs), '')),
        notify=(SERVICE,),
        # The rest is put in force while it runs: all members would restart at the same time.
        revision=host.digest('\n'.join((local, clients))),
    )


_INETRC = f"""%% {_NOTE[2:]}
{{lookup, [file, native]}}.
{{hosts_file, "{HOSTS}"}}.
"""


def _hosts(inputs: charmkit.Inputs) -> str:
    every = {
        inputs.site.unit: inputs.site.address_on('peers'),
        **rolling.addresses(inputs.peer_units),
    }
    rows = (f'{every[u]} {u.replace("/", "-")}' for u in sorted(every, key=unit_order))
    return '\n'.join((_NOTE, *rows, ''))


def _environment(inputs: charmkit.Inputs) -> str:
    address = inputs.site.address_on('peers')
    arguments: list[str] = []
    if ':' in address:
        arguments = ['-proto_dist inet6_tcp']
        lines = [f"SERVER_ADDITIONAL_ERL_ARGS='{arguments[0]}'", f"CTL_ERL_ARGS='{arguments[0]}'"]
    else:
        where = ','.join(address.split('.'))
        lines = [f"SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {{{where}}}'"]
    return '\n'.join(
        (
            _NOTE,
            f'NODENAME={membership.node(inputs.site.unit)}',
            f'export ERL_INETRC={INETRC}',
            *lines,
            '',
        )
    )


def _listeners(inputs: charmkit.Inputs) -> tuple[str, str]:
    return (
        f'listeners.tcp.local = 127.0.0.1:{rabbitmq.PORT}',
        f'listeners.tcp.clients = {host_in_url(inputs.site.address_on("amqp"))}:{rabbitmq.PORT}',
    )


def settings(inputs: charmkit.Inputs) -> broker.Settings:
    """What takes effect without a restart."""
    percent = int(inputs.options.get('memory-watermark', 0)) or _MEMORY_PERCENT
    disk = int(inputs.options.get('disk-free-limit', 0)) or _DISK_MIB
    units = 1 + len(succession.alike(inputs))
    return broker.Settings(
        memory_bytes=inputs.facts.memory_mib * _MIB * percent // 100,
        disk_bytes=disk * _MIB,
        # Of two, neither is the majority: each would wait for the other.
        partitions='pause_minority' if units > 2 else 'autoheal',
    )


def _limits(inputs: charmkit.Inputs) -> tuple[str, ...]:
    now = settings(inputs)
    return (
        f'vm_memory_high_watermark.absolute = {now.memory_bytes}',
        f'disk_free_limit.absolute = {now.disk_bytes}',
        f'cluster_partition_handling = {now.partitions}',
        'queue_leader_locator = balanced',
    )


def options() -> tuple[Option, ...]:
    """The operator's."""
    return (
        Option(
            'memory-watermark',
            count(10, 80, 'per cent', or_zero=True),
            0,
            "How much of the machine's memory messages may take before publishers have to wait. 0 takes 40 per cent.",
        ),
        Option(
            'disk-free-limit',
            count(50, 16_777_216, 'MiB', or_zero=True),
            0,
            'Publishers wait when less than this is left on the disk. 0 takes 1024 MiB.',
        ),
        Option(
            'notification-ttl',
            count(0, 2_592_000, 's'),
            3600,
            'How long a notification is kept that nobody fetches. 0 keeps them for good.',
        ),
    )


def version(inputs: charmkit.Inputs) -> str:
    """As its users know it."""
    return inputs.versions.get('rabbitmq-server', '').rpartition(':')[2].partition('-')[0]


def others(inputs: charmkit.Inputs) -> Iterable[str]:
    """The other units."""
    return sorted(inputs.peer_units, key=unit_order)
