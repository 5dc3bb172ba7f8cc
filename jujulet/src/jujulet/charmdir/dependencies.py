"""A charm's Python dependencies, installed for the Python of the machine that it will run on.

``uv`` does it from the host, for any Python and without a compiler; what it made is kept by the digest of all that it
was made from, the contents of path dependencies included, so that the next deploy takes no time and an
edit of a shared library is noticed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

from ..core import charm as charm_
from ..core import charmcraft
from . import projects, tree

FORMAT = '1'
"""Part of every digest: raised when what is written changes."""

_PLATFORMS = {'x86_64': 'x86_64-manylinux_2_28', 'aarch64': 'aarch64-manylinux_2_28'}
_TIMEOUT = 900.0
_NETWORK = re.compile(
    r'error sending request|dns error|failed to lookup|connection refused|timed? ?out|'
    r'unreachable|tls|network|offline|Could not connect',
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """All that decides what is installed."""

    charm: str
    """Name of the charm, for messages."""
    base: charm_.Base
    python: str
    pyproject: pathlib.Path | None = None
    lock: pathlib.Path | None = None
    requirements: tuple[pathlib.Path, ...] = ()
    packages: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    constraints: pathlib.Path | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to install."""
        return not (self.pyproject or self.requirements or self.packages)


def wanted(
    part: charmcraft.Part, folder: pathlib.Path, *, charm: str, base: charm_.Base, python: str
) -> Wanted:
    """What *part*, whose sources are in *folder*, wants installed."""
    want = Wanted(
        charm, base, python, packages=part.packages, constraints=projects.constraints(folder)
    )
    if part.plugin == 'uv':
        pyproject = folder / 'pyproject.toml'
        if not pyproject.is_file():
            raise charm_.Invalid(
                f'charmcraft.yaml: parts.{part.name}: plugin "uv" needs {pyproject}'
            )
        lock = folder / 'uv.lock'
        return dataclasses.replace(
            want,
            pyproject=pyproject,
            lock=lock if lock.is_file() else None,
            extras=part.extras,
            groups=part.groups,
        )
    names = part.requirements
    if not names and (folder / 'requirements.txt').is_file():
        names = ('requirements.txt',)
    return dataclasses.replace(want, requirements=tuple((folder / n).resolve() for n in names))


def digest(want: Wanted) -> str:
    """Names what :func:`install` would make; reads every input, runs nothing."""
    found = hashlib.sha256(
        repr((FORMAT, want.python, _platform(), want.packages, want.extras, want.groups)).encode()
    )
    for name, place in _inputs(want):
        found.update(f'\0{name}\0{tree.digest(place)}'.encode())
    return found.hexdigest()[:40]


def _inputs(want: Wanted) -> Iterator[tuple[str, pathlib.Path]]:
    if want.pyproject:
        yield 'pyproject', want.pyproject
        yield from projects.path_dependencies(want.pyproject)
    if want.lock:
        yield 'lock', want.lock
    for file in want.requirements:
        for place in projects.requirement_files(file):
            yield place.name, place
    if want.constraints:
        yield 'constraints', want.constraints


def install(want: Wanted, store: pathlib.Path) -> pathlib.Path:
    """The folder ``<store>/venvs/<digest>`` holding a virtual environment for *want*; made if it is not there.

    Raises:
        charm.Invalid: uv is missing, or failed: with its last lines.
    """
    final = store / 'venvs' / digest(want)
    if final.is_dir():
        return final
    with tree.making(final) as folder:
        packages = folder / 'lib' / f'python{want.python}' / 'site-packages'
        packages.mkdir(parents=True)
        if not want.empty:
            _uv_install(want, packages)
        shutil.rmtree(packages / 'bin', ignore_errors=True)  # Scripts name the host's Python.
        (packages / '.lock').unlink(missing_ok=True)
        (folder / 'pyvenv.cfg').write_text(
            f'home = /usr/bin\ninclude-system-site-packages = false\nversion = {want.python}\n'
        )
    return final


def _uv_install(want: Wanted, packages: pathlib.Path) -> None:
    argv = [
        'pip',
        'install',
        '--quiet',
        '--target',
        str(packages),
        '--python-version',
        want.python,
    ]
    argv += ['--python-platform', _platform(), '--link-mode', 'copy']
    given = ''
    if want.pyproject:
        for name, _ in projects.path_dependencies(want.pyproject):
            argv += ['--reinstall-package', name]  # uv's own cache does not see edits of sources.
    argv += want.packages
    for file in want.requirements:
        argv += ['-r', str(file)]
    if want.pyproject and want.lock:
        argv += ['--no-deps', '-r', '-']
        given = _exported(want)
    elif want.pyproject:
        argv += ['-r', str(want.pyproject), *_chosen(want)]
    if want.constraints and not want.lock:
        argv += ['-c', str(want.constraints)]
    _uv(argv, want, given)


def _chosen(want: Wanted) -> list[str]:
    extras = [word for extra in want.extras for word in ('--extra', extra)]
    return extras + [word for group in want.groups for word in ('--group', group)]


def _exported(want: Wanted) -> str:
    """What ``uv.lock`` pins, as requirements: names and versions, so any index will do."""
    argv = ['export', '--quiet', '--frozen', '--no-dev', '--no-emit-project', '--no-editable']
    return _uv([*argv, '--no-hashes', *_chosen(want)], want)


CERTIFICATES = pathlib.Path('/etc/ssl/certs/ca-certificates.crt')
"""Whom this system trusts (Debian's ca-certificates)."""


def uv() -> str:
    """Where uv is: on the PATH, or beside the Python that runs this.

    Raises:
        charm.Invalid: nowhere.
    """
    beside = pathlib.Path(sys.executable).parent / 'uv'
    found = shutil.which('uv') or (str(beside) if beside.is_file() else '')
    if not found:
        raise charm_.Invalid(
            'uv is needed to install a charm\'s Python dependencies: "pip install uv"'
        )
    return found


def _uv(argv: list[str], want: Wanted, given: str = '') -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ('VIRTUAL_ENV', 'PYTHONPATH')}
    if CERTIFICATES.is_file():  # A company's own authority is there, and not in what uv brings.
        environment.setdefault('UV_SYSTEM_CERTS', '1')
    try:
        done = subprocess.run(
            [uv(), *argv], capture_output=True, encoding='utf-8', errors='replace', timeout=_TIMEOUT,
            env=environment, input=given, check=False,
            cwd=want.pyproject.parent if want.pyproject else None,
        )  # fmt: skip
        code, stdout, stderr = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        code, stdout, stderr = 1, '', f'timed out after {_TIMEOUT:g} seconds'
    if code == 0:
        return stdout
    last = '\n'.join(f'  {line}' for line in redact(stderr).strip().splitlines()[-12:])
    hint = ''
    if _NETWORK.search(stderr):
        hint = '\nThe package index cannot be reached: check the network, or UV_DEFAULT_INDEX.'
    raise charm_.Invalid(
        f'cannot install the Python dependencies of charm "{want.charm}" for {want.base} '
        f'(Python {want.python}); uv says:\n{last}{hint}'
    )


def redact(text: str) -> str:
    """*text* without passwords in addresses."""
    return re.sub(r'://[^/\s@]+@', '://***@', text)


def _platform() -> str:
    return _PLATFORMS.get(platform.machine(), f'{platform.machine()}-manylinux_2_28')
