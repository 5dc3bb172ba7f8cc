"""What a machine made here is told of this host's mirrors, proxies and certificates.

It comes from apt's, pip's and uv's configuration and from the environment.

No address is known here. Files that are named (a certificate, say) go along under another name; what is on this host's
own disk otherwise (a folder of wheels) does not.
"""

from __future__ import annotations

import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping

ENVIRONMENT = '/etc/carried/environment'
"""Shell, of the machine: what a login there would have. Mode 0600, as a proxy's address may hold a password."""
_FILES = '/etc/carried'
_NAMES = re.compile(
    r'(?i)(?:https?|all|no|ftp)_proxy|(?:PIP|UV)_\w+|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE'
)
_OPTIONS = (
    'index-url',
    'extra-index-url',
    'trusted-host',
    'proxy',
    'cert',
    'client-cert',
    'timeout',
    'retries',
)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The variables of *given* that say how to reach an index, a proxy and by what certificates."""
    return {name: value for name, value in given.items() if _NAMES.fullmatch(name) and value}


def pip_options(listed: str) -> dict[str, str]:
    """Options of ``pip config list`` that say where the index is and how to reach it: by name, without their section.

    The last one of a name counts, as pip itself takes ``install.…`` before ``global.…``; the environment is no part.
    """
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition('=')
        section, _, option = name.rpartition('.')
        if section in ('global', 'install') and option in _OPTIONS:
            found[option] = value.strip().strip('\'"').replace('\\n', ' ')
    return found


def elsewhere(value: str, files: Mapping[str, str]) -> str:
    """A value as it is on the machine: the file that it names by its name there; empty for what stays on this host."""
    words = [
        files.get(word, '' if word.startswith(('/', 'file:')) else word) for word in value.split()
    ]
    return ' '.join(filter(None, words))


def configuration(root: pathlib.Path, given: Mapping[str, str]) -> None:
    """Write into *root* how its pip, uv and other programs reach the world; *given* is this host's environment."""
    pip = [sys.executable, '-m', 'pip', 'config', 'list']
    listed = subprocess.run(pip, capture_output=True, text=True, check=True).stdout
    options, variables = pip_options(listed), environment(given)
    folder = root / _FILES.lstrip('/')
    folder.mkdir(mode=0o755)
    named = {
        w
        for v in (*options.values(), *variables.values())
        for w in v.split()
        if pathlib.Path(w).is_file()
    }
    files = {
        path: f'{_FILES}/{number}-{pathlib.Path(path).name}'
        for number, path in enumerate(sorted(named))
    }
    for path, there in files.items():
        shutil.copyfile(path, root / there.lstrip('/'))
    said = {name: there for name, value in variables.items() if (there := elsewhere(value, files))}
    _secretly(
        root / ENVIRONMENT.lstrip('/'),
        ''.join(f'{name}={shlex.quote(value)}\n' for name, value in sorted(said.items())),
    )
    kept = {name: there for name, value in options.items() if (there := elsewhere(value, files))}
    if kept:
        lines = ''.join(f'{name} = {value}\n' for name, value in kept.items())
        _secretly(root / 'etc/pip.conf', f'[global]\n{lines}')
    uv = next(
        (
            p
            for p in (
                pathlib.Path('~/.config/uv/uv.toml').expanduser(),
                pathlib.Path('/etc/uv/uv.toml'),
            )
            if p.exists()
        ),
        None,
    )
    if uv is not None:
        (root / 'etc/uv').mkdir()
        _secretly(root / 'etc/uv/uv.toml', uv.read_text())
    certificates = pathlib.Path('/usr/local/share/ca-certificates')
    if certificates.is_dir():
        shutil.copytree(certificates, root / 'usr/local/share/ca-certificates', dirs_exist_ok=True)


def keyrings(root: pathlib.Path, paths: Iterable[str]) -> None:
    """Files that the archive's entries are signed by, under their own names."""
    for path in paths:
        there = root / path.lstrip('/')
        if not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, there)


def _secretly(path: pathlib.Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
