"""The load balancer: requests lost, throughput, how long many services take, and VIPs that move.

Real haproxy, keepalived and backends in containers of each base. The scenarios are those of the charm's functional
tests, with ten thousand requests of each kind (closing and keep-alive clients, GET and POST).
"""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import sys
from collections.abc import Generator, Iterator
from typing import Any

from tools import systems

from .figure import Figure, spread

_RIG = pathlib.Path(__file__).parents[2] / 'charms/openstack-loadbalancer/tests/rig'
_REQUESTS = 10_000
_BASES = ('debian-12', 'debian-13')


@contextlib.contextmanager
def _machine(base: str) -> Generator[Any]:
    with _importable():
        import lb_machine  # pyright: ignore[reportMissingImports]
    lb: Any = lb_machine
    name = lb.fresh_name(0)
    try:
        yield lb.boot(name, base)
    finally:
        systems.remove(name)


@contextlib.contextmanager
def _importable() -> Generator[None]:
    sys.path.insert(0, str(_RIG))
    yield
    sys.path.remove(str(_RIG))


def _killed(found: dict[str, Any], base: str) -> Iterator[Figure]:
    """Backends that die unannounced: reads are repeated elsewhere, writes must not be."""
    load = found['load']
    reads = {name: k for name, k in load.items() if name.endswith('GET')}
    yield _lost(f'reads lost when backends are killed ({base})', {'load': reads})
    writes = {name: k for name, k in load.items() if name.endswith('POST')}
    yield _lost(f'writes lost when backends are killed ({base})', {'load': writes}, control=True)


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
    for base in _BASES:
        with _machine(base) as m:
            found = m.scenario('rolling', requests=_REQUESTS)
            yield _lost(f'lost in a rolling restart, drained ({base})', found)
            found = m.scenario('rolling', requests=_REQUESTS, drain=False)
            yield from _killed(found, base)
            found = m.scenario('reloads', requests=_REQUESTS)
            yield _lost(f'lost in 20 reloads ({base})', found)
            found = m.scenario('reloads', requests=_REQUESTS, idle_close=False)
            yield _lost(f'lost without idle-close-on-response ({base})', found, control=True)
            found = m.scenario('inflight')
            yield Figure(f'lost of a POST on an old worker ({base})', found['post']['lost'], '', 0)


def speed() -> Iterator[Figure]:
    """Throughput beside a haproxy with a minimal configuration, added latency, and many services."""
    for base in _BASES:
        with _machine(base) as m:
            found = m.scenario('realistic')
            how = (
                f'{found["per_second"]} requests/s, services that answer in {found["work_ms"]} ms'
            )
            yield Figure(f'throughput, of minimal ({base})', found['share'], '', 0.9, True, how)
            found = m.scenario('throughput')
            how = f'{found["per_second"]} requests/s, a service that answers at once'
            yield Figure(
                f'throughput with nothing behind, of minimal ({base})',
                found['share_of_plain'], '', 0.9, True, how,
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


def vips(times: int = 5) -> Iterator[Figure]:
    """How long clients of a VIP get no answer when its owner is killed, and when it is stopped in order."""
    with _importable():
        import vip_pair  # pyright: ignore[reportMissingImports]
    rig: Any = vip_pair
    numbers = itertools.count()

    def boot(base: str, *options: str) -> Any:
        return rig.lb_machine.boot(rig.lb_machine.fresh_name(next(numbers)), base, *options)

    for base in _BASES:
        with rig.pair(base, boot) as machines:
            moves = {'killed': rig.killed, 'stopped in order': rig.stopped_in_order}
            for what, bound in (('killed', 1.2), ('stopped in order', 0.2)):
                seen = moves[what](machines, times)
                gaps = [s.gap for s in seen]
                yield Figure(
                    f'VIPs of a unit that is {what}: no answer ({base})', max(gaps), 's', bound,
                    how=f'{spread(gaps, digits=2)}; IPv4 and IPv6 together',
                )  # fmt: skip
                yield Figure(
                    f'the same: two owners at once ({base})', max(s.overlap for s in seen), 's', 0,
                    how='as both kernels report it',
                )  # fmt: skip
        with _machine(base) as m:
            for adverts, bound in ((0, 0), (3, 10)):
                found = m.scenario('starved', seconds=60, adverts=adverts)
                yield Figure(
                    f'VIPs taken while their owner stands still, {adverts or "our"} missed advertisements ({base})',
                    found['taken by another'], '', bound, at_least=bool(adverts),
                    how=f'{found["still_s"]} s of each second, for {found["seconds"]} s',
                )  # fmt: skip


def killed() -> Iterator[Figure]:
    """What it costs that haproxy is killed under load: with the systemd settings that we write, and the package's."""
    for base in _BASES:
        for whose, before in (('ours', False), ("the package's", True)):
            with _machine(base) as m:
                found = m.scenario('killed', times=5, before=before)
            gaps = found['gaps_s']
            yield Figure(
                f'nobody listens after haproxy was killed, systemd settings: {whose} ({base})',
                max(gaps), 's', 30 if before else 1.0, how=f'{spread(gaps, digits=2)}',
            )  # fmt: skip
            load = found['load']
            yield Figure(
                f'requests lost when haproxy is killed five times, systemd settings: {whose} ({base})',
                load['lost'], '', load['sent'], how=f'{load["sent"]} in all; {load["why"]}',
            )  # fmt: skip
