"""Which subnets a new space gets: free on this host, and never one that another model has."""

from __future__ import annotations

import ipaddress
import itertools
import subprocess
import zlib
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ..core import addresses, change, requests
from ..core import model as model_

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

POOL4 = ipaddress.IPv4Network('10.176.0.0/14')
"""Where IPv4 subnets come from; bundles may name those of 10.180.0.0/14 and 10.184.0.0/13."""
PREFIXES4 = (22, 24)
"""Their sizes: 1,013 machines each, and where no such one is free any more, 245."""
POOL6 = ipaddress.IPv6Network('fd6a:756a:756c::/48')
"""Where IPv6 subnets come from, a /64 each: unique local addresses (RFC 4193)."""


def choose(taken: Iterable[str], who: str = '') -> tuple[str, str]:
    """A free IPv4 and IPv6 subnet, in CIDR form, overlapping none of *taken*. RuntimeError if none is left.

    Each *who* begins elsewhere: two controllers on a host that choose at the same moment see nothing of each other.
    """
    used = [ipaddress.ip_network(t, strict=False) for t in taken]
    every4 = itertools.chain.from_iterable(_from(POOL4, prefix, who) for prefix in PREFIXES4)
    return (
        _first_free(every4, [n for n in used if n.version == 4]),
        _first_free(_from(POOL6, 64, who), [n for n in used if n.version == 6]),
    )


def grown(
    model: model_.Model,
    now: float,
    choose_: Callable[[Iterable[str]], tuple[str, ...]],
    wanted: requests.Request,
) -> tuple[model_.Model, dict[str, Any]]:
    """The model after *wanted*, in which spaces whose subnets are chosen have as many as it takes.

    *choose_* gives a free IPv4 and IPv6 subnet that overlaps none of what it is given. Raises Refused.
    """
    while True:
        try:
            return change.apply(model, wanted, now)
        except addresses.Full as full:
            if not full.space.grows:
                raise
            cidrs = choose_([c for s in model.spaces.values() for c in s.cidrs])
            more = requests.GrowSpace(name=full.space.name, cidrs=cidrs)
            model, _ = change.apply(model, more, now, by_user=False)


def _from(pool: Network, prefix: int, who: str) -> Iterable[Network]:
    """The subnets of a pool but its first, in order, from one that depends on *who*."""
    many = 2 ** (prefix - pool.prefixlen)
    first = zlib.crc32(who.encode()) % many
    size = 2 ** (pool.max_prefixlen - prefix)
    for number in range(many):
        at = (first + number) % many
        if at:
            yield ipaddress.ip_network((int(pool.network_address) + at * size, prefix))


def overlapped(subnet: str, taken: Iterable[str]) -> str:
    """The first of *taken* that *subnet* overlaps; empty if none, or if it is no subnet (the model says so)."""
    if not _is_subnet(subnet):
        return ''
    wanted = ipaddress.ip_network(subnet, strict=False)
    for text in taken:
        other = ipaddress.ip_network(text, strict=False)
        if wanted.version == other.version and wanted.overlaps(other):  # type: ignore[arg-type]
            return text
    return ''


def _first_free(candidates: Iterable[Network], used: list[Network]) -> str:
    for candidate in candidates:
        if not any(candidate.overlaps(u) for u in used):  # type: ignore[arg-type] -- same version
            return str(candidate)
    raise RuntimeError(
        'no subnet is left for another space: destroy a model that you no longer need'
    )


def on_host() -> list[str]:
    """Subnets that the host already has a route to."""
    routes: list[str] = []
    for family in ('-4', '-6'):
        done = subprocess.run(
            ['ip', family, 'route', 'show', 'table', 'all'],
            capture_output=True,
            text=True,
            check=False,
        )
        routes += [word for line in done.stdout.splitlines() for word in line.split()[:2]]
    return [r for r in routes if _is_subnet(r)]


def _is_subnet(text: str) -> bool:
    try:
        return ipaddress.ip_network(text, strict=False).prefixlen > 0
    except ValueError:
        return False
