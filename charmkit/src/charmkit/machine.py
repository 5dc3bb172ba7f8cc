"""The seam to a machine: all that a run may ask of one, and carry out on it. Nothing here does any of it.

:class:`charmkit.apply.LocalMachine` is the machine that the charm runs on; tests put
:class:`charmkit.testing.FakeMachine` in its place, and nothing else needs to be replaced.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from . import host


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What the machine is."""

    base: str
    """As Juju spells it: ``debian@12``, ``ubuntu@24.04``."""
    cpus: int = 2
    """How many this machine may use at once, its cgroup's quota counted in."""
    memory_mib: int = 4096
    """How much it may use, its cgroup's limit counted in; MiB."""
    interfaces: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The name of the network interface that has each address."""
    hostname: str = ''
    """As the machine calls itself."""
    container: bool = False
    """It is a system container: what its kernel has is its host's."""
    links: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The MAC of each network interface, by its name; without loopback."""
    kernel_openvswitch: bool = False
    """The kernel has Open vSwitch's datapath, or would load it."""


@dataclasses.dataclass(frozen=True)
class Finished:
    """A program that has ended."""

    status: int
    """Its exit status; -1 when it was stopped for taking too long, 128 and the number of the signal that ended it."""
    output: str = dataclasses.field(default='', repr=False)
    """What it said, errors among it."""


def without_secrets(said: str) -> str:
    """What a program *said*, without what stands before the host in a URL (``mysql://keystone:password@…``). Pure."""
    return _SECRET.sub('://…@', said)


_SECRET = re.compile(r'://[^@/\s]{1,500}@')


@dataclasses.dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """One request; what it carries may be secret and stays out of every log."""

    method: str = 'GET'
    url: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str], repr=False)
    body: str = dataclasses.field(default='', repr=False)
    timeout_s: float = 60.0


@dataclasses.dataclass(frozen=True)
class HttpResponse:
    """What came back; header names in lower case."""

    status: int
    """0 when nobody answered."""
    reason: str = ''
    """Why nobody did, or what goes with the status."""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str], repr=False)
    body: str = dataclasses.field(default='', repr=False)


class UnreachableError(Exception):
    """Nobody answers on a Unix socket; the message says which one, and why."""


Sink = Callable[[bytes], object]


class Machine(Protocol):
    """What a run needs of a machine."""

    def facts(self) -> Facts:
        """What the machine is."""
        ...

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        ...

    def unit_secret(self, unit: str) -> str:
        """A random text that *unit* keeps for good."""
        ...

    def observe(self, desired: host.Host) -> host.Observed:
        """The state of all that *desired* speaks about."""
        ...

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        """Do *step*; '' when it is done, else why not: a file's check refused it, a service does not come up.

        Raises:
            CommandError: when packages would not install, or a command would not succeed.
        """
        ...

    def program(
        self,
        *argv: str,
        stdin: str = '',
        environment: Mapping[str, str] | None = None,
        user: str = 'root',
        timeout_s: float = 60.0,
    ) -> Finished:
        """Run a program to its end. Secrets go into *stdin* or *environment*, never into *argv*."""
        ...

    def stream(
        self, *argv: str, source: Iterable[bytes] = (), sink: Sink | None = None
    ) -> Finished:
        """Run a program whose input or output is more than a text: *source* goes in, what comes out goes to *sink*.

        It gets its whole input before its output is taken, if there is a *sink*. The result's output is what it said of
        errors.
        """
        ...

    def progress(self, line: str) -> None:
        """Show *line* to the operator whose action is under way."""
        ...

    def http(self, request: HttpRequest) -> HttpResponse:
        """Make a request, by no proxy; whatever goes wrong is a response."""
        ...

    def ask(self, socket: str, text: str, timeout_s: float = 5.0) -> str:
        """The answer to *text* on the Unix socket at the path *socket*.

        Raises:
            UnreachableError: when nobody answers there in time.
        """
        ...

    def read(self, path: str) -> str | None:
        """The text at *path*; None when there is no such file."""
        ...

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        """Put *text* at *path* in one step, owned by root."""
        ...

    def names(self, directory: str) -> tuple[str, ...]:
        """What is in *directory*, sorted; nothing when it is not there."""
        ...


class Task(Protocol):
    """Something to do or to find out once the services are as desired, as a value.

    A frozen dataclass, compared by value: a run that wants the task whose result it has been
    given (:attr:`charmkit.state.Inputs.seen`) has nothing left to do.
    """

    @property
    def name(self) -> str:
        """Where its result is found, unique in a run."""
        ...

    def carry_out(self, machine: Machine, /) -> object:
        """Do it, by nothing but *machine*. What may go wrong is part of the result."""
        ...
