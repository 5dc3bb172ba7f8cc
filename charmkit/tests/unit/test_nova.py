"""The interface between nova's controller and its compute nodes, both sides of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from charmkit.relations import Databag, Relation, Site, keystone, nova

SITE = Site(unit='nova-compute/0', leader=True, address='10.0.0.9')
IDENTITY = keystone.Identity(
    auth_url='http://10.0.0.6:5000/v3',
    public_url='https://keystone.example.com:5000/v3',
    username='nova',
    project='services',
    domain='service_domain',
    password='account-pw',
    region='north',
)
CONTROLLER = nova.Controller(
    identity=IDENTITY,
    network_url='http://10.0.0.7:9696',
    dns_domain='cloud.example.com',
    console=nova.Console(protocol='novnc', url='http://203.0.113.9:6080/vnc_lite.html'),
)
KEY = 'ssh-ed25519 ' + 'A' * 68
COMPUTE = nova.Compute(
    unit='nova-compute/1',
    hostname='node-1',
    address='10.0.0.10',
    zone='az 1',
    ssh_key=f'{KEY} nova@node-1',
    host_keys=(KEY, f'ssh-rsa {"B" * 372}=='),
)


def heard(*bags: Databag) -> nova.Controller | None:
    units = {f'nova-cloud-controller/{n}': bag for n, bag in enumerate(bags)}
    relation = Relation(id=1, name='cloud-compute', app='nova-cloud-controller', units=units)
    return nova.need().read((relation,), SITE)


def known(**units: Databag) -> tuple[tuple[nova.Compute, ...], tuple[Any, ...]]:
    bags = {f'nova-compute/{name[1:]}': bag for name, bag in units.items()}
    return nova.known([Relation(id=1, name='cloud-compute', app='nova-compute', units=bags)])


@pytest.mark.parametrize(
    'controller',
    [
        CONTROLLER,
        nova.Controller(identity=IDENTITY),
        dataclasses.replace(CONTROLLER, security_groups=False, resize_to_same_host=True),
        dataclasses.replace(CONTROLLER, cross_az_attach=False, network_plugin='ovn'),
        dataclasses.replace(
            CONTROLLER,
            identity=dataclasses.replace(IDENTITY, auth_url='http://[fd00::6]:5000/v3'),
        ),
        nova.with_keys(CONTROLLER, [COMPUTE]),
    ],
)
def test_a_compute_hears_what_the_controller_tells(controller: nova.Controller):
    assert heard(nova.databag(controller)) == controller


def test_where_the_network_is_may_have_its_newer_name():
    said = {k: v for k, v in nova.databag(CONTROLLER).items() if k != 'quantum_url'}
    found = heard({**said, 'neutron_url': 'http://10.0.0.17:9696'})
    assert found is not None
    assert found.network_url == 'http://10.0.0.17:9696'


def test_the_controller_hears_what_a_compute_tells():
    assert known(u1=nova.present(COMPUTE)) == ((COMPUTE,), ())


def test_what_is_told_has_the_keys_of_charmed_openstack():
    told = nova.databag(CONTROLLER)
    assert told['auth_host'] == '10.0.0.6'
    assert told['service_host'] == 'keystone.example.com'
    assert told['service_tenant_name'] == 'services'
    assert told['quantum_url'] == 'http://10.0.0.7:9696'
    assert told['console_proxy_novnc_address'] == 'http://203.0.113.9:6080/vnc_lite.html'
    assert told['console_proxy_novnc_port'] == '6080'


def test_a_controller_of_charmed_openstack_is_understood():
    found = heard(
        {
            'auth_host': '10.0.0.6',
            'auth_port': '35357',
            'auth_protocol': 'http',
            'service_port': '5000',
            'service_protocol': 'http',
            'service_username': 'nova',
            'service_password': 'pw',
            'service_tenant_name': 'services',
            'admin_domain_name': 'service_domain',
            'network_manager': 'neutron',
            'quantum_url': 'http://10.0.0.7:9696',
            'quantum_security_groups': 'True',
            'volume_service': 'cinder',
            'region': 'RegionOne',
            'console_access_protocol': 'vnc',
            'console_proxy_novnc_address': 'http://10.0.0.8:6080/vnc_auto.html',
            'cross_az_attach': 'True',
        }
    )
    assert found is not None
    assert found.identity.auth_url == 'http://10.0.0.6:35357/v3'
    assert found.identity.public_url == 'http://10.0.0.6:5000/v3'
    assert found.security_groups and found.cross_az_attach
    assert found.console == nova.Console(
        protocol='novnc', url='http://10.0.0.8:6080/vnc_auto.html'
    )


@pytest.mark.parametrize('key', ['auth_host', 'auth_port', 'service_username', 'service_password'])
def test_without_an_account_a_compute_waits(key: str):
    told = {k: v for k, v in nova.databag(CONTROLLER).items() if k != key}
    assert heard(told) is None


@pytest.mark.parametrize(
    'nonsense',
    [
        {'auth_host': 'a/b@c'},
        {'auth_port': '5000/x'},
        {'auth_protocol': 'gopher'},
        {'service_password': 'a\nb'},
        {'service_username': 'x' * 3000},
    ],
)
def test_an_account_that_makes_no_sense_is_none(nonsense: dict[str, str]):
    assert heard({**nova.databag(CONTROLLER), **nonsense}) is None


def test_the_next_unit_is_asked_when_one_has_said_nothing():
    assert heard({}, nova.databag(CONTROLLER)) == CONTROLLER


@pytest.mark.parametrize(
    ('key', 'value', 'field', 'left'),
    [
        ('quantum_url', 'file:///etc/shadow', 'network_url', ''),
        ('dns_domain', 'a b', 'dns_domain', ''),
        ('region', 'a\nb', 'identity', dataclasses.replace(IDENTITY, region='RegionOne')),
        ('console_proxy_novnc_address', 'http://', 'console', None),
        ('console_access_protocol', '../x', 'console', None),
        ('network_manager', 'a b', 'network_manager', 'neutron'),
    ],
)
def test_a_detail_that_makes_no_sense_is_left_out(key: str, value: str, field: str, left: object):
    found = heard({**nova.databag(CONTROLLER), key: value})
    assert getattr(found, field) == left


@pytest.mark.parametrize(
    'line',
    [f'command="sh" {KEY}', f'{KEY} a b', 'ssh-dss ' + 'A' * 68, '', f'{KEY}\n{KEY}', 'x' * 9000],
)
def test_a_key_that_is_more_than_a_key_is_left_out_on_both_sides(line: str):
    controller = dataclasses.replace(CONTROLLER, authorized_keys=(line, KEY))
    assert (found := heard(nova.databag(controller))) and found.authorized_keys == (KEY,)
    (compute,), refused = known(u1={'hostname': 'node-1', 'nova_ssh_public_key': line})
    assert compute.ssh_key == ''
    assert bool(refused) == bool(line)


@pytest.mark.parametrize('most', ['-1', 'many', '9' * 40, ''])
def test_a_count_that_makes_no_sense_brings_no_keys(most: str):
    told = {**nova.databag(nova.with_keys(CONTROLLER, [COMPUTE]))}
    found = heard({**told, 'nova_authorized_keys_max_index': most})
    assert found and found.authorized_keys == ()


def test_each_compute_may_reach_each_other():
    second = dataclasses.replace(
        COMPUTE, unit='nova-compute/2', hostname='node-2', address='', ssh_key='', host_keys=(KEY,)
    )
    told = nova.with_keys(CONTROLLER, [COMPUTE, second])
    assert told.authorized_keys == (f'{KEY} nova@node-1',)
    assert told.known_hosts == (
        f'node-1,10.0.0.10 {KEY}',
        f'node-1,10.0.0.10 ssh-rsa {"B" * 372}==',
        f'node-2 {KEY}',
    )


def test_a_compute_is_known_by_whatever_name_is_taken_from_it():
    odd = dataclasses.replace(COMPUTE, hostname='node_1.example', host_keys=(KEY,))
    (taken,), _ = known(u1=nova.present(odd))
    told = heard(dict(nova.databag(nova.with_keys(CONTROLLER, [taken]))))
    assert told and told.known_hosts == (f'node_1.example,10.0.0.10 {KEY}',)


def test_computes_come_in_the_order_of_their_numbers():
    found, _ = known(u10={'hostname': 'j'}, u9={'hostname': 'i'}, u2={})
    assert [c.hostname for c in found] == ['i', 'j']


def test_a_host_name_that_is_none_is_refused_by_name():
    found, refused = known(u1={'hostname': 'a b; reboot'}, u2={'hostname': 'node-2'})
    assert [c.hostname for c in found] == ['node-2']
    assert [r.unit for r in refused] == ['nova-compute/1']


SERVICES = tuple(f'{n * 8}-2222-4333-8444-555555555555' for n in '123')


def test_a_compute_tells_its_service_and_hears_which_are_mapped_whoever_of_the_controller_says_it():
    (compute,), _ = known(u1=nova.present(dataclasses.replace(COMPUTE, service=SERVICES[0])))
    assert compute.service == SERVICES[0]
    first, second = (
        nova.databag(dataclasses.replace(CONTROLLER, mapped=frozenset(some)))
        for some in (SERVICES[:1], SERVICES[1:])
    )
    nothing: Databag = {}
    told: Databag = {nova.MAPPED: ' '.join(SERVICES)}
    both: tuple[tuple[Databag, ...], ...] = (
        (first, second),
        (nothing, second, first),
        (first, told),
    )
    for bags in both:
        found = heard(*bags)
        assert found and found.mapped == frozenset(SERVICES)
    found = heard(nova.databag(CONTROLLER))
    assert found and found.mapped == frozenset()


@pytest.mark.parametrize(
    'said', ['x', SERVICES[0].replace('4', 'A'), f'{SERVICES[0]}0', '; reboot']
)
def test_a_service_that_is_no_uuid_is_left_out_on_both_sides(said: str):
    (compute,), refused = known(u1={'hostname': 'node-1', 'service_id': said})
    assert (compute.service, refused) == ('', ())
    found = heard({**nova.databag(CONTROLLER), nova.MAPPED: f'{said} {SERVICES[1]}'})
    assert found and found.mapped == {SERVICES[1]}


def test_no_password_is_shown():
    assert 'account-pw' not in repr(CONTROLLER)


def test_what_is_refused_of_a_compute_is_told_to_the_operator():
    units = {'nova-compute/1': {'hostname': 'a b'}, 'nova-compute/2': nova.present(COMPUTE)}
    related = (Relation(id=1, name='cloud-compute', app='nova-compute', units=units),)
    need = nova.computes()
    found = need.read(related, SITE)
    assert found and [c.hostname for c in found] == ['node-1']
    assert need.refusal and need.refusal(related, SITE) == (
        "nova-compute/1: 'a b' is not a host name"
    )
    assert need.read((), SITE) == ()


def node(name: str, address: str = '') -> Databag:
    return nova.present(nova.Compute(unit='', hostname=name, address=address, host_keys=(KEY,)))


@pytest.mark.parametrize(
    ('name', 'why'),
    [
        ('Node-1', "its host name 'Node-1' is the one of nova-compute/1 already"),
        ('localhost', "'localhost' is every node: give its machine a name"),
        (
            'localhost.localdomain',
            "'localhost.localdomain' is every node: give its machine a name",
        ),
    ],
)
def test_a_node_with_a_name_that_is_not_its_own_is_none(name: str, why: str):
    found, refused = known(u1=node('node-1', '10.0.0.1'), u2=node(name, '10.0.0.2'))
    assert [c.unit for c in found] == ['nova-compute/1']
    assert [(r.unit, r.reason) for r in refused] == [('nova-compute/2', why)]


@pytest.mark.parametrize(
    'address',
    ['10.0.0.1', '127.0.0.1', '::1', '::ffff:10.0.0.9', 'fe80::1', '::', '10.0.0.999', 'localhost', 'a b', '*'],
)  # fmt: skip
def test_a_node_is_not_known_by_an_address_that_is_not_its_own(address: str):
    found, refused = known(u1=node('node-1', '10.0.0.1'), u2=node('node-2', address))
    assert [r.unit for r in refused] == ['nova-compute/2']
    assert nova.with_keys(CONTROLLER, found).known_hosts == (
        f'node-1,10.0.0.1 {KEY}',
        f'node-2 {KEY}',
    )


@pytest.mark.parametrize('address', ['10.0.0.2', 'fd00::2', 'node-2.example.com', ''])
def test_a_node_may_be_reached_by_an_address_or_a_name(address: str):
    found, refused = known(u1=node('node-1', '10.0.0.1'), u2=node('node-2', address))
    assert [c.address for c in found] == ['10.0.0.1', address]
    assert refused == ()
