"""One run of a unit that is, or is to be, a member of a cluster. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import charmkit
import galera
import galera_node
import mariadb
import member
import replicas
import tcp_service
from charmkit import rolling
from charmkit.relations import unit_order, wire
from charmkit.why import action

PERMIT = replicas.CLUSTER
"""In the application's data on the peer relation: the last :class:`galera.Permit`; '' where there is no cluster."""
NEXT = 'next'
"""There: the unit that may join, or restart, now."""
MAKER = 'maker'
"""There: the unit that makes accounts and databases; the others look."""
ROUND = 'round'
"""There: the leader's question how far all members are, while there is one that is open; a number."""
ROUNDS = 'rounds'
"""There: how many such questions there were."""
PEER_STATE = 'galera'
"""In a unit's data on the peer relation: :class:`galera.PeerState`."""
REBOOT = 'reboot-cluster-from-complete-outage'
REJOIN = 'rejoin-instance'
_LOOK = 'look'


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemberRun:
    """What a run of a member knows, and what it does first."""

    why: charmkit.Why
    inputs: charmkit.Inputs
    looked: galera_node.MemberProbe | None
    now: galera_node.MemberProbe | None
    """After the step."""
    permit: galera.Permit | None
    step: galera.Step
    said: galera.PeerState
    """What this unit says of itself at the end."""
    found: galera.MostAdvanced
    round: int
    rounds: int

    @property
    def me(self) -> str:
        """This unit."""
        return self.inputs.site.unit

    @property
    def here(self) -> galera.LocalState:
        """How this member is, after the step."""
        return self.now.here if self.now else galera.LocalState()

    @property
    def theirs(self) -> Mapping[str, galera.MemberStatus]:
        """What others have answered, after the step."""
        return self.now.theirs if self.now else {}

    @property
    def admitted(self) -> bool:
        """Whether the server may know of the cluster."""
        mine = galera.read_peer_state(self.inputs.my_peer_data.get(PEER_STATE, ''))
        admits = self.step.verb in ('found', 'bootstrap', 'join', 'serve', 'restart')
        return bool(mine.turn) or admits or self.here.wsrep

    @property
    def primary(self) -> bool:
        """Whether a component with a majority is in sight."""
        return self.here.primary or any(a.primary for a in self.theirs.values())

    def synced(self) -> frozenset[str]:
        """The members that clients could be sent to."""
        # One that does not answer in time and is in the component all the same is well as far as the cluster can tell.
        silent = self.here.members - self.theirs.keys() - {self.me}
        responded = {u for u, a in self.theirs.items() if a.synced and a.primary}
        return frozenset({*responded, *silent, *({self.me} if self.here.synced else ())})

    def writer(self) -> galera.Writer:
        """Whom clients are sent to."""
        before = galera.read_writer(self.inputs.peers.get(mariadb.WRITER, ''))
        if not self.inputs.site.leader or self.now is None:
            return before
        there = (self.me, *self.inputs.peer_units)
        return galera.writer(before, self.synced(), there)

    def makes(self) -> bool:
        """Whether accounts and databases are on this unit to make: the leader, or where it is not well the writer."""
        if not self.here.synced:
            return False
        return self.inputs.site.leader or self.maker() == self.me

    def maker(self) -> str:
        """Who is to."""
        if not self.inputs.site.leader:
            return self.inputs.peers.get(MAKER, '')
        return self.me if self.here.synced else self.writer().unit


def permitted(inputs: charmkit.Inputs) -> galera.Permit | None:
    """The leave that was given last; None where there is no cluster."""
    return galera.read_permit(inputs.peers.get(PERMIT, ''))


def is_cluster(inputs: charmkit.Inputs) -> bool:
    """Whether there is one, or is to be one."""
    if permitted(inputs):
        return True
    return inputs.site.leader and _founded(inputs) is not None


def _founded(inputs: charmkit.Inputs) -> galera.Permit | None:
    server = mariadb.server_unit(inputs)
    here = replicas.mine(inputs)
    alike = (u for u, bag in inputs.peer_units.items() if here and replicas.said(bag) == here)
    units = dict.fromkeys((inputs.site.unit, *alike), galera.PeerState())
    if not mariadb.seed(inputs):
        return None
    return galera.permit(None, units, server=server, primary=False, settled=False)


def foreign(inputs: charmkit.Inputs) -> bool:
    """Whether this unit's server is of another series than those of the cluster."""
    there, here = series(inputs), replicas.mine(inputs)
    return bool(there and here) and there != here


def series(inputs: charmkit.Inputs) -> str:
    """Of the cluster's servers; '' while nothing tells it.

    Before a leader that is in it has said so, it is that of the unit that the cluster begins with.
    """
    begins = mariadb.server_unit(inputs)
    return inputs.peers.get(replicas.SERIES, '') or replicas.said(replicas.bag_of(inputs, begins))


def stays_out(inputs: charmkit.Inputs) -> charmkit.Desired:
    """The run of a unit that is of another series than the cluster: members of two series are nowhere supported."""
    there, me = series(inputs), inputs.site.unit
    status = charmkit.Status(
        'blocked',
        f'MariaDB {replicas.mine(inputs)} does not join a cluster of {there}: remove this unit '
        f'(juju remove-unit {me})',
    )
    desired = charmkit.Desired(
        host=mariadb.prepared(),
        unit_data={'peers': mariadb.said(inputs)},
        version=mariadb.version(inputs),
        status=(status,),
    )
    return _leads_from_outside(inputs, desired) if inputs.site.leader else desired


def _leads_from_outside(inputs: charmkit.Inputs, desired: charmkit.Desired) -> charmkit.Desired:
    """As the leader it still says whom clients are sent to; who joins or restarts waits for a leader of the cluster."""
    first = dataclasses.replace(look(inputs), always=True)
    found = inputs.seen.get(first.name)
    peers = {**inputs.peers}
    if isinstance(found, galera_node.MemberProbe):
        synced = frozenset(u for u, a in found.theirs.items() if a.synced and a.primary)
        before = galera.read_writer(inputs.peers.get(mariadb.WRITER, ''))
        writer = galera.writer(before, synced, tuple(inputs.peer_units))
        peers |= {mariadb.WRITER: galera.write_writer(writer), MAKER: writer.unit}
    waits = charmkit.Status('blocked', 'it leads the cluster and is not in it: no unit joins it')
    return dataclasses.replace(
        desired,
        tasks=(first,),
        app_data={'peers': peers},
        status=(*desired.status, waits),
    )


def other_peers(inputs: charmkit.Inputs) -> dict[str, galera.PeerState]:
    """What the other units say of themselves."""
    return {
        u: galera.read_peer_state(bag.get(PEER_STATE, '')) for u, bag in inputs.peer_units.items()
    }


def look(inputs: charmkit.Inputs) -> galera_node.ProbeMember:
    """The first task of each run."""
    return galera_node.ProbeMember(
        me=inputs.site.unit,
        others=member.others(inputs),
        always=inputs.site.leader,
        wanted=member.wanted(inputs),
    )


def read(why: charmkit.Why, inputs: charmkit.Inputs) -> MemberRun:
    """What this run knows, from what it has seen so far."""
    looked = inputs.seen.get(_LOOK)
    acted = inputs.seen.get('act')
    mine = galera.read_peer_state(inputs.my_peer_data.get(PEER_STATE, ''))
    rounds = _number(inputs.peers.get(ROUNDS, ''))
    asked = _number(inputs.peers.get(ROUND, ''))
    if not isinstance(looked, galera_node.MemberProbe):
        return MemberRun(
            why=why, inputs=inputs, looked=None, now=None, permit=permitted(inputs), said=mine,
            step=galera.Step('wait'), found=galera.MostAdvanced(), round=asked, rounds=rounds,
        )  # fmt: skip
    now = acted if isinstance(acted, galera_node.MemberProbe) else looked
    others = other_peers(inputs)
    me = inputs.site.unit
    primary = looked.here.primary or any(a.primary for a in looked.theirs.values())
    if inputs.site.leader:
        if primary:
            asked = 0
        elif action(why, REBOOT) and not asked:
            rounds = asked = rounds + 1
    before = galera.Want(me=me, permit=permitted(inputs), said=mine)
    fresh = galera.report(before, galera.Step('wait'), looked.here, others, asked)
    units = {**others, me: fresh}
    found = galera.most_advanced(units, asked) if asked else galera.MostAdvanced()
    permit = permitted(inputs)
    if inputs.site.leader:
        permit = _decide(why, inputs, units, primary=primary, found=found, asked=asked)
        if permit != permitted(inputs):
            asked = 0
    want = galera.Want(me=me, permit=permit, said=mine)
    waits = galera.report(want, galera.plan(want, looked.here, looked.theirs), looked.here, others)
    want = dataclasses.replace(want, turn=turn(inputs, waits) == me)
    step = galera.plan(want, looked.here, looked.theirs)
    return MemberRun(
        why=why, inputs=inputs, looked=looked, now=now, permit=permit, step=step,
        said=galera.report(want, step, now.here, others, asked), found=found, round=asked, rounds=rounds,
    )  # fmt: skip


def _decide(
    why: charmkit.Why,
    inputs: charmkit.Inputs,
    units: Mapping[str, galera.PeerState],
    *,
    primary: bool,
    found: galera.MostAdvanced,
    asked: int,
) -> galera.Permit | None:
    before = permitted(inputs)
    if before is None:
        return _founded(inputs)
    if asked and not primary:
        reboot = action(why, REBOOT)
        force = bool(reboot and reboot.params.get('force'))
        chosen = str(reboot.params.get('unit', '')) if reboot else ''
        if chosen and force:
            where = units.get(chosen, galera.PeerState())
            if where.position and where.round == asked:
                found = galera.MostAdvanced(chosen, where.position, found.missing)
        if found.unit and (force or not found.missing):
            return galera.forced(before, found, units)
        return before
    server = mariadb.server_unit(inputs)
    return galera.permit(before, units, server=server, primary=primary, settled=why.time_passes)


def turn(inputs: charmkit.Inputs, mine: galera.PeerState) -> str:
    """Whose turn it is to join, or to restart."""
    recorded = inputs.peers.get(NEXT, '')
    if not inputs.site.leader:
        return recorded
    waiting = {u for u, said in other_peers(inputs).items() if said.waits}
    return rolling.whose(waiting | ({inputs.site.unit} if mine.waits else set()), recorded)


def over(run: MemberRun) -> bool:
    """Whether the cluster is over: this unit alone is left, with all that there is."""
    inputs = run.inputs
    # Units of another series are no members: they wait until they can follow it.
    alike = ('', replicas.mine(inputs))
    return (
        inputs.site.leader
        and not any(replicas.said(bag) in alike for bag in inputs.peer_units.values())
        and run.here.synced
        and run.here.members == frozenset({run.me})
        and isinstance(run.why, charmkit.Hook)
        and (run.why.time_passes or run.why.name == 'peers-relation-departed')
    )


def desired(run: MemberRun) -> charmkit.Desired:
    """The machine of a member, its step, and what it says; without clients."""
    inputs = run.inputs
    first = look(inputs)
    tasks: tuple[charmkit.Task, ...] = (first,)
    acts = run.looked is not None and run.step.verb in (
        'found', 'bootstrap', 'join', 'start', 'restart',
    )  # fmt: skip
    if acts and member.passwords(inputs).values:
        tasks = (first, galera_node.Act(step=run.step, look=first))
    shared = member.passwords(inputs)
    peers = {
        **mariadb.shared(inputs, mariadb.server_unit(inputs)),
        **shared.app_data,
        PERMIT: galera.write_permit(run.permit),
        NEXT: turn(inputs, run.said),
        mariadb.WRITER: galera.write_writer(run.writer()),
        MAKER: run.maker(),
        ROUND: str(run.round or ''),
        ROUNDS: str(run.rounds or ''),
        replicas.SERIES: replicas.mine(inputs)
        if run.here.synced
        else inputs.peers.get(replicas.SERIES, ''),
    }
    mine = {
        **mariadb.said(inputs),
        PEER_STATE: galera.write_peer_state(run.said),
        replicas.DB_HOST: inputs.site.address_on('shared-db'),
    }
    backup = run.writer().unit != run.me
    return charmkit.Desired(
        host=member.desired(inputs, admitted=run.admitted),
        app_data={'peers': peers, **tcp_service.app_data(inputs)},
        unit_data={'peers': mine, **tcp_service.unit_data(inputs, backup=backup)},
        secrets={**mariadb.secrets(inputs), **shared.secrets},
        ports=member.PORTS,
        version=mariadb.version(inputs),
        tasks=tasks,
        status=(*shared.status, *statuses(run), *tcp_service.complaints(inputs)),
    )


def db_host(run: MemberRun) -> str:
    """The address that is published to all clients."""
    inputs = run.inputs
    if balanced := tcp_service.address(inputs):
        return balanced
    unit = run.writer().unit
    if unit == run.me:
        return inputs.site.address_on('shared-db')
    return inputs.peer_units.get(unit, {}).get(replicas.DB_HOST, '')


def statuses(run: MemberRun) -> Iterator[charmkit.Status]:
    """What the operator should know of the cluster."""
    if run.looked is None or run.now is None:
        return
    here, step, me = run.here, run.step, run.me
    if run.now.failed:
        yield charmkit.Status(
            'blocked', f'mariadb does not start: {run.now.failed}; see journalctl -u mariadb'
        )
    if step.verb == 'refuse':
        yield charmkit.Status(
            'blocked',
            f'{me} {step.reason} and does not join: to give them up, run {REJOIN} on it with discard-data=true',
        )
    elif here.synced:
        yield from _members(run)
    elif here.primary or run.primary:
        words = step.reason if step.verb == 'wait' else 'takes in what the cluster has'
        yield charmkit.Status('waiting', words)
    elif run.said.turn:
        yield from _outage(run)
    else:
        yield charmkit.Status('waiting', step.reason or 'waits for a cluster to join')


def _members(run: MemberRun) -> Iterator[charmkit.Status]:
    units = {run.me, *run.inputs.peer_units}
    for unit in sorted(units - run.here.members, key=unit_order):
        yield charmkit.Status('active', f'{unit} is not in the cluster')
    for unit in sorted(run.here.members - units, key=unit_order):
        yield charmkit.Status('active', f'{unit} is in the cluster and is no unit here')
    count = len(run.here.members)
    if count == 1:
        yield charmkit.Status('active', 'the cluster has one member: nothing outlives its loss')
    elif count % 2 == 0:
        yield charmkit.Status(
            'active', f'the cluster has {count} members: of an even number, half are no majority'
        )


def _outage(run: MemberRun) -> Iterator[charmkit.Status]:
    """No component has a majority, as far as this unit can see."""
    silent = sorted({*run.inputs.peer_units} - run.theirs.keys(), key=unit_order)
    where = f'; {" ".join(silent)} do not answer' if silent else ''
    yield charmkit.Status(
        'blocked',
        f'no majority of the cluster is in sight, nothing is read or written here{where}; it comes back by itself when '
        f'all members are there, else see the action {REBOOT}',
    )
    if run.round and run.inputs.site.leader:
        missing = ' '.join(run.found.missing)
        said = f'{missing} have not reported how far they are' if missing else run.found.reason
        if said:
            yield charmkit.Status('blocked', said)


def _number(text: str) -> int:
    return wire.number(wire.load_object(f'{{"n": {text}}}').get('n')) if text else 0
