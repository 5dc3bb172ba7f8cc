"""Nova's controller on a real machine: Apache, MariaDB and RabbitMQ of each base."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from controller_machine import ACCOUNTS, DB_PASSWORD, Machine
from played_keystone import OVERLOADED

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(1800)]
CACHE = {'kind': 'active', 'message': 'the token cache had stopped: started it again'}
DAEMONS = ('nova-conductor', 'nova-scheduler', 'nova-novncproxy')
ASKS_AT_ITS_START = 'nova-scheduler'
"""It ends when keystone says 503 then, in both releases."""
WITHIN_S = 120
OTHERS = ('nova-api', 'nova-api-metadata', 'nova-spicehtml5proxy', 'nova-serialproxy')


@pytest.fixture(scope='module')
def first(machine: Machine) -> dict[str, Any]:
    """What the first run of the charm has come to."""
    return machine.reconcile()


def test_it_serves(machine: Machine, first: dict[str, Any]):
    assert first['failed'] == {}
    # The image has the cache's package, and leaves it to the charm to start it.
    assert CACHE in first['status']
    assert machine.calm() == []
    for port in (8774, 8775):
        assert machine.code(port, '/healthcheck') == '200'
    assert machine.code(8774, '/') == '200'
    assert machine.code(8774, '/v2.1/servers') == '401'
    assert machine.code(6080, '/vnc_lite.html') == '200'


def test_its_daemons_run_and_none_of_the_packages_own(machine: Machine, first: dict[str, Any]):
    for name in DAEMONS:
        assert machine.sh(f'systemctl is-active {name}') == 'active'
    for name in OTHERS:
        assert machine.sh(f'systemctl is-active {name} || true') != 'active'


def test_its_cells_are_mapped_and_no_secret_is_in_the_database(
    machine: Machine, first: dict[str, Any]
):
    broker = f'rabbit://nova:{ACCOUNTS["nova"]}@{machine.address}:5672'
    database = f'mysql+pymysql://nova:{quote(DB_PASSWORD, safe="")}@{machine.address}'
    cells = machine.cells()
    assert cells['cell1'].startswith(f'{broker},')
    assert f'{database}/nova?charset=utf8mb4' in cells['cell1']
    assert f'{database}/nova_cell0?charset=utf8mb4' in cells['cell0']
    kept = machine.run('mariadb', '-N', '-e', 'SELECT * FROM nova_api.cell_mappings')
    assert '{password1}' in kept
    assert machine.address not in kept


def test_a_second_run_does_nothing(machine: Machine, first: dict[str, Any]):
    again = machine.reconcile()
    assert again['steps'] == []


def test_what_is_mapped_already_is_brought_up_to_date_and_not_mapped_twice(
    machine: Machine, first: dict[str, Any]
):
    (step,) = [s for s in first['steps'] if s.startswith('run ') and 'nova-map-cells' in s]
    machine.sh(step.removeprefix('run '), 'nova')
    assert sorted(machine.cells()) == ['cell0', 'cell1']
    rows = machine.run('mariadb', '-N', '-e', 'SELECT COUNT(*) FROM nova_api.cell_mappings')
    assert rows == '2'


def test_a_rotated_password_is_the_cells_too_with_no_command(
    machine: Machine, first: dict[str, Any]
):
    user, password = 'nova.2', ACCOUNTS['nova.2']
    out = machine.reconcile(username=user, password=password, turn='1')
    assert out['failed'] == {}
    assert not [step for step in out['steps'] if step.startswith('run ')]
    assert f'{user}:{quote(password, safe="")}@' in machine.cells()['cell1']


def test_a_daemon_that_keystone_puts_off_is_told_of_and_comes_by_itself(
    machine: Machine, first: dict[str, Any]
):
    # Past the five starts after which systemd by itself may give up.
    ended = f'[ "$(systemctl show --value -p NRestarts {ASKS_AT_ITS_START})" -ge 6 ]'
    machine.sh(f'touch {OVERLOADED}; systemctl --no-block restart {ASKS_AT_ITS_START}')
    try:
        machine.sh(f"timeout {WITHIN_S} sh -c 'until {ended}; do sleep 1; done'")
        out = machine.reconcile()
        assert ASKS_AT_ITS_START in out['failed']
        assert [s for s in out['status'] if ASKS_AT_ITS_START in s['message']]
    finally:
        machine.sh(f'rm {OVERLOADED}')
    active = f'systemctl is-active --quiet {ASKS_AT_ITS_START}'
    machine.sh(f"timeout {WITHIN_S} sh -c 'until {active}; do sleep 1; done'")
    assert machine.calm() == []
