"""The operator's rules for passwords (``[security_compliance]``), checked before keystone gets them. Pure.

Source: keystone's documentation of the section. A rule that keystone does not take stops it from starting, so each is
checked here, and the option is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, cast

from charmkit import conf
from charmkit.settings import yaml_map

OPTION = 'password-security-compliance'

_KINDS: Mapping[str, Literal['count', 'flag', 'text', 'pattern']] = {
    'change_password_upon_first_use': 'flag',
    'disable_user_account_days_inactive': 'count',
    'lockout_duration': 'count',
    'lockout_failure_attempts': 'count',
    'minimum_password_age': 'count',
    'password_expires_days': 'count',
    'password_regex': 'pattern',
    'password_regex_description': 'text',
    'unique_last_password_count': 'count',
}
_MAY_BE_ZERO = frozenset({'minimum_password_age', 'unique_last_password_count'})
_MOST = 1_000_000


def parse(text: str) -> dict[str, conf.Value]:
    """The rules in *text*, a YAML map of keystone's own option names.

    Raises:
        ValueError: what is wrong with it, and what would be right.
    """
    rules: dict[str, conf.Value] = {}
    for name, value in yaml_map(text).items():
        if name not in _KINDS:
            raise ValueError(f'{name[:80]!r} is none of {", ".join(_KINDS)}')
        rules[name] = _rule(name, value)
    age, expires = rules.get('minimum_password_age', 0), rules.get('password_expires_days', _MOST)
    if int(cast('int', age)) >= int(cast('int', expires)):
        raise ValueError('minimum_password_age must be less than password_expires_days')
    return rules


def _rule(name: str, value: object) -> conf.Value:
    match _KINDS[name]:
        case 'flag':
            if isinstance(value, bool):
                return value
            raise ValueError(f'{name} must be true or false, not {value!r:.80}')
        case 'count':
            least = 0 if name in _MAY_BE_ZERO else 1
            if isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST:
                return value
            raise ValueError(f'{name} must be a number from {least} on, not {value!r:.80}')
        case kind:
            if not isinstance(value, str) or not value.strip() or not value.isprintable():
                raise ValueError(f'{name} must be a text in one line, not {value!r:.80}')
            if kind == 'pattern':
                _compile(name, value)
            return value


def _compile(name: str, value: str) -> None:
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as e:
        raise ValueError(f'{name} is no regular expression: {e}') from None
