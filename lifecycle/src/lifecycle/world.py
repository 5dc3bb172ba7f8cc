"""What a run may ask of the world. `juju.py` does it with a real model; tests do it with one in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class WorldError(Exception):
    """Juju did not do what it was asked; the text says what, and what Juju said. It holds no secret."""


class NotYetError(WorldError):
    """A charm refuses an action as long as other units are not as far; the text says which."""


class UnchangedError(WorldError):
    """A charm's action has failed, and says that it has changed nothing; the text says why."""


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

    def declarations(self, units: Sequence[str]) -> Mapping[str, str | WorldError | None]:
        """The text of `lifecycle.yaml` of each unit's charm, or why it cannot be read; None: there is none."""
        ...

    def disks(self, units: Sequence[str]) -> Mapping[str, int]:
        """Bytes left on the root file system of each unit's machine; one that does not answer is left out."""
        ...

    def last_run(self, application: str, action: str) -> float | None:
        """When an action has last ended well on a unit, in seconds since the epoch; None: Juju knows of none."""
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

    def options(self, applications: Sequence[str], name: str) -> Mapping[str, str | None]:
        """An option's value by application; None when there is no such option."""
        ...

    def set_option(self, application: str, name: str, value: str) -> None:
        """Give an option another value."""
        ...

    def refresh(self, application: str, path: str) -> None:
        """Give an application the charm that lies at *path*."""
        ...

    def add_unit(self, application: str) -> None:
        """Add one."""
        ...

    def run_action(
        self, unit: str, action: str, within: float, meanwhile: Callable[[], object]
    ) -> Mapping[str, str]:
        """Run an action to its end: its results; WorldError when it fails or takes longer than so many seconds.

        NotYetError where the charm says that not all units are as far, UnchangedError where it says that nothing was
        changed.

        *meanwhile* is called at least once a minute until then.
        """
        ...

    def remove_unit(self, unit: str) -> None:
        """Ask for it to be removed."""
        ...
