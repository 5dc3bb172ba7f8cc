"""Files on the machine: what is there, and putting things in place in one step."""

from __future__ import annotations

import contextlib
import grp
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator

from . import host

_OUTPUT_SHOWN = 2000


class RefusedError(Exception):
    """A file was not put in place, because its check did not accept it; the old one stays."""

    def __init__(self, path: str, output: str):
        self.path, self.output = path, output
        super().__init__(f'{path} was refused: {output[-_OUTPUT_SHOWN:].strip()}')


def stamps(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each path that exists, and its stamp as :mod:`charmkit.host` makes it."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            yield path, _stamp(pathlib.Path(path))


def purged(directories: Iterable[host.Directory]) -> Iterator[str]:
    """The paths of files and links that *directories* are to be purged of, unless somebody wants them."""
    for d in directories:
        if not d.purge:
            continue
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in pathlib.Path(d.path).iterdir():
                if d.purges(str(path)) and (path.is_symlink() or not path.is_dir()):
                    yield str(path)


def _stamp(path: pathlib.Path) -> str:
    seen = path.lstat()
    if stat.S_ISLNK(seen.st_mode):
        return f'link {path.readlink()}'
    rights = f'{_owner(seen.st_uid)}:{_group(seen.st_gid)} {stat.S_IMODE(seen.st_mode):04o}'
    if stat.S_ISDIR(seen.st_mode):
        return f'directory {rights}'
    if not stat.S_ISREG(seen.st_mode):
        return 'something else'
    return f'{host.digest(path.read_bytes())} {rights}'


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def make(d: host.Directory) -> None:
    """Make a directory, or give it its owner and mode.

    Raises:
        RefusedError: its owner or group is not there.
    """
    path = pathlib.Path(d.path)
    there = path.exists()  # A package may have brought it since this was planned.
    if d.kept and there:
        return
    path.mkdir(parents=True, exist_ok=True)
    try:
        _give(path, d.path, d.owner, d.group)
    except RefusedError:
        if not there:
            path.rmdir()
        raise
    path.chmod(d.mode)


def link(x: host.Link) -> None:
    """Make a symbolic link, in place of what is there."""
    path = pathlib.Path(x.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f'.{path.name}.new')
    aside.unlink(missing_ok=True)
    aside.symlink_to(x.target)
    aside.replace(path)


def put(f: host.File) -> None:
    """Put a file in place, once its check accepts it.

    Raises:
        RefusedError: when the check does not, or its owner or group is not there; the old file stays.
    """
    write(pathlib.Path(f.path), f.content, f.mode, f.owner, f.group, f.check)


def check(f: host.File) -> None:
    """Have a file's check look at it, and leave what is there.

    Raises:
        RefusedError: when the check does not accept it.
    """
    _aside(pathlib.Path(f.path), f.content, f.mode, f.owner, f.group, f.check).unlink()


def write(
    path: pathlib.Path,
    content: str,
    mode: int,
    owner: str = 'root',
    group: str = 'root',
    check: tuple[str, ...] = (),
) -> None:
    """Put *content* at *path* in one step, so that no reader ever sees half of it."""
    _aside(path, content, mode, owner, group, check).replace(path)


def _give(path: pathlib.Path, shown: str, owner: str, group: str) -> None:
    try:
        shutil.chown(path, owner, group)
    except LookupError as e:
        raise RefusedError(shown, f'{e}, whose {shown} is to be') from None


def _aside(
    path: pathlib.Path, content: str, mode: int, owner: str, group: str, check: tuple[str, ...]
) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f'.{path.name}.new')
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, 'wb') as out:
        out.write(content.encode())
        out.flush()
        os.fsync(handle)
    if os.geteuid() == 0:
        try:
            _give(aside, str(path), owner, group)
        except RefusedError:
            aside.unlink()
            raise
    aside.chmod(mode)
    if check:
        argv = [part.replace('{path}', str(aside)) for part in check]
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            aside.unlink()
            raise RefusedError(str(path), done.stdout)
    return aside
