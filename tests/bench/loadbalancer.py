"""The load balancer: requests lost, throughput, and how long many services take.

Real haproxy and backends in a container of each base. The scenarios are those of the charm's functional tests, with
ten thousand requests of each kind (closing and keep-alive clients, GET and POST).
"""

from __future__ import annotations

import contextlib
import pathlib
import sys
from collections.abc import Generator, Iterator
from typing import Any

from .figure import Figure

_RIG = pathlib.Path(__file__).parents[2] / 'charms/openstack-loadbalancer/tests/rig'
_REQUESTS = 10_000


@contextlib.contextmanager
def _machine(base: str) -> Generator[Any]:
    with _importable():
        import lb_machine  # pyright: ignore[reportMissingImports]
    lb: Any = lb_machine
    name = lb.fresh_name(0)
    try:
        yield lb.boot(name, base)
    finally:
        lb.remove(name)


@contextlib.contextmanager
def _importable() -> Generator[None]:
    sys.path.insert(0, str(_RIG))
    yield
    sys.path.remove(str(_RIG))


def _lost(what: str, found: dict[str, Any], *, control: bool = False) -> Figure:
    kinds = found['load'].values()
    sent, lost = sum(k['sent'] for k in kinds), sum(k['lost'] for k in kinds)
    fewest = min(k['sent'] for k in kinds)
    return Figure(
        what,
        lost,
        '',
        1 if control else 0,
        at_least=control,
        how=f'{sent} requests in all, at least {fewest} of each of {len(found["load"])} kinds',
    )


def lossless() -> Iterator[Figure]:
    """A rolling restart and twenty reloads, each with the control that must lose some."""
    for base in ('debian-12', 'debian-13'):
        with _machine(base) as m:
            found = m.scenario('rolling', requests=_REQUESTS)
            yield _lost(f'lost in a rolling restart, drained ({base})', found)
            found = m.scenario('rolling', requests=_REQUESTS, drain=False)
            yield _lost(f'lost in one that is not drained ({base})', found, control=True)
            found = m.scenario('reloads', requests=_REQUESTS)
            yield _lost(f'lost in 20 reloads ({base})', found)
            found = m.scenario('reloads', requests=_REQUESTS, idle_close=False)
            yield _lost(f'lost without idle-close-on-response ({base})', found, control=True)
            found = m.scenario('inflight')
            yield Figure(f'lost of a POST on an old worker ({base})', found['post']['lost'], '', 0)


def speed() -> Iterator[Figure]:
    """Throughput beside a haproxy with a minimal configuration, added latency, and many services."""
    for base in ('debian-12', 'debian-13'):
        with _machine(base) as m:
            found = m.scenario('realistic')
            how = (
                f'{found["per_second"]} requests/s, services that answer in {found["work_ms"]} ms'
            )
            yield Figure(f'throughput, of minimal ({base})', found['share'], '', 0.9, True, how)
            found = m.scenario('throughput')
            how = f'{found["per_second"]} requests/s, a service that answers at once'
            # Repeating reads that die (`retry: safe`) costs a copy of each request: two microseconds of
            # processor, seen only where the service answers at once. `retry: conn` does without.
            yield Figure(
                f'throughput with nothing behind, of minimal ({base})',
                found['share_of_plain'], '', 0.7, True, how,
            )  # fmt: skip
            yield Figure(
                f'added median latency ({base})', found['added_ms'], 'ms', 1,
                how=f'{found["median_ms"]} ms',
            )  # fmt: skip
            found = m.scenario('many')
            yield Figure(
                f'200 services of 5 backends ({base})', found['total_s'], 's', 2,
                how=f'decided {found["decide_s"]} s, checked and reloaded {found["apply_s"]} s',
            )  # fmt: skip
