"""The disk of a guest: a boot record with one active FAT16 partition, from which SYSLINUX starts the kernel. Pure."""

from __future__ import annotations

import struct

SECTOR = 512
START = 2048
"""First sector of the partition: at 1 MiB, as partitioning programs have it."""
MIB = 24
_FAT16_LBA = 0x0E
_ACTIVE = 0x80
_NO_CHS = b'\xfe\xff\xff'
"""Cylinder, head and sector of what is only to be addressed by its number."""
_CODE = 440
"""Bytes of a boot record that are program; a signature and the table of partitions follow."""

CONFIG = """\
DEFAULT guest
PROMPT 0
TIMEOUT 0
SERIAL 0 115200
LABEL guest
 KERNEL vmlinuz
 INITRD initrd.gz
 APPEND console=tty0 console=ttyS0,115200n8 quiet loglevel=4 panic=1 mitigations=off no_timer_check random.trust_cpu=on
"""
"""``syslinux.cfg``. Without ``no_timer_check``, an emulated machine on a busy host panics: its timer is found late."""


def sectors(mib: int = MIB) -> int:
    """Sectors of the partition on a disk of that many MiB."""
    return mib * 2048 - START


def boot_record(program: bytes, count: int) -> bytes:
    """The first sector: SYSLINUX's *program*, and a partition of *count* sectors.

    Raises:
        ValueError: the program is longer than there is room for.
    """
    if len(program) > _CODE:
        raise ValueError(f'a boot program of {len(program)} bytes, where {_CODE} have room')
    partition = struct.pack('<B3sB3sII', _ACTIVE, _NO_CHS, _FAT16_LBA, _NO_CHS, START, count)
    table = partition + bytes(3 * 16)
    return program.ljust(_CODE, b'\0') + b'RMBL\0\0' + table + b'\x55\xaa'
