"""calico-dhcp-agent as the charm has it on a machine, with a real etcd that takes none but those with a certificate."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import dhcp_agent
import pytest
from charmkit.calico import library

from charms.tests import charm_container
from tools import systems

from . import node_machine

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(1200)]
NAME = 'neutron-calico'
PRIVILEGES = ('--cap-add', 'SYS_PTRACE,DAC_READ_SEARCH', '--hostname', node_machine.NODE)
"""Without them neutron's agents cannot drop what they do not need (privsep)."""


def wheel(folder: pathlib.Path) -> pathlib.Path:
    """networking-calico of PyPI, fetched by pip: an assertion with its words when it cannot be had."""
    asked = (
        'download',
        '--quiet',
        '--no-deps',
        '--dest',
        str(folder),
        'networking-calico==3.12.0',
    )
    done = subprocess.run(
        (sys.executable, '-m', 'pip', *asked), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f'networking-calico 3.12.0 cannot be fetched: {done.stderr}'
    return next(folder.glob('*.whl'))


@pytest.fixture(scope='module')
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[node_machine.Node]:
    """A machine on which the agent is to run."""
    attached = wheel(tmp_path_factory.mktemp('wheel'))
    name, image = f'calico-node-{os.getpid()}', 'localhost/rambla-calico-node-test:debian-12'
    packages = f'neutron-dhcp-agent {library.PACKAGE}'
    base = systems.base('debian-12')
    systems.build(image, node_machine.CONTAINERFILE.format(base=base, packages=packages))
    mounts = (
        *charm_container.mounts(NAME),
        *charm_container.shared('dhcp_agent_on_machine.py'),
        f'--volume={attached}:/opt/agent.whl:ro',
    )
    try:
        found = node_machine.Node(name, systems.start(name, image, *PRIVILEGES, *mounts))
        found.prepare()
        yield found
    finally:
        systems.remove(name)


def test_a_server_gets_its_address_of_the_agent_that_the_charm_has_started(
    node: node_machine.Node,
):
    if node.program(node.name, 'ip', 'link', 'add', 'x', 'type', 'dummy').returncode:
        node.without_dummies(dhcp_agent.NEUTRON, dhcp_agent.CONF)
    node.port()
    node.plug()
    assert 'no lease' in node.ask()
    out = node.run()
    assert out['status'] == []
    assert out['told']['neutron-plugin'] == 'calico'
    node.until(lambda: f'lease of {node_machine.ADDRESS} obtained' in node.ask(), 'it has a lease')


def test_the_next_run_does_nothing(node: node_machine.Node):
    assert node.run()['steps'] == []


def test_nobody_else_may_read_the_key(node: node_machine.Node):
    key = '/etc/neutron/calico-etcd-key.pem'
    assert node.sh(f'stat -c %a-%U-%G {key}') == '640-root-neutron'
    assert 'denied' in node.sh(f'su -s /bin/sh nobody -c "cat {key}"', check=False)


def test_servers_are_served_on_when_the_agent_is_away_and_etcd_says_nonsense(
    node: node_machine.Node,
):
    out = node.run(client_key='nonsense')
    assert 'client_key' in out['status'][0]['message']
    assert out['steps'] == []
    node.sh(f'systemctl stop {dhcp_agent.AGENT}')
    assert f'lease of {node_machine.ADDRESS} obtained' in node.ask()
    assert node.run()['steps'] == [f'start {dhcp_agent.AGENT}']


def test_nothing_is_left_once_the_unit_is_removed(node: node_machine.Node):
    device = f'ns-{node_machine.NETWORK[:11]}'
    assert device in node.sh('ls /sys/class/net')
    assert node.run('stop')['steps']
    left = '/usr/local/lib/networking-calico /etc/neutron/calico-* /var/lib/neutron/dhcp'
    assert node.sh(f'ls -d {left} 2>/dev/null', check=False) == ''
    assert node.sh(f'systemctl is-active {dhcp_agent.AGENT}', check=False) == 'inactive'
    assert node.sh('pgrep -x -a dnsmasq', check=False) == ''
    assert device not in node.sh('ls /sys/class/net')
    assert 'no lease' in node.ask()
