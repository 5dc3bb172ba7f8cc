"""``make bench``, or ``python -m tests.bench NAME…`` for some of it, and for ``up``, which takes a quarter of an hour.

Prints each figure with its bound as it is taken, then all of them as a table. Exit code 1 when a bound is missed.
Run it on a machine that does nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping

from . import (
    controlplane,
    history,
    identity,
    jujulet,
    loadbalancer,
    matrix,
    scale,
    slowclients,
    tokencache,
    unchanged,
    up,
)
from .figure import Figure, table

BENCHES: Mapping[str, Callable[[], Iterator[Figure]]] = {
    'hook': jujulet.hook_overhead,
    'small-charm': jujulet.small_charm,
    'status': jujulet.status_and_idle,
    'scale': scale.scale,
    'from-cache': controlplane.from_cache,
    'charm-hook': unchanged.unchanged_hook,
    'token-cache': tokencache.token_cache,
    'keystone-cache': identity.keystone_cache,
    'slow-clients': slowclients.slow_clients,
    'mod-wsgi': tokencache.mod_wsgi,
    'memcached-killed': tokencache.memcached_killed,
    'lb-lossless': loadbalancer.lossless,
    'lb-speed': loadbalancer.speed,
    'lb-vip': loadbalancer.vips,
    'lb-killed': loadbalancer.killed,
    'matrix-overhead': matrix.overhead,
    'matrix-report': matrix.report,
    'matrix-history': history.linearizable,
    'up': up.up,
}
LONG = frozenset({'up'})
"""Taken only where they are named: a quarter of an hour each."""


def main(names: list[str]) -> int:
    """Take the benchmarks that are named, or all but the long ones."""
    if unknown := [n for n in names if n not in BENCHES]:
        print(
            f'ERROR no benchmark {", ".join(unknown)}; there are: {", ".join(BENCHES)}',
            file=sys.stderr,
        )
        return 2
    load = os.getloadavg()[0]
    if load > 1:
        print(
            f'The load is {load:.1f}: figures will be worse than on a quiet machine.',
            file=sys.stderr,
        )
    figures: list[Figure] = []
    for name in names or (n for n in BENCHES if n not in LONG):
        for figure in BENCHES[name]():
            figures.append(figure)
            print(f'{name}: {figure.what}: {figure.value:.3g} {figure.unit}', file=sys.stderr)
    print(table(figures))
    return 0 if all(f.met for f in figures) else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
