"""Carries out one event of a plan: armed, injected, seen to land, held, healed, seen healed.

Whatever ends it (the plan, an error, a cancelled task, Ctrl-C), what was armed is healed: the heal is the exit of a
context manager, and runs to its end in a task of its own.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Literal

from matrix import programs
from matrix.faults import fault
from matrix.grammar import located
from matrix.history import journal, notes
from matrix.juju import link
from matrix.plans import plan, snapshot

Write = Callable[[journal.What], object]
Outcome = Literal['refused', 'unproven', 'unhealed', 'healed']

HURRY = 60.0
"""Seconds that the proof of a heal is still waited for once the run is told to end: a machine's own timer goes on."""

LATE = 20.0
"""Seconds beyond its time that one look for a proof may take."""


@dataclasses.dataclass(frozen=True)
class FaultResult:
    """What an event came to.

    `refused`: it was not carried out; `unproven`: nobody saw it land; `unhealed`: it landed, and was not seen healed;
    `healed`: all of it was seen. `sentence` is the proof of landing, or why there is none.
    """

    event: plan.FaultEvent
    outcome: Outcome
    sentence: str


class Busy:
    """Which machines are under which exclusive faults now; one for all events of a run."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], asyncio.Lock] = collections.defaultdict(asyncio.Lock)

    @contextlib.asynccontextmanager
    async def alone(self, word: str, machines: tuple[str, ...]) -> AsyncGenerator[None]:
        """Wait until no other fault with this word strikes any of these machines."""
        async with contextlib.AsyncExitStack() as stack:
            for machine in sorted({*machines}) if word else ():
                await stack.enter_async_context(self._locks[word, machine])
            yield


def injection(event: plan.FaultEvent, at: link.Link) -> fault.Injection:
    """The event at work in the model as it is now."""
    model = at.now()
    hit = machines(event.targets, model)
    peers = [
        address
        for machine in model.machines
        if machine.id not in hit
        for address in machine.addresses
    ]
    return fault.Injection(event, event.targets, tuple(peers), at, dict(event.parameters))


def machines(targets: tuple[str, ...], model: snapshot.Model) -> tuple[str, ...]:
    """The machines of units, of machines, and of whole applications."""
    units = [unit for one in model.applications for unit in one.units]
    found = [one.id for one in model.machines if one.id in targets]
    found += [unit.machine for unit in units if {unit.name, unit.application} & {*targets}]
    return tuple(dict.fromkeys(one for one in found if one))


async def _widened(here: fault.Injection) -> fault.Injection:
    """With addresses that Juju does not show, such as a virtual one that a neighbour holds now."""
    model = here.link.now()
    hit = machines(here.targets, model)
    own = {address for one in model.machines if one.id in hit for address in one.addresses}

    async def one(machine: str) -> list[str]:
        try:
            ran = await here.link.script(machine, _ADDRESSES, within=30.0)
        except link.LinkError:
            return []
        return ran.output.split() if ran.code == 0 else []

    others = [one(machine.id) for machine in model.machines if machine.id not in hit]
    more = {address for said in await asyncio.gather(*others) for address in said} - own
    known = {*here.peers}
    return dataclasses.replace(here, peers=(*here.peers, *sorted(more - known)))


_ADDRESSES = 'ip -o addr show scope global 2>/dev/null | awk \'{sub(/[/].*/, "", $4); print $4}\''


async def drive(
    one: fault.Fault,
    event: plan.FaultEvent,
    at: link.Link,
    write: Write,
    *,
    busy: Busy | None = None,
    now: Callable[[], float] = time.monotonic,
    pause: float = 0.5,
) -> FaultResult:
    """Carry out one event, and write down what is seen.

    Args:
        one: the fault.
        event: with its targets.
        at: the model.
        write: appends to the journal.
        busy: keeps exclusive faults apart; without it they are not.
        now: seconds, by a clock that never goes back.
        pause: seconds between two looks for a proof.

    Raises:
        asyncio.CancelledError: it was cancelled; what was armed has been healed by then.
    """
    word = one.exclusive if busy is not None else ''
    async with (busy or Busy()).alone(word, machines(event.targets, at.now())):
        here = injection(event, at)
        reason = await _refusal(one, here)
        if reason:
            return _refused(one, event, write, reason)
        if 'neighbours' in one.needs:
            here = await _widened(here)
        drive = _Drive(one, here, write, now, pause)
        return await drive.run()


async def _refusal(one: fault.Fault, here: fault.Injection) -> str:
    if not here.targets:
        return 'there is nothing to strike'
    if one.spare:
        left = _left(here)
        for application, count in left.items():
            if count < one.spare:
                return f'it would leave {application} with {count} unit(s), and {one.spare} must be left'
    try:
        return await one.unable(here)
    except (link.LinkError, ValueError) as error:
        return str(error)


def _left(here: fault.Injection) -> dict[str, int]:
    """Units that would go on undisturbed, by application: of those that are aimed at, as units or by machine."""
    model = here.link.now()
    targets = {*here.targets}
    hit = {*machines(here.targets, model)}
    aimed = {
        one.name
        for one in model.applications
        if not one.subordinate
        and any(unit.name in targets or unit.machine in targets for unit in one.units)
    }
    return {
        one.name: sum(unit.name not in targets and unit.machine not in hit for unit in one.units)
        for one in model.applications
        if one.name in aimed
    }


def _refused(one: fault.Fault, event: plan.FaultEvent, write: Write, reason: str) -> FaultResult:
    write(
        journal.Note(notes.REFUSED, {'event': event.id, 'fault': one.kind.name, 'reason': reason})
    )
    return FaultResult(event, 'refused', reason)


def _counts(here: fault.Injection) -> dict[str, located.Plain]:
    model = here.link.now()
    hit = machines(here.targets, model)
    touched = [
        one
        for one in model.applications
        if one.name in here.targets
        or any(unit.name in here.targets or unit.machine in hit for unit in one.units)
    ]
    counts: dict[str, located.Plain] = {
        one.name: len(one.units) for one in touched if not one.subordinate
    }
    return {'event': here.event.id, 'counts': counts}


@dataclasses.dataclass
class _Drive:
    one: fault.Fault
    here: fault.Injection
    write: Write
    now: Callable[[], float]
    pause: float
    ready: bool = False
    healed: str = ''
    deadline: float = math.inf

    async def run(self) -> FaultResult:
        event = self.here.event
        try:
            async with self.armed():
                await self.one.inject(self.here)
                landed = await self.proof(self.one.landed, self.one.within[0])
                if landed:
                    self.say('landed', landed)
                    await asyncio.sleep(event.hold)
        except link.LinkError as error:
            driven = _refused(self.one, event, self.write, str(error))
            unproven = isinstance(error, fault.HopelessError)
            return dataclasses.replace(driven, outcome='unproven') if unproven else driven
        if not landed:
            reason = f'it was not seen to land within {self.one.within[0]:g} s'
            return dataclasses.replace(
                _refused(self.one, event, self.write, reason), outcome='unproven'
            )
        return FaultResult(event, 'healed' if self.healed else 'unhealed', landed)

    @contextlib.asynccontextmanager
    async def armed(self) -> AsyncGenerator[None]:
        """From before the first thing is broken to after the last is mended, come what may."""
        try:
            await self.one.arm(self.here)
            self.ready = True
            if not self.one.reversible:
                self.write(journal.Note(notes.UNITS, _counts(self.here)))
            if self.one.undo is not None:
                commands: located.Plain = [[*one] for one in self.one.undo(self.here)]
                value: located.Plain = {'event': self.here.event.id, 'commands': commands}
                self.write(journal.Note(notes.UNDO, value))
            self.say('armed')
            yield
        finally:
            await programs.to_its_end(self.heal(), self.hurry)

    async def heal(self) -> None:
        """Heal, again and again until that is seen or its time is over; the machine's own timer comes after that."""
        self.deadline = self.now() + self.one.within[1]
        while not self.healed and self.now() < self.deadline:
            try:
                await self.one.heal(self.here)
            except fault.HopelessError:
                return
            except link.LinkError:
                await asyncio.sleep(self.pause)
                continue
            if not self.ready:
                return  # What was not armed was not injected either: there is nothing to see.
            try:
                self.healed = await self.proof(
                    self.one.healed, self.deadline - self.now(), healing=True
                )
            except fault.HopelessError as error:
                self.write(
                    journal.Note(
                        notes.REFUSED,
                        {
                            'event': self.here.event.id,
                            'fault': self.one.kind.name,
                            'reason': str(error),
                        },
                    )
                )
                return
        if self.healed:
            self.say('healed', self.healed)

    def hurry(self) -> None:
        """Somebody wants to end: the heal has been ordered, and is not waited for any longer than this."""
        self.deadline = min(self.deadline, self.now() + HURRY)

    async def proof(
        self,
        look: Callable[[fault.Injection], Awaitable[fault.Proof]],
        within: float,
        *,
        healing: bool = False,
    ) -> fault.Proof:
        """What is seen, as soon as something is; nothing, when the time is over."""
        deadline = self.now() + within
        while True:
            try:
                # A look that began in time may end late: a busy machine is slow to be asked.
                async with asyncio.timeout(max(0.0, deadline - self.now()) + LATE):
                    seen = await look(self.here)
            except fault.HopelessError:
                raise
            except (link.LinkError, TimeoutError):
                seen = ''  # A machine that cannot be asked proves nothing.
            if healing:
                deadline = min(deadline, self.deadline)
            if seen or self.now() >= deadline:
                return seen
            await asyncio.sleep(self.pause)

    def say(self, phase: Literal['armed', 'landed', 'healed'], proof: str = '') -> None:
        event = self.here.event
        self.write(journal.Fault(event.id, self.one.kind.name, phase, self.here.targets, proof))
