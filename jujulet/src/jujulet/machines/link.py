"""The controller's end of the line to one machine's agent."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal as signals
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from . import messages


class LinkLost(Exception):  # noqa: N818 -- what happened
    """The agent went away before it answered: the machine or the agent died."""


class CannotRun(Exception):  # noqa: N818 -- what happened
    """The agent could not start the program; the text says why."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a program ended: by ``code``, or by ``signal`` (then not 0)."""

    code: int
    signal: int = 0
    timed_out: bool = False

    @property
    def killed(self) -> bool:
        """Ended by SIGTERM or SIGKILL, which for a hook means: run it again."""
        return self.signal in (signals.SIGTERM, signals.SIGKILL)

    @property
    def returncode(self) -> int:
        """As a shell would say it: 128 and the signal, when there was one."""
        return 128 + self.signal if self.signal else self.code


@dataclasses.dataclass
class _Run:
    done: asyncio.Future[Ended]
    output: Callable[[str, bytes], None] | None
    started: Callable[[int, int], None] | None


_NONSENSE = (ValueError, KeyError, TypeError, OverflowError)
"""What is raised by what a machine says that is none of our messages."""

MOST_AGENTS = 16
"""Connections at once to the socket of one machine's agent: there is one, and the next while it comes anew."""

LONGEST_LINE = 4096
"""Bytes of one line of a hook's output; what is longer becomes several (source: Juju's ``HookLogger``)."""


class Lines:
    """Cuts the chunks of several streams into lines of text; give :meth:`feed` as ``output``."""

    def __init__(self, line: Callable[[str, str], None]):
        self._line = line
        self._rest: dict[str, bytes] = {}

    def feed(self, stream: str, chunk: bytes) -> None:
        """More of one stream."""
        *complete, rest = (self._rest.get(stream, b'') + chunk).split(b'\n')
        for line in complete:
            for part in _parts(line.removesuffix(b'\r')):
                self._line(stream, part.decode(errors='replace'))
        while len(rest) > LONGEST_LINE:
            self._line(stream, rest[:LONGEST_LINE].decode(errors='replace'))
            rest = rest[LONGEST_LINE:]
        self._rest[stream] = rest

    def finish(self) -> None:
        """Nothing more comes: what stands after the last line end is a line too."""
        for stream, rest in self._rest.items():
            if rest:
                self._line(stream, rest.decode(errors='replace'))
        self._rest = {}


def _parts(line: bytes) -> list[bytes]:
    return [line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE)] or [b'']


class AgentLink:
    """A connected agent. :func:`listen` makes these.

    ``machine``, ``boots`` and ``boot`` are what the agent said of itself: whose it is, how often its system has
    started, and the name of this start. ``closed`` is set when the line is gone.
    """

    def __init__(
        self, hello: messages.Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ):
        self.machine = str(hello['machine'])
        self.boots = int(hello['boots'])
        self.boot = str(hello['boot'])
        self.closed = asyncio.Event()
        self._reader, self._writer = reader, writer
        self._runs: dict[int, _Run] = {}
        self._pings: dict[int, asyncio.Future[None]] = {}
        self._last = 0

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str = '/',
        stdin: bytes = b'',
        timeout: float = 0.0,
        output: Callable[[str, bytes], None] | None = None,
        started: Callable[[int, int], None] | None = None,
    ) -> Ended:
        """Run a program in the machine and wait for its end. Cancelling this kills it with its process group.

        Args:
            argv: program and arguments; found on the ``PATH`` in *env*.
            env: its whole environment.
            cwd: its working directory.
            stdin: its input.
            timeout: seconds after which it is killed; 0 for none.
            output: called with (``stdout`` or ``stderr``, chunk) as it writes.
            started: called once it runs with (number of the run for :meth:`kill`, pid in the machine).

        Raises:
            CannotRun: it could not be started.
            LinkLost: the agent died or the machine did.
        """
        number = self._next()
        run = _Run(asyncio.get_running_loop().create_future(), output, started)
        if self.closed.is_set():
            raise LinkLost(f'the agent of machine {self.machine} is gone')
        self._runs[number] = run
        try:
            self._say(messages.run(number, list(argv), dict(env), cwd, stdin, timeout))
            await self._writer.drain()
            return await run.done
        except ConnectionError:
            raise LinkLost(f'the agent of machine {self.machine} is gone') from None
        except asyncio.CancelledError:
            self.kill(number, signals.SIGKILL)
            raise
        finally:
            self._runs.pop(number, None)

    async def capture(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str = '/',
        stdin: bytes = b'',
        timeout: float = 0.0,
    ) -> tuple[Ended, bytes, bytes]:
        """As :meth:`run`; gives how it ended, its output and its error output."""
        said = {'stdout': bytearray(), 'stderr': bytearray()}

        def keep(stream: str, chunk: bytes) -> None:
            said[stream] += chunk

        ended = await self.run(argv, env=env, cwd=cwd, stdin=stdin, timeout=timeout, output=keep)
        return ended, bytes(said['stdout']), bytes(said['stderr'])

    def kill(self, number: int, signal: int = signals.SIGTERM) -> None:
        """Send a signal to the process group of a run; nothing happens if it has ended."""
        if number in self._runs:
            self._say(messages.kill(number, signal))

    async def ping(self, timeout: float = 5.0) -> None:
        """Return when the agent has answered.

        Raises:
            LinkLost: it did not within *timeout* seconds.
        """
        number = self._next()
        pong: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pings[number] = pong
        try:
            self._say(messages.ping(number))
            await asyncio.wait_for(pong, timeout)
        except (TimeoutError, ConnectionError):
            raise LinkLost(f'the agent of machine {self.machine} does not answer') from None
        finally:
            self._pings.pop(number, None)

    def close(self) -> None:
        """Hang up: the agent kills what runs, and connects anew."""
        self._writer.close()

    async def serve(self) -> None:
        """Take in what the agent says until the line is gone. :func:`listen` runs this."""
        try:
            while line := await self._reader.readline():
                self._take(messages.decode(line))
        except (ConnectionError, *_NONSENSE):
            pass  # A machine that talks nonsense is as good as gone.
        finally:
            self._lose()

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _say(self, message: messages.Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(messages.encode(message))

    def _take(self, message: messages.Message) -> None:
        number = int(message['id'])
        if message['type'] == 'pong':
            if (pong := self._pings.get(number)) and not pong.done():
                pong.set_result(None)
            return
        run = self._runs.get(number)
        if run is None or run.done.done():
            return
        match message['type']:
            case 'started' if run.started:
                run.started(number, int(message['pid']))
            case 'output' if run.output:
                run.output(str(message['stream']), messages.raw(message['data']))
            case 'exit':
                run.done.set_result(
                    Ended(int(message['code']), int(message['signal']), bool(message['timed_out']))
                )
            case 'refused':
                run.done.set_exception(CannotRun(str(message['message'])))
            case _:
                pass

    def _lose(self) -> None:
        self._writer.close()
        self.closed.set()
        lost = LinkLost(f'the agent of machine {self.machine} went away')
        for waiting in (*(run.done for run in self._runs.values()), *self._pings.values()):
            if not waiting.done():
                waiting.set_exception(lost)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def at_most(many: int, serve: Serve) -> Serve:
    """*serve* for so many connections at once; any other is hung up on: a machine must not use up what all share."""
    there = 0

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal there
        if there >= many:
            writer.close()
            return
        there += 1
        try:
            await serve(reader, writer)
        finally:
            there -= 1

    return guarded


async def listen(
    path: Path, connected: Callable[[AgentLink], Awaitable[None]], *, patience: float = 10.0
) -> asyncio.Server:
    """Listen for one machine's agent on *path*; a socket left there is replaced.

    *connected* is awaited for each agent that has said hello, while what it says is already taken in: it may use the
    link at once, and returns or goes on as it likes. The link lives until it is closed from either side. Who connects
    and does not say hello within *patience* seconds is hung up on.
    """

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            hello = messages.decode(await asyncio.wait_for(reader.readline(), patience))
            link = AgentLink(hello, reader, writer)
        except (TimeoutError, OSError, *_NONSENSE):
            writer.close()
            return
        serving = asyncio.create_task(link.serve())
        try:
            await connected(link)
            await serving
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving

    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    # Its mode is not touched: the machine may have put a link in its place by then. Its folder is for its owner alone.
    return await asyncio.start_unix_server(at_most(MOST_AGENTS, greet), path, limit=messages.LIMIT)
