"""Which kernel modules a guest loads, in an order in which each finds what it needs. Pure."""

from __future__ import annotations

import lzma
from collections.abc import Callable, Iterable, Mapping

WANTED = (
    *('virtio_pci', 'virtio_net', 'virtio_blk', 'virtio_scsi', 'sd_mod', 'sr_mod', 'isofs'),
    *('ata_piix', 'ahci', 'vfat', 'nls_ascii', 'nls_cp437', 'virtio_rng', 'virtio_balloon'),
)
"""Disks, network, a config drive, and what a guest on a virtual machine monitor is well with."""


def name_of(path: str) -> str:
    """The module that a file ``…/virtio-rng.ko.xz`` holds, by the kernel's own spelling: ``virtio_rng``."""
    return path.rpartition('/')[2].partition('.ko')[0].replace('-', '_')


def unpacked(data: bytes) -> bytes:
    """A module's object file, whether its package keeps it compressed (Debian 13 does) or not."""
    return lzma.decompress(data) if data.startswith(b'\xfd7zXZ\0') else data


def needs(module: bytes) -> tuple[str, ...]:
    """The modules that one says it depends on (``depends=`` among what ``modinfo`` shows)."""
    start = module.find(b'\0depends=')
    if start < 0:
        return ()
    start += len(b'\0depends=')
    text = module[start : module.index(b'\0', start)].decode('ascii')
    return tuple(name.replace('-', '_') for name in text.split(',') if name)


def order(
    wanted: Iterable[str], there: Mapping[str, object], needed: Callable[[str], Iterable[str]]
) -> tuple[str, ...]:
    """*wanted* and all that they need, each behind what it needs; what is not *there* is in the kernel itself."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        if name in found or name not in there:
            return
        for each in needed(name):
            add(each)
        found[name] = None

    for name in wanted:
        add(name)
    return tuple(found)
