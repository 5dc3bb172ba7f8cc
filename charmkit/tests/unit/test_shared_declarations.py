"""What several charms declare alike: needs, and the parts of configuration that more than one of them writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from charmkit import (
    archive,
    conf,
    config_files,
    host,
    l2agent,
    openvswitch,
    origin,
    relations,
    releases,
    service,
    settings,
    spec,
    state,
    validators,
)
from charmkit.relations import (
    cinder,
    keystone,
    mount,
    mysql,
    neutron,
    neutron_plugins,
    nova,
    rabbitmq,
    running,
    subordinate,
)
from charmkit.why import Action, Hook, secret_due

SITE = relations.Site(
    unit='demo/0',
    leader=True,
    address='10.0.0.2',
    addresses={'shared-db': '10.0.0.3', 'data': '10.0.0.4'},
)
IDENTITY = keystone.Identity(
    auth_url='http://10.0.0.6:5000/v3',
    public_url='https://keystone.example.com:5000/v3',
    username='nova',
    project='services',
    domain='service_domain',
    password='pw',
    region='here',
)
ACCOUNT = {
    'auth_type': 'password', 'auth_url': 'http://10.0.0.6:5000/v3', 'username': 'nova', 'password': 'pw',
    'project_name': 'services', 'user_domain_name': 'service_domain', 'project_domain_name': 'service_domain',
    'region_name': 'here',
}  # fmt: skip


@pytest.mark.parametrize(
    ('need', 'relation', 'name', 'optional', 'lapses'),
    [
        (mysql.need('nova', user='n', prefix='p'), 'shared-db', 'nova', False, False),
        (mysql.need('nova', optional=True), 'shared-db', 'nova', True, False),
        (mount.need('shared-store', '/srv'), 'shared-store', '/srv', True, True),
        (subordinate.need('sub', 'nova'), 'sub', 'nova', True, False),
        (nova.need(), nova.RELATION, 'an account', False, False),
        (neutron.plugin(), 'neutron-plugin', 'an agent', False, False),
        (neutron.plugin_api(), 'neutron-plugin-api', 'its settings', False, False),
        (neutron_plugins.backend(), 'neutron-plugin-api-subordinate', 'a plugin', True, False),
    ],
    ids=lambda x: x.relation if isinstance(x, relations.Need) else '',
)
def test_a_need_says_where_it_is_met_and_what_it_is_called(
    need: relations.Need[Any], relation: str, name: str, optional: bool, lapses: bool
):
    found = (need.relation, need.name, need.optional, need.lapses)
    assert found == (relation, name, optional, lapses)
    if relation != 'shared-db':
        assert need.request(SITE) == {}


def test_a_database_is_asked_for_by_its_prefix_and_its_user():
    assert mysql.need('nova', user='n', prefix='p').request(SITE) == {
        'p_database': 'nova', 'p_username': 'n', 'p_hostname': '10.0.0.3',
    }  # fmt: skip
    assert mysql.need('nova').request(SITE)['username'] == 'nova'


def test_a_mount_is_asked_for_and_there_once_it_is_said_to_be():
    need = mount.need('shared-store', '/srv')
    assert need.request_app
    assert {k: json.loads(v) for k, v in need.request_app(SITE).items()} == {
        'mountpoint': '/srv', 'nodev': True, 'noexec': True, 'nosuid': True, 'read_only': False,
    }  # fmt: skip

    def said(value: str) -> relations.Relation:
        return relations.Relation(id=1, name='s', app='nfs', units={'nfs/0': {'mounted': value}})

    assert need.read((said('true'),), SITE) == mount.Mount('/srv')
    assert need.read((said('True'),), SITE) is None


def test_a_plugin_and_its_settings_are_read_with_what_is_missing_left_empty():
    bag = {'neutron-plugin': 'ovs'}
    agent = relations.Relation(id=1, name='neutron-plugin', app='ovs', units={'ovs/0': bag})
    assert neutron.plugin().read((agent,), SITE) == neutron.Plugin('ovs', '')
    api = relations.Relation(
        id=1, name='x', app='api', units={'api/0': {'neutron-api-ready': 'yes'}}
    )
    found = neutron.plugin_api().read((api,), SITE)
    assert found == neutron.Settings(security_groups=found.security_groups if found else True)


def test_what_is_in_rotation_is_told_by_service_and_release_in_the_order_of_units():
    zed, epoxy = running.Running('zed', 'debian@12'), running.Running('epoxy', 'debian@13')
    told = running.response(
        [('a/10', 's', zed), ('a/2', 's', zed), ('a/3', 's', epoxy), ('b/0', 't', zed)]
    )
    assert {k: json.loads(v) for k, v in told.items()} == {
        running.KEY: {'s': {'zed': ['a/2', 'a/10'], 'epoxy': ['a/3']}, 't': {'zed': ['b/0']}}
    }


@pytest.mark.parametrize('cross', [True, False])
def test_how_nova_reaches_the_others(cross: bool):
    log_in = {**ACCOUNT, 'valid_interfaces': 'internal'}
    catalogue = {'valid_interfaces': 'internal', 'region_name': 'here'}
    volumes = cinder.Volumes()
    assert conf.nova_clients(IDENTITY, volumes=volumes, cross_az_attach=cross) == {
        'service_user': {**ACCOUNT, 'send_service_user_token': True},
        'placement': log_in,
        'neutron': log_in,
        'glance': catalogue,
        'keystone': catalogue,
        'cinder': {
            'catalog_info': 'volumev3:cinderv3:internalURL',
            'os_region_name': 'here',
            'cross_az_attach': cross,
        },
    }


def test_the_cache_of_a_service_is_the_units_own():
    assert conf.cache() == {
        'cache': {
            'enabled': True, 'backend': 'dogpile.cache.memcached', 'memcache_servers': '127.0.0.1:11211',
            'memcache_dead_retry': 1, 'memcache_socket_timeout': 1,
        }
    }  # fmt: skip


def test_defaults_come_first_whatever_the_order():
    lines = conf.render({'a': {'x': 1}, 'A': {'w': 0}, 'DEFAULT': {'y': 2}}).splitlines()
    assert [x for x in lines if x.startswith('[')] == ['[DEFAULT]', '[A]', '[a]']


# Neutron's agents.


def agents(said: neutron.Settings, *, kernel: bool = True) -> service.Ready:
    inputs = state.Inputs(
        site=SITE, facts=state.Facts(base='debian@12', kernel_openvswitch=kernel)
    )
    broker = rabbitmq.Broker(('10.0.0.7',), 'neutron', 'openstack', 'pw')
    return service.Ready(inputs, {l2agent.BROKER: broker, l2agent.SETTINGS: said}, releases.ZED)


def test_agents_have_one_configuration():
    said = neutron.Settings(rpc_response_timeout=70, report_interval=20, dns_domain='example.')
    assert l2agent.neutron_conf(agents(said)) == {
        'DEFAULT': {
            'log_dir': '/var/log/neutron', 'debug': False, 'core_plugin': 'ml2', 'state_path': '/var/lib/neutron',
            'transport_url': 'rabbit://neutron:pw@10.0.0.7:5672/openstack', 'rpc_response_timeout': 70,
            'dns_domain': 'example.',
        },
        'oslo_middleware': {'enable_proxy_headers_parsing': True},
        'oslo_messaging_rabbit': {'rabbit_quorum_queue': True},
        'agent': {
            'root_helper': 'sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf',
            'root_helper_daemon': 'sudo /usr/bin/neutron-rootwrap-daemon /etc/neutron/rootwrap.conf',
            'report_interval': 20,
        },
        'oslo_concurrency': {'lock_path': '/var/lib/neutron/lock'},
    }  # fmt: skip
    assert 'dns_domain' not in l2agent.neutron_conf(agents(neutron.Settings()))['DEFAULT']


TUNNELS = neutron.Settings(tunnels=('gre', 'vxlan'), l2_population=True, dvr=True)


@pytest.mark.parametrize(
    ('said', 'end', 'driver'),
    [
        (TUNNELS, {'local_ip': '10.0.0.4'}, 'openvswitch'),
        (neutron.Settings(security_groups=False, polling_interval=9), {}, 'noop'),
    ],
)
def test_the_agent_of_the_switch(said: neutron.Settings, end: dict[str, str], driver: str):
    made = openvswitch.Bridges(made=(), mappings=('a:br-a', 'b:br-b'), userspace=True)
    assert l2agent.agent_conf(agents(said), made) == {
        'ovs': {'datapath_type': 'netdev', 'bridge_mappings': 'a:br-a,b:br-b', **end},
        'agent': {
            'tunnel_types': ','.join(said.tunnels),
            'l2_population': said.l2_population,
            'arp_responder': said.l2_population,
            'enable_distributed_routing': said.dvr,
            'polling_interval': said.polling_interval,
        },
        'securitygroup': {
            'enable_security_group': said.security_groups,
            'firewall_driver': driver,
        },
    }


def test_what_lasting_agents_have_started_outlives_them():
    made = openvswitch.Bridges(made=(), mappings=(), troubles=('it lacks a card',))
    found = l2agent.machine(made, ('one', 'two'), ('two',))
    (file,) = [f for f in found.files if f.path.startswith('/etc/systemd/system/two.')]
    assert file.path == '/etc/systemd/system/two.service.d/charm.conf'
    assert '[Service]\nKillMode=process\n' in file.content
    assert not [f for f in found.files if '/one.service.d/charm' in f.path]
    assert l2agent.notes(made) == (state.Status('blocked', 'it lacks a card'),)


# Archives and releases.

KEY = '-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----'
OWN = {'openstack-origin': 'deb http://a.example/debian x main', 'openstack-origin-key': KEY}


def known(options: dict[str, str], **more: Any) -> state.Inputs:
    return state.Inputs(site=SITE, options=options, **more)


def test_a_new_unit_takes_all_of_an_archive_of_its_own_and_later_not_what_is_steady():
    first = archive.decide(('demo',), Hook('install'), known(OWN), ('steady',))
    assert first.host.upgrade
    assert first.host.upgrade.packages == ('demo', 'steady')
    assert first.host.upgrade.key.startswith('first ')
    kept = dict(first.memory)
    asked = Action('openstack-upgrade', {}, '7')
    later = archive.decide(('demo',), asked, known(OWN, memory=kept), ('steady',))
    assert later.host.upgrade == host.Upgrade(packages=('demo',), key='openstack-upgrade 7')
    plain = archive.decide(('demo',), Hook('install'), known({}), ('steady',))
    assert plain.host == host.Host()


def test_an_archive_that_is_none_is_told_in_its_words_and_the_last_good_one_stays():
    bad = known({'openstack-origin': 'cloud:noble-epoxy'}, memory={'origin': OWN})
    found = archive.decide(('demo',), Hook('config-changed'), bad)
    (said,) = found.status[:1]
    assert said.kind == 'blocked'
    assert "openstack-origin 'cloud:noble-epoxy' is not for debian@12" in said.message
    assert found.memory[archive.LAST_GOOD] == OWN
    never = archive.decide(
        ('demo',), Hook('config-changed'), known({'openstack-origin': 'nonsense'})
    )
    assert never.memory[archive.LAST_GOOD] == {}
    assert never.host.files == ()


def test_without_an_archive_nothing_of_one_is_left():
    assert origin.desired(origin.Origin('distro')) == host.Host(
        absent=(host.Absent(path=origin.LIST), host.Absent(path=origin.KEYRING))
    )


def test_a_password_in_an_archive_is_not_shown_nor_more_than_eighty_characters():
    with pytest.raises(ValueError, match='is no archive') as e:
        origin.read('deb http://me:s3cret@a.example/' + 'x' * 99, '', 'debian@12')
    assert "openstack-origin 'deb http://…@a.example/" in str(e.value)
    assert 's3cret' not in str(e.value)
    shown = str(e.value).split("'")[1]
    assert len(shown) == 80


def test_releases_are_known_by_their_names_and_by_what_is_installed():
    assert releases.by_name('epoxy') == releases.EPOXY
    assert releases.by_name('nonsense') is None
    of = releases.of_package
    assert of('debian@12', 'nova-api', '2:26.1.0-1') == releases.ZED
    assert of('debian@12', 'nova-api', '3:99.0.0-1') == releases.Release(99, 'release-99')
    assert (
        of('debian@12', 'nova-api', '3:25.0.0-1') == releases.ZED
    )  # Older than any that there is.
    assert of('debian@13', 'unheard-of', '1.0') == releases.EPOXY


# What a spec becomes.

SPEC = spec.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api',),
    needs=(),
    apps=(
        spec.WsgiApp(
            'demo-api', '/usr/bin/demo', 8778, type='demo',
            config={'/etc/demo/api.conf': lambda _: {'a': {'b': 1}}},
        ),
        spec.WsgiApp('demo-data', '/usr/bin/demo-data', 8779, type='data'),
    ),
    daemons=(spec.Daemon('demo-worker'),),
    config={'/etc/demo/demo.conf': lambda _: {'DEFAULT': {'c': 2}}},
    by_release={'epoxy': {'packages': ('demo-new',)}},
)  # fmt: skip


def test_a_service_is_another_one_in_another_release():
    assert SPEC.on(releases.EPOXY).packages == ('demo-new',)
    assert SPEC.on(releases.ZED) == SPEC


def test_a_file_is_taken_up_by_those_that_read_it_and_by_no_other():
    ready = service.Ready(known({}), {}, releases.ZED)
    found = {f.path: f.notify for f in config_files.files(SPEC, ready)}
    assert found == {
        '/etc/demo/demo.conf': ('wsgi:demo-api', 'wsgi:demo-data', 'demo-worker'),
        '/etc/demo/api.conf': ('wsgi:demo-api',),
    }


def test_what_does_not_run_and_what_was_refused_blocks():
    inputs = state.Inputs(
        site=SITE, failed={'demo': 'no', 'wsgi:x': 'see its log'}, refused={'/etc/x': 'a\n b'}
    )
    assert state.troubles(inputs, [state.Status('active', 'demo is told already')]) == [
        state.Status('blocked', 'see its log'),
        state.Status('blocked', '/etc/x was refused, the one before is in force: a b'),
    ]


@pytest.mark.parametrize(
    ('port', 'good'), [('0', False), ('1', True), ('65535', True), ('65536', False), ('', True)]
)
def test_ports_end_at_65535(port: str, good: bool):
    assert validators.is_origin(f'https://a.example{":" if port else ""}{port}') is good


@pytest.mark.parametrize(('text', 'good'), [('a b', True), (' a', False), ('a\tb', False), ('a ', False)])  # fmt: skip
def test_a_line_shows_all_that_it_has(text: str, good: bool):
    assert validators.is_line(text) is good


def test_comments_and_empty_lines_say_nothing():
    assert settings.sections('# a\n\n; b\n[x]\n  # c\ny = 1 # d\n') == {'x': {'y': '1 # d'}}


@pytest.mark.parametrize('name', ['in valid', 'x' * 200])
def test_a_section_without_a_name_is_refused_by_it(name: str):
    bag = {
        subordinate.KEY: json.dumps(
            {'nova': {'/etc/x': {'sections': {name: [['a', 'b']], 'good': [['a', 'b']]}}}}
        )
    }
    r = relations.Relation(id=1, name='sub', app='one', units={'one/0': bag})
    found = subordinate.need('sub', 'nova').read((r,), SITE)
    assert found is not None
    assert found[0].refused == f'/etc/x: section {name[:80]!r} is not a name'
    assert found[0].sections == {'/etc/x': {'good': {'a': 'b'}}}


def test_what_is_not_said_is_not_known():
    assert running.read({}) == running.Running()
    assert secret_due(Hook('secret-rotate', 'seed')) == 'seed'
    assert secret_due(Hook('config-changed', 'seed')) == ''
    assert secret_due(Action('secret-rotate')) == ''
