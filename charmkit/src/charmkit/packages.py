"""Debian packages: what is installed, and installing without starting anything."""

from __future__ import annotations

import os
import pathlib
import subprocess
import time
from collections.abc import Iterable

from . import bytecode, files, run

_STATUS = pathlib.Path('/var/lib/dpkg/status')
_POLICY = pathlib.Path('/usr/sbin/policy-rc.d')
_POLICY_TEXT = """#!/bin/sh
# Written by the charm: while it installs packages, it alone decides what starts.
test -d "/proc/{pid}" && exit 101
exit 0
"""


def stamp() -> str:
    """A text that is another one whenever dpkg has changed what is installed."""
    seen = _STATUS.stat()
    return f'{seen.st_ino}-{seen.st_mtime_ns}-{seen.st_size}'


def versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each of *names* that is wholly installed: one `dpkg-query`."""
    names = sorted(names)
    if not names:
        return {}
    done = subprocess.run(
        ['dpkg-query', '-W', '-f', '${db:Status-Abbrev}|${Package}|${Version}\n', *names],
        capture_output=True,
        text=True,
        check=False,  # It fails where one of them is not known: that one is absent, then.
    )
    rows = (line.split('|') for line in done.stdout.splitlines())
    return {name: version for status, name, version in rows if status.strip() in ('ii', 'hi')}


def hold(unit: str) -> None:
    """Keep the systemd unit *unit* from ever starting, whoever starts or enables it.

    A mask would do that too, but `systemctl enable` refuses a masked unit, and keystone's package
    enables its own one whenever it is configured: it would be left half-installed.
    """
    files.write(_held(unit), _NEVER, mode=0o644)
    if is_masked(unit):
        run.program('systemctl', 'unmask', '--quiet', unit)
    run.program('systemctl', 'daemon-reload')


def release(unit: str) -> None:
    """Let *unit* start again, whoever keeps it from that: we do, or somebody has masked it."""
    _held(unit).unlink(missing_ok=True)
    if is_masked(unit):
        run.program('systemctl', 'unmask', '--quiet', unit)
    run.program('systemctl', 'daemon-reload')


def held(unit: str) -> bool:
    """Whether *unit* is kept from starting."""
    return _held(unit).exists() and not is_masked(unit)


def _held(unit: str) -> pathlib.Path:
    return _UNITS / f'{unit}.d' / 'charm-never.conf'


def is_masked(unit: str) -> bool:
    """Whether systemd's own mask is on *unit*."""
    link = _UNITS / unit
    return link.is_symlink() and str(link.readlink()) == '/dev/null'


_UNITS = pathlib.Path('/etc/systemd/system')
_NEVER = """# Written by the charm: Apache serves this API, and the package's own server must not.
[Unit]
ConditionPathExists=!/
"""


def install(packages: Iterable[str], *, upgrade: bool = False) -> None:
    """Install *packages* without starting what is in them; with *upgrade*, their newest versions.

    Raises:
        run.CommandError: when that fails even after the package lists were refreshed.
    """
    files.write(_POLICY, _POLICY_TEXT.format(pid=os.getpid()), mode=0o755)
    path = bytecode.path()
    try:
        _finish_what_was_begun(path)
        if upgrade or not _have_lists():
            run.program(*_APT, 'update', environment=_APT_ENVIRONMENT)
        argv = (*_APT, 'install', '-o', f'DPkg::Path={path}', *_APT_INSTALL, *packages)
        for attempt in (1, 2, 3):
            try:
                run.program(*argv, environment=_APT_ENVIRONMENT)
                break
            except run.CommandError:
                if attempt == 3:
                    raise
                time.sleep(2 * attempt)
                run.program(*_APT, 'update', environment=_APT_ENVIRONMENT)
    finally:
        _POLICY.unlink(missing_ok=True)
        bytecode.catch_up()


def _finish_what_was_begun(path: str) -> None:
    """Heal what a killed hook left half-installed; nothing to do otherwise.

    What that hook had started may live on and hold the lock: dpkg, unlike apt, does not wait.
    """
    end = time.monotonic() + _LOCK_WITHIN_S
    while True:
        try:
            environment = {**_APT_ENVIRONMENT, 'PATH': path}
            run.program('dpkg', '--configure', '-a', environment=environment)
            return
        except run.CommandError as e:
            if 'lock' not in str(e) or time.monotonic() > end:
                raise
            time.sleep(1)


_LOCK_WITHIN_S = 600
_APT = ('apt-get', '-q', '-y', '-o', f'DPkg::Lock::Timeout={_LOCK_WITHIN_S}')
_APT_INSTALL = (
    '--no-install-recommends',
    '-o',
    'Dpkg::Options::=--force-confdef',
    '-o',
    'Dpkg::Options::=--force-confold',
)
_APT_ENVIRONMENT = {'DEBIAN_FRONTEND': 'noninteractive', 'APT_LISTCHANGES_FRONTEND': 'none'}


def _have_lists() -> bool:
    lists = pathlib.Path('/var/lib/apt/lists')
    return any('_Packages' in p.name for p in lists.glob('*'))
