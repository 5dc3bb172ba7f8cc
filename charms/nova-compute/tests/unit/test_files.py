"""Every file that the charm writes, on each base: read the goldens to see what a unit has."""

from __future__ import annotations

import dataclasses

import pytest
from charmkit import compute_agent, host, subordinate
from charmkit import testing as machines
from charmkit.machine import Finished
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

from .compute_node import CONTROLLER, HOST_KEY, NAME, USER_KEY, controller, plugin, queue, ready


def network(binding: str, address: str) -> testing.Network:
    subnet = f'{address.rpartition(".")[0]}.0/24'
    there = testing.BindAddress([testing.Address(address, cidr=subnet)])
    return testing.Network(binding, [there], ingress_addresses=[address])


def run(*relations: testing.RelationBase, **config: str | bool | int) -> testing.State:
    """A config-changed of a unit with *relations*."""
    ctx = testing.Context(shared.load(NAME).NovaComputeCharm)
    state = testing.State(
        leader=True,
        config=config,
        relations={*relations, testing.PeerRelation('peers')},
        networks={
            network('migration', '10.0.0.2'),
            network('cloud-compute', '10.7.0.2'),
        },
    )
    return ctx.run(ctx.on.config_changed(), state)


@pytest.fixture
def node(machine: machines.FakeMachine) -> machines.FakeMachine:
    """One that has no KVM, and keys."""
    return ready(machine)


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
    assert 'host_uuid' not in node.file('/etc/libvirt/libvirtd.conf')
    assert not [f for f in node.desired.files if f.path == '/etc/tmpfiles.d/tun.conf']


def test_nodes_in_containers_of_one_host_are_different_hosts_to_libvirt(
    node: machines.FakeMachine,
):
    node.container = True
    run(queue(), controller(), plugin())
    assert 'host_uuid_source = "machine-id"\n' in node.file('/etc/libvirt/libvirtd.conf')
    (file,) = (f for f in node.desired.files if f.path == '/etc/libvirt/libvirtd.conf')
    assert file.notify == ('libvirtd',)


def test_consoles_are_reached_where_the_controller_is_and_guests_are_moved_where_migration_is(
    node: machines.FakeMachine,
):
    run(queue(), controller(), plugin())
    conf = node.file('/etc/nova/nova.conf')
    assert 'server_listen = 10.7.0.2\nserver_proxyclient_address = 10.7.0.2\n' in conf
    assert 'my_ip = 10.0.0.2\n' in conf
    moved = node.file('/etc/nova/nova-compute.conf')
    assert 'live_migration_inbound_addr = 10.0.0.2\n' in moved


def test_an_upgrade_whose_scripts_set_the_shell_back_leaves_nova_one_that_lets_others_in(
    node: machines.FakeMachine,
):
    ctx = testing.Context(shared.load(NAME).NovaComputeCharm)
    state = testing.State(
        leader=True,
        relations={queue(), controller(), plugin(), testing.PeerRelation('peers')},
    )
    state = ctx.run(ctx.on.config_changed(), state)
    node.steps.clear()
    state = ctx.run(ctx.on.config_changed(), state)
    assert 'run shell of nova' not in node.steps
    node.version = '2:99.0-1'
    ctx.run(ctx.on.action('openstack-upgrade'), state)
    assert 'run shell of nova' in node.steps


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
    assert (told['release'], told['base']) == ('zed', 'debian@12')
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


def test_the_keys_of_a_node_that_has_left_are_in_no_file(node: machines.FakeMachine):
    ctx = testing.Context(shared.load(NAME).NovaComputeCharm)
    asked = controller()
    relations = {queue(), asked, plugin(), testing.PeerRelation('peers')}
    state = ctx.run(ctx.on.config_changed(), testing.State(leader=True, relations=relations))
    holding = [
        f.path for f in node.desired.files if 'A' * 68 in f.content or 'B' * 68 in f.content
    ]
    assert len(holding) == 3
    left = {k: v for k, v in CONTROLLER.items() if not k.startswith('nova_')}
    told = dataclasses.replace(asked, remote_units_data={0: left})
    (before,) = (r for r in state.relations if r.id == asked.id)
    after = dataclasses.replace(state, relations={*(state.relations - {before}), told})
    ctx.run(ctx.on.config_changed(), after)
    assert [node.file(path) for path in holding if path.rpartition('/')[2] != 'config'] == [''] * 3


def test_no_secret_is_in_a_file_that_others_read(node: machines.FakeMachine):
    run(queue(), controller(), plugin())
    for file in node.desired.files:
        if any(secret in file.content for secret in ('account-pw', 'queue-pw')):
            assert file.mode & 0o007 == 0, file.path


def test_an_agent_beside_it_has_its_sections_in_novas_file(node: machines.FakeMachine):
    said = compute_agent.databag(
        {compute_agent.CONF: {'notifications': {'notify_on_state_change': 'vm_state'}}},
        **subordinate.extras(packages=('python3-agent',)),
    )
    agent = testing.SubordinateRelation(
        compute_agent.RELATION, remote_app_name='agent', remote_unit_data=said
    )
    out = run(queue(), controller(), plugin(), agent)
    assert '[notifications]\nnotify_on_state_change = vm_state\n' in node.file(compute_agent.CONF)
    assert 'python3-agent' in node.seen.packages
    assert 'agent' not in out.unit_status.message
