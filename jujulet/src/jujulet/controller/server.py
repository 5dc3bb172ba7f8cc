"""Answers commands over the user's socket: a JSON line in, one or more out (see ``client``)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from .. import paths, sources
from ..client import short_path
from ..core import model as model_

logger = logging.getLogger(__name__)

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes of one question; a bundle's options may hold whole files."""

KEEP_S = 1.0
"""Seconds between two looks whether the socket is there."""

ANY_CODE = frozenset({'stop-controller', 'info'})
"""Questions that commands of any version may ask."""

Question = Callable[..., Awaitable[Any] | AsyncIterator[Any]]
"""A coroutine function answers once, an async generator as often as it likes."""


class Server:
    """Listens, and hands each question to its function."""

    def __init__(self, folder: pathlib.Path, questions: Mapping[str, Question]):
        self._folder = folder
        self._questions = questions
        self._server: asyncio.Server | None = None
        self._code = sources.digest()
        self._inode = 0
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen. The folder is the user's own, so whoever connects is the user."""
        await self._listen()
        self._watch = asyncio.create_task(self._keep(), name='socket')

    async def _listen(self) -> None:
        path = paths.socket(self._folder)
        path.unlink(missing_ok=True)
        before = self._server
        with short_path(path) as name:
            self._server = await asyncio.start_unix_server(self._serve, name, limit=LINE_LIMIT)
        path.chmod(0o600)
        self._inode = path.lstat().st_ino
        if before is not None:
            before.close()  # What is being answered goes on.

    async def _keep(self) -> None:
        """Listen again where somebody removed the socket: nobody else can, for this one holds the lock."""
        told = ''
        while True:
            await asyncio.sleep(KEEP_S)
            if self._is_ours():
                continue
            try:
                await self._listen()
            except OSError as error:
                if str(error) != told:
                    logger.warning('the socket is gone, and cannot be made again: %s', error)
                told = str(error)
            else:
                logger.warning('the socket was removed: listening again')

    def _is_ours(self) -> bool:
        try:
            return paths.socket(self._folder).lstat().st_ino == self._inode
        except OSError:
            return False

    async def stop(self) -> None:
        """Stop listening."""
        if self._watch:
            self._watch.cancel()
        if self._server:
            self._server.close()
        if self._is_ours():
            paths.socket(self._folder).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                line = await reader.readline()
            except ValueError:  # So says asyncio of what is longer than its limit.
                said = f'a question of more than {LINE_LIMIT >> 20} MiB is not taken'
                writer.write(json.dumps({'refused': said, 'code': 1}).encode() + b'\n')
                line = b''
            if line:
                await self._reply_while_connected(line, reader, writer)
        with contextlib.suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()

    async def _reply_while_connected(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer, and stop when the one who asked has gone away."""
        replying = asyncio.ensure_future(self._reply(line, writer))
        listening = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({replying, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if not replying.done():
            replying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await replying

    async def _reply(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        async def say(message: Any) -> None:
            writer.write(json.dumps(message).encode() + b'\n')
            await writer.drain()

        try:
            message = json.loads(line)
            question = self._questions.get(message['ask'])
            other = message.get('code') != self._code and message['ask'] not in ANY_CODE
            if question is None or other:
                raise model_.Refused(
                    'the controller that runs is of another version than this command: run `jujulet controller stop`, '
                    'then the command again; machines and what runs in them go on'
                )
            reply = question(**message['args'])
            if isinstance(reply, AsyncIterator):
                async for one in reply:
                    await say({'answer': one})
                await say({'end': True})
            else:
                await say({'answer': await reply})
        except model_.Refused as refusal:
            await say({'refused': str(refusal), 'code': refusal.code})
        except ConnectionError:
            raise
        except Exception as error:
            logger.exception('a question failed')
            log = paths.log(self._folder)
            await say({'refused': f'internal error: {error!r} (details: {log})', 'code': 1})
