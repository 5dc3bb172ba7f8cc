"""Connections to a MariaDB or MySQL server, as two habits of clients: kept for a while, and closed after each use.

Nothing is tried again in secret. The driver is aiomysql, an extra (`sql`) of this package.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import importlib
import importlib.util
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from matrix.load import accounts, client, encryption, load, outcome, places, statements

DRIVER = 'aiomysql'
MISSING = f"a load on a database needs {DRIVER}, which is not installed: pip install 'rambla-matrix[sql]'"

_KEEP_S = 4.0
"""Seconds that an unused connection is kept, as those to HTTP servers are (`client.py`)."""

_MOST_KEPT = 20
"""Unused connections that are kept to one address: after many operations at once, the server needs its others."""

_AT_A_TIME = 4
_CONNECT_S = 5.0
_EXECUTE_S = 10.0
QUIT_S = 1.0
"""Seconds for a good-bye to the server, after all is done."""


class ServerError(Exception):
    """The server, or the way to it, said no; `code` is its number, the text what was said."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class DriverError(ServerError):
    """The driver could not do it, whatever the server says; waiting does not mend that."""


def installed() -> bool:
    """Whether the driver is there."""
    return importlib.util.find_spec(DRIVER) is not None


class Database:
    """One database of a server that is asked at any of its addresses. Use it inside one running event loop.

    Raises:
        ServerError: the driver is not there, or the file of the certificate authority cannot be used.
    """

    def __init__(
        self, name: str, login: accounts.Login, now: Callable[[], float] = time.monotonic
    ) -> None:
        if not installed():
            raise ServerError(0, MISSING)
        self._driver: Any = importlib.import_module(DRIVER)
        try:
            self._ssl = encryption.context(login.authority, names=login.names)
            self._connection = encryption.connections(self._driver, required=login.required)
        except (encryption.AuthorityError, encryption.NoGuardError) as error:
            raise ServerError(0, str(error)) from error
        self._name = name
        self._login = login
        self._now = now
        self._kept: dict[places.Address, collections.deque[tuple[Any, float]]] = (
            collections.defaultdict(collections.deque)
        )
        self._asked = itertools.count(1)

    async def transact(
        self,
        at: places.Address,
        transaction: Sequence[statements.Statement],
        *,
        within: float,
    ) -> tuple[statements.StatementResult, ...] | None:
        """A transaction; its results, or None where it was rolled back, since a statement changed nothing that must.

        Its time, `within` seconds, is kept here: only who sends COMMIT knows whether it was sent when the time was up.

        Raises:
            load.Refused: it certainly was not done.
            client.UnclearError: nobody knows whether it was.
        """
        client.asked.set(f'mysql://{at}')
        keep = client.keeps(next(self._asked) + 1)
        held = self._idle(at) if keep else None
        committing = done = False
        try:
            async with asyncio.timeout(within):
                if held is None:
                    held = await self._connect(at)
                await held.begin()
                results = await _executed(held, transaction)
                if results is None:
                    await held.rollback()
                else:
                    committing = True
                    await held.commit()
            done = True
        except TimeoutError as error:
            late = client.UnclearError if committing else load.Refused
            raise late('timeout') from error
        except Exception as error:
            if (code := self._code(error)) is not None:
                raise _meaning(error, code, committing=committing) from error
            if committing:
                raise
            # The driver's own trouble, before anything that lasts was asked for; its text may show the password.
            raise load.Refused(type(error).__name__) from None
        finally:
            await self._put_back(at, held, keep=keep, done=done)
        return results

    async def execute(
        self, at: places.Address, statement: statements.Statement
    ) -> statements.Rows:
        """One statement by itself, outside of what is judged; its rows.

        Raises:
            ServerError: it was not done, or nobody knows.
            DriverError: the driver could not even ask.
        """
        held = None
        try:
            async with asyncio.timeout(_EXECUTE_S):
                held = await self._connect(at)
                await held.begin()
                results = await _executed(held, (statement,))
                await held.commit()
                await _quit(held)
        except Exception as error:
            if (code := self._code(error)) is not None:
                raise ServerError(code, _said(error, at)) from error
            raise DriverError(0, f'{at}: {_of_driver(error)}') from None
        finally:
            if held is not None:
                held.close()
        return results[0].rows if results else ()

    async def close(self) -> None:
        """Close what is kept."""
        kept = [held for some in self._kept.values() for held, _ in some]
        self._kept.clear()
        await asyncio.gather(*map(_quit, kept))

    async def _connect(self, at: places.Address) -> Any:
        held = self._connection(
            host=at.host,
            port=at.port,
            user=self._login.user,
            password=self._login.password,
            db=self._name,
            charset='utf8mb4',
            connect_timeout=_CONNECT_S,
            autocommit=None,
            ssl=self._ssl,
        )
        try:
            await held.ping(reconnect=True)  # Its public way to connect what is not connected.
        except BaseException:
            held.close()
            raise
        return held

    def _idle(self, at: places.Address) -> Any | None:
        some = self._kept[at]
        while some:
            held, since = some.pop()
            if not held.closed and self._now() - since < _KEEP_S:
                return held
            held.close()
        return None

    async def _put_back(self, at: places.Address, held: Any, *, keep: bool, done: bool) -> None:
        if held is None:
            return
        if not done:
            held.close()
        elif keep and not held.closed and len(self._kept[at]) < _MOST_KEPT:
            self._kept[at].append((held, self._now()))
        else:
            await _quit(held)
        await self._expire()

    async def _expire(self) -> None:
        """End what has been unused for too long, wherever it goes; a few at a time, since an operation waits for it."""
        old: list[Any] = []
        for some in self._kept.values():
            while some and len(old) < _AT_A_TIME and self._now() - some[0][1] >= _KEEP_S:
                old.append(some.popleft()[0])
        try:
            for held in old:
                await _quit(held)
        finally:
            for held in old:
                held.close()

    def _code(self, error: Exception) -> int | None:
        """The number of an error of the driver's; None where it is none."""
        if isinstance(error, self._driver.MySQLError):
            found = error.args[0] if error.args else 0
            return found if isinstance(found, int) else 2013
        return 2013 if isinstance(error, OSError) else None


async def _quit(held: Any) -> None:
    """Say good-bye to the server, which otherwise writes of an aborted connection to its log; then close."""
    try:
        with contextlib.suppress(Exception):  # All is done: it is closed one way or the other.
            async with asyncio.timeout(QUIT_S):
                await held.ensure_closed()
    finally:
        held.close()


async def _executed(
    held: Any, transaction: Sequence[statements.Statement]
) -> tuple[statements.StatementResult, ...] | None:
    found: list[statements.StatementResult] = []
    for one in transaction:
        async with held.cursor() as cursor:
            changed = await cursor.execute(one.text, one.values or None)
            rows = cast('statements.Rows', tuple(await cursor.fetchall() or ()))
        if one.must and not changed:
            return None
        found.append(statements.StatementResult(rows, changed))
    return tuple(found)


def _meaning(error: Exception, code: int, *, committing: bool) -> Exception:
    cause = error.__cause__
    if code == 2003 and isinstance(cause, Exception):  # No connection: the system says why.
        return load.Refused(outcome.word(cause))
    return statements.meaning(code, committing=committing)


def _said(error: Exception, at: places.Address) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    said = outcome.word(cause) if isinstance(cause, OSError) else str(error.args[-1])
    return f'{at}: {said}'


def _of_driver(error: Exception) -> str:
    if isinstance(error, UnicodeError):  # Its text has the character.
        return 'the driver sends names and passwords in Latin-1, and one of them has another character'
    if 'cryptography' in str(error):
        return (
            f"the account's way to log in without TLS needs a package: pip install '{DRIVER}[rsa]'"
        )
    return f'the driver broke: {type(error).__name__}: {error}'
