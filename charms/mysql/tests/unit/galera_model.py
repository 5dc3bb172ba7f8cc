"""A Galera cluster that is only remembered, and the units of the charm that look after it, in any order.

The rules of Galera's that matter here: a component goes on while it keeps the majority of the view before, members that
leave cleanly aside; the last one to leave cleanly is safe; after a crash those of one view find together when all of
them are there; who has more than the cluster does not join it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import charmkit
import cluster_run
import galera
import galera_node
import mariadb
import member
from charmkit.relations import Site

UUID = 'aaaaaaaa-0000-0000-0000-00000000000'
SEED, SST = 'secret:seed', 'secret:sst'


TIME = charmkit.Hook('update-status')


class LostError(Exception):
    """What must never happen has happened."""


@dataclasses.dataclass
class Node:
    """One unit's machine."""

    running: bool = False
    primary: bool = False
    wsrep: bool = False
    """It was told of the cluster."""
    uuid: str = ''
    safe: bool = False
    seqno: int = -1
    view: frozenset[str] = frozenset()
    """The last one that it was in; a clean stop forgets it."""
    data: bool = False
    ahead: bool = False
    """It does not join, for it has what the cluster has not."""


@dataclasses.dataclass
class Hook:
    """One that has begun: what it read of Juju."""

    inputs: charmkit.Inputs
    leader: bool


@dataclasses.dataclass
class World:
    """Machines, databags, and who leads."""

    nodes: dict[str, Node] = dataclasses.field(default_factory=dict[str, Node])
    bags: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict[str, dict[str, str]])
    app: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    leader: str = ''
    hooks: dict[str, Hook] = dataclasses.field(default_factory=dict[str, Hook])
    founded: int = 0
    forced: bool = False
    made: int = 0
    steps: list[str] = dataclasses.field(default_factory=list[str])

    # What happens to machines.

    def add(self) -> str:
        """A new unit; the first one has the databases."""
        unit = f'mysql/{self.made}'
        self.made += 1
        self.nodes[unit] = Node(running=True, data=self.made == 1)
        self.bags[unit] = {'series': '10.11'}
        if not self.leader:
            self.leader = unit
            self.app = {mariadb.SERVER: unit, mariadb.SEED: SEED, member.SST: SST}
        return unit

    def component(self) -> set[str]:
        """The members of the Primary component."""
        return {u for u, n in self.nodes.items() if n.primary}

    def kill(self, unit: str) -> None:
        """The machine loses its power."""
        node = self.nodes[unit]
        was, node.running, node.primary = node.primary, False, False
        if was:
            self._shrunk({unit}, clean=False)

    def stop(self, unit: str) -> None:
        """``systemctl stop mariadb``."""
        node = self.nodes[unit]
        was, node.running, node.primary, node.view = node.primary, False, False, frozenset()
        if was:
            node.safe = not self.component()
            self._shrunk({unit}, clean=True)

    def _shrunk(self, gone: set[str], *, clean: bool) -> None:
        left = self.component()
        view = left | gone
        whole = clean or 2 * len(left) > len(view)
        for u in left:
            if whole:
                self.nodes[u].view = frozenset(left)
            else:
                self.nodes[u].primary = False

    def start(self, unit: str) -> None:
        """``systemctl start mariadb``, or systemd's own."""
        node = self.nodes[unit]
        if node.running:
            return
        node.running = True
        self.settle()

    def settle(self) -> None:
        """Whoever runs finds whom it can find."""
        every = {u: n for u, n in self.nodes.items() if n.running and n.wsrep}
        if not self.component():
            for node in every.values():
                if node.view and all(v in every and every[v].view == node.view for v in node.view):
                    self._primary(set(node.view))
                    break
        if primary := self.component():
            seqno = max(self.nodes[u].seqno for u in primary)
            uuid = self.nodes[min(primary)].uuid
            for u, node in every.items():
                if node.primary:
                    continue
                if node.uuid == uuid and node.seqno > seqno:
                    node.ahead, node.running = True, False
                    if not self.forced:
                        raise LostError(f'{u} has what the cluster has not')
                    continue
                if node.data and node.uuid != uuid:
                    raise LostError(f'{u} gave up the data of another cluster')
                node.uuid, node.seqno, node.safe = uuid, seqno, False
                node.data = True
                primary.add(u)
            self._primary(primary)

    def _primary(self, units: set[str]) -> None:
        for u in units:
            node = self.nodes[u]
            node.primary, node.safe, node.view = True, False, frozenset(units)

    def write(self) -> None:
        """A client writes, and hears that it is done."""
        primary = self.component()
        seqno = max((self.nodes[u].seqno for u in primary), default=0)
        for u in primary:
            self.nodes[u].seqno = seqno + 1

    def remove(self, unit: str) -> None:
        """``juju remove-unit``."""
        self.hooks.pop(unit, None)
        self.stop(unit)
        del self.nodes[unit]
        del self.bags[unit]
        if self.leader == unit:
            self.leader = min(self.nodes, default='')

    # What the charm does.

    def begin(self, unit: str) -> None:
        """A hook begins: Juju shows it what there is now, until it ends."""
        leader = unit == self.leader
        others = {
            u: {**bag, 'ingress-address': f'10.0.0.{u[6:]}'}
            for u, bag in self.bags.items()
            if u != unit
        }
        self.hooks[unit] = Hook(
            charmkit.Inputs(
                site=Site(unit=unit, leader=leader, address=f'10.0.0.{unit[6:]}'),
                peers=dict(self.app),
                my_peer_data=dict(self.bags[unit]),
                peer_units=others,
                secrets={SEED: {'seed': 's'}, SST: {'value': 'p'}},
                fresh='f',
                versions={'mariadb-server': '1:10.11.6-0'},
            ),
            leader,
        )

    def end(
        self,
        unit: str,
        silent: Collection[str] = (),
        *,
        dies: bool = False,
        why: charmkit.Why = TIME,
    ) -> charmkit.Desired | None:
        """It looks, acts, and says; those who are *silent* do not answer it. One that *dies* says nothing."""
        if unit not in self.hooks:
            self.begin(unit)
        hook = self.hooks.pop(unit)
        inputs = hook.inputs
        if not cluster_run.is_cluster(inputs):
            return None
        inputs = dataclasses.replace(inputs, seen={'look': self._seen(unit, silent)})
        run = cluster_run.read(why, inputs)
        self._act(unit, run)
        inputs = dataclasses.replace(inputs, seen={**inputs.seen, 'act': self._seen(unit, silent)})
        again = cluster_run.read(why, inputs)
        if (again.step, again.permit) != (run.step, run.permit):
            raise LostError('the run wants something else once it has acted')
        if run.admitted:
            self.nodes[unit].wsrep = True
        if dies or (hook.leader and unit != self.leader):
            return None
        desired = cluster_run.desired(again)
        self.bags[unit] = dict(desired.unit_data['peers'])
        if hook.leader:
            self.app = {**dict(desired.app_data['peers']), mariadb.SEED: SEED, member.SST: SST}
        return desired

    def _seen(self, unit: str, silent: Collection[str]) -> galera_node.MemberProbe:
        node = self.nodes[unit]
        where = galera.Position(node.uuid, node.seqno) if node.uuid else None
        here = galera.LocalState(
            alive=node.running,
            wsrep=node.running and node.wsrep,
            primary=node.primary,
            synced=node.primary,
            uuid=node.uuid if node.primary else '',
            members=frozenset(self.component()) if node.primary else frozenset(),
            state=galera.Grastate(node.uuid, -1 if node.running else node.seqno, node.safe),
            data=node.data,
            position=None if node.primary else where,
        )
        theirs = {
            u: galera.MemberStatus(n.primary, n.primary, n.uuid if n.primary else '')
            for u, n in self.nodes.items()
            if u != unit and u not in silent
        }
        return galera_node.MemberProbe(here=here, theirs=theirs)

    def _act(self, unit: str, run: cluster_run.MemberRun) -> None:
        node, verb = self.nodes[unit], run.step.verb
        if verb in ('serve', 'wait', 'decline', 'refuse', 'restart'):
            return
        self.steps.append(f'{unit} {verb}')
        if verb == 'start':
            return self.start(unit)
        node.wsrep = True
        if verb == 'join':
            if node.data:
                raise LostError(f'{unit} joins and gives up its data')
            node.uuid, node.seqno, node.view, node.running = '', -1, frozenset(), True
            return self.settle()
        if self.component():
            raise LostError(f'{unit} starts a second cluster beside {self.component()}')
        if verb == 'found':
            self.founded += 1
            if self.founded > 1:
                raise LostError(f'{unit} founds a second cluster')
            if not node.data:
                raise LostError(f'{unit} founds a cluster without the data')
            node.uuid, node.seqno = f'{UUID}{self.founded}', 0
        else:
            most = max(n.seqno for n in self.nodes.values())
            if node.seqno < most and not self.forced:
                raise LostError(f'{unit} starts at {node.seqno}, another one has {most}')
        node.running = True
        self._primary({unit})
        return self.settle()

    def quiet(self, rounds: int = 8) -> None:
        """All machines are there, and time passes."""
        for unit in sorted(self.nodes):
            self.start(unit)
        for _ in range(rounds):
            for unit in sorted(self.nodes):
                self.begin(unit)
                self.end(unit)
                self.settle()

    def reboot(self, **params: object) -> charmkit.Desired | None:
        """The operator's action, on the leader."""
        why = charmkit.Action(cluster_run.REBOOT, params)
        self.begin(self.leader)
        return self.end(self.leader, why=why)
