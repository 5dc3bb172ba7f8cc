"""A load by itself, on a model that is there: no faults, no checks, each request reported.

For whoever does something to a cloud meanwhile, such as an upgrade, and wants to know whether its users notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from matrix.history import journal, notes, redact
from matrix.juju import link
from matrix.load import discover, load, openloop, record, requests, spec

CLEAR_S = 120.0
"""How long servers, volumes and networks of the load may take to go when it ends."""

OnRequest: TypeAlias = Callable[[str, requests.Request], object]
"""What is given each request: its line of JSON, and the request."""

_LOG = logging.getLogger('matrix')


@dataclasses.dataclass
class Alone:
    """One load, and what became of its requests."""

    found: load.Load | discover.Own
    on_request: OnRequest
    now: Callable[[], float]
    """Seconds since the epoch."""
    left: tuple[str, ...] = ()
    """What could not be removed when it ended, in words."""

    def __post_init__(self) -> None:
        self.tally = requests.Tally(self.now, self._hand_on)
        self._clients: list[openloop.Clients | record.Record] = []

    async def run(self, said: spec.Spec, *, seed: int, seconds: float | None = None) -> None:
        """Until so many seconds are over, or it is cancelled; then all that it made is removed.

        Raises:
            model.TestFailure: the load ended by itself, or what it needs is refused.
            model.InfraFailure: the load cannot be started.
        """
        going = asyncio.create_task(
            discover.go(
                self.found,
                said=said,
                seed=seed,
                write=self._write,
                log=_LOG,
                ready=self._clients.append,
            )
        )
        try:
            await asyncio.wait([going], timeout=seconds)
        finally:
            await self._end(going)
        if not going.cancelled():
            going.result()

    async def _end(self, going: asyncio.Task[None]) -> None:
        if not going.done():
            for one in self._clients:
                if isinstance(one, openloop.Clients) and one.keeps:
                    await one.clear(within=CLEAR_S)
            going.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await going

    def _write(self, what: journal.What) -> None:
        if isinstance(what, journal.Note) and what.kind == notes.LEFT:
            self.left += _left(what.value)
        if isinstance(what, journal.Note) and what.kind == notes.LOAD_LEFT:
            self.left += tuple(map(str, openloop.left_of(what.value)))
        self.tally.write(what)

    def _hand_on(self, request: requests.Request) -> None:
        secrets = getattr(self.found, 'secrets', frozenset[str]())
        known = redact.secrets(one for one in secrets if len(one) >= redact.SHORTEST)
        self.on_request(request.line(known), request)


def _left(value: object) -> tuple[str, ...]:
    found = cast('dict[str, Any]', value).get('left', ()) if isinstance(value, dict) else ()
    return tuple(f'{one["what"]} {one["name"]} ({one["id"]}) of {one["service"]}' for one in found)


def refuses(what: str) -> Callable[..., Awaitable[None]]:
    """What a load of a bundle's own gets where it wants to change the model."""

    async def no(*_: object) -> None:
        raise link.LinkError(f'a load by itself {what} nothing')

    return no
