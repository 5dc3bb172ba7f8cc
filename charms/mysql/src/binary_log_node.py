"""The task that keeps a server's binary log within its bounds. An edge."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import binary_log
import charmkit
import grants
import server

PURGE = 'binary-log'


@dataclasses.dataclass(frozen=True, kw_only=True)
class BinaryLog:
    """How it is."""

    on: bool = False
    bytes: int = 0
    refused: str = ''
    """What the server has said against its bounds."""


_SETTINGS = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_expire_logs_seconds', "
    "'max_binlog_total_size');"
)


@dataclasses.dataclass(frozen=True)
class KeepBounds:
    """Put its bounds in force, and remove what is too much; the result is :class:`BinaryLog`, or None.

    None: the server does not answer.

    A file that somebody reads is not removed: the server sees to that.
    """

    bounds: binary_log.Bounds
    name: str = PURGE

    def carry_out(self, machine: charmkit.Machine) -> BinaryLog | None:
        """Do it."""
        try:
            rows = server.query(machine, _SETTINGS)
            settings = {row['Variable_name']: row['Value'] for row in rows}
            if settings.get('log_bin') not in ('ON', '1'):
                return BinaryLog()
            files = [
                binary_log.LogFile(row['Log_name'], int(row['File_size']))
                for row in server.query(machine, 'SHOW BINARY LOGS;')
            ]
            refused = server.execute(machine, self._statements(settings, files))
        except server.ServerError:
            return None  # Whoever makes its accounts says so.
        return BinaryLog(on=True, bytes=sum(f.bytes for f in files), refused='; '.join(refused))

    def _statements(
        self, settings: Mapping[str, str], files: Iterable[binary_log.LogFile]
    ) -> Iterable[grants.Statement]:
        wanted = {
            'binlog_expire_logs_seconds': str(self.bounds.seconds),
            'max_binlog_total_size': str(self.bounds.bytes),
        }
        for name, value in wanted.items():
            if settings.get(name, value) != value:
                yield grants.Statement(f'set {name} {value}', f'SET GLOBAL {name} = {value};')
        kept = binary_log.first_kept(files, self.bounds.bytes) if self.bounds.bytes else ''
        if kept:
            yield grants.Statement(
                f'remove binary logs older than {kept}',
                f'PURGE BINARY LOGS TO {grants.quoted(kept)};',
            )


def is_on(machine: charmkit.Machine) -> bool:
    """Whether this machine's server writes one.

    Raises:
        server.ServerError: when it does not answer.
    """
    rows = server.query(machine, 'SELECT @@global.log_bin AS log_bin;')
    return bool(rows) and rows[0].get('log_bin') in ('1', 'ON')
