"""What a value of an option must be beyond its form, where it is set anew. Pure.

A value can have the right form and shut everybody out. Such a one is refused when it is new. One that was in force
before stays in force and is named: a refresh of the charm, which may know more limits than the version before, takes
nothing away. So a limit that comes later goes here, and never into the reader of the option (:mod:`balancer.options`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import behaviour, validation

MOST_CONNECTIONS = 1_000_000
_LEAST_CONNECTIONS = 100


def check(name: str, value: Any) -> None:
    """Whether the option *name* may be set to *value*, as its reader has it.

    Raises:
        validation.InvalidError: it is beyond the limits.
    """
    if limit := _LIMITS.get(name):
        limit(value, name)


def _connections(value: int, name: str) -> None:
    """0, or so many that the load balancer's own checks and a few clients have room."""
    if value:
        validation.integer(value, name, _LEAST_CONNECTIONS, MOST_CONNECTIONS)


def _outsiders(value: tuple[str, ...], name: str) -> None:
    """Networks of what stands in front: everybody else speaks otherwise, and is not to be believed."""
    if every := next((n for n in value if n.endswith('/0')), ''):
        raise validation.InvalidError(
            f'{name}: {every} is everybody; wanted: the networks of the outside load balancer'
        )


def _services(value: Mapping[str, Mapping[str, Any]], name: str) -> None:
    for key, data in value.items():
        where = f'{name} {key}'
        found = behaviour.overridden(behaviour.UNKNOWN, data, where, operator=True)
        behaviour.within_limits(found, where)


_LIMITS: Mapping[str, Callable[[Any, str], None]] = {
    'maxconn': _connections,
    'proxy-protocol-from': _outsiders,
    'forwarded-from': _outsiders,
    'service-options': _services,
}
NAMES = frozenset(_LIMITS)
"""Options that have limits."""
