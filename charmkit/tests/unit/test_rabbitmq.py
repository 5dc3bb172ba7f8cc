"""The rabbitmq interface, both sides; and how the services of each release use what they got."""

from __future__ import annotations

import collections
import dataclasses

import pytest
from charmkit import conf, releases, x509
from charmkit.relations import Relation, Site, rabbitmq, server_tls
from cryptography import x509 as library
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given
from hypothesis import strategies as st

SITE = Site(unit='nova/0', leader=True, address='10.0.0.7')
NEED = rabbitmq.need('nova')
HOSTS = ('10.0.0.1', '10.0.0.2', '10.0.0.3')


def answered(*bags: dict[str, str]) -> tuple[Relation, ...]:
    units = {f'rabbitmq-server/{n}': bag for n, bag in enumerate(bags)}
    return (Relation(id=1, name='amqp', app='rabbitmq-server', units=units),)


def asked(**bag: str) -> Relation:
    return Relation(id=1, name='amqp', app='nova', units={'nova/0': bag})


def test_what_one_side_asks_the_other_understands_and_the_answer_comes_back():
    relation = Relation(id=1, name='amqp', app='nova', units={'nova/0': NEED.request(SITE)})
    (request,), refused = rabbitmq.requests(relation)
    assert refused == ()
    assert request == rabbitmq.Request('nova/0', '', 'nova', 'openstack', True)
    account = rabbitmq.Account('nova.2', 'pw', 3)
    bag = rabbitmq.response('10.0.0.1', [request], {request: account})
    broker = NEED.read(answered(bag), SITE)
    assert broker == rabbitmq.Broker(('10.0.0.1',), 'nova.2', 'openstack', 'pw')


def test_what_an_existing_broker_answers_is_enough():
    broker = NEED.read(answered({'private-address': '10.0.0.1', 'password': 'p@/w'}), SITE)
    assert broker
    assert broker.transport_url == 'rabbit://nova:p%40%2Fw@10.0.0.1:5672/openstack'
    assert 'p@/w' not in repr(broker)


def test_a_virtual_host_of_ones_own_is_asked_for_and_used():
    need = rabbitmq.need('nova', 'cells')
    assert need.request(SITE)['vhost'] == 'cells'
    broker = need.read(answered({'private-address': '10.0.0.1', 'password': 'pw'}), SITE)
    assert broker
    assert broker.transport_url.endswith(':5672/cells')


def test_members_that_have_not_answered_yet_are_left_out():
    full = {'hostname': '10.0.0.1', 'password': 'pw'}
    broker = NEED.read(answered({'private-address': '10.0.0.9'}, full), SITE)
    assert broker
    assert broker.hosts == ('10.0.0.1',)
    assert NEED.read(answered({'hostname': '10.0.0.1'}), SITE) is None


def test_of_two_answers_the_one_after_the_rotation_is_right():
    old = {'hostname': 'a', 'password': 'old', 'username': 'nova', 'turn': '0'}
    new = {'hostname': 'b', 'password': 'new', 'username': 'nova.2', 'turn': '1'}
    for bags in ((old, new), (new, old)):
        broker = NEED.read(answered(*bags), SITE)
        assert broker
        assert (broker.user, broker.password, {*broker.hosts}) == ('nova.2', 'new', {'a', 'b'})


@pytest.mark.parametrize(
    'bag',
    [
        {'hostname': 'a\nb', 'password': 'pw'},
        {'hostname': 'a', 'password': 'p w'},
        {'hostname': 'a', 'password': 'pw', 'username': 'x:y'},
    ],
)
def test_an_answer_of_nonsense_is_none(bag: dict[str, str]):
    assert NEED.read(answered(bag), SITE) is None


def test_a_turn_of_nonsense_is_the_first():
    bag = {'hostname': 'a', 'password': 'pw', 'turn': '9' * 5000}
    assert NEED.read(answered(bag), SITE)


@pytest.mark.parametrize(
    ('bag', 'reason'),
    [
        ({'username': 'guest', 'vhost': 'x'}, "user name 'guest' is not allowed"),
        ({'username': 'nova.2', 'vhost': 'x'}, "user name 'nova.2' is not allowed"),
        ({'username': '-x', 'vhost': 'x'}, "user name '-x' is not allowed"),
        ({'username': 'x', 'vhost': 'a b'}, "virtual host 'a b' is not allowed"),
        ({f'{n}_username': 'x' for n in range(17)}, 'asks for more than 16 accounts'),
    ],
)
def test_nonsense_is_refused(bag: dict[str, str], reason: str):
    met, refused = rabbitmq.requests(asked(**bag))
    assert met == ()
    assert refused == (rabbitmq.Refusal('nova/0', reason),)


def test_half_a_request_is_no_request_yet_and_no_mistake():
    assert rabbitmq.requests(asked(username='nova')) == ((), ())
    assert rabbitmq.requests(asked(vhost='x')) == ((), ())


def test_what_was_met_stays_when_it_goes_bad_until_the_unit_says_nothing():
    before = rabbitmq.Request('nova/0', '', 'nova', 'openstack')
    met, refused = rabbitmq.requests(asked(username='nova'), [before])
    assert met == (before,)
    assert refused[0].reason == 'vhost is missing; what it asked for before stays in force'
    assert rabbitmq.requests(asked(), [before]) == ((before,), ())
    gone = Relation(id=1, name='amqp', app='nova')
    assert rabbitmq.requests(gone, [before]) == ((), ())


@given(st.integers(1, 7), st.integers(1, 4))
def test_the_units_of_an_application_begin_at_each_member_alike(hosts: int, times: int):
    every = [f'10.0.0.{n}' for n in range(hosts)]
    orders = [rabbitmq.spread(every, f'nova/{n}') for n in range(hosts * times)]
    assert all(sorted(order) == sorted(every) for order in orders)
    firsts = collections.Counter(order[0] for order in orders)
    assert set(firsts.values()) == {times}


def test_what_a_lost_member_served_goes_to_all_others():
    orders = [rabbitmq.spread(HOSTS, f'nova/{n}') for n in range(6)]
    seconds = {order[1] for order in orders if order[0] == HOSTS[0]}
    assert seconds == {HOSTS[1], HOSTS[2]}


def test_applications_do_not_all_begin_at_the_same():
    firsts = {
        rabbitmq.spread(HOSTS, f'{app}/0')[0] for app in ('nova', 'cinder', 'heat', 'neutron')
    }
    assert len(firsts) > 1


MESSAGING = {
    releases.ZED: """
[DEFAULT]
transport_url = rabbit://nova:pw$$1@[fd00::1]:5672,nova:pw$$1@10.0.0.2:5672/openstack

[oslo_messaging_rabbit]
rabbit_quorum_queue = true
""",
    releases.CARACAL: """
[DEFAULT]
transport_url = rabbit://nova:pw$$1@[fd00::1]:5672,nova:pw$$1@10.0.0.2:5672/openstack

[oslo_messaging_rabbit]
rabbit_qos_prefetch_count = 10
rabbit_quorum_queue = true
rabbit_stream_fanout = true
rabbit_transient_quorum_queue = true
""",
}
MESSAGING[releases.EPOXY] = MESSAGING[releases.CARACAL]


@pytest.mark.parametrize('release', MESSAGING, ids=lambda r: r.name)
def test_queues_are_of_the_kind_that_the_release_has(release: releases.Release):
    broker = rabbitmq.Broker(('fd00::1', '10.0.0.2'), 'nova', 'openstack', 'pw$1')
    wanted = MESSAGING[release].replace('pw$$1', 'pw%241')
    assert conf.render(conf.messaging(broker, release)).partition('\n')[2] == wanted


@pytest.mark.parametrize('release', MESSAGING, ids=lambda r: r.name)
def test_by_tls_the_member_is_verified_and_its_address(release: releases.Release):
    broker = rabbitmq.Broker(HOSTS[:1], 'nova', 'openstack', 'pw', 5671, 'pem', '/etc/ssl/x.pem')
    plain = conf.messaging(dataclasses.replace(broker, ca=''), release)
    found = conf.messaging(broker, release)
    assert found['DEFAULT'] == {'transport_url': 'rabbit://nova:pw@10.0.0.1:5671/openstack'}
    assert dict(found['oslo_messaging_rabbit']) == {
        **plain['oslo_messaging_rabbit'],
        'ssl': True,
        'ssl_ca_file': '/etc/ssl/x.pem',
        'ssl_enforce_hostname_verification': True,
    }


def authority(name: str) -> str:
    key = x509.own_key(x509.new_key(name * 10, 'root'))
    subject = library.Name([library.NameAttribute(library.NameOID.COMMON_NAME, name)])
    builder = (
        library.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(x509.moment(0))
        .not_valid_after(x509.moment(4_000_000_000))
    )
    made = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(serialization.Encoding.PEM).decode()


FIRST, SECOND = (authority(name) for name in ('first', 'second'))


def member(number: int, ca: str = '', **more: str) -> dict[str, str]:
    request = rabbitmq.Request('nova/0', '', 'nova', 'openstack', True)
    account = {request: rabbitmq.Account('nova', 'pw')}
    return {**rabbitmq.response(HOSTS[number], [request], account, ca=ca), **more}


def verifying(*bags: dict[str, str]) -> tuple[Relation, ...]:
    """Of a unit that has said that it comes by TLS."""
    (relation,) = answered(*bags)
    return (dataclasses.replace(relation, my_data={server_tls.IN_FORCE: 'a' * 16}),)


def test_a_client_comes_by_tls_once_all_members_offer_it():
    some = NEED.read(answered(member(0, FIRST), member(1)), SITE)
    assert some and (some.port, some.ca) == (5672, '') and {*some.hosts} == {*HOSTS[:2]}
    every = NEED.read(answered(member(0, FIRST), member(1, FIRST)), SITE)
    assert every and (every.port, every.ca, every.ca_path) == (
        5671,
        FIRST,
        '/etc/ssl/nova-amqp.pem',
    )


def test_then_it_does_so_as_long_as_one_offers_it_to_those_that_do():
    some = NEED.read(verifying(member(0, FIRST), member(1)), SITE)
    assert some and some.hosts == HOSTS[:1] and some.port == 5671
    none = NEED.read(verifying(member(0), member(1)), SITE)
    assert none and none.port == 5672 and not none.ca


def test_it_trusts_what_any_member_says_in_whatever_order():
    one = NEED.read(answered(member(0, FIRST), member(1, SECOND + FIRST)), SITE)
    other = NEED.read(answered(member(0, FIRST + SECOND), member(1, SECOND)), SITE)
    assert one and other and one.ca == other.ca == ''.join(sorted((FIRST, SECOND)))


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        ({'ssl_ca': '!'}, server_tls.UNREADABLE),
        ({'ssl_ca': 'bm8gY2VydGlmaWNhdGU='}, server_tls.UNREADABLE),
        ({'ssl_port': ''}, "ssl_port is '', which is no port"),
        ({'ssl_port': '65536'}, "ssl_port is '65536', which is no port"),
        ({'ssl_port': '²'}, "ssl_port is '²', which is no port"),
    ],
)
def test_what_cannot_be_read_is_no_reason_to_come_without(wrong: dict[str, str], said: str):
    bad = member(0, FIRST) | wrong
    assert NEED.read(answered(bad), SITE) is None
    assert NEED.read(verifying(bad, member(1)), SITE) is None
    others = NEED.read(answered(bad, member(1, FIRST)), SITE)
    assert others and others.hosts == HOSTS[1:2] and others.ca
    assert NEED.refusal and NEED.refusal(answered(bad), SITE) == said


def test_what_a_client_says_of_tls_is_read_and_nonsense_is_not():
    (said,), _ = rabbitmq.requests(asked(username='a', vhost='b', **{'tls-ca': 'a' * 16}))
    (nonsense,), _ = rabbitmq.requests(asked(username='a', vhost='b', **{'tls-ca': 'A' * 16}))
    assert (said.tls, nonsense.tls) == ('a' * 16, '')


KEYS = (
    'ssl_port',
    'ssl_ca',
    'tls-ca',
    'username',
    'vhost',
    'a_username',
    'a_vhost',
    '_vhost',
    'takes-username',
    'hostname',
    'password',
    'turn',
)
hostile = st.dictionaries(
    st.sampled_from(KEYS),
    st.text(max_size=8) | st.sampled_from(['nova', 'x' * 5000, 'a\nb', '\x00', '[::1', '²']),
)


@given(hostile, hostile)
def test_whatever_the_other_side_writes_no_line_of_it_gets_through(
    asked_now: dict[str, str], answered_now: dict[str, str]
):
    met, _ = rabbitmq.requests(asked(**asked_now))
    assert all((r.user + r.vhost).isprintable() and (r.user + r.vhost).isascii() for r in met)
    broker = NEED.read(answered(answered_now), SITE)
    if broker:
        assert broker.transport_url.isascii()
        assert broker.transport_url.isprintable()
        conf.render(conf.messaging(broker, releases.ZED))  # It takes no line breaks.
