"""Which applications wait for which: what many others need comes first where processors are few. Pure.

A database that is deployed with twenty others has no more of a processor than each of those that can do nothing
without it. So machines of what others require start first, and have a larger share of the processors as long as
there are not enough: a relation's requirer waits for its provider, through as many relations as there are between.
"""

from __future__ import annotations

from collections.abc import Iterable

from .model import Model

SHARES = 1024
"""Of a machine that nobody waits for: what a container has by itself."""
_MORE = 7
"""How many times that in addition has one that all others wait for."""


def dependents(model: Model) -> dict[str, frozenset[str]]:
    """By application: the others that require it, themselves or through others. Those that go round have each other."""
    requirers: dict[str, set[str]] = {name: set() for name in model.applications}
    for relation in model.relations.values():
        if len(relation.endpoints) == 2:
            provider, requirer = (e.application for e in relation.endpoints)
            if requirer in requirers:
                requirers.setdefault(provider, set()).add(requirer)
    return {name: _reached(requirers, name) for name in model.applications}


def _reached(requirers: dict[str, set[str]], name: str) -> frozenset[str]:
    found: set[str] = set()
    todo = [name]
    while todo:
        for other in requirers.get(todo.pop(), ()):
            if other not in found:
                found.add(other)
                todo.append(other)
    return frozenset(found - {name})


def first(model: Model, machines: Iterable[str]) -> list[str]:
    """*machines*, those whose units most others wait for before the rest; else in the order given."""
    counts = _counts(model)
    return sorted(machines, key=lambda machine: -counts.get(machine, 0))


def cpu_shares(model: Model, machine: str) -> int:
    """How much of busy processors a machine gets beside others: 1024 and up to eight times that."""
    others = len(model.applications) - 1
    return SHARES + (SHARES * _MORE * _counts(model).get(machine, 0) // others if others else 0)


def _counts(model: Model) -> dict[str, int]:
    """By machine: how many applications wait for what is on it."""
    by_application = {name: len(found) for name, found in dependents(model).items()}
    counts: dict[str, int] = {}
    for unit in model.units.values():
        more = by_application.get(unit.application, 0)
        counts[unit.machine] = max(more, counts.get(unit.machine, 0))
    return counts
