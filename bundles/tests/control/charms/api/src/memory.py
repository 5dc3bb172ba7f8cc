"""What it takes of memcached's text protocol, with a connection for each question or one for all."""

from __future__ import annotations

import asyncio
import time

WITHIN = 0.2
REST = 1.0
PORT = 11211


class GoneError(Exception):
    """The cache does not answer."""


class Cache:
    """The cache. One that did not answer is left alone for a while: it makes things faster, or is not asked."""

    def __init__(self) -> None:
        self._rest = 0.0

    async def get(self, host: str, key: str) -> bytes | None:
        """What is there."""
        lines = await self._ask(host, f'get {key}\r\n'.encode(), b'END\r\n')
        head, _, rest = lines.partition(b'\r\n')
        return rest[: int(head.split()[3])] if head.startswith(b'VALUE') else None

    async def set(self, host: str, key: str, data: bytes, seconds: int) -> None:
        """Put something there; 0 seconds: for ever."""
        await self._ask(
            host, f'set {key} 0 {seconds} {len(data)}\r\n'.encode() + data + b'\r\n', b'\r\n'
        )

    async def delete(self, host: str, key: str) -> None:
        """Take something away, if it is there."""
        await self._ask(host, f'delete {key}\r\n'.encode(), b'\r\n')

    async def _ask(self, host: str, data: bytes, end: bytes) -> bytes:
        if time.monotonic() < self._rest:
            raise GoneError('it did not answer a moment ago')
        try:
            async with asyncio.timeout(WITHIN):
                reader, writer = await asyncio.open_connection(host, PORT)
                try:
                    writer.write(data)
                    return await reader.readuntil(end)
                finally:
                    writer.close()
        except (OSError, EOFError, TimeoutError) as error:
            self._rest = time.monotonic() + REST
            raise GoneError(type(error).__name__) from error


class OneConnection(Cache):
    """The planted bug 'no-retry': a connection made once, and what befalls it is there to stay."""

    def __init__(self) -> None:
        super().__init__()
        self._one: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._broken = ''
        self._turn = asyncio.Lock()

    async def _ask(self, host: str, data: bytes, end: bytes) -> bytes:
        async with self._turn:
            if self._broken:
                raise ConnectionError(f'cache: {self._broken}')
            try:
                async with asyncio.timeout(2):
                    if self._one is None:
                        self._one = await asyncio.open_connection(host, PORT)
                    reader, writer = self._one
                    writer.write(data)
                    return await reader.readuntil(end)
            except (OSError, EOFError, TimeoutError) as error:
                self._broken = type(error).__name__
                raise ConnectionError(f'cache: {self._broken}') from error
