"""Every file that the charm writes, on each base: read the goldens to see what a unit has."""

from __future__ import annotations

import dataclasses
import json

import pytest
from charmkit import host
from charmkit import testing as machines
from charmkit.machine import Finished
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

NAME = 'nova-compute'
USER_KEY = f'ssh-ed25519 {"A" * 68} nova'
HOST_KEY = f'ssh-ed25519 {"B" * 68}'
CONTROLLER = {
    'auth_protocol': 'http',
    'auth_host': '10.0.0.6',
    'auth_port': '5000',
    'service_protocol': 'https',
    'service_host': 'keystone.example.com',
    'service_port': '5000',
    'service_username': 'nova',
    'service_password': 'account-pw',
    'service_tenant_name': 'services',
    'admin_domain_name': 'service_domain',
    'region': 'RegionOne',
    'console_access_protocol': 'novnc',
    'console_proxy_novnc_address': 'http://203.0.113.9:6080/vnc_lite.html',
    'nova_authorized_keys_0': USER_KEY,
    'nova_authorized_keys_max_index': '1',
    'nova_known_hosts_0': f'compute-7,10.0.0.7 {HOST_KEY}',
    'nova_known_hosts_max_index': '1',
}
FILES = {'/etc/nova/nova.conf': {'sections': {'os_vif_ovs': [['ovsdb_interface', 'native']]}}}
CONTRIBUTED = {'nova-compute': FILES}


def queue() -> testing.Relation:
    bag = {'hostname': '10.0.0.8', 'password': 'queue-pw', 'username': 'nova'}
    return testing.Relation('amqp', remote_app_name='rabbitmq-server', remote_units_data={0: bag})


def controller() -> testing.Relation:
    return testing.Relation(
        'cloud-compute',
        remote_app_name='nova-cloud-controller',
        remote_units_data={0: CONTROLLER},
    )


def plugin() -> testing.SubordinateRelation:
    bag = {'neutron-plugin': 'ovs', 'subordinate_configuration': json.dumps(CONTRIBUTED)}
    return testing.SubordinateRelation(
        'neutron-plugin', remote_app_name='neutron-openvswitch', remote_unit_data=bag
    )


def run(*relations: testing.RelationBase, **config: str | bool | int) -> testing.State:
    """A config-changed of a unit with *relations*."""
    ctx = testing.Context(shared.load(NAME).NovaComputeCharm)
    state = testing.State(
        leader=True,
        config=config,
        relations={*relations, testing.PeerRelation('peers')},
        networks={
            testing.Network(
                'migration',
                [testing.BindAddress([testing.Address('10.0.0.2', cidr='10.0.0.0/24')])],
                ingress_addresses=['10.0.0.2'],
            )
        },
    )
    return ctx.run(ctx.on.config_changed(), state)


def without_kvm(argv: tuple[str, ...], _: str) -> Finished:
    return Finished(1, 'there is no /dev/kvm\n') if 'kvm' in argv[-1] else Finished(0)


@pytest.fixture
def node(machine: machines.FakeMachine) -> machines.FakeMachine:
    """One that has no KVM, and keys."""
    machine.shell = without_kvm
    machine.kept['/var/lib/nova/.ssh/id_ed25519.pub'] = f'{USER_KEY}\n'
    machine.kept['/etc/ssh/ssh_host_ed25519_key.pub'] = f'{HOST_KEY} root@here\n'
    machine.kept['/etc/ssh/ssh_host_ed25519_key'] = 'PRIVATE'
    return machine


def shown(files: tuple[host.File, ...]) -> str:
    ours = [f for f in files if not f.path.startswith('/usr/local/lib/charmkit/')]
    return '\n'.join(
        f'==> {f.path} {f.owner}:{f.group} {f.mode:04o}\n{f.content}'
        for f in sorted(ours, key=lambda f: f.path)
    )


@pytest.mark.parametrize('base', shared.BASES)
def test_files_are_as_the_golden_has_them(
    node: machines.FakeMachine, base: str, snapshot: SnapshotAssertion
):
    node.base, node.container = base, True
    run(queue(), controller(), plugin())
    assert shown(node.desired.files) == snapshot


def test_on_a_machine_of_its_own_libvirt_has_control_groups_and_namespaces(
    node: machines.FakeMachine,
):
    run(queue(), controller(), plugin())
    assert 'cgroup_controllers' not in node.file('/etc/libvirt/qemu.conf')
    assert not [f for f in node.desired.files if f.path == '/etc/tmpfiles.d/tun.conf']


@pytest.mark.parametrize(
    ('missing', 'words'),
    [
        ('amqp', 'missing relation: amqp'),
        ('cloud-compute', 'missing relation: cloud-compute'),
        ('neutron-plugin', 'missing relation: neutron-plugin'),
    ],
)
def test_it_runs_with_all_that_it_needs_and_says_what_is_missing(
    node: machines.FakeMachine, missing: str, words: str
):
    found = [r for r in (queue(), controller(), plugin()) if r.endpoint != missing]
    out = run(*found)
    assert out.unit_status.message == words
    assert node.service('nova-compute') == 'stopped'
    out = run(queue(), controller(), plugin())
    assert out.unit_status.name == 'active'
    assert node.service('nova-compute') == 'running'


def test_it_tells_the_controller_who_it_is_and_the_public_halves_of_its_keys(
    node: machines.FakeMachine,
):
    asked = controller()
    out = run(queue(), asked, plugin())
    told = out.get_relation(asked.id).local_unit_data
    assert told['hostname'] == 'machine-0'
    assert told['private-address'] == '10.0.0.2'
    assert told['nova_ssh_public_key'] == USER_KEY
    assert told['ssh_host_keys'] == HOST_KEY
    assert told['availability_zone'] == 'nova'
    assert 'PRIVATE' not in str(out)


@pytest.mark.parametrize(
    ('option', 'said', 'virt_type', 'note'),
    [
        ('auto', 'there is no /dev/kvm', 'qemu', 'qemu emulates, no KVM (there is no /dev/kvm)'),
        ('auto', '', 'kvm', ''),
        ('qemu', '', 'qemu', 'qemu emulates, no KVM'),
        ('kvm', 'there is no /dev/kvm', 'kvm', ''),
    ],
)
def test_kvm_is_taken_where_something_booted_with_it_or_the_operator_says_so(
    node: machines.FakeMachine, option: str, said: str, virt_type: str, note: str
):
    node.shell = lambda argv, _: Finished(1 if said else 0, f'noise\n{said}\n')
    out = run(queue(), controller(), plugin(), **{'virt-type': option})
    assert f'virt_type = {virt_type}\n' in node.file('/etc/nova/nova-compute.conf')
    assert out.unit_status == testing.ActiveStatus(note)
    mode = {'kvm': 'host-model', 'qemu': 'none'}[virt_type]
    assert f'cpu_mode = {mode}\n' in node.file('/etc/nova/nova-compute.conf')


def test_kvm_is_tried_once_and_again_with_other_packages(node: machines.FakeMachine):
    ctx = testing.Context(shared.load(NAME).NovaComputeCharm)
    state = testing.State(
        leader=True,
        relations={queue(), controller(), plugin(), testing.PeerRelation('peers')},
    )

    def trials() -> int:
        return sum('kvm' in argv[-1] for argv in node.programs)

    state = ctx.run(ctx.on.config_changed(), state)
    assert trials() == 1
    state = ctx.run(ctx.on.update_status(), state)
    assert trials() == 1
    node.version = '2:99.0-1'
    upgraded = dict.fromkeys(node.seen.packages, node.version)
    node.seen = dataclasses.replace(node.seen, packages=upgraded)
    ctx.run(ctx.on.update_status(), state)
    assert trials() == 2


def test_no_secret_is_in_a_file_that_others_read(node: machines.FakeMachine):
    run(queue(), controller(), plugin())
    for file in node.desired.files:
        if any(secret in file.content for secret in ('account-pw', 'queue-pw')):
            assert file.mode & 0o007 == 0, file.path
