"""A compute node's libvirt and QEMU, set up by the charm in a system container: guests run in it."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tools import systems

sys.path.insert(0, str(pathlib.Path(__file__).parents[4] / 'charmkit/tests/functional'))

import containers

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(3600)]

USER_KEY = f'ssh-ed25519 {"A" * 68} nova'
GUEST = """<domain type='{kind}'>
  <name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  <devices><serial type='pty'/></devices>
</domain>
"""


@pytest.fixture(scope='module', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[containers.Machine]:
    """A machine with nothing on it, with the device that the charm's profile asks for."""
    name = f'nova-compute-{request.param}-{os.getpid()}'
    mounts = [f'--volume={here}:{there}:ro' for here, there in containers.MOUNTS.items()]
    try:
        device = '--device=/dev/net/tun'
        address = systems.start(name, systems.base(request.param), device, *mounts)
        yield containers.Machine(name, request.param.replace('-', '@'), address)
    finally:
        systems.remove(name)


def relations(address: str) -> dict[str, dict[str, str]]:
    """All that it needs, from others that are not there."""
    return {
        'amqp': {'hostname': address, 'password': 'pw', 'username': 'nova'},
        'cloud-compute': {
            'auth_protocol': 'http',
            'auth_host': address,
            'auth_port': '5000',
            'service_username': 'nova',
            'service_password': 'pw',
            'nova_authorized_keys_0': USER_KEY,
            'nova_authorized_keys_max_index': '1',
        },
        'neutron-plugin': {'neutron-plugin': 'ovs'},
    }


@pytest.fixture(scope='module')
def result(machine: containers.Machine) -> dict[str, Any]:
    """What the charm's first pass came to."""
    return machine.reconcile('nova-compute', relations=relations(machine.address))


def guest(machine: containers.Machine, name: str, kind: str = 'qemu') -> str:
    """Start a guest as nova's user does; what libvirt says it does, or why it does not."""
    machine.run('sh', '-c', 'cat > /tmp/guest.xml', stdin=GUEST.format(kind=kind, name=name))
    virsh = 'su -s /bin/sh nova -c "virsh -q -c qemu:///system'
    return machine.sh(
        f'{virsh} create /tmp/guest.xml" && {virsh} domstate {name}" 2>&1', check=False
    )


def test_only_what_others_do_not_answer_for_is_wrong(result: dict[str, Any]):
    """nova-compute comes up once its controller answers, and there is none."""
    assert {*result['failed']} <= {'nova-compute'}


def test_guests_run_in_the_emulator_and_the_status_says_so(
    machine: containers.Machine, result: dict[str, Any]
):
    said = [s['message'] for s in result['status']]
    assert any('qemu emulates, no KVM (' in message for message in said), said
    assert 'virt_type = qemu' in machine.sh('cat /etc/nova/nova-compute.conf')
    assert guest(machine, 'one').endswith('running')


def test_it_is_not_tried_again_for_the_same_packages(
    machine: containers.Machine, result: dict[str, Any]
):
    kept = {'kvm': result['memory']['kvm']}
    again = machine.reconcile('nova-compute', relations=relations(machine.address), memory=kept)
    assert again['memory']['kvm'] == result['memory']['kvm']
    assert [s for s in again['steps'] if 'nova-compute' not in s] == []


def test_a_restart_of_libvirt_leaves_guests_running(
    machine: containers.Machine, result: dict[str, Any]
):
    machine.sh('systemctl restart libvirtd')
    assert machine.sh('virsh -q -c qemu:///system domstate one') == 'running'


@pytest.mark.skipif(
    pathlib.Path('/sys/fs/cgroup/cgroup.controllers').exists(),
    reason='with control groups v2 libvirt takes what it finds',
)
def test_without_what_the_charm_tells_libvirt_no_guest_would_run(
    machine: containers.Machine, result: dict[str, Any]
):
    """The twin."""
    machine.sh(
        'cp /etc/libvirt/qemu.conf /tmp; : > /etc/libvirt/qemu.conf; systemctl restart libvirtd'
    )
    try:
        assert 'running' not in guest(machine, 'two').split('\n')
    finally:
        machine.sh('cp /tmp/qemu.conf /etc/libvirt/; systemctl restart libvirtd')
    assert guest(machine, 'two').endswith('running')


def test_other_nodes_may_log_in_as_nova_and_only_they(
    machine: containers.Machine, result: dict[str, Any]
):
    assert machine.sh('getent passwd nova').endswith(':/bin/bash')
    assert machine.sh('stat -c "%U %a" /var/lib/nova/.ssh /var/lib/nova/.ssh/id_ed25519').split(
        '\n'
    ) == ['nova 700', 'nova 600']
    assert machine.sh('cat /var/lib/nova/.ssh/authorized_keys') == USER_KEY
    own = machine.sh('cat /var/lib/nova/.ssh/id_ed25519.pub')
    address = machine.address
    login = f'su -s /bin/sh nova -c "ssh -o ConnectTimeout=5 {address} id -un" 2>&1'
    assert machine.sh(login, check=False) != 'nova'
    host_key = machine.sh('cut -d" " -f1,2 /etc/ssh/ssh_host_ed25519_key.pub')
    told = relations(address)
    told['cloud-compute'] |= {
        'nova_authorized_keys_0': own,
        'nova_known_hosts_0': f'{address} {host_key}',
        'nova_known_hosts_max_index': '1',
    }
    machine.reconcile('nova-compute', relations=told, memory={'kvm': result['memory']['kvm']})
    assert machine.sh(login, check=False) == 'nova'
