"""The keystone interface: both sides understand each other, and nonsense is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
from charmkit.relations import ENDPOINT_TYPES, EndpointType, Relation, Site, keystone
from hypothesis import given
from hypothesis import strategies as st

SITE = Site(
    unit='glance/0',
    leader=True,
    address='10.0.0.7',
    urls={
        name: {'public': 'https://c:9292', 'internal': 'http://i:9292', 'admin': 'http://a:9292'}
        for name in ('glance', 'cinderv2', 'cinderv3')
    },
    region='North',
)
URLS = {
    'public': 'https://keystone',
    'internal': 'http://10.1.0.4:5000',
    'admin': 'http://[::4]:5000',
}
ACCOUNT = keystone.Account(
    username='glance', password='s3cret', user_id='u', domain='service_domain', domain_id='d',
    project='services', project_id='p', admin_domain_id='default', admin_project_id='ap',
    admin_user_id='au', admin_role='admin',
)  # fmt: skip


def relation(*bags: dict[str, str]) -> Relation:
    units = {f'glance/{n}': bag for n, bag in enumerate(bags)}
    return Relation(id=7, name='identity-service', app='glance', units=units)


def answered(bag: Mapping[str, str]) -> Relation:
    units = {'keystone/0': bag}
    return Relation(id=7, name='identity-service', app='keystone', units=units)


def test_what_is_asked_for_is_understood():
    need = keystone.need('glance', '/v2')
    asked = keystone.request(relation(dict(need.request(SITE))))
    assert isinstance(asked, keystone.Request)
    (service,) = asked.services
    assert (service.name, service.type, service.region) == ('glance', 'image', 'North')
    assert dict(service.urls) == {
        'public': 'https://c:9292/v2', 'internal': 'http://i:9292/v2', 'admin': 'http://a:9292/v2',
    }  # fmt: skip
    assert asked.username == 'glance'


def test_several_services_of_a_charm_share_an_account():
    need = keystone.need('cinderv3', '/v3/$(project_id)s', more={'cinderv2': '/v2/$(project_id)s'})
    asked = keystone.request(relation(dict(need.request(SITE))))
    assert isinstance(asked, keystone.Request)
    assert {s.type for s in asked.services} == {'volumev2', 'volumev3'}
    assert asked.username == 'cinderv2_cinderv3'


def test_what_is_answered_is_understood():
    need = keystone.need('glance')
    asked = keystone.request(relation(dict(need.request(SITE))))
    assert isinstance(asked, keystone.Request)
    answer = keystone.response(asked, URLS, 'North', ACCOUNT)
    found = need.read((answered(answer),), SITE)
    assert found == keystone.Identity(
        auth_url='http://10.1.0.4:5000/v3',
        public_url='https://keystone:443/v3',
        username='glance',
        project='services',
        domain='service_domain',
        password='s3cret',
        region='North',
    )
    assert answer['auth_host'] == '[::4]'
    assert answer['service_type'] == 'image'
    assert 's3cret' not in repr(found)


def test_an_older_keystone_that_names_no_internal_host_is_understood():
    bag = {
        'auth_host': '10.0.0.4', 'auth_port': '35357', 'auth_protocol': 'http',
        'service_host': '10.0.0.4', 'service_port': '5000', 'service_protocol': 'http',
        'service_username': 'glance', 'service_password': 'x', 'service_tenant': 'services',
    }  # fmt: skip
    found = keystone.need('glance').read((answered(bag),), SITE)
    assert found
    assert (found.auth_url, found.domain) == ('http://10.0.0.4:35357/v3', 'Default')


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('internal_host', 'http://[::1'),
        ('internal_host', ':' * 9),
        ('internal_host', 'a b'),
        ('internal_port', '0'),
        ('internal_port', '99999'),
        ('internal_port', 'x'),
        ('service_protocol', 'file'),
        ('service_host', 'é'),
    ],
)
def test_a_place_where_no_keystone_can_be_is_no_answer(key: str, value: str):
    bag = {
        'internal_host': '10.0.0.4', 'internal_port': '5000', 'internal_protocol': 'http',
        'service_host': '10.0.0.4', 'service_port': '5000', 'service_protocol': 'http',
        'service_username': 'glance', 'service_password': 'x', 'service_tenant': 'services',
    }  # fmt: skip
    assert keystone.need('glance').read((answered(bag),), SITE)
    assert keystone.need('glance').read((answered({**bag, key: value}),), SITE) is None


def test_a_charm_may_only_ask_where_keystone_is():
    none = dict.fromkeys(('service', 'region', 'public_url', 'internal_url', 'admin_url'), 'None')
    asked = keystone.request(relation({**none, 'requested_roles': 'Member'}))
    assert isinstance(asked, keystone.Request)
    assert asked.services == ()
    answer = keystone.response(asked, URLS, 'North', ACCOUNT)
    assert answer['created_roles'] == 'Member'
    assert 'service_password' not in answer


def test_the_unit_with_the_lowest_number_that_has_said_all_counts():
    whole = dict(keystone.need('glance').request(SITE))
    other = whole | {'public_url': 'http://other:9292'}
    units = {'glance/10': whole, 'glance/2': other, 'glance/0': {'service': 'glance'}}
    asked = keystone.request(Relation(id=1, name='identity-service', app='glance', units=units))
    assert isinstance(asked, keystone.Request)
    assert dict(asked.services[0].urls)['public'] == 'http://other:9292'


def test_what_is_missing_is_named():
    whole = dict(keystone.need('glance').request(SITE))
    lacking = keystone.request(relation({k: v for k, v in whole.items() if k != 'region'}))
    assert lacking == keystone.Refusal('glance', 'it does not say region: see its option region')
    both = dict(keystone.need('cinderv3', more={'cinderv2': ''}).request(SITE))
    del both['cinderv2_admin_url']
    lacking = keystone.request(relation(both))
    assert lacking == keystone.Refusal('glance', 'it does not say cinderv2_admin_url')


@pytest.mark.parametrize('types', [('public', 'internal'), ('admin',), ()])
def test_endpoint_types_that_are_not_registered_are_said(types: tuple[EndpointType, ...]):
    site = dataclasses.replace(SITE, unregistered=frozenset(ENDPOINT_TYPES) - set(types))
    bag = dict(keystone.need('glance').request(site))
    asked = keystone.request(relation(bag))
    assert isinstance(asked, keystone.Request)
    assert tuple(dict(asked.services[0].urls)) == types
    # A keystone that does not know of it finds everything.
    del bag['endpoint_types']
    assert isinstance(keystone.request(relation(bag)), keystone.Request)


def test_a_service_whose_load_balancer_has_not_answered_asks_for_an_account_and_no_endpoint():
    wait: dict[str, frozenset[EndpointType]] = {'glance': frozenset({'public', 'admin'})}
    bag = keystone.need('glance').request(dataclasses.replace(SITE, awaited=wait))
    asked = keystone.request(relation(dict(bag)))
    assert isinstance(asked, keystone.Request)
    assert asked.username == 'glance'
    assert tuple(dict(asked.services[0].urls)) == ('internal',)
    # Each service by itself.
    other = dataclasses.replace(SITE, awaited={'another': frozenset(ENDPOINT_TYPES)})
    assert 'endpoint_types' not in keystone.need('glance').request(other)


def test_a_refusal_is_heard():
    need = keystone.need('glance')
    assert need.refusal
    assert need.refusal((answered({'refused': 'because'}),), SITE) == 'because'
    assert need.refusal((answered({}),), SITE) == ''


def test_nothing_is_asked_while_nothing_is_known():
    whole = dict(keystone.need('glance').request(SITE))
    assert isinstance(keystone.request(relation({**whole, 'admin_url': ''})), keystone.Refusal)
    assert keystone.request(relation()) is None
    assert keystone.need('glance').request(Site(unit='g/0', leader=True, address='10.0.0.1')) == {}


@pytest.mark.parametrize(
    'bad',
    [
        {'service': 'keystone'},
        {'service': 'rm -rf'},
        {'region': 'a\nb'},
        {'public_url': 'file:///etc/passwd'},
        {'public_url': 'http://'},
        {'public_url': 'http://a:99999'},
        {'public_url': 'http://a/\u2028'},
        {'requested_roles': 'a;b'},
        {'add_role_to_admin': 'x' * 65},
    ],
)
def test_nonsense_is_refused_by_name(bad: dict[str, str]):
    whole = dict(keystone.need('glance').request(SITE))
    refused = keystone.request(relation(whole | bad))
    assert isinstance(refused, keystone.Refusal)
    assert refused.app == 'glance'


def test_a_service_is_asked_for_once_in_a_region():
    one = keystone.need('cinderv3', more={'cinderv2': ''}).request(SITE)
    twice = {key: 'cinderv3' if key.endswith('_service') else value for key, value in one.items()}
    refused = keystone.request(relation(twice))
    assert refused == keystone.Refusal('glance', 'it asks for the service cinderv3 in North twice')


def test_a_relation_asks_for_no_more_services_than_there_could_be():
    one = keystone.need('glance').request(SITE)
    many = {f'x{n}_{key}': value for n in range(65) for key, value in one.items()}
    many |= {f'x{n}_region': f'r{n}' for n in range(65)}
    assert keystone.request(relation(many)) == keystone.Refusal(
        'glance', 'it asks for more than 64 services'
    )


keys = st.sampled_from(
    ['service', 'region', 'public_url', 'internal_url', 'admin_url', 'x_service', 'x_region']
)


@given(st.dictionaries(keys, st.text(max_size=20) | st.just('http://a')))
def test_no_databag_breaks_it(bag: dict[str, str]):
    keystone.request(relation(bag))


def test_who_only_asks_where_keystone_is_gets_no_account_and_no_place_in_the_catalogue():
    need = keystone.need_auth_endpoint('member')
    asked = keystone.request(relation(dict(need.request(SITE))))
    assert isinstance(asked, keystone.Request)
    assert (asked.services, asked.username, asked.roles) == ((), '', ('member',))
    said = keystone.response(asked, URLS, 'North', ACCOUNT)
    assert 's3cret' not in str(said)
    found = need.read((answered(said),), SITE)
    assert found == keystone.AuthEndpoint('http://10.1.0.4:5000/v3', 'North')


def test_several_roles_are_asked_for():
    asked = keystone.request(
        relation(dict(keystone.need_auth_endpoint('member', 'reader').request(SITE)))
    )
    assert isinstance(asked, keystone.Request)
    assert asked.roles == ('member', 'reader')


@pytest.mark.parametrize('bag', [{}, {'internal_host': '10.1.0.4'}, {'internal_port': '5000'}])
def test_who_asks_where_keystone_is_waits_until_it_is_told(bag: dict[str, str]):
    assert keystone.need_auth_endpoint().read((answered(bag),), SITE) is None


def test_a_service_of_a_vendors_has_a_type_of_its_own_and_takes_no_others_place():
    assert keystone.type_of('glance') == 'image'
    assert keystone.type_of('vendor-api2') == 'vendor-api2'
    assert keystone.type_of('v' * 63) and not keystone.type_of('v' * 64)
    for name in (
        'image',
        'identity',
        'admin',
        'charm-keystone',
        '',
        'A',
        'a_b',
        'a--b',
        '-a',
        'a-',
        '1a',
        'a b',
        'a\n',
    ):
        assert keystone.type_of(name) == '', name
