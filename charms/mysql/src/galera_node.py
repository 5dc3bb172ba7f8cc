"""The tasks that look at a member of the cluster, and move it: by the server's own statements and programs."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping

import charmkit
import galera
import grants
import server
from charmkit import machine as seam
from charmkit.relations import host_in_url, unit_order, wire

_log = logging.getLogger(__name__)

DATA = '/var/lib/mysql'
GRASTATE = f'{DATA}/grastate.dat'
HEALTH_PORT = 9200
SERVICE = 'mariadb'
_OWN_FOLDERS = frozenset({*grants.SYSTEM_DATABASES, 'lost+found'})
_WITHIN_S = 600.0
"""How long a hook waits for a member to take in what the cluster has; it goes on doing so after that."""
_STOP_S = 900.0
_TIMEOUT_S = 5.0

_LOOK = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_cluster_state_uuid', "
    "'wsrep_local_state', 'wsrep_ready', 'wsrep_last_committed');"
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_node_address', 'bind_address', 'wsrep_desync', "
    "'max_connections', 'innodb_buffer_pool_size', 'ssl_cert');"
)
_MEMBERS = 'SELECT node_name AS name FROM mysql.wsrep_cluster_members;'
_RECOVERED = 'WSREP: Recovered position'
_SYNCED, _DONOR, _OUT = '4', '2', '5'  # of wsrep's API: 5 is an error, shown as Inconsistent
_FORGET = f'rm -f {DATA}/grastate.dat {DATA}/gvwstate.dat {DATA}/galera.cache'
_FORGET_LOG = f'rm -f {DATA}/charm-binlog.*'
"""A member has no binary log; what is left of its own belongs to nobody."""
HALT = f"""
if mariadb-admin --protocol=socket --connect-timeout=3 ping >/dev/null 2>&1; then exec systemctl stop {SERVICE}; fi
systemctl stop --no-block {SERVICE}
systemctl kill --signal=KILL {SERVICE}
exec systemctl stop {SERVICE}
"""
"""Stops the server. One that waits for members of its last view hears no SIGTERM, and has nothing to lose."""
_MARK_SAFE = f"sed -i 's/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/' {GRASTATE}"


def name(unit: str) -> str:
    """What *unit* is called in the cluster."""
    return unit.replace('/', '-')


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemberProbe:
    """A member and those that it could ask."""

    here: galera.LocalState
    theirs: Mapping[str, galera.MemberStatus]
    """By unit; those that answered."""
    failed: str = ''
    """What was to be done and could not be, in words for the operator."""
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The server's variables and status, as far as they were asked for."""
    start: str = ''
    """Stands for this start of the server: another one may have brought another one's data."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProbeMember:
    """Look at this unit's server, and ask the others where it matters; the result is a :class:`Seen`."""

    me: str
    others: Mapping[str, str]
    """Addresses by unit."""
    wanted: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Variables that only a restart changes, and what they should be."""
    always: bool = False
    """Ask the others even while this one is well."""
    name: str = 'look'

    def carry_out(self, machine: charmkit.Machine) -> MemberProbe:
        """Look."""
        return look(machine, self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Act:
    """Take one step; the result is a :class:`Seen`, of what is after it."""

    step: galera.Step
    look: ProbeMember
    name: str = 'act'

    def carry_out(self, machine: charmkit.Machine) -> MemberProbe:
        """Take it, and wait until it has come to something."""
        _log.info('%s %s', self.step.verb, self.step.reason)
        failed = _act(machine, self.step)
        if not failed and self.step.verb in ('found', 'bootstrap', 'join', 'start', 'restart'):
            _wait(machine, within_s=_WITHIN_S if self.step.verb in ('join', 'restart') else 60.0)
        return dataclasses.replace(look(machine, self.look), failed=failed)


@dataclasses.dataclass(frozen=True)
class Single:
    """The cluster is over: this server stands alone from now on. The result is '' or why it does not."""

    name: str = 'single'

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Start it anew without the cluster, and forget that there was one."""
        member = _show(machine, _LOOK).get('wsrep_on') == 'ON'
        if member:
            _halt(machine)
        machine.program('sh', '-c', _FORGET)
        return _words(machine.program('systemctl', 'start', SERVICE, timeout_s=_STOP_S))


@dataclasses.dataclass(frozen=True)
class Discard:
    """Put this unit's data aside, and begin with none. The result is '' or why that cannot be done."""

    name: str = 'discard'

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Do it; what was put aside before is lost."""
        _halt(machine)
        aside = (
            f'set -e; rm -rf {DATA}.discarded; mkdir -m 700 {DATA}.discarded; '
            f'find {DATA} -mindepth 1 -maxdepth 1 ! -name lost+found -exec mv -t {DATA}.discarded {{}} +; '
            'mariadb-install-db --user=mysql --skip-test-db >/dev/null'
        )
        return _words(machine.program('sh', '-c', aside, timeout_s=600))


@dataclasses.dataclass(frozen=True)
class Settings:
    """Put in force what needs no restart: all members would restart at once. The result is what was said against it."""

    wanted: Mapping[str, int]
    name: str = 'settings'

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Change what is not as it should be."""
        seen = _show(machine, _LOOK)
        statements = [
            grants.Statement(f'set {k} {v}', f'SET GLOBAL {k} = {v};')
            for k, v in sorted(self.wanted.items())
            if k in seen and seen[k] != str(v)
        ]
        try:
            return '; '.join(server.execute(machine, statements))
        except server.ServerError as e:
            return str(e)


def look(machine: charmkit.Machine, what: ProbeMember) -> MemberProbe:
    """How this unit's member is, and what others answer if that matters."""
    shown = _unit(machine)
    active = shown.get('ActiveState', '')
    alive = active in ('active', 'activating', 'reloading')
    said = _show(machine, _LOOK) if alive else {}
    primary = said.get('wsrep_cluster_status') == 'Primary' and said.get('wsrep_ready') == 'ON'
    wsrep = said.get('wsrep_on') == 'ON' or (alive and not said and _is_set_up(machine))
    state = galera.grastate(machine.read(GRASTATE) or '')
    donor = said.get('wsrep_local_state') == _DONOR and said.get('wsrep_desync') == 'OFF'
    here = galera.LocalState(
        alive=alive,
        wsrep=wsrep,
        primary=wsrep and primary,
        synced=wsrep and primary and (said.get('wsrep_local_state') == _SYNCED or donor),
        uuid=said.get('wsrep_cluster_state_uuid', '') if primary else '',
        members=_members(machine) if wsrep and primary else frozenset(),
        state=state,
        data=bool(_databases(machine)),
        position=None if primary else _position(machine, said, state, alive=alive),
        out=wsrep and said.get('wsrep_local_state') == _OUT,
        stale=any(said.get(k, v) != v for k, v in what.wanted.items()) and bool(said),
    )
    theirs = ask(machine, what.others) if what.always or galera.needs_peers(here) else {}
    return MemberProbe(
        here=here, theirs=theirs, settings=said, start=shown.get('InvocationID', '')
    )


def _unit(machine: charmkit.Machine) -> dict[str, str]:
    """How systemd has it."""
    shown = machine.program('systemctl', 'show', '--property=ActiveState,InvocationID', SERVICE)
    return {k: v for k, _, v in (line.partition('=') for line in shown.output.splitlines())}


def ask(machine: charmkit.Machine, others: Mapping[str, str]) -> dict[str, galera.MemberStatus]:
    """What each of *others* says of itself; those that answer."""
    found: dict[str, galera.MemberStatus] = {}
    for unit, address in sorted(others.items(), key=lambda item: unit_order(item[0])):
        url = f'http://{host_in_url(address)}:{HEALTH_PORT}/'
        response = machine.http(seam.HttpRequest(url=url, timeout_s=_TIMEOUT_S))
        data = wire.load_object(response.body) if response.status in (200, 503) else {}
        if isinstance(data.get('primary'), bool):
            uuid = wire.text(data.get('uuid'))
            found[unit] = galera.MemberStatus(data['primary'], response.status == 200, uuid)
    return found


def _act(machine: charmkit.Machine, step: galera.Step) -> str:
    match step.verb:
        case 'found':
            _halt(machine)
            machine.program('sh', '-c', f'{_FORGET}; {_FORGET_LOG}')
            return _words(machine.program('galera_new_cluster', timeout_s=_STOP_S))
        case 'bootstrap':
            _halt(machine)
            machine.program('sh', '-c', _MARK_SAFE)
            return _words(machine.program('galera_new_cluster', timeout_s=_STOP_S))
        case 'join':
            _halt(machine)
            machine.program('sh', '-c', f'{_FORGET}; {_FORGET_LOG}')
            return _start(machine)
        case 'restart':
            _halt(machine)
            return _start(machine)
        case 'start':
            return _start(machine)
        case _:
            return ''


def _halt(machine: charmkit.Machine) -> None:
    machine.program('sh', '-c', HALT, timeout_s=_STOP_S)


def _start(machine: charmkit.Machine) -> str:
    """It may take as long as it takes to copy all data."""
    machine.program('systemctl', 'reset-failed', SERVICE)
    return _words(machine.program('systemctl', 'start', '--no-block', SERVICE))


def _wait(machine: charmkit.Machine, *, within_s: float) -> None:
    end = machine.now() + within_s
    while machine.now() < end:
        said = _show(machine, _LOOK)
        if said.get('wsrep_ready') == 'ON' and said.get('wsrep_local_state') == _SYNCED:
            return
        if _unit(machine).get('ActiveState') in ('failed', 'inactive'):
            return
        machine.sleep(1)


def _show(machine: charmkit.Machine, sql: str) -> dict[str, str]:
    """What ``SHOW`` shows; it does so in a component without a majority, too."""
    try:
        lines = server.output(machine, sql).splitlines()
    except server.ServerError:
        return {}
    return {k: v for k, _, v in (line.partition('\t') for line in lines) if k != 'Variable_name'}


def _members(machine: charmkit.Machine) -> frozenset[str]:
    try:
        rows = server.query(machine, _MEMBERS)
    except server.ServerError:
        return frozenset()
    names = (row['name'].rpartition('-') for row in rows)
    return frozenset(f'{app}/{number}' for app, _, number in names if number.isdecimal())


def _is_set_up(machine: charmkit.Machine) -> bool:
    return machine.read(CLUSTER) is not None


CLUSTER = '/etc/mysql/mariadb.conf.d/92-charm-cluster.cnf'


def _databases(machine: charmkit.Machine) -> Iterable[str]:
    """Folders of databases of clients: each has a ``db.opt`` (MariaDB Server documentation)."""
    return tuple(
        folder
        for folder in machine.names(DATA)
        if folder not in _OWN_FOLDERS and 'db.opt' in machine.names(f'{DATA}/{folder}')
    )


def _position(
    machine: charmkit.Machine, said: Mapping[str, str], state: galera.Grastate, *, alive: bool
) -> galera.Position | None:
    """How far it is: by its own word, by what it wrote when it stopped, or by what InnoDB has."""
    if committed := said.get('wsrep_last_committed'):
        return galera.position(f'{state.uuid}:{committed}')
    if not state.uuid:
        return None
    if state.seqno >= 0:
        return galera.position(f'{state.uuid}:{state.seqno}')
    if alive:
        output = machine.program(
            'journalctl', '--unit', SERVICE, '--output=cat', '--no-pager', '--lines=5000', '--boot'
        ).output
    else:
        output = machine.program(
            'mariadbd', '--user=mysql', '--wsrep-recover', '--disable-log-error', timeout_s=_STOP_S
        ).output
    lines = [line for line in output.splitlines() if _RECOVERED in line]
    return galera.position(lines[-1].rpartition(' ')[2].strip()) if lines else None


def _words(done: seam.Finished) -> str:
    """'' when it was done, else why not."""
    if not done.status:
        return ''
    return ' '.join(done.output.split())[-300:] or f'it ended with {done.status}'
