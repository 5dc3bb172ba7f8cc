"""Archives that Linux takes as its first file system: cpio in the format ``newc``, all of it root's. Pure.

Source: initramfs-buffer-format of the kernel's documentation.
"""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Iterable

_MAGIC = '070701'
_END = 'TRAILER!!!'


@dataclasses.dataclass(frozen=True)
class Entry:
    """One name in the archive."""

    name: str
    """Without a leading slash."""
    mode: int
    """With the bits that say what it is."""
    content: bytes = b''
    device: tuple[int, int] = (0, 0)
    """Major and minor number, of a device."""


def folder(name: str) -> Entry:
    """A directory."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, content: bytes, *, program: bool = False) -> Entry:
    """A regular file."""
    return Entry(name, stat.S_IFREG | (0o755 if program else 0o644), content)


def character_device(name: str, major: int, minor: int, mode: int = 0o600) -> Entry:
    """A node for a character device."""
    return Entry(name, stat.S_IFCHR | mode, device=(major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """An archive of *entries* in their order, with the directories above each of them before it."""
    out = bytearray()
    for number, entry in enumerate((*_with_folders(entries), Entry(_END, 0)), start=1):
        name = entry.name.encode() + b'\0'
        fields = (
            *(number, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0),
            *(*entry.device, len(name), 0),
        )
        out += _padded((_MAGIC + ''.join(f'{field:08X}' for field in fields)).encode() + name)
        out += _padded(entry.content)
    return bytes(out)


def _with_folders(entries: Iterable[Entry]) -> list[Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        parts = entry.name.split('/')[:-1]
        for depth in range(1, len(parts) + 1):
            above = '/'.join(parts[:depth])
            found.setdefault(above, folder(above))
        found[entry.name] = entry
    return list(found.values())


def _padded(data: bytes) -> bytes:
    """Every part begins at a multiple of four bytes."""
    return data + b'\0' * (-len(data) % 4)
