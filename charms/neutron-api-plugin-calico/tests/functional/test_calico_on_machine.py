"""Neutron's own server with the driver that the charm brings: what is in etcd, and what comes from there."""

from __future__ import annotations

import json
import os
import pathlib
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import calico_driver
import pytest
from charmkit import conf, neutron_plugins
from charmkit import testing as machines
from charmkit.calico import for_python3, wheel
from ops import testing

from charms import conftest as shared
from charms.tests import charm_container
from tools import systems

from . import neutron_machine

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(1200)]
NAME = 'neutron-api-plugin-calico'
OWN = {'service_plugins': ['router'], 'extension_drivers': ['port_security']}
ETCD = 'http://127.0.0.1:2379'
PRIVILEGES = ('--cap-add', 'SYS_PTRACE,DAC_READ_SEARCH')
"""Without them neutron's agents cannot drop what they do not need (privsep)."""


@pytest.fixture(scope='module')
def driver(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The wheel of PyPI."""
    return neutron_machine.wheel(tmp_path_factory.mktemp('wheel'))


@pytest.fixture(scope='module')
def neutron(driver: pathlib.Path) -> Iterator[neutron_machine.Neutron]:
    """A machine on which neutron is to serve."""
    name, image = f'calico-{os.getpid()}', 'localhost/rambla-calico-test:debian-12'
    more = ' '.join(calico_driver.PACKAGES)
    systems.build(
        image,
        neutron_machine.CONTAINERFILE.format(base=systems.base('debian-12'), more=more),
    )
    mounts = (
        *charm_container.mounts(NAME),
        f'--volume={driver}:/opt/driver.whl:ro',
        f'--volume={neutron_machine.PLAYED_KEYSTONE}:/opt/played_keystone.py:ro',
        *charm_container.shared('dhcp_agent_on_machine.py'),
    )
    try:
        found = neutron_machine.Neutron(name, systems.start(name, image, *PRIVILEGES, *mounts))
        found.prepare()
        yield found
    finally:
        systems.remove(name)


def run(neutron: neutron_machine.Neutron) -> dict[str, Any]:
    """One run of the charm there."""
    given = {
        'principal': neutron_plugins.principal_databag(OWN),
        'options': {'etcd-endpoint': ETCD},
    }
    done = neutron.program(
        '--env=PYTHONPATH=/opt/charmkit:/opt/charm:/opt/packages',
        '--env=PYTHONDONTWRITEBYTECODE=1',
        *(neutron.name, 'python3', '/opt/tests/calico_on_machine.py', '/opt/driver.whl'),
        stdin=json.dumps(given),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ml2_conf(machine: machines.FakeMachine, *told: Mapping[str, str]) -> str:
    """What the charm neutron-api writes when a subordinate has *told* it so."""
    plugins = [
        testing.SubordinateRelation('neutron-plugin-api-subordinate', remote_unit_data=dict(bag))
        for bag in told
    ]
    ctx = testing.Context(shared.load('neutron-api').NeutronApiCharm)
    state = testing.State(
        leader=True,
        relations={
            shared.database('neutron-api/0'),
            shared.broker(),
            shared.identity('neutron'),
            testing.PeerRelation('peers'),
            *plugins,
        },
        networks=shared.networks(),
    )
    ctx.run(ctx.on.config_changed(), state)
    return machine.file(neutron_machine.ML2)


def test_the_edits_are_for_the_wheel_of_pypi(driver: pathlib.Path):
    found = wheel.read(driver.read_bytes())
    assert found.version == for_python3.VERSION
    for path, text in found.files.items():
        if path.endswith('.py'):
            compile(text, path, 'exec')


def test_without_the_charm_nothing_is_in_etcd(
    neutron: neutron_machine.Neutron, machine: machines.FakeMachine
):
    neutron.serve(ml2_conf(machine))
    made = neutron.subnet('10.64.0.0/24')['subnet']
    neutron.port(made['network_id'], 'server-0')
    assert neutron.etcd('/calico') == {}


def test_a_second_run_does_nothing(neutron: neutron_machine.Neutron):
    assert run(neutron)['status'] == []
    assert run(neutron)['steps'] == []


def test_subnets_and_ports_of_servers_are_in_etcd_when_the_api_has_answered(
    neutron: neutron_machine.Neutron, machine: machines.FakeMachine
):
    neutron.serve(ml2_conf(machine, run(neutron)['told']))
    made = neutron.subnet('10.65.0.0/24')['subnet']
    assert '10.65.0.0/24' in [subnet['cidr'] for subnet in neutron.subnets()]

    neutron.felix('status', {'uptime': 10, 'first_update': True})
    neutron.until(lambda: neutron.api('GET', 'agents')['agents'], 'the node is alive')
    port = neutron.port(made['network_id'], 'server-1')['port']
    assert port['binding:vif_type'] == 'tap'
    endpoint = neutron.endpoints()[port['id']]
    assert endpoint['node'] == neutron_machine.NODE
    address = port['fixed_ips'][0]['ip_address']
    assert endpoint['ipNetworks'] == [f'{address}/32']

    neutron.felix(f'workload/openstack/server-1/endpoint/{port["id"]}', {'status': 'up'})
    neutron.until(
        lambda: neutron.api('GET', f'ports/{port["id"]}')['port']['status'] == 'ACTIVE',
        'what Felix says of the port is known to neutron',
    )
    neutron.api('DELETE', f'ports/{port["id"]}')
    assert port['id'] not in neutron.endpoints()


def test_what_etcd_has_lost_is_there_again(neutron: neutron_machine.Neutron):
    assert neutron.subnets()
    neutron.sh('ETCDCTL_API=3 etcdctl del --prefix /calico/dhcp')
    assert not neutron.subnets()
    neutron.until(neutron.subnets, 'neutron compares all that it has with etcd')


def test_a_server_gets_its_address_of_the_dhcp_agent_that_comes_with_the_driver(
    neutron: neutron_machine.Neutron,
):
    made = neutron.subnet('10.67.0.0/24')['subnet']
    port = neutron.port(made['network_id'], 'server-2')['port']
    neutron.plug(port)
    assert 'no lease' in neutron.ask()

    section = conf.render({'calico': {'etcd_host': '127.0.0.1'}})
    neutron.put('/etc/neutron/calico-dhcp-agent.ini', f'{neutron_machine.AGENT}{section}')
    neutron.sh(
        'systemd-run --quiet --unit=calico-dhcp-agent --uid=neutron python3 '
        '/opt/dhcp_agent_on_machine.py --config-file /etc/neutron/calico-dhcp-agent.ini'
    )
    address = port['fixed_ips'][0]['ip_address']
    neutron.until(lambda: f'lease of {address} obtained' in neutron.ask(), 'it has a lease')


def test_the_driver_as_it_was_released_makes_no_subnet(
    neutron: neutron_machine.Neutron, machine: machines.FakeMachine, driver: pathlib.Path
):
    told = run(neutron)['told']
    folder = neutron.sh('cat /usr/local/lib/python3.11/dist-packages/networking-calico.pth')
    with zipfile.ZipFile(driver) as archive:
        for path in {edit.path for edit in for_python3.EDITS if edit.path}:
            neutron.put(f'{folder}/{path}', archive.read(path).decode())
    try:
        neutron.serve(ml2_conf(machine, told))
        assert 'NeutronError' in neutron.subnet('10.66.0.0/24')
    finally:
        run(neutron)
