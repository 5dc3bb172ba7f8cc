"""The Orchestration APIs of the distribution under Apache, with a real database and a real queue."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from charms.tests import charm_container
from tools import systems

pytestmark = [pytest.mark.functional, pytest.mark.slow]

NO_KEYSTONE = 'no domain for the users of stacks: heat cannot log in to keystone: 0 '


@dataclasses.dataclass
class Machine(charm_container.CharmContainer):
    """A container, and what it takes to run the charm in it."""

    peers: dict[str, str] = dataclasses.field(default_factory=dict[str, str])

    def reconcile(self) -> dict[str, Any]:
        """One run of the charm with every relation answered."""
        found = self.run_charm(
            'heat_on_machine.py', {'address': self.address, 'peers': self.peers}
        )
        self.peers = found['peers']
        return found

    def code(self, port: int, path: str) -> str:
        url = f'http://{self.address}:{port}{path}'
        return self.sh(f"curl -s -o /dev/null --max-time 60 -w '%{{http_code}}' '{url}'")


@pytest.fixture(scope='module', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    image = f'localhost/rambla-heat-test:{request.param}'
    systems.build(
        image,
        f'FROM {systems.base(request.param)}\n'
        'RUN export DEBIAN_FRONTEND=noninteractive; apt-get update -q; '
        'apt-get install -y -q --no-install-recommends mariadb-server rabbitmq-server curl procps\n',
    )
    name = f'rambla-heat-test-{request.param}-{os.getpid()}'
    mounts = charm_container.mounts('heat')
    try:
        found = Machine(name, systems.start(name, image, *mounts))
        found.sh(
            'set -e; mariadb -e "CREATE DATABASE heat; '
            "CREATE USER heat@127.0.0.1 IDENTIFIED BY 'pw'; GRANT ALL ON heat.* TO heat@127.0.0.1\"; "
            'rabbitmqctl add_user heat pw; rabbitmqctl add_vhost openstack; '
            "rabbitmqctl set_permissions -p openstack heat '.*' '.*' '.*'"
        )
        yield found
    finally:
        systems.remove(name)


@pytest.fixture(scope='module')
def first(machine: Machine) -> dict[str, Any]:
    """What the first run of the charm did."""
    return machine.reconcile()


def test_both_apis_serve_and_a_keystone_that_is_not_there_is_told(
    machine: Machine, first: dict[str, Any]
):
    assert first['failed'] == {}
    (said,) = first['status']
    assert said['message'].startswith(NO_KEYSTONE)
    for port in (8004, 8000):
        assert machine.code(port, '/healthcheck') == '200'


def test_a_second_run_has_nothing_to_do(machine: Machine, first: dict[str, Any]):
    assert machine.reconcile()['steps'] == []


def test_the_packages_own_servers_do_not_run_and_the_engine_does(
    machine: Machine, first: dict[str, Any]
):
    running = machine.sh("systemctl list-units 'heat-*' --state=running --plain --no-legend")
    assert {line.split()[0] for line in running.splitlines()} == {'heat-engine.service'}


def test_the_engine_listens_for_what_the_apis_ask(machine: Machine, first: dict[str, Any]):
    """The queue is there some time before who reads it."""
    queues = "rabbitmqctl list_queues -q -p openstack name consumers | grep -E '^engine\\s+[1-9]'"
    end = time.monotonic() + 120
    while not machine.sh(queues, check=False):
        assert time.monotonic() < end
        time.sleep(1)
