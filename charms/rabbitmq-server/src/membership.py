"""Which member of the cluster does what next: joins, forgets, starts anew, enables what the release has. Pure.

The first leader names the *founder*, in the application's data on the peer relation; every other unit joins a unit that
is a member. A unit that is a member says so, with the members that it sees: that is how others know whom to join, and
how one that was forgotten while it was away learns that it is to start anew. What counts is what the members
themselves say at that moment; a databag only says whom to ask.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from charmkit.relations import wire

_NODE = re.compile(r'rabbit@([a-z0-9-]+)-([0-9]+)')
Verb = Literal['reset', 'start', 'join', 'forget', 'enable-flags']


def node(unit: str) -> str:
    """The name of *unit*'s node: it stays the same when the machine's name or address is another one."""
    return f'rabbit@{unit.replace("/", "-")}'


def unit(name: str) -> str:
    """The unit of the node *name*; '' when it is nobody's."""
    found = _NODE.fullmatch(name)
    return f'{found[1]}/{found[2]}' if found else ''


@dataclasses.dataclass(frozen=True)
class Alarm:
    """A node is short of something, and publishers wait."""

    node: str
    resource: str
    """``memory`` or ``disk``, as RabbitMQ names it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterStatus:
    """What one node says of its cluster; nothing when it does not answer."""

    members: frozenset[str] = frozenset()
    up: frozenset[str] = frozenset()
    alarms: tuple[Alarm, ...] = ()
    partitions: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """By node: those that it has lost sight of."""
    versions: frozenset[str] = frozenset()
    """Of RabbitMQ, on all nodes that run."""
    disabled: tuple[str, ...] = ()
    """Feature flags that are ready for use and that nobody has enabled."""

    @property
    def is_reachable(self) -> bool:
        """Whether the node answers at all."""
        return bool(self.members)


def parse_status(output: str) -> ClusterStatus:
    """Understand what ``rabbitmqctl cluster_status --formatter json`` says (RabbitMQ 3.10 and 4.0)."""
    line = next((x for x in output.splitlines() if x.startswith('{')), '')
    data = wire.load_object(line)
    versions = (
        wire.text(v.get('rabbitmq_version')) for _, v in wire.objects(_map(data, 'versions'))
    )
    flags = _objects(data, 'feature_flags')
    return ClusterStatus(
        members=frozenset(
            (*wire.texts(data.get('disk_nodes')), *wire.texts(data.get('ram_nodes')))
        ),
        up=frozenset(wire.texts(data.get('running_nodes'))),
        alarms=tuple(_alarm(a) for a in _objects(data, 'alarms')),
        partitions={k: wire.texts(v) for k, v in _map(data, 'partitions').items()},
        versions=frozenset(v for v in versions if v),
        disabled=tuple(
            sorted(
                wire.text(f.get('name'))
                for f in flags
                if f.get('state') == 'disabled' and f.get('stability') in ('stable', 'required')
            )
        ),
    )


def _alarm(data: dict[str, Any]) -> Alarm:
    return Alarm(wire.text(data.get('node')), wire.text(data.get('resource')))


def _objects(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    return [cast('dict[str, Any]', x) for x in wire.items(data.get(key)) if isinstance(x, dict)]


def _map(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    return cast('Mapping[str, Any]', found) if isinstance(found, dict) else {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Want:
    """What this unit knows of its cluster, from Juju."""

    me: str
    founder: bool = False
    """It is on this unit to be the first member."""
    settled: bool = False
    """This unit has been a member before, as it says itself."""
    others: Mapping[str, frozenset[str]] = dataclasses.field(
        default_factory=dict[str, frozenset[str]]
    )
    """The members that each other unit sees, by its node; those that are no members themselves are not in it."""
    departed: frozenset[str] = frozenset()
    """Nodes whose units are gone for good."""
    leader: bool = False
    known: frozenset[str] = frozenset()
    """Nodes whose addresses this unit knows: it could not find others that are in a cluster."""
    turn: bool = True
    """It may join now: two that join at once would not know of each other."""

    @property
    def seeds(self) -> tuple[str, ...]:
        """Whom to ask for a place, the first first."""
        return tuple(sorted(self.others, key=_order))


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do."""

    verb: Verb
    target: str = ''
    """The node that it is about: whom to join, whom to forget."""


def plan(want: Want, here: ClusterStatus, theirs: Mapping[str, ClusterStatus]) -> Step | None:
    """What this unit does next, if anything.

    *here* is what its own node says, *theirs* what the seeds say that were asked, by node: whoever alone is a member is
    asked for them (:func:`asks`).
    """
    if not here.is_reachable:
        if seed := _seed(want, theirs):
            return Step('reset', seed)
        # It was joining when the hook before died; one that was a member may have stopped because it is in a minority.
        joined = any(want.me in cluster.members for cluster in theirs.values())
        return Step('start', want.me) if joined and not want.settled else None
    if here.members == frozenset({want.me}):
        seed = _seed(want, theirs)
        if seed and want.turn and theirs[seed].up <= want.known:
            return Step('join', seed)
    gone = sorted(want.departed & here.members - here.up - {want.me})
    if gone and want.leader and 2 * len(here.up) > len(here.members):
        return Step('forget', gone[0])
    if want.leader and here.disabled and here.up == here.members and len(here.versions) == 1:
        return Step('enable-flags', ' '.join(here.disabled))
    return None


def needs_seeds(want: Want, here: ClusterStatus) -> bool:
    """Whether it matters what the seeds say."""
    return here.members <= frozenset({want.me})


def _seed(want: Want, theirs: Mapping[str, ClusterStatus]) -> str:
    """The first member of a cluster that this unit is not in, and should be; '' for none."""
    for name in want.seeds:
        cluster = theirs.get(name, ClusterStatus())
        if not cluster.is_reachable or want.me in cluster.members or name not in cluster.up:
            continue
        # Of two that are alone, each of which was a member, one joins the other.
        alone = (want.settled or want.founder) and len(cluster.members) == 1
        if not alone or _order(name) < _order(want.me):
            return name
    return ''


def lost(want: Want, here: ClusterStatus, theirs: Mapping[str, ClusterStatus]) -> bool:
    """Whether this unit stands alone though others count it in: what it had is gone."""
    return here.members == frozenset({want.me}) and any(
        want.me in cluster.members and len(cluster.members) > 1 for cluster in theirs.values()
    )


def member(want: Want, here: ClusterStatus) -> bool:
    """Whether this unit is in the cluster."""
    return want.me in here.members and (len(here.members) > 1 or want.founder or want.settled)


def _order(name: str) -> tuple[str, int]:
    found = _NODE.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, -1)
