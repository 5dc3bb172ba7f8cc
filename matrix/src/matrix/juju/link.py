"""What the rest of matrix may ask of a model. `live.py` does it through jubilant; tests do it with values."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from matrix.plans import snapshot


class LinkError(Exception):
    """Juju or a machine did not do what it was asked; the text says what, and holds no secret."""


@dataclasses.dataclass(frozen=True)
class ScriptResult:
    """What a script on a machine came to."""

    code: int
    output: str
    """Its standard output and standard error, as they came; the last 64 KiB of it."""


class Link(Protocol):
    """One model."""

    @property
    def model(self) -> str:
        """Its name."""
        ...

    def now(self) -> snapshot.Model:
        """The newest status that is known; asks nobody."""
        ...

    async def fresh(self) -> snapshot.Model:
        """A status that was asked for after this call."""
        ...

    def changes(self) -> AsyncIterator[snapshot.Model]:
        """The status now, and each one that differs from the one before. One asker serves all."""
        ...

    async def script(
        self,
        target: str,
        text: str,
        *,
        env: Mapping[str, str] | None = None,
        within: float = 30.0,
    ) -> ScriptResult:
        """Run a shell script as root on a unit's machine (or a machine by id), over ssh: not through the unit's agent.

        Script and environment go over standard input, so neither shows in a process list. Never raises for what the
        script does; `LinkError` when the machine cannot be reached within so many seconds.
        """
        ...

    async def run_action(
        self, unit: str, action: str, params: Mapping[str, object], *, within: float
    ) -> Mapping[str, object]:
        """Run an action to its end; `unit` may be `app/leader`. LinkError when it fails."""
        ...

    async def add_unit(self, application: str, count: int = 1, to: str | None = None) -> None:
        """Ask for more units."""
        ...

    async def remove_unit(self, unit: str, *, force: bool = False) -> None:
        """Ask for a unit to be removed."""
        ...

    async def cli(self, *args: str, within: float = 60.0) -> str:
        """Any other `juju` command on this model; its standard output."""
        ...
