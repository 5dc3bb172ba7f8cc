"""A compute node is mapped to a cell as soon as it says its service, and then servers can be made there.

Nova, placement and a nova-compute without a hypervisor are Debian's; keystone is played. What each charm finds out is
what it asks of them: nova-cloud-controller maps, nova-compute probes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from controller_machine import Machine

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(1800)]
NODE = 'node-1'
SILENT = "UPDATE nova.services SET last_seen_up = '2020-01-01' WHERE `binary` = 'nova-compute'"


@pytest.fixture(scope='module')
def registered(machine: Machine) -> Iterator[str]:
    """The UUID of the service of a node that has come to a cloud whose charm has run already."""
    out = machine.reconcile({'hostname': NODE})
    assert out['failed'] == {}
    assert 'mapped_service_ids' not in out['told']
    machine.sh(
        'systemd-run --quiet --unit=played-compute --uid=nova --setenv=PYTHONDONTWRITEBYTECODE=1 '
        f'python3 /test/compute_on_machine.py {NODE}'
    )
    # It looks for new hosts every 30 s, and whether the charm does is the question.
    machine.sh('systemctl stop nova-scheduler')
    try:
        service = machine.probe(NODE)['service']
        assert service, machine.sh('journalctl --no-pager -n 30 -u played-compute')
        yield service
    finally:
        machine.sh('systemctl stop played-compute; systemctl start nova-scheduler')


def test_a_node_that_has_not_said_its_service_is_up_and_takes_no_servers(
    machine: Machine, registered: str
):
    """The twin: without the charm's work, nova-compute runs and no server can be made there."""
    found = machine.probe(NODE)
    assert found['service'] == registered
    assert not found['listed']
    assert not found['serves']


def test_a_node_that_says_its_service_is_mapped_and_takes_servers(
    machine: Machine, registered: str
):
    out = machine.reconcile({'hostname': NODE, 'service_id': registered})
    assert not [s for s in out['status'] if s['kind'] == 'waiting']
    assert out['told']['mapped_service_ids'] == registered
    found = machine.probe(NODE, registered)
    assert found == {
        'service': registered,
        'listed': True,
        'up': True,
        'offered': True,
        'refused': '',
        'serves': True,
    }


def test_a_node_that_stops_is_down_and_serves_no_more(machine: Machine, registered: str):
    machine.sh('systemctl stop played-compute')
    machine.run('mariadb', '-e', SILENT)
    found = machine.probe(NODE, registered, wait_s=0)
    assert (found['listed'], found['up'], found['serves']) == (True, False, False)
