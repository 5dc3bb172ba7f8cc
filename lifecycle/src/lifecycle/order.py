"""In which order applications are moved: each after those that provide what it says it comes after. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lifecycle.observed import Application
from lifecycle.problem import ProblemError


def ordered(applications: Iterable[Application]) -> tuple[Application, ...]:
    """*applications* in order; those whose charm declares nothing come last, else names decide.

    Raises:
        ProblemError: some come after one another; names them.
    """
    every = {app.name: app for app in applications}
    providers: dict[str, set[str]] = {}
    for app in every.values():
        for word in app.declaration.provides:
            providers.setdefault(word, set()).add(app.name)
    waits = {
        app.name: {p for word in app.declaration.after for p in providers.get(word, ())}
        - {app.name}
        for app in every.values()
    }
    found: list[Application] = []
    while waits:
        free = [name for name, before in waits.items() if not before]
        if not free:
            raise ProblemError(_circle(waits))
        name = min(free, key=lambda one: (not every[one].declaration.written, one))
        found.append(every[name])
        del waits[name]
        for before in waits.values():
            before.discard(name)
    return tuple(found)


def _circle(waits: Mapping[str, set[str]]) -> str:
    """What to tell of applications of which none may be first."""
    path = [min(waits)]
    while (following := min(waits[path[-1]])) not in path:
        path.append(following)
    circle = [*path[path.index(following) :], following]
    reported = ' comes after '.join(circle)
    return f'the charms say of one another that they come first: {reported} (`after` in their lifecycle.yaml)'
