"""The edge to the machine: it observes what is, and carries out steps and what tasks ask for.

It knows packages, files, commands and services, and neither OpenStack nor Juju. What it raises is
for the operator: :class:`run.CommandError` and ``OSError``.
"""

from __future__ import annotations

import json
import logging
import pathlib
import secrets
import subprocess
import time
from collections.abc import Iterable, Mapping
from typing import Any

from . import (
    bytecode,
    clients,
    facts,
    files,
    health,
    host,
    lastgood,
    packages,
    processes,
    run,
)
from .machine import Facts, Finished, HttpRequest, HttpResponse, Sink

_log = logging.getLogger(__name__)


class LocalMachine:
    """The machine that the charm runs on.

    Args:
        name: whose memory to use; charms that share a machine have different names.
        root: where the memory is kept.
    """

    def __init__(self, name: str, root: pathlib.Path = pathlib.Path('/var/lib/charmkit')):
        self._memory = root / name
        self._good = lastgood.LastGood(self._memory / 'good')

    def facts(self) -> Facts:
        """What this machine is."""
        return facts.read()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        time.sleep(seconds)

    def unit_secret(self, unit: str) -> str:
        """A random text that *unit* keeps for good on this machine."""
        path = self._memory / f'secret-{unit.replace("/", "-")}'
        try:
            return path.read_text()
        except FileNotFoundError:
            files.write(path, secrets.token_hex(24), mode=0o600)
            return path.read_text()

    def observe(self, desired: host.Host) -> host.Observed:
        """The state of everything that *desired* speaks about: five cheap looks."""
        remembered = self._remembered()
        active, stale = _services(desired.services)
        named = (s for s in desired.services if not s.part_of)
        return host.Observed(
            packages=self._versions(desired.packages, remembered.get('packages', {})),
            paths=dict(files.stamps((*desired.paths(), *files.purged(desired.directories)))),
            commands=remembered.get('commands', {}),
            active=active,
            masked=frozenset(s.name for s in named if _kept_from_starting(s)),
            stale=stale,
            check_passed=remembered.get('checked', {}),
            started_with=remembered.get('started_with', {}),
        )

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        """Do *step*; '' when it is done, else why not.

        Raises:
            CommandError: when packages would not install, or a command would not succeed.
        """
        bytecode.catch_up()  # What a hook that was killed has put off.
        match step.verb:
            case 'mask' | 'unmask' | 'daemon-reload':
                _prepare_systemd(step)
            case 'install' | 'upgrade':
                self._install(step, desired)
            case 'make' | 'write' | 'link' | 'remove' | 'check':
                return self._change_path(step, desired)
            case 'run':
                return self._run_command(
                    next(c for c in desired.commands if c.name == step.target)
                )
            case 'stop':
                service = next(s for s in desired.services if s.name == step.target)
                if pathlib.Path(service.configured_by).exists():
                    time.sleep(service.linger_s)
                run.program('systemctl', 'disable', '--now', '--quiet', step.target)
            case 'try':
                return self._try(step, desired)
            case 'recycle':
                return self._recycle(step, desired)
            case 'start' | 'restart' | 'reload':
                return self._bring_up(step, desired)
        return ''

    def program(
        self,
        *argv: str,
        stdin: str = '',
        environment: Mapping[str, str] | None = None,
        user: str = 'root',
        timeout_s: float = 60.0,
    ) -> Finished:
        """Run a program to its end; one that is not there ends with 127, as in a shell."""
        return run.finished(
            argv, user=user, stdin=stdin, environment=environment, timeout_s=timeout_s
        )

    def stream(
        self, *argv: str, source: Iterable[bytes] = (), sink: Sink | None = None
    ) -> Finished:
        """Run a program whose input or output is more than a text."""
        return run.streamed(argv, source, sink)

    def progress(self, line: str) -> None:
        """Show *line* to the operator whose action is under way: Juju's hook tool does."""
        run.progress(line)

    def http(self, request: HttpRequest) -> HttpResponse:
        """Make a request, by no proxy; whatever goes wrong is a response."""
        return clients.http_response(request)

    def ask(self, socket: str, text: str, timeout_s: float = 5.0) -> str:
        """The answer to *text* on a Unix socket. Raises UnreachableError."""
        return clients.ask(socket, text, timeout_s)

    def read(self, path: str) -> str | None:
        """The text at *path*; None when there is no such file."""
        try:
            return pathlib.Path(path).read_text(errors='replace')
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return None

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        """Put *text* at *path* in one step."""
        files.write(pathlib.Path(path), text, mode)

    def names(self, directory: str) -> tuple[str, ...]:
        """What is in *directory*, sorted; nothing when it is not there."""
        try:
            return tuple(sorted(p.name for p in pathlib.Path(directory).iterdir()))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def _install(self, step: host.Step, desired: host.Host) -> None:
        upgrade = step.verb == 'upgrade'
        packages.install(step.target.split(), upgrade=upgrade)
        if upgrade and desired.upgrade:
            self._remember('commands', {desired.upgrade.name: desired.upgrade.key})

    def _run_command(self, command: host.Command) -> str:
        if reason := run.command(command):
            return reason
        self._remember('commands', {command.name: command.key})
        return ''

    def _versions(self, names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
        """Versions of packages, asked for again when dpkg has written since: most hooks need no more."""
        asked = f'{packages.stamp()} {" ".join(sorted(names))}'
        if known.get('asked') == asked:
            return json.loads(known['found'])
        found = packages.versions(names)
        self._remember('packages', {'asked': asked, 'found': json.dumps(found)})
        return found

    def _change_path(self, step: host.Step, desired: host.Host) -> str:
        reason = _change_path(step, desired)
        if step.verb == 'check' and not reason:
            self._remember('checked', {step.target: _find(desired.files, step.target).stamp})
        return reason

    def _bring_up(self, step: host.Step, desired: host.Host) -> str:
        """Start, restart or reload; '' when the service is up with its files, else why it is not.

        What does not come up with its new files gets back those that it last came up with.
        """
        reason = '' if self._is_coming_up(step, desired) else self._run_step(step, desired)
        if not reason:
            for each in desired.services:
                if step.target in (each.name, each.part_of):
                    self._came_up(each.name, desired)
            return ''
        _log.error('%s: %s', step, reason)
        if not self._good.put_back(step.target, desired):
            return reason
        again = _run_systemctl(step, desired)
        if again:
            return f'{reason}; nor with its last good files: {again}'
        return f'{reason}; its last good files are in force again'

    def _run_step(self, step: host.Step, desired: host.Host) -> str:
        if step.verb != 'reload':
            self._remember('tried_with', {step.target: desired.config_digest(step.target)})
            return _run_systemctl(step, desired)
        parts = [s.name for s in desired.services if s.part_of == step.target]
        old = processes.of(parts)
        reason = _run_systemctl(step, desired)
        if not reason:
            processes.await_renewal(parts, old)
        return reason

    def _is_coming_up(self, step: host.Step, desired: host.Host) -> bool:
        """Whether it was started with these files a moment ago, did not answer in time then, and answers now.

        To start it again would end what has only just come up, or is about to.
        """
        tried = self._remembered().get('tried_with', {}).get(step.target)
        service = next(s for s in desired.services if s.name == step.target)
        return (
            step.verb != 'reload'
            and tried == desired.config_digest(step.target)
            and lastgood.in_place(step.target, desired)
            and _accepts_late(service)
        )

    def _try(self, step: host.Step, desired: host.Host) -> str:
        """'' when a process group would come up; else why not, and whatever starts it finds its last good files."""
        service = next(s for s in desired.services if s.name == step.target)
        reason = run.tried(service.trial) if service.trial else ''
        if not reason:
            return ''
        if self._good.put_back(step.target, desired):
            return f'{reason}; its last good files are in force again'
        return f'{reason}; the old processes go on as they were started'

    def _recycle(self, step: host.Step, desired: host.Host) -> str:
        if reason := self._try(step, desired):
            return reason
        if reason := processes.recycle(step.target):
            if self._good.put_back(step.target, desired):
                processes.end_idle(step.target)
                reason = f'{reason}; its last good files are in force again'
            return reason
        self._came_up(step.target, desired)
        return ''

    def _came_up(self, service: str, desired: host.Host) -> None:
        # A process group whose new files were not good has its old ones, and is not taken to have the new.
        if lastgood.in_place(service, desired):
            self._good.keep(service, desired)
            self._remember('started_with', {service: desired.config_digest(service)})

    def _remembered(self) -> dict[str, dict[str, str]]:
        try:
            return json.loads((self._memory / 'state.json').read_text())
        except FileNotFoundError:
            return {}

    def _remember(self, what: str, values: Mapping[str, str]) -> None:
        remembered = self._remembered()
        remembered.setdefault(what, {}).update(values)
        text = json.dumps(remembered, indent=1, sort_keys=True)
        files.write(self._memory / 'state.json', text, mode=0o600)


def _kept_from_starting(service: host.SystemdService) -> bool:
    """By us; or, where it is to run, by somebody's mask, which goes as any other drift does."""
    unit = _unit(service.name)
    return packages.held(unit) or (service.state != 'masked' and packages.is_masked(unit))


def _services(services: Iterable[host.SystemdService]) -> tuple[frozenset[str], frozenset[str]]:
    """Those that run (enabled at boot, and answering their probe), and those that systemd has old files of."""
    wanted = {_unit(s.name): s for s in services if not s.part_of}
    if not wanted:
        return frozenset(), frozenset()
    active: set[str] = set()
    stale: set[str] = set()
    shown = _shown('NeedDaemonReload,ActiveState,SubState,UnitFileState,NRestarts', *wanted)
    for s, field in zip(wanted.values(), shown, strict=True):
        if field['NeedDaemonReload'] == 'yes':
            stale.add(s.name)
        # One that ends again and again is activating, too, most of the time: while it waits, and while it starts.
        coming = field['ActiveState'] == 'activating' and field['NRestarts'] == '0'
        up = field['ActiveState'] in ('active', 'reloading') or coming
        up = up and not field['SubState'].startswith('auto-restart')
        if s.state == 'running':
            up = up and field['UnitFileState'] != 'disabled' and clients.accepts_within(s.probe, 1)
        if up:
            active.add(s.name)
    return frozenset(active), frozenset(stale)


def _shown(properties: str, *units: str) -> list[dict[str, str]]:
    """What systemd says of each of *units*, in the order asked for."""
    shown = subprocess.run(
        # Of Id alone there is always something to say: an empty block would be none.
        ['systemctl', 'show', '-p', f'Id,{properties}', '--', *units],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [
        dict(line.split('=', 1) for line in block.splitlines())
        for block in shown.strip().split('\n\n')
    ]


def _prepare_systemd(step: host.Step) -> None:
    match step.verb:
        case 'mask':
            packages.hold(_unit(step.target))
        case 'unmask':
            packages.release(_unit(step.target))
        case _:
            run.program('systemctl', 'daemon-reload')


def _run_systemctl(step: host.Step, desired: host.Host) -> str:
    """Carry out *step* of a service; '' when it is up, else why it is not."""
    service = next(s for s in desired.services if s.name == step.target)
    # Enabling costs more than the start itself: systemd runs all its generators.
    known = _shown('UnitFileState', _unit(step.target))[0]
    if step.verb == 'start' and known['UnitFileState'] != 'enabled':
        run.program('systemctl', 'enable', '--quiet', step.target)
    # One that is active and does not answer its probe is not helped by `start`.
    verb = 'reload' if step.verb == 'reload' else 'restart'
    if verb == 'restart':
        # One that has ended too often systemd would not start again, though what was wrong is mended now.
        subprocess.run(
            ['systemctl', 'reset-failed', step.target], capture_output=True, check=False
        )
    done = subprocess.run(
        ['systemctl', verb, step.target], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = ' '.join(done.stderr.split())
        return f'systemctl {verb}: {said or f"ended with {done.returncode}"}'
    if not clients.accepts_within(service.probe, health.COMES_UP_S):
        return f'nothing answers on {service.probe}'
    if service.stays_s:
        time.sleep(service.stays_s)
        seen = _shown('ActiveState,NRestarts', _unit(service.name))[0]
        if seen['ActiveState'] != 'active' or seen['NRestarts'] != '0':
            return f'it ended within {service.stays_s:g} s of its start'
    return ''


def _accepts_late(service: host.SystemdService) -> bool:
    """Whether one that was started a moment ago answers, if it is given as long again."""
    if not service.probe:
        return False
    seen = _shown('ActiveState,ActiveEnterTimestampMonotonic', _unit(service.name))[0]
    began = int(seen['ActiveEnterTimestampMonotonic'] or 0) / 1e6
    recent = seen['ActiveState'] == 'active' and time.monotonic() - began < health.STARTING_S
    return recent and clients.accepts_within(service.probe, health.COMES_UP_S)


def _unit(name: str) -> str:
    return name if '.' in name else f'{name}.service'


def _change_path(step: host.Step, desired: host.Host) -> str:
    match step.verb:
        case 'make' | 'check' | 'write':
            try:
                if step.verb == 'make':
                    files.make(_find(desired.directories, step.target))
                else:
                    put = files.put if step.verb == 'write' else files.check
                    put(_find(desired.files, step.target))
            except files.RefusedError as e:
                return e.output
        case 'link':
            files.link(_find(desired.links, step.target))
        case _:
            pathlib.Path(step.target).unlink(missing_ok=True)
    return ''


def _find(things: Iterable[Any], path: str) -> Any:
    return next(thing for thing in things if thing.path == path)
