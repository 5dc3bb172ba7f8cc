"""Base file systems: one plain directory a base, built with mmdebstrap from the archive that the host's apt uses.

A base is named by a digest of all that it was made from, so that it is built anew when the host's sources, the list of
packages or our own changes to it change; machines made from an older one keep it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from jujulet.core import charm

from . import aptsources, guest_fixes
from .protocol import MachineError
from .state_folders import private
from .tools import Failed, run

PACKAGES = (
    'apt',  # Ubuntu's smallest system has none.
    *('systemd', 'systemd-sysv', 'dbus', 'udev', 'init', 'cron', 'logrotate', 'netbase', 'procps'),
    *(
        'psmisc',
        'kmod',
        'iproute2',
        'iputils-ping',
        'python3',
        'python3-yaml',
        'sudo',
        'curl',
        'gnupg',
    ),
    *('ca-certificates', 'openssh-server', 'less', 'adduser', 'tzdata', 'lsb-release', 'xz-utils'),
)
"""What a machine has before any charm: about what a cloud image has that charms take for granted."""


def sources(base: charm.Base) -> list[aptsources.Source]:
    """Where *base* comes from, by this host's apt configuration.

    Raises:
        MachineError: this host's apt knows no archive of that distribution.
    """
    if not aptsources.codename(base):
        raise MachineError(f'base {base} is not known here; known: {", ".join(known())}')
    found: list[aptsources.Source] = []
    for path in source_files():
        parse = aptsources.parse_deb822 if path.suffix == '.sources' else aptsources.parse_list
        try:
            found += parse(path.read_text())
        except OSError as error:
            raise MachineError(f'apt sources {path} cannot be read: {error.strerror}') from error
    moved = aptsources.for_base(found, base)
    if not moved:
        raise MachineError(
            f"base {base} cannot be built: this host's apt has no {base.name} archive. "
            f'Add one to /etc/apt/sources.list.d, with its keyring, and try again'
        )
    missing = [path for path in aptsources.keyrings(moved) if not Path(path).exists()]
    if missing:
        raise MachineError(f'base {base} cannot be built: no keyring {", ".join(missing)} here')
    return moved


def why_not(base: charm.Base) -> str:
    """Why *base* cannot be built on this host, one sentence; empty: it can."""
    try:
        sources(base)
    except MachineError as error:
        return str(error)
    except FileNotFoundError:
        return f'base {base} cannot be built: there is no apt on this host'
    return ''


def known() -> list[str]:
    """Every base that could be built where its archive is configured."""
    return [f'{name}@{channel}' for name, all_ in aptsources.CODENAMES.items() for channel in all_]


def source_files() -> list[Path]:
    """The files that this host's apt reads its sources from."""
    said = subprocess.run(
        [
            'apt-config',
            'shell',
            'LIST',
            'Dir::Etc::sourcelist/f',
            'PARTS',
            'Dir::Etc::sourceparts/d',
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    values = aptsources.shell_values(said.stdout)
    main = Path(values.get('LIST', '/etc/apt/sources.list'))
    parts = Path(values.get('PARTS', '/etc/apt/sources.list.d'))
    found = sorted([*parts.glob('*.list'), *parts.glob('*.sources')])
    return [*([main] if main.exists() else []), *found]


_SAYS_WHY = re.compile(r'E: |dpkg(?:-deb)?: error|tar: |  installed .* script')
_SAYS_THAT = re.compile(r'E: mmdebstrap failed|E: setup failed|E: .* failed(: \d+)?$|tar: Exiting')
"""Lines by which programs only pass on that another one has failed, with its command line."""


def reasons(stderr: str) -> list[str]:
    """At most three lines of what mmdebstrap and its programs said on *stderr* that say why, each of its own kind."""
    found: dict[str, str] = {}
    for line in stderr.splitlines():
        if _SAYS_WHY.match(line) and not _SAYS_THAT.match(line):
            found.setdefault(line.rpartition(': ')[2], line.removeprefix('E: ').strip())
    return list(found.values())[:3]


class Bases:
    """The bases of one state directory."""

    def __init__(self, state: Path):
        self.folder = state / 'bases'
        self._locks: dict[str, asyncio.Lock] = {}
        self._found: dict[str, Path] = {}

    async def ensure(self, base: charm.Base, progress: Callable[[str], None]) -> Path:
        """The root directory of *base*, built now if need be (about 20 seconds).

        Raises:
            MachineError: it cannot be built; the text says why.
        """
        async with self._locks.setdefault(str(base), asyncio.Lock()):
            if (known := self._found.get(str(base))) and known.exists():
                return known
            recipe = await asyncio.to_thread(Recipe.read, base)
            path = self.folder / f'{base.name}-{base.channel}-{recipe.digest}'
            if not path.exists():
                progress(f'building {base} from its archive, once (about 20 s)')
                await self._build(recipe, path)
            self._found[str(base)] = path
            return path

    async def _build(self, recipe: Recipe, path: Path) -> None:
        private(self.folder)
        for left in self.folder.glob(f'{path.name}.new*'):
            await asyncio.to_thread(shutil.rmtree, left, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=f'{path.name}.new', dir=self.folder))
        try:
            await recipe.build(fresh)
            await run(['sync', '--file-system', str(fresh)], timeout=300)
            fresh.rename(path)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
            raise


class Recipe:
    """All that a base is made from."""

    def __init__(self, base: charm.Base, found: list[aptsources.Source], options: list[str]):
        self.base = base
        self.sources = aptsources.render(found)
        self.keyrings = aptsources.keyrings(found)
        self.options = options
        self.certificates = sorted(Path('/usr/local/share/ca-certificates').rglob('*.crt'))
        parts = (
            self.sources,
            *options,
            *PACKAGES,
            *(c.name for c in self.certificates),
            guest_fixes.DIGEST,
        )
        self.digest = hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:10]

    @classmethod
    def read(cls, base: charm.Base) -> Recipe:
        """By the host's configuration as it is now."""
        found = sources(base)
        dump = subprocess.run(['apt-config', 'dump'], capture_output=True, text=True, check=False)
        return cls(base, found, aptsources.options(dump.stdout, sorted(os.environ.items())))

    async def build(self, root: Path) -> None:
        """Fill the empty directory *root*."""
        with tempfile.TemporaryDirectory(prefix='jujulet-') as scratch:
            listed = Path(scratch) / 'base.sources'
            listed.write_text(self.sources)
            options = (
                Path(scratch) / 'apt.conf'
            )  # A file, as a proxy's password is nothing for a command line.
            options.write_text(''.join(f'{line}\n' for line in self.options))
            if shutil.which('mmdebstrap') is None:
                raise MachineError('mmdebstrap is missing; install it: apt-get install mmdebstrap')
            argv = [
                *('unshare', '--mount'),  # What it mounts is gone when it is, however it ends.
                *('mmdebstrap', '--mode=root', '--format=directory', '--variant=minbase'),
                *('--skip=cleanup/apt/lists,output/dev', f'--include={",".join(PACKAGES)}'),
                f'--aptopt={options}',
                *(aptsources.codename(self.base), str(root), str(listed)),
            ]
            try:
                await run(argv, timeout=900)
            except Failed as failed:
                raise MachineError(self._why(failed)) from None
        root.chmod(0o755)
        for keyring in self.keyrings:
            inside = root / keyring.lstrip('/')
            if not inside.exists():
                inside.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(keyring, inside)
        for certificate in self.certificates:
            shutil.copy(certificate, root / 'usr/local/share/ca-certificates')
        await guest_fixes.mend(root)

    def _why(self, failed: Failed) -> str:
        listed = [
            line.split()[1:] for line in self.sources.splitlines() if line.startswith('URIs:')
        ]
        hosts = sorted({aptsources.without_password(uri) for uris in listed for uri in uris})
        lines = reasons(failed.stderr)
        reason = '; '.join(lines) or failed.stderr.strip()[-300:] or f'exit code {failed.code}'
        return (
            f'base {self.base} could not be built from {", ".join(hosts)}: {reason}. '
            f'Check that the archive can be reached (apt-get update on this host) and try again'
        )
