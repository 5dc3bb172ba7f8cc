"""A compute node for tests: the relations that it needs, and a machine that has no KVM and keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from charmkit import testing as machines
from charmkit.machine import Finished
from ops import testing

from charms import conftest as shared

from .played_nova import Nova

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


def without_kvm(argv: tuple[str, ...], _: str) -> Finished:
    return Finished(1, 'there is no /dev/kvm\n') if 'kvm' in argv[-1] else Finished(0)


def ready(machine: machines.FakeMachine) -> machines.FakeMachine:
    """*machine* as one that has no KVM, and keys, and that nova has mapped."""
    machine.web = Nova()
    machine.shell = without_kvm
    machine.kept['/var/lib/nova/.ssh/id_ed25519.pub'] = f'{USER_KEY}\n'
    machine.kept['/etc/ssh/ssh_host_ed25519_key.pub'] = f'{HOST_KEY} root@here\n'
    machine.kept['/etc/ssh/ssh_host_ed25519_key'] = 'PRIVATE'
    return machine


@pytest.fixture
def node(machine: machines.FakeMachine) -> machines.FakeMachine:
    return ready(machine)


@pytest.fixture
def nova(node: machines.FakeMachine) -> Nova:
    node.web = played = Nova()
    return played


@pytest.fixture
def ctx(nova: Nova) -> testing.Context[Any]:
    return testing.Context(shared.load(NAME).NovaComputeCharm)
