"""What is to be at the paths of a machine. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import re


def digest(text: str | bytes) -> str:
    """A short name for *text*, which counts as UTF-8: equal texts have equal digests."""
    data = text.encode() if isinstance(text, str) else text
    return hashlib.sha256(data).hexdigest()[:16]


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
    """A file that must exist with this content."""

    path: str
    content: str = dataclasses.field(repr=False)
    """May hold passwords, so it stays out of every log."""
    owner: str = 'root'
    group: str = 'root'
    mode: int = 0o644
    notify: tuple[str, ...] = ()
    """Services that must be running with this content."""
    before_packages: bool = False
    """Put in place before packages are installed or upgraded: it says where they come from."""
    check: tuple[str, ...] = ()
    """A command that must accept the new file before it takes the old one's place; ``{path}`` in
    it stands for the new file, rendered aside. What it refuses is not put in place."""
    revision: str = ''
    """Stands for what of the content a service must take up, where that is not all of it; '' is all."""

    @property
    def digest(self) -> str:
        """Stands for the content in plans and on the machine."""
        return digest(self.content)

    @property
    def stamp(self) -> str:
        """Content, owner, group and mode in one comparable value."""
        return f'{self.digest} {self.owner}:{self.group} {self.mode:04o}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Directory:
    """A directory that must exist; what is in it is left alone, but for *purge*."""

    path: str
    owner: str = 'root'
    group: str = 'root'
    mode: int = 0o755
    kept: bool = False
    """One that is there, such as a package's own, keeps its owner and mode."""
    purge: str = ''
    """A regular expression: files and links in it whose whole name matches, and that nobody wants, are removed, whoever
    left them there: a hook that died, or whose outcome nobody kept. '' removes none."""

    @property
    def stamp(self) -> str:
        """Owner, group and mode in one comparable value."""
        return f'directory {self.owner}:{self.group} {self.mode:04o}'

    def purges(self, path: str) -> bool:
        """Whether *path* is directly in it, and to be removed unless somebody wants it."""
        folder, _, name = path.rpartition('/')
        return bool(self.purge) and folder == self.path and bool(re.fullmatch(self.purge, name))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Link:
    """A symbolic link that must exist."""

    path: str
    target: str
    notify: tuple[str, ...] = ()

    @property
    def stamp(self) -> str:
        """The target in a comparable value."""
        return f'link {self.target}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Absent:
    """A file or link that must not exist."""

    path: str
    notify: tuple[str, ...] = ()
