"""The program that runs inside a machine: connects to the controller and runs what it is told to.

Started as ``agent.py --machine 0 --run /var/lib/juju/run --state /var/lib/juju/agent``. Standard library only,
Python 3.9 or newer, one thread. It stays connected; while the controller is away it tries again ten times a second.
When the connection is lost every program still running for it is killed with its process group: the controller
queues the hook again, as Juju does when an agent dies.

The end of a program is the end of its process. A child that went to the background may keep the pipe open for ever,
so what is left in the pipe is read then, and the pipe is closed at the next write (as Juju's hook logger does).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Callable, Optional  # noqa: UP035 -- as old as the agent

from jujulet.machines import (  # The agent is given these two under the same name.
    leftovers,
    messages,
)

RETRY = 0.1
CHUNK = 65536
HELD = 4 * 1024 * 1024
"""Bytes that may wait for the controller before programs' pipes are no longer read."""


def boot_identity(given: str) -> str:
    """What this start of the system is called: *given*, else made of the kernel's boot and process 1's start."""
    if given:
        return given
    kernel = Path('/proc/sys/kernel/random/boot_id').read_text().strip()
    started = Path('/proc/1/stat').read_text().rpartition(')')[2].split()[19]
    return f'{kernel}:{started}'


def count_boot(state: Path, boot: str) -> int:
    """How many times the system has started, this one included; kept in *state*."""
    path = state / 'boots.json'
    try:
        known = json.loads(path.read_text())
        count, last = int(known['boots']), str(known['boot'])
    except (OSError, ValueError, KeyError, TypeError):
        count, last = 0, ''
    if last != boot:
        count += 1
        state.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix('.new')
        fresh.write_text(json.dumps({'boots': count, 'boot': boot}))
        fresh.replace(path)
    return count


def close(*descriptors: int) -> None:
    """Close file descriptors that may be closed already."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


class Program:
    """One program that was asked for, from start to end."""

    def __init__(self, number: int, pid: int, deadline: float):
        self.number = number
        self.pid = pid
        self.deadline = deadline
        self.timed_out = False
        self.pipes: dict[int, str] = {}
        self.input = -1
        self.unwritten = b''

    def signal(self, number: int) -> None:
        """Send a signal to its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def enter_program(message: dict[str, Any], fds: tuple[int, int, int], report: int) -> None:
    """In the child: become the program. Writes the reason to *report* when that fails; never returns."""
    try:
        os.setsid()
        for target, source in enumerate(fds):
            os.dup2(source, target)
        for name in ('SIGPIPE', 'SIGCHLD', 'SIGTERM', 'SIGINT'):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.umask(0o022)
        os.chdir(message['cwd'])
        os.execvpe(message['argv'][0], message['argv'], message['env'])  # noqa: S606 -- no shell is meant
    except BaseException as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        name = getattr(error, 'filename', None) or message['argv'][0]
        os.write(report, f'{name}: {reason}'.encode())
    finally:
        os._exit(127)


class Agent:
    """One loop over the controller's connection and the programs' pipes."""

    def __init__(
        self, socket_path: Path, state: Path, greeting: messages.Message, mark: dict[str, str]
    ):
        self.path = socket_path
        self.state = state
        self.greeting = greeting
        self.mark = mark
        self.selector = selectors.DefaultSelector()
        self.link: Optional[socket.socket] = None  # noqa: UP045
        self.received = b''
        self.unsent = bytearray()
        self.programs: dict[int, Program] = {}
        self.orphans: set[int] = set()
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self.selector.register(wake_read, selectors.EVENT_READ, lambda: self.woken(wake_read))

    # The connection

    def connect(self) -> None:
        """Wait until the controller is there, and greet it."""
        while self.link is None:
            link = socket.socket(socket.AF_UNIX)
            try:
                link.connect(str(self.path))
                link.setblocking(False)
                self.link = link
            except OSError:
                link.close()
                self.reap()
                time.sleep(RETRY)
        self.selector.register(self.link, selectors.EVENT_READ, self.exchange)
        self.send(self.greeting)

    def disconnect(self) -> None:
        """Forget the controller; kill what runs for it."""
        if self.link is not None:
            self.selector.unregister(self.link)
            self.link.close()
        self.link, self.received = None, b''
        self.unsent.clear()
        for program in list(self.programs.values()):
            program.signal(signal.SIGKILL)
            self.forget(program)

    def send(self, message: messages.Message) -> None:
        """Say something; kept while the controller does not read."""
        if self.link is not None:
            self.unsent += messages.encode(message)
            self.flush()

    def flush(self) -> None:
        """Send what can be sent now."""
        if self.link is None:
            return
        try:
            while self.unsent:
                del self.unsent[: self.link.send(self.unsent[:CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent.clear()  # The reading side notices the end, and ends it.
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent else 0)
        self.selector.modify(self.link, events, self.exchange)

    def exchange(self) -> None:
        """The connection can be read or written."""
        self.flush()
        assert self.link is not None  # noqa: S101
        try:
            chunk = self.link.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b''
        if not chunk:
            self.disconnect()
            return
        self.received += chunk
        *lines, self.received = self.received.split(b'\n')
        if len(self.received) > messages.LIMIT:
            self.disconnect()
            return
        for line in lines:
            self.obey(line)

    def obey(self, line: bytes) -> None:
        """Carry out one request; a line that is none of ours ends the connection."""
        if self.link is None:
            return
        try:
            message = messages.decode(line)
            kind, number = message['type'], int(message['id'])
            if kind == 'run':
                self.run(number, message)
            elif kind == 'kill':
                if number in self.programs:
                    self.programs[number].signal(int(message['signal']))
            elif kind == 'ping':
                self.send(messages.pong(number))
        except (messages.Malformed, KeyError, TypeError, ValueError) as error:
            print(f'agent: bad request: {error}', file=sys.stderr)
            self.disconnect()

    # Programs

    def run(self, number: int, message: dict[str, Any]) -> None:
        """Start a program."""
        stdin = messages.raw(message['stdin'])
        timeout = float(message['timeout'])
        in_read, in_write = os.pipe2(os.O_CLOEXEC)
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        err_read, err_write = os.pipe2(os.O_CLOEXEC)
        report_read, report_write = os.pipe2(os.O_CLOEXEC)
        message['env'].update(self.mark)
        pid = os.fork()
        if pid == 0:
            enter_program(message, (in_read, out_write, err_write), report_write)
        leftovers.keep(self.state, [*(p.pid for p in self.programs.values()), pid])
        close(in_read, out_write, err_write, report_write)
        reason = os.read(report_read, 4096).decode(errors='replace')
        close(report_read)
        if reason:
            close(in_write, out_read, err_read)
            os.waitpid(pid, 0)
            self.send(messages.refused(number, reason))
            return
        program = Program(number, pid, time.monotonic() + timeout if timeout else 0.0)
        self.programs[number] = program
        self.send(messages.started(number, pid))
        self.feed(program, in_write, stdin)
        for descriptor, stream in ((out_read, 'stdout'), (err_read, 'stderr')):
            os.set_blocking(descriptor, False)
            program.pipes[descriptor] = stream
            self.selector.register(
                descriptor, selectors.EVENT_READ, lambda d=descriptor: self.readable(program, d)
            )

    def feed(self, program: Program, descriptor: int, stdin: bytes) -> None:
        """Give a program its input, as fast as it takes it."""
        os.set_blocking(descriptor, False)
        program.input, program.unwritten = descriptor, stdin

        def more() -> None:
            try:
                program.unwritten = program.unwritten[os.write(descriptor, program.unwritten) :]
            except BlockingIOError:
                return
            except OSError:
                program.unwritten = b''
            if not program.unwritten:
                self.drop(descriptor)
                program.input = -1

        self.selector.register(descriptor, selectors.EVENT_WRITE, more)
        more()

    def drop(self, descriptor: int) -> None:
        """Watch and keep a descriptor no longer."""
        with contextlib.suppress(KeyError):
            self.selector.unregister(descriptor)
        close(descriptor)

    def readable(self, program: Program, descriptor: int) -> None:
        """A program wrote, or closed its end."""
        if len(self.unsent) > HELD and program.number in self.programs:
            time.sleep(0.01)  # The controller is slow; the program may wait as well.
        else:
            self.read(program, descriptor)

    def read(self, program: Program, descriptor: int) -> None:
        """Pass on what is in a pipe (no more than a chunk); close it at its end, or when it is nobody's."""
        try:
            chunk = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        if chunk and program.number in self.programs:
            self.send(messages.output(program.number, program.pipes[descriptor], chunk))
        else:
            program.pipes.pop(descriptor, None)
            self.drop(descriptor)

    def woken(self, descriptor: int) -> None:
        """A child may have ended."""
        with contextlib.suppress(BlockingIOError):
            os.read(descriptor, 4096)
        self.reap()

    def reap(self) -> None:
        """Report every program that has ended."""
        for pid in list(self.orphans):
            if self.wait(pid) is not None:
                self.orphans.discard(pid)
        for program in list(self.programs.values()):
            status = self.wait(program.pid)
            if status is None:
                continue
            for descriptor in list(program.pipes):
                self.read(program, descriptor)
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            self.forget(program, reaped=True)
            self.send(messages.ended(program.number, code, number, timed_out=program.timed_out))

    @staticmethod
    def wait(pid: int) -> Optional[int]:  # noqa: UP045
        """Status of a child that ended; None while it runs."""
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return 0
        return status if found else None

    def forget(self, program: Program, *, reaped: bool = False) -> None:
        """A program is nobody's any more; its pipes close at their next write."""
        self.programs.pop(program.number, None)
        if not reaped:
            self.orphans.add(program.pid)
        leftovers.keep(self.state, [p.pid for p in self.programs.values()])
        if program.input >= 0:
            self.drop(program.input)
            program.input = -1

    def expire(self) -> Optional[float]:  # noqa: UP045
        """Kill what has run too long; seconds until the next one will have."""
        now = time.monotonic()
        left: list[float] = []
        for program in self.programs.values():
            if program.deadline and program.deadline <= now:
                program.timed_out, program.deadline = True, 0.0
                program.signal(signal.SIGKILL)
            elif program.deadline:
                left.append(program.deadline - now)
        return min(left) if left else None

    def serve(self) -> None:
        """Go on for ever."""
        self.connect()
        while True:
            for key, _events in self.selector.select(self.expire()):
                now = self.selector.get_map().get(key.fd)  # An earlier one may have closed it.
                if now is not None and now.data == key.data:
                    act: Callable[[], Any] = key.data
                    act()
            if self.link is None:
                time.sleep(RETRY)  # With a controller that hangs up at once, neither would rest.
                self.connect()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog='jujud')
    parser.add_argument('--machine', required=True)
    parser.add_argument('--run', required=True, type=Path, help='directory of agent.socket')
    parser.add_argument(
        '--state', required=True, type=Path, help='directory to keep the boot counter in'
    )
    parser.add_argument('--boot', default='', help='name of this start of the system')
    parser.add_argument(
        '--mark', default='', help='NAME=VALUE in the environment of all that it runs'
    )
    options = parser.parse_args()
    leftovers.end(options.state)
    boot = boot_identity(options.boot)
    boots = count_boot(options.state, boot)
    greeting = messages.hello(options.machine, boots, os.getpid(), boot)
    name, _, value = options.mark.partition('=')
    mark = {name: value} if name else {}
    Agent(options.run / 'agent.socket', options.state, greeting, mark).serve()


if __name__ == '__main__':
    main()
