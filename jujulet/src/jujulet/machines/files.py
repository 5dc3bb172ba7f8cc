"""Reads and writes in a machine's file system from the host, though what is in it may be bent on mischief.

The root of a machine may make any of its paths a symbolic link; followed by the host's kernel, it would lead into the
host. So a name is walked here, step by step: each directory is opened by itself, and where a link is, its text is read
as the machine would read it: from the machine's root on. ``..`` never leads above that root. What is opened stays
opened, so nothing that the machine changes meanwhile leads elsewhere (source: what ``RESOLVE_IN_ROOT`` of openat2(2)
promises; older kernels have no such call).

The last part of a name is replaced, not followed, when it is written: a file is put in place by renaming. Modes are as
said here, whatever this process keeps to itself (its umask): who is on the machine may read what Juju lets them read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import uuid
from collections.abc import Collection, Generator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MOST = 1_000_000
"""Bytes that :func:`read` takes at most."""

LINKS = 40
"""Links that are followed for one name, as many as the kernel follows."""

DEPTH = 200  # Directories in one another that are copied at most.
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _Walk:
    """A way from a root down: the descriptors of the directories that it went through."""

    def __init__(self, root: Path, *, make: bool):
        self._way = [os.open(root, _FOLDER)]
        self._make = make
        self._links = 0

    @property
    def here(self) -> int:
        """The directory that it has come to."""
        return self._way[-1]

    def close(self) -> None:
        """Close all of them."""
        for opened in self._way:
            os.close(opened)

    def go(self, parts: tuple[str, ...]) -> None:
        """Go on through *parts*; missing directories are made if the walk makes any. OSError: there is no such way."""
        left = list(reversed(parts))
        while left:
            part = left.pop()
            if part.startswith('/'):
                self._up_to(1)
            elif part == '..':
                self._up_to(len(self._way) - 1)
            elif (target := self._step(part)) is not None:
                left.extend(reversed(target))

    def _up_to(self, length: int) -> None:
        while len(self._way) > max(length, 1):
            os.close(self._way.pop())

    def _step(self, part: str) -> tuple[str, ...] | None:
        """Enter a directory, or give the parts of the link that is in its place."""
        for _ in range(2):
            try:
                self._way.append(os.open(part, _FOLDER, dir_fd=self.here))
                return None
            except FileNotFoundError:
                if not self._make:
                    raise
                _make(part, self.here)
            except NotADirectoryError:
                if (target := self.link(part)) is None:
                    raise
                return target
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), part)

    def link(self, part: str) -> tuple[str, ...] | None:
        """The parts of the link that *part* is, None if it is none. OSError: it is the last straw."""
        try:
            target = os.readlink(part, dir_fd=self.here)
        except OSError:
            return None
        self._links += 1
        if self._links > LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part)
        return PurePosixPath(target).parts


def _make(name: str, within: int, mode: int = 0o755) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=within)
        made = os.open(name, _FOLDER, dir_fd=within)
        os.fchmod(made, mode)
        os.close(made)


@contextlib.contextmanager
def _folder(root: Path, name: str, *, make: bool = False) -> Generator[int]:
    """The directory *name* below *root*, opened. OSError if it is not one."""
    walk = _Walk(root, make=make)
    try:
        walk.go(PurePosixPath(name.lstrip('/')).parts)
        yield walk.here
    finally:
        walk.close()


@contextlib.contextmanager
def _place(root: Path, name: str, *, make: bool = False) -> Generator[tuple[int, str]]:
    """The directory that *name* is in, opened, and the last part of the name. OSError if there is none."""
    path = PurePosixPath(name)
    with _folder(root, str(path.parent), make=make) as folder:
        yield folder, path.name


@contextlib.contextmanager
def _written(folder: int, name: str, mode: int) -> Generator[BinaryIO]:
    """A new file that takes the place of *name* in an opened directory once it is whole."""
    fresh = f'.{uuid.uuid4().hex}'
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    opened = os.open(fresh, flags, 0o600, dir_fd=folder)
    try:
        with open(opened, 'wb') as file:
            yield file
            file.flush()
            os.fchmod(opened, mode)
        with contextlib.suppress(NotADirectoryError, FileNotFoundError):
            _clear_folder(folder, name)
        os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=folder)
        raise


def _clear_folder(within: int, name: str) -> None:
    """Remove a directory that is where a file is to be. OSError: it is none."""
    os.close(os.open(name, _FOLDER, dir_fd=within))
    shutil.rmtree(name, dir_fd=within)


def read(root: Path, name: str, most: int | None = MOST) -> str:
    """The text of a regular file at *name* (relative to *root*), of *most* bytes; empty if there is none, or a link."""
    try:
        with _place(root, name) as (folder, last):
            opened = os.open(last, _FILE, dir_fd=folder)
    except OSError:
        return ''
    with open(opened, 'rb') as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return ''
        return file.read(most).decode(errors='replace')


def exists(root: Path, name: str) -> bool:
    """Whether something is at *name*, be it a link."""
    try:
        with _place(root, name) as (folder, last):
            os.lstat(last, dir_fd=folder)
    except OSError:
        return False
    return True


def executable(root: Path, name: str) -> bool:
    """Whether a program is at *name* as the machine sees it, links and all."""
    walk = _Walk(root, make=False)
    try:
        *above, last = PurePosixPath(name.lstrip('/')).parts
        walk.go(tuple(above))
        while target := walk.link(last):
            *above, last = target
            walk.go(tuple(above))
        mode = os.lstat(last, dir_fd=walk.here).st_mode
    except OSError:
        return False
    finally:
        walk.close()
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def names(root: Path, name: str) -> list[str]:
    """What is in a directory, in the alphabet's order; nothing if there is none."""
    try:
        with _folder(root, name) as folder:
            return sorted(os.listdir(folder))
    except OSError:
        return []


def write(root: Path, name: str, content: str, *, mode: int = 0o644, like: str = '') -> None:
    """Make *name* (relative to *root*) a regular file with that content, and its directories if need be.

    A file that is so already is left alone. *like* names a directory whose owner the file and its directory get.

    Raises:
        OSError: a part of the name is neither a directory nor a link to one, or the disk is full.
    """
    if read(root, name) == content and exists(root, name):
        return
    with _place(root, name, make=True) as (folder, last), _written(folder, last, mode) as file:
        file.write(content.encode())
        if like:
            with _folder(root, like) as owner:
                whose = os.fstat(owner)
            os.fchown(file.fileno(), whose.st_uid, whose.st_gid)
            os.fchown(folder, whose.st_uid, whose.st_gid)


def put(root: Path, name: str, source: Path, *, mode: int = 0o644) -> None:
    """Make *name* a copy of a file of the host's, and its directories if need be.

    Raises:
        OSError: as :func:`write`, or *source* is not there.
    """
    with (
        source.open('rb') as content,
        _place(root, name, make=True) as (folder, last),
        _written(folder, last, mode) as file,
    ):
        shutil.copyfileobj(content, file)


def make_folder(root: Path, name: str) -> None:
    """Make a directory and those above it, mode 0755; one that is there stays as it is.

    Raises:
        OSError: as :func:`write`.
    """
    with _folder(root, name, make=True):
        pass


def link(root: Path, name: str, target: str, *, anew: bool = False) -> None:
    """Make *name* a symbolic link to *target*, unless something is there already; *anew*: also then, in its place.

    Raises:
        OSError: as :func:`write`.
    """
    with _place(root, name, make=True) as (folder, last), contextlib.suppress(FileExistsError):
        if anew:
            _remove(folder, last)
        os.symlink(target, last, dir_fd=folder)


def remove(root: Path, name: str) -> None:
    """Remove what is at *name*, with all that is in it; a link, not what it leads to. What is not there is no error."""
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        _place(root, name) as (folder, last),
    ):
        _remove(folder, last)


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=folder)
    except FileNotFoundError:
        pass


def rename(root: Path, name: str, target: str) -> None:
    """Move what is at *name* to *target*, in place of what is there.

    Raises:
        OSError: there is no *name*, or no directory for *target*.
    """
    with _place(root, name) as (source, last), _place(root, target) as (folder, become):
        _remove(folder, become)
        os.rename(last, become, src_dir_fd=source, dst_dir_fd=folder)


def drop(root: Path, tree: str, below: Collection[str]) -> None:
    """Remove files of *tree* by their names *below* it, and directories that are empty; nothing through a link.

    Raises:
        OSError: the disk cannot be written to.
    """
    with _folder(root, tree) as top:
        for name in sorted(below, reverse=True):
            *above, last = PurePosixPath(name).parts
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                _drop(top, above, last)


def _drop(top: int, above: list[str], last: str) -> None:
    """Remove one entry, through directories alone. NotADirectoryError: a link or a file is in the way."""
    with contextlib.ExitStack() as stack:
        here = top
        for part in above:
            here = os.open(part, _FOLDER, dir_fd=here)
            stack.callback(os.close, here)
        try:
            os.unlink(last, dir_fd=here)
        except IsADirectoryError:
            try:
                os.rmdir(last, dir_fd=here)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:  # The machine may have written into it.
                    raise


def put_tree(root: Path, name: str, source: Path) -> None:
    """Copy a directory of the host's over the one at *name*, each file as a new one: the old may be running.

    What is in the way, a link that the machine laid too, gives way (source: ``writeDir`` of juju/utils/zip).

    Raises:
        OSError: as :func:`write`, or the disk is full.
    """
    with _folder(root, name, make=True) as target:
        opened = os.open(source, _FOLDER)
        try:
            _copy(opened, target, '', frozenset(), owners=False)
        finally:
            os.close(opened)


def copy_tree(root: Path, name: str, target: str, without: Collection[str] = ()) -> None:
    """Copy a directory of the machine's, owners too, to *target*; not the files whose paths below it are in *without*.

    Raises:
        OSError: as :func:`write`, or there is no *name*, or *target* is in it, or it is too deep.
    """
    with _folder(root, name) as source, _folder(root, target, make=True) as folder:
        inner, outer = (os.readlink(f'/proc/self/fd/{one}') for one in (folder, source))
        if f'{inner}/'.startswith(f'{outer}/'):  # The machine has laid it so.
            raise OSError(errno.EINVAL, 'a directory cannot be copied into itself', name)
        _copy(source, folder, '', frozenset(without), owners=True)


def _copy(source: int, target: int, path: str, without: frozenset[str], *, owners: bool) -> None:
    if path.count('/') > DEPTH:
        raise OSError(errno.ENAMETOOLONG, f'directories are more than {DEPTH} deep', path[:100])
    for name in os.listdir(source):
        here = f'{path}{name}'
        seen = os.lstat(name, dir_fd=source)
        if stat.S_ISDIR(seen.st_mode):
            from_, into = _enter(source, name), _entered(target, name)
            try:
                _copy(from_, into, f'{here}/', without, owners=owners)
                _like(into, seen, owners=owners)
            finally:
                os.close(from_)
                os.close(into)
        elif here in without:
            continue
        elif stat.S_ISLNK(seen.st_mode):
            said = os.readlink(name, dir_fd=source)
            _remove(target, name)
            os.symlink(said, name, dir_fd=target)
            if owners:
                os.chown(name, seen.st_uid, seen.st_gid, dir_fd=target, follow_symlinks=False)
        elif stat.S_ISREG(seen.st_mode):
            _copy_file(source, target, name, owners=owners)


def _copy_file(source: int, target: int, name: str, *, owners: bool) -> None:
    with open(os.open(name, _FILE, dir_fd=source), 'rb') as content:
        seen = os.fstat(content.fileno())
        if not stat.S_ISREG(seen.st_mode):
            return  # It has become something else a moment ago.
        with _written(target, name, stat.S_IMODE(seen.st_mode)) as file:
            shutil.copyfileobj(content, file)
            file.flush()
            _like(file.fileno(), seen, owners=owners)


def _enter(within: int, name: str) -> int:
    return os.open(name, _FOLDER, dir_fd=within)


def _entered(within: int, name: str) -> int:
    """A directory of that name, opened; made where something else is."""
    try:
        return _enter(within, name)
    except (FileNotFoundError, NotADirectoryError):
        _remove(within, name)
        _make(name, within)
        return _enter(within, name)


def _like(opened: int, seen: os.stat_result, *, owners: bool) -> None:
    if owners:
        os.fchown(opened, seen.st_uid, seen.st_gid)
    os.fchmod(opened, stat.S_IMODE(seen.st_mode))
    os.utime(opened, ns=(seen.st_atime_ns, seen.st_mtime_ns))
