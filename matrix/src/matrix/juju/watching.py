"""Waits for a model to become something, with a limit to how long nothing may change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from matrix.juju import link
from matrix.plans import snapshot


class Watch:
    """Each status of a model as it comes; made by `watch`."""

    def __init__(self) -> None:
        self.newest: snapshot.Model | None = None
        self.news = asyncio.Event()
        self.failed: link.LinkError | None = None

    async def next(self, within: float | None) -> snapshot.Model:
        """The next status, or the same again when none came within so many seconds.

        Raises:
            link.LinkError: Juju does not answer any more.
        """
        if self.newest is None or within is None or within > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if self.newest is None else within):
                    await self.news.wait()
        self.news.clear()
        if self.failed is not None:
            raise self.failed
        if self.newest is None:
            raise link.LinkError('the model has no status')
        return self.newest


@contextlib.asynccontextmanager
async def watch(on: link.Link) -> AsyncGenerator[Watch]:
    """Watch a model inside."""
    found = Watch()

    async def pump() -> None:
        try:
            async for model in on.changes():
                found.newest = model
                found.news.set()
        except link.LinkError as error:
            found.failed = error
        found.news.set()

    task = asyncio.create_task(pump())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
