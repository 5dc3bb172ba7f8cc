"""A driver of databases made of values: what a server says to each statement, and where a connection is lost."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import pytest

from matrix.load import database, encryption

Rows = tuple[tuple[Any, ...], ...]


class MySQLError(Exception):
    """As the driver's own."""


@dataclasses.dataclass
class Server:
    """`says` gives the rows and the number of changed ones of a statement, or raises; `at` is a host and a port."""

    says: Callable[[str, str, Any], tuple[Rows, int]] = lambda at, text, values: ((), 1)
    log: list[tuple[str, str]] = dataclasses.field(default_factory=list[tuple[str, str]])
    values: list[tuple[str, Any]] = dataclasses.field(default_factory=list[tuple[str, Any]])
    given: list[dict[str, Any]] = dataclasses.field(default_factory=list[dict[str, Any]])
    connections: list[Any] = dataclasses.field(default_factory=list[Any])

    MySQLError = MySQLError

    def Connection(self, **given: Any) -> Connection:  # noqa: N802  # the driver's name
        """As the driver's own."""
        self.given.append(given)
        made = Connection(self, f'{given["host"]}:{given["port"]}')
        self.connections.append(made)
        return made

    def told(self, at: str, text: str, values: Any = None) -> tuple[Rows, int]:
        self.log.append((at, text))
        self.values.append((text, values))
        return self.says(at, text, values)


@dataclasses.dataclass
class Connection:
    """One connection, and whether it is closed."""

    server: Server
    at: str
    closed: bool = True
    rows: Rows = ()

    async def ping(self, *, reconnect: bool) -> None:
        assert reconnect
        self.server.told(self.at, 'connect')
        self.closed = False

    async def begin(self) -> None:
        self.server.told(self.at, 'begin')

    async def commit(self) -> None:
        self.server.told(self.at, 'commit')

    async def rollback(self) -> None:
        self.server.told(self.at, 'rollback')

    async def ensure_closed(self) -> None:
        self.server.told(self.at, 'quit')
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def cursor(self) -> Connection:
        return self

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def execute(self, text: str, values: Any) -> int:
        assert text.count('%s') == len(values or ())
        self.rows, changed = self.server.told(self.at, text, values)
        return changed

    async def fetchall(self) -> Rows:
        return self.rows


def losing(server: Server, when: str, error: BaseException) -> None:
    """Have what begins so end with an error."""

    def says(at: str, text: str, values: Any) -> tuple[Rows, int]:
        if text.startswith(when):
            raise error
        return (), 1

    server.says = says


def installed(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server whose driver is the one that is found."""
    there, real = Server(), importlib.import_module

    def load_module(name: str, package: str | None = None) -> Any:
        return there if name == database.DRIVER else real(name, package)

    monkeypatch.setattr(database, 'installed', lambda: True)
    monkeypatch.setattr('importlib.import_module', load_module)
    monkeypatch.setattr(encryption, 'connections', _as_it_is)
    return there


def _as_it_is(driver: Any, *, required: str) -> Any:
    return driver.Connection
