"""Brokers of two series in containers, hooks run as Juju runs them, and OpenStack's own library as their client."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import time
from collections.abc import Generator
from typing import Any, cast

import charmkit
import node
import rabbit_run
from charmkit import drive, host
from charmkit import x509 as certs
from charmkit.relations import Relation, Site, rabbitmq, server_tls

from charms.tests import authorities
from tools import systems

from . import nodes

TIME = charmkit.Hook('update-status')
KEYS = 'secret:keys'
RPC = """
import sys, time, json, threading, logging
import oslo_messaging as om
from oslo_config import cfg
url, role = sys.argv[1], sys.argv[2]
conf = cfg.CONF
conf([], project='load')
transport = om.get_rpc_transport(conf, url=url)
conf.set_override('rabbit_quorum_queue', True, group='oslo_messaging_rabbit')
class Endpoint:
    def double(self, context, number):
        time.sleep(0.05)
        return 2 * number
    def note(self, context, number):
        with open('/tmp/noted', 'a') as out:
            out.write('%d\\n' % number)
if role == 'server':
    server = om.get_rpc_server(transport, om.Target(topic='t', server='s'), [Endpoint()], executor='threading')
    server.start()
    threading.Event().wait()
client = om.get_rpc_client(transport, om.Target(topic='t'), timeout=60) if hasattr(om, 'get_rpc_client') \\
    else om.RPCClient(transport, om.Target(topic='t'), timeout=60)
lock, numbers = threading.Lock(), iter(range(1, 1 << 30))
def work():
    while True:
        with lock:
            number = next(numbers)
        began, said = time.time(), ''
        try:
            said = '' if client.call({}, 'double', number=number) == 2 * number else 'wrong'
            client.cast({}, 'note', number=number)
        except Exception as e:
            said = repr(e)[:200]
        with lock, open('/tmp/journal', 'a') as out:
            out.write(json.dumps([number, time.time() - began, said]) + '\\n')
        time.sleep(0.2)
for _ in range(4):
    threading.Thread(target=work).start()
"""


@dataclasses.dataclass
class Member(nodes.Node):
    """A unit's machine, as the charm's own code sees it."""

    unit: str
    version: str = ''
    """Of its RabbitMQ's package."""
    paths: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    started_with: dict[str, str] = dataclasses.field(default_factory=dict[str, str])

    def read(self, path: str) -> str | None:
        done = self.program('cat', path)
        return done.output if done.status == 0 else None

    def observe(self, desired: host.Host) -> host.Observed:
        active = self.program('systemctl', 'is-active', *(s.name for s in desired.services))
        states = dict(zip((s.name for s in desired.services), active.output.split(), strict=False))
        return host.Observed(
            packages=dict.fromkeys(desired.packages, self.version),
            paths=dict(self.paths),
            active=frozenset(n for n, state in states.items() if state == 'active'),
            started_with=self.started_with,
        )

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        match step.verb:
            case 'write':
                file = next(f for f in desired.files if f.path == step.target)
                put = 'cat > "$0" && chown "$1" "$0" && chmod "$2" "$0"'
                rights = (f'{file.owner}:{file.group}', f'{file.mode:o}')
                done = self.program('sh', '-c', put, file.path, *rights, stdin=file.content)
                assert done.status == 0, done.output
                self.paths[file.path] = file.stamp
            case 'daemon-reload':
                self.sh('systemctl daemon-reload')
            case 'stop':
                self.sh(f'systemctl disable --now --quiet {step.target}')
            case 'start' | 'restart':
                words = f'systemctl enable -q {step.target}; systemctl {step.verb} {step.target}'
                done = self.program('sh', '-c', words, timeout_s=600)
                if done.status:
                    return done.output
                self.started_with[step.target] = desired.config_digest(step.target)
            case _:
                raise AssertionError(step)
        return ''


@dataclasses.dataclass
class Application:
    """Units, and what they and their leader have said."""

    members: dict[str, Member]
    leader: str
    client: str
    """Its address."""
    bags: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict[str, dict[str, str]])
    app: dict[str, str] = dataclasses.field(default_factory=lambda: {node.KEYS: KEYS})
    answers: dict[str, dict[str, str]] = dataclasses.field(
        default_factory=dict[str, dict[str, str]]
    )
    memory: dict[str, dict[str, Any]] = dataclasses.field(
        default_factory=dict[str, dict[str, Any]]
    )
    status: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    authority: str = ''
    """Who issues certificates; '' for nobody."""
    edition: int = 0
    """How often they were issued anew."""
    names: certs.Names | None = None
    """What they are for; None: what was asked for."""
    mark: str = ''
    """What the client has said of TLS."""
    asked: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The certificates that each unit asks for."""
    issued: dict[tuple[object, ...], dict[str, str]] = dataclasses.field(
        default_factory=dict[tuple[object, ...], dict[str, str]]
    )

    def certificates(self, unit: str) -> tuple[Relation, ...]:
        """The relation to who issues them."""
        if not self.authority:
            return ()
        asked = self.asked.get(unit, '')
        key = (asked, self.authority, self.edition, self.names)
        if key not in self.issued:
            self.issued[key] = authorities.answers(asked, self.authority, self.names)
        return (Relation(id=2, name='certificates', app='ca', app_data=self.issued[key]),)

    def inputs(self, unit: str) -> charmkit.Inputs:
        here = self.members[unit]
        asks = {'username': 'nova', 'vhost': 'openstack', 'takes-username': 'true'}
        asks |= {server_tls.IN_FORCE: self.mark} if self.mark else {}
        everywhere = {'peers': here.address, 'amqp': here.address}
        return charmkit.Inputs(
            site=Site(
                unit=unit, leader=unit == self.leader, address=here.address, addresses=everywhere
            ),
            facts=charmkit.Facts(base='debian@12', memory_mib=4096),
            relations={
                'amqp': (Relation(id=1, name='amqp', app='nova', units={'nova/0': asks}),),
                'certificates': self.certificates(unit),
            },
            unit_secret=f'{unit} {"u" * 64}',
            peers=self.app,
            my_peer_data=self.bags.get(unit, {}),
            peer_units={
                u: {**self.bags.get(u, {}), 'ingress-address': m.address}
                for u, m in self.members.items()
                if u != unit
            },
            secrets={KEYS: {'seed': 's' * 64, 'cookie': 'c' * 64}},
            memory=self.memory.get(unit, {}),
            versions={'rabbitmq-server': here.version},
            now=here.now(),
            fresh='f' * 64,
        )

    def hook(self, unit: str, why: charmkit.Why = TIME) -> charmkit.Desired:
        """Run one, to its end; what it says is kept."""
        machine = cast('charmkit.Machine', self.members[unit])
        driven = drive.drive(machine, rabbit_run.run, why, self.inputs(unit))
        desired = driven.desired
        print(time.strftime('%H:%M:%S'), unit, getattr(why, 'name', ''), [*map(str, driven.steps)])
        if desired.failure or desired.read_only or why.removing:
            return desired
        words = charmkit.state.summary(
            [*desired.status, *charmkit.state.troubles(driven.inputs, desired.status)]
        )
        self.status[unit] = f'{words.kind}: {words.message}'
        print(unit, self.status[unit], flush=True)
        self.memory[unit] = {**self.memory.get(unit, {}), **desired.memory}
        if 'peers' in desired.unit_data:
            self.bags[unit] = dict(desired.unit_data['peers'])
        if 1 in desired.unit_data:
            self.answers[unit] = dict(desired.unit_data[1])
        if 'certificates' in desired.unit_data:
            said = desired.unit_data['certificates']
            self.asked[unit] = said['certificate_signing_requests']
        if unit == self.leader and 'peers' in desired.app_data:
            said = desired.app_data['peers'].items()
            self.app = {k: re.sub(r'\{secret:(.*)\}', r'secret:\1', v) for k, v in said}
        return desired

    def hooks(self, rounds: int = 1) -> None:
        """Time passes on all units."""
        for _ in range(rounds):
            for unit in sorted(self.members):
                self.hook(unit)

    def action(self, unit: str, name: str) -> charmkit.Desired:
        return self.hook(unit, charmkit.Action(name, {}))

    def broker(self) -> rabbitmq.Broker:
        """What the client makes of all answers."""
        mine = {server_tls.IN_FORCE: self.mark} if self.mark else {}
        relation = Relation(
            id=1, name='amqp', app='rabbitmq-server', units=self.answers, my_data=mine
        )
        site = Site(unit='nova/0', leader=True, address='')
        found = rabbitmq.need('nova').read((relation,), site)
        assert found
        return found


@dataclasses.dataclass
class Cloud:
    """An application, and a service that uses it."""

    app: Application
    client: Member
    old: Member
    new: Member

    def load(self) -> None:
        """A server of remote calls, and clients that call it all the time."""
        url = self.app.broker().transport_url
        self.client.program(
            'sh', '-c', 'cat > /tmp/rpc.py; rm -f /tmp/journal /tmp/noted', stdin=RPC
        )
        for role in ('server', 'client'):
            self.client.sh(
                f'systemd-run --quiet --unit rpc-{role} python3 -u /tmp/rpc.py "{url}" {role}'
            )

    def journal(self) -> list[tuple[int, float, str]]:
        """Of each call: its number, seconds, and what went wrong."""
        text = self.client.read('/tmp/journal') or ''
        return [tuple(json.loads(line)) for line in text.splitlines()]

    def calls(self, more: int) -> None:
        """Wait until so many more calls have ended."""
        least, ends = len(self.journal()) + more, time.monotonic() + 120
        while len(self.journal()) < least:
            assert time.monotonic() < ends, self.client.sh(
                'journalctl -u rpc-client -u rpc-server -n 40'
            )
            time.sleep(0.5)

    def end(self) -> list[tuple[int, float, str]]:
        """Stop to call, then to serve."""
        self.client.sh('systemctl stop rpc-client')
        time.sleep(1)
        self.client.sh('systemctl stop rpc-server')
        return self.journal()

    def noted(self) -> set[int]:
        return {int(n) for n in (self.client.read('/tmp/noted') or '').split()}


@contextlib.contextmanager
def cloud(name: str) -> Generator[Cloud]:
    """A broker of the older series that serves; one of the newer, which is no unit yet."""
    images = {
        'old': ('debian-12', 'rabbitmq-server iptables'),
        'new': ('debian-13', 'rabbitmq-server iptables'),
        'client': ('debian-12', 'python3-oslo.messaging'),
    }
    names = {part: f'rambla-succession-{name}-{part}-{os.getpid()}' for part in images}
    found: list[Member] = []
    try:
        for number, (part, (base, packages)) in enumerate(images.items()):
            image = f'localhost/rambla-succession-{part}:{base}'
            systems.build(
                image,
                f'FROM {systems.base(base)}\n'
                'RUN export DEBIAN_FRONTEND=noninteractive; echo "exit 101" > /usr/sbin/policy-rc.d; '
                'chmod 755 /usr/sbin/policy-rc.d; apt-get update -q; '
                f'apt-get install -y -q --no-install-recommends {packages}; rm /usr/sbin/policy-rc.d; '
                'rm -f /var/lib/rabbitmq/.erlang.cookie; systemctl disable rabbitmq-server; true\n',
            )
            member = Member(
                names[part], systems.start(names[part], image), f'rabbitmq-server/{number}'
            )
            if part != 'client':
                member.version = member.sh("dpkg-query -W -f '${Version}' rabbitmq-server")
            found.append(member)
        old, new, client = found
        app = Application({old.unit: old}, old.unit, client.address)
        app.hooks(2)
        assert app.status[old.unit] == 'active: ', app.status
        yield Cloud(app, client, old, new)
    finally:
        for each in names.values():
            systems.remove(each)
