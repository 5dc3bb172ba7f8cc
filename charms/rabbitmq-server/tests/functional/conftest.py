"""Three real RabbitMQ nodes, in containers of each base."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import cast

import amqp_users
import broker
import charmkit
import membership
import node
import pytest
from charmkit.machine import Finished
from charmkit.relations import Site

from tools import systems

from . import nodes

SEED, COOKIE = 's' * 64, 'c' * 64
CLIENT = """
import sys, pika
host, user, vhost, what, *more = sys.argv[1:]
login = pika.PlainCredentials(user, sys.stdin.readline().strip())
where = pika.ConnectionParameters(host, 5672, vhost, login, socket_timeout=10)
channel = (connection := pika.BlockingConnection(where)).channel()
if what == 'put':
    channel.queue_declare(more[0], durable=True, arguments={'x-queue-type': more[1]})
    channel.confirm_delivery()
    channel.basic_publish('', more[0], more[2].encode(), pika.BasicProperties(delivery_mode=2))
elif what == 'get':
    print(channel.basic_get(more[0], auto_ack=True)[2].decode())
elif what == 'hold':
    print('here', flush=True)
    sys.stdin.readline()
    channel.queue_declare('', exclusive=True)
print('done')
"""


@dataclasses.dataclass
class Machine(nodes.Node):
    """A member of the cluster."""

    number: int

    @property
    def unit(self) -> str:
        return f'rabbitmq-server/{self.number}'

    @property
    def node(self) -> str:
        return membership.node(self.unit)

    def client(
        self, password: str, *argv: str, user: str = 'nova', vhost: str = 'openstack'
    ) -> Finished:
        """A client of this member, with Pika."""
        return self.program(
            *('timeout', '20', 'python3', '-c', CLIENT, self.address, user, vhost, *argv),
            stdin=password + '\n',
        )

    def converge(self, want: membership.Want, **more: object) -> broker.Report:
        """What a hook of the unit does once its files are there."""
        every = {'accounts': amqp_users.Desired(), 'settings': SETTINGS, **more}
        task = broker.Converge(cluster=want, **every)  # pyright: ignore[reportArgumentType]
        return task.carry_out(cast('charmkit.Machine', self))


SETTINGS = broker.Settings(memory_bytes=1 << 30, disk_bytes=50 << 20, partitions='pause_minority')


def inputs(machines: list[Machine], me: Machine) -> charmkit.Inputs:
    """What the charm of *me* reads from Juju."""
    site = Site(
        unit=me.unit, leader=me.number == 0, address=me.address, addresses={}, all_addresses={}
    )
    return charmkit.Inputs(
        site=site,
        peers={'keys': 'secret:x', 'founder': 'rabbitmq-server/0'},
        peer_units={m.unit: {'ingress-address': m.address} for m in machines if m is not me},
        secrets={'secret:x': {'seed': SEED, 'cookie': COOKIE}},
    )


@pytest.fixture(scope='session', params=systems.BASES)
def machines(request: pytest.FixtureRequest) -> Iterator[list[Machine]]:
    image = f'localhost/rambla-rabbit-test:{request.param}'
    systems.build(
        image,
        f'FROM {systems.base(request.param)}\n'
        'RUN export DEBIAN_FRONTEND=noninteractive; echo "exit 101" > /usr/sbin/policy-rc.d; '
        'chmod 755 /usr/sbin/policy-rc.d; apt-get update -q; '
        'apt-get install -y -q --no-install-recommends rabbitmq-server python3-pika iptables; '
        'rm /usr/sbin/policy-rc.d /var/lib/rabbitmq/.erlang.cookie; systemctl disable rabbitmq-server\n',
    )
    names = [f'rambla-rabbit-test-{request.param}-{os.getpid()}-{n}' for n in range(3)]
    try:
        every = [Machine(n, systems.start(n, image), i) for i, n in enumerate(names)]
        for machine in every:
            for file in node.files(inputs(every, machine)):
                put = 'cat > "$0" && chown "$1" "$0" && chmod "$2" "$0"'
                rights = (f'{file.owner}:{file.group}', f'{file.mode:o}')
                argv = ('sh', '-c', put, file.path, *rights)
                done = machine.program(*argv, stdin=file.content)
                assert done.status == 0, done.output
        for machine in every:
            machine.sh('systemctl start rabbitmq-server')
        yield every
    finally:
        for name in names:
            systems.remove(name)
