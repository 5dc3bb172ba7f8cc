"""Debian packages: what is installed, and installing without starting anything."""

from __future__ import annotations

import os
import pathlib
import subprocess
import time
from collections.abc import Iterable

from . import files, run

_POLICY = pathlib.Path('/usr/sbin/policy-rc.d')
_POLICY_TEXT = """#!/bin/sh
# Written by the charm: while it installs packages, it alone decides what starts.
test -d "/proc/{pid}" && exit 101
exit 0
"""


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


def install(packages: Iterable[str], *, upgrade: bool = False) -> None:
    """Install *packages* without starting what is in them; with *upgrade*, their newest versions.

    Raises:
        run.CommandError: when that fails even after the package lists were refreshed.
    """
    files.write(_POLICY, _POLICY_TEXT.format(pid=os.getpid()), mode=0o755)
    try:
        # Heals what a killed hook left half-installed; nothing to do otherwise.
        run.program('dpkg', '--configure', '-a', environment=_APT_ENVIRONMENT)
        if upgrade or not _have_lists():
            run.program(*_APT, 'update', environment=_APT_ENVIRONMENT)
        argv = (*_APT, 'install', *_APT_INSTALL, *packages)
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


_APT = ('apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=600')
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
