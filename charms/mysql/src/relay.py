#!/usr/bin/env python3
"""Takes clients' connections in the place of this machine's MariaDB, holds them, and passes them on when it is told to.

A program of its own, with nothing but Python's standard library: ``relay.py PORT``. What to do stands in a file, in one
line: ``open ADDRESS PORT`` passes every connection on to there; ``hold`` lets new ones wait;
``hold UNTIL ADDRESS PORT`` does so until then (seconds since the epoch), and passes them on to there if nobody has said
anything else meanwhile: who let them wait has died. A client that waits sees a server that is slow to greet it; PyMySQL
waits ten seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import socket
import sys
import time

STATE = '/var/lib/mysql-charm/relay'
LOOK_S = 0.02
PATIENCE_S = 30.0
"""Seconds for which a client is held, and for which a server that cannot be reached is asked again."""
_PIECE = 1 << 16


def target(text: str, now: float) -> tuple[str, int] | None:
    """Where to pass connections on to at *now*, if the file says *text*; None to hold them."""
    match text.split():
        case ['open', address, port] if port.isdecimal():
            return address, int(port)
        case ['hold', until, address, port] if until.isdecimal() and port.isdecimal():
            return (address, int(port)) if now >= int(until) else None
        case _:
            return None


def _reported() -> tuple[str, int] | None:
    try:
        return target(pathlib.Path(STATE).read_text(), time.time())
    except OSError:
        return None


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    finally:
        with contextlib.suppress(OSError):
            writer.close()


async def _client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    ends = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < ends:
            where = _reported()
            if where is None:
                await asyncio.sleep(LOOK_S)
                continue
            try:
                there, back = await asyncio.wait_for(asyncio.open_connection(*where), 5)
            except (OSError, TimeoutError):
                await asyncio.sleep(LOOK_S * 5)
                continue
            back.get_extra_info('socket').setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.gather(_pass(reader, back), _pass(there, writer), return_exceptions=True)
            return
    finally:
        with contextlib.suppress(OSError):
            writer.close()


def _ready() -> None:
    """Tell systemd."""
    where = os.environ.get('NOTIFY_SOCKET', '')
    if where:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect(f'\0{where[1:]}' if where[0] == '@' else where)
            notify.send(b'READY=1')


async def serve(port: int) -> None:
    """Serve on *port* of every address, for good."""
    server = await asyncio.start_server(_client, port=port, backlog=4096)
    _ready()
    async with server:
        await server.serve_forever()


if __name__ == '__main__':  # pragma: nocover
    asyncio.run(serve(int(sys.argv[1])))
