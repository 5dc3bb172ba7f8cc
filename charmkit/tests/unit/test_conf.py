"""oslo configuration: what is written can be read back as it was meant."""

from __future__ import annotations

import tempfile

import hypothesis
import pytest
from charmkit import conf
from charmkit.relations import keystone, mysql
from hypothesis import strategies as st
from oslo_config import cfg

IDENTITY = keystone.Identity(
    auth_url='http://10.0.0.6:5000/v3',
    public_url='https://keystone.example.com:5000/v3',
    username='placement',
    project='services',
    domain='service_domain',
    password='pw$1',
)


def test_default_comes_first_and_a_sequence_is_repeated():
    ini = {'b': {'x': ['1', '2']}, 'DEFAULT': {'debug': False}}
    assert conf.render(ini).splitlines()[2:] == [
        '[DEFAULT]',
        'debug = false',
        '',
        '[b]',
        'x = 1',
        'x = 2',
    ]


def test_later_wins_option_by_option():
    assert conf.merge({'a': {'x': 1, 'y': 1}}, {'a': {'x': 2}}) == {'a': {'x': 2, 'y': 1}}


def test_web_pages_of_no_origin_are_left_to_the_service():
    assert conf.cors([]) == {}
    two = conf.cors(['https://a.example', 'https://b.example'])
    assert two == {'cors': {'allowed_origin': 'https://a.example,https://b.example'}}


def test_a_dollar_in_a_password_is_not_substituted():
    rendered = conf.render({'keystone_authtoken': {**conf.account(IDENTITY)}})
    assert 'password = pw$$1' in rendered


def test_a_line_break_cannot_smuggle_an_option_in():
    with pytest.raises(ValueError, match='line break'):
        conf.render({'a': {'x': '1\nadmin_token = 1'}})


def test_tokens_are_cached_encrypted_on_the_unit_itself():
    got = conf.keystone_authtoken(IDENTITY, secret='of-the-unit')['keystone_authtoken']
    assert got['memcached_servers'] == '127.0.0.1:11211'
    assert got['memcache_security_strategy'] == 'ENCRYPT'
    assert got['memcache_secret_key'] == 'of-the-unit'
    assert got['memcache_pool_dead_retry'] == 1


def test_a_database_url_escapes_its_password():
    db = mysql.Database('placement', 'placement', '2001:db8::5', 'p@ss/word')
    url = conf.database(db)['database']['connection']
    assert url == 'mysql+pymysql://placement:p%40ss%2Fword@[2001:db8::5]/placement?charset=utf8mb4'


names = st.text(st.characters(codec='ascii', categories=['Ll']), min_size=1)
awkward = st.sampled_from(
    ['a$b', '$$', "'a'", '"a"', '"', ' a ', '#a', '[a]', 'a=b', 'a:b', '\\a', 'ü']
)
values = awkward | st.text().filter(str.isprintable)


def as_oslo_reads(text: str, name: str) -> str:
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as file:
        file.write(text)
        file.flush()
        read = cfg.ConfigOpts()
        read([], project='x', default_config_files=[file.name])
        read.register_opts([cfg.StrOpt(name), cfg.StrOpt('other', default='substituted')], 'a')
        return str(read['a'][name])


@hypothesis.given(names, values)
@hypothesis.settings(deadline=None)
def test_oslo_config_reads_what_was_meant(name: str, value: str):
    hypothesis.assume(name != 'other' and '\\$' not in value)
    assert as_oslo_reads(conf.render({'a': {name: value}}), name) == value


def test_what_an_operator_has_written_is_in_oslos_own_language():
    ini = conf.written({'a': {'x': '"${other} $$"'}})
    assert as_oslo_reads(conf.render(ini), 'x') == 'substituted $'


def test_a_password_that_an_operator_has_written_is_read_as_it_is():
    assert (
        as_oslo_reads(conf.render(conf.written({'a': {'password': 'a$other'}})), 'password')
        == 'a$other'
    )
