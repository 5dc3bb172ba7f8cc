"""The edge to Juju, real or local: jubilant, with a limit of time for every call."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import getpass
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from lifecycle import declared, record
from lifecycle.client import LOOK_S, Client, error_of, part
from lifecycle.problem import clean
from lifecycle.world import Kept, WorldError

_T = TypeVar('_T')
_R = TypeVar('_R')

ASK_S = 120.0
"""For a command that asks for something."""
REFRESH_S = 600.0
"""For a charm to be made ready and sent."""
_UNITS_AT_ONCE = 50
AT_ONCE = 8
"""So many commands that only look are under way at once."""
# Without the file, a mark that is no declaration; never more of it than is read.
_MARK = '#none'
_CAT = f'test -e lifecycle.yaml || {{ echo "{_MARK}"; exit 0; }}; head -c {declared.MOST_BYTES + 1} lifecycle.yaml'


class Live:
    """A model of a Juju controller, as `lifecycle.world.World` wants it."""

    def __init__(self, model: str | None, program: str = 'juju'):
        self._model, self._program = model, program
        self._running: set[subprocess.Popen[str]] = set()
        self._kept = False

    def _client(self) -> Client:
        """One for a command: it is told how long that may take."""
        return Client(model=self._model, cli_binary=self._program, running=self._running)

    def _each(self, ask: Callable[[_T], _R], every: Iterable[_T]) -> list[_R]:
        """The answers to *ask* of each, some at once; when one fails or somebody interrupts, none goes on."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            asked = [pool.submit(ask, one) for one in every]
            try:
                return [one.result() for one in asked]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list(self._running):
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                raise

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def status(self) -> Mapping[str, Any]:
        """`juju status --format json`."""
        return self._json('status', '--format', 'json')

    def model(self) -> str:
        """The model's name."""
        return clean(part(self.status().get('model'), 'name') or '', 100)

    def show_units(self, names: Sequence[str]) -> Mapping[str, Any]:
        """`juju show-unit --format json`; a unit that has gone meanwhile is left out."""
        some = [names[at : at + _UNITS_AT_ONCE] for at in range(0, len(names), _UNITS_AT_ONCE)]
        return {name: one for said in self._each(self._shown, some) for name, one in said.items()}

    def _shown(self, names: Sequence[str]) -> dict[str, Any]:
        try:
            return self._json('show-unit', *names, '--format', 'json')
        except WorldError as error:
            if 'not found' not in str(error):
                raise
        if len(names) == 1:
            return {}
        found: dict[str, Any] = {}
        for name in names:  # One that has gone takes the answer of all with it.
            found.update(self._shown([name]))
        return found

    def declarations(self, units: Sequence[str]) -> Mapping[str, str | WorldError | None]:
        """The text of `lifecycle.yaml` in the folder of each unit's charm; None when there is none."""
        return dict(zip(units, self._each(self._declaration, units), strict=True))

    def _declaration(self, unit: str) -> str | WorldError | None:
        try:
            said = self._json(
                'exec', '--format', 'json', '--unit', unit, '--wait', '60s', '--', _CAT
            )
        except WorldError as error:
            return error
        task = next(iter(said.values()), None)
        text = part(part(task, 'results'), 'stdout')
        if not isinstance(text, str):
            return WorldError(f'juju exec on {unit}: no answer')
        return None if text.strip() == _MARK else text

    def disks(self, units: Sequence[str]) -> Mapping[str, int]:
        """Bytes left on the root file system of each unit's machine; one that does not answer is left out."""
        free = zip(units, self._each(self._free, units), strict=True)
        return {unit: left for unit, left in free if left is not None}

    def _free(self, unit: str) -> int | None:
        try:
            said = self._json(
                'exec', '--format', 'json', '--unit', unit, '--wait', '60s', '--', 'df -Pk /'
            )
        except WorldError:
            return None
        text = part(part(next(iter(said.values()), None), 'results'), 'stdout')
        words = text.split() if isinstance(text, str) else []
        # `Filesystem 1024-blocks Used Available Capacity Mounted on`, then the same as values (POSIX, df -P).
        left = words[-3] if len(words) > 6 and words[-1] == '/' else ''
        return int(left) * 1024 if re.fullmatch(r'[0-9]{1,15}', left) else None

    def last_run(self, application: str, action: str) -> float | None:
        """When an action has last ended well on a unit, in seconds since the epoch; None: Juju knows of none."""
        wanted = ('--apps', application, '--actions', action, '--status', 'completed')
        every = self._json('operations', '--utc', *wanted, '--limit', '50', '--format', 'json')
        ends = [
            _moment(part(part(one, 'timing'), 'completed'))
            for one in every.values()
            if str(part(one, 'summary')).split(' ')[0] == action
        ]
        return max((at for at in ends if at is not None), default=None)

    def kept(self, revision: int | None = None) -> Kept | None:
        """The record's secret, or a revision of it; None when there is none."""
        if not self._kept:
            listed = self._json('secrets', '--format', 'json').values()
            self._kept = any(part(one, 'name') == record.NAME for one in listed)
        if not self._kept:
            return None
        which = () if revision is None else ('--revision', str(revision))
        said = self._json('show-secret', record.NAME, '--reveal', *which, '--format', 'json')
        one = next(iter(said.values()), None)
        data, number = part(part(one, 'content'), 'Data'), part(one, 'revision')
        return Kept(
            revision=revision or (number if isinstance(number, int) else 0),
            content=cast('dict[str, object]', data) if isinstance(data, dict) else {},
        )

    def keep(self, content: Mapping[str, str], *, first: bool) -> None:
        """Write the record's secret; `first` makes it, and raises WorldError where it is there already."""
        info = 'what juju-lifecycle remembers of the upgrades of this model'
        client = self._client()
        with client.limited(ASK_S):
            if first:
                client.add_secret(record.NAME, content, info=info)
            else:
                client.update_secret(record.NAME, content)

    def is_gone(self, who: str) -> bool:
        """Whether it is certain that a process that this once was (`me`) has ended: it was on this machine."""
        place, _, number = who.rpartition(' process ')
        return (
            place == self.me.rpartition(' process ')[0]
            and number.isdecimal()
            and not _runs(int(number))
        )

    @property
    def me(self) -> str:
        """Who this is: a user, a machine, a process."""
        return f'{getpass.getuser()}@{socket.gethostname()} process {os.getpid()}'

    def set_base(self, application: str, base: str, *, declared: bool) -> None:
        """Have the units that are added from now on have another base.

        Where Juju refuses since the charm's metadata do not name the base, and the charm has *declared* that it
        supports it, the base is set by force: what is local only, such as Debian, cannot stand in metadata.
        """
        try:
            self._ask('set-application-base', application, base)
        except WorldError as error:
            if not declared or 'not supported by charm' not in str(error):
                raise
            try:
                self._ask('set-application-base', '--force', application, base)
            except WorldError as second:
                raise (error if 'not defined' in str(second) else second) from None

    def options(self, applications: Sequence[str], name: str) -> Mapping[str, str | None]:
        """An option's value by application; None when there is no such option."""

        def ask(application: str) -> str | None:
            return self._option(application, name)

        values = self._each(ask, applications)
        return dict(zip(applications, values, strict=True))

    def _option(self, application: str, name: str) -> str | None:
        settings = self._json('config', application, '--format', 'json').get('settings')
        one = part(settings, name)
        return None if one is None else str(part(one, 'value') or '')

    def set_option(self, application: str, name: str, value: str) -> None:
        """Give an option another value."""
        self._ask('config', application, f'{name}={value}')

    def refresh(self, application: str, path: str) -> None:
        """Give an application the charm that lies at *path*."""
        self._client().ask('refresh', application, '--path', path, within=REFRESH_S)

    def add_unit(self, application: str) -> None:
        """Add one."""
        self._ask('add-unit', application)

    def run_action(
        self, unit: str, action: str, within: float, meanwhile: Callable[[], object]
    ) -> Mapping[str, str]:
        """Run an action to its end: its results; WorldError when it fails or takes longer than so many seconds."""
        client = self._client()
        client.meanwhile = meanwhile
        said = client.ask(
            'run',
            unit,
            action,
            '--format',
            'json',
            '--wait',
            f'{within:.0f}s',
            within=within + 30.0,
        )
        tasks = _object(said)
        if not tasks:
            raise WorldError(f'{action} on {unit}: juju does not say what became of it')
        for task in tasks.values():
            if part(task, 'status') != 'completed':
                why = clean(part(task, 'message') or part(task, 'status') or 'no answer')
                raise error_of(why)(f'{action} on {unit}: {why}')
        results = part(next(iter(tasks.values())), 'results')
        found = cast('dict[str, object]', results) if isinstance(results, dict) else {}
        return {name: clean(value) for name, value in found.items()}

    def remove_unit(self, unit: str) -> None:
        """Ask for it to be removed."""
        self._ask('remove-unit', '--no-prompt', unit)

    def _ask(self, *args: str) -> None:
        self._client().ask(*args, within=ASK_S)

    def _json(self, *args: str) -> dict[str, Any]:
        return _object(self._client().ask(*args, within=LOOK_S + 30.0))


def _runs(number: int) -> bool:
    """One that has ended and that its parent has not asked about is still there to a signal (a zombie)."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        stat = pathlib.Path(f'/proc/{number}/stat').read_text(errors='replace')
    except OSError:
        return not pathlib.Path('/proc/self').exists()  # Other systems have no such folder.
    return not stat.rpartition(') ')[2].startswith(('Z', 'X'))


def _moment(text: object) -> float | None:
    """Seconds since the epoch of `2026-11-29 12:00:00 +0000 UTC`, or with a T; None of anything else."""
    try:
        at = datetime.datetime.fromisoformat(str(text)[:19].replace('T', ' '))
    except ValueError:
        return None
    return at.replace(tzinfo=datetime.UTC).timestamp()


def _object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text or '{}')
    except (ValueError, RecursionError):
        raise WorldError(f'juju answered with no JSON: {clean(text, 80)}') from None
    return cast('dict[str, Any]', data) if isinstance(data, dict) else {}
