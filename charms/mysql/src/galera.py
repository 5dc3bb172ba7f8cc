"""Which member of a Galera cluster does what next: founds it, joins, waits, starts it anew. Pure.

A component of a Galera cluster that has the majority is *Primary*: it alone answers. A cluster that has none must be
started anew by exactly one member, one that has all that was ever acknowledged. Three things see to that:

* The leader alone gives leave to do it, in a :class:`Permit`, one after the other: no new one before the last one was
  taken up or declined. Each bears a number, a *turn*; a member keeps the number under which it was last in the Primary.
* It gives it to the member that Galera itself calls safe (the last one to leave cleanly), if that was in the cluster of
  the last turn; or, when the operator asks for it, to the member that is farthest, once all have reported that.
* Whoever has leave looks again first: with a Primary in sight it joins that one, and declines.

After a crash of all members Galera finds together by itself, where all of them come back; no leave is needed for it.

Source: Galera's documentation (Restarting the cluster; ``grastate.dat``, ``pc.recovery``), and what was measured of it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Literal

from charmkit.relations import unit_order, wire

FEWEST = 3
"""Units that a cluster is founded with: of two, none can do without the other."""
NOTHING = '00000000-0000-0000-0000-000000000000'
Reason = Literal['found', 'safe', 'forced']
Verb = Literal[
    'serve', 'found', 'bootstrap', 'join', 'start', 'restart', 'wait', 'decline', 'refuse'
]
_TURN = 'waits for its turn'
_POSITION = re.compile(r'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(-?[0-9]{1,19})')


@dataclasses.dataclass(frozen=True)
class Position:
    """How far a member has come: which cluster's writes it has, and how many."""

    uuid: str
    seqno: int

    def __str__(self) -> str:
        return f'{self.uuid}:{self.seqno}'


def position(text: str) -> Position | None:
    """Understand ``UUID:SEQNO``; None where it is none, or says nothing (-1)."""
    found = _POSITION.fullmatch(text)
    if not found or found[1] == NOTHING or int(found[2]) < 0:
        return None
    return Position(found[1], int(found[2]))


@dataclasses.dataclass(frozen=True)
class Grastate:
    """What a member wrote when it stopped (``grastate.dat``)."""

    uuid: str = ''
    seqno: int = -1
    safe: bool = False
    """It was the last one to leave: nobody has more than it."""


def grastate(text: str) -> Grastate:
    """Understand the file; empty where there is none."""
    parts = (line.partition(':') for line in text.splitlines())
    rows = {key.strip(): value.strip() for key, _, value in parts}
    uuid, seqno = rows.get('uuid', ''), rows.get('seqno', '')
    return Grastate(
        uuid='' if uuid == NOTHING or not position(f'{uuid}:0') else uuid,
        seqno=int(seqno) if re.fullmatch(r'-?[0-9]{1,19}', seqno) else -1,
        safe=rows.get('safe_to_bootstrap') == '1',
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Permit:
    """The leader's leave to start the cluster."""

    turn: int
    unit: str
    why: Reason
    since: int = 0
    """The turn of the cluster that is started anew; 0 when it is founded."""
    position: str = ''
    """Where *unit* was when the operator's wish was met; it must be there still."""


def read_permit(text: str) -> Permit | None:
    """Understand what :func:`write_permit` wrote; None for nothing."""
    data = wire.load_object(text)
    why = wire.text(data.get('why'))
    if why not in ('found', 'safe', 'forced'):
        return None
    return Permit(
        turn=wire.number(data.get('turn')),
        unit=wire.text(data.get('unit')),
        why=why,
        since=wire.number(data.get('since')),
        position=wire.text(data.get('position')),
    )


def write_permit(permit: Permit | None) -> str:
    """*permit* as a value of a databag."""
    return wire.dump(dataclasses.asdict(permit)) if permit else ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeerState:
    """What a unit says of itself, in its data on the peer relation."""

    turn: int = 0
    """Of the cluster that it was last in; 0 for none: its data are not the cluster's."""
    answered: int = 0
    """The last permit of its own that it has taken up or declined."""
    safe: bool = False
    waits: bool = False
    """It is to join, or to restart, when the leader says so."""
    position: str = ''
    """How far it is, where it is in no Primary."""
    round: int = 0
    """Which question of the leader's *position* answers."""


Peers = Mapping[str, PeerState]  # By unit.


def read_peer_state(text: str) -> PeerState:
    """Understand what :func:`write_said` wrote; what is unreadable counts as not said."""
    data = wire.load_object(text)
    return PeerState(
        turn=wire.number(data.get('turn')),
        answered=wire.number(data.get('answered')),
        safe=data.get('safe') is True,
        waits=data.get('waits') is True,
        position=str(position(wire.text(data.get('position'))) or ''),
        round=wire.number(data.get('round')),
    )


def write_peer_state(said: PeerState) -> str:
    """*said* as a value of a databag."""
    return wire.dump(dataclasses.asdict(said))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalState:
    """What is on this unit's own machine."""

    alive: bool = False
    """The server runs, or is on its way up."""
    wsrep: bool = False
    """It is a member of a cluster, or tries to be; else a server that stands alone, or none."""
    primary: bool = False
    """It is in the Primary component."""
    synced: bool = False
    """It has all that the cluster has, and takes reads and writes."""
    uuid: str = ''
    """Of the cluster that it is in."""
    members: frozenset[str] = frozenset()
    """Units in its component, while it is in the Primary one."""
    state: Grastate = Grastate()
    data: bool = False
    """There are databases of clients on it."""
    position: Position | None = None
    out: bool = False
    """It runs, and has left the cluster for good: its data were found to be others than the other members have."""
    stale: bool = False
    """It runs with addresses that are not what they should be."""


@dataclasses.dataclass(frozen=True)
class MemberStatus:
    """What a member says itself, at this moment, of its component."""

    primary: bool
    synced: bool
    uuid: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Want:
    """What this unit knows from Juju."""

    me: str
    permit: Permit | None = None
    said: PeerState = PeerState()
    turn: bool = False
    """It may join, or restart, now."""


@dataclasses.dataclass(frozen=True)
class Step:
    """What to do, and why, in words for the operator."""

    verb: Verb
    reason: str = ''


def plan(want: Want, here: LocalState, theirs: Mapping[str, MemberStatus]) -> Step:
    """What this unit does next; *theirs* are those that have answered."""
    member = want.said.turn > 0
    if here.primary and here.wsrep:
        if here.stale and here.synced and len(here.members) > 1:
            return Step('restart') if want.turn else Step('serve', f'{_TURN} to restart')
        return Step('serve')
    primary = next((a for a in theirs.values() if a.primary), None)
    if primary:
        return _to(primary, want, here)
    permit = want.permit
    if permit and permit.unit == want.me and permit.turn > want.said.answered:
        return _permitted(permit, want, here)
    if member and not (here.alive and here.wsrep):
        return Step('start')
    return Step('wait', 'waits for the other members' if member else 'waits for a cluster to join')


def _to(primary: MemberStatus, want: Want, here: LocalState) -> Step:
    """There is a Primary component, and this unit is not in it."""
    member = want.said.turn > 0
    if not member and here.data:
        return Step('refuse', 'has databases of its own')
    if member and here.state.uuid not in ('', primary.uuid):
        return Step('refuse', 'has the data of another cluster')
    if here.out:
        return Step('restart', 'has left the cluster, and copies the data of the others again')
    if here.alive and here.wsrep:
        return Step('wait', 'takes in what the cluster has')
    if member:
        return Step('start')
    return Step('join') if want.turn else Step('wait', f'{_TURN} to join')


def _permitted(permit: Permit, want: Want, here: LocalState) -> Step:
    """It is on this unit to start the cluster, and nobody is in sight who has one."""
    match permit.why:
        case 'found' if not here.state.uuid:
            return Step('found')
        case (
            'found'
        ):  # It was founded, and a hook died before it could say so; others may have joined since.
            good = here.state.safe
        case 'safe':
            good = here.state.safe and want.said.turn == permit.since
        case 'forced':
            good = want.said.turn > 0 and str(here.position or '') == permit.position != ''
    return Step('bootstrap') if good else Step('decline', 'is not as it was when it was chosen')


def needs_peers(here: LocalState) -> bool:
    """Whether it matters what the others say."""
    return not (here.primary and here.wsrep)


def report(want: Want, step: Step, here: LocalState, others: Peers, asked: int = 0) -> PeerState:
    """What this unit says once *step* was done and *here* is how it is then.

    *asked* is the leader's question for positions, if there is one.
    """
    permit, said = want.permit, want.said
    primary = here.primary and here.wsrep
    mine = permit is not None and permit.unit == want.me
    answered, turn = said.answered, said.turn
    if permit and mine and (primary or step.verb in ('decline', 'join', 'refuse')):
        answered = permit.turn
    if permit and primary:
        holder = others.get(permit.unit)
        # While another unit has leave that it has not used, this is the cluster of the turn before.
        used = mine or holder is None or holder.answered >= permit.turn or permit.why == 'found'
        turn = permit.turn if used else max(turn, permit.since)
    if permit and mine and permit.why == 'found' and step.verb == 'decline':
        turn = permit.turn  # It was in it.
    where = '' if primary or not turn else str(here.position or '')
    return PeerState(
        turn=turn,
        answered=answered,
        safe=bool(turn) and here.state.safe and not primary,
        waits=step.reason.startswith(_TURN) or (step.verb == 'join' and not primary),
        position=where,
        round=asked if where else 0,
    )


def permit(
    before: Permit | None, units: Peers, *, server: str, primary: bool, settled: bool
) -> Permit | None:
    """The leave that the leader gives.

    *units* are all that there are, this one among them; *primary* is whether a Primary component is in sight. *server*
    has the data before there is a cluster. Only when nothing but time has passed (*settled*) is a unit that is not
    there one that is gone.
    """
    if before is None:
        if len(units) >= FEWEST and server in units:
            return Permit(turn=1, unit=server, why='found')
        return None
    if primary or _outstanding(before, units, settled=settled):
        return before
    now = current(before, units)
    safe = sorted(u for u, said in units.items() if said.safe and said.turn == now)
    if len(safe) == 1 and now:
        return Permit(turn=before.turn + 1, unit=safe[0], why='safe', since=now)
    return before


def _outstanding(before: Permit, units: Peers, *, settled: bool) -> bool:
    holder = units.get(before.unit)
    return not settled if holder is None else holder.answered < before.turn


def current(before: Permit, units: Peers) -> int:
    """The turn of the cluster that there last was."""
    return max((said.turn for said in units.values()), default=0) or before.since


@dataclasses.dataclass(frozen=True)
class MostAdvanced:
    """What is known of how far all members are."""

    unit: str = ''
    """The one that has all that any other has; '' where that cannot be said."""
    position: str = ''
    missing: tuple[str, ...] = ()
    """Members that have not reported."""
    reason: str = ''


def most_advanced(units: Peers, asked: int) -> MostAdvanced:
    """The most advanced of the members that have answered the question *asked*."""
    members = {u: said for u, said in units.items() if said.turn}
    positions = {
        u: where
        for u, said in members.items()
        if said.round == asked and asked and (where := position(said.position))
    }
    missing = tuple(sorted(members.keys() - positions.keys(), key=unit_order))
    if not positions:
        return MostAdvanced(missing=missing, reason='nobody has reported how far it is')
    newest = max(said.turn for said in members.values())
    if len({where.uuid for where in positions.values()}) > 1:
        return MostAdvanced(missing=missing, reason='members have the data of different clusters')
    order = sorted(positions, key=unit_order)
    unit = max(order, key=lambda u: (positions[u].seqno, members[u].turn, members[u].safe))
    if members[unit].turn < newest:
        # It may have written what was given up when the cluster was started without it; or it has just not said more.
        return MostAdvanced(
            missing=missing,
            reason=f'{unit} is farthest, but was not in the cluster when that was started last',
        )
    return MostAdvanced(unit, str(positions[unit]), missing)


def forced(before: Permit, found: MostAdvanced, units: Peers) -> Permit:
    """Leave for the most advanced member, as the operator wants it."""
    return Permit(
        turn=before.turn + 1,
        unit=found.unit,
        why='forced',
        since=current(before, units),
        position=found.position,
    )


@dataclasses.dataclass(frozen=True)
class Writer:
    """The member that clients are sent to, the same one for all of them."""

    unit: str = ''
    turn: int = 0
    """Higher than any before whenever what a unit said before may be of no use."""
    units: tuple[str, ...] = ()
    """Those that answer clients."""


def read_writer(text: str) -> Writer:
    """Understand what :func:`write_writer` wrote."""
    data = wire.load_object(text)
    return Writer(
        wire.text(data.get('unit')), wire.number(data.get('turn')), wire.texts(data.get('units'))
    )


def write_writer(writer: Writer) -> str:
    """*writer* as a value of a databag."""
    return wire.dump(dataclasses.asdict(writer))


def writer(before: Writer, synced: Iterable[str], here: Iterable[str]) -> Writer:
    """The writer that follows *before*: it stays while it is one of the *synced*, and of the units that are *here*."""
    there = sorted({*synced} & {*here}, key=unit_order)
    if not there:
        return before
    unit = before.unit if before.unit in there else there[0]
    lost = {*before.units} - {*there}
    turn = before.turn + 1 if lost or unit != before.unit else before.turn
    return Writer(unit, turn, tuple(there))
