"""The binary log of a server that stands alone: always on, and bounded in days and size. Pure.

It is what a unit of a newer base follows, so it has to be there before anybody thinks of a move: to switch it on takes
a restart. It is decided before the server first starts. A server that was made before this charm wrote it has it from
its next restart on, whatever that is for. Members of a cluster have none: nobody follows a cluster.

Source: MariaDB Server documentation: "Activating the Binary Log", "Using and Maintaining the Binary Log",
"max_binlog_total_size" (11.4), "slave_connections_needed_for_purge" (11.4: with its default of 1 a server that nobody
follows would keep all for ever).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import charmkit
from charmkit.options import Option, count

DAYS, MIB = 'binary-log-days', 'binary-log-mib'
_DAY_S = 86_400
_FILE_MIB = 128
"""Size of one file of it: what goes, goes by whole files."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bounds:
    """For how long, and up to what size, it is kept."""

    seconds: int
    bytes: int
    """0: for as long as :attr:`seconds` says, whatever its size."""


@dataclasses.dataclass(frozen=True)
class LogFile:
    """One file of it."""

    name: str
    bytes: int


def bounds(inputs: charmkit.Inputs) -> Bounds:
    """What the operator wants."""
    return Bounds(
        seconds=int(inputs.options.get(DAYS, 2)) * _DAY_S,
        bytes=int(inputs.options.get(MIB, 2048)) << 20,
    )


def variables(inputs: charmkit.Inputs) -> dict[str, str]:
    """Of the server's configuration."""
    wanted = bounds(inputs)
    return {
        'log_bin': 'charm-binlog',
        'binlog_format': 'ROW',
        # With a binary log, what was acknowledged outlives a crash of the machine only if that was written through.
        'sync_binlog': '1',
        'max_binlog_size': f'{_FILE_MIB}M',
        'binlog_expire_logs_seconds': str(wanted.seconds),
        # Servers before 11.4 do not know these: there the charm itself removes what is too much.
        'loose_max_binlog_total_size': str(wanted.bytes),
        'loose_slave_connections_needed_for_purge': '0',
    }


def first_kept(files: Iterable[LogFile], most: int) -> str:
    """The oldest of *files* (oldest first) that is kept, if all may have *most* bytes; '' when none has to go.

    The newest is being written, and stays.
    """
    every = tuple(files)
    total = 0
    for number, file in reversed([*enumerate(every)]):
        total += file.bytes
        if total > most and number + 1 < len(every):
            return every[number + 1].name
    return ''


def options() -> tuple[Option, ...]:
    """The operator's."""
    return (
        Option(
            DAYS,
            count(1, 30, 'days'),
            2,
            'For how many days a server that stands alone keeps its binary log, which a unit of a newer base follows '
            'while the databases are moved.',
        ),
        Option(
            MIB,
            # One file is written, and one is whole.
            count(2 * _FILE_MIB, 1_048_576, 'MiB'),
            2048,
            'Up to what size it is kept, whatever its age; before MariaDB 11.4 it is looked at with each hook. '
            'Not while a unit makes its first copy, which needs it whole.',
        ),
    )
