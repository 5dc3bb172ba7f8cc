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
    answer = mysql.response('10.1.0.5', granted, {'nova': 's3cret'})
    assert answer['novaapi_allowed_units'] == 'nova/0'
    found = [need.read((answered(answer),), SITE) for need in NEEDS]
    assert [d and d.name for d in found] == ['nova', 'nova_api', 'nova_cell0']
    assert found[0]
    assert found[0].url == 'mysql+pymysql://nova:s3cret@10.1.0.5/nova?charset=utf8mb4'
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
    assert mysql.response('h', granted, {'nova': 'x'})['allowed_units'] == 'nova/10 nova/2'


def test_nobody_asking_gets_no_answer():
    assert mysql.response('10.1.0.5', (), {}) == {}


def test_several_addresses_come_as_json():
    bag = {'database': 'a', 'username': 'a', 'hostname': '["10.0.0.2", "2001:DB8::1", "10.0.0.2"]'}
    ((request,), _) = mysql.requests(asked(bag))
    assert request.hosts == ('10.0.0.2', '2001:db8::1')


def test_an_ipv6_host_is_in_brackets_in_the_url():
    database = mysql.Database('a', 'a', '2001:db8::5', 'p@ss/w')
    assert database.url == 'mysql+pymysql://a:p%40ss%2Fw@[2001:db8::5]/a?charset=utf8mb4'


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
        ({'hostname': '[' * 100_000}, 'hostname is not a JSON list of addresses'),
        ({'hostname': '[]'}, 'hostname is not a JSON list of addresses'),
        ({'hostname': '[167772161]'}, "hostname '167772161' is not an IP address"),
        # As a host name of MariaDB's, a percent sign stands for anything.
        ({'hostname': 'fd00::1%'}, "hostname 'fd00::1%' is not an IP address"),
        (
            {'hostname': str(['10.0.0.1'] * 65).replace("'", '"')},
            'hostname lists more than 64 addresses',
        ),
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


WHOLE = {'database': 'a', 'username': 'a', 'hostname': '10.0.0.1'}
BEFORE = mysql.Request('nova/0', '', 'a', 'a', ('10.0.0.1',))


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'hostname': ''}, 'hostname is missing'),
        ({'username': ''}, 'username is missing'),
        ({'database': ''}, 'database is missing'),
        ({'hostname': 'nonsense'}, "hostname 'nonsense' is not an IP address"),
        ({'database': 'mysql'}, "database name 'mysql' is not allowed"),
    ],
)
def test_what_becomes_bad_or_incomplete_keeps_what_was_met_before(
    change: dict[str, str], reason: str
):
    met, (refused,) = mysql.requests(asked(WHOLE | change), [BEFORE])
    assert met == (BEFORE,)
    assert refused.reason == f'{reason}; what it asked for before stays in force'


def test_a_databag_that_is_empty_again_keeps_what_was_met_before():
    assert mysql.requests(asked({}), [BEFORE]) == ((BEFORE,), ())


def test_a_unit_that_has_gone_keeps_nothing():
    gone = Relation(id=1, name='shared-db', app='nova', units={'nova/1': {}})
    assert mysql.requests(gone, [BEFORE]) == ((), ())


def test_a_new_good_request_takes_the_place_of_the_old_one():
    ((request,), _) = mysql.requests(asked(WHOLE | {'hostname': '10.0.0.2'}), [BEFORE])
    assert request.hosts == ('10.0.0.2',)


def test_a_unit_that_asks_for_very_many_databases_is_refused_and_keeps_what_it_had():
    bag = {f'x{n}_{key}': value for n in range(100) for key, value in WHOLE.items()}
    met, refused = mysql.requests(asked(WHOLE | bag), [BEFORE])
    assert met == (BEFORE,)
    assert refused == (mysql.Refusal('nova/0', 'asks for more than 64 databases'),)


def test_the_generation_of_each_database_is_told_and_read():
    bag = {k: v for need in NEEDS for k, v in need.request(SITE).items()}
    granted, _ = mysql.requests(asked(bag))
    generations = {'nova': 'g1', 'nova_api': 'g2'}
    answer = mysql.response('10.1.0.5', granted, {'nova': 'x'}, generations)
    assert (answer['generation'], answer['novaapi_generation']) == ('g1', 'g2')
    found = [need.read((answered(answer),), SITE) for need in NEEDS]
    assert [d and d.generation for d in found] == ['g1', 'g2', '']


@pytest.mark.parametrize(
    'change',
    [
        {'db_host': 'h\nconnection = evil'},
        {'password': 'x\ny'},
        {'password': '\ud800'},
        {'db_host': 'h' * 300},
    ],
)
def test_an_answer_that_no_file_could_hold_is_no_answer(change: dict[str, str]):
    whole = {'db_host': '10.1.0.5', 'password': 'x', 'allowed_units': 'nova/0'}
    assert NEEDS[0].read((answered(whole),), SITE)
    assert NEEDS[0].read((answered(whole | change),), SITE) is None


def test_what_a_unit_of_a_cluster_said_before_it_was_lost_counts_no_more():
    def said(turn: str, host: str, allowed: str = 'nova/0') -> dict[str, str]:
        return {
            'db_host': host,
            'password': 'x',
            'allowed_units': allowed,
            'db_host_turn': turn,
        }

    def found(*bags: dict[str, str]) -> str:
        units = {f'mysql/{n}': bag for n, bag in enumerate(bags)}
        relation = Relation(id=1, name='shared-db', app='mysql', units=units)
        read = NEEDS[0].read((relation,), SITE)
        return read.host if read else ''

    assert found(said('1', '10.1.0.1'), said('2', '10.1.0.2')) == '10.1.0.2'
    assert found(said('10', '10.1.0.1'), said('9', '10.1.0.2')) == '10.1.0.1'
    assert found(said('1', '10.1.0.1'), said('1', '10.1.0.2')) == '10.1.0.1'
    assert found(said('', '10.1.0.1'), said('1', '10.1.0.2')) == '10.1.0.2'
    assert found(said('nonsense', '10.1.0.1'), said('1', '10.1.0.2')) == '10.1.0.2'
    assert found(said('1', '10.1.0.1'), said('2', '10.1.0.2', 'nova/9')) == '10.1.0.1'


def test_a_server_says_its_turn_only_where_there_are_several_and_something_is_granted():
    (request,), _ = mysql.requests(asked(WHOLE))
    assert mysql.response('h', [request], {'a': 'x'}, turn=3)['db_host_turn'] == '3'
    assert 'db_host_turn' not in mysql.response('h', [request], {'a': 'x'})
    assert mysql.response('h', [], {}, turn=3) == {}


def test_units_are_answered_in_the_order_of_their_numbers():
    units = {name: WHOLE for name in ('nova/10', 'nova/9', 'nova/2')}
    met, _ = mysql.requests(Relation(id=1, name='shared-db', app='nova', units=units))
    assert [r.unit for r in met] == ['nova/2', 'nova/9', 'nova/10']


def test_of_several_servers_the_one_that_was_the_writer_last_counts():
    """A server that was lost says for ever what it said."""
    answers = [
        {'db_host': f'10.1.0.{n}', 'password': f'pw-{n}', 'allowed_units': 'nova/0', **turn}
        for n, turn in enumerate(
            [{}, {'db_host_turn': '3'}, {'db_host_turn': '12'}, {'db_host_turn': '12'}]
        )
    ]
    relation = Relation(
        id=1, name='shared-db', app='mysql', units={f'mysql/{n}': a for n, a in enumerate(answers)}
    )
    assert NEEDS[0].read((relation,), SITE) == mysql.Database('nova', 'nova', '10.1.0.2', 'pw-2')


@pytest.mark.parametrize(
    ('said', 'read'), [('g' * 64, 'g' * 64), ('g' * 65, ''), ('a\n', ''), ('\ud800', ''), ('', '')]
)
def test_what_is_read_of_a_database_is_all_that_is_said(said: str, read: str):
    """What cannot be a generation counts as none: that of a server that does not speak of them."""
    need = mysql.need('nova_api', user='nova', prefix='novaapi')
    bag = {
        'db_host': '10.1.0.5',
        'novaapi_password': 's3cret',
        'novaapi_allowed_units': 'nova/1 nova/0',
        'novaapi_generation': said,
    }
    assert need.read((answered(bag),), SITE) == mysql.Database(
        'nova_api', 'nova', '10.1.0.5', 's3cret', read
    )
