"""For the tests of charms: a machine that is only remembered.

::

    @pytest.fixture
    def machine(monkeypatch):
        fake = charmkit.testing.FakeMachine()
        monkeypatch.setattr(charmkit.Charm, 'machine', fake)
        return fake
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from . import host
from .machine import Facts, Finished, HttpRequest, HttpResponse, Sink, UnreachableError


@dataclasses.dataclass
class FakeMachine:
    """Does as it is told, and remembers: :attr:`seen` is its state, :attr:`steps` its history."""

    seen: host.Observed = dataclasses.field(default_factory=host.Observed)
    steps: list[str] = dataclasses.field(default_factory=list[str])
    desired: host.Host = dataclasses.field(default_factory=host.Host)
    """What was last wanted."""
    base: str = 'debian@12'
    cpus: int = 2
    memory_mib: int = 4096
    interfaces: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    hostname: str = 'machine-0'
    container: bool = False
    links: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    kernel_openvswitch: bool = False
    failing: frozenset[str] = frozenset()
    """Services that will not start, packages and commands among them."""
    refusing: Callable[[host.File], str] = lambda _: ''
    """What the check of a file says against it; '' when it takes it."""
    version: str = '1.0-1'
    """The version that every package comes in."""
    clock: float = 1_800_000_000.0
    """Seconds since the epoch; time passes only when somebody sleeps."""
    requests: list[HttpRequest] = dataclasses.field(default_factory=list[HttpRequest])
    web: Callable[[HttpRequest], HttpResponse] | None = None
    """Who answers requests over HTTP; None: while Apache runs every `/healthcheck` is well; nobody else is there."""
    programs: list[tuple[str, ...]] = dataclasses.field(default_factory=list[tuple[str, ...]])
    shell: Callable[[tuple[str, ...], str], Finished] | None = None
    """What programs say, by their arguments and input; None: nothing, and they succeed."""
    sockets: Callable[[str, str], str] | None = None
    """Who answers on Unix sockets, by path and text; None: nobody."""
    shown: list[str] = dataclasses.field(default_factory=list[str])
    """What was shown to an operator while an action was under way."""
    kept: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The files that tasks have written, by path."""

    def facts(self) -> Facts:
        """What was set."""
        return Facts(
            base=self.base,
            cpus=self.cpus,
            memory_mib=self.memory_mib,
            interfaces=self.interfaces,
            hostname=self.hostname,
            container=self.container,
            links=self.links,
            kernel_openvswitch=self.kernel_openvswitch,
        )

    def now(self) -> float:
        """The clock."""
        return self.clock

    def sleep(self, seconds: float) -> None:
        """Set the clock forward."""
        self.clock += seconds

    def unit_secret(self, unit: str) -> str:
        """The same for a unit every time."""
        return f'unit-secret-of-{unit}'

    def observe(self, desired: host.Host) -> host.Observed:
        """What has been done so far."""
        self.desired = desired
        return self.seen

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        """Remember *step*, and behave as if it worked unless it is to fail."""
        self.steps.append(str(step))
        if step.target in self.failing:
            return 'it is to fail'
        if step.verb in ('check', 'write'):
            file = next(f for f in desired.files if f.path == step.target)
            if said := self.refusing(file):
                return said
        seen = after(step, desired, self.seen, self.version)
        # What runs in a service and does not come up goes on with what it was started with.
        old = {n: d for n, d in self.seen.started_with.items() if n in self.failing}
        self.seen = dataclasses.replace(seen, started_with={**seen.started_with, **old})
        return ''

    def program(
        self,
        *argv: str,
        stdin: str = '',
        environment: Mapping[str, str] | None = None,
        user: str = 'root',
        timeout_s: float = 60.0,
    ) -> Finished:
        """What :attr:`shell` says."""
        self.programs.append(argv)
        return self.shell(argv, stdin) if self.shell else Finished(0)

    def stream(
        self, *argv: str, source: Iterable[bytes] = (), sink: Sink | None = None
    ) -> Finished:
        """What :attr:`shell` says, given the whole input: its output is what comes out, or what is said of an error."""
        self.programs.append(argv)
        given = b''.join(source).decode(errors='replace')
        done = self.shell(argv, given) if self.shell else Finished(0)
        if done.status:
            return done
        if sink:
            sink(done.output.encode())
        return Finished(0)

    def progress(self, line: str) -> None:
        """Remember it."""
        self.shown.append(line)

    def http(self, request: HttpRequest) -> HttpResponse:
        """What :attr:`web` says."""
        self.requests.append(request)
        if self.web:
            return self.web(request)
        if request.url.endswith('/healthcheck') and 'apache2' in self.seen.active:
            return HttpResponse(200)
        return HttpResponse(0, 'Connection refused')

    def ask(self, socket: str, text: str, timeout_s: float = 5.0) -> str:
        """What :attr:`sockets` says."""
        if self.sockets is None:
            raise UnreachableError(f'{socket}: nobody is there')
        return self.sockets(socket, text)

    def read(self, path: str) -> str | None:
        """What a task wrote."""
        return self.kept.get(path)

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        """Keep it."""
        self.kept[path] = text

    def names(self, directory: str) -> tuple[str, ...]:
        """The names of what tasks wrote there."""
        at = directory.rstrip('/') + '/'
        return tuple(sorted(p.removeprefix(at) for p in self.kept if p.startswith(at)))

    def file(self, path: str) -> str:
        """The content last wanted at *path*; raises KeyError when no such file was wanted."""
        for f in self.desired.files:
            if f.path == path:
                return f.content
        raise KeyError(path)

    def service(self, name: str) -> str:
        """The state last wanted of a service; raises KeyError when nothing was."""
        return {s.name: s.state for s in self.desired.services}[name]


def after(  # noqa: C901 -- one case for each verb
    step: host.Step, desired: host.Host, seen: host.Observed, version: str = '1.0-1'
) -> host.Observed:
    """The state of a perfect machine in state *seen* once *step* was done."""
    target = step.target
    match step.verb:
        case 'try':
            return seen
        case 'check':
            stamp = next(x.stamp for x in desired.files if x.path == target)
            return dataclasses.replace(seen, check_passed={**seen.check_passed, target: stamp})
        case 'mask':
            return dataclasses.replace(seen, masked=seen.masked | {target})
        case 'unmask':
            return dataclasses.replace(seen, masked=seen.masked - {target})
        case 'install' | 'upgrade':
            come = dict.fromkeys(target.split(), version)
            done = {'upgrade': desired.upgrade.key} if desired.upgrade else {}
            kept = seen.commands if step.verb == 'install' else {**seen.commands, **done}
            return dataclasses.replace(seen, packages={**seen.packages, **come}, commands=kept)
        case 'daemon-reload':
            return dataclasses.replace(seen, stale=frozenset())
        case 'make' | 'write' | 'link':
            things = (*desired.directories, *desired.files, *desired.links)
            stamp = next(x.stamp for x in things if x.path == target)
            return dataclasses.replace(seen, paths={**seen.paths, target: stamp})
        case 'remove':
            left = {path: s for path, s in seen.paths.items() if path != target}
            return dataclasses.replace(seen, paths=left)
        case 'run':
            key = next(c.key for c in desired.commands if c.name == target)
            return dataclasses.replace(seen, commands={**seen.commands, target: key})
        case 'stop':
            return dataclasses.replace(seen, active=seen.active - {target})
        case 'start' | 'restart' | 'reload' | 'recycle':
            parts = [s.name for s in desired.services if target in (s.name, s.part_of)]
            fresh = {name: desired.config_digest(name) for name in parts}
            active = seen.active | frozenset(() if step.verb == 'recycle' else (target,))
            return dataclasses.replace(
                seen, active=active, started_with={**seen.started_with, **fresh}
            )
