"""RabbitMQ nodes that are only remembered: they understand what the charm says to them, and nothing else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import amqp_tls
import amqp_users
from charmkit.machine import Finished

VERBS = ('start_tcp_listener', 'stop_tcp_listener', 'start_ssl_listener', 'clear_pem_cache')
START = ('systemctl', 'start', 'rabbitmq-server')


def fresh() -> dict[str, Any]:
    """What a node that has just been made has."""
    guest = {'name': 'guest', 'password_hash': 'x', 'tags': ['administrator']}
    rights = {'user': 'guest', 'vhost': '/', 'configure': '.*', 'write': '.*', 'read': '.*'}
    return {'users': [guest], 'vhosts': [{'name': '/'}], 'permissions': [rights], 'policies': []}


@dataclasses.dataclass
class Node:
    """One node's own data."""

    members: set[str]
    definitions: dict[str, Any] = dataclasses.field(default_factory=fresh)
    running: bool = True
    app: bool = True
    plain: bool = True
    """It takes clients without TLS."""
    tls: bool = False
    shown: str = ''
    """What it read from the file of its certificate."""
    connected: int = 0
    """Clients that came without TLS."""
    idle: bool = False
    """It is in maintenance mode."""


@dataclasses.dataclass
class Cluster:
    """All nodes, by name; those with the same members share their definitions."""

    nodes: dict[str, Node] = dataclasses.field(default_factory=dict[str, Node])
    alarms: list[dict[str, str]] = dataclasses.field(default_factory=list[dict[str, str]])
    partitions: dict[str, list[str]] = dataclasses.field(default_factory=dict[str, list[str]])
    disabled: list[str] = dataclasses.field(default_factory=list[str])
    queues: list[dict[str, Any]] = dataclasses.field(default_factory=list[dict[str, Any]])
    critical: bool = False
    waiting: str = ''
    """What a server says whose clients do not take what waits for them."""
    pem: Callable[[str], str] = lambda _: ''
    """What is in the file of a node's certificate, by the node."""
    refusing: str = ''
    """A command that has this in it is refused."""
    said: list[tuple[str, ...]] = dataclasses.field(default_factory=list[tuple[str, ...]])
    """Every command that changes something."""

    def add(self, *names: str) -> None:
        """Nodes that are members of one cluster."""
        shared = fresh()
        for name in names:
            self.nodes[name] = Node({*names}, shared)

    def of(self, name: str) -> Any:
        """The programs on the machine of the node *name*."""
        self.nodes.setdefault(name, Node({name}))

        def shell(argv: tuple[str, ...], stdin: str) -> Finished:
            return self._program(name, argv, stdin)

        return shell

    def up(self, name: str) -> set[str]:
        """Members of *name*'s cluster that run."""
        every = self.nodes[name].members & self.nodes.keys()
        return {n for n in every if self.nodes[n].running and self.nodes[n].app}

    def _program(self, me: str, argv: tuple[str, ...], stdin: str) -> Finished:
        if self.refusing and any(self.refusing in word for word in argv):
            return Finished(69, f'Error:\nno {self.refusing} today\n\nadvice')
        if argv == START:
            self.nodes[me].running = True
            return Finished(0)
        if argv[0] == 'sh' and 'import_definitions' in argv[2]:
            self._import(me, json.loads(stdin))
            return Finished(0)
        if argv[0] == 'sh':
            self.nodes[me] = Node({me}, running=False)
            return Finished(0)
        words = [w for w in argv[1:] if w != '-q']
        program = argv[0].rpartition('/')[2]
        if words[0] == '-n':
            return self._ctl(program, me, words[1], words[2:])
        return self._ctl(program, me, me, words)

    def _ctl(self, program: str, me: str, target: str, words: list[str]) -> Finished:  # noqa: C901 -- one case for each command
        node = self.nodes.get(target)
        if node is None or not node.running:
            return Finished(69, f'Error: unable to perform an operation on node {target!r}.')
        match words:
            case ['cluster_status', *_]:
                return Finished(0, self._status(target)) if node.app else Finished(64, 'no app')
            case ['export_definitions', *_]:
                return Finished(0, json.dumps(node.definitions))
            case ['list_vhosts', *_]:
                return Finished(0, '[\n' + json.dumps({'name': 'openstack'}) + '\n]')
            case ['list_queues', *_]:
                return Finished(0, json.dumps(self.queues))
            case ['check_if_node_is_quorum_critical'] if self.critical:
                return Finished(69, 'Error:\n3 queues would lose their majority')
            case ['eval', text] if 'at_rest' in text:
                return Finished(0, self.waiting or 'at_rest')
            case ['eval', text] if 'is_being_drained' in text:
                return Finished(0, self._listens(node))
            case ['eval', text] if verb := next((v for v in VERBS if v in text), ''):
                return self._listen(target, verb)
            case ['eval' | 'check_if_node_is_quorum_critical', *_]:
                return Finished(0, 'ok')
            case _:
                pass
        self.said.append((program, *words))
        match words:
            case ['stop_app']:
                node.app = False
            case ['start_app']:
                node.app = True
            case ['join_cluster', seed]:
                cluster = self.nodes[seed]
                everyone = cluster.members | {me}
                self.nodes[me] = dataclasses.replace(node, definitions=cluster.definitions)
                for name in everyone:
                    self.nodes[name].members = {*everyone}
            case ['reset'] | ['forget_cluster_node', _]:
                gone = me if words == ['reset'] else words[1]
                if words != ['reset'] and gone in self.up(me):
                    return Finished(69, f'Error:\nRabbitMQ on {gone} must be stopped')
                for name in self.nodes[me].members - {gone}:
                    self.nodes[name].members.discard(gone)
                if words == ['reset']:
                    self.nodes[me] = Node({me}, app=False)
            case ['enable_feature_flag', 'all']:
                self.disabled.clear()
            case ['delete_user', name]:
                self._drop(node, 'users', name=name)
                self._drop(node, 'permissions', user=name)
            case ['clear_permissions', '-p', vhost, user]:
                self._drop(node, 'permissions', vhost=vhost, user=user)
            case ['clear_policy', '-p', vhost, name]:
                self._drop(node, 'policies', vhost=vhost, name=name)
            case ['grow' | 'shrink' | 'drain', *_]:
                pass
            case _:
                return Finished(64, f'no such command: {words}')
        return Finished(0)

    def _listens(self, node: Node) -> str:
        shown = amqp_tls.fingerprint(node.shown) if node.tls and not node.idle else ''
        words = f'plain {node.plain} {node.connected} tls {node.tls} {shown or "none"} idle {node.idle}'
        return f'"{words.replace("True", "true").replace("False", "false")}"'

    def _listen(self, name: str, verb: str) -> Finished:
        node = self.nodes[name]
        self.said.append(('eval', verb))
        match verb:
            case 'start_ssl_listener':
                node.tls, node.shown = True, self.pem(name)
            case 'clear_pem_cache':
                node.shown = self.pem(name)
            case _:
                node.plain = verb == 'start_tcp_listener'
        return Finished(0, 'ok')

    def _status(self, name: str) -> str:
        flags = [{'name': 'khepri_db', 'state': 'disabled', 'stability': 'experimental'}]
        flags += [{'name': f, 'state': 'disabled', 'stability': 'stable'} for f in self.disabled]
        told = {
            'disk_nodes': sorted(self.nodes[name].members),
            'running_nodes': sorted(self.up(name)),
            'alarms': self.alarms,
            'partitions': self.partitions,
            'versions': {n: {'rabbitmq_version': '4.0.5'} for n in self.up(name)},
            'feature_flags': flags,
        }
        return 'a warning\n' + json.dumps(told)

    def _import(self, me: str, told: dict[str, Any]) -> None:
        held = self.nodes[me].definitions
        keys = {
            'users': ('name',), 'vhosts': ('name',), 'permissions': ('user', 'vhost'), 'policies': ('vhost', 'name'),
            'queues': ('vhost', 'name'), 'exchanges': ('vhost', 'name'), 'bindings': ('vhost', 'source', 'destination'),
        }  # fmt: skip
        for kind, names in keys.items():
            for new in told.get(kind, ()):
                same = [x for x in held.setdefault(kind, []) if all(x[k] == new[k] for k in names)]
                held[kind] = [x for x in held[kind] if x not in same] + [new]

    def _drop(self, node: Node, kind: str, **which: str) -> None:
        node.definitions[kind] = [
            x for x in node.definitions[kind] if any(x[k] != v for k, v in which.items())
        ]

    def lets_in(self, name: str, user: str, password: str) -> bool:
        """Whether *user* could log in at the node *name*."""
        seen = amqp_users.observed(json.dumps(self.nodes[name].definitions))
        kept = seen.users.get(user)
        want = amqp_users.Desired({user: password})
        return kept is not None and not amqp_users.plan(want, seen, leader=True).definitions

    def users(self, name: str) -> set[str]:
        """All users at the node *name*."""
        return {u['name'] for u in self.nodes[name].definitions['users']}
