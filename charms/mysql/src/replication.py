"""How a server is as a replica, and how far it is; this machine's own, and the other one. An edge."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import charmkit
import replicas
import server
from charmkit.relations import mysql

ASK_S = 10
"""Seconds that the other server is given to answer."""
_GTID = re.compile(r'([0-9]{1,10})-([0-9]{1,10})-([0-9]{1,20})')


@dataclasses.dataclass(frozen=True, kw_only=True)
class There:
    """How the other server is."""

    follows: bool
    """It is set up as a replica."""
    runs: bool = False
    """It receives, or applies, or tries to: so long the server refuses to make it one that follows nobody."""
    well: bool = False
    """It receives and applies."""
    read_only: bool = True
    applied: str = ''
    """What it has applied, by GTID."""
    behind: int | None = None
    """Seconds."""
    said: str = ''
    """What stops it, in its own words."""
    source: str = ''
    """The address of the server that it follows."""


def covers(applied: str, position: str) -> bool:
    """Whether who has *applied* so much has all up to *position*: GTIDs, one for each domain."""
    have = _gtids(applied)
    return bool(_GTID.search(position)) and all(
        have.get(domain, -1) >= number for domain, number in _gtids(position).items()
    )


def _gtids(text: str) -> dict[int, int]:
    return {int(domain): int(number) for domain, _, number in _GTID.findall(text)}


LOOK = (
    'SELECT @@global.read_only AS read_only, @@global.gtid_slave_pos AS applied, '
    '@@global.gtid_binlog_pos AS written, @@global.log_bin AS log_bin;'
)
STATUS = 'SHOW ALL SLAVES STATUS;'


def look(machine: charmkit.Machine, timeout_s: float = ASK_S) -> dict[str, str]:
    """What this machine's server answers to :data:`LOOK`.

    Raises:
        server.ServerError: when it does not answer.
    """
    rows = server.query(machine, LOOK, timeout_s=timeout_s)
    if not rows:
        raise server.ServerError('the server does not say how it is')
    return rows[0]


def over_there(
    machine: charmkit.Machine, address: str, sql: str, timeout_s: float = ASK_S
) -> list[dict[str, str]]:
    """What the server at *address* answers.

    Raises:
        server.ServerError: when it refuses it, or does not answer.
    """
    argv = (
        'mariadb', f'--defaults-extra-file={replicas.LOGIN}', '--protocol=tcp', f'--host={address}',
        f'--port={mysql.PORT}', '--connect-timeout=3', '--batch', '--default-character-set=utf8mb4',
    )  # fmt: skip
    return server.rows(machine.program(*argv, stdin=sql, timeout_s=timeout_s))


_END_CLIENTS = """
for each in /proc/[0-9]*; do
  if tr '\\0' '\\n' < "$each/cmdline" 2>/dev/null | grep -qxF -e "--defaults-extra-file=$1" -e "$2"; then
    kill -KILL "${each#/proc/}"
  fi
done
"""


def end_clients(machine: charmkit.Machine) -> None:
    """End the clients that a hook which was killed has left at work, here and there: no two hooks run at once.

    The server ends what they have under way. They would go on with what was begun before beside what comes now.
    """
    machine.program('sh', '-c', _END_CLIENTS, 'sh', replicas.LOGIN, server.INIT)


def there(machine: charmkit.Machine, address: str) -> There | None:
    """How the server at *address* is; None when it does not say."""
    try:
        seen = over_there(machine, address, LOOK)[0]
        rows = over_there(machine, address, STATUS)
    except (server.ServerError, IndexError):
        return None
    return state(seen, rows)


def state(seen: Mapping[str, str], rows: list[dict[str, str]]) -> There:
    """Understand both answers."""
    row = rows[0] if rows else {}
    both = (row.get('Slave_IO_Running'), row.get('Slave_SQL_Running'))
    behind = row.get('Seconds_Behind_Master', '')
    return There(
        # A dump that is loaded leaves a row without a server.
        follows=bool(row.get('Master_Host')),
        runs=any(one not in (None, '', 'No') for one in both),
        well=both == ('Yes', 'Yes'),
        read_only=seen.get('read_only') not in ('0', 'OFF'),
        applied=seen.get('applied', ''),
        behind=int(behind) if behind.isdecimal() else None,
        said=row.get('Last_SQL_Error') or row.get('Last_IO_Error') or '',
        source=row.get('Master_Host', ''),
    )
