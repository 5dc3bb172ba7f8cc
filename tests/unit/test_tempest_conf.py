"""Tempest's configuration says what the deployment has, and no more."""

from __future__ import annotations

import configparser
import dataclasses
import pathlib
import re
import sys
from collections.abc import Mapping
from typing import Any

import pytest

sys.path.insert(
    0, str(pathlib.Path(__file__).parents[2] / 'tools')
)  # As `python tools/run_tempest.py` has it.

from tools import tempest_conf, tempest_servers
from tools import tempest_results as results

KNOWN = pathlib.Path(__file__).parents[1] / 'tempest/known.yaml'
LOGIN = {
    'auth': {
        'auth_url': 'http://10.0.0.1:5000/v3',
        'username': 'admin',
        'password': 'pa$$w%rd',
        'project_name': 'admin',
        'user_domain_name': 'Default',
        'project_domain_name': 'Default',
    },
    'region_name': 'RegionOne',
}
FOLDER = pathlib.Path('/results')
SCHEMA: dict[str, Any] = {
    'properties': {
        'locations': {'type': 'array'},
        'container_format': {'enum': [None, 'ami', 'bare', 'compressed']},
        'disk_format': {'enum': [None, 'ami', 'raw', 'qcow2', 'ploop']},
    }
}
METHODS = {'import-methods': {'value': ['glance-direct']}}


def written(
    images: tempest_conf.Images,
    compliance: Mapping[str, Any] | None = None,
    there: tempest_servers.Servers | None = None,
) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None, default_section='')
    read.read_string(
        tempest_conf.configuration(
            LOGIN,
            images,
            compliance or {},
            FOLDER,
            'http://10.0.0.2/i.qcow2',
            tempest_servers.sections(there),
        )
    )
    return read


def test_formats_are_those_that_glance_has_with_the_common_ones_first():
    images = tempest_conf.offered(METHODS, {}, SCHEMA, {}, cache=False, format_enforced=False)
    assert written(images)['image']['container_formats'] == 'bare,ami,compressed'
    assert written(images)['image']['disk_formats'] == 'qcow2,raw,ami,ploop'


def test_by_tls_whoever_the_cloud_is_to_be_trusted_by_is_named(monkeypatch: pytest.MonkeyPatch):
    images = tempest_conf.offered(METHODS, {}, SCHEMA, {}, cache=False, format_enforced=False)
    assert 'ca_certificates_file' not in written(images)['identity']
    monkeypatch.setitem(LOGIN, 'cacert', '/etc/ssl/authority.pem')
    assert written(images)['identity']['ca_certificates_file'] == '/etc/ssl/authority.pem'


def test_features_are_those_that_glance_says():
    images = tempest_conf.offered(METHODS, {}, SCHEMA, {}, cache=False, format_enforced=False)
    assert dict(written(images)['image-feature-enabled']) == {
        'import_image': 'True',
        'manage_locations': 'False',
        'http_store_enabled': 'False',
        'image_caching_enabled': 'False',
        'image_format_enforcement': 'False',
    }
    more = tempest_conf.offered(
        {'import-methods': {'value': []}},
        {'stores': [{'id': 'http'}]},
        SCHEMA,
        {'locations': []},
        cache=True,
        format_enforced=True,
    )
    assert dict(written(more)['image-feature-enabled']) == {
        'import_image': 'False',
        'manage_locations': 'True',
        'http_store_enabled': 'True',
        'image_caching_enabled': 'True',
        'image_format_enforcement': 'True',
    }


def test_a_password_is_not_taken_for_a_variable():
    """oslo.config replaces $name; $$ is a dollar."""
    images = tempest_conf.offered(METHODS, {}, SCHEMA, {}, cache=False, format_enforced=False)
    assert written(images)['auth']['admin_password'] == 'pa$$$$w%rd'


def test_rules_for_passwords_are_tested_where_there_are_any():
    images = tempest_conf.offered(METHODS, {}, SCHEMA, {}, cache=False, format_enforced=False)
    assert not written(images).getboolean('identity-feature-enabled', 'security_compliance')
    strict = written(images, {'lockout_failure_attempts': 3, 'password_expires_days': 90})
    assert strict.getboolean('identity-feature-enabled', 'security_compliance')
    assert strict['identity']['user_lockout_failure_attempts'] == '3'
    assert 'password_expires_days' not in strict['identity']


def test_features_are_named_as_the_list_of_what_is_known_names_them():
    none = tempest_conf.offered(METHODS, {}, SCHEMA, {}, cache=False, format_enforced=True)
    assert tempest_conf.features(none, {}) == frozenset()
    every = tempest_conf.offered(
        {'import-methods': {'value': ['glance-download', 'web-download']}},
        {'stores': [{'id': 'fs'}, {'id': 'http'}]},
        SCHEMA,
        {'locations': []},
        cache=True,
        format_enforced=False,
    )
    named = {one.without for one in results.known(KNOWN.read_text()) if one.without}
    features = tempest_conf.features(every, {'lockout_duration': 5})
    servers = dataclasses.replace(
        SERVERS,
        extensions=('metering', 'standard-attr-tag', 'trunk'),
        dashboard='http://10.0.0.1/',
    )
    with_servers = tempest_servers.features(servers) - {'tag', 'standard-attr-tag'}
    nowhere = {'a second glance'}
    assert named - nowhere == features | with_servers - {'resize'}


def test_what_a_cloud_of_one_compute_node_is_without_is_not_among_its_features():
    one = dataclasses.replace(SERVERS, computes=1, resizes=False)
    assert tempest_servers.features(one) == {'compute', 'router', 'security-group'}
    assert tempest_servers.features(None) == frozenset()


def test_tags_are_looked_for_by_the_name_that_tempest_has_for_them():
    assert tempest_servers.aliases(('standard-attr-tag', 'a')) == ['a', 'standard-attr-tag', 'tag']
    assert tempest_servers.aliases(('a',)) == ['a']


SERVERS = tempest_servers.Servers(
    image='an-image',
    flavor='small',
    larger_flavor='large',
    external='out',
    extensions=('router', 'security-group'),
    computes=2,
    volumes=True,
    console=True,
    newest={'compute': '2.93', 'volume': '3.70'},
)


def test_servers_networks_and_volumes_are_tested_where_a_cloud_has_them():
    images = tempest_conf.offered(METHODS, {}, SCHEMA, {}, cache=False, format_enforced=False)
    assert dict(written(images)['service_available']) == {
        **dict.fromkeys(('cinder', 'neutron', 'nova', 'swift'), 'False'),
        'glance': 'True',
    }
    conf = written(images, there=SERVERS)
    assert dict(conf['service_available']) == {
        **dict.fromkeys(('cinder', 'glance', 'neutron', 'nova'), 'True'),
        **dict.fromkeys(('horizon', 'swift'), 'False'),
    }
    assert conf['validation'].getboolean('run_validation')
    assert conf['validation']['image_ssh_user'] == 'root'
    assert conf['compute']['flavor_ref'] != conf['compute']['flavor_ref_alt']
    assert conf['network']['public_network_id'] == 'out'
    assert conf['network-feature-enabled']['api_extensions'] == 'router,security-group'
    assert conf['volume']['catalog_type'] == 'volumev3'
    assert conf['compute']['max_microversion'] == '2.93'
    assert conf['volume']['max_microversion'] == '3.70'


def test_servers_are_moved_only_where_they_have_somewhere_to_go():
    images = tempest_conf.offered(METHODS, {}, SCHEMA, {}, cache=False, format_enforced=False)
    for computes, moved in ((1, False), (2, True)):
        there = dataclasses.replace(SERVERS, computes=computes, resizes=moved)
        features = written(images, there=there)['compute-feature-enabled']
        assert {
            features.getboolean(f) for f in ('resize', 'cold_migration', 'live_migration')
        } == {moved}
    stays = written(images, there=dataclasses.replace(SERVERS, computes=1))
    assert stays.getboolean('compute-feature-enabled', 'resize')
    assert not stays.getboolean('compute-feature-enabled', 'cold_migration')


def test_a_dashboard_is_tested_where_there_is_one():
    images = tempest_conf.offered(METHODS, {}, SCHEMA, {}, cache=False, format_enforced=False)
    there = dataclasses.replace(SERVERS, dashboard='https://10.0.0.1/horizon')
    conf = written(images, there=there)
    assert conf['dashboard']['dashboard_url'] == there.dashboard
    assert conf.getboolean('service_available', 'horizon')


@pytest.mark.parametrize(
    ('test', 'chosen'),
    [
        ('api.compute.servers.test_servers.ServersTestJSON.test_create[id-1]', True),
        ('api.object_storage.test_object.X.test_y', False),
        ('scenario.test_server_basic_ops.TestServerBasicOps.test_server_basic_ops[id-1,smoke]', True),
        ('scenario.test_network_basic_ops.TestNetworkBasicOps.test_network_basic_ops[id-1]', True),
        ('scenario.test_network_basic_ops.TestNetworkBasicOps.test_hotplug_nic[id-1]', False),
        ('scenario.test_server_multinode.TestServerMultinode', True),
        ('scenario.test_shelve_instance.TestShelveInstance.test_shelve_instance[id-1]', False),
    ],
)  # fmt: skip
def test_the_suites_are_those_of_what_a_cloud_has_and_the_smoke_scenarios(test: str, chosen: bool):
    assert bool(re.search(tempest_servers.SUITES, f'tempest.{test}')) is chosen
