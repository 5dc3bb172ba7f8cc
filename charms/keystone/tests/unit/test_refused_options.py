"""What keystone's own options of YAML may not hold, in the words that the operator reads."""

from __future__ import annotations

import compliance
import domains
import pytest

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
        ('a: {}', 'a needs a url, such as ldaps://ldap.example'),
        ('Default: {}', "'Default' is no name that such a domain can have"),
        ('a: {url: ldap://x, B: c}', "a: 'B' is no name of an option"),
        ('a: {url: ldap://x, user: null}', 'a: user must be a text in one line, a number, or true or false'),
    ],
)  # fmt: skip
def test_domains(text: str, said: str):
    with pytest.raises(ValueError, match=r'\w') as e:
        domains.parse(text)
    assert str(e.value) == said


def test_what_a_setting_of_a_domain_holds_reaches_keystone_as_it_is_but_for_references():
    text = 'a: {url: ldap://x, user: "c$d", password: "p$w", page_size: 5, use_tls: true}'
    assert domains.parse(text)['a']['ldap'] == {
        'url': 'ldap://x', 'user': 'c$$d', 'password': 'p$w', 'page_size': 5, 'use_tls': True,
    }  # fmt: skip
