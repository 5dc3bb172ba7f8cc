"""A server hands over to its replica: nothing is lost, whatever dies meanwhile. An edge, and what it decides by.

The order is what makes it safe. Clients are held; the server is *closed* (it writes nothing any more, and a file says
so that outlives everything); the replica has all that was ever written; the replica is *opened*; clients go on there.
Who finds the file and does not know how far it came asks the replica: one that still follows was never opened, and the
server may go on; one that follows nobody and has all was opened, and the server never writes again. One that has only
stopped was about to be opened, maybe by a client that outlives the hook which started it: it is told to go on, which no
such client gets past. One that does not answer leaves it closed: two servers that write are worse than none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from typing import Literal

import charmkit
import relays
import replicas
import replication
import server
from charmkit.relations import wire
from replication import There, covers

CATCH_UP_S = 60
"""Seconds that the replica is given before anybody is held."""
HELD_S = 5.0
"""Seconds for which clients are held at most. What is not done by then is undone; but once the replica was told to open
itself, they are held until it is known whether it did."""
TRIES = 10
"""So often the replica is asked, once a second, whether it has opened itself."""


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


Verdict = Literal['opened', 'never opened', 'stopped', 'unclear']


def verdict(closed: Closed, there: There | None) -> Verdict:
    """What became of a hand-over of which this server has kept *closed*."""
    if closed.to and not closed.position:
        return 'never opened'
    if there is None or not closed.to:
        return 'unclear'
    if there.follows:
        return 'never opened' if there.runs else 'stopped'
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


# --- What is done.

OPEN = 'STOP ALL SLAVES; RESET SLAVE ALL; SET GLOBAL read_only = 0;'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task of this module."""

    handed: replicas.Handed | None = None
    """It has handed over, now or before."""
    reason: str = ''
    """Why it has not."""
    unclear: bool = False
    """Whether it has is not known: this server writes nothing until it is."""
    held_s: float = 0.0
    """For how long clients were held."""
    cut: int = 0
    """Sessions that were cut off in the middle of something."""


SWITCH = 'switch-over'
RESOLVE = 'resolve'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolve:
    """See what became of a hand-over that this unit's former run began; go on serving if it came to nothing.

    The result is an :class:`Outcome`; *reason* is why it cannot be told, or why the server does not serve.
    """

    here: str
    """This server's address."""
    units: frozenset[str]
    """The other units that there are."""
    name: str = RESOLVE

    def carry_out(self, machine: charmkit.Machine) -> Outcome:
        """Look, and mend."""
        closed = read_closed(machine.read(replicas.CLOSED))
        if closed is None:
            if not relays.is_open(machine, self.here):
                relays.release(machine, self.here)
            return Outcome()
        try:
            replication.end_clients(machine)
            machine.sleep(_LOCK_S)  # What they had under way at this server is over then.
            return _settle(machine, closed, self.here, 3) or Outcome(
                reason=self._unclear(closed), unclear=True
            )
        except server.ServerError as e:
            return Outcome(reason=str(e))

    def _unclear(self, closed: Closed) -> str:
        if closed.to and closed.to not in self.units:
            return (
                f'it was handing over to {closed.to}, which is no unit here any more, and may have taken writes: if it '
                'is gone for good, run take-over on this unit'
            )
        return f'it was handing over to {closed.to or "another unit"}, which does not report whether it has taken over'


def _settle(machine: charmkit.Machine, closed: Closed, here: str, tries: int) -> Outcome | None:
    """Find out what became of a hand-over, and act by it; None when that cannot be told.

    Raises:
        server.ServerError: this server is to go on, and does not answer: it stays closed.
    """
    for turn in range(tries):
        if turn:
            machine.sleep(1.0)
        seen = replication.there(machine, closed.address) if closed.address else None
        match verdict(closed, seen):
            case 'opened' if seen and seen.read_only:
                _send(
                    machine, closed.address, OPEN
                )  # Its last words were not heard; it may be the last try.
                again = replication.there(machine, closed.address)
                if again and not again.read_only:
                    return _over(machine, closed)
            case 'opened':
                return _over(machine, closed)
            case 'never opened':
                reopen(machine, here)
                return Outcome()
            case 'stopped':
                _send(machine, closed.address, 'START ALL SLAVES;')
            case _:
                pass
    return None


def _over(machine: charmkit.Machine, closed: Closed) -> Outcome:
    relays.hand_on(machine, closed.address, (closed.address,))
    handed = replicas.Handed(to=closed.to, address=closed.address, position=closed.position)
    return Outcome(handed=handed)


def _send(machine: charmkit.Machine, address: str, sql: str) -> None:
    """Whatever becomes of it is looked for afterwards."""
    with contextlib.suppress(server.ServerError):
        replication.over_there(machine, address, sql)


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
        """Do it, or have all as it was."""
        before = machine.read(replicas.CLOSED)
        if before is not None:
            return Outcome(reason='a hand-over is not settled yet', unclear=True)
        reason = refusal(replication.there(machine, self.address), self.to)
        try:
            reason = reason or self._catch_up(machine, CATCH_UP_S)
            if reason:
                return Outcome(reason=reason)
            machine.progress(f'{self.to} has all; clients are held from now on')
            began = machine.now()
            relays.hold(machine, self.here, (self.address,), _UNWATCHED_S)
        except (server.ServerError, relays.RelayError) as e:
            return Outcome(reason=str(e))
        return self._held(machine, began)

    def _held(self, machine: charmkit.Machine, began: float) -> Outcome:
        closed = Closed(to=self.to, address=self.address)
        ends = began + HELD_S
        try:
            cut = relays.empty(machine, ends - _CLOSE_S)
            _write(machine, closed)
            relays.close(machine)
            # The server gives up before its client does: it must not be closed after it was opened again.
            wait = f'SET SESSION lock_wait_timeout = {_LOCK_S}; '
            server.output(machine, f'{wait}SET GLOBAL read_only = 1;', timeout_s=_LOCK_S + 2)
            position = replication.look(machine, _CLOSE_S)['written']
            reason = self._catch_up(machine, max(0.1, ends - machine.now()))
            if not reason and not covers(position, position):
                reason = 'this server does not say how far it is'
            if not reason and machine.now() > ends:
                reason = f'it was not done within {HELD_S:.0f} s'
            if reason:
                reopen(machine, self.here)
                return Outcome(reason=reason)
            closed = dataclasses.replace(closed, position=position)
            # From here on the replica may be open, whatever this program hears of it.
            _write(machine, closed)
            replication.over_there(machine, self.address, OPEN)
        except server.ServerError as e:
            return self._failed(machine, closed, str(e))
        seen = replication.there(machine, self.address)
        if seen is None or seen.read_only or verdict(closed, seen) != 'opened':
            return self._failed(machine, closed, f'{self.to} did not take over')
        return dataclasses.replace(_over(machine, closed), held_s=machine.now() - began, cut=cut)

    def _catch_up(self, machine: charmkit.Machine, most_s: float) -> str:
        """Wait until the replica has applied all that this server has written; why it has not, or ''."""
        written = replication.look(machine, _CLOSE_S)['written']
        sql = f"SELECT MASTER_GTID_WAIT('{written}', {most_s:.2f}) AS late;"
        rows = replication.over_there(machine, self.address, sql, most_s + 1)
        late = rows[0].get('late', '') if rows else ''
        return '' if late == '0' else f'{self.to} has not applied all within {most_s:.0f} s'

    def _failed(self, machine: charmkit.Machine, closed: Closed, reason: str) -> Outcome:
        """Something did not answer: find out how far it came."""
        try:
            found = _settle(machine, closed, self.here, TRIES)
        except server.ServerError as e:
            return Outcome(reason=f'{reason}; {e}')
        if found is None:
            words = (
                f'{reason}; nothing is written here until it is known: the next hook looks again'
            )
            return Outcome(reason=words, unclear=True)
        return found if found.handed else Outcome(reason=reason)


_UNWATCHED_S = 10
"""Seconds after which clients go on here by themselves if this program has died before it closed the server."""
_LOCK_S = 1
"""Seconds for which this server waits for its last writers."""
_CLOSE_S = 2.0
"""Seconds of those for which clients are held that are for closing this server and opening the replica."""


def reopen(machine: charmkit.Machine, here: str) -> None:
    """Serve again: after a hand-over that never opened the replica, or when that is gone for good.

    Raises:
        server.ServerError: when the server does not answer: it stays closed.
    """
    server.output(machine, 'SET GLOBAL read_only = 0;')
    machine.program('rm', '-f', replicas.CLOSED)
    relays.release(machine, here)


def _write(machine: charmkit.Machine, closed: Closed) -> None:
    machine.write(replicas.CLOSED, write_closed(closed), 0o644)
    done = machine.program('sync', replicas.CLOSED, timeout_s=HELD_S)
    if done.status:
        raise server.ServerError(f'{replicas.CLOSED} is not on the disk: {done.output[-200:]}')


OPENED = 'opened'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Open:
    """Take writes, as the server that the databases were handed over to; the result is what is wrong, or ''."""

    here: str
    forced: bool = False
    """The operator says that whoever this server has handed over to is gone for good."""
    name: str = OPENED

    def carry_out(self, machine: charmkit.Machine) -> str:
        """Do it where it is not done."""
        try:
            rows = server.query(machine, replication.STATUS)
            seen = replication.state(replication.look(machine), rows)
            if seen.follows or seen.read_only:
                server.output(machine, OPEN)
            if self.forced and machine.read(replicas.CLOSED) is not None:
                reopen(machine, self.here)
        except server.ServerError as e:
            return str(e)
        return ''
