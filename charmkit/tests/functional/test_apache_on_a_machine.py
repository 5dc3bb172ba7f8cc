"""Apache as the charms configure it, with a small application: what clients, faults and packages do to it."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import containers
import pytest
from charmkit import apache

from tools import systems

pytestmark = pytest.mark.functional
PORT = 9000
APP = pathlib.Path(__file__).with_name('demo.wsgi').read_text()
SCALED = {'MARGIN_S': 2, 'QUEUE_S': 20, 'KEEP_ALIVE_S': 2}


@pytest.fixture(scope='module', params=systems.BASES)
def demo(request: pytest.FixtureRequest) -> Iterator[containers.Machine]:
    """A machine whose Apache serves the application, installed as by a charm."""
    name = f'ck-apache-{request.param}-{id(request):x}'
    mounts = [f'--volume={here}:{there}:ro' for here, there in containers.MOUNTS.items()]
    try:
        address = systems.start(name, systems.base(request.param), *mounts)
        machine = containers.Machine(name, request.param.replace('-', '@'), address)
        machine.sh('apt-get -q update && apt-get -q -y install --no-install-recommends curl')
        machine.sh('useradd -r -m -d /var/lib/demo demo; mkdir /opt/demo')
        program(machine, APP)
        assert desire(machine)['failed'] == {}
        yield machine
    finally:
        systems.remove(name)


def program(machine: containers.Machine, text: str) -> None:
    """Put another application in the place of the old one; nothing is renewed yet."""
    machine.run('sh', '-c', 'cat > /opt/demo/app.wsgi', stdin=text)


def inside(machine: containers.Machine, script: str, given: dict[str, Any]) -> dict[str, Any]:
    """Run one of the scripts beside this file in the machine."""
    machine.run('sh', '-c', 'cat > /tmp/given.json', stdin=json.dumps(given))
    environment = ['--env', f'PYTHONPATH={containers.PYTHONPATH}']
    argv = ['podman', 'exec', *environment, machine.name, 'python3', f'/opt/tests/{script}']
    done = subprocess.run([*argv, '/tmp/given.json'], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def desire(machine: containers.Machine, **site: Any) -> dict[str, Any]:
    """Bring Apache to what *site* says, else to what it usually is."""
    given = {'addresses': [machine.address], 'limits': SCALED, **site}
    return inside(machine, 'apache_on_machine.py', given)


def client(machine: containers.Machine, **does: Any) -> dict[str, Any]:
    """What a client sees that *does* something with one connection; see ``slow_client.py``."""
    return inside(machine, 'slow_client.py', {'host': machine.address, 'port': PORT, **does})


def code(machine: containers.Machine, path: str, *options: str, host: str = '') -> str:
    asked = f'http://{host or machine.address}:{PORT}{path}'
    shown = f'curl -s -m 5 -o /dev/null -w "%{{http_code}}" {" ".join(options)} {asked}'
    return machine.sh(shown, check=False)


def test_the_configuration_is_in_force(demo: containers.Machine):
    assert 'Syntax OK' in demo.sh('apache2ctl -t 2>&1')
    modules = demo.sh('apache2ctl -M')
    assert 'remoteip_module' in modules
    for name in ('status', 'autoindex', 'alias', 'deflate', 'negotiation'):
        assert f' {name}_module' not in modules
    sites = demo.sh('apache2ctl -S')
    assert re.findall(r'^\S+:(\d+)', sites, re.M) == [str(PORT)]
    assert 'Server: Apache\n' in demo.run('curl', '-si', f'{demo.address}:{PORT}/').stdout
    listening = demo.sh('ss -Hltn').splitlines()
    assert {line.split()[3] for line in listening if f':{PORT}' in line} == {
        f'127.0.0.1:{PORT}',
        f'{demo.address}:{PORT}',
    }


def test_systemd_has_taken_up_what_was_written_for_it(demo: containers.Machine):
    for unit, restart in (('apache2', 'on-failure'), ('memcached', 'always')):
        shown = demo.sh(f'systemctl show -p NeedDaemonReload,Restart,RestartUSec {unit}')
        assert 'NeedDaemonReload=no' in shown
        assert f'Restart={restart}' in shown
        assert 'RestartUSec=100ms' not in shown  # systemd's own default.


@pytest.mark.parametrize('path', ['/server-status', '/icons/', '/cgi-bin/'])
def test_nothing_of_the_packages_own_is_served(demo: containers.Machine, path: str):
    for host in (demo.address, '127.0.0.1'):
        asked = demo.run('curl', '-s', f'http://{host}:{PORT}{path}').stdout
        assert asked.startswith(f'demo-api {path} '), asked


def test_memcached_has_the_limits_that_were_written(demo: containers.Machine):
    settings = client(demo, does='memcached', host='127.0.0.1', port=11211)
    assert settings['maxconns'] == '4096'
    assert settings['maxbytes'] == str(64 * 2**20)
    assert settings['inter'] == '127.0.0.1'
    assert settings['udpport'] == '0'


def test_a_busy_service_is_not_dead(demo: containers.Machine):
    assert code(demo, '/healthcheck') == '200'
    seen = client(demo, does='fill', path='/?sleep=15', clients=8, ask=['/healthcheck', '/'])
    assert seen['/healthcheck'] == 200
    assert seen['/'] == 0, 'the twin: the service itself has no thread left, and does not answer'


def test_a_configuration_that_is_held_is_looked_at_and_left_where_it_is(demo: containers.Machine):
    vhost = '/etc/apache2/sites-enabled/demo-api.conf'
    look = f'cat {vhost}; systemctl show -p MainPID apache2; pgrep -U demo'
    before = demo.sh(look)
    assert desire(demo, size=(3, 2), held=True) == {'steps': [f'check {vhost}'], 'failed': {}}
    assert desire(demo, size=(3, 2), held=True)['steps'] == []  # It is known to be good.
    for _ in range(2):
        unusable = desire(demo, size=(-1, 2), held=True)
        assert unusable['failed'].keys() == {f'check {vhost}'}
    assert demo.sh(look) == before
    assert demo.sh('ls -A /etc/apache2/sites-enabled').split() == ['demo-api.conf']
    taken_up = desire(demo, size=(3, 2))
    assert taken_up == {'steps': [f'write {vhost}', 'reload apache2'], 'failed': {}}
    assert ' processes=3 ' in demo.sh(f'cat {vhost}')
    assert desire(demo)['failed'] == {}


def test_a_reload_is_over_when_every_new_process_serves(demo: containers.Machine):
    threads = 'ps -o nlwp= -U demo'
    try:
        program(demo, f'import time\ntime.sleep(4)\n{APP}')
        assert desire(demo, size=(3, 2)) == {
            'steps': ['write /etc/apache2/sites-enabled/demo-api.conf', 'reload apache2'],
            'failed': {},
        }
        serving = [int(count) > 2 for count in demo.sh(threads).split()]
        assert serving == [True, True, True]
        demo.sh('systemctl reload apache2')
        twin = [int(count) > 2 for count in demo.sh(f'sleep 1; {threads}').split()]
        assert not all(twin), 'the twin: a reload that has returned is not over'
    finally:
        program(demo, APP)
        assert desire(demo)['failed'] == {}


def test_bodies_in_chunks_are_taken(demo: containers.Machine):
    assert client(demo, does='upload', bytes=300_000, chunked=True)['body'] == 300_000


def test_an_upload_of_more_than_a_gigabyte_is_not_refused(demo: containers.Machine):
    assert client(demo, does='begin', bytes=5 * 2**30)['status'] == 0
    assert desire(demo, body_limit=1000)['failed'] == {}
    time.sleep(1)
    assert client(demo, does='begin', bytes=5 * 2**30)['status'] == 413
    desire(demo)
    time.sleep(1)


@pytest.mark.slow
def test_a_transfer_that_pauses_goes_on_within_the_limit(demo: containers.Machine):
    """Scaled down: what is an hour for images is four seconds here, and two more at Apache."""
    silence = {'client_s': 4, 'server_s': 60}
    assert desire(demo, silence=silence)['failed'] == {}
    time.sleep(1)
    size = 40_000_000
    assert client(demo, does='download', bytes=size, pause_s=4)['body'] == size
    assert client(demo, does='download', bytes=size, pause_s=12)['body'] < size, 'the twin'
    assert client(demo, does='upload', bytes=300_000, pause_s=4)['body'] == 300_000
    assert client(demo, does='upload', bytes=300_000, pause_s=12)['body'] != 300_000, 'the twin'
    desire(demo)
    time.sleep(1)


def test_a_configuration_that_apache_refuses_never_lies_there(demo: containers.Machine):
    before = demo.sh('cat /etc/apache2/sites-enabled/demo-api.conf')
    result = desire(demo, size=[-1, 2])
    (said,) = result['failed'].values()
    assert 'process count' in said.lower()
    assert '/etc/apache2/sites-enabled/demo-api.conf' in said
    assert demo.sh('cat /etc/apache2/sites-enabled/demo-api.conf') == before
    assert code(demo, '/') == '200'
    assert demo.sh('ls -A /etc/apache2/sites-enabled') == 'demo-api.conf'


def test_the_log_has_the_clients_address_from_the_load_balancer_alone(demo: containers.Machine):
    header = '-H "X-Forwarded-For: 198.51.100.7"'
    log = 'tail -1 /var/log/openstack-apache/demo-api-access.log'
    code(demo, '/unbelieved', header)
    time.sleep(0.3)
    assert demo.sh(log).split()[1] == demo.address
    desire(demo, trusted=[f'{demo.address}/32'])
    time.sleep(1)
    code(demo, '/believed', header)
    time.sleep(0.3)
    assert demo.sh(log).split()[1] == '198.51.100.7'
    desire(demo)
    time.sleep(1)


def test_the_drain_file_fails_the_health_check_for_others_alone(demo: containers.Machine):
    demo.sh('touch /run/openstack-drain')
    assert code(demo, '/healthcheck') == '503'
    assert code(demo, '/healthcheck', host='127.0.0.1') == '200'
    assert code(demo, '/') == '200'
    demo.sh('rm /run/openstack-drain')
    assert code(demo, '/healthcheck') == '200'


def test_rotation_of_logs_renews_nothing(demo: containers.Machine):
    groups = ('demo-api', 'openstack-health')
    before = {name: demo.processes(name) for name in groups}
    assert all(before.values())
    demo.sh('logrotate -f /etc/logrotate.conf')
    assert code(demo, '/') == '200'
    time.sleep(0.3)
    assert demo.sh('wc -l < /var/log/openstack-apache/demo-api-access.log') == '1'
    assert {name: demo.processes(name) for name in groups} == before
    assert 'apache2 reload' not in demo.sh('cat /etc/logrotate.d/*')


def test_what_does_not_come_up_replaces_nothing(demo: containers.Machine):
    desire(demo, version='1')
    before = demo.processes('demo-api')
    program(demo, 'raise RuntimeError("a mistake in the new configuration")\n')
    assert desire(demo, version='2')['failed'] == {
        'recycle wsgi:demo-api': (
            'trial of demo-api: RuntimeError: a mistake in the new configuration; the old '
            'processes go on as they were started'
        )
    }
    assert demo.processes('demo-api') == before
    assert code(demo, '/') == code(demo, '/healthcheck') == '200'
    program(demo, APP)
    assert desire(demo, version='2') == {'steps': ['recycle wsgi:demo-api'], 'failed': {}}
    after = demo.processes('demo-api')
    assert len(after) == len(before)
    assert not after & before


def test_the_health_of_an_application_that_is_broken_is_bad(demo: containers.Machine):
    program(demo, 'raise RuntimeError("broken")\n')
    demo.sh('systemctl restart apache2; sleep 2')
    assert code(demo, '/healthcheck') == '500'
    program(demo, APP)
    demo.sh('systemctl restart apache2; sleep 2')
    assert code(demo, '/healthcheck') == '200'


def test_a_process_whose_threads_are_all_stuck_is_started_anew(demo: containers.Machine):
    limits = {**SCALED, 'MARGIN_S': 1}
    desire(demo, silence={'client_s': 1, 'server_s': 1}, size=[1, 2], limits=limits, grace_s=2)
    time.sleep(1)
    (before,) = demo.processes('demo-api')
    client(demo, does='fill', path='/?sleep=60', clients=2, ask=[])
    end = time.monotonic() + 30
    while before in demo.processes('demo-api'):
        assert time.monotonic() < end
        time.sleep(0.5)
    desire(demo)


def test_an_account_serves_whether_or_not_it_has_a_home(demo: containers.Machine):
    """As www-data, which is what a service has that no package brings an account for."""
    demo.sh('test ! -e /var/lib/www-data')
    assert desire(demo, user='www-data')['failed'] == {}
    assert code(demo, '/') == '200'
    desire(demo)


@pytest.mark.slow
def test_without_the_directory_nobody_answers(demo: containers.Machine):
    """And Apache says why in its own log, not in the application's."""
    desire(demo, user='www-data')
    demo.sh('rmdir /var/lib/www-data; systemctl restart apache2; sleep 2')
    assert code(demo, '/') == '000'
    assert 'change working directory' in demo.sh(f'cat {apache.SERVER_LOG}')
    assert 'make /var/lib/www-data' in desire(demo, user='www-data')['steps']
    demo.sh('systemctl restart apache2; sleep 2')
    assert code(demo, '/') == '200'
    desire(demo)


def test_an_account_that_is_not_there_is_told(demo: containers.Machine):
    failed = desire(demo, user='nobody-there')['failed']
    assert failed['make /var/lib/nobody-there'] == (
        "no such user: 'nobody-there', whose /var/lib/nobody-there is to be"
    )
    assert 'nobody-there' in failed['write /etc/apache2/sites-enabled/demo-api.conf']
    assert code(demo, '/') == '200'
    desire(demo)
