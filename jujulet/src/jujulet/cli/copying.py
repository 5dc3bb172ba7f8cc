"""``juju scp``: files in and out of machines, through the same door as ``juju ssh``.

Nothing is read or written in a machine but by a process in it, as the user who would log in: so a machine's links
lead nowhere else, and files belong to whom they should.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence

from .. import aside
from ..core import model as model_
from . import command, shells
from .command import Call, Command

_VALUE_OPTIONS = frozenset('cDFiJloPSX')
"""Options of scp(1) that take a value, which may be a word of its own."""

# `$1` is a path and `$2` the name that a thing gets when `$1` is a folder. Links are not made over what is there.
_PUT_FILE = 'if [ -d "$1" ]; then set -- "$1/$2" "$2" "$3"; fi; cat > "$1" && chmod "$3" "$1"'
_PUT_FOLDER = 'if [ -d "$1" ]; then set -- "$1/$2"; fi; mkdir -p "$1" && exec tar -C "$1" -xf -'
_GET = (
    'if [ -d "$1" ]; then printf d; exec tar -C "$1" -cf - .; '
    'elif [ -x "$1" ]; then printf x; else printf f; fi; exec cat -- "$1"'
)


@dataclasses.dataclass(frozen=True)
class _Remote:
    """A path in a machine."""

    target: str
    user: str
    path: str

    @property
    def name(self) -> str:
        return self.path.rstrip('/').rpartition('/')[2]


def _scp(call: Call) -> None:
    words = list(call.args)
    recursive = False
    while words and words[0].startswith('-') and words[0] != '-':
        option = words.pop(0)
        recursive = recursive or 'r' in option[1:]
        if len(option) == 2 and option[1] in _VALUE_OPTIONS and words:
            words.pop(0)
    if len(words) < 2:
        raise command.usage_error('at least two arguments required')
    *sources, destination = words
    for source in sources:
        _copy(call, _place(source), _place(destination), recursive=recursive)


def _place(text: str) -> _Remote | pathlib.Path:
    """``[user@]target:path``, or a path on this host."""
    target, colon, path = text.partition(':')
    if not colon or target.startswith(('.', '/')):
        return pathlib.Path(text)
    user, at, host = target.rpartition('@')
    # Relative to home, which is where such a process starts.
    path = path.removeprefix('~/') if path != '~' else ''
    return _Remote(host, user if at else 'ubuntu', path or '.')


def _copy(
    call: Call,
    source: _Remote | pathlib.Path,
    destination: _Remote | pathlib.Path,
    *,
    recursive: bool,
) -> None:
    if isinstance(source, _Remote) and isinstance(destination, _Remote):
        with tempfile.TemporaryDirectory(prefix='juju-scp-') as between:
            kept = pathlib.Path(between, source.name or 'copy')
            _get(call, source, kept, recursive=recursive)
            _put(call, kept, destination, recursive=recursive)
    elif isinstance(source, _Remote):
        assert isinstance(destination, pathlib.Path)  # noqa: S101 -- the other case was just above
        into = destination / source.name if destination.is_dir() else destination
        _get(call, source, into, recursive=recursive)
    elif isinstance(destination, _Remote):
        _put(call, source, destination, recursive=recursive)
    else:
        raise command.usage_error('neither source nor destination is on a machine of the model')


def _argv(call: Call, remote: _Remote, script: str, words: Sequence[str]) -> list[str]:
    inside = ['/bin/sh', '-c', script, 'scp', *words]
    return call.ask('shell', target=remote.target, argv=inside, user=remote.user, tty=False)


def _put(call: Call, source: pathlib.Path, remote: _Remote, *, recursive: bool) -> None:
    if not source.exists():
        raise model_.Refused(f'scp: stat local "{source}": No such file or directory')
    name = source.resolve().name
    if source.is_dir():
        _need_recursive(str(source), recursive)
        argv = _argv(call, remote, _PUT_FOLDER, [remote.path, name])
        # Who owns a file here says nothing there.
        pack = ['tar', '-C', str(source), '--owner=0', '--group=0', '-cf', '-', '.']
        with (
            subprocess.Popen(pack, stdout=subprocess.PIPE) as packer,
            subprocess.Popen(argv, stdin=packer.stdout, stderr=subprocess.PIPE) as process,
        ):
            assert packer.stdout is not None  # noqa: S101 -- it was asked for
            packer.stdout.close()  # So that it hears when the other end has gone.
            _check(process, remote)
        return
    mode = f'{source.stat().st_mode & 0o777:o}'
    argv = _argv(call, remote, _PUT_FILE, [remote.path, name, mode])
    with (
        source.open('rb') as content,
        subprocess.Popen(argv, stdin=content, stderr=subprocess.PIPE) as process,
    ):
        _check(process, remote)


def _get(call: Call, remote: _Remote, target: pathlib.Path, *, recursive: bool) -> None:
    argv = _argv(call, remote, _GET, [remote.path])
    # Unbuffered: what follows the first byte is for tar, which reads the pipe itself.
    with subprocess.Popen(
        argv, bufsize=0, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None  # noqa: S101 -- it was asked for
        kind = process.stdout.read(1)
        if kind == b'd':
            if not recursive:
                process.kill()
            _need_recursive(remote.path, recursive)
            target.mkdir(parents=True, exist_ok=True)
            # tar itself keeps members from leaving the folder.
            unpack = ['tar', '-C', str(target), '--no-same-owner', '-xf', '-']
            unpacked = subprocess.run(unpack, stdin=process.stdout, check=False).returncode
            _check(process, remote)
            if unpacked:
                raise model_.Refused(f'scp: {target}: not all of it was written')
            return
        mask = os.umask(0)
        os.umask(mask)
        mode = (0o777 if kind == b'x' else 0o666) & ~mask
        with aside.opened(target.parent, mode=mode) as (file, become):
            while chunk := process.stdout.read(1 << 16):
                file.write(chunk)
            _check(process, remote)
            become(target)


def _need_recursive(path: str, recursive: bool) -> None:
    if not recursive:
        raise model_.Refused(f'scp: {path}: not a regular file (copy folders with -- -r)')


def _check(process: subprocess.Popen[bytes], remote: _Remote) -> None:
    said = process.stderr.read() if process.stderr else b''
    if process.wait():
        text = said.decode(errors='replace').strip().removeprefix('cat: ')
        text = re.sub(r'^scp: (\d+: )?', '', text)
        raise model_.Refused(f'scp: {text or shlex.quote(remote.path) + ": failed"}')


COMMANDS = (
    Command(
        'scp',
        _scp,
        'Securely transfer files within a model.',
        '[-- openssh options] <source> [...] <destination>',
        flags=shells.REMOTE,
        needs=('at least two arguments required',) * 2,
        most=None,
    ),
)
