"""What operators may type, and what becomes of what they must not."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from typing import Any

import hypothesis
import pytest
from charmkit import options, settings, validators
from hypothesis import strategies as st

BY_NAME = {option.name: option for option in options.declared()}


def read(given: dict[str, Any], kept: dict[str, Any] | None = None) -> options.Read:
    return options.read(options.declared(), given, kept or {})


@pytest.mark.parametrize(
    ('name', 'good'),
    [
        ('os-public-hostname', 'cloud.example.com'),
        ('os-public-hostname', ''),
        ('os-public-hostname', '203.0.113.5'),
        ('vip', '10.0.0.5 fd00::5'),
        ('vip', ''),
        ('workers', 0),
        ('workers', 64),
        ('region', 'Region-1.west_2'),
        ('debug', True),
    ],
)
def test_what_is_right_is_in_force(name: str, good: Any):
    found = read({name: good})
    assert found.values[name] == good
    assert found.refused == {}
    assert found.good[name] == good


@pytest.mark.parametrize(
    ('name', 'bad'),
    [
        ('os-public-hostname', 'cloud.example:443'),
        ('os-public-hostname', 'https://cloud.example'),
        ('os-public-hostname', 'cloud.example/v3'),
        ('os-public-hostname', 'two words'),
        ('os-public-hostname', '-x.example'),
        ('os-public-hostname', 'a..b'),
        ('os-public-hostname', 'x' * 64 + '.example'),
        ('os-public-hostname', 'cloud\nListen 1'),
        ('os-public-hostname', '1.5'),
        ('os-public-hostname', '65536'),
        ('os-public-hostname', '0.0.0.1'),
        ('os-public-hostname', '127.0.0.1'),
        ('os-public-hostname', '999.1.1.1'),
        ('os-public-hostname', 'cloud.1'),
        ('vip', '10.0.0.300'),
        ('vip', '127.0.0.1'),
        ('vip', '::ffff:10.0.0.1'),
        ('vip', 'fd00::1%eth0'),
        ('vip', '10.0.0.5 10.0.0.5'),
        ('vip', '224.0.0.1'),
        ('vip', '10.0.0.5,10.0.0.6'),
        ('workers', -1),
        ('workers', 65),
        ('threads', 129),
        ('region', ''),
        ('region', 'two regions'),
        ('region', 'x' * 256),
        ('region', 'a\nb'),
        ('vip', '0.0.0.9'),
    ],
)
def test_what_is_wrong_is_named_and_the_last_good_value_stays(name: str, bad: Any):
    good = {'os-public-hostname': 'good.example', 'vip': '10.0.0.9', 'region': 'West'}.get(name, 3)
    found = read({name: bad}, {name: good})
    assert found.values[name] == good
    assert found.good[name] == good, 'and it is kept for the next time'
    (words,) = found.refused.values()
    assert words.startswith(f'option {name}: ')
    assert f'{good!r} stays in force' in words
    assert words.endswith(f'wanted: {BY_NAME[name].kind.wants}')
    assert found.unsettled == frozenset()
    assert '\n' not in words


KEY = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----\n'


@pytest.mark.parametrize(
    ('name', 'bad'),
    [
        ('openstack-origin', 'distro\nor another'),
        ('openstack-origin', 'nonsense'),
        ('openstack-origin', 'deb http://h/ubuntu'),
        ('openstack-origin', 'deb https://me:s3cret@h/ubuntu noble main'),
        ('openstack-origin', 'cloud:noble'),
        ('openstack-origin-key', 's3cret'),
        ('openstack-origin-key', KEY.replace('mQ', '\x00')),
        ('openstack-origin-key', KEY.partition('\n-----END')[0]),
    ],
)
def test_what_names_no_archive_is_refused_and_not_quoted(name: str, bad: str):
    good = {'openstack-origin': 'deb http://h/debian trixie main', 'openstack-origin-key': KEY}
    found = read({name: bad}, {name: good[name]})
    assert found.values[name] == good[name]
    (words,) = found.refused.values()
    assert words.startswith(f'option {name}: this will not do, the last good one stays in force')
    assert 's3cret' not in words
    assert read(good).refused == {}


@pytest.mark.parametrize(
    ('text', 'right'),
    [
        ('https://h.example', True),
        ('http://h:8080/a/b?c=d%20e#f', True),
        ('http://[fd00::5]:8443/', True),
        ('http://h:99999', False),
        ('http://h:x', False),
        ('http://h:/', False),
        ('http://a b', False),
        ('http://"x', False),
        ('http://[fd00::5', False),
        ('http://[::1]/', False),
        ('http://me:pw@h/', False),
        ('http:///path', False),
        ('//h', False),
        ('javascript:alert(1)', False),
        ('http://h\n', False),
    ],
)
def test_a_web_address_has_a_host_that_can_be_reached(text: str, right: bool):
    assert validators.is_web_address(text) is right
    if text.count('/') == 2:
        assert validators.is_origin(text) is right


def test_the_message_for_a_name_with_a_port():
    found = read({'os-public-hostname': 'cloud.example:443'}, {'os-public-hostname': 'a.example'})
    assert found.refused == {
        'os-public-hostname': (
            "option os-public-hostname: 'cloud.example:443' will not do, 'a.example' stays in force; "
            'wanted: a host name, without scheme and port'
        )
    }


def test_without_a_good_one_the_default_is_in_force_and_what_is_published_is_not_settled():
    found = read({'os-public-hostname': 'a b', 'workers': -1})
    assert found.values['os-public-hostname'] == ''
    assert found.values['workers'] == 0
    assert found.unsettled == {'os-public-hostname'}
    assert '0 is in force, the default' in found.refused['workers']
    assert 'workers' not in found.good


def test_a_kept_value_that_would_not_do_any_more_is_not_in_force():
    found = read({'vip': 'x'}, {'vip': '127.0.0.1'})
    assert found.values['vip'] == ''
    assert found.unsettled == {'vip'}


def test_an_option_of_the_charms_own_takes_the_place_of_the_common_one():
    several = options.Option('region', options.REGIONS, 'RegionOne', 'Several.')
    found = options.read(options.declared(several), {'region': 'a b'}, {})
    assert found.values['region'] == 'a b'
    assert [o.name for o in options.declared(several)].count('region') == 1


@pytest.mark.parametrize(
    ('text', 'good'),
    [
        ('https://dashboard.example.com http://localhost:8080', True),
        ('', True),
        ('dashboard.example.com', False),
        ('https://x/path', False),
        ('https://x:99999', False),
        ('https://x:', False),
        ('ftp://x', False),
        ('*', False),
    ],
)
def test_origins(text: str, good: bool):
    assert options.ORIGINS.good(text) == good


@pytest.mark.timeout(20)
def test_a_check_of_many_colons_is_read_in_bounded_time():
    # With a pattern that backtracks it takes minutes.
    with pytest.raises(ValueError, match='is neither kind:match'):
        settings.rules(json.dumps({'a': ':' * 200_000 + '(x'}))


@pytest.mark.parametrize(
    'check',
    [
        '', '@', '!', 'role:admin', 'role:admin or rule:owner',
        '(role:admin and system_scope:all) or not rule:owner', 'not (role:a or role:b)',
        '((role:a) or (role:b and not role:c))', "'member':%(target.role.name)s", 'NOT role:a',
        'project_id:%(project_id)s', '( role:a )',
    ],
)  # fmt: skip
def test_checks_that_oslo_policy_reads(check: str):
    assert settings.rules(json.dumps({'get_images': check})) == {'get_images': check}


@pytest.mark.parametrize(
    ('check', 'wrong'),
    [
        ('admin', "'admin' is neither kind:match"),
        ('role: admin', "'admin' is neither kind:match"),
        ('role:admin role:member', 'with `and`, `or` and `not`'),
        ('role:admin and', 'with `and`, `or` and `not`'),
        ('not', 'with `and`, `or` and `not`'),
        ('or role:admin', 'with `and`, `or` and `not`'),
        ('role:a and or role:b', 'with `and`, `or` and `not`'),
        ('(role:admin', 'parentheses do not match'),
        ('role:admin)', 'parentheses do not match'),
        (')role:admin(', 'is neither kind:match'),
        ('()', 'with `and`, `or` and `not`'),
        ('role:a (role:b)', 'with `and`, `or` and `not`'),
        ('(not) role:a', 'with `and`, `or` and `not`'),
        ('role:a not role:b', 'with `and`, `or` and `not`'),
    ],
)
def test_a_check_that_would_be_denied_to_everybody_is_refused(check: str, wrong: str):
    found = read({'policy-overrides': json.dumps({'get_images': check})})
    assert wrong in found.refused['policy-overrides']
    assert 'the check of get_images: ' in found.refused['policy-overrides']


@hypothesis.given(
    st.lists(
        st.sampled_from(['(', ')', 'and', 'or', 'not', 'role:a', '@', '(role:b', 'role:c)', 'x']),
        max_size=9,
    )
)
def test_a_check_is_taken_just_when_pythons_own_grammar_takes_it(words: list[str]):
    text = ' '.join(words)
    python = text.replace('role:', 'r').replace('@', 'True')
    try:
        ast.parse(python, mode='eval')
        right = 'x' not in words and '()' not in python.replace(' ', '')
    except SyntaxError:
        right = not words
    # Python takes `a (b)` for a call.
    if re.search(r'(ra|rb|rc|True|\)) *\(', python):
        right = False
    try:
        settings.rules(json.dumps({'a': text}))
        taken = True
    except ValueError:
        taken = False
    assert taken == right


@pytest.mark.parametrize(
    'text',
    [
        '!!timestamp x', 'a: !!bool x', 'a: !!int ""', 'a: !!timestamp x',
        'a: &x [1]\nb: *x', '[' * 20_000, '{' * 20_000, 'a: 2020-13-45', '- a', 'a: [b]',
        'a: b: c', '? {a: b}\n: c', 'a: =', '<<: {a: 1}', 'a: ' + '9' * 5000, '\x00', 'a:\tb\n\t- c',
    ],
)  # fmt: skip
def test_yaml_that_is_no_map_of_rules_is_refused_in_words(text: str):
    assert 'policy-overrides' in read({'policy-overrides': text}).refused


def test_aliases_that_stand_for_more_than_memory_holds_are_not_followed():
    bomb = 'a0: &a0 {x: role:y}\n' + ''.join(
        f'a{n}: &a{n} {{<<: [{", ".join([f"*a{n - 1}"] * 10)}]}}\n' for n in range(1, 12)
    )
    assert 'line 2 has an alias' in read({'policy-overrides': bomb}).refused['policy-overrides']


def test_no_message_quotes_what_may_hold_a_password():
    bad = '[ldap]\npassword = s3cret\nnonsense s3cret'
    good = '[ldap]\npassword = 0ther'
    for kept in ({}, {'config-flags': good}):
        said = read({'config-flags': bad}, kept).refused['config-flags']
        assert 's3cret' not in said
        assert '0ther' not in said
        assert '(line 3 is neither' in said
    assert 'the last good one stays in force' in said


@pytest.mark.parametrize('section', ['Database', 'KEYSTONE_AUTHTOKEN', 'Keystone_authtoken'])
def test_the_charms_own_settings_are_its_own_however_their_section_is_spelt(section: str):
    key = 'connection' if section == 'Database' else 'password'
    said = read({'config-flags': f'[{section}]\n{key} = x'}).refused['config-flags']
    assert f"{key} in [{section}] is the charm's own" in said


@hypothesis.given(
    st.sampled_from(sorted(BY_NAME)), st.text(max_size=5000) | st.integers() | st.booleans()
)
def test_whatever_is_typed_something_good_is_in_force(name: str, value: Any):
    found = read({name: value})
    assert (
        read({name: found.values[name]}).refused == {}
        or found.values[name] == BY_NAME[name].default
    )
    assert (name in found.refused) != (name in found.good)
    text = found.values[name]
    if name not in ('openstack-origin-key', 'config-flags', 'policy-overrides'):
        assert not isinstance(text, str) or not set('\r\n') & set(text.strip())


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('debug', 'yes'),
        ('debug', 1),
        ('workers', True),
        ('workers', '2'),
        ('openstack-origin-key', 5),
    ],
)
def test_another_type_than_the_options_is_not_in_force(name: str, value: Any):
    """A charm of another version may have kept it."""
    assert read({name: BY_NAME[name].default}, {name: value}).refused == {}
    found = read({name: value}, {name: value})
    assert found.values[name] == BY_NAME[name].default
    assert name in found.refused


def test_every_default_is_good():
    assert read({}).refused == {}


@pytest.mark.parametrize(
    ('text', 'good'), [('', True), ('a b', True), ('a b a', False), ('a c', False)]
)
def test_words_are_of_a_kind_and_each_is_there_once(text: str, good: bool):
    assert options.words('a or b', lambda word: word in 'ab').good(text) is good


def test_a_site_has_none_of_the_options_that_only_an_api_can_have():
    left_out = {o.name for o in options.API} - {o.name for o in options.WEBSITE}
    assert left_out == {'region', 'cors-allowed-origins', 'policy-overrides', 'config-flags'}


def test_a_count_is_a_whole_number_within_its_limits_and_nothing_else():
    kind = options.count(2, 5, or_zero=True)
    assert kind.juju == 'int'
    assert [n for n in range(-1, 8) if kind.good(n)] == [0, 2, 3, 4, 5]


@pytest.mark.parametrize(
    'text', ['\u017fervice.example', '\u212aeystone', 'a.\u0131', '\u0663.example.\u0661']
)
def test_a_host_name_is_of_the_letters_that_dns_has(text: str):
    """Some letters are an i, a k or an s where case does not matter: they are none of DNS."""
    assert not validators.is_hostname(text)
    assert validators.is_hostname('Keystone.Example')


FEWER = options.Option('n', options.count(100, 1000, or_zero=True, least_kept=10), 0, '')
SECRET = dataclasses.replace(FEWER, kind=dataclasses.replace(FEWER.kind, confidential=True))


@pytest.mark.parametrize(
    ('given', 'kept', 'in_force', 'said'),
    [
        (10, 10, 10, 'option n: 10 stays in force, but set anew it would be refused; wanted: '),
        (11, 10, 10, 'option n: 11 will not do, 10 stays in force; wanted: '),
        (1001, 10, 10, 'option n: 1001 will not do, 10 stays in force; wanted: '),
        (10, 500, 500, 'option n: 10 will not do, 500 stays in force; wanted: '),
        (10, 0, 0, 'option n: 10 will not do, 0 stays in force; wanted: '),
        (10, 9, 0, 'option n: 10 will not do, 0 is in force, the default; wanted: '),
        (10, '10', 0, 'option n: 10 will not do, 0 is in force, the default; wanted: '),
        (9, 9, 0, 'option n: 9 will not do, 0 is in force, the default; wanted: '),
        (10, None, 0, 'option n: 10 will not do, 0 is in force, the default; wanted: '),
        (100, 10, 100, ''),
    ],
)
def test_what_an_older_version_took_stays_in_force_and_is_named(
    given: int, kept: Any, in_force: int, said: str
):
    found = options.read([FEWER], {'n': given}, {} if kept is None else {'n': kept})
    assert found.values['n'] == in_force
    assert found.refused.get('n', '').startswith(said)
    assert bool(found.refused) is bool(said)
    known = not said.endswith('the default; wanted: ')
    assert found.good == ({'n': in_force} if known else {})


def test_what_it_was_is_not_quoted_where_it_may_be_a_password():
    said = options.read([SECRET], {'n': 10}, {'n': 10}).refused['n']
    assert said.startswith('option n: this stays in force, but set anew it would be refused; ')
