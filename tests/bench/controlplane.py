"""How soon the four charms are active from the install cache, and a second keystone; how soon a model of ten units."""

from __future__ import annotations

import pathlib
import tempfile
import time
from collections.abc import Iterator, Sequence

import jubilant

from . import local
from .figure import Figure

FOUR = ('mysql', 'keystone', 'placement', 'glance')


def from_cache() -> Iterator[Figure]:
    """The four charms, one unit each, once to fill the cache and once from it; then a second keystone."""
    with local.kept():
        bundle = write_bundle(FOUR)
        local.run('add-model', '--no-switch', 'warm')
        local.run('deploy', '--model', 'warm', str(bundle), '--wait')
        local.run('destroy-model', '--no-prompt', '--force', 'warm')
        juju = local.model('four')
        began = time.monotonic()
        local.run('deploy', '--model', 'four', str(bundle))
        local.seconds_until_active(juju, *FOUR)
        yield Figure(
            'four charms active, from the cache', time.monotonic() - began, 's', 60, how='one run'
        )
        began = time.monotonic()
        juju.add_unit('keystone')
        juju.wait(
            lambda s: jubilant.all_active(s, 'keystone') and len(s.apps['keystone'].units) == 2,
            delay=0.05, successes=1, timeout=300,
        )  # fmt: skip
        yield Figure('a second keystone active', time.monotonic() - began, 's', 15, how='one run')
        local.run('destroy-model', '--no-prompt', '--force', 'four')


def write_bundle(names: Sequence[str]) -> pathlib.Path:
    """A bundle of *names*, mysql and keystone first, and their relations, without a load balancer."""
    charms = local.ROOT / 'charms'
    lines = ['applications:']
    lines += [f'  {name}: {{charm: {charms / name}, num_units: 1}}' for name in names]
    lines += ['relations:']
    lines += [f'  - [{name}:shared-db, mysql:shared-db]' for name in names[1:]]
    lines += [f'  - [{name}:identity-service, keystone:identity-service]' for name in names[2:]]
    path = pathlib.Path(tempfile.mkdtemp(prefix='jb-')) / 'four.yaml'
    path.write_text('\n'.join(lines) + '\n')
    return path
