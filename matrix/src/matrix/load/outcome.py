"""What an exception of a client says of its operation: it certainly did not happen, or nobody knows. Pure.

The words are few and stay the same, because failures are told apart by them (`verdict.Signature`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl

import aiohttp

from matrix.history import journal
from matrix.load import client, load

STOPPED = 'stopped'
"""The error of an operation that was in flight when its load was told to stop: nobody's fault."""


def ended(invoke: journal.Operation, error: Exception, endpoint: str = '') -> journal.Operation:
    """The end of an operation that met an exception; `endpoint` is whom it had asked."""
    certain = isinstance(error, load.Refused) or _never_sent(error)
    return dataclasses.replace(
        invoke,
        phase='fail' if certain else 'info',
        value=None,
        late=0.0,
        endpoint=endpoint or invoke.endpoint,
        error=word(error),
    )


def word(error: Exception) -> str:
    """The class of an error: `timeout`, `refused`, `reset`, `unreachable`, `dns`, `tls`, or what was said."""
    if isinstance(error, load.Refused | client.UnclearError):
        return str(error) or 'refused'
    for cause in _causes(error):
        for kinds, name in _WORDS:
            if isinstance(cause, kinds):
                return name
    return type(error).__name__


# The first that fits names the error; an OSError of aiohttp is a ClientError as well.
_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((asyncio.TimeoutError, TimeoutError), 'timeout'),
    ((ConnectionRefusedError,), 'refused'),
    ((socket.gaierror,), 'dns'),
    ((ssl.SSLError, ssl.CertificateError), 'tls'),
    ((ConnectionError, aiohttp.ServerDisconnectedError, EOFError), 'reset'),
    ((aiohttp.ClientPayloadError,), 'cut short'),
    ((aiohttp.ClientConnectorError,), 'unreachable'),
    ((OSError,), 'unreachable'),
)


def _never_sent(error: Exception) -> bool:
    """Nothing reached the service: no connection was made at all."""
    return isinstance(
        error, aiohttp.ClientConnectorError | ConnectionRefusedError | socket.gaierror
    )


def _causes(error: BaseException) -> list[BaseException]:
    """What the library wrapped, the innermost first."""
    found: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in found:
        found.insert(0, at)
        inner = getattr(at, 'os_error', None)
        at = inner if isinstance(inner, BaseException) else at.__cause__
    return found
