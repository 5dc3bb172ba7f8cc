"""What each machine does next, kept with the model and looked at anew only where something has changed.

``core.schedule`` says what that is; here is remembered what it said, and for whom it may have become something else.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from . import affected, resolver, secrets
from .model import Model, Unit
from .operations import Operation, RunHook

Look = Callable[[Model, str, float], Operation | None]
"""What a machine does next, worked out from the model alone."""


class Agenda:
    """What machines do next, of the model that was last looked at."""

    def __init__(self, look: Look):
        self._look = look
        self._seen: Model | None = None
        self._next: dict[str, Operation] = {}
        self._to_look: set[str] = set()
        """Machines for which it may be something else by now."""
        self._outdated: set[str] = set()
        """Machines that go on having a hook to run, if not the same one."""
        self._timers: list[tuple[float, str]] = []
        self._set: set[tuple[float, str]] = set()
        """What is in the heap of timers."""

    def follow(self, model: Model, busy: frozenset[str], now: float) -> None:
        """Bring it up to date. Nothing is begun on machines that are *busy*."""
        self._note(model)
        self._wake(model, now)
        for machine in busy & self._next.keys():
            del self._next[machine]
            self._to_look.add(machine)
        for machine in self._to_look - busy:
            self._look_at(model, machine, now)
        self._to_look &= busy

    def _note(self, model: Model) -> None:
        if model is self._seen:
            return
        found = affected.between(self._seen, model)
        self._seen = model
        self._to_look |= found.machines
        for name in found.units:
            unit = model.units.get(name)
            if unit is not None:
                self._to_look.add(unit.machine)
                self._set_timers(unit)
        for name in found.news - found.units:
            unit = model.units.get(name)
            if unit is not None:
                known = isinstance(self._next.get(unit.machine), RunHook)
                (self._outdated if known else self._to_look).add(unit.machine)

    def _look_at(self, model: Model, machine: str, now: float) -> None:
        self._outdated.discard(machine)
        found = self._look(model, machine, now) if machine in model.machines else None
        if found is None:
            self._next.pop(machine, None)
        else:
            self._next[machine] = found

    def _set_timers(self, unit: Unit) -> None:
        for at in (resolver.wake_at(unit), unit.agent.rests_until):
            if at and (at, unit.name) not in self._set:
                self._set.add((at, unit.name))
                heapq.heappush(self._timers, (at, unit.name))

    def _wake(self, model: Model, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            self._set.discard(self._timers[0])
            name = heapq.heappop(self._timers)[1]
            if name in model.units:
                self._to_look.add(model.units[name].machine)
        for name in secrets.whose_time_has_come(model, now):
            if name in model.units:
                self._to_look.add(model.units[name].machine)

    def others(self) -> list[Operation]:
        """All that is to be done but hooks that no task asked for."""
        return [o for o in self._next.values() if not is_hook(o)]

    def hooks(self) -> list[RunHook]:
        """Hooks that may run, one a machine; which it is :meth:`anew` says when its turn comes."""
        return [o for o in self._next.values() if isinstance(o, RunHook) and is_hook(o)]

    def anew(self, model: Model, machine: str, now: float) -> Operation | None:
        """What a machine does next at this moment."""
        if machine in self._outdated:
            self._look_at(model, machine, now)
        return self._next.get(machine)

    def wake_at(self, model: Model, now: float) -> float | None:
        """The first time after *now* at which a unit's time comes."""
        self._note(model)
        while self._timers and not _holds(model, *self._timers[0]):
            self._set.discard(heapq.heappop(self._timers))
        if self._timers and self._timers[0][0] > now:
            return self._timers[0][0]
        later = [at for at, name in self._timers if at > now and _holds(model, at, name)]
        return min(later, default=None)


def _holds(model: Model, at: float, name: str) -> bool:
    unit = model.units.get(name)
    return unit is not None and at in (resolver.wake_at(unit), unit.agent.rests_until)


def is_hook(operation: Operation) -> bool:
    """Whether it is a hook that nobody at a keyboard waits for."""
    return isinstance(operation, RunHook) and not operation.hook.task
