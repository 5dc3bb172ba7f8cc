"""keystone.conf: what goes into it, from options that are checked one by one. Pure.

An option that is wrong is told by name, and what it said when it was last right stays in force.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, cast

import cache
import charmkit
import compliance
import domains
import keys
import tasks
from charmkit import conf, service, state
from charmkit.relations import keystone, mysql

T = TypeVar('T')

DB = mysql.need('keystone')
TOKEN_EXPIRATION_S = 3600
REGION = 'region'
GOOD = 'good-options'
"""Under which a unit remembers what options said when they were last right."""


@dataclasses.dataclass(frozen=True)
class Checked(Generic[T]):
    """An option, read."""

    name: str
    value: T
    text: str = dataclasses.field(repr=False)
    """What *value* was read from."""
    trouble: str = ''
    """Why it is not what the option says now."""


def regions(text: str) -> tuple[str, ...]:
    """The regions that *text* names, with blanks between.

    Raises:
        ValueError: when it names none, or one that is no name.
    """
    names = tuple(dict.fromkeys(text.split()))
    if not names:
        raise ValueError('it names no region: RegionOne is usual')
    for name in names:
        if not keystone.is_region(name):
            raise ValueError(f'{name[:80]!r} is no name of a region')
    return names


def own_regions(inputs: charmkit.Inputs) -> Checked[tuple[str, ...]]:
    """Where keystone itself is registered."""
    return _checked(inputs, REGION, regions, 'RegionOne')


def rules(inputs: charmkit.Inputs) -> Checked[dict[str, conf.Value]]:
    """Those of ``[security_compliance]``."""
    return _checked(inputs, compliance.OPTION, compliance.parse, '')


def directories(inputs: charmkit.Inputs) -> Checked[dict[str, conf.Ini]]:
    """The file of each domain whose users are in a directory."""
    return _checked(inputs, domains.OPTION, domains.parse, '')


def statuses(inputs: charmkit.Inputs) -> tuple[state.Status, ...]:
    """What is wrong with options."""
    return tuple(
        state.Status('blocked', f'option {c.name}: {c.trouble}; what it said before is in force')
        for c in _every(inputs)
        if c.trouble
    )


def made_domains(inputs: charmkit.Inputs) -> frozenset[str]:
    """Domains of directories that are there. Keystone reads a file once, and only if its domain is."""
    outcome = inputs.seen.get(tasks.CATALOGUE)
    seen = outcome.seen if isinstance(outcome, tasks.Outcome) else None
    now = {str(d['name']) for d in seen.domains} if seen else set[str]()
    return frozenset(now | set(inputs.peers.get(domains.KEY, '').split())) & {
        *directories(inputs).value,
        *brought(inputs),
    }


def memory(inputs: charmkit.Inputs) -> dict[str, Any]:
    """What this unit is to remember of its options."""
    return {
        GOOD: {c.name: c.text for c in _every(inputs)},
        domains.KEY: sorted(made_domains(inputs) & directories(inputs).value.keys()),
    }


def brought(inputs: charmkit.Inputs) -> dict[str, str]:
    """Domains that subordinates bring, with what they say when keystone is to start anew."""
    return domains.related(inputs.of(domains.RELATION))[0]


def keystone_conf(ready: service.Ready) -> conf.Ini:
    """What goes into keystone.conf."""
    inputs = ready.inputs
    expiration = token_expiration_s(inputs)
    return conf.merge(
        conf.common('keystone', debug=ready.debug),
        conf.database(ready[DB]),
        cache.settings(),
        {'security_compliance': rules(inputs).value} if rules(inputs).value else {},
        domains.switch((*directories(inputs).value, *brought(inputs))),
        {
            'token': {'provider': 'fernet', 'expiration': expiration},
            'fernet_tokens': {
                'key_repository': keys.FERNET.repository,
                'max_active_keys': keys.keep(keys.FERNET, expiration),
            },
            'credential': {'key_repository': keys.CREDENTIAL.repository},
            'oslo_policy': {'policy_dirs': '/etc/keystone/policy.d'},
        },
    )


def token_expiration_s(inputs: charmkit.Inputs) -> int:
    """How long a token lives, in seconds."""
    return max(60, int(inputs.options.get('token-expiration', TOKEN_EXPIRATION_S)))


def _every(inputs: charmkit.Inputs) -> tuple[Checked[Any], ...]:
    return own_regions(inputs), rules(inputs), directories(inputs)


def _checked(
    inputs: charmkit.Inputs, name: str, parse: Callable[[str], T], otherwise: str
) -> Checked[T]:
    text = str(inputs.options.get(name, otherwise) or '')
    try:
        return Checked(name, parse(text), text)
    except ValueError as e:
        trouble = str(e)
    good = cast('Mapping[str, str]', inputs.memory.get(GOOD) or {})
    try:
        before = good.get(name, otherwise)
        return Checked(name, parse(before), before, trouble)
    except ValueError:  # Kept by another version of the charm, that took more.
        return Checked(name, parse(otherwise), otherwise, trouble)
