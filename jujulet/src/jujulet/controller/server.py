"""Answers commands over the user's socket: a JSON line in, one or more out (see ``client``)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
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


def holds(folder: pathlib.Path, lock: int) -> bool:
    """Whether the open file *lock* (a descriptor) is the lock of *folder* as it is now.

    It is not once somebody removed the folder: then another controller may hold the lock of the one that was made anew.

    Raises:
        OSError: it cannot be seen, as where the folder cannot be entered.
    """
    try:
        there = paths.lock(folder).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return os.path.samestat(there, os.fstat(lock))


class Server:
    """Listens, and hands each question to its function."""

    def __init__(
        self,
        folder: pathlib.Path,
        questions: Mapping[str, Question],
        lock: int,
        lost: Callable[[], None],
    ):
        """Serve *folder*, whose lock the descriptor *lock* holds; *lost* is called once that is another file."""
        self._folder = folder
        self._questions = questions
        self._lock = lock
        self._lost = lost
        self._server: asyncio.Server | None = None
        self._code = sources.digest()
        self._bound: os.stat_result | None = None
        """Of the socket that this one made."""
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen. The folder is the user's own, so whoever connects is the user."""
        await self._listen()
        self._watch = asyncio.create_task(self._keep(), name='socket')

    async def _listen(self) -> None:
        path = paths.socket(self._folder)
        before, self._bound = self._server, None
        try:
            path.unlink(missing_ok=True)
            with short_path(path) as name:
                self._server = await asyncio.start_unix_server(
                    self._serve, name, limit=LINE_LIMIT, start_serving=False
                )
            path.chmod(0o600)
            self._bound = path.lstat()
            # Only here another task may run, which may be ``stop``: by now the socket is known as ours.
            await self._server.start_serving()
        finally:
            if before is not None:
                before.close()  # Nobody finds it any more; what is being answered goes on.

    async def _keep(self) -> None:
        """Listen again where somebody removed the socket: nobody else can while this one holds the lock.

        Where the lock went too, with the whole folder, what is there now is another controller's: nothing is touched.
        """
        told = ''
        while True:
            await asyncio.sleep(KEEP_S)
            if self._is_ours():
                continue
            try:
                if not holds(self._folder, self._lock):
                    logger.warning('the lock is gone, as when %s is removed: ending', self._folder)
                    self._lost()
                    return
                await self._listen()
            except OSError as error:
                if str(error) != told:
                    logger.warning('the socket is gone, and cannot be made again: %s', error)
                told = str(error)
            else:
                logger.warning('the socket was removed: listening again')

    def _is_ours(self) -> bool:
        try:
            there = paths.socket(self._folder).lstat()
        except OSError:
            return False
        return self._bound is not None and os.path.samestat(there, self._bound)

    async def stop(self) -> None:
        """Stop listening."""
        if self._watch:
            self._watch.cancel()
            await asyncio.wait({self._watch})  # It may be about to listen again.
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
