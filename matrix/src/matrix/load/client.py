"""HTTP clients of two habits: one keeps its connections, one closes each after its answer.

Nothing is tried again in secret: a request that is lost is an operation that failed.
"""

from __future__ import annotations

import contextvars
import dataclasses
import json
import zlib
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp

from matrix.load import load

_KEEP_S = 4.0
"""Seconds that an idle connection is kept: less than servers do (Apache: 5), or the two would race to close it."""

_CONNECT_S = 5.0
_MOST_BODY = 8 << 20
_READS = frozenset({'GET', 'HEAD', 'OPTIONS'})


asked: contextvars.ContextVar[str] = contextvars.ContextVar('asked', default='')
"""Scheme, host and port of the last request of this task, so that a failure names whom it asked."""


traced: contextvars.ContextVar[str] = contextvars.ContextVar('traced', default='')
"""The header `traceparent` of this task's requests, by which a bundle's own traces are found; '' for none."""


turn: contextvars.ContextVar[int] = contextvars.ContextVar('turn', default=-1)
"""The turn of this task, the same for operations that go at one moment; -1 where it has none.

Those have one habit, since one that has to connect first comes too late to meet one that need not.
"""


def keeps(otherwise: int) -> bool:
    """Whether this task's connections are kept: by its turn, or by a count where it has none."""
    now = turn.get()
    # Not of every second turn: a kind of operation that has every second one would have one habit only.
    return bool((otherwise if now < 0 else zlib.crc32(str(now).encode())) % 2)


class UnclearError(Exception):
    """The service answered, but whether it did what it was asked is not known."""


@dataclasses.dataclass(frozen=True)
class Response:
    """An HTTP answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            UnclearError: it is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnclearError('not json') from error

    @property
    def request(self) -> str:
        """The service's own id of the request, where it gives one."""
        given = self.headers.get('x-openstack-request-id') or self.headers.get('x-request-id')
        return given or ''


class Client:
    """Both habits in turn. Make it inside a running event loop, and close it there."""

    def __init__(self) -> None:
        self._sessions = (_session(keep=True), _session(keep=False))
        self._asked = 0

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """One request, and its whole answer, whatever its status. Certificates are not verified.

        Raises:
            aiohttp.ClientError: there was no whole answer.
            UnclearError: the answer is larger than 8 MiB.
        """
        self._asked += 1
        asked.set('/'.join(url.split('/')[:3]))
        session = self._sessions[not keeps(self._asked + 1)]
        trace = {'traceparent': traced.get()} if traced.get() else {}
        async with session.request(
            method, url, headers={**trace, **(headers or {})}, data=body, allow_redirects=False
        ) as response:
            read = bytearray()
            async for part in response.content.iter_any():
                read += part
                if len(read) > _MOST_BODY:
                    raise UnclearError('too large')
            named = {name.lower(): value for name, value in response.headers.items()}
            return Response(response.status, named, bytes(read))

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            await session.close()


def check(method: str, status: int, expected: Collection[int] = ()) -> None:
    """Accept a status of `expected` (else below 400), or say what it means for the operation.

    A status of 400 to 499, and 503 (nobody was there to take it), is a refusal. After another server error nobody knows
    whether something was changed, unless it was only asked for.

    Raises:
        load.Refused: it certainly did not happen.
        UnclearError: nobody knows.
    """
    if status in expected or (not expected and status < 400):
        return
    if status >= 500 and status != 503 and method not in _READS:
        raise UnclearError(f'http {status}')
    raise load.Refused(f'http {status}')


def _session(*, keep: bool) -> aiohttp.ClientSession:
    connector = (
        aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_S, ssl=False)
        if keep
        else aiohttp.TCPConnector(limit=0, force_close=True, ssl=False)
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
    session = aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    )
    # By itself it repeats what may be repeated when a kept connection is lost. A unit test holds that this stops it.
    session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
    return session
