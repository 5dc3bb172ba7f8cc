"""The options of keystone's section ``[ldap]``, checked before keystone gets them. Pure.

Source: keystone's configuration reference, Zed to 2025.1. A value of the wrong type keeps keystone from reading the
file, and with it from answering any request about users, those of other domains too; a name that it does not know it
passes over in silence. So both are refused here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Literal, cast

from charmkit import conf

_Kind = Literal['text', 'flag', 'count', 'seconds'] | tuple[str, ...]

_FLAGS = (
    'chase_referrals',
    'group_ad_nesting',
    'group_members_are_ids',
    'randomize_urls',
    'use_auth_pool',
    'use_pool',
    'use_tls',
    'user_enabled_emulation',
    'user_enabled_emulation_use_group_config',
    'user_enabled_invert',
)
_TEXTS = (
    'url',
    'user',
    'password',
    'suffix',
    'tls_cacertdir',
    'tls_cacertfile',
    'user_enabled_emulation_dn',
    *(
        f'{kind}_{name}'
        for kind in ('group', 'user')
        for name in (
            'additional_attribute_mapping',
            'attribute_ignore',
            'filter',
            'id_attribute',
            'name_attribute',
            'objectclass',
            'tree_dn',
        )
    ),
    'group_desc_attribute',
    'group_member_attribute',
    'user_default_project_id_attribute',
    'user_description_attribute',
    'user_enabled_attribute',
    'user_mail_attribute',
    'user_pass_attribute',
)
_LEAST = {
    'auth_pool_connection_lifetime': 1,
    'auth_pool_size': 1,
    'connection_timeout': 1,
    'page_size': 0,
    'pool_connection_lifetime': 1,
    'pool_connection_timeout': 1,
    # With 0 it never connects.
    'pool_retry_max': 1,
    'pool_size': 1,
    'user_enabled_mask': 0,
}
"""The least that each number may be. A timeout of -1 would have requests wait for ever."""
_CHOICES = {
    'alias_dereferencing': ('never', 'searching', 'always', 'finding', 'default'),
    'query_scope': ('one', 'sub'),
    'tls_req_cert': ('demand', 'never', 'allow'),
}
_KINDS: Mapping[str, _Kind] = {
    **dict.fromkeys(_FLAGS, 'flag'),
    **dict.fromkeys(_TEXTS, 'text'),
    **dict.fromkeys(_LEAST, 'count'),
    **_CHOICES,
    'pool_retry_delay': 'seconds',
    'user_enabled_default': 'text',
}
_MOST = 2_147_483_647
_TIMEOUT_S = 5
"""How long a request waits for a directory: its thread serves nobody else meanwhile."""
SYSTEM_CA = '/etc/ssl/certs/ca-certificates.crt'
"""What the machine trusts. Keystone has none of its own, and talks TLS to no directory without one."""


def settings(
    domain: str, given: Mapping[str, object], *, kept: bool = False
) -> dict[str, conf.Value]:
    """*given* for *domain* as they go into its file, with what an operator would want where nothing is said.

    *kept*: an older version of the charm took them. What would be refused now keystone passed over, or could not
    serve with: it is left out, and the rest stays in force.

    Raises:
        ValueError: what is wrong with one of them, by name, and what would be right.
    """
    out: dict[str, conf.Value] = {}
    for name, value in given.items():
        try:
            out[name] = _setting(domain, name, value)
        except ValueError:
            if not kept:
                raise
            if _KINDS.get(name) == 'text' and isinstance(value, bool | int):
                out[name] = str(value)
    ldaps = any(url.lower().startswith('ldaps:') for url in urls(out))
    if out.get('use_tls') and ldaps and kept:
        del out['use_tls']
    if out.get('use_tls') and ldaps:
        raise ValueError(f'{domain}: use_tls goes with ldap://, not with ldaps://')
    ca = {} if {'tls_cacertfile', 'tls_cacertdir'} & out.keys() else {'tls_cacertfile': SYSTEM_CA}
    return {
        'connection_timeout': _TIMEOUT_S,
        'pool_connection_timeout': _TIMEOUT_S,
        'pool_retry_max': 1,
        **(ca if ldaps or out.get('use_tls') else {}),
        **out,
        'url': ','.join(urls(out)),
    }


def urls(given: Mapping[str, object]) -> list[str]:
    """Those of the option ``url``, which are separated by commas or spaces."""
    return str(given.get('url', '')).replace(',', ' ').split()


def _setting(domain: str, name: str, value: object) -> conf.Value:
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f'{domain}: {_unknown(name)}')
    where = f'{domain}: {name}'
    # Its value may be a password: none is shown.
    if isinstance(kind, tuple):
        if value not in kind:
            raise ValueError(f'{where} must be one of {", ".join(kind)}')
        return cast('str', value)
    return _READ[kind](where, value)


def _flag(where: str, value: object) -> conf.Value:
    if not isinstance(value, bool):
        raise ValueError(f'{where} must be true or false')
    return value


def _count(where: str, value: object) -> conf.Value:
    least = _LEAST[where.rpartition(' ')[2]]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
        raise ValueError(f'{where} must be a whole number from {least} on')
    return value


def _seconds(where: str, value: object) -> conf.Value:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 60:
        raise ValueError(f'{where} must be a number from 0 to 60')
    return str(value)


def _text(where: str, value: object) -> conf.Value:
    if isinstance(value, bool | int):
        if where.endswith(' user_enabled_default'):
            return str(value)
        # As YAML reads it, 0123 is 83 and yes is true: a password would be another.
        raise ValueError(f'{where} must be a text: put it in quotes')
    if not isinstance(value, str) or not value.isprintable() or len(value) > 2000:
        raise ValueError(f'{where} must be a text in one line')
    return value


_READ: Mapping[str, Callable[[str, object], conf.Value]] = {
    'text': _text,
    'flag': _flag,
    'count': _count,
    'seconds': _seconds,
}


def _unknown(name: str) -> str:
    if name == 'debug_level':
        return 'debug_level would write passwords into a log'
    near = difflib.get_close_matches(name, _KINDS, n=1)
    meant = f'; {near[0]} is one' if near else ''
    return f"{name[:80]!r} is no option of keystone's section ldap{meant}"
