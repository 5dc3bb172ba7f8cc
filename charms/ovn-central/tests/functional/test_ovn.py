"""OVN on a machine of each base: the databases that ovn-central serves, and a chassis that comes to them."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tools import systems

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(900)]
HERE = pathlib.Path(__file__).parent
MOUNTS = {
    HERE: '/test',
    HERE.parents[1] / 'src': '/central',
    HERE.parents[2] / 'ovn-chassis/src': '/chassis',
    HERE.parents[3] / 'charmkit/src': '/charmkit',
    pathlib.Path(sysconfig.get_path('purelib')): '/site',
}
CONTAINERFILE = """FROM {base}
RUN export DEBIAN_FRONTEND=noninteractive; \
 printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; apt-get -q update; \
 apt-get -q -y install --no-install-recommends ovn-central ovn-host neutron-ovn-metadata-agent haproxy iptables; \
 rm /usr/sbin/policy-rc.d; systemctl disable ovn-central ovn-host openvswitch-switch neutron-ovn-metadata-agent haproxy
"""
DATA = '10.8.0.4'
NOVA = {'nova-metadata-host': '10.0.0.8', 'shared-metadata-secret': 'shared-with-nova'}
COMES = "timeout 60 sh -c 'until {}; do sleep 1; done'"


@dataclasses.dataclass(frozen=True)
class Machine:
    """A container with OVN's packages."""

    name: str
    address: str

    def sh(self, script: str, stdin: str = '') -> str:
        """What *script* says; an assertion when it fails."""
        argv = ('podman', 'exec', '-i', self.name, 'sh', '-c', script)
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def run(self, charm: str, name: str, said: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        """One run of the class *name* of a *charm*, with what others have *said*."""
        path = f'PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/{charm}:/charmkit:/site'
        argv = f'{path} python3 /test/ovn_on_machine.py {name} {self.address} {DATA}'
        return json.loads(self.sh(argv, json.dumps(said)))

    def central(self) -> dict[str, Any]:
        """One run of ovn-central."""
        return self.run('central', 'OvnCentralCharm', {'ovsdb': {}, 'ovsdb-cms': {}})

    def chassis(self) -> dict[str, Any]:
        """One run of ovn-chassis, with what ovn-central says."""
        said = self.central()['told']['ovsdb']
        return self.run(
            'chassis',
            'OvnChassisCharm',
            {'ovsdb': said, 'quantum-network-service': NOVA, 'nova-compute': {}},
        )

    def chassis_seen(self) -> str:
        """What the southbound database has of chassis."""
        return self.sh(f'ovn-sbctl --db=tcp:{self.address}:6642 show').replace('"', '')


@pytest.fixture(scope='module', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """One whose daemons wait for the charms, with a network card for tunnels."""
    name, image = (
        f'ovn-{request.param}-{os.getpid()}',
        f'localhost/rambla-ovn-test:{request.param}',
    )
    systems.build(image, CONTAINERFILE.format(base=systems.base(request.param)))
    mounts = [f'--volume={here}:{there}:ro' for here, there in MOUNTS.items()]
    try:
        found = Machine(name, systems.start(name, image, '--device=/dev/net/tun', *mounts))
        found.sh(
            'ip link add data0 type veth peer name data1; ip link set data0 up; ip link set data1 up; '
            f'ip addr add {DATA}/24 dev data0'
        )
        yield found
    finally:
        systems.remove(name)


def test_the_databases_are_served_and_networks_come_from_one_to_the_other(machine: Machine):
    out = machine.central()
    assert (out['failed'], out['status']) == ({}, [])
    north = f'ovn-nbctl --db=tcp:{machine.address}:6641'
    machine.sh(f'{north} --timeout=60 --wait=sb ls-add blue')
    assert 'blue' in machine.sh(f'ovn-sbctl --db=tcp:{machine.address}:6642 list Datapath_Binding')


def test_they_listen_where_they_are_bound_alone(machine: Machine):
    said = machine.sh(
        '! said=$(ovn-nbctl --timeout=5 --db=tcp:127.0.0.1:6641 show 2>&1) && echo "$said"'
    )
    assert 'refused' in said


def test_a_second_run_does_nothing_and_a_restart_keeps_the_networks(machine: Machine):
    assert machine.central()['steps'] == []
    machine.sh('systemctl restart ovn-ovsdb-server-nb ovn-ovsdb-server-sb')
    listed = f'ovn-nbctl --timeout=30 --db=tcp:{machine.address}:6641 ls-list'
    machine.sh(COMES.format(f'{listed} | grep -q blue'))


def test_a_node_is_a_chassis_once_its_charm_has_run(machine: Machine):
    assert 'Chassis' not in machine.chassis_seen()
    out = machine.chassis()
    assert (out['failed'], out['status']) == ({}, [])
    assert out['told']['nova-compute'] == {
        'neutron-plugin': 'ovn',
        'subordinate_configuration': '{"nova-compute": {}}',
    }
    machine.sh(COMES.format(f'ovn-sbctl --db=tcp:{machine.address}:6642 show | grep -q Chassis'))
    seen = machine.chassis_seen()
    assert f'hostname: {machine.sh("hostname")}' in seen
    assert f'ip: {DATA}' in seen
    assert 'Encap geneve' in seen


def test_its_address_is_on_a_bridge_of_the_switch_and_its_agent_stays(machine: Machine):
    assert DATA in machine.sh('ip -o address show dev br-data')
    assert machine.sh('ovs-vsctl get bridge br-data datapath_type') == 'netdev'
    bridges = 'ovs-vsctl get bridge br-int datapath_type | grep -q netdev'
    machine.sh(COMES.format(bridges))
    assert machine.sh('systemctl is-active neutron-ovn-metadata-agent') == 'active'
    assert machine.sh('systemctl show --value -p NRestarts neutron-ovn-metadata-agent') == '0'
    assert machine.chassis()['steps'] == []
