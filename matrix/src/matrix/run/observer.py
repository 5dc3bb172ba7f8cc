"""Writes down what happens in a model while a test runs: statuses, leaders, hooks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable

from matrix.history import journal, notes
from matrix.juju import hooklog, link, observe
from matrix.plans import snapshot

EVERY = 3.0
"""Seconds at least between two looks at the log."""

_WITHIN = 30.0


@dataclasses.dataclass
class Observer:
    """What watches one model. `changed` is called at every change of its status."""

    on: link.Link
    write: Callable[[journal.What], object]
    changed: Callable[[], None] = lambda: None
    _ended: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    _log: str = ''

    async def statuses(self) -> None:
        """Each change of the model's status, until cancelled."""
        before = snapshot.Model()
        try:
            async for after in self.on.changes():
                for said in (*observe.changed(before, after), *observe.leaders(before, after)):
                    self.write(said)
                if _idle(after) - _idle(before):
                    self._ended.set()
                if before != after:
                    self.changed()
                before = after
        except link.LinkError as error:
            self.write(journal.Note(notes.LOST, str(error)))

    async def hooks(self) -> None:
        """Each hook that ended, from the log: asked when an agent has come to rest, until cancelled."""
        self._log = await self._look()  # What was there before is not of this test.
        while True:
            await self._ended.wait()
            self._ended.clear()
            seen = await self._look()
            for hook in hooklog.read(hooklog.new(self._log, seen), self._log):
                self.write(hook)
            self._log = seen or self._log
            await asyncio.sleep(EVERY)

    async def _look(self) -> str:
        try:
            return await self.on.cli(*hooklog.ASK, within=_WITHIN)
        except link.LinkError:
            return ''  # The next look sees it.


def _idle(model: snapshot.Model) -> frozenset[str]:
    return frozenset(
        unit.name
        for one in model.applications
        for unit in one.units
        if unit.agent_status != 'executing'
    )


@contextlib.asynccontextmanager
async def observing(observer: Observer) -> AsyncGenerator[None]:
    """Observe inside."""
    tasks = [
        asyncio.create_task(observer.statuses(), name='statuses'),
        asyncio.create_task(observer.hooks(), name='hooks'),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
