"""Calls the operations of a load at a set rate, whatever becomes of them, and writes each one down.

Open loop: the moment of every operation is planned before, and no answer is waited for. A service that hangs is asked
on, as clients from outside would, and its latency counts from the planned moment (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import random
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Literal

from matrix.grammar import located
from matrix.history import journal, notes, profile, tracing
from matrix.load import client, load, outcome
from matrix.plans import streams

Write = Callable[[journal.What], object]
Arrivals = Literal['even', 'random']

RATE = 10.0
"""Operations a second: two cores serve cloud and tester alike."""

MOST_IN_FLIGHT = 200
LATE = 0.1
"""Seconds. An operation that starts later than this after its moment is not the bundle's: the runner was late."""

_NUMBERS = itertools.count(1)  # No two operations of a process share an id.
_DRAIN = 15.0  # seconds for what is in flight when the load is told to stop
_CLOSE = 30.0  # seconds for removing what the load made, where it says no other (`closes_within`)
_AGAIN = 5.0  # seconds until what lasts is looked at again, where it is not as it was
_LEFT = tuple(one.name for one in dataclasses.fields(load.Left))
_TRIES = 5  # of a read that nobody answers, before what it looked for counts as never read


@dataclasses.dataclass
class Clients:
    """The clients of one load. `tried`, `worked`, and by kind, count operations; all only grow."""

    load: load.Load
    kinds: tuple[load.Kind, ...]
    write: Write
    seed: int
    tried: int = 0
    worked: int = 0
    not_sent: int = 0
    kinds_tried: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter[str]
    )
    kinds_worked: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter[str]
    )
    _name: str = dataclasses.field(default_factory=lambda: f'c{next(_NUMBERS)}')
    _trace: str = dataclasses.field(default_factory=lambda: secrets.token_hex(8))
    _flying: set[asyncio.Task[str]] = dataclasses.field(default_factory=set[asyncio.Task[str]])
    _written: dict[str, list[located.Plain]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(list)
    )
    _first: dict[str, located.Plain] = dataclasses.field(default_factory=dict[str, located.Plain])
    _seen: dict[str, located.Plain] = dataclasses.field(default_factory=dict[str, located.Plain])

    def __post_init__(self) -> None:
        self._keeping = self.load if isinstance(self.load, load.Keeping) else None

    async def run(
        self,
        *,
        rate: float | profile.Profile = RATE,
        arrivals: Arrivals = 'even',
        most_in_flight: int = MOST_IN_FLIGHT,
        drain: float = _DRAIN,
    ) -> None:
        """Go on until cancelled; then end what is in flight, within `drain` seconds.

        Args:
            rate: operations a second, or how many when.
            arrivals: `even` spaces them alike, `random` as a Poisson stream from the seed.
            most_in_flight: beyond this many unanswered, an operation is not sent, which is noted as such (`load.late`).
            drain: seconds; what is unanswered then is `info`.
        """
        loop = asyncio.get_running_loop()
        plan = rate if isinstance(rate, profile.Profile) else profile.Profile(rate)
        due = moments(plan, arrivals, streams.stream(self.seed, 'load', 'arrivals'))
        turns = Turns(self.kinds)
        began = loop.time()
        self._say(notes.LOAD, self._plan(plan))
        moments_of = enumerate(due, 1)
        try:
            for number, moment in moments_of:
                await asyncio.sleep(max(0.0, began + moment - loop.time()))
                taken = turns.take()
                if taken is None:
                    continue  # No kind has anything to do: `load.end` shows what was planned.
                late = loop.time() - began - moment
                turn = next(_NUMBERS)
                self._send_within(most_in_flight, taken, f'{self._name}.{number}', late, turn)
                if (beside := turns.beside(*taken)) is not None:
                    # At this moment, in place of the next one: the rate stays what it is.
                    number, _ = next(moments_of)
                    self._send_within(most_in_flight, beside, f'{self._name}.{number}', late, turn)
        finally:
            await self._end(drain, loop.time() - began, turns.gave_away)

    @property
    def begun(self) -> bool:
        """Whether it has done some work, and all is there that the faults are to meet."""
        return self.worked > 0 and (self._keeping is None or self._keeping.begun)

    async def look_back(self, *, within: float = 120.0, again: float = _AGAIN) -> int:
        """Look once more at everything that lasts; returns how many there were.

        What is not as it was when it was made is looked at again every `again` seconds, until it is or the time is
        over: after a fault a cloud may need a while to say right things. Every look is written down.
        """
        keeping = self._keeping
        if keeping is None:
            return 0
        looks = {kind.name: kind for kind in self.kinds}
        wanted = [(looks[kind], value) for kind, value in keeping.held() if kind in looks]

        async def one(kind: load.Kind, value: located.Plain) -> None:
            while (kind.name, value) in keeping.held():  # Else it has been let go meanwhile.
                how = await self._once(kind, value, f'{self._name}.l{next(_NUMBERS)}', 0.0)
                if how == 'ok' and self._seen.get(repr(value)) == self._first.get(repr(value)):
                    return
                await asyncio.sleep(again)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within), asyncio.TaskGroup() as group:
                for kind, value in wanted:
                    group.create_task(one(kind, value))
        return len(wanted)

    async def clear(self, *, within: float = 300.0) -> None:
        """Let go of everything that lasts, and note what is left of it. The rest of the load goes on."""
        if self._keeping is not None and self.keeps:
            self._say(notes.LEFT, await self._keeping.clear(within=within))

    async def read_back(self, *, within: float = 60.0) -> int:
        """Read every acknowledged write once more; returns how many there were. May be called while the load runs.

        Of a load that has `last_reads`, what they name is read as well: every key of its things.

        A read that nobody answers is tried again, a few times. What is not read within so many seconds stays unread,
        which the checks see.
        """
        reads = {kind.name: kind for kind in self.kinds}
        wanted = [
            (reads[read], value)
            for write, read in self.load.writes
            for value in tuple(self._written[write])
            if read in reads
        ]
        looks: Callable[[], Sequence[tuple[str, located.Plain]]] | None
        looks = getattr(self.load, 'last_reads', None)
        some = () if looks is None else looks()
        wanted += [(reads[read], value) for read, value in some if read in reads]
        gate = asyncio.Semaphore(4)

        async def one(kind: load.Kind, value: located.Plain) -> None:
            for attempt in range(_TRIES):
                async with gate:
                    how = await self._once(kind, value, f'{self._name}.r{next(_NUMBERS)}', 0.0)
                if how == 'ok':
                    return
                await asyncio.sleep(0.2 * 2**attempt)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within), asyncio.TaskGroup() as group:
                for kind, value in wanted:
                    group.create_task(one(kind, value))
        return len(wanted)

    def _plan(self, plan: profile.Profile) -> dict[str, located.Plain]:
        found: dict[str, located.Plain] = {
            'kinds': [kind.name for kind in self.kinds],
            'weights': [kind.weight for kind in self.kinds],
            'rate': plan.first,
            'trace': self._trace,
            'sentence': self.load.sentence,
            'writes': [[write, read] for write, read in self.load.writes],
            'models': getattr(self.load, 'models', {}),
            'nothing': [[*pair] for pair in getattr(self.load, 'nothing', ())],
            'keeps': [[*kinds] for kinds in self.keeps],
        }
        if plan.stages:
            found['stages'] = [[one.seconds, one.rate] for one in plan.stages]
        return found

    @property
    def keeps(self) -> tuple[tuple[str, str, str], ...]:
        """Kinds of operation on what lasts: those that make it, look at it, let it go."""
        return () if self._keeping is None else self._keeping.keeps

    def _say(self, kind: str, value: located.Plain) -> None:
        self.write(journal.Note(kind, value))

    def _send_within(
        self, most: int, what: tuple[load.Kind, located.Plain], name: str, late: float, turn: int
    ) -> None:
        """Send an operation, unless too many are unanswered."""
        kind, asked = what
        if len(self._flying) < most:
            self._send(kind, asked, name, late, turn)
            return
        self.not_sent += 1
        why = f'{most} operations were unanswered'
        self._say(notes.LOAD_LATE, {'kind': kind.name, 'seconds': 0, 'not_sent': why})

    def _send(
        self, kind: load.Kind, asked: located.Plain, name: str, late: float, turn: int
    ) -> None:
        if late > LATE:
            self._say(notes.LOAD_LATE, {'kind': kind.name, 'seconds': round(late, 3)})
        task = asyncio.create_task(self._once(kind, asked, name, late, turn))
        self._flying.add(task)
        task.add_done_callback(self._flying.discard)

    async def _once(
        self, kind: load.Kind, asked: located.Plain, name: str, late: float, turn: int = -1
    ) -> str:
        late = round(late, 6) if late >= 0.001 else 0.0
        invoke = journal.Operation(name, kind.name, 'invoke', value=asked, late=late)
        self.tried += 1
        self.kinds_tried[kind.name] += 1
        client.asked.set('')
        client.turn.set(turn)
        client.traced.set(tracing.parent(self._trace, name))
        self.write(invoke)
        try:
            async with asyncio.timeout(kind.timeout):
                did = await kind.do(asked)
        except asyncio.CancelledError:
            self.write(journal.Operation(name, kind.name, 'info', error=outcome.STOPPED))
            raise
        except Exception as error:  # Whatever a client meets is data.
            self.write(outcome.ended(invoke, error, client.asked.get()))
            return 'not ok'
        self.worked += 1
        self.kinds_worked[kind.name] += 1
        whom = did.endpoint or client.asked.get()
        self.write(journal.Operation(name, kind.name, 'ok', '', did.value, whom, did.request))
        if any(kind.name == write for write, _ in self.load.writes):
            self._written[kind.name].append(asked if did.value is None else did.value)
        for make, look, _ in self.keeps:
            if kind.name == make:
                self._first[repr(asked)] = did.value
            elif kind.name == look:
                self._seen[repr(asked)] = did.value
        return 'ok'

    async def _end(self, drain: float, ran: float, gave_away: set[str]) -> None:
        try:
            if self._flying:
                await asyncio.wait(self._flying, timeout=drain)
        finally:
            left = tuple(self._flying)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=5)
        value: dict[str, located.Plain] = {
            'seconds': round(ran, 3),
            'tried': self.tried,
            'worked': self.worked,
            'not_sent': self.not_sent,
            'gave_away': [*sorted(gave_away)],
        }
        self._say(notes.LOAD_END, value)


def left_of(value: located.Plain) -> tuple[load.Left, ...]:
    """What the note `load.left` says."""
    some = value.get('left') if isinstance(value, dict) else None
    words = [one for one in some or () if isinstance(one, dict)] if isinstance(some, list) else []
    return tuple(load.Left(*(str(one.get(key)) for key in _LEFT)) for one in words)


@contextlib.asynccontextmanager
async def clients(what: load.Load, *, write: Write, seed: int) -> AsyncGenerator[Clients]:
    """Clients that are ready to run; on leaving, what the load made is removed, within half a minute.

    A load that needs longer has `closes_within` (seconds). What could not be removed is in the note `load.left`.


    Raises:
        load.Refused: what the load needs is refused to it.
        link.LinkError: Juju does not give what the load needs.
    """
    try:
        kinds = tuple(await what.prepare())
        yield Clients(what, kinds, write, seed)
    finally:
        if left := await _closed(what):
            value: dict[str, located.Plain] = {'left': [dataclasses.asdict(one) for one in left]}
            write(journal.Note(notes.LOAD_LEFT, value))


async def _closed(what: load.Load) -> tuple[load.Left, ...]:
    """Have a load remove what it made; what stays nevertheless."""
    more: tuple[load.Left, ...] = ()
    try:
        async with asyncio.timeout(getattr(what, 'closes_within', _CLOSE)):
            await what.close()
    except Exception as error:  # Whatever it met, the run goes on, and says so.
        said = 'no answer in time' if isinstance(error, TimeoutError) else outcome.word(error)
        more = (load.Left('what was made', 'by the load', 'what it used', said),)
    known: list[load.Left] = getattr(what, 'left', [])
    return (*known, *more)


async def run(
    what: load.Load,
    *,
    rate: float | profile.Profile = RATE,
    seed: int,
    write: Write,
    arrivals: Arrivals = 'even',
    ready: Callable[[Clients], None] = lambda _: None,
) -> None:
    """All of it: prepare, run until cancelled, end what is in flight, remove what was made.

    `ready` is given the clients before the first operation, for `tried`, `worked` and `read_back`.
    """
    async with clients(what, write=write, seed=seed) as them:
        ready(them)
        await them.run(rate=rate, arrivals=arrivals)


def moments(plan: profile.Profile, arrivals: Arrivals, stream: random.Random) -> Iterator[float]:
    """The seconds at which operations are due, without end."""
    if min((plan.first, *(one.rate for one in plan.stages))) <= 0:
        raise ValueError(f'a rate of {plan.first:g} operations a second is none')
    count = 0.0
    while True:
        yield plan.when(count)
        count += stream.expovariate(1.0) if arrivals == 'random' else 1.0


class Turns:
    """Whose turn it is: each kind as often as its weight says, evenly spread (smooth weighted round robin)."""

    def __init__(self, kinds: Sequence[load.Kind]):
        self._owed = {kind: 0.0 for kind in kinds if kind.weight > 0}
        self.gave_away: set[str] = set()
        """Kinds that had nothing to do when it was their turn."""

    def take(self) -> tuple[load.Kind, located.Plain] | None:
        """The next kind that has something to do, with what it is asked; None when none has."""
        for kind in self._owed:
            self._owed[kind] += kind.weight
        for kind in sorted(self._owed, key=lambda one: -self._owed[one]):
            asked = kind.asked()
            if asked is not None:
                self._owed[kind] -= sum(one.weight for one in self._owed)
                return kind, asked
            self.gave_away.add(kind.name)
        return None

    def beside(
        self, taken: load.Kind, asked: located.Plain
    ) -> tuple[load.Kind, located.Plain] | None:
        """What goes with what was taken, at the same moment; it is counted as a turn of its own kind."""
        found = taken.beside(asked)
        kind = next((one for one in self._owed if found and one.name == found[0]), None)
        if found is None or kind is None:
            return None
        for one in self._owed:
            self._owed[one] += one.weight
        self._owed[kind] -= sum(one.weight for one in self._owed)
        return kind, found[1]
