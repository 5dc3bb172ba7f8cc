"""What a run may ask of the world. `juju.py` does it with a real model; tests do it with one in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class WorldError(Exception):
    """Juju did not do what it was asked; the text says what, and what Juju said. It holds no secret."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """The record's secret as it is."""

    revision: int
    content: Mapping[str, object]


class World(Protocol):
    """One model, and a clock. Every call ends within a limit of time, or raises WorldError."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def status(self) -> Mapping[str, Any]:
        """`juju status --format json`."""
        ...

    def show_units(self, names: Sequence[str]) -> Mapping[str, Any]:
        """`juju show-unit --format json`; a unit that has gone meanwhile is left out."""
        ...

    def declaration(self, unit: str) -> str | None:
        """The text of `lifecycle.yaml` in the folder of the unit's charm; None when there is none."""
        ...

    def kept(self, revision: int | None = None) -> Kept | None:
        """The record's secret, or a revision of it; None when there is none."""
        ...

    def keep(self, content: Mapping[str, str], *, first: bool) -> None:
        """Write the record's secret; `first` makes it, and raises WorldError where it is there already."""
        ...

    @property
    def me(self) -> str:
        """Who this is: a user, a machine, a process."""
        ...

    def is_gone(self, who: str) -> bool:
        """Whether it is certain that a process that this once was (`me`) has ended."""
        ...

    def set_base(self, application: str, base: str, *, declared: bool) -> None:
        """Have the units that are added from now on have another base, which the charm may have *declared*."""
        ...

    def option(self, application: str, name: str) -> str | None:
        """An option's value; None when there is no such option."""
        ...

    def set_option(self, application: str, name: str, value: str) -> None:
        """Give an option another value."""
        ...

    def add_unit(self, application: str) -> None:
        """Add one."""
        ...

    def run_action(self, unit: str, action: str, within: float) -> None:
        """Run an action to its end; WorldError when it fails or takes longer than so many seconds."""
        ...

    def remove_unit(self, unit: str) -> None:
        """Ask for it to be removed."""
        ...
