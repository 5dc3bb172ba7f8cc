"""The mysql-shared interface: both sides understand each other, and nonsense is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from charmkit.relations import Relation, Site, mysql
from hypothesis import given
from hypothesis import strategies as st

SITE = Site(unit='nova/0', leader=True, address='10.0.0.7', addresses={'shared-db': '10.1.0.7'})
NEEDS = (
    mysql.need('nova'),
    mysql.need('nova_api', user='nova', prefix='novaapi'),
    mysql.need('nova_cell0', user='nova', prefix='novacell0'),
)


def asked(bag: dict[str, str]) -> Relation:
    return Relation(id=1, name='shared-db', app='nova', units={'nova/0': bag})


def answered(bag: Mapping[str, str]) -> Relation:
    return Relation(id=1, name='shared-db', app='mysql', units={'mysql/0': bag})


def test_what_is_asked_for_is_what_is_granted_and_read():
    bag = {k: v for need in NEEDS for k, v in need.request(SITE).items()}
    granted, refused = mysql.requests(asked(bag))
    assert refused == ()
    assert {(r.database, r.user, r.hosts) for r in granted} == {
        (name, 'nova', ('10.1.0.7',)) for name in ('nova', 'nova_api', 'nova_cell0')
    }
    answer = mysql.answer('10.1.0.5', granted, {'nova': 's3cret'})
    assert answer['novaapi_allowed_units'] == 'nova/0'
    found = [need.read((answered(answer),), SITE) for need in NEEDS]
    assert [d and d.name for d in found] == ['nova', 'nova_api', 'nova_cell0']
    assert found[0]
    assert found[0].url == 'mysql+pymysql://nova:s3cret@10.1.0.5/nova?charset=utf8'
    assert 's3cret' not in repr(found)


def test_a_unit_that_is_not_allowed_yet_has_no_database():
    answer = {'db_host': '10.1.0.5', 'password': 'x', 'allowed_units': 'nova/10 nova/1'}
    assert NEEDS[0].read((answered(answer),), SITE) is None


def test_every_unit_is_named_in_the_answer():
    bag = dict(NEEDS[0].request(SITE))
    relation = Relation(
        id=1, name='shared-db', app='nova', units={'nova/10': bag, 'nova/2': bag, 'nova/3': {}}
    )
    granted, _ = mysql.requests(relation)
    assert mysql.answer('h', granted, {'nova': 'x'})['allowed_units'] == 'nova/10 nova/2'


def test_nobody_asking_gets_no_answer():
    assert mysql.answer('10.1.0.5', (), {}) == {}


def test_several_addresses_come_as_json():
    bag = {'database': 'a', 'username': 'a', 'hostname': '["10.0.0.2", "2001:DB8::1", "10.0.0.2"]'}
    ((request,), _) = mysql.requests(asked(bag))
    assert request.hosts == ('10.0.0.2', '2001:db8::1')


def test_an_ipv6_host_is_in_brackets_in_the_url():
    database = mysql.Database('a', 'a', '2001:db8::5', 'p@ss/w')
    assert database.url == 'mysql+pymysql://a:p%40ss%2Fw@[2001:db8::5]/a?charset=utf8'


@pytest.mark.parametrize(
    ('bag', 'reason'),
    [
        ({'database': 'mysql'}, "database name 'mysql' is not allowed"),
        ({'database': 'a`b'}, "database name 'a`b' is not allowed"),
        ({'username': 'root'}, "user name 'root' is not allowed"),
        ({'username': "a'@'%"}, 'user name "a\'@\'%" is not allowed'),
        ({'hostname': '%'}, "hostname '%' is not an IP address"),
        ({'hostname': 'db.example.com'}, "hostname 'db.example.com' is not an IP address"),
        ({'hostname': '["10.0.0.1"'}, 'hostname is not a JSON list of addresses'),
    ],
)
def test_nonsense_is_refused_by_name(bag: dict[str, str], reason: str):
    whole = {'database': 'a', 'username': 'a', 'hostname': '10.0.0.1'} | bag
    assert mysql.requests(asked(whole)) == ((), (mysql.Refusal('nova/0', reason),))


keys = st.sampled_from(
    ['database', 'username', 'hostname', 'x_database', 'x_username', 'x_hostname', '_database']
)


@given(st.dictionaries(keys, st.text(max_size=12)))
def test_no_databag_breaks_it_and_only_addresses_come_out(bag: dict[str, str]):
    granted, refused = mysql.requests(asked(bag))
    for request in granted:
        assert '%' not in ''.join(request.hosts)
        assert "'" not in request.user + request.database
    assert all(r.unit == 'nova/0' for r in refused)
