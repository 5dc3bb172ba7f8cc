"""What the kernel says is mounted. Its list is text: reading it waits for no file system, whatever became of that.

Source: proc(5), ``/proc/pid/mountinfo``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

OWN = Path('/proc/self/mountinfo')
_OCTAL = re.compile(r'\\([0-7]{3})')


@dataclasses.dataclass(frozen=True)
class Mount:
    """One line of the list."""

    point: str
    """The absolute path where it is."""
    device: str
    """``major:minor`` of the file system; one that is mounted anew has another, while the former is in use."""
    kind: str
    """Type of the file system."""


def listed(text: str) -> tuple[Mount, ...]:
    """The mounts of such a list, later ones above earlier ones; a line that is none is left out."""
    found: list[Mount] = []
    for line in text.splitlines():
        before, _, after = line.partition(' - ')
        words = before.split()
        if len(words) >= 5 and after.split():
            found.append(Mount(_unescaped(words[4]), words[2], after.split()[0]))
    return tuple(found)


def read(path: Path = OWN) -> tuple[Mount, ...]:
    """The mounts that a process sees, by default our own.

    Raises:
        OSError: there is no such process, or it is another user's.
    """
    return listed(path.read_text(encoding='utf-8', errors='surrogateescape'))


def at(mounts: Sequence[Mount], path: Path) -> Mount | None:
    """The one mounted exactly there; of several the uppermost."""
    wanted = str(path.absolute())
    return next((m for m in reversed(mounts) if m.point == wanted), None)


def holding(mounts: Sequence[Mount], path: Path) -> Mount | None:
    """The one that an absolute path is on, by its words alone: no link is followed."""
    inside = [m for m in mounts if f'{path}/'.startswith(f'{m.point.rstrip("/")}/')]
    longest = max((len(m.point) for m in inside), default=0)
    return next((m for m in reversed(inside) if len(m.point) == longest), None)


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
