"""Which etcd it is to be, and what shows it who asks: never less than it was, and what will not do is told by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from charmkit import relations
from charmkit import testing as machines
from charmkit.relations import etcd
from hypothesis import given
from hypothesis import strategies as st
from ops import testing

from charms.tests.etcd_bags import PEM, PLAIN, TLS

from .scenes import KEY, heard, later, run, section, told

CERTIFICATE = PEM.format('CERTIFICATE')
WORDS = 'Certificate:\n    Data:\n        Version: 3 (0x2)\n'
PARAMETERS = '-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n'
TRUSTED = '/etc/ssl/certs/ca-certificates.crt'


def read(bags: Mapping[str, Mapping[str, str]], unit: str = 'a/0') -> etcd.Reply:
    """What follows from the databags of etcd's units."""
    found = relations.Relation(id=1, name='etcd', app='etcd', units=bags)
    return etcd.related((found,), unit, {})


def test_the_operators_address_goes_before_what_is_related(
    ctx: testing.Context[Any], attached: testing.Resource
):
    out = run(ctx, attached, etcd_endpoint='http://etcd.example.com:2380')
    assert dict(section(out)) == {'etcd_host': 'etcd.example.com', 'etcd_port': '2380'}
    out = run(ctx, attached, etcd_endpoint='http://127.0.0.1:2379')
    assert dict(section(out)) == {'etcd_host': '127.0.0.1', 'etcd_port': '2379'}
    out = run(ctx, attached, etcd_endpoint='http://[2001:db8::5]:2379')
    assert section(out)['etcd_host'] == '2001:db8::5'
    out = run(ctx, attached, etcd=None, etcd_endpoint='https://etcd.example.com')
    assert dict(section(out)) == {
        'etcd_host': 'etcd.example.com',
        'etcd_port': '2379',
        'etcd_ca_cert_file': '/etc/ssl/certs/ca-certificates.crt',
    }


@pytest.mark.parametrize(
    'text',
    [
        '10.0.0.5:2379', 'ftp://10.0.0.5', 'http://', 'http://u:p@10.0.0.5', 'http://10.0.0.5/v3', 'http://h:99999',
        'http://10.0.0.5:0', 'http://10.0.\n0.5', 'http://10.0.0.5:23\t79', ' http://10.0.0.5', 'http://[v1.a]',
        'http://[10.0.0.5]', 'http://[fe80::1%25eth0]',
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_in_one_sentence(
    ctx: testing.Context[Any], attached: testing.Resource, text: str
):
    out = run(ctx, attached, etcd_endpoint=text)
    assert out.unit_status.name == 'blocked'
    assert 'etcd-endpoint' in out.unit_status.message


def test_what_shows_etcd_who_asks_is_for_neutron_alone_to_read(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    out = run(ctx, attached, etcd=TLS)
    (key,) = (f for f in machine.desired.files if f.path == KEY)
    assert (key.owner, key.group, key.mode, key.content) == (
        'root',
        'neutron',
        0o640,
        TLS['client_key'],
    )
    (said,) = out.get_relations('neutron-plugin')
    assert 'PRIVATE KEY' not in ''.join(said.local_unit_data.values())


def test_a_password_in_the_address_is_not_shown(
    ctx: testing.Context[Any], attached: testing.Resource
):
    out = run(ctx, attached, etcd_endpoint='http://root:s3cret@10.0.0.9:2379')
    assert out.unit_status == testing.BlockedStatus(
        "option etcd-endpoint: 'http://…@10.0.0.9:2379' will not do, it counts as not set; "
        'wanted: an address such as http://10.0.0.5:2379'
    )
    assert section(out)['etcd_host'] == '10.0.0.5'


@pytest.mark.parametrize(
    'written',
    [
        {'client_cert': WORDS + CERTIFICATE},
        {'client_ca': f'# Root\n{CERTIFICATE}'},
        {name: f'\n{TLS[name]}' for name in ('client_ca', 'client_cert', 'client_key')},
        {name: TLS[name].replace('\n', '\r\n') for name in ('client_ca', 'client_key')},
    ],
    ids=['easy-rsa', 'comment', 'line', 'CRLF'],
)
def test_certificates_are_taken_whatever_stands_around_them(written: dict[str, str]):
    assert read({'etcd/0': TLS | written}) == read({'etcd/0': TLS})
    assert read({'etcd/0': TLS}).store


def test_a_key_is_taken_without_its_parameters():
    key = PEM.format('EC PRIVATE KEY')
    store = read({'etcd/0': TLS | {'client_key': PARAMETERS + key}}).store
    assert store
    assert store.key == key


BAD = [
    ({'client_ca': 'garbage'}, 'client_ca: no certificate in PEM'),
    ({'client_ca': CERTIFICATE[:-5]}, 'client_ca: a block CERTIFICATE that is cut off'),
    ({'client_cert': 'x'}, 'client_cert: no certificate in PEM'),
    ({'client_key': 'x'}, 'client_key: no private key without a password in PEM'),
    ({'client_key': TLS['client_key'] * 2}, 'client_key: 2 private keys, and one is wanted'),
    ({'client_key': ''}, 'client_cert is there without client_key'),
    ({'client_cert': ''}, 'client_key is there without client_cert'),
    ({'connection_string': 'http://10.0.0.5:2379'}, 'connection_string: no address with https'),
    ({'connection_string': 'x'}, 'connection_string: no address such as https://10.0.0.5:2379'),
]
GONE = [
    ({'client_ca': ''}, 'client_ca'),
    ({'client_cert': '', 'client_key': ''}, 'client_cert with client_key'),
    ({'client_ca': '', 'client_cert': '', 'client_key': ''}, 'client_ca, client_cert'),
]


@pytest.mark.parametrize(('said', 'why'), BAD)
def test_what_will_not_do_is_told_by_name_and_nothing_is_made_of_it(
    ctx: testing.Context[Any],
    attached: testing.Resource,
    machine: machines.FakeMachine,
    said: dict[str, str],
    why: str,
):
    out = run(ctx, attached, etcd=TLS | said)
    assert out.unit_status.name == 'blocked'
    assert f'etcd: {why}' in out.unit_status.message
    assert heard(out)[0] is None
    assert not machine.steps


@pytest.mark.parametrize(('said', 'why'), [*BAD, *GONE])
def test_a_connection_is_never_less_guarded_than_it_was(
    ctx: testing.Context[Any],
    attached: testing.Resource,
    machine: machines.FakeMachine,
    said: dict[str, str],
    why: str,
):
    before = run(ctx, attached, etcd=TLS)
    steps = [*machine.steps]
    out = later(ctx, before, TLS | said)
    assert out.unit_status.name == 'blocked'
    assert why in out.unit_status.message
    assert 'neutron-api goes on with https://10.0.0.' in out.unit_status.message
    assert told(out) == told(before)
    assert machine.steps == steps
    assert later(ctx, out, TLS).unit_status == testing.ActiveStatus()


def test_another_relation_may_be_without_what_the_one_before_had(
    ctx: testing.Context[Any], attached: testing.Resource
):
    alone = later(ctx, run(ctx, attached, etcd=TLS), None)
    out = later(ctx, alone, PLAIN)
    assert out.unit_status == testing.ActiveStatus()
    assert dict(section(out)) == {'etcd_host': '10.0.0.5', 'etcd_port': '2379'}


def test_of_units_that_say_different_things_the_one_counts_that_says_most():
    bare = {'connection_string': 'https://10.0.0.5:2379'}
    for bags in (
        {'etcd/0': bare, 'etcd/1': TLS},
        {'etcd/0': TLS | {'client_ca': 'x'}, 'etcd/1': TLS},
    ):
        assert read(bags) == read({'etcd/1': TLS})


@given(st.permutations(['http://10.0.0.5:2379', 'https://10.0.0.6:2379', 'http://10.0.0.7:2379']))
def test_nobody_speaks_in_the_open_where_there_is_tls(members: list[str]):
    for unit in map('a/{}'.format, range(8)):
        store = read({'etcd/0': TLS | {'connection_string': ','.join(members)}}, unit).store
        assert store
        assert store.url == 'https://10.0.0.6:2379'


@given(st.integers(1, 8), st.integers(0, 7), st.integers(0, 20))
def test_a_unit_keeps_its_member_while_others_come_and_go(many: int, away: int, number: int):
    members = [f'http://10.0.0.{n}:2379' for n in range(1, many + 2)]

    def chosen(some: list[str]) -> str:
        store = read({'etcd/0': {'connection_string': ','.join(some)}}, f'a/{number}').store
        assert store
        return store.url

    fewer = [url for n, url in enumerate(members) if n != away % len(members)]
    assert chosen(members) in (chosen(fewer), members[away % len(members)])
    assert chosen(members) == chosen(members[::-1])


def test_units_share_the_members():
    three = TLS | {'connection_string': ','.join(f'https://10.0.0.{n}:2379' for n in (5, 6, 7))}
    found = {store.host for n in range(9) if (store := read({'etcd/0': three}, f'a/{n}').store)}
    assert found == {'10.0.0.5', '10.0.0.6', '10.0.0.7'}


def test_certificates_of_the_relation_are_shown_to_what_stands_before_the_members(
    ctx: testing.Context[Any], attached: testing.Resource
):
    out = run(ctx, attached, etcd=TLS, etcd_endpoint='https://etcd.example.com:2380')
    assert out.unit_status == testing.ActiveStatus()
    assert dict(section(out)) == {
        'etcd_host': 'etcd.example.com',
        'etcd_port': '2380',
        'etcd_ca_cert_file': '/etc/neutron/calico-etcd-ca.pem',
        'etcd_cert_file': '/etc/neutron/calico-etcd-certificate.pem',
        'etcd_key_file': KEY,
    }


def test_an_address_without_tls_is_the_operators_choice_and_is_told(
    ctx: testing.Context[Any], attached: testing.Resource
):
    out = run(ctx, attached, etcd=TLS, etcd_endpoint='http://etcd.example.com')
    assert out.unit_status == testing.ActiveStatus(
        'etcd-endpoint is without https, and the certificates of etcd are not used'
    )
    assert 'etcd_cert_file' not in section(out)


def test_etcd_that_is_not_there_any_more_stays_in_force_and_the_status_says_so(
    ctx: testing.Context[Any], attached: testing.Resource
):
    before = run(ctx, attached)
    for out in (later(ctx, before, {}), later(ctx, before, None)):
        assert out.unit_status.name in ('waiting', 'blocked')
        assert out.unit_status.message.endswith('; neutron-api goes on with http://10.0.0.5:2379')
        assert told(out) == told(before)
    alone = run(ctx, attached, etcd=None, etcd_endpoint='https://10.0.0.9')
    out = later(ctx, alone, None, etcd_endpoint='')
    assert out.unit_status == testing.BlockedStatus(
        'relate etcd to a charm of etcd, or set etcd-endpoint; neutron-api goes on with https://10.0.0.9:2379'
    )


@pytest.mark.parametrize(
    'said',
    [
        ',,,', 'x' * 100_000, 'http://[', 'http://10.0.0.5:99999', 'http://a\n[DEFAULT]\nx=y', 'https://-x-:2379',
        'file:///etc/passwd', 'http://0.0.0.0:2379', '[]', 'http://user:secret@10.0.0.5:2379',
    ],
)  # fmt: skip
def test_what_an_etcd_charm_says_is_believed_in_nothing(
    ctx: testing.Context[Any], attached: testing.Resource, said: str
):
    out = run(ctx, attached, etcd={'connection_string': said, 'client_key': 'a\n[x]'})
    assert out.unit_status == testing.BlockedStatus(
        'etcd: client_key: no private key without a password in PEM; '
        'connection_string: no address such as https://10.0.0.5:2379'
    )
    assert heard(out)[0] is None
