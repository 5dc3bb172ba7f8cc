"""A model that is as it is told, and a fault that does what a test says: for tests of faults."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar

from matrix.faults import fault, inject
from matrix.history import journal, notes
from matrix.juju import link
from matrix.plans import plan, snapshot

T = TypeVar('T')


def run(work: Awaitable[T]) -> T:
    """What a fault's question comes to."""

    async def main() -> T:
        return await work

    return asyncio.run(main())


def _unit(name: str, machine: str) -> snapshot.Unit:
    return snapshot.Unit(name, machine)


def _well(_target: str, _text: str, _env: Mapping[str, str]) -> link.ScriptResult:
    return link.ScriptResult(0, '')


def _machine(number: int) -> snapshot.Machine:
    return snapshot.Machine(str(number), addresses=(f'10.0.0.{number}', f'fd00::{number}'))


MODEL = snapshot.Model(
    (
        snapshot.Application('db', (_unit('db/0', '0'), _unit('db/1', '1'))),
        snapshot.Application('web', (_unit('web/0', '2'),)),
    ),
    tuple(_machine(number) for number in range(3)),
)


@dataclasses.dataclass
class FakeLink:
    """A model that is as it is told."""

    answer: Callable[[str, str, Mapping[str, str]], link.ScriptResult] = _well
    state: snapshot.Model = MODEL
    model: str = 'm'
    ran: list[tuple[str, str, Mapping[str, str]]] = dataclasses.field(
        default_factory=list[tuple[str, str, Mapping[str, str]]]
    )
    asked: list[str] = dataclasses.field(default_factory=list[str])

    def now(self) -> snapshot.Model:
        return self.state

    async def fresh(self) -> snapshot.Model:
        return self.state

    async def changes(self) -> AsyncIterator[snapshot.Model]:
        yield self.state

    async def script(
        self, target: str, text: str, *, env: Mapping[str, str] | None = None, within: float = 30.0
    ) -> link.ScriptResult:
        self.ran.append((target, text, env or {}))
        return self.answer(target, text, env or {})

    async def run_action(
        self, unit: str, action: str, params: Mapping[str, object], *, within: float
    ) -> Mapping[str, object]:
        raise link.LinkError(f'{unit} has no action {action}')

    async def add_unit(self, application: str, count: int = 1, to: str | None = None) -> None:
        self.asked.append(f'add {application} {count}')

    async def remove_unit(self, unit: str, *, force: bool = False) -> None:
        self.asked.append(f'remove {unit}')

    async def cli(self, *args: str, within: float = 60.0) -> str:
        self.asked.append(' '.join(args))
        return ''


@dataclasses.dataclass
class Stage:
    """A fault that does what a test says, and a list of what was done to it."""

    proof: str = 'seen'
    unable: str = ''
    healed: str = 'well'
    fails: frozenset[str] = frozenset()
    fails_once: frozenset[str] = frozenset()
    hangs: str = ''
    done: list[str] = dataclasses.field(default_factory=list[str])
    written: list[journal.What] = dataclasses.field(default_factory=list[journal.What])

    async def step(self, name: str) -> None:
        before = self.done.count(name)
        self.done.append(name)
        if self.hangs == name:
            await asyncio.sleep(60)
        if name in self.fails or (name in self.fails_once and not before):
            raise link.LinkError(f'{name} failed')

    def fault(self, **more: object) -> fault.Fault:
        async def unable(_: fault.Injection) -> str:
            await self.step('unable')
            return self.unable

        def act(name: str):
            async def run(_: fault.Injection) -> None:
                await self.step(name)

            return run

        def look(name: str, said: str):
            async def run(_: fault.Injection) -> str:
                await self.step(name)
                return said

            return run

        made = fault.Fault(
            kind=plan.Kind('freeze', ()),
            sentence='{target} is frozen',
            colour='#000000',
            unable=unable,
            arm=act('arm'),
            inject=act('inject'),
            landed=look('landed', self.proof),
            heal=act('heal'),
            healed=look('healed', self.healed),
            spare=0,
            within=(0.05, 0.2),
        )
        return dataclasses.replace(made, **more)  # pyright: ignore[reportArgumentType]

    async def drive(
        self, event: plan.FaultEvent | None = None, busy: inject.Busy | None = None, **more: object
    ) -> inject.FaultResult:
        event = event or plan.FaultEvent('e1', 'freeze', 0, 0.01, (), ('db/0',))
        return await inject.drive(
            self.fault(**more), event, FakeLink(), self.written.append, busy=busy, pause=0.01
        )

    @property
    def phases(self) -> list[str]:
        return [one.phase for one in self.written if isinstance(one, journal.Fault)]

    @property
    def refused(self) -> list[str]:
        return [
            str(one.value['reason'])
            for one in self.written
            if isinstance(one, journal.Note)
            and one.kind == notes.REFUSED
            and isinstance(one.value, dict)
        ]
