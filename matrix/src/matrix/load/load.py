"""What a load is: kinds of operation, each a coroutine; `openloop.py` calls them at a set rate and writes it down."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from matrix.grammar import located


class Refused(Exception):  # noqa: N818  # what the service did, not what went wrong here
    """The service said no: the operation certainly did not happen. Any other exception leaves that open (`info`)."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What an operation came to: its value, who answered, and the service's own id of the request."""

    value: located.Plain = None
    endpoint: str = ''
    request: str = ''


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of operation. `weight` is its share of the rate; `timeout` is in seconds.

    `asked` gives the value that its invoke is written with (the name of what is to be read back), or None when there is
    nothing to do of this kind now, and the turn goes to another kind. `beside` is given what was asked, and gives the
    kind and the value of what is sent at the same moment: two that meet show whether a service does one at a time.
    """

    name: str
    do: Callable[[located.Plain], Awaitable[Result]]
    asked: Callable[[], located.Plain] = lambda: ''
    weight: float = 1.0
    timeout: float = 10.0
    beside: Callable[[located.Plain], tuple[str, located.Plain] | None] = lambda _: None


@dataclasses.dataclass(frozen=True)
class Left:
    """Something that a load made and could not remove: what it is, its name, where it is, and why it stays."""

    what: str
    name: str
    where: str
    why: str

    def __str__(self) -> str:
        return f'{self.what} {self.name} on {self.where}: {self.why}'


class Load(Protocol):
    """A load for one model."""

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        ...

    @property
    def secrets(self) -> frozenset[str]:
        """What must never be written anywhere; grows while the load runs."""
        ...

    @property
    def writes(self) -> tuple[tuple[str, str], ...]:
        """Kinds that write, each with the kind that reads back what it wrote."""
        ...

    async def prepare(self) -> Sequence[Kind]:
        """Get what it needs (credentials, endpoints); link.LinkError or Refused says what is missing."""
        ...

    async def close(self) -> None:
        """Remove what it made. Where it has a list `left` (of `Left`), what it could not remove is in it then."""
        ...


@runtime_checkable
class Keeping(Load, Protocol):
    """A load that makes what lasts, and that must not change: servers, volumes."""

    @property
    def keeps(self) -> tuple[tuple[str, str, str], ...]:
        """Kinds of operation that make something, each with the kinds that look at it, and let it go.

        What was seen of it (a mapping) is the value of both the first and the second; False: it is not there.
        """
        ...

    @property
    def begun(self) -> bool:
        """Whether all is there that the faults are to meet."""
        ...

    def held(self) -> Sequence[tuple[str, located.Plain]]:
        """Everything that is there to be looked at: the kind of operation that does, and what it is asked."""
        ...

    async def clear(self, *, within: float) -> located.Plain:
        """Let go of everything, within so many seconds; the value of the note `left`, what is there nevertheless."""
        ...
