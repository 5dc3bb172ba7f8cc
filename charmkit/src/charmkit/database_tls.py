"""TLS to the database: whom its drivers trust, and what is published to the server once they all verify it. Pure.

The drivers read the file anew for each connection, so another authority needs no restart. The server refuses a unit's
account without TLS from when the unit says that it comes that way: that is when no process of the unit is left which
read its configuration before (:mod:`charmkit.relations.mysql`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import host, state
from .relations import Databag, mysql

RELATION = 'shared-db'


def files(found: Iterable[object]) -> tuple[host.File, ...]:
    """Whom the drivers trust; *found* is what the unit's relations have granted it."""
    return tuple(
        host.File(path=path, content=ca)
        for path, ca in sorted({d.ca_path: d.ca for d in _with_tls(found)}.items())
    )


def published_before(inputs: state.Inputs) -> Databag:
    """What was published to the server, of a unit that goes on as it was."""
    bags = (r.published.get(mysql.IN_FORCE, '') for r in inputs.of(RELATION))
    return {mysql.IN_FORCE: next(filter(None, bags), '')}


def published(inputs: state.Inputs, found: Iterable[object], *, in_force: bool) -> Databag:
    """What is published to the server; *in_force*: every process has the configuration of this run."""
    if not in_force or inputs.failed or inputs.refused:
        return published_before(inputs)
    marks = (mysql.mark(d.ca) for d in _with_tls(found))
    return {mysql.IN_FORCE: next(marks, '')}


def with_published(asked: Mapping[str | int, Databag], more: Databag) -> dict[str | int, Databag]:
    """*asked*, with *more* for the server, and nothing that was published to it before."""
    if RELATION not in asked:
        return dict(asked)
    without = {k: v for k, v in asked[RELATION].items() if k != mysql.IN_FORCE}
    return {**asked, RELATION: {**without, **{k: v for k, v in more.items() if v}}}


def _with_tls(found: Iterable[object]) -> list[mysql.Database]:
    return [d for d in found if isinstance(d, mysql.Database) and d.ca]
