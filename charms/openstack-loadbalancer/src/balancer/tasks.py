"""What is done with a running haproxy, and what is found out of it and of the unit: tasks, as values.

After a reload the old workers go on with what they had begun, and know nothing of what the new
one is told. So everything is sent to every worker, through the socket of their master. Source:
haproxy's management guide, sections 9.3 (the socket) and 9.4 (the master's).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from charmkit.machine import HttpRequest, Machine, UnreachableError
from charmkit.proxy import haproxy, vip_handover

from . import handshake, layout, programs, rotation, stats

MASTER = '/run/haproxy-master.sock'
TRIAL = '/run/openstack-haproxy/trial.cfg'
_COMMANDS_AT_ONCE = 50


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrainProgress:
    """What the looks at haproxy within one run have led to; each look hands it on to the next."""

    locks: Mapping[str, handshake.Lock] | None = None
    """The leader's decision that the look was made with; None: what the peers' databag says."""
    drains: Mapping[str, tuple[str, float]] = dataclasses.field(
        default_factory=dict[str, tuple[str, float]]
    )
    """Since when each unit is being drained: its token, and seconds since the epoch."""
    idle: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """How many looks in a row have found nothing under way on a unit."""
    began: float = 0.0
    """When the first look was made; seconds since the epoch."""
    cut: frozenset[rotation.ServerKey] = frozenset()
    """Where all that was under way has been ended, since a deadline was over."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HaproxyState:
    """What was found."""

    look: int
    at: float
    """Seconds since the epoch."""
    workers: tuple[rotation.Worker, ...]
    mark: str
    """Of the configuration that the current worker has."""
    course: DrainProgress


@dataclasses.dataclass(frozen=True)
class Unreachable:
    """haproxy could not be asked, and why."""

    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Servers:
    """Have every worker do what is wanted with each server, and look what it does. Result: Looked or Unreachable."""

    wants: Mapping[rotation.ServerKey, rotation.Want]
    cut: tuple[rotation.ServerKey, ...] = ()
    """Where all that is under way is to end at once."""
    look: int = 0
    pause_s: float = 0.0
    """How long to wait before."""
    course: DrainProgress = dataclasses.field(default_factory=DrainProgress)
    name: str = 'servers'

    def carry_out(self, machine: Machine) -> HaproxyState | Unreachable:
        """Tell and look, by *machine*."""
        if self.pause_s:
            machine.sleep(self.pause_s)
        try:
            before = workers(machine)
            replies = [self._send(worker, machine) for worker in before]
            # Looked at after all was told: what is still sent to a server must show.
            after = workers(machine) if any(replies) else before
            return HaproxyState(
                look=self.look,
                at=machine.now(),
                workers=after,
                mark=_mark(after, machine),
                course=self.course,
            )
        except UnreachableError as e:
            return Unreachable(str(e))

    def _send(self, worker: rotation.Worker, machine: Machine) -> bool:
        commands = (*rotation.commands(self.wants, worker), *rotation.cuts(self.cut, worker))
        for start in range(0, len(commands), _COMMANDS_AT_ONCE):
            text = '; '.join(commands[start : start + _COMMANDS_AT_ONCE])
            machine.ask(MASTER, f'@!{worker.pid} {text}\n')
        return bool(commands)


@dataclasses.dataclass(frozen=True)
class ProbeHaproxy:
    """Only look at every worker's servers. Result: the workers, or Unreachable."""

    name: str = 'look'

    def carry_out(self, machine: Machine) -> tuple[rotation.Worker, ...] | Unreachable:
        """Look, by *machine*."""
        try:
            return workers(machine)
        except UnreachableError as e:
            return Unreachable(str(e))


@dataclasses.dataclass(frozen=True)
class SaveStates:
    """Keep the state of all servers for the next start, as each reload does by itself."""

    of: int
    """Which look they are of."""
    name: str = 'saved'

    def carry_out(self, machine: Machine) -> str:
        """Save, by *machine*; '' or what went wrong."""
        done = machine.program(programs.SAVE_PATH)
        return done.output if done.status else ''


@dataclasses.dataclass(frozen=True)
class Tidy:
    """Remove the lists that no configuration refers to any more."""

    keep: frozenset[str]
    """Paths."""
    name: str = 'tidied'

    def carry_out(self, machine: Machine) -> tuple[str, ...]:
        """Tidy, by *machine*; the paths that were removed."""
        in_force = machine.read(haproxy.CONFIG) or ''
        found = (f'{haproxy.LISTS}/{name}' for name in machine.names(haproxy.LISTS))
        old = tuple(p for p in found if p not in self.keep and p not in in_force)
        if old:
            machine.program('rm', '-f', '--', *old)
        return old


@dataclasses.dataclass(frozen=True)
class Listening:
    """Find out which programs other than haproxy listen on this unit. Result: a tuple of listeners."""

    name: str = 'listening'

    def carry_out(self, machine: Machine) -> tuple[layout.Listener, ...]:
        """Ask the kernel, by *machine* (``ss`` of iproute2)."""
        shown = machine.program('ss', '-Hltnp')
        ours = _binds(machine.read(haproxy.CONFIG) or '')
        return tuple(
            x
            for x in listeners(shown.output if not shown.status else '')
            # Whose it is can be hidden in a container: then what haproxy was given is haproxy's.
            if x.program != 'haproxy' and (x.program or (x.address, x.port) not in ours)
        )


@dataclasses.dataclass(frozen=True)
class Connections:
    """Count the connections of clients to VIPs that this unit keeps. Result: how many."""

    name: str = 'connections'

    def carry_out(self, machine: Machine) -> int:
        """Ask the kernel, by *machine* (``ss`` of iproute2)."""
        kept = (machine.read(vip_handover.KEPT) or '').splitlines()
        vips = frozenset(line.partition(' ')[0] for line in kept)
        shown = machine.program('ss', '-Hatn')
        return connections(shown.output if not shown.status else '', vips)


_OVER = frozenset({'LISTEN', 'TIME-WAIT', 'FIN-WAIT-2', 'UNCONN', 'CLOSED'})
"""States in which a connection has nothing more to say."""


def connections(text: str, vips: frozenset[str]) -> int:
    """How many connections to *vips* there are in the output of ``ss -Hatn`` that have not ended."""
    count = 0
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 5 or fields[0] in _OVER:
            continue
        count += fields[3].rpartition(':')[0].strip('[]') in vips
    return count


def listeners(text: str) -> tuple[layout.Listener, ...]:
    """The listeners in the output of ``ss -Hltnp``."""
    out: list[layout.Listener] = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 5:
            continue
        address, _, port = fields[3].rpartition(':')
        program = line.partition('users:(("')[2].partition('"')[0]
        if port.isdecimal():
            plain = address.strip('[]').partition('%')[0]
            out.append(layout.Listener(plain, int(port), program))
    return tuple(dict.fromkeys(out))


@dataclasses.dataclass(frozen=True)
class Alerts:
    """What haproxy has said of what keeps it from coming up. Result: its lines, each once."""

    since: float
    """Seconds since the epoch: what it said before was said of another configuration."""
    name: str = 'alerts'

    def carry_out(self, machine: Machine) -> tuple[str, ...]:
        """Read its journal, by *machine*."""
        since = f'@{int(self.since)}'
        done = machine.program(
            'journalctl', '-u', 'haproxy', '-o', 'cat', '--no-pager', '--since', since
        )
        lines = [line for line in done.output.splitlines() if 'ALERT' in line]
        return tuple(dict.fromkeys(words(line) for line in lines[-50:]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tried:
    """What haproxy says against the parts of a configuration; '' where it takes them."""

    options: str
    relations: Mapping[int, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """Find out what of a configuration haproxy refuses: the options by themselves, and each relation by itself."""

    options: haproxy.Rendered
    relations: Mapping[int, haproxy.Rendered]
    name: str = 'trial'

    def carry_out(self, machine: Machine) -> Tried:
        """Try each, by *machine*."""
        return Tried(
            options=_tried(self.options, machine),
            relations={i: _tried(text, machine) for i, text in self.relations.items()},
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a run has concluded about a configuration that could not be used: the result of itself, for later rounds."""

    guilty: Mapping[int, str]
    """By relation, why it is left out."""
    options: str = ''
    """Why the options are not taken; '' when they are not at fault."""
    name: str = 'verdict'

    def carry_out(self, machine: Machine) -> Verdict:
        """Nothing is to be done."""
        return self


@dataclasses.dataclass(frozen=True)
class MembersReady:
    """Ask the other load balancer units whether they are ready. Result: those that are not."""

    urls: Mapping[str, str]
    """By unit."""
    name: str = 'members'

    def carry_out(self, machine: Machine) -> frozenset[str]:
        """Ask each, twice where it does not answer well, by *machine*."""
        return frozenset(u for u, url in self.urls.items() if not _is_ready(url, machine))


@dataclasses.dataclass(frozen=True)
class Statistics:
    """``show stat`` of every unit. Result: texts by unit, and who could not be asked and why."""

    members: Mapping[str, str]
    """Host and port of the other units' metrics, by unit."""
    unit: str
    name: str = 'statistics'

    def carry_out(self, machine: Machine) -> tuple[dict[str, str], tuple[str, ...]]:
        """Ask each, by *machine*."""
        found: dict[str, str] = {}
        missing: list[str] = []
        try:
            found[self.unit] = machine.ask(MASTER, '@1 show stat\n')
        except UnreachableError as e:
            missing.append(f'{self.unit}: {e}')
        for unit, where in self.members.items():
            got = machine.http(HttpRequest(url=f'http://{where}/stats;csv', timeout_s=5))
            if got.status == 200:
                found[unit] = got.body
            else:
                missing.append(f'{unit}: {got.reason if not got.status else got.status}')
        return found, tuple(missing)


def words(output: str) -> str:
    """What haproxy says against a configuration, in its own words and in one line."""
    alerts = [line for line in output.splitlines() if 'ALERT' in line] or output.splitlines()
    said = [a.partition(' : ')[2].removeprefix('config : ') or a for a in alerts]
    telling = [s for s in said if not s.startswith(('Error(s) found', 'Fatal errors found'))]
    line = ' '.join((telling or said or ['it would not say why'])[0].split())
    return line if len(line) <= 300 else f'{line[:299]}…'


def _tried(text: haproxy.Rendered, machine: Machine) -> str:
    for path, items in text.lists.items():
        machine.write(path, items, 0o644)
    machine.write(TRIAL, text.text)
    done = machine.program('haproxy', '-c', '-f', TRIAL)
    return words(done.output) if done.status else ''


def _is_ready(url: str, machine: Machine) -> bool:
    request = HttpRequest(url=url, timeout_s=1)
    return machine.http(request).status == 200 or machine.http(request).status == 200


def _binds(text: str) -> frozenset[tuple[str, int]]:
    out: set[tuple[str, int]] = set()
    for line in text.splitlines():
        fields = line.split()
        if fields[:1] == ['bind'] and len(fields) > 1:
            address, _, port = fields[1].rpartition(':')
            if port.isdecimal():
                out.add((address.strip('[]'), int(port)))
    return frozenset(out)


def workers(machine: Machine) -> tuple[rotation.Worker, ...]:
    """Every worker with its servers. One that ends meanwhile has finished all that it had begun, and is left out."""
    out: list[rotation.Worker] = []
    for process in stats.processes(machine.ask(MASTER, 'show proc\n')):
        stat = machine.ask(MASTER, f'@!{process.pid} show stat\n')
        state = machine.ask(MASTER, f'@!{process.pid} show servers state\n')
        if stat.startswith('#'):
            out.append(stats.worker(process, stat, state))
    return tuple(out)


def _mark(workers: Iterable[rotation.Worker], machine: Machine) -> str:
    for worker in workers:
        if worker.current:
            info = machine.ask(MASTER, f'@!{worker.pid} show info\n')
            lines = [line.partition(': ') for line in info.splitlines()]
            return next((value for key, _, value in lines if key == 'description'), '')
    return ''
