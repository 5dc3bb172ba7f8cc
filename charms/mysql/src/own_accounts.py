"""The accounts that the server itself needs: what copies a member's data, and what looks how it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import grants

SST_USER, HEALTH_USER = 'sst', 'nobody'
_MAY = 'RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REPLICA MONITOR'
"""What ``mariadb-backup`` must be able to do (MariaDB Server documentation, mariadb-backup SST Method)."""


def statements(seen: grants.Observed, sst_password: str) -> Iterator[grants.Statement]:
    """What brings them about; *sst_password* is '' where no member's data is ever copied."""
    if sst_password:
        yield from _copies(seen, sst_password)
    if grants.Account(HEALTH_USER, 'localhost') not in seen.accounts:
        # No password and no privilege: the system's own account of that name may see the status.
        yield grants.Statement(
            'create the account of the health check',
            f"CREATE USER IF NOT EXISTS '{HEALTH_USER}'@'localhost' IDENTIFIED VIA unix_socket;",
        )


def _copies(seen: grants.Observed, password: str) -> Iterator[grants.Statement]:
    account, hashed = grants.Account(SST_USER, 'localhost'), grants.hashed(password)
    if seen.accounts.get(account) == (hashed,):
        return
    verb = 'ALTER USER IF EXISTS' if account in seen.accounts else 'CREATE USER IF NOT EXISTS'
    way = f"IDENTIFIED VIA {grants.NATIVE} USING '{hashed}'"
    yield grants.Statement(
        'set the password of the copies', f"{verb} '{SST_USER}'@'localhost' {way};"
    )
    # The server has read it from its file when it started: the first hook of a cluster may have died after that.
    yield grants.Statement(
        'take up the password of the copies',
        f"SET GLOBAL wsrep_sst_auth = '{SST_USER}:{password}';",
    )
    yield grants.Statement(
        'grant what copies need', f"GRANT {_MAY} ON *.* TO '{SST_USER}'@'localhost';"
    )
