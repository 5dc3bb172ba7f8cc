"""A server hands over to its replica: nothing is lost, whatever dies meanwhile. An edge, and what it decides by.

The order is what makes it safe. Clients are held; the server is *closed* (it writes nothing any more, and a file says
so that outlives everything); the replica has all that was ever written; the replica is *opened*; clients go on there.
Who finds the file and does not know how far it came asks the replica: one that still follows was never opened, and the
server may go on; one that follows nobody and has all was opened, and the server never writes again. One that does not
answer leaves it closed: two servers that write are worse than none.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Literal

import charmkit
import relays
import replicas
import server
from charmkit.relations import mysql, wire

CATCH_UP_S = 60
"""Seconds that the replica is given before anybody is held."""
LAST_S = 5
"""Seconds that it is given for the last transactions, while clients are held."""
ASK_S = 10
_GTID = re.compile(r'([0-9]{1,10})-([0-9]{1,10})-([0-9]{1,20})')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Closed:
    """What the file of a closed server says."""

    to: str
    address: str
    position: str = ''
    """The last transaction of the server; '' until it was closed for good: nobody was opened before that."""


def read_closed(text: str | None) -> Closed | None:
    """Understand the file; None when there is none. One that is not understood is still a closed server's."""
    if text is None:
        return None
    found = re.search(r'^# (\{.*\})$', text, re.MULTILINE)
    data = wire.load_object(found[1]) if found else {}
    return Closed(
        to=wire.text(data.get('to')),
        address=wire.text(data.get('address')),
        position=wire.text(data.get('position')),
    )


def write_closed(closed: Closed) -> str:
    """The file: a part of the server's configuration."""
    said = json.dumps(dataclasses.asdict(closed), sort_keys=True)
    return (
        '# Written by the charm: this server has handed over what it had, or was about to. Do not remove this.\n'
        f'# {said}\n[mariadbd]\nread_only = ON\n'
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class There:
    """How the other server is."""

    follows: bool
    """It is set up as a replica."""
    well: bool = False
    """It receives and applies."""
    read_only: bool = True
    applied: str = ''
    """What it has applied, by GTID."""
    behind: int | None = None
    """Seconds."""
    said: str = ''
    """What stops it, in its own words."""
    source: str = ''
    """The address of the server that it follows."""


def covers(applied: str, position: str) -> bool:
    """Whether who has *applied* so much has all up to *position*: GTIDs, one for each domain."""
    have = _gtids(applied)
    return bool(_GTID.search(position)) and all(
        have.get(domain, -1) >= number for domain, number in _gtids(position).items()
    )


def _gtids(text: str) -> dict[int, int]:
    return {int(domain): int(number) for domain, _, number in _GTID.findall(text)}


Verdict = Literal['opened', 'never opened', 'unclear']


def verdict(closed: Closed, there: There | None) -> Verdict:
    """What became of a hand-over of which this server has kept *closed*."""
    if closed.to and not closed.position:
        return 'never opened'
    if there is None or not closed.to:
        return 'unclear'
    if there.follows:
        return 'never opened'
    return 'opened' if covers(there.applied, closed.position) else 'unclear'


def refusal(there: There | None, to: str) -> str:
    """Why nothing may be handed over to *to* now; '' when it may."""
    if there is None:
        return f'{to} does not answer'
    if not there.follows:
        return f'{to} does not follow this server'
    if not there.well:
        return f'{to} does not follow: {there.said or "its replication is stopped"}'
    if not there.read_only:
        return f'{to} takes writes of others: what it has is not what is here'
    return ''


# --- What is asked of servers.

LOOK = (
    'SELECT @@global.read_only AS read_only, @@global.gtid_slave_pos AS applied, '
    '@@global.gtid_binlog_pos AS written, @@global.log_bin AS log_bin;'
)
STATUS = 'SHOW ALL SLAVES STATUS;'
OPEN = 'STOP ALL SLAVES; RESET SLAVE ALL; SET GLOBAL read_only = 0;'


def look(machine: charmkit.Machine) -> dict[str, str]:
    """What this machine's server answers to :data:`LOOK`.

    Raises:
        server.ServerError: when it does not answer.
    """
    rows = server.query(machine, LOOK)
    if not rows:
        raise server.ServerError('the server does not say how it is')
    return rows[0]


def over_there(
    machine: charmkit.Machine, address: str, sql: str, timeout_s: float = ASK_S
) -> list[dict[str, str]]:
    """What the server at *address* answers.

    Raises:
        server.ServerError: when it refuses it, or does not answer.
    """
    argv = (
        'mariadb', f'--defaults-extra-file={replicas.LOGIN}', '--protocol=tcp', f'--host={address}',
        f'--port={mysql.PORT}', '--connect-timeout=3', '--batch', '--default-character-set=utf8mb4',
    )  # fmt: skip
    return server.rows(machine.program(*argv, stdin=sql, timeout_s=timeout_s))


def there(machine: charmkit.Machine, address: str) -> There | None:
    """How the server at *address* is; None when it does not say."""
    try:
        seen = over_there(machine, address, LOOK)[0]
        rows = over_there(machine, address, STATUS)
    except (server.ServerError, IndexError):
        return None
    return state(seen, rows)


def state(seen: Mapping[str, str], rows: list[dict[str, str]]) -> There:
    """Understand both answers."""
    row = rows[0] if rows else {}
    both = (row.get('Slave_IO_Running'), row.get('Slave_SQL_Running'))
    behind = row.get('Seconds_Behind_Master', '')
    return There(
        # A dump that is loaded leaves a row without a server.
        follows=bool(row.get('Master_Host')),
        well=both == ('Yes', 'Yes'),
        read_only=seen.get('read_only') not in ('0', 'OFF'),
        applied=seen.get('applied', ''),
        behind=int(behind) if behind.isdecimal() else None,
        said=row.get('Last_SQL_Error') or row.get('Last_IO_Error') or '',
        source=row.get('Master_Host', ''),
    )


# --- What is done.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task of this module."""

    handed: replicas.Handed | None = None
    """It has handed over, now or before."""
    reason: str = ''
    """Why it has not."""
    held_s: float = 0.0
    """For how long clients were held."""
    cut: int = 0
    """Sessions that were cut off in the middle of something."""


SWITCH = 'switch-over'
RESOLVE = 'resolve'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolve:
    """See what became of a hand-over that this unit's former run began; go on serving if it came to nothing.

    The result is an :class:`Outcome`; *reason* is why it cannot be told.
    """

    here: str
    """This server's address."""
    name: str = RESOLVE

    def carry_out(self, machine: charmkit.Machine) -> Outcome:
        """Look, and mend."""
        closed = read_closed(machine.read(replicas.CLOSED))
        if closed is None:
            if not relays.is_open(machine, self.here):
                relays.release(machine, self.here)
            return Outcome()
        seen = there(machine, closed.address) if closed.address else None
        match verdict(closed, seen):
            case 'opened':
                relays.hand_on(machine, closed.address, (closed.address,))
                return Outcome(handed=_handed(closed))
            case 'never opened':
                try:
                    reopen(machine, self.here)
                except server.ServerError as e:
                    return Outcome(reason=str(e))
                return Outcome()
            case _:
                return Outcome(
                    reason=f'it was handing over to {closed.to or "another unit"}, which does not tell whether it has '
                    f'taken over'
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class HandOver:
    """Hand over to the replica *to*; the result is an :class:`Outcome`."""

    to: str
    address: str
    """Where the replica is."""
    here: str
    """Where this server is."""
    name: str = SWITCH

    def carry_out(self, machine: charmkit.Machine) -> Outcome:
        """Do it, or leave all as it was."""
        before = machine.read(replicas.CLOSED)
        if before is not None:
            return Outcome(reason='a hand-over is not settled yet')
        reason = refusal(there(machine, self.address), self.to)
        try:
            reason = reason or self._catch_up(machine, CATCH_UP_S)
            if reason:
                return Outcome(reason=reason)
            machine.progress(f'{self.to} has all; clients are held from now on')
            began = machine.now()
            relays.hold(machine, self.here, (self.address,))
        except (server.ServerError, relays.RelayError) as e:
            return Outcome(reason=str(e))
        return self._held(machine, began)

    def _held(self, machine: charmkit.Machine, began: float) -> Outcome:
        closed = Closed(to=self.to, address=self.address)
        try:
            cut = relays.empty(machine)
            _write(machine, closed)
            relays.close(machine)
            server.output(
                machine, f'SET SESSION lock_wait_timeout = {LAST_S}; SET GLOBAL read_only = 1;'
            )
            position = look(machine)['written']
            closed = dataclasses.replace(closed, position=position)
            reason = self._catch_up(machine, LAST_S)
            if not reason and not covers(position, position):
                reason = 'this server does not say how far it is'
            if reason:
                reopen(machine, self.here)
                return Outcome(reason=reason)
            _write(
                machine, closed
            )  # From here on the replica may be open, whatever this program hears of it.
            self._open(machine)
        except server.ServerError as e:
            return self._failed(machine, closed, str(e))
        seen = there(machine, self.address)
        if seen is None or seen.read_only or verdict(closed, seen) != 'opened':
            return self._failed(machine, closed, f'{self.to} did not take over')
        relays.hand_on(machine, self.address, (self.address,))
        return Outcome(handed=_handed(closed), held_s=machine.now() - began, cut=cut)

    def _open(self, machine: charmkit.Machine) -> None:
        over_there(machine, self.address, OPEN)

    def _catch_up(self, machine: charmkit.Machine, most_s: int) -> str:
        """Wait until the replica has applied all that this server has written; why it has not, or ''."""
        written = look(machine)['written']
        sql = f"SELECT MASTER_GTID_WAIT('{written}', {most_s}) AS late;"
        rows = over_there(machine, self.address, sql, most_s + ASK_S)
        late = rows[0].get('late', '') if rows else ''
        return '' if late == '0' else f'{self.to} has not applied all within {most_s} s'

    def _failed(self, machine: charmkit.Machine, closed: Closed, reason: str) -> Outcome:
        """Something did not answer: find out how far it came."""
        for _ in range(ASK_S):
            seen = there(machine, self.address)
            match verdict(closed, seen):
                case 'opened':
                    relays.hand_on(machine, self.address, (self.address,))
                    return Outcome(handed=_handed(closed))
                case 'never opened':
                    try:
                        reopen(machine, self.here)
                    except server.ServerError as e:
                        return Outcome(reason=f'{reason}; {e}')
                    return Outcome(reason=reason)
                case _:
                    machine.sleep(1.0)
        return Outcome(
            reason=f'{reason}; whether {self.to} has taken over is not known, so nothing is written here: the next '
            'hook looks again'
        )


def reopen(machine: charmkit.Machine, here: str) -> None:
    """Serve again, after a hand-over that never opened the replica.

    Raises:
        server.ServerError: when the server does not answer: it stays closed.
    """
    server.output(machine, 'SET GLOBAL read_only = 0;')
    machine.program('rm', '-f', replicas.CLOSED)
    relays.release(machine, here)


def _write(machine: charmkit.Machine, closed: Closed) -> None:
    machine.write(replicas.CLOSED, write_closed(closed), 0o644)
    machine.program('sync', replicas.CLOSED)


def _handed(closed: Closed) -> replicas.Handed:
    return replicas.Handed(to=closed.to, address=closed.address, position=closed.position)


OPENED = 'opened'


@dataclasses.dataclass(frozen=True)
class Open:
    """Take writes, as the server that the databases were handed over to; the result is what is wrong, or ''."""

    name: str = OPENED

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Do it where it is not done."""
        try:
            seen = state(look(machine), server.query(machine, STATUS))
            if seen.follows or seen.read_only:
                server.output(machine, OPEN)
        except server.ServerError as e:
            return str(e)
        return ''
