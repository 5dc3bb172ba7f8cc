"""keystone.conf: what goes into it, from the options that are in force (:mod:`keystone_options`). Pure."""

from __future__ import annotations

from typing import Any

import cache
import charmkit
import compliance
import domains
import keys
import tasks
from charmkit import conf, migration, service
from charmkit.relations import mysql

DB = mysql.need('keystone')
TOKEN_EXPIRATION_S = 3600


def regions(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """Where keystone itself is registered."""
    return tuple(str(inputs.options.get('region', 'RegionOne')).split())


def rules(inputs: charmkit.Inputs) -> dict[str, conf.Value]:
    """Those of ``[security_compliance]``."""
    return compliance.parse(str(inputs.options.get(compliance.OPTION) or ''))


def directories(inputs: charmkit.Inputs) -> dict[str, conf.Ini]:
    """The file of each domain whose users are in a directory."""
    return domains.parse(str(inputs.options.get(domains.OPTION) or ''), kept=True)


def made_domains(inputs: charmkit.Inputs) -> frozenset[str]:
    """Domains of directories that are there. Keystone reads a file once, and only if its domain is."""
    outcome = inputs.seen.get(tasks.CATALOGUE)
    seen = outcome.seen if isinstance(outcome, tasks.Outcome) else None
    now = {str(d['name']) for d in seen.domains} if seen else set[str]()
    return frozenset(now | set(inputs.peers.get(domains.KEY, '').split())) & {
        *directories(inputs),
        *brought(inputs),
    }


def memory(inputs: charmkit.Inputs) -> dict[str, Any]:
    """What this unit is to remember: the domains whose files it has."""
    return {domains.KEY: sorted(made_domains(inputs) & directories(inputs).keys())}


def brought(inputs: charmkit.Inputs) -> dict[str, str]:
    """Domains that subordinates bring, with what they say when keystone is to start anew."""
    return domains.related(inputs.of(domains.RELATION))[0]


_PATIENCE_S = 30
UNBLOCKED = '/etc/keystone/unblocked.py'
"""Where the program lies that has what keystone leaves open ended in the way of a migration."""
EXPAND = migration.Migration(
    argv=('python3', UNBLOCKED, 'keystone-manage', 'db_sync', '--expand'),
    # oslo.config reads it over its files. Whatever holds a table, nobody waits behind the migration for longer:
    # it gives up, also when this hook was killed, and may be run again.
    environment={
        'OS_DATABASE__CONNECTION_PARAMETERS': f'init_command=SET SESSION lock_wait_timeout={_PATIENCE_S}'
    },
)
"""The migration that units of the older release serve beside."""


def keystone_conf(ready: service.Ready) -> conf.Ini:
    """What goes into keystone.conf."""
    inputs = ready.inputs
    expiration = token_expiration_s(inputs)
    return conf.merge(
        conf.common('keystone', debug=ready.debug),
        conf.database(ready[DB]),
        cache.settings(),
        {'security_compliance': rules(inputs)} if rules(inputs) else {},
        domains.switch((*directories(inputs), *brought(inputs))),
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
    return int(inputs.options.get('token-expiration', TOKEN_EXPIRATION_S))
