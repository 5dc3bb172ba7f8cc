"""TLS to servers that are shared (database, message queue): whom a unit trusts, and what it publishes. Pure.

Drivers read the file anew for each connection, so another authority needs no restart. A server takes a unit by nothing
but TLS from when the unit says that it comes that way: that is when no process of the unit is left which read its
configuration before (:mod:`charmkit.relations.server_tls`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import host, state
from .relations import Databag, Need, mysql, rabbitmq, server_tls

Found = Mapping[Need[Any], object]
"""What a unit's relations have granted it."""


def files(found: Found) -> tuple[host.File, ...]:
    """Whom the drivers trust."""
    every = {d.ca_path: d.ca for _, d in _with_tls(found)}
    return tuple(host.File(path=path, content=ca) for path, ca in sorted(every.items()))


def published_before(inputs: state.Inputs, found: Found) -> dict[str, str]:
    """What was published to each server, by relation: of a unit that goes on as it was."""
    relations = {need.relation for need in found}
    return {name: mark for name in relations if (mark := _said(inputs, name))}


def published(inputs: state.Inputs, found: Found, *, in_force: bool) -> dict[str, str]:
    """What is published to each server, by relation; *in_force*: every process has the configuration of this run."""
    if not in_force or inputs.failed or inputs.refused:
        return published_before(inputs, found)
    marks: dict[str, str] = {}
    for need, data in _with_tls(found):
        marks.setdefault(need.relation, server_tls.mark(data.ca))
    return marks


def with_published(
    asked: Mapping[str | int, Databag], marks: Mapping[str, str]
) -> dict[str | int, Databag]:
    """*asked*, with *marks* for the servers, and nothing that was published to them before."""
    return {key: _marked(bag, marks.get(str(key), '')) for key, bag in asked.items()}


def _marked(bag: Databag, mark: str) -> Databag:
    without = {k: v for k, v in bag.items() if k != server_tls.IN_FORCE}
    return {**without, server_tls.IN_FORCE: mark} if mark else without


def _said(inputs: state.Inputs, relation: str) -> str:
    bags = (r.published.get(server_tls.IN_FORCE, '') for r in inputs.of(relation))
    return next(filter(None, bags), '')


def _with_tls(found: Found) -> Iterable[tuple[Need[Any], mysql.Database | rabbitmq.Broker]]:
    for need, data in found.items():
        if isinstance(data, mysql.Database | rabbitmq.Broker) and data.ca:
            yield need, data
