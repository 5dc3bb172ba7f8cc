"""What the machine of a MariaDB server must look like, from what Juju says. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

import binary_log
import charmkit
import galera
import grants
import replicas
from charmkit import host, rotation, state
from charmkit.options import Option, count
from charmkit.relations import mysql

CONFIG = '/etc/mysql/mariadb.conf.d/90-charm.cnf'
CHARACTERS = '/etc/mysql/mariadb.conf.d/91-charm-characters.cnf'
DROP_IN = '/etc/systemd/system/mariadb.service.d/charm.conf'
BACKUPS = '/var/backups/mysql-charm'
SEED = 'seed'
SERVER = 'server'
WRITER = 'writer'
"""In the application's data on the peer relation: whom clients are sent to (:class:`galera.Writer`)."""
PACKAGES = frozenset({'mariadb-server'})
DATA = '/var/lib/mysql'
RUNS_ON = 'runs-on'
"""In the unit's memory: the server ran at the end of the last run."""
STOPPED_AT = 'stopped-at'
"""In the unit's memory: when the server was last found stopped; seconds since the epoch."""

UTF8 = 'utf8'
"""In the application's data on the peer relation: what ``utf8`` means on all servers, if it is ``utf8mb3``."""

_SHOWN_S = 3600.0
"""How long a status says that the server was found stopped."""
_NOTE = '# Written by the charm: local changes are overwritten.'

# The server listens on a literal address, which must be there when the machine starts.
_DROP_IN = f"""{_NOTE}
[Unit]
Wants=network-online.target
After=network-online.target

[Service]
Restart=on-failure
RestartSec=3
"""


# What MariaDB itself says of the options in a file (their names, and what it cannot read in a value), before the file
# takes the place of the old one. It ends with 0 for some errors, but names them all.
CHECK = (
    'said=$(mariadbd --defaults-file="$1" --user=mysql --help --verbose 2>&1 >/dev/null); status=$?; '
    'if echo "$said" | grep -F "[ERROR]"; then exit 1; fi; exit $status'
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """All that is asked over ``shared-db``: by relation id, and what was refused."""

    requests: Mapping[int, tuple[mysql.Request, ...]]
    refusals: tuple[mysql.Refusal, ...]


def asked(inputs: charmkit.Inputs) -> Asked:
    """Read every relation on ``shared-db``; one that asks for nonsense hurts no other, and keeps what it had."""
    kept = requests_kept(inputs)
    by_relation: dict[int, tuple[mysql.Request, ...]] = {}
    refusals: list[mysql.Refusal] = []
    for relation in inputs.of('shared-db'):
        before = kept.get(relation.id, ())
        by_relation[relation.id], refused = mysql.requests(relation, before)
        refusals += refused
    return Asked(by_relation, tuple(refusals))


REQUESTS = 'requests'
"""In the unit's memory: what was asked for and met last, by relation id."""


def keep_requests(found: Asked) -> dict[str, object]:
    """*found* as a value of the unit's memory."""
    return {
        str(relation): [
            [r.unit, r.prefix, r.database, r.user, *r.hosts, *_mark(r)] for r in requests
        ]
        for relation, requests in found.requests.items()
        if requests
    }


def requests_kept(inputs: charmkit.Inputs) -> dict[int, tuple[mysql.Request, ...]]:
    """What :func:`keep_requests` wrote."""
    kept: Mapping[str, list[list[str]]] = inputs.memory.get(REQUESTS, {})
    return {
        int(relation): tuple(_request(*fields) for fields in every)
        for relation, every in kept.items()
    }


def _mark(request: mysql.Request) -> tuple[str, ...]:
    return (f'{_TLS}{request.tls}',) if request.tls else ()


_TLS = 'tls '


def _request(unit: str, prefix: str, database: str, user: str, *more: str) -> mysql.Request:
    hosts = tuple(text for text in more if not text.startswith(_TLS))
    tls = next((text.removeprefix(_TLS) for text in more if text.startswith(_TLS)), '')
    return mysql.Request(unit, prefix, database, user, hosts, tls)


def seed(inputs: charmkit.Inputs) -> str:
    """What every password is derived from; '' until the leader has made it."""
    return inputs.secrets.get(inputs.peers.get(SEED, ''), {}).get('seed', '')


def server_unit(inputs: charmkit.Inputs, *, take_over: bool = False) -> str:
    """The one unit that holds the databases; the first leader decides, and it stays until it hands them over."""
    recorded = inputs.peers.get(SERVER, '')
    if inputs.site.leader and (take_over or not recorded):
        return inputs.site.unit
    return replicas.server(inputs, recorded)


def writer(inputs: charmkit.Inputs, server: str) -> galera.Writer:
    """Whom clients are sent to, where *server* alone holds the databases: what others have said counts no more."""
    before = galera.read_writer(inputs.peers.get(WRITER, ''))
    if inputs.peers.get(SERVER, '') in ('', server):
        return before
    return galera.Writer(before.unit, before.turn + 1, before.units)


def prepared() -> host.Host:
    """What a machine needs before it is known whether the databases are to be on it."""
    return host.Host(packages=PACKAGES)


def desired_state(inputs: charmkit.Inputs, *, take_over: bool = False) -> charmkit.Desired:
    """Everything but the grants, which are brought about when the server runs."""
    server = server_unit(inputs, take_over=take_over)
    base = charmkit.Desired(
        host=prepared(),
        app_data={'peers': shared(inputs, server)},
        unit_data={'peers': said(inputs)},
        secrets=secrets(inputs),
    )
    if server != inputs.site.unit:
        return dataclasses.replace(base, status=(_not_the_server(inputs, server),))
    runs = 'mariadb' not in inputs.failed
    return dataclasses.replace(
        base,
        host=server_host(inputs),
        ports=frozenset({mysql.PORT}),
        version=version(inputs),
        status=_status(inputs),
        memory={RUNS_ON: runs, STOPPED_AT: stopped_at(inputs)},
    )


def beside(inputs: charmkit.Inputs) -> charmkit.Desired:
    """What a unit has that is not the server, and has a part: a replica, or a former server."""
    return charmkit.Desired(
        host=prepared(),
        app_data={'peers': shared(inputs, server_unit(inputs))},
        unit_data={'peers': said(inputs)},
        secrets=secrets(inputs),
        version=version(inputs),
        status=replicas.passwords(inputs).status,
    )


def said(inputs: charmkit.Inputs) -> dict[str, str]:
    """What every unit says of itself on the peer relation."""
    here = replicas.mine(inputs)
    return {replicas.SERIES: here, replicas.DB_HOST: _address(inputs)} if here else {}


def server_host(inputs: charmkit.Inputs, *, follows: bool = False) -> host.Host:
    """The machine of a server that is no member of a cluster; one that *follows* another takes no writes."""
    return host.Host(
        packages=PACKAGES,
        directories=(host.Directory(path=BACKUPS, mode=0o700),),
        files=(
            config_file(inputs),
            drop_in(),
            replicas.configuration(inputs, follows=follows),
        ),
        services=(host.SystemdService('mariadb', probe=f'{_address(inputs)}:{mysql.PORT}'),),
    )


def config_file(inputs: charmkit.Inputs) -> host.File:
    """The server's configuration; a server that knows no such option, or value, refuses it."""
    return host.File(
        path=CONFIG,
        content=_config(inputs),
        notify=('mariadb',),
        check=('sh', '-c', CHECK, 'sh', '{path}'),
    )


def drop_in() -> host.File:
    """What systemd does when the server ends."""
    return host.File(path=DROP_IN, content=_DROP_IN)


def stopped_at(inputs: charmkit.Inputs) -> float:
    """When the server was last found stopped though nothing of this charm had stopped it; 0 for never."""
    found = inputs.memory.get(RUNS_ON) and inputs.started.get('mariadb') == 'start'
    return inputs.now if found else float(inputs.memory.get(STOPPED_AT, 0))


def characters(three_byte: bool) -> host.File:
    """What ``utf8`` means in the statements of clients from the next start on; until then, what it began with."""
    mode = 'UTF8_IS_UTF8MB3' if three_byte else ''
    return host.File(path=CHARACTERS, content=f'{_NOTE}\n[mariadbd]\nold_mode = {mode}\n')


def three_byte(inputs: charmkit.Inputs) -> bool:
    """Whether the leader has said that ``utf8`` means ``utf8mb3``.

    Each member of a cluster carries out clients' DDL itself: where it means two things, tables differ, and the cluster
    throws members out at the first row. So it is the leader's word, and in force before a member's server starts.
    """
    return inputs.peers.get(UTF8) == 'utf8mb3'


def shared(inputs: charmkit.Inputs, server: str) -> dict[str, str]:
    """What the leader tells all units, whether or not they are a cluster."""
    kept = {k: v for k, v in inputs.peers.items() if k in _KEPT}
    kept |= replicas.passwords(inputs).app_data
    if inputs.peers.get(SERVER, '') not in ('', server):
        kept[WRITER] = galera.write_writer(writer(inputs, server))
    return {SERVER: server, SEED: inputs.peers.get(SEED) or state.secret_uri(SEED), **kept}


_KEPT = (rotation.KEY, WRITER, UTF8, replicas.PASSWORD)


def secrets(inputs: charmkit.Inputs) -> dict[str, state.Secret]:
    """What the leader keeps, whether or not there is a cluster."""
    chosen = replicas.passwords(inputs).secrets
    # Before there is a peer relation its URI could not be kept.
    if inputs.peers.get(SEED) or not inputs.my_peer_data:
        return {**chosen}
    content = {'seed': state.password(inputs, SEED, 64)}
    seed_ = state.Secret(content=content, description='what passwords are derived from')
    return {SEED: seed_, **chosen}


def _not_the_server(inputs: charmkit.Inputs, server: str) -> state.Status:
    me = inputs.site.unit
    if not server:
        return state.Status('waiting', 'waiting for the leader to choose the database server')
    if server in inputs.peer_units or not inputs.site.leader:
        return state.Status(
            'waiting',
            f'the databases are on {server}; a cluster takes {galera.FEWEST} units: add one (juju add-unit '
            f'{inputs.site.app}), or remove this one (juju remove-unit {me})',
        )
    return state.Status(
        'blocked',
        f'{server} holds the databases and is not here: if it is gone for good, '
        f'run take-over on this unit and restore a backup',
    )


def _status(inputs: charmkit.Inputs) -> tuple[state.Status, ...]:
    refused = tuple(
        state.Status('blocked', f'refused {r.unit}: {r.reason}') for r in asked(inputs).refusals
    )
    others = tuple(
        state.Status('active', f'{name} has no part: a cluster takes {galera.FEWEST} units')
        for name in sorted(inputs.peer_units)
        if replicas.said(inputs.peer_units[name]) in ('', replicas.mine(inputs))
    )
    if not seed(inputs):
        return (*refused, state.Status('waiting', 'waiting for the secret of the passwords'))
    return (*refused, *others, *_found_stopped(inputs))


def _found_stopped(inputs: charmkit.Inputs) -> tuple[state.Status, ...]:
    at = stopped_at(inputs)
    if not at or inputs.now - at > _SHOWN_S:
        return ()
    when = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return (
        state.Status(
            'active', f'mariadb was found stopped and was started again at {when:%H:%M} UTC'
        ),
    )


def version(inputs: charmkit.Inputs) -> str:
    """As its users know it."""
    # 1:10.11.6-0+deb12u1 is 10.11.6 to its users.
    return inputs.versions.get('mariadb-server', '').rpartition(':')[2].partition('-')[0]


def _address(inputs: charmkit.Inputs) -> str:
    return inputs.site.address_on('shared-db')


def _config(inputs: charmkit.Inputs) -> str:
    lines = [f'{k} = {v}' if v else k for k, v in _variables(inputs).items()]
    return '\n'.join([_NOTE, '[mariadbd]', *lines, ''])


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large the server is."""

    pool_mib: int
    connections: int


def sizes(inputs: charmkit.Inputs) -> Sizes:
    """What the operator wants, or what suits the machine's memory."""
    memory_mib = inputs.facts.memory_mib
    pool = int(inputs.options.get('buffer-pool-mib', 0))
    connections = int(inputs.options.get('max-connections', 0))
    return Sizes(
        pool or _within(128, memory_mib // 4 // 128 * 128, 8192),
        connections or _within(256, memory_mib // 4, 4000),
    )


def bind_address(inputs: charmkit.Inputs) -> str:
    """Where the server listens: for clients, and for the operator on the machine itself."""
    return f'127.0.0.1,{_address(inputs)}'


def _variables(inputs: charmkit.Inputs) -> dict[str, str]:
    size = sizes(inputs)
    pool = size.pool_mib
    return {
        'bind-address': bind_address(inputs),
        'skip-name-resolve': '',
        'max_connections': str(size.connections),
        'max_allowed_packet': '64M',
        'innodb_buffer_pool_size': f'{pool}M',
        'innodb_log_file_size': f'{_within(96, pool // 8, 256)}M',
        'innodb_flush_log_at_trx_commit': '1',
        'innodb_file_per_table': 'ON',
        # Debian's defaults differ between the releases, and tables that were restored from an older one could not be
        # referred to. MariaDB before 11.2 does not know the last one.
        'character_set_server': 'utf8mb4',
        'collation_server': grants.COLLATION,
        'loose_character_set_collations': 'utf8mb3=utf8mb3_general_ci,utf8mb4=utf8mb4_general_ci',
    }


MOST_MIB = 16_777_216
"""More memory than any machine has, in MiB."""


def options(memory_mib: int) -> tuple[Option, ...]:
    """The operator's, on a machine with that much memory."""
    return (
        Option(
            'buffer-pool-mib',
            # An OpenStack database is small and hot, and the machine is often shared with the APIs.
            count(32, memory_mib, 'MiB', or_zero=True),
            0,
            "Size of InnoDB's buffer pool, at most the machine's memory. 0 takes a quarter of it, from 128 MiB to "
            '8 GiB.',
        ),
        Option(
            'max-connections',
            # A connection takes up to 3 MiB when it sorts; an API process keeps up to 50 of them. With fewer
            # than the pools of a handful of units keep open, every request of every service fails.
            count(100, 100_000, or_zero=True, least_kept=10),
            0,
            "How many connections the server takes at once. 0 takes one for every 4 MiB of the machine's memory, "
            'from 256 to 4000.',
        ),
        *binary_log.options(),
    )


def _within(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))
