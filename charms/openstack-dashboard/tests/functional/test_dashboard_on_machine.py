"""The distribution's Horizon under Apache, with its keystone, its database and its memcached, and people who come."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import browser
import cloud_stub
import pytest
import visitor

from charms.tests import charm_container
from tools import systems

pytestmark = [pytest.mark.functional, pytest.mark.slow]

DATABASE = """
mariadb -e "CREATE DATABASE horizon CHARACTER SET utf8mb4; CREATE USER horizon@127.0.0.1 IDENTIFIED BY 'pw';
            GRANT ALL ON horizon.* TO horizon@127.0.0.1"
systemd-run --unit=cloud-stub python3 /opt/tests/cloud_stub.py
until curl -sf --max-time 5 -o /dev/null http://127.0.0.1:5000/v3; do sleep 1; done
"""
KEYSTONE = """\
[DEFAULT]
log_dir = /var/log/keystone
[database]
connection = sqlite:////var/lib/keystone/keystone.db
"""
URL = 'http://127.0.0.1:5000/v3'
SERVICES = {'compute': '/v2.1', 'network': '', 'image': ''}
"""What the stub is for in the catalogue, and under which path."""
REGISTER = ''.join(
    f'INSERT INTO service (id, type, enabled, extra) '  # noqa: S608 -- of our own words.
    f"VALUES ('{kind}', '{kind}', 1, '{{\"name\": \"{kind}\"}}'); "
    'INSERT INTO endpoint (id, interface, service_id, url, enabled, extra, region_id) VALUES '
    f"('{kind}', 'internal', '{kind}', 'http://127.0.0.1:{cloud_stub.PORT}{path}', 1, '{{}}', "
    "'RegionOne'); "
    for kind, path in SERVICES.items()
)
WRITE = (
    "import sqlite3, sys; d = sqlite3.connect('/var/lib/keystone/keystone.db'); "
    'd.executescript(sys.stdin.read()); d.commit()'
)
"""In the database itself: keystone's own writes would wait for one another in this one."""
BOOTSTRAP = f"""\
RUN set -e; printf '{KEYSTONE.replace(chr(10), chr(92) + 'n')}' > /etc/keystone/keystone.conf; \
    sed -i 's/^processes *=.*/processes = 2/' /etc/keystone/keystone-uwsgi.ini; \
    rm -f /var/lib/keystone/*.db /var/log/keystone/*; \
    keystone-manage db_sync; \
    for what in fernet_setup credential_setup; do \
        keystone-manage $what --keystone-user keystone --keystone-group keystone; \
    done; \
    keystone-manage bootstrap --bootstrap-password right --bootstrap-region-id RegionOne \
        --bootstrap-public-url {URL} --bootstrap-internal-url {URL} --bootstrap-admin-url {URL}; \
    chown -R keystone:keystone /var/log/keystone /var/lib/keystone
"""


@dataclasses.dataclass
class Machine(charm_container.CharmContainer):
    """A container, and what it takes to run the charm in it."""

    peers: dict[str, str] = dataclasses.field(default_factory=dict[str, str])

    def reconcile(self, *, database: bool = True, **given: object) -> dict[str, Any]:
        """One run of the charm with every relation answered."""
        said = {
            'address': self.address,
            'database': database,
            'options': {name.replace('_', '-'): value for name, value in given.items()},
            'peers': self.peers,
        }
        found = self.run_charm('dashboard_on_machine.py', said)
        self.peers = found['peers']
        return found

    def become_another_unit(self) -> None:
        """Everything that one unit alone has is forgotten: what its processes and its memcached held."""
        self.sh('systemctl stop apache2 memcached && systemctl start memcached apache2')


@pytest.fixture(scope='module', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    image = f'localhost/rambla-dashboard-test:{request.param}'
    systems.build(
        image,
        f'FROM {systems.base(request.param)}\n'
        'RUN export DEBIAN_FRONTEND=noninteractive; apt-get update -q; '
        'apt-get install -y -q --no-install-recommends mariadb-server keystone python3-pymysql curl procps\n'
        'RUN export DEBIAN_FRONTEND=noninteractive; apt-get install -y -q --no-install-recommends '
        f'chromium chromium-driver fonts-dejavu-core\n{BOOTSTRAP}',
    )
    name = f'rambla-dashboard-test-{request.param}-{os.getpid()}'
    mounts = charm_container.mounts('openstack-dashboard')
    try:
        found = Machine(name, systems.start(name, image, *mounts))
        found.sh(DATABASE)
        done = found.program(name, 'python3', '-c', WRITE, stdin=REGISTER)
        assert done.returncode == 0, done.stderr
        yield found
    finally:
        systems.remove(name)


@pytest.fixture(scope='module')
def first(machine: Machine) -> dict[str, Any]:
    """What the first run of the charm did."""
    return machine.reconcile()


@pytest.fixture
def guest(machine: Machine, first: dict[str, Any]) -> visitor.Visitor:
    """Somebody who comes for the first time."""
    return visitor.Visitor(machine.address)


def test_the_first_run_ends_well_and_a_second_one_has_nothing_to_do(
    machine: Machine, first: dict[str, Any]
):
    assert first['failed'] == {}
    assert first['status'] == []
    assert machine.reconcile()['steps'] == []


def test_who_comes_is_asked_to_log_in_and_gets_all_that_the_page_loads(guest: visitor.Visitor):
    page = guest.ask('/')
    assert (page.status, page.asks_for_login) == (200, True)
    assert 'csrfmiddlewaretoken' in page.text
    loads = visitor.Parts(page.text).loads
    assert any('.css' in url for url in loads)
    for url in loads:
        loaded = guest.ask(url)
        assert (url, loaded.status) == (url, 200)
        wanted = 'text/css' if '.css' in url else 'javascript'
        assert wanted in loaded.kind, url


def test_files_come_from_apache_and_from_no_other_place(machine: Machine, guest: visitor.Visitor):
    style = next(u for u in visitor.Parts(guest.ask('/').text).loads if '.css' in u)
    before = machine.sh('cat /var/log/openstack-apache/horizon-error.log | wc -l')
    assert guest.ask(style).status == 200
    assert machine.sh('cat /var/log/openstack-apache/horizon-error.log | wc -l') == before
    for path in ('/static/..%2f..%2f..%2fetc/passwd', '/static/%2e%2e/secret-key', '/static/'):
        assert guest.ask(path).status in (400, 403, 404), path


def test_it_is_where_other_clouds_have_it_too(guest: visitor.Visitor):
    for path in ('/horizon', '/horizon/', '/horizon/auth/login/'):
        page = guest.ask(path)
        assert page.status == 200
        assert 'csrfmiddlewaretoken' in page.text


def test_a_name_that_nobody_gave_it_is_refused(machine: Machine, guest: visitor.Visitor):
    assert guest.ask('/auth/login/', host='evil.example.com').status == 400
    assert guest.ask('/healthcheck').status == 200


def test_a_wrong_password_is_told(guest: visitor.Visitor):
    page = guest.log_in('wrong')
    assert page.status == 200
    assert 'Invalid credentials' in page.text
    assert guest.ask('/identity/').asks_for_login


def test_a_form_without_its_token_is_refused(guest: visitor.Visitor):
    said = {'username': 'admin', 'password': 'right', 'domain': 'Default', 'region': 'default'}
    assert 'csrf' in guest.ask('/auth/login/', said).url
    assert guest.ask('/identity/').asks_for_login


def test_who_is_logged_in_stays_so_when_another_unit_answers(
    machine: Machine, guest: visitor.Visitor
):
    page = guest.log_in('right')
    assert (page.status, page.asks_for_login) == (200, False)
    machine.become_another_unit()
    page = guest.ask('/identity/')
    assert (page.status, page.asks_for_login) == (200, False)
    assert 'admin' in page.text


def test_who_logs_out_is_logged_out_everywhere(machine: Machine, guest: visitor.Visitor):
    guest.log_in('right')
    thief = visitor.Visitor(machine.address)
    for cookie in guest.cookies:
        thief.cookies.set_cookie(cookie)
    assert not thief.ask('/identity/').asks_for_login
    guest.ask('/auth/logout/')
    assert thief.ask('/identity/').asks_for_login


def test_sessions_are_in_the_database_and_those_that_are_over_are_deleted(
    machine: Machine, guest: visitor.Visitor
):
    guest.log_in('right')
    count = "mariadb -N -e 'SELECT COUNT(*) FROM horizon.django_session'"
    assert int(machine.sh(count)) > 0
    machine.sh(
        'mariadb -e "UPDATE horizon.django_session SET expire_date = NOW() - INTERVAL 1 DAY"'
    )
    machine.sh('systemctl start horizon-clear-sessions')
    assert machine.sh(count) == '0'
    assert guest.ask('/identity/').asks_for_login
    timers = machine.sh('systemctl list-timers --all --no-legend')
    assert 'horizon-clear-sessions.timer' in timers


def test_no_health_check_makes_a_session(machine: Machine, first: dict[str, Any]):
    machine.sh('mariadb -e "DELETE FROM horizon.django_session"')
    machine.sh(f'for i in 1 2 3; do curl -sf http://{machine.address}/healthcheck; sleep 1; done')
    machine.sh(f'curl -sf -o /dev/null http://{machine.address}/auth/login/')
    assert machine.sh("mariadb -N -e 'SELECT COUNT(*) FROM horizon.django_session'") == '0'


@pytest.fixture
def window(machine: Machine, first: dict[str, Any]) -> Iterator[browser.Browser]:
    """A browser on the machine."""
    driver = 'chromedriver --port=9515 --allowed-ips= --allowed-origins=*'
    machine.program('--detach', machine.name, *driver.split())
    end = time.monotonic() + 60
    while not machine.sh('ss -ltn | grep :9515', check=False):
        assert time.monotonic() < end
        time.sleep(0.5)
    found = browser.Browser(f'http://{machine.address}:9515')
    try:
        yield found
    finally:
        found.close()
        machine.sh('pkill chromedriver', check=False)


def test_a_real_browser_logs_in_and_sees_the_server(
    machine: Machine, window: browser.Browser, tmp_path: pathlib.Path
):
    window.go(f'http://{machine.address}/')
    window.type('#id_username', 'admin')
    window.type('#id_password', 'wrong')
    window.type('#id_domain', 'Default')
    window.click('#loginBtn')
    assert 'Invalid credentials' in window.text('form .alert-danger')
    window.type('#id_password', 'right')
    window.click('#loginBtn')
    assert 'admin' in window.text('.user-name')
    window.go(f'http://{machine.address}/project/instances/')
    assert 'web-1' in window.text('#instances')
    (tmp_path / 'instances.png').write_bytes(window.picture())
    # The angular part of Horizon fills this page by itself, over its own API.
    window.go(f'http://{machine.address}/identity/roles/')
    assert 'member' in window.text('table')
    (tmp_path / 'roles.png').write_bytes(window.picture())


def test_without_a_database_another_unit_would_know_nobody(
    machine: Machine, guest: visitor.Visitor
):
    """The twin of the test above: sessions in memcached are lost with it, and that is seen."""
    try:
        assert machine.reconcile(database=False)['failed'] == {}
        assert not guest.log_in('right').asks_for_login
        assert not guest.ask('/identity/').asks_for_login
        machine.become_another_unit()
        assert guest.ask('/identity/').asks_for_login
    finally:
        machine.reconcile()
