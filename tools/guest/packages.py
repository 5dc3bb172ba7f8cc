"""Packages of Debian, from the archive that a base of jujulet was built from, unpacked aside: nothing is installed."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
from collections.abc import Iterable, Sequence


class Unfetched(Exception):  # noqa: N818 -- what happened
    """A package cannot be had; the text says which, and apt's own words."""


class Archive:
    """The archive of the base whose file system is at *base*; what apt keeps meanwhile is in *scratch*."""

    def __init__(self, base: pathlib.Path, scratch: pathlib.Path):
        self.base = base
        self.scratch = scratch
        self._lists = base / 'var/lib/apt/lists'

    def versions(self, names: Iterable[str]) -> dict[str, str]:
        """The version that each package would be installed in.

        Raises:
            Unfetched: the archive has none of that name.
        """
        said = self._apt('apt-cache', 'policy', *names)
        found = candidates(said)
        for name in names:
            if found.get(name, '(none)') == '(none)':
                raise Unfetched(f'the archive of {self.base.name} has no package {name}')
        return found

    def needs(self, name: str) -> str:
        """``Depends`` of a package."""
        said = self._apt('apt-cache', 'show', '--no-all-versions', name)
        return '\n'.join(re.findall(r'^Depends: (.*)$', said, re.MULTILINE))

    def unpack(self, names: Sequence[str], target: pathlib.Path) -> None:
        """Fetch packages and unpack them into *target*.

        Raises:
            Unfetched: the archive does not have what its lists say, not even after these were fetched anew.
        """
        folder = self.scratch / 'packages'
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._apt('apt-get', 'download', *names, cwd=folder)
        except Unfetched:  # The base is older than the archive, which keeps the newest alone.
            self._lists = self.scratch / 'lists'
            self._apt('apt-get', 'update')
            self._apt('apt-get', 'download', *names, cwd=folder)
        for package in folder.glob('*.deb'):
            _run(('dpkg-deb', '--extract', str(package), str(target)))

    def _apt(self, *argv: str, cwd: pathlib.Path | None = None) -> str:
        for part in ('state', 'lists/partial', 'cache/archives/partial'):
            (self.scratch / part).mkdir(parents=True, exist_ok=True)
        options = {
            'Dir': self.base,
            'Dir::State': self.scratch / 'state',
            'Dir::State::lists': self._lists,
            'Dir::State::status': self.base / 'var/lib/dpkg/status',
            'Dir::Cache': self.scratch / 'cache',
            'APT::Sandbox::User': 'root',
        }
        said = [word for name, value in options.items() for word in ('-o', f'{name}={value}')]
        return _run((argv[0], '-q', *said, *argv[1:]), cwd=cwd)


def candidates(policy: str) -> dict[str, str]:
    """Package and version, of what ``apt-cache policy`` says."""
    found = re.findall(r'^(\S+):\n(?:  .*\n)*?  Candidate: (.*)$', policy, re.MULTILINE)
    return dict(found)


def _run(argv: Sequence[str], cwd: pathlib.Path | None = None) -> str:
    environment = {**os.environ, 'LC_ALL': 'C.UTF-8'}
    done = subprocess.run(
        argv, cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise Unfetched(f'{argv[0]}: {done.stderr.strip() or "failed"}')
    return done.stdout
