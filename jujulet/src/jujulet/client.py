"""Speaks to the controller of this user, and starts it when it is not running.

One JSON line each way over a Unix socket in the user's private folder; an answer that is a stream is many lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import sys
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from . import paths, sources
from .core import refusal

if TYPE_CHECKING:
    import subprocess

START_TIMEOUT_S = 30.0


class Unreachable(Exception):  # noqa: N818 -- it is a condition that the user must hear of
    """The controller could not be started, or died in mid-answer. The text says where to look."""


class Controller:
    """The controller that serves one root folder."""

    def __init__(self, folder: pathlib.Path | None = None):
        self.folder = folder or paths.root()

    def ask(self, question: str, **args: Any) -> Any:
        """The answer to one question. Raises ``model.Refused`` as the controller does, and Unreachable."""
        for reply in self.follow(question, **args):
            return reply
        return None

    def change(self, model: str, request: Any) -> dict[str, Any]:
        """Carry out one of ``core.requests`` on *model* (a model string). Raises ``model.Refused``."""
        from . import codec  # Late, as below: a command that only asks starts faster without.

        return self.ask(
            'change', model=model, kind=type(request).__name__, request=codec.encode(request)
        )

    def follow(self, question: str, **args: Any) -> Iterator[Any]:
        """The answers to one question, as they come."""
        message = {'ask': question, 'args': args, 'code': sources.digest()}
        line = json.dumps(message).encode() + b'\n'
        with self._connected() as connection, connection.makefile('rb') as replies:
            connection.sendall(line)
            for reply in replies:
                message = json.loads(reply)
                if 'refused' in message:
                    raise refusal.Refused(message['refused'], code=message.get('code', 1))
                if 'end' in message:
                    return
                yield message['answer']
        raise Unreachable(f'the controller ended in mid-answer: see {paths.log(self.folder)}')

    def running(self) -> bool:
        """Whether a controller answers."""
        with contextlib.suppress(OSError), _connect(self.folder):
            return True
        return False

    def held(self) -> bool:
        """Whether a controller has this folder, also one whose socket somebody removed."""
        import fcntl

        try:
            with open(paths.lock(self.folder), 'rb') as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def start(self, *words: str) -> None:
        """Start it, with *words* for it; nothing if it runs. Raises Unreachable."""
        if not self.running():
            self._start(*words).close()

    def _connected(self) -> socket.socket:
        with contextlib.suppress(OSError):
            return _connect(self.folder)
        return self._start()

    def _start(self, *words: str) -> socket.socket:
        """Start the daemon, and connect once it listens.

        It holds a lock and ends at once, content, when another one holds it: one that starts too, and is soon there, or
        one that is about to end, and must be waited for; or one that hangs, which is then what is to be said.
        """
        yielded = False
        deadline = time.monotonic() + START_TIMEOUT_S
        daemon = self._launch(*words)
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                return _connect(self.folder)
            ended = daemon.poll()
            if ended:
                break
            if ended == 0:
                yielded = True
                time.sleep(0.1)
                daemon = self._launch(*words)
            time.sleep(0.02)
        log = paths.log(self.folder)
        starting = daemon.poll() is None
        if (yielded or not starting) and self.held():  # By another: ours may have begun just now.
            raise Unreachable(f'the controller runs, and does not answer: see {log}')
        if starting:  # On a busy machine: it goes on, and the next command finds it.
            raise Unreachable(
                f'the controller is still starting after {START_TIMEOUT_S:.0f} s: run the command again (log: {log})'
            )
        tail = log.read_text(errors='replace').strip().splitlines()[-1:]
        raise Unreachable(
            f'the controller did not start{": " + tail[0] if tail else ""} (all of it: {log})'
        )

    def _launch(self, *words: str) -> subprocess.Popen[bytes]:
        import subprocess  # Late: most commands find the controller running, and are to be quick.

        with open(paths.log(self.folder), 'ab', opener=_private) as log:
            return subprocess.Popen(
                [sys.executable, '-m', 'jujulet.controller', str(self.folder), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd='/',
                start_new_session=True,
            )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _connect(folder: pathlib.Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(paths.socket(folder)) as path:
            connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def short_path(path: pathlib.Path) -> Generator[str]:
    """A name for the socket *path* that is short enough: a socket's address holds 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f'/proc/self/fd/{folder}/{path.name}'
    finally:
        os.close(folder)
