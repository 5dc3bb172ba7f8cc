"""An API on a real machine: Apache, mod_wsgi, memcached and placement from the distribution."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import Any

import containers
import pytest
import requests_load as load

pytestmark = pytest.mark.functional
PORT = 8778


@pytest.fixture(scope='module')
def placement(machine: containers.Machine) -> containers.Machine:
    """Placement serving, installed by a pass that was killed within and the one after it."""
    machine.give('placement')
    first = subprocess.Popen(machine.start('placement'), stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not machine.sh('pgrep -x dpkg', check=False):
        assert time.monotonic() < end and first.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    machine.sh('pkill -9 -f on_machine.py; pkill -9 apt-get; pkill -9 dpkg', check=False)
    assert first.wait() != 0
    assert machine.sh('ls /usr/sbin/policy-rc.d', check=False)
    result = machine.reconcile('placement')
    assert result['status'] == []
    assert result['failed'] == {}
    return machine


def code(machine: containers.Machine, path: str, *options: str) -> str:
    return machine.sh(
        f'curl -s -o /dev/null -w "%{{http_code}}" {" ".join(options)} '
        f'http://{machine.address}:{PORT}{path}'
    )


def test_it_serves_after_a_hook_that_was_killed_half_way(placement: containers.Machine):
    assert code(placement, '/healthcheck') == '200'
    assert code(placement, '/') == '200'
    assert code(placement, '/resource_providers') == '401'
    assert not placement.sh('ls /usr/sbin/policy-rc.d 2>/dev/null', check=False)


def test_the_packages_own_server_was_never_started(placement: containers.Machine):
    journal = 'journalctl -u placement-api -o cat'
    assert placement.sh(f'{journal} | grep -c Started', check=False) == '0'
    assert 'ConditionPathExists=!/' in placement.sh('systemctl cat placement-api')


def test_who_installs_the_package_anew_or_starts_its_server_breaks_nothing(
    placement: containers.Machine,
):
    """A mask would: the scripts of some packages enable their server, and systemd refuses that."""
    placement.sh(
        'DEBIAN_FRONTEND=noninteractive apt-get -q -y install --reinstall placement-api && '
        'systemctl enable placement-api && systemctl restart placement-api'
    )
    assert placement.sh('systemctl is-active placement-api', check=False) == 'inactive'
    assert placement.sh('dpkg --audit') == ''
    assert code(placement, '/') == '200'
    assert placement.reconcile('placement')['steps'] == []


def test_an_unchanged_pass_touches_nothing(placement: containers.Machine):
    assert placement.reconcile('placement')['steps'] == []


def test_drift_is_repaired(placement: containers.Machine):
    conf = '/etc/placement/placement.conf'
    placement.sh(f'chmod 666 {conf}; echo "x = 1" >> /etc/memcached.conf; systemctl stop apache2')
    result = placement.reconcile('placement')
    assert result['steps'] == [
        'write /etc/memcached.conf',
        f'write {conf}',
        'start apache2',
    ]
    assert placement.sh(f'stat -c "%a %U %G" {conf}') == '640 root placement'
    assert code(placement, '/healthcheck') == '200'


def test_one_service_is_renewed_without_losing_a_request(placement: containers.Machine):
    before = placement.processes('placement-api')
    with load.running(placement.address, PORT) as seen:
        result = placement.reconcile('placement', options={'debug': True})
    assert result['steps'] == [
        'write /etc/placement/placement.conf',
        'recycle wsgi:placement-api',
    ]
    after = placement.processes('placement-api')
    assert len(after) == len(before) == 2
    assert not after & before
    assert seen.lost == []
    assert seen.answered > 20


def test_the_same_clients_would_notice_a_restart(placement: containers.Machine):
    """The sabotaged twin: what we do instead of this loses requests."""
    with load.running(placement.address, PORT) as seen:
        placement.sh('systemctl restart apache2')
    assert seen.lost


@pytest.mark.parametrize('more', [{}, {'workers': 1}], ids=['alone', 'with-its-virtual-host'])
@pytest.mark.slow
def test_a_value_that_it_cannot_be_started_with_is_not_left_for_the_next_start(
    placement: containers.Machine, more: dict[str, Any]
):
    """Written by hand to the same file it takes the API down: that is the sabotaged twin."""
    conf = '/etc/placement/placement.conf'
    flags = {'debug': True, 'config-flags': '[DEFAULT]\nlog_config_append = /nowhere', **more}
    before = placement.sh(f'sha256sum {conf}')
    result = placement.reconcile('placement', options=flags)
    assert '/nowhere' in result['failed']['wsgi:placement-api']
    assert 'last good files' in result['failed']['wsgi:placement-api']
    assert placement.sh(f'sha256sum {conf}') == before
    placement.sh('systemctl restart apache2')
    assert code(placement, '/') == '200'
    placement.sh(f'sed -i "s,^\\[DEFAULT\\],&\\nlog_config_append=/nowhere," {conf}')
    placement.sh('systemctl restart apache2')
    assert code(placement, '/') == '500'
    placement.reconcile('placement', options={'debug': True})
    assert code(placement, '/') == '200'


def test_requests_are_logged_with_their_id(placement: containers.Machine):
    code(placement, '/resource_providers', '-H "X-Openstack-Request-Id: req-from-client"')
    time.sleep(0.2)
    line = placement.sh('tail -1 /var/log/openstack-apache/placement-api-access.log')
    assert re.fullmatch(
        r'\S+T\S+\.\d{3} \S+ "GET /resource_providers HTTP/1\.1" 401 \d+ \d+ us '
        r'req-[0-9a-f-]{36} req-from-client "curl/\S+"',
        line,
    )


def test_logs_are_rotated_without_a_reload(placement: containers.Machine):
    before = placement.processes('placement-api')
    placement.sh('apt-get -q -y install --no-install-recommends logrotate >/dev/null')
    placement.sh('logrotate -f /etc/logrotate.d/openstack-apache')
    assert code(placement, '/') == '200'
    time.sleep(0.2)
    log = '/var/log/openstack-apache/placement-api-access.log'
    assert placement.sh(f'wc -l < {log}') == '1'
    assert placement.processes('placement-api') == before


def test_the_cache_listens_on_loopback_alone(placement: containers.Machine):
    assert placement.sh('ss -Hltn "sport = :11211"').split()[3] == '127.0.0.1:11211'
    assert not placement.sh('ss -Hlun "sport = :11211"')


def test_a_killed_cache_is_back_in_seconds(placement: containers.Machine):
    placement.sh('systemctl kill -s KILL memcached')
    time.sleep(0.2)
    end = time.monotonic() + 5
    while placement.sh('systemctl is-active memcached', check=False) != 'active':
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_cache_that_was_stopped_is_noticed_and_started(placement: containers.Machine):
    placement.sh('systemctl stop memcached')
    assert placement.reconcile('placement', options={'debug': True})['steps'] == [
        'start memcached'
    ]


def test_the_drain_file_fails_the_health_check_and_nothing_else(placement: containers.Machine):
    placement.sh('touch /run/openstack-drain')
    assert code(placement, '/healthcheck') == '503'
    assert code(placement, '/') == '200'
    placement.sh('rm /run/openstack-drain')
    assert code(placement, '/healthcheck') == '200'


def test_pause_stops_and_a_reboot_does_not_start_it(placement: containers.Machine):
    result = placement.reconcile('placement', paused=True, options={'debug': True})
    assert result['steps'] == ['stop apache2']
    assert placement.sh('systemctl is-enabled apache2', check=False) == 'disabled'
    again = placement.reconcile('placement', options={'debug': True})
    assert again['steps'] == ['start apache2']
    assert placement.sh('systemctl is-enabled apache2') == 'enabled'


def test_a_vip_is_served_by_haproxy_on_the_unit(placement: containers.Machine):
    network, _, _ = placement.address.rpartition('.')
    vip = f'{network}.{200 + int(placement.name[-2:]) % 50}'
    given: dict[str, Any] = {
        'options': {'debug': True, 'vip': vip},
        'networks': {'public': [['eth0', placement.address, f'{network}.0/16']]},
    }
    result = placement.reconcile('placement', **given)
    assert result['failed'] == {}
    assert result['status'] == []
    end = time.monotonic() + 20
    while f' {vip}/' not in placement.sh('ip -brief address show eth0') + ' ':
        assert time.monotonic() < end, placement.sh('journalctl -u keepalived -n 20')
        time.sleep(0.2)
    asked = f'curl -s -o /dev/null -w "%{{http_code}}" http://{vip}:{PORT}/'
    while placement.sh(asked) != '200':
        assert time.monotonic() < end, placement.sh('journalctl -u haproxy -n 20')
        time.sleep(0.5)
    assert placement.reconcile('placement', **given)['steps'] == []


def test_its_secrets_are_for_itself(placement: containers.Machine):
    world = placement.sh(
        'find /etc/placement /var/lib/charmkit -type f -perm /o=r -exec grep -l "pw" {} +',
        check=False,
    )
    assert world == ''
    schema = json.loads(placement.peers['schema'])
    assert schema['release'] in (26, 31)
