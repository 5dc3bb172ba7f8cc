"""A link to a model of values, for tests of what asks one."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping

from matrix.juju import link
from matrix.plans import snapshot


@dataclasses.dataclass
class Linked:
    """A model that never changes; whoever asks more of it than it has gets a LinkError."""

    snapshot: snapshot.Model
    actions: Mapping[str, Mapping[str, object]] = dataclasses.field(
        default_factory=dict[str, Mapping[str, object]]
    )
    answers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    model: str = 'test'

    def now(self) -> snapshot.Model:
        return self.snapshot

    async def fresh(self) -> snapshot.Model:
        return self.snapshot

    async def _changes(self) -> AsyncIterator[snapshot.Model]:
        yield self.snapshot

    def changes(self) -> AsyncIterator[snapshot.Model]:
        return self._changes()

    async def script(
        self, target: str, text: str, *, env: Mapping[str, str] | None = None, within: float = 30
    ) -> link.ScriptResult:
        raise link.LinkError('no machine')

    async def run_action(
        self, unit: str, action: str, params: Mapping[str, object], *, within: float
    ) -> Mapping[str, object]:
        if action not in self.actions:
            raise link.LinkError(f'no action {action}')
        return self.actions[action]

    async def add_unit(self, application: str, count: int = 1, to: str | None = None) -> None:
        raise link.LinkError('no')

    async def remove_unit(self, unit: str, *, force: bool = False) -> None:
        raise link.LinkError('no')

    async def cli(self, *args: str, within: float = 60) -> str:
        if args[0] not in self.answers:
            raise link.LinkError(f'no {args[0]}')
        return self.answers[args[0]]


def one_unit(application: str, *ports: int, units: int = 1) -> snapshot.Application:
    """An application on loopback."""
    return snapshot.Application(
        application,
        tuple(
            snapshot.Unit(
                f'{application}/{n}',
                address='127.0.0.1',
                ports=tuple(f'{port}/tcp' for port in ports),
            )
            for n in range(units)
        ),
        charm=application,
    )
