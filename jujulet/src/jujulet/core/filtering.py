"""``juju status SELECTOR…``: the part of a status that selectors name. Source: Juju's documentation of status.

A selector is an application, a unit, a machine, a pattern of these, or the word of a workload status.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def status(full: Json, selectors: Sequence[str]) -> dict[str, Any]:
    """*full* with only the units that some selector names, and the applications and machines that they are of."""
    selectors = [_leader(full, selector) for selector in selectors]
    applications: dict[str, Any] = {}
    machines: set[str] = {name for name in full['machines'] if _any(name, selectors)}
    for name, app in full['applications'].items():
        named = _any(name, selectors)
        units = {
            u: unit
            for u, unit in app.get('units', {}).items()
            if named or _unit(u, unit, selectors)
        }
        if named or units:
            applications[name] = {k: v for k, v in app.items() if k != 'units'}
        if units:
            applications[name]['units'] = units
        for unit in units.values():
            machines.add(unit['machine'])
            # A subordinate is only seen below its principal.
            for below in unit.get('subordinates', {}):
                other = below.rpartition('/')[0]
                applications.setdefault(other, full['applications'][other])
    out = {**full, 'applications': applications}
    out['machines'] = {k: m for k, m in full['machines'].items() if k in machines}
    out['relations'] = [
        r
        for r in full.get('relations', [])
        if any(r[side].partition(':')[0] in applications for side in ('provider', 'requirer'))
    ]
    return out


def _leader(full: Json, selector: str) -> str:
    """``APP/leader`` as the unit that it is (source: ``resolveLeaderUnits`` of the client facade's status.go)."""
    application, _, word = selector.partition('/')
    if word != 'leader':
        return selector
    for name, unit in _every_unit(full):
        if name.rpartition('/')[0] == application and unit.get('leader'):
            return name
    return selector


def _every_unit(full: Json) -> Iterator[tuple[str, Json]]:
    for app in full['applications'].values():
        for name, unit in app.get('units', {}).items():
            yield name, unit
            yield from unit.get('subordinates', {}).items()


def _any(name: str, selectors: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, s) for s in selectors)


def _unit(name: str, unit: Json, selectors: Sequence[str]) -> bool:
    return (
        _any(name, selectors)
        or unit.get('machine') in selectors
        or unit['workload-status']['current'] in selectors
        or any(
            _any(n.rpartition('/')[0], selectors) or _unit(n, u, selectors)
            for n, u in unit.get('subordinates', {}).items()
        )
    )
