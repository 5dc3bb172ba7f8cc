"""A replica's own tasks: the first copy, and following; and what the server does to be followed. An edge."""

from __future__ import annotations

import contextlib
import dataclasses

import charmkit
import grants
import mariadb
import relays
import replicas
import replication
import server
from charmkit import disks
from charmkit.relations import mysql

COPYING = f'{relays.FOLDER}/copying'
"""While it is there, what is in the databases of this unit is a copy that was not ended, and may be made anew."""
COPY_S = 4 * 3600.0
FOLLOW_S = 60
"""Seconds that a replica is given to catch up, each time that it is looked at."""
RESTART_S = 25
"""Seconds after which clients that wait for a restart go on by themselves."""
SPARE = 1.5
"""So many times as large as the databases is the room that a copy needs."""
FOLLOW = 'follow'
SOURCE = 'source'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Following:
    """How a replica is."""

    copied: bool = False
    behind: int | None = None
    """Seconds; None while it does not follow."""
    reason: str = ''
    """What is wrong."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Follow:
    """Copy the server at *address* unless that was done, and follow it; the result is :class:`Following`."""

    unit: str
    address: str
    password: str = dataclasses.field(repr=False)
    name: str = FOLLOW

    def carry_out(self, machine: charmkit.Machine) -> Following:
        """Do it."""
        try:
            here = self._here(machine)
            if not here.follows:
                refused = self._refused(machine, here) or self._copy(machine)
                if refused:
                    return Following(reason=refused)
            elif machine.read(COPYING) is not None:
                self._start(machine)
            elif here.source != self.address:
                server.output(machine, f'STOP SLAVE; {self._source()} START SLAVE;')
            elif not here.well and not here.said:
                server.output(machine, 'START SLAVE;')
            return self._caught_up(machine)
        except server.ServerError as e:
            return Following(reason=str(e))

    def _here(self, machine: charmkit.Machine) -> replication.There:
        rows = server.query(machine, replication.STATUS)
        return replication.state(replication.look(machine), rows)

    def _refused(self, machine: charmkit.Machine, here: replication.There) -> str:
        """Why nothing may be copied over what there is, or ''."""
        names = grants.client_databases(server.query(machine, grants.DATABASES))
        if (names or here.applied) and machine.read(COPYING) is None:
            what = ' '.join(names) or 'what it has applied'
            return (
                f'this unit has databases of its own ({what}) and follows nobody: nothing is copied over them; to be '
                'rid of them, remove the unit and add another one'
            )
        there = replication.there(machine, self.address)
        if there is None:
            return f'{self.unit} does not answer'
        if there.read_only:
            return f'{self.unit} takes no writes: nothing is copied from it'
        sizes = replication.over_there(machine, self.address, _SIZE)
        need = int(float(sizes[0]['bytes']) * SPARE) if sizes else 0
        left = sum(d.left for d in disks.ProbeDisks((mariadb.DATA,)).carry_out(machine))
        if left < need:
            return f'the disk has {left >> 20} MiB left, and a copy needs {need >> 20} MiB'
        return ''

    def _copy(self, machine: charmkit.Machine) -> str:
        """Copy all: the databases as of one moment, then what is beside them. Why it was not, or ''."""
        names = grants.client_databases(
            replication.over_there(machine, self.address, grants.DATABASES)
        )
        if not names:
            return f'{self.unit} holds no database yet'
        replication.end_clients(machine)
        machine.write(COPYING, f'{self.unit}\n', 0o644)
        for argv in (_data(self.address, names), _routines(self.address), _accounts(self.address)):
            done = machine.program(*argv, timeout_s=COPY_S)
            if done.status:
                said = ' '.join(done.output.split())[-300:] or f'it ended with {done.status}'
                return f'the copy of {self.unit} failed: {said}'
        server.output(machine, self._source())
        self._start(machine)
        return ''

    def _source(self) -> str:
        login = f"MASTER_USER='{replicas.USER}', MASTER_PASSWORD='{self.password}'"
        return (
            f"CHANGE MASTER TO MASTER_HOST='{self.address}', MASTER_PORT={mysql.PORT}, {login}, "
            'MASTER_CONNECT_RETRY=2, MASTER_USE_GTID=slave_pos, MASTER_SSL=0;'
        )

    def _start(self, machine: charmkit.Machine) -> None:
        # What follows may be opened at any moment: from here on nothing may be copied over it.
        machine.program('rm', '-f', COPYING)
        server.output(machine, 'START SLAVE;')

    def _caught_up(self, machine: charmkit.Machine) -> Following:
        ends = machine.now() + FOLLOW_S
        while True:
            here = self._here(machine)
            if here.said and not here.well:
                return Following(copied=True, behind=here.behind, reason=here.said[:300])
            if (here.well and here.behind == 0) or machine.now() > ends:
                return Following(copied=True, behind=here.behind)
            machine.sleep(0.5)


_SIZE = (
    'SELECT COALESCE(SUM(data_length + index_length), 0) AS bytes FROM information_schema.tables '
    "WHERE table_schema NOT IN ('information_schema', 'performance_schema', 'sys');"
)
_DUMP = (
    f'mariadb-dump --defaults-extra-file={replicas.LOGIN} --protocol=tcp --host="$1" '
    '--default-character-set=utf8mb4 '
)
_LOAD = (
    # Nobody follows a copy that is being made, and its own binary log would be as large again.
    " | mariadb --protocol=socket --binary-mode --default-character-set=utf8mb4 --init-command='SET sql_log_bin = 0'"
)


def _data(address: str, names: tuple[str, ...]) -> tuple[str, ...]:
    script = (
        'set -o pipefail; address=$1; shift; set -- "$address" "$@"; '
        + _DUMP
        + '--single-transaction --quick --routines --events --triggers --hex-blob --add-drop-database --master-data=1 '
        '--gtid --databases "${@:2}"' + _LOAD
    )
    return ('bash', '-c', script, 'bash', address, *names)


def _routines(address: str) -> tuple[str, ...]:
    """The charm's own procedure is among the servers' own: accounts may call it, and what follows grants that."""
    only = '--routines --no-create-info --no-data --skip-triggers --skip-events mysql'
    return ('bash', '-c', f'set -o pipefail; {_DUMP}{only}{_LOAD} mysql', 'bash', address)


def _accounts(address: str) -> tuple[str, ...]:
    """Those that an operator made come along; the servers' own are there already."""
    script = 'set -o pipefail; ' + _DUMP + '--system=users --insert-ignore' + _LOAD
    return ('bash', '-c', script, 'bash', address)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Let the units at *addresses* follow this server, which is at *here*; the result is what is wrong, or ''.

    A server that was made without a binary log is restarted once; clients are held meanwhile.
    """

    here: str
    addresses: frozenset[str]
    password: str = dataclasses.field(repr=False)
    name: str = SOURCE

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Do what is not done."""
        try:
            seen = replication.look(machine)
            if seen['log_bin'] not in ('1', 'ON'):
                self._restart(machine)
                seen = replication.look(machine)
                if seen['log_bin'] not in ('1', 'ON'):
                    return 'its binary log is off, also after a restart: see its configuration'
            rows = server.query(machine, grants.ACCOUNTS)
            there = grants.observed([], rows, []).accounts
            if not seen['written']:  # Nothing says yet how far it is.
                there = {a: w for a, w in there.items() if a.user != replicas.USER}
            refused = server.execute(
                machine, replicas.accounts(there, self.addresses, self.password)
            )
        except (server.ServerError, relays.RelayError) as e:
            return str(e)
        return '; '.join(refused)

    def _restart(self, machine: charmkit.Machine) -> None:
        with contextlib.suppress(server.ServerError):
            _write_dirty_pages(machine)
        relays.hold(machine, self.here, self.addresses, RESTART_S)
        try:
            relays.empty(machine, machine.now() + relays.MOST_S)
            done = machine.program('systemctl', 'restart', 'mariadb', timeout_s=300)
            if done.status:
                raise server.ServerError(f'mariadb was not restarted: {done.output[-300:]}')
        finally:
            relays.release(machine, self.here)


_DIRTY = (
    'SELECT variable_value AS pages FROM information_schema.global_status WHERE variable_name = '
    "'Innodb_buffer_pool_pages_dirty';"
)
_FEW_PAGES = 1000


def _write_dirty_pages(machine: charmkit.Machine) -> None:
    """Before anybody is held: a server that stops has to write them first. A minute at most."""
    server.output(machine, 'SET GLOBAL innodb_max_dirty_pages_pct = 0;')
    ends = machine.now() + 60
    while machine.now() < ends and int(server.query(machine, _DIRTY)[0]['pages']) > _FEW_PAGES:
        machine.sleep(1)
