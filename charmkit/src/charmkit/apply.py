"""The edge to the machine: it observes what is, and carries out steps.

It knows packages, files, commands and services, and neither OpenStack nor Juju. What it raises is
for the operator: :class:`run.CommandError`, :class:`files.RefusedError`, and ``OSError``.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import pathlib
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from . import facts, files, host, packages, processes, run, state

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What :func:`reconcile` did."""

    steps: tuple[host.Step, ...] = ()
    failed: tuple[str, ...] = ()
    """Services that would not start."""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Versions of the desired packages, after the steps."""


class Machine(Protocol):
    """What :func:`reconcile` and the charm need of a machine; tests pass a fake."""

    def facts(self) -> state.Facts:
        """What the machine is."""
        ...

    def unit_secret(self, unit: str) -> str:
        """A random text that *unit* keeps for good."""
        ...

    def observe(self, desired: host.Host) -> host.Observed:
        """The state of all that *desired* speaks about."""
        ...

    def carry_out(self, step: host.Step, desired: host.Host) -> bool:
        """Do *step*; False when a service would not come up."""
        ...


def reconcile(machine: Machine, desired: host.Host) -> Outcome:
    """Bring *machine* to *desired*, and return what had to change.

    Raises:
        CommandError: when a package would not install or a command would not succeed.
        RefusedError: when a file's check does not accept it.
    """
    observed = machine.observe(desired)
    steps = host.plan(desired, observed)
    failed: list[str] = []
    for step in steps:
        _log.info('%s', step)
        if not machine.carry_out(step, desired):
            failed.append(step.target)
    if any(step.verb == 'install' for step in steps):
        observed = machine.observe(desired)
    return Outcome(steps, tuple(failed), observed.packages)


def settle(
    machine: Machine,
    decide: Callable[[Mapping[str, str]], host.Host],
    versions: Mapping[str, str],
) -> Outcome:
    """Reconcile until the installed versions are those that were decided with.

    *decide* says what is desired when such package versions are installed; *versions* are those
    last seen, none if unknown.

    Raises:
        Exception: what :func:`reconcile` raises.
    """
    if not versions:
        versions = machine.observe(decide({})).packages
    done: list[host.Step] = []
    while True:
        outcome = reconcile(machine, decide(versions))
        done += outcome.steps
        if outcome.versions == versions:
            return dataclasses.replace(outcome, steps=tuple(done))
        versions = outcome.versions


class LocalMachine:
    """The machine that the charm runs on.

    Args:
        name: whose memory to use; charms that share a machine have different names.
        root: where the memory is kept.
    """

    def __init__(self, name: str, root: pathlib.Path = pathlib.Path('/var/lib/charmkit')):
        self._memory = root / name

    def facts(self) -> state.Facts:
        """What this machine is."""
        return facts.read()

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
        active, masked = _services(desired.services)
        return host.Observed(
            packages=self._versions(desired.packages, remembered.get('packages', {})),
            paths=dict(files.stamps(desired.paths())),
            commands=remembered.get('commands', {}),
            active=active,
            masked=masked,
            started_with=remembered.get('started_with', {}),
        )

    def carry_out(self, step: host.Step, desired: host.Host) -> bool:
        """Do *step*; False when a service would not come up.

        Raises:
            CommandError: see :func:`reconcile`.
            RefusedError: see :func:`reconcile`.
        """
        match step.verb:
            case 'mask' | 'unmask':
                run.program('systemctl', step.verb, step.target)
            case 'install':
                masked = (s.name for s in desired.services if s.state == 'masked')
                packages.install(step.target.split(), masked=masked)
            case 'make' | 'write' | 'link' | 'remove':
                _change_path(step, desired)
            case 'run':
                command = next(c for c in desired.commands if c.name == step.target)
                run.command(command)
                self._remember('commands', {command.name: command.key})
            case 'stop':
                service = next(s for s in desired.services if s.name == step.target)
                if pathlib.Path(service.configured_by).exists():
                    time.sleep(service.linger_s)
                run.program('systemctl', 'disable', '--now', '--quiet', step.target)
            case 'recycle':
                processes.recycle(step.target)
                self._note_start(step.target, desired)
            case 'start' | 'restart' | 'reload':
                return self._bring_up(step, desired)
        return True

    def _versions(self, names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
        """Versions of packages, asked for again when dpkg has written since: most hooks need no more."""
        asked = f'{packages.stamp()} {" ".join(sorted(names))}'
        if known.get('asked') == asked:
            return json.loads(known['found'])
        found = packages.versions(names)
        self._remember('packages', {'asked': asked, 'found': json.dumps(found)})
        return found

    def _bring_up(self, step: host.Step, desired: host.Host) -> bool:
        service = next(s for s in desired.services if s.name == step.target)
        # Each of these two costs more than the start itself: systemd runs all its generators.
        known = _shown('NeedDaemonReload,UnitFileState', _unit(step.target))[0]
        if known['NeedDaemonReload'] == 'yes':
            run.program('systemctl', 'daemon-reload')
        if step.verb == 'start' and known['UnitFileState'] != 'enabled':
            run.program('systemctl', 'enable', '--quiet', step.target)
        # One that is active and does not answer its probe is not helped by `start`.
        verb = 'reload' if step.verb == 'reload' else 'restart'
        done = subprocess.run(
            ['systemctl', verb, step.target], capture_output=True, text=True, check=False
        )
        if done.returncode or not _answers_within(service.probe, 10):
            _log.error('%s %s: %s', verb, step.target, done.stderr.strip() or 'does not answer')
            return False
        for each in desired.services:
            if step.target in (each.name, each.part_of):
                self._note_start(each.name, desired)
        return True

    def _note_start(self, service: str, desired: host.Host) -> None:
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


def _services(services: Iterable[host.Service]) -> tuple[frozenset[str], frozenset[str]]:
    """Those that run (enabled at boot, and answering their probe), and those that are masked."""
    wanted = {_unit(s.name): s for s in services if not s.part_of}
    if not wanted:
        return frozenset(), frozenset()
    active: set[str] = set()
    masked: set[str] = set()
    shown = _shown('LoadState,ActiveState,UnitFileState', *wanted)
    for s, field in zip(wanted.values(), shown, strict=True):
        if field['LoadState'] == 'masked' or field['UnitFileState'] == 'masked':
            masked.add(s.name)
        up = field['ActiveState'] in ('active', 'reloading', 'activating')
        if s.state == 'running':
            up = up and field['UnitFileState'] != 'disabled' and _answers_within(s.probe, 1)
        if up:
            active.add(s.name)
    return frozenset(active), frozenset(masked)


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


def _unit(name: str) -> str:
    return name if '.' in name else f'{name}.service'


def _answers_within(probe: str, seconds: float) -> bool:
    """Whether something accepts connections at ``host:port``; True where there is no probe."""
    if not probe:
        return True
    address, _, port = probe.rpartition(':')
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((address, int(port)), timeout=seconds):
                return True
        except ConnectionRefusedError:
            # Nobody listens: at a start that may change, otherwise it is the answer.
            if seconds <= 1 or time.monotonic() > end:
                return False
            time.sleep(0.1)
        except OSError:
            return False


def _change_path(step: host.Step, desired: host.Host) -> None:
    match step.verb:
        case 'make':
            files.make(_find(desired.directories, step.target))
        case 'write':
            files.put(_find(desired.files, step.target))
        case 'link':
            files.link(_find(desired.links, step.target))
        case _:
            pathlib.Path(step.target).unlink(missing_ok=True)


def _find(things: Iterable[Any], path: str) -> Any:
    return next(thing for thing in things if thing.path == path)
