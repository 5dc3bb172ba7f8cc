"""What keystone's own options of YAML may not hold, in the words that the operator reads."""

from __future__ import annotations

from typing import Any, cast

import compliance
import directory_options
import domains
import keystone_options
import pytest
import registration
import tasks
from charmkit import conf, options

NAMES = ', '.join(
    (
        'lockout_failure_attempts', 'lockout_duration', 'disable_user_account_days_inactive',
        'change_password_upon_first_use', 'password_expires_days', 'minimum_password_age',
        'password_regex', 'password_regex_description', 'unique_last_password_count',
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('lockout_duration: 1\nlockout_duration: 2', "line 2: 'lockout_duration' is in line 1 already"),
        ('change_password_upon_first_use: 1', 'change_password_upon_first_use must be true or false, not 1'),
        ('lockout_duration: 0', 'lockout_duration must be a number from 1 on, not 0'),
        ('minimum_password_age: -1', 'minimum_password_age must be a number from 0 on, not -1'),
        ('lockout_duration: true', 'lockout_duration must be a number from 1 on, not True'),
        ('password_regex: "["', 'password_regex is no regular expression: unterminated character set at position 0'),
        ('password_regex: " "', "password_regex must be a text in one line, not ' '"),
        ('minimum_password_age: 2\npassword_expires_days: 2',
         'minimum_password_age must be less than password_expires_days'),
    ],
)  # fmt: skip
def test_rules_of_passwords(text: str, said: str):
    with pytest.raises(ValueError, match=r'\w') as e:
        compliance.parse(text)
    assert str(e.value) == said


def test_a_rule_that_there_is_not_is_told_with_those_that_there_are():
    with pytest.raises(ValueError, match='is none of') as e:
        compliance.parse('lockout: 1')
    told, _, names = str(e.value).partition(' is none of ')
    assert told == "'lockout'"
    assert {*names.split(', ')} == {*NAMES.split(', ')}


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('a: {url: ldap://x}\na: {url: ldap://y}', "line 2: 'a' is in line 1 already"),
        ('a: {url: ldap://x, url: ldap://y}', "line 1: 'url' is in line 1 already"),
        ('a: 1', 'a is no map of [ldap] options'),
        ('a: {}', 'a: url must be one such as ldaps://ldap.example'),
        ('a: {url: ldap//x}', 'a: url must be one such as ldaps://ldap.example'),
        ('a: {url: "ldap://x,y"}', 'a: url must be one such as ldaps://ldap.example'),
        ('a: {url: ldap://x, password: 0123}', 'a: password must be a text: put it in quotes'),
        ('a: {url: ldap://x, query_scope: bse}', 'a: query_scope must be one of one, sub'),
        ('a: {url: ldap://x, page_size: many}', 'a: page_size must be a whole number from 0 on'),
        ('a: {url: ldap://x, pool_retry_max: 0}', 'a: pool_retry_max must be a whole number from 1 on'),
        ('a: {url: ldap://x, pool_connection_timeout: -1}',
         'a: pool_connection_timeout must be a whole number from 1 on'),
        ('a: {url: ldap://x, use_tls: "yes"}', 'a: use_tls must be true or false'),
        ('a: {url: ldap://x, pool_retry_delay: .nan}', 'a: pool_retry_delay must be a number from 0 to 60'),
        ('a: {url: LDAPS://x, use_tls: true}', 'a: use_tls goes with ldap://, not with ldaps://'),
        ('a: {url: ldap://x, debug_level: 255}', 'a: debug_level would write passwords into a log'),
        ('a: {url: ldap://x, user_tre_dn: ou=x}',
         "a: 'user_tre_dn' is no option of keystone's section ldap; user_tree_dn is one"),
        ('Default: {}', "'Default' is no name that such a domain can have"),
        ('a: {url: ldap://x, B: c}', "a: 'B' is no option of keystone's section ldap"),
        ('a: {url: ldap://x, user: null}', 'a: user must be a text in one line'),
    ],
)  # fmt: skip
def test_domains(text: str, said: str):
    with pytest.raises(ValueError, match=r'\w') as e:
        domains.parse(text)
    assert str(e.value) == said


def test_what_a_setting_of_a_domain_holds_reaches_keystone_as_it_is_but_for_references():
    text = 'a: {url: ldap://x, user: "c$d", password: "p$w", page_size: 5, use_tls: true}'
    ini = domains.parse(text)['a']
    given = {'url': 'ldap://x', 'user': 'c$d', 'password': 'p$w', 'page_size': 5, 'use_tls': True}
    assert ini['ldap'].items() >= given.items()
    lines = conf.render(ini).splitlines()
    assert {'user = c$$d', 'password = p$$w', 'page_size = 5', 'use_tls = true'} <= {*lines}


@pytest.mark.parametrize(
    ('given', 'more'),
    [
        ('url: ldap://x', {}),
        ('url: ldaps://x', {'tls_cacertfile': directory_options.SYSTEM_CA}),
        ('url: "ldap://x, LDAPS://y"', {'tls_cacertfile': directory_options.SYSTEM_CA}),
        ('url: ldap://x, use_tls: true', {'tls_cacertfile': directory_options.SYSTEM_CA}),
        ('url: ldaps://x, tls_cacertfile: /a', {'tls_cacertfile': '/a'}),
        ('url: ldaps://x, tls_cacertdir: /a', {'tls_cacertdir': '/a'}),
        ('url: ldap://x, pool_connection_timeout: 9', {'pool_connection_timeout': 9}),
        ('url: ldap://x, user_enabled_default: 512', {'user_enabled_default': '512'}),
    ],
)
def test_what_an_operator_would_want_is_there(given: str, more: dict[str, object]):
    section = dict(domains.parse(f'a: {{{given}}}')['a']['ldap'])
    for name in ('url', 'use_tls'):
        section.pop(name, None)
    waits = {'connection_timeout': 5, 'pool_connection_timeout': 5, 'pool_retry_max': 1}
    assert section == {**waits, **more}


def test_a_directory_that_an_older_version_took_stays_and_is_named():
    text = (
        'a: {url: ldaps://x, use_tls: true, password: 12, query_scope: bse, user_allow_create: false, '
        'pool_connection_timeout: -1, suffix: dc=x}'
    )
    given = {'ldap-domains': text}
    found = options.read(keystone_options.OPTIONS, given, kept=given)
    assert found.values['ldap-domains'] == text
    assert 'this stays in force' in found.refused['ldap-domains']
    assert domains.parse(text, kept=True)['a']['ldap'] == {
        'url': 'ldaps://x', 'password': '12', 'suffix': 'dc=x', 'connection_timeout': 5,
        'pool_connection_timeout': 5, 'pool_retry_max': 1,
        'tls_cacertfile': directory_options.SYSTEM_CA,
    }  # fmt: skip
    # A new unit has none that was in force.
    assert options.read(keystone_options.OPTIONS, given, kept={}).values['ldap-domains'] == ''


@pytest.mark.parametrize(
    ('check', 'good'),
    [
        ('!', False),
        ('role:reader', False),
        ('role:administrator', False),
        ('role:administrator or Role:admin', False),
        ('user_id:%(target.token.user_id)s', False),
        ('', True),
        ('@', True),
        ('role:service or user_id:%(target.token.user_id)s', True),
        ('(role:admin)', True),
        ('role:Admin', True),
        ('role:SERVICE or user_id:%(target.token.user_id)s', True),
        ('rule:service_admin_or_token_subject', True),
    ],
)
def test_no_rule_keeps_services_from_validating_tokens(check: str, good: bool):
    text = f'identity:validate_token: "{check}"\nidentity:list_users: "!"'
    said = read_rules(text).refused.get('policy-overrides', '')
    wanted = 'identity:validate_token must let role:service or role:admin'
    assert (wanted in said) is not good
    assert bool(said) is not good


READERS_TOO = (
    'identity:validate_token: "role:reader or project_name:services"\nidentity:list_users: "!"'
)


@pytest.mark.parametrize('given', [READERS_TOO, 'identity:validate_token: "!"', 'a: "('])
def test_rules_that_an_older_version_took_stay_in_force_whole(given: str):
    found = read_rules(given, kept=READERS_TOO)
    assert found.values['policy-overrides'] == READERS_TOO
    assert found.good['policy-overrides'] == READERS_TOO
    assert found.refused['policy-overrides'].startswith('option policy-overrides: ')
    assert 'stays in force' in found.refused['policy-overrides']


def test_rules_that_were_kept_and_are_none_are_not_in_force():
    assert read_rules('a: "("', kept='identity:list_users: "(!"').values['policy-overrides'] == ''


def test_other_rules_may_be_as_strict_as_the_operator_likes():
    assert not read_rules('identity:list_users: "!"').refused
    assert 'parentheses' in read_rules('identity:list_users: "(!"').refused['policy-overrides']


@pytest.mark.parametrize(
    ('failure', 'own_rules', 'named'),
    [
        ('GET /domains: 403 not authorized', True, True),
        ('GET /domains: 403 not authorized', False, False),
        ('GET /domains: 500 Internal Server Error', True, False),
    ],
)
def test_what_a_rule_forbids_the_charm_is_put_down_to_the_option(
    failure: str, own_rules: bool, named: bool
):
    found = registration.statuses(
        cast('Any', None), tasks.Outcome(done=(), failure=failure), own_rules=own_rules
    )
    (status,) = found
    assert ('(see option policy-overrides)' in status.message) is named


def read_rules(text: str, kept: str = '') -> options.Read:
    return options.read(
        keystone_options.OPTIONS, {'policy-overrides': text}, {'policy-overrides': kept}
    )
