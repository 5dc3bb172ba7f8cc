"""What the dashboard is told: by which names it answers, where sessions are, and what options do to its settings."""

from __future__ import annotations

import dataclasses
import json
import sys
import types
from typing import Any

import pytest
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

SETTINGS = '/etc/openstack-dashboard/local_settings.py'
KEY = testing.Secret({'value': 'k' * 32}, owner='app')
ALONE = (
    'sessions are in the memcached of openstack-dashboard/0: more units need a database '
    '(relation shared-db)'
)
WHERE = {
    **{f'{r}_host': '10.0.0.6' for r in ('auth', 'service', 'internal')},
    **{f'{r}_port': '5000' for r in ('auth', 'service', 'internal')},
}
"""What keystone says to a charm that wants no account."""


@dataclasses.dataclass
class Unit:
    """One unit of the dashboard, and what it has been told."""

    machine: machines.FakeMachine
    number: int = 0
    leader: bool = True
    config: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    more: tuple[testing.RelationBase, ...] = ()
    out: testing.State | None = None

    def run(self) -> testing.State:
        ctx = testing.Context(
            shared.load('openstack-dashboard').DashboardCharm, unit_id=self.number
        )
        peers = testing.PeerRelation(
            'peers', local_app_data={'secret-key': KEY.id}, peers_data={1 - self.number: {}}
        )
        keystone = testing.Relation('identity-service', remote_units_data={0: WHERE})
        start = testing.State(
            leader=self.leader,
            relations={peers, keystone, *self.more},
            networks=shared.networks(),
            secrets=[KEY],
            config=self.config,
        )
        self.out = ctx.run(ctx.on.config_changed(), self.out or start)
        return self.out

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as Django would have them."""
        return in_force(self.machine.file(SETTINGS))


def in_force(text: str) -> dict[str, Any]:
    """What the file says once Python has read it, with as much of Horizon as it needs."""
    defaults = types.SimpleNamespace(
        OPENSTACK_CINDER_FEATURES={'enable_backup': False},
        LAUNCH_INSTANCE_DEFAULTS={'config_drive': False},
        OPENSTACK_NEUTRON_NETWORK={'enable_quotas': True},
        OPENSTACK_IMAGE_BACKEND={'image_formats': []},
        SECURITY_GROUP_RULES={'all_tcp': {}},
    )
    package: Any = types.ModuleType('openstack_dashboard')
    package.defaults = defaults
    inner: Any = types.ModuleType('openstack_dashboard.settings')
    inner.HORIZON_CONFIG = {'help_url': 'https://docs.openstack.org/'}
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, 'openstack_dashboard', package)
        patch.setitem(sys.modules, 'openstack_dashboard.settings', inner)
        exec(text, found)  # noqa: S102 -- it is what the charm has written.
    return {k: v for k, v in found.items() if k.isupper()}


def balancer(url: str, *, ips: tuple[str, ...], hostname: str = '') -> testing.Relation:
    frontend = {'public': {'ip': list(ips), 'port': 80, 'url': url, 'hostname': hostname}}
    bag = {'interface-versions': '[1, 2]', 'frontends': json.dumps({'horizon': frontend})}
    return testing.Relation('public-backend', remote_app_name='lb', remote_app_data=bag)


def database(unit: int = 0) -> testing.Relation:
    return shared.database(f'openstack-dashboard/{unit}')


@pytest.fixture
def unit(machine: machines.FakeMachine) -> Unit:
    return Unit(machine)


def test_it_asks_keystone_for_no_account_and_no_place_in_the_catalogue(unit: Unit):
    (asked,) = unit.run().get_relations('identity-service')
    assert isinstance(asked, testing.Relation)
    said = asked.local_unit_data
    keys = ('service', 'region', 'public_url', 'internal_url', 'admin_url')
    assert [said[key] for key in keys] == ['None'] * 5
    assert said['requested_roles'] == 'member'
    assert unit.settings['OPENSTACK_KEYSTONE_URL'] == 'http://10.0.0.6:5000/v3'


def test_the_first_unit_serves_from_its_memcached_without_a_database(unit: Unit):
    assert unit.run().unit_status == testing.ActiveStatus()
    assert unit.settings['SESSION_ENGINE'].endswith('.cache')
    assert 'DATABASES' not in unit.settings
    assert unit.machine.service('horizon-clear-sessions.timer') == 'stopped'


def test_a_second_unit_without_a_database_says_so_and_serves_nothing(
    machine: machines.FakeMachine,
):
    unit = Unit(machine, number=1)
    assert unit.run().unit_status == testing.BlockedStatus(ALONE)
    assert machine.service('apache2') == 'stopped'


def test_with_a_database_any_unit_serves_and_each_reads_the_sessions_of_all(
    machine: machines.FakeMachine,
):
    found: list[dict[str, Any]] = []
    for number in (0, 1):
        unit = Unit(machine, number=number, more=(database(number),))
        assert unit.run().unit_status == testing.ActiveStatus()
        assert machine.service('horizon-clear-sessions.timer') == 'running'
        found.append(unit.settings)
    first, second = found
    assert first['SESSION_ENGINE'] == 'django.contrib.sessions.backends.db'
    for name in ('SECRET_KEY', 'DATABASES', 'SESSION_ENGINE'):
        assert first[name] == second[name]


@pytest.mark.parametrize('leader', [True, False])
def test_the_leader_makes_the_table_of_sessions(machine: machines.FakeMachine, leader: bool):
    unit = Unit(machine, leader=leader, more=(database(),))
    said = unit.run().unit_status
    migrated = 'run /usr/share/openstack-dashboard/manage.py migrate --noinput sessions'
    assert (migrated in machine.steps) == leader
    if not leader:
        assert said == testing.WaitingStatus('waiting for the leader to migrate the database')


def test_a_database_that_has_not_answered_is_waited_for(unit: Unit):
    unit.more = (testing.Relation('shared-db'),)
    assert unit.run().unit_status == testing.WaitingStatus(
        'waiting for shared-db to grant horizon'
    )


def test_it_answers_by_all_names_of_its_load_balancer_and_no_other(unit: Unit):
    url = 'http://cloud.example.com:80'
    unit.more = (balancer(url, ips=('198.51.100.9', '2001:db8::9'), hostname='cloud.example.com'),)
    unit.config = {'os-public-hostname': 'dashboard.example.com'}
    unit.run()
    assert {*unit.settings['ALLOWED_HOSTS']} == {
        *('198.51.100.9', '[2001:db8::9]', 'cloud.example.com', 'dashboard.example.com'),
        *('10.0.0.2', '10.9.0.2', '203.0.113.2', '127.0.0.1', 'localhost'),
        '192.0.2.0',  # Its own, where the load balancer is.
    }


@pytest.mark.parametrize('scheme', ['http', 'https'])
def test_cookies_ask_for_tls_only_where_the_site_has_it(unit: Unit, scheme: str):
    unit.more = (balancer(f'{scheme}://198.51.100.9', ips=('198.51.100.9',)),)
    unit.run()
    secure = scheme == 'https'
    assert unit.settings['SESSION_COOKIE_SECURE'] == secure
    assert unit.settings['CSRF_COOKIE_SECURE'] == secure
    assert ('SECURE_PROXY_SSL_HEADER' in unit.settings) == secure


def test_debug_is_for_the_log_and_shows_nobody_the_settings(unit: Unit):
    unit.config = {'debug': True}
    unit.run()
    assert unit.settings['LOGGING']['root']['level'] == 'DEBUG'
    assert unit.settings['DEBUG'] is False


def test_options_become_settings_beside_horizons_own(unit: Unit):
    unit.config = {
        'cinder-backup': True,
        'console-type': 'off',
        'image-upload-mode': 'off',
        'image-formats': 'raw qcow2',
        'default-domain': 'users',
        'endpoint-type': 'publicURL,internalURL',
        'help-url': 'https://help.example.com/',
    }
    unit.run()
    found = unit.settings
    assert found['OPENSTACK_CINDER_FEATURES'] == {'enable_backup': True}
    assert found['CONSOLE_TYPE'] is None
    assert found['HORIZON_IMAGES_UPLOAD_MODE'] == 'off'
    formats = [name for name, _ in found['OPENSTACK_IMAGE_BACKEND']['image_formats']]
    assert formats == ['', 'raw', 'qcow2']
    assert found['OPENSTACK_KEYSTONE_MULTIDOMAIN_SUPPORT'] is False
    assert found['OPENSTACK_KEYSTONE_DEFAULT_DOMAIN'] == 'users'
    assert found['OPENSTACK_ENDPOINT_TYPE'] == 'publicURL'
    assert found['SECONDARY_ENDPOINT_TYPE'] == 'internalURL'
    assert found['HORIZON_CONFIG']['help_url'] == 'https://help.example.com/'
    assert found['LAUNCH_INSTANCE_DEFAULTS']['config_drive'] is False


def test_what_an_operator_types_is_never_more_than_a_text(unit: Unit):
    text = "x' + __import__('os').getcwd() + '\\"
    unit.config = {'site-branding': text}
    unit.run()
    assert unit.settings['SITE_BRANDING'] == text


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('session-timeout', 5),
        ('default-theme', '../theme'),
        ('image-upload-mode', 'direct'),
        ('console-type', 'RDP'),
        ('image-formats', 'raw exe'),
        ('endpoint-type', 'public'),
        ('endpoint-type', 'publicURL,publicURL'),
        ('help-url', 'javascript:alert(1)'),
        ('site-branding', 'two\nlines'),
        ('dropdown-max-items', 0),
    ],
)
def test_an_option_that_will_not_do_is_named_and_the_default_stays(
    unit: Unit, option: str, value: object
):
    unit.run()
    before, unit.out = unit.settings, None
    unit.config = {option: value}
    said = unit.run().unit_status
    assert isinstance(said, testing.BlockedStatus)
    assert said.message.startswith(f'option {option}: ')
    assert unit.settings == before


def test_a_load_balancer_is_told_of_it_by_its_type(unit: Unit):
    unit.more = (balancer('http://198.51.100.9', ips=('198.51.100.9',)),)
    (asked,) = unit.run().get_relations('public-backend')
    assert isinstance(asked, testing.Relation)
    (endpoint,) = json.loads(asked.local_app_data['endpoints'])
    assert (endpoint['service-name'], endpoint['service-type']) == ('horizon', 'dashboard')
    assert endpoint['frontend-port'] == 80


def test_settings_of_the_package_that_would_go_over_ours_are_removed(unit: Unit):
    unit.run()
    gone = {a.path.rpartition('/')[2] for a in unit.machine.desired.absent}
    assert {'_0005_debian_webroot.py', '_0006_debian_cache.py'} <= gone
    (mine,) = (f for f in unit.machine.desired.files if f.path == SETTINGS)
    assert (mine.group, mine.mode) == ('horizon', 0o640)
    assert 'k' * 32 not in repr(mine)
