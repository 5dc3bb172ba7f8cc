"""Configuration that the operator writes: sections of oslo.config, and rules of oslo.policy. Pure.

Both are text in an option, checked for their form; what a service makes of them its trial shows
(:mod:`charmkit.trial_wsgi`) before any of its processes takes them up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

_SECTION = re.compile(r'\[([A-Za-z0-9_.:-]{1,64})\]')
_KEY = re.compile(r'[A-Za-z0-9_-]{1,128}')
_RULE = re.compile(r'[A-Za-z0-9_:.-]{1,128}')
_CONTROL = re.compile(r'[\x00-\x08\x0b-\x1f\x7f]')
OWN = frozenset(
    {
        ('database', 'connection'),
        ('placement_database', 'connection'),
        ('api_database', 'connection'),
        ('DEFAULT', 'transport_url'),
        ('keystone_authtoken', 'auth_url'),
        ('keystone_authtoken', 'username'),
        ('keystone_authtoken', 'password'),
        ('keystone_authtoken', 'memcached_servers'),
        ('keystone_authtoken', 'memcache_security_strategy'),
        ('keystone_authtoken', 'memcache_secret_key'),
        ('fernet_tokens', 'key_repository'),
        ('credential', 'key_repository'),
    }
)
"""What follows from relations and secrets, and no operator can know better."""


def sections(text: str) -> dict[str, dict[str, str]]:
    """The sections in *text*: ``[section]`` and ``key = value`` lines, ``#`` for comments.

    Raises:
        ValueError: naming the line that is neither, or sets what is the charm's own.
    """
    found: dict[str, dict[str, str]] = {}
    section = ''
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in '#;':
            continue
        if header := _SECTION.fullmatch(line):
            section = header[1]
            continue
        key, equals, value = line.partition('=')
        key = key.strip()
        if not (section and equals and _KEY.fullmatch(key)) or _CONTROL.search(line):
            raise ValueError(f'line {number} is neither [section] nor key = value in one')
        if (section, key) in OWN:
            raise ValueError(f"line {number}: {key} in [{section}] is the charm's own")
        found.setdefault(section, {})[key] = value.strip()
    return found


def rules(text: str) -> dict[str, str]:
    """The rules in *text*: YAML, each rule's name and its check string.

    Raises:
        ValueError: saying what it is instead.
    """
    import yaml  # It costs each hook a hundredth of a second, and most charms have no such text.

    try:
        data: Any = yaml.safe_load(text) if text.strip() else {}
    except yaml.YAMLError as e:
        mark = getattr(e, 'problem_mark', None)
        raise ValueError(f'line {mark.line + 1 if mark else 1} is not YAML') from None
    if not isinstance(data, Mapping):
        raise ValueError('it is no mapping of rules')
    for name, check in cast('Mapping[object, object]', data).items():
        if not isinstance(name, str) or not _RULE.fullmatch(name):
            raise ValueError(f'{str(name)[:40]!r} is no name of a rule')
        if not isinstance(check, str) or _CONTROL.search(check):
            raise ValueError(f'the check of {name} is not a text')
    return dict(cast('Mapping[str, str]', data))


def render_rules(checks: Mapping[str, str]) -> str:
    """A policy file; JSON is YAML, and quotes everything."""
    return json.dumps(dict(checks), indent=1, sort_keys=True) + '\n'
