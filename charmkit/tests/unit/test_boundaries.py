"""Where the limits of relations' data lie, what comes first, and what stands in for what is not said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from charmkit import conf
from charmkit.relations import (
    Databag,
    Relation,
    Site,
    keystone,
    mysql,
    neutron_plugins,
    nova,
    rabbitmq,
)

SITE = Site(unit='x/0', leader=True, address='10.0.0.7', region='north')


def related(**units: Databag) -> Relation:
    bags = {name.replace('_', '/'): bag for name, bag in units.items()}
    return Relation(id=1, name='x', app='other', units=bags)


def databases(number: int) -> Databag:
    return {
        f'p{n}_{key}': value
        for n in range(number)
        for key, value in (('database', f'd{n}'), ('username', 'u'), ('hostname', '10.0.0.1'))
    }


def accounts(number: int) -> Databag:
    return {
        f'p{n}_{key}': value
        for n in range(number)
        for key, value in (('username', f'u{n}'), ('vhost', 'v'))
    }


@pytest.mark.parametrize(
    ('requests', 'bag', 'most', 'what'),
    [
        (mysql.requests, databases, 64, 'databases'),
        (rabbitmq.requests, accounts, 16, 'accounts'),
    ],
)
def test_as_much_as_may_be_is_granted_and_one_more_refused(
    requests: Callable[[Relation], tuple[tuple[object, ...], tuple[mysql.Refusal, ...]]],
    bag: Callable[[int], Databag],
    most: int,
    what: str,
):
    granted, refused = requests(related(other_0=bag(most)))
    assert (len(granted), refused) == (most, ())
    granted, refused = requests(related(other_0=bag(most + 1)))
    assert granted == ()
    assert [r.reason for r in refused] == [f'asks for more than {most} {what}']


def test_the_longest_address_that_there_is_is_one():
    longest = 'ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255'
    bag = {'database': 'd', 'username': 'u', 'hostname': longest}
    ((request,), refused) = mysql.requests(related(other_0=bag))
    assert refused == ()
    assert request.hosts == ('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',)


def test_the_defaults_are_the_first_section():
    text = conf.render({'b': {'k': '1'}, 'A': {'k': '2'}, 'DEFAULT': {'k': '3'}})
    assert [line for line in text.splitlines() if line.startswith('[')] == [
        '[DEFAULT]',
        '[A]',
        '[b]',
    ]


def test_a_keystone_that_says_little_is_understood():
    said = {
        'auth_protocol': 'http',
        'auth_host': '10.0.0.6',
        'auth_port': '35357',
        'service_protocol': 'https',
        'service_host': 'k.example',
        'service_port': '5000',
        'service_username': 'nova',
        'service_password': 'pw',
    }
    need = keystone.need('nova', '/v2.1')
    found = need.read((related(keystone_0=said),), SITE)
    assert found is not None
    assert (found.project, found.domain, found.region) == ('services', 'Default', 'north')
    more = {'service_tenant': 't', 'service_domain': 'd', 'region': 'r'}
    found = need.read((related(keystone_0={**said, **more}),), SITE)
    assert found is not None
    assert (found.project, found.domain, found.region) == ('t', 'd', 'r')


def test_of_the_units_of_a_plugin_the_lowest_number_that_says_something_counts():
    units = {
        'ovn_1': {'core-plugin': ''},
        'ovn_10': {'core-plugin': 'ten'},
        'ovn_2': {'core-plugin': 'two'},
    }
    found = neutron_plugins.backend().read((related(**units),), SITE)
    assert found == neutron_plugins.Backend(core_plugin='two')
    assert neutron_plugins.backend().read((related(ovn_0={}),), SITE) is None


def test_a_node_that_says_nothing_but_its_name_is_known_by_it():
    found, refused = nova.known([related(node_0={'hostname': 'n0'}, node_1={})])
    assert refused == ()
    assert found == (nova.Compute(unit='node/0', hostname='n0', address=''),)


def test_a_node_at_an_address_that_will_not_do_is_known_without_one():
    found, refused = nova.known([related(node_0={'hostname': 'n0', 'private-address': '!'})])
    assert [r.reason for r in refused] == ["its address '!' is none that others reach"]
    assert found == (nova.Compute(unit='node/0', hostname='n0', address=''),)
