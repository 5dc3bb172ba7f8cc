"""What it costs keystone not to cache what people write, and to know what other units have written: tokens validated,
beside a cache of it all for a minute that knows nothing of other units."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import jubilant

from tools import cloud

from . import clients, controlplane, local
from .figure import Figure, spread

ROUNDS = 3
WARM_S = 4.0
ROUND_S = 8.0
PORT = 5000
_CONF = '/etc/keystone/keystone.conf'
_SCRIPT = '/usr/local/lib/charmkit/keystone.wsgi'
_EVERYTHING = (
    f'cp {_CONF} /run/bench-keystone.conf && cp {_SCRIPT} /run/bench-keystone.wsgi && '
    f'cat /usr/bin/keystone-wsgi-public > {_SCRIPT} && '
    f"sed -i '/^\\[token\\]$/,/^\\[/{{/^cache_time/d}}; /^caching = false/d; s/^cache_time = .*/cache_time = 10/; "
    f"s/^\\[cache\\]$/[cache]\\nexpiration_time = 60/' {_CONF} && grep -c '^expiration_time = 60$' {_CONF}"
)
_AS_IT_WAS = f'cat /run/bench-keystone.conf > {_CONF}; cat /run/bench-keystone.wsgi > {_SCRIPT}'


def keystone_cache() -> Iterator[Figure]:
    """Tokens validated a second: as the charm has it, and with everything cached for 60 s. They take turns."""
    with local.kept():
        juju = local.model('identity')
        local.run('model-config', '--model', 'identity', 'update-status-hook-interval=60m')
        bundle = controlplane.write_bundle(('mysql', 'keystone'))
        local.run('deploy', '--model', 'identity', str(bundle))
        local.seconds_until_active(juju, 'mysql', 'keystone')
        rates: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(ROUNDS):
            for everything in (False, True):
                rates[everything].append(_rate(juju, everything=everything))
        ours, all_cached = (statistics.median(rates[e]) for e in (False, True))
        yield Figure(
            'keystone: tokens validated, of those with everything cached', ours / all_cached,
            '', 0.9, True,
            f'{spread(rates[False], digits=0)} and {spread(rates[True], digits=0)} a second; '
            f'{ROUNDS} rounds each of {ROUND_S:.0f} s, one token',
        )  # fmt: skip
        local.run('destroy-model', '--no-prompt', '--force', 'identity')


def _rate(juju: jubilant.Juju, *, everything: bool) -> float:
    if everything and juju.exec(_EVERYTHING, unit='keystone/0').stdout.strip() != '1':
        raise RuntimeError(f'{_CONF} has no section [cache]')
    restart = 'systemctl restart keystone-cache apache2'
    juju.exec(restart, unit='keystone/0')
    address = juju.status().apps['keystone'].units['keystone/0'].public_address
    url = f'http://{address}:{PORT}'
    password = str(juju.run('keystone/0', 'get-admin-password').results['password'])
    token = cloud.token(cloud.Cloud({'keystone': {'public': url}}, password))
    subject = (f'X-Subject-Token: {token}',)
    with clients.asking(address, PORT, '/v3/auth/tokens', token, headers=subject) as seen:
        time.sleep(WARM_S)
        began = time.monotonic()
        time.sleep(ROUND_S)
        ended = time.monotonic()
    if everything:
        juju.exec(_AS_IT_WAS, unit='keystone/0')
    if seen.failed:
        raise RuntimeError(f'{len(seen.failed)} requests failed: {seen.failed[:3]}')
    return seen.rate(began, ended)
