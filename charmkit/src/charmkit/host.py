"""The desired state of a machine, and the pure difference from what is observed.

Nothing here touches a machine: :mod:`charmkit.apply` does. Nothing here knows OpenStack or Juju.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from .host_paths import Absent as Absent
from .host_paths import Directory as Directory
from .host_paths import File as File
from .host_paths import Link as Link
from .host_paths import digest as digest

Verb = Literal[
    'mask',
    'unmask',
    'install',
    'upgrade',
    'make',
    'check',
    'write',
    'link',
    'remove',
    'daemon-reload',
    'run',
    'stop',
    'try',
    'start',
    'restart',
    'reload',
    'recycle',
]
_UNITS = '/etc/systemd/system/'


@dataclasses.dataclass(frozen=True)
class SystemdService:
    """A systemd unit, and what it should be doing.

    ``masked`` is for what a package would start by itself: it is kept from starting before the
    package comes, by a condition that is never met; systemd's own mask would refuse the ``systemctl
    enable`` of the package's scripts, and leave it half-installed.
    """

    name: str
    state: Literal['running', 'stopped', 'masked'] = 'running'
    on_change: Literal['restart', 'reload', 'recycle', 'hold'] = 'restart'
    """What makes it take up new files: ``recycle`` is for a WSGI process group (see *part_of*). With ``hold`` it takes
    up none for now: those that are there stay as they are, and their checks say already what they think of the new."""
    part_of: str = ''
    """The service that this one lives in: a process group of Apache has ``apache2`` here. It
    comes and goes with it, and alone is only ever recycled."""
    version: str = ''
    """Of the program: it must be started again when this changes."""
    linger_s: float = 0
    """How long to wait before it is stopped, for whoever must notice first; seconds."""
    configured_by: str = ''
    """The file that makes it ours: while that is not there nobody uses it, and it stops at once."""
    trial: Command | None = None
    """What must succeed before it takes up new files, by itself or with the service that it is
    *part_of*; else its last good files are put back."""
    probe: str = ''
    """``host:port`` that must accept a connection while it runs: not listening is not running."""
    stays_s: float = 0
    """How long it must stay up after a start to have come up, where nothing can be asked; seconds."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """A command that runs once for each new *key*, such as a schema migration.

    It runs again after a hook that died within it, so it must bear being repeated.
    """

    name: str
    argv: tuple[str, ...]
    key: str
    user: str = 'root'
    timeout_s: float = 900
    when: Literal['before', 'after'] = 'before'
    """Before or after the services are brought to their states."""
    environment: Mapping[str, str] = dataclasses.field(
        default_factory=dict[str, str], repr=False, hash=False
    )
    """Added to the environment. Secrets go here, never into *argv*, which anybody can read."""
    accepted: tuple[int, ...] = (0,)
    """Exit statuses that mean that it is done."""
    repeat_on: tuple[int, ...] = ()
    """Exit statuses that mean that there is more of it to do: it is run again, within *timeout_s*."""
    may_fail: bool = False
    """It needs what others allow: that it does not succeed is told to the next round, and is no error of the hook."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Upgrade:
    """Packages to bring to the newest versions that the archives have, once for each new *key*."""

    packages: tuple[str, ...]
    key: str

    @property
    def name(self) -> str:
        """Under which the key is remembered."""
        return 'upgrade'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Host:
    """All that a charm wants of its machine."""

    packages: frozenset[str] = frozenset()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    links: tuple[Link, ...] = ()
    absent: tuple[Absent, ...] = ()
    commands: tuple[Command, ...] = ()
    services: tuple[SystemdService, ...] = ()
    upgrade: Upgrade | None = None

    def paths(self) -> Iterator[str]:
        """Every path that this host says something about."""
        for thing in (*self.directories, *self.files, *self.links, *self.absent):
            yield thing.path

    def configuration_of(self, service: str) -> frozenset[str]:
        """The paths of all that *service* must have been started with."""
        things = (*self.files, *self.links, *self.absent)
        return frozenset(thing.path for thing in things if service in thing.notify)

    def config_digest(self, service: str) -> str:
        """The digest of every file and link that *service* must have been started with."""
        parts = [f'{f.path}:{f.revision or f.digest}' for f in self.files if service in f.notify]
        parts += [f'{x.path}:{x.stamp}' for x in self.links if service in x.notify]
        parts += [f'{x.path}:-' for x in self.absent if service in x.notify]
        parts += [f'version:{s.version}' for s in self.services if s.name == service and s.version]
        return digest('\n'.join(sorted(parts)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Observed:
    """The part of a machine's state that a :class:`Host` speaks about."""

    packages: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Version of each package that is wholly installed."""
    paths: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Stamp of each path that exists; of what a directory is to be purged of, too."""
    commands: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Key with which each command last succeeded."""
    active: frozenset[str] = frozenset()
    """Services that run, and answer where a probe is wanted."""
    masked: frozenset[str] = frozenset()
    """Services that are kept from starting."""
    stale: frozenset[str] = frozenset()
    """Services of which systemd has not read again what was written for it."""
    check_passed: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Stamp of what the check of each path has accepted beforehand."""
    started_with: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Config digest that each service was last started with: it survives a hook that died."""


@dataclasses.dataclass(frozen=True)
class Step:
    """One change to make, in order."""

    verb: Verb
    target: str

    def __str__(self) -> str:
        return f'{self.verb} {self.target}'


def merge(*hosts: Host) -> Host:
    """All that *hosts* want, in their order; what several want alike is wanted once.

    A directory that may stay as it is gives way to one that somebody wants in a certain way.

    Raises:
        ValueError: when two of them want different things at one path or of one service.
    """
    merged = Host(
        packages=frozenset[str]().union(*(h.packages for h in hosts)),
        directories=_directories(dict.fromkeys(x for h in hosts for x in h.directories)),
        files=tuple(dict.fromkeys(x for h in hosts for x in h.files)),
        links=tuple(dict.fromkeys(x for h in hosts for x in h.links)),
        absent=tuple(dict.fromkeys(x for h in hosts for x in h.absent)),
        commands=tuple(dict.fromkeys(x for h in hosts for x in h.commands)),
        services=tuple(dict.fromkeys(x for h in hosts for x in h.services)),
        upgrade=next((h.upgrade for h in hosts if h.upgrade), None),
    )
    for names in (list(merged.paths()), [s.name for s in merged.services]):
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f'wanted in two ways: {", ".join(sorted(twice))}')
    return merged


def _directories(wanted: Iterable[Directory]) -> tuple[Directory, ...]:
    certain = {d.path for d in wanted if not d.kept}
    return tuple(d for d in wanted if not (d.kept and d.path in certain))


def plan(desired: Host, observed: Observed) -> tuple[Step, ...]:
    """Steps that take the machine from *observed* to *desired*; none when they agree."""
    return (
        *_masks(desired, observed),
        *_archives(desired, observed),
        *_installs(desired, observed),
        *_upgrades(desired, observed),
        *_ends(desired, observed),
        *_path_steps(desired, observed),
        *_reloads(desired, observed),
        *_commands(desired, observed, 'before'),
        *_services(desired, observed),
        *_commands(desired, observed, 'after'),
    )


def _masks(desired: Host, observed: Observed) -> Iterator[Step]:
    # Before anything is installed, so that no packaged default ever starts.
    for s in desired.services:
        if s.state == 'masked' and s.name not in observed.masked:
            yield Step('mask', s.name)
        elif s.state != 'masked' and s.name in observed.masked:
            yield Step('unmask', s.name)


def _archives(desired: Host, observed: Observed) -> Iterator[Step]:
    for file in desired.files:
        if file.before_packages and observed.paths.get(file.path) != file.stamp:
            yield Step('write', file.path)


def _installs(desired: Host, observed: Observed) -> Iterator[Step]:
    # All in one step: the package manager resolves them together, and starting it is slow.
    if missing := sorted(desired.packages - observed.packages.keys()):
        yield Step('install', ' '.join(missing))


def _upgrades(desired: Host, observed: Observed) -> Iterator[Step]:
    wanted = desired.upgrade
    if wanted and observed.commands.get(wanted.name) != wanted.key:
        yield Step('upgrade', ' '.join(wanted.packages))


def _ends(desired: Host, observed: Observed) -> Iterator[Step]:
    # systemd neither stops for good nor disables what it has no file of any more. One that does not run may be enabled.
    gone = {a.path for a in desired.absent}
    for s in desired.services:
        files = gone & _unit_files(s)
        if (
            s.state == 'stopped'
            and files
            and (s.name in observed.active or files & observed.paths.keys())
        ):
            yield Step('stop', s.name)


def _unit_files(service: SystemdService) -> set[str]:
    return {f'{_UNITS}{service.name}', f'{_UNITS}{service.name}.service'}


def _path_steps(desired: Host, observed: Observed) -> Iterator[Step]:
    verbs: tuple[tuple[Verb, Iterable[Directory | File | Link]], ...] = (
        ('make', desired.directories),
        ('write', desired.files),
        ('link', desired.links),
    )
    held = _held(desired, observed)
    for verb, things in verbs:
        for thing in things:
            early = isinstance(thing, File) and thing.before_packages
            kept = isinstance(thing, Directory) and thing.kept and thing.path in observed.paths
            if early or kept or observed.paths.get(thing.path) == thing.stamp:
                continue
            if thing.path not in held:
                yield Step(verb, thing.path)
            elif (
                isinstance(thing, File)
                and thing.check
                and observed.check_passed.get(thing.path) != thing.stamp
            ):
                yield Step('check', thing.path)
    # What packages bring is not there yet when this is planned.
    coming = bool(desired.packages - observed.packages.keys())
    for thing in desired.absent:
        if (coming or thing.path in observed.paths) and thing.path not in held:
            yield Step('remove', thing.path)
    unwanted = observed.paths.keys() - set(desired.paths())
    # As numbers go: of files of which the highest is in force, no other is for a moment.
    for path in sorted(unwanted, key=lambda path: (len(path), path)):
        if any(d.purges(path) for d in desired.directories):
            yield Step('remove', path)


def _held(desired: Host, observed: Observed) -> frozenset[str]:
    """Paths that are to stay as they are for now; what is not there at all is not among them."""
    holding = [
        s.name for s in desired.services if s.on_change == 'hold' and s.name in observed.active
    ]
    found = frozenset[str]().union(*map(desired.configuration_of, holding))
    gone = {x.path for x in desired.absent}
    return frozenset(path for path in found if path in observed.paths or path in gone)


def _reloads(desired: Host, observed: Observed) -> Iterator[Step]:
    # What is written for systemd is in force once it has read it, whether or not anything starts.
    written = (s.target.startswith(_UNITS) for s in _path_steps(desired, observed))
    if observed.stale or any(written):
        yield Step('daemon-reload', 'systemd')


def _commands(
    desired: Host, observed: Observed, when: Literal['before', 'after']
) -> Iterator[Step]:
    for c in desired.commands:
        if c.when == when and observed.commands.get(c.name) != c.key:
            yield Step('run', c.name)


def _services(desired: Host, observed: Observed) -> Iterator[Step]:
    moved: set[str] = set()
    running = {s.name for s in desired.services if s.state == 'running'}
    gone = {a.path for a in desired.absent}
    # What is stopped goes first: it may hold a port that another one is to have.
    for s in sorted(desired.services, key=lambda s: s.state == 'running'):
        if s.part_of and (s.part_of not in running or s.part_of in moved):
            continue
        if s.state == 'stopped' and _unit_files(s) & gone:
            continue  # It was before its file went.
        step = _service_step(s, desired.config_digest(s.name), observed)
        if step is not None:
            moved.add(s.name)
            if step.verb in ('start', 'restart', 'reload'):
                yield from _trials(s.name, desired, observed)
            yield step


def _trials(service: str, desired: Host, observed: Observed) -> Iterator[Step]:
    """What runs in *service* takes up its own new files with it: each is tried first."""
    for part in desired.services:
        started = observed.started_with.get(part.name)
        changed = started is not None and started != desired.config_digest(part.name)
        if part.part_of == service and part.state == 'running' and part.trial and changed:
            yield Step('try', part.name)


def _service_step(s: SystemdService, wanted: str, observed: Observed) -> Step | None:
    active = s.name in observed.active
    match s.state:
        case 'masked' | 'stopped':
            # A masked service that still runs was started before the charm came: end it too.
            return Step('stop', s.name) if active else None
        case 'running' if s.part_of:
            return None if observed.started_with.get(s.name) == wanted else Step('recycle', s.name)
        case 'running' if not active:
            return Step('start', s.name)
        case 'running':
            taken_up = observed.started_with.get(s.name) == wanted
            return None if taken_up or s.on_change == 'hold' else Step(s.on_change, s.name)
