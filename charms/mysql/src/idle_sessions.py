"""The procedure by which a client ends what it left open itself, at any address, in the way of its own DDL. Pure.

MariaDB shows an account its own sessions only, and lets it end no others; and each client has an account for each of
its addresses. So an ALTER of one unit waits for a transaction that another unit has left open, and can do nothing
about it. The procedure runs with the rights of an account that nobody can log in to, and does one thing:

    CALL mysql.charm_end_idle_sessions('keystone', 3000)

ends sessions of the caller's own user name, whatever their address, that are in that database and have done nothing
for so many milliseconds (1000 at least), and only as long as a DDL statement of that user name waits for a table
there. It answers how many it has ended. It sees the server that it is called on; what it sees is that user name's
alone, so there is nothing to be had from it that the caller has not got. It is kept beside the server's own routines,
which no backup holds and no client may ask for: the charm makes it anew where it is missing or is another one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import grants

DEFINER = grants.Account('charm-sessions', 'localhost')
SCHEMA, NAME = 'mysql', 'charm_end_idle_sessions'
LEAST_IDLE_MS = 1000
MOST = 1000
"""Sessions that one call ends; it may be called again."""
_NO_LOGIN = 'invalid'
"""In the place of a password's hash: what MariaDB itself writes where no password is right."""
_RIGHTS = frozenset({'PROCESS', 'CONNECTION ADMIN'})
_PARAMETERS = 'IN held_database VARCHAR(64), IN idle_ms INT UNSIGNED'
# USER() is who has logged in, CURRENT_USER() would be the definer, and so would be the caller's own row in the list of
# sessions. An address has no @ in it. Names are compared as bytes: the server tells `nova` from `Nova`.
_BODY = ' '.join(
    f"""
BEGIN
  DECLARE mine VARBINARY(512) DEFAULT
    CAST(LEFT(USER(), CHAR_LENGTH(USER()) - 1 - CHAR_LENGTH(SUBSTRING_INDEX(USER(), '@', -1))) AS BINARY);
  DECLARE victim BIGINT UNSIGNED;
  DECLARE ended INT UNSIGNED DEFAULT 0;
  DECLARE CONTINUE HANDLER FOR 1094 BEGIN END;
  SET idle_ms = GREATEST(COALESCE(idle_ms, 0), {LEAST_IDLE_MS});
  one_by_one: WHILE ended < {MOST} DO
    SET victim = (
      SELECT MIN(s.id) FROM information_schema.processlist AS s
      WHERE CAST(s.user AS BINARY) = mine AND CAST(s.db AS BINARY) = CAST(held_database AS BINARY)
        AND s.command = 'Sleep' AND s.time_ms >= idle_ms
        AND EXISTS (
          SELECT 1 FROM information_schema.processlist AS w
          WHERE CAST(w.user AS BINARY) = mine AND CAST(w.db AS BINARY) = CAST(held_database AS BINARY)
            AND w.state = 'Waiting for table metadata lock'
            AND w.info REGEXP '^[[:space:]]*(ALTER|CREATE|DROP|RENAME|TRUNCATE)[[:space:]]'));
    IF victim IS NULL THEN LEAVE one_by_one; END IF;
    KILL CONNECTION victim;
    SET ended = ended + 1;
  END WHILE;
  SELECT ended;
END
""".split()  # noqa: S608 -- our own figures
)

ROUTINE = (
    'SELECT definer, security_type, sql_mode, param_list AS parameters, body_utf8 AS body FROM mysql.proc '  # noqa: S608 -- our own names
    f"WHERE db = '{SCHEMA}' AND name = '{NAME}' AND type = 'PROCEDURE';"
)
EXECUTORS = (
    'SELECT User, Host FROM mysql.procs_priv '  # noqa: S608 -- our own names
    f"WHERE Db = '{SCHEMA}' AND Routine_name = '{NAME}' AND Routine_type = 'PROCEDURE' "
    "AND FIND_IN_SET('Execute', Proc_priv);"
)
RIGHTS = (
    "SELECT privilege_type AS privilege, JSON_VALUE(Priv, '$.account_locked') AS locked "  # noqa: S608 -- our own names
    'FROM information_schema.user_privileges JOIN mysql.global_priv '
    f"ON User = '{DEFINER.user}' AND Host = '{DEFINER.host}' "
    f"WHERE grantee = '''{DEFINER.user}''@''{DEFINER.host}''';"
)

_SQL_MODE = 'STRICT_TRANS_TABLES'


@dataclasses.dataclass(frozen=True)
class Observed:
    """What the server has of it."""

    routine: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """What it is made of; empty where there is none."""
    executors: frozenset[grants.Account] = frozenset()
    rights: frozenset[str] = frozenset()
    """Of the definer."""
    locked: bool = False


def observed(
    routine: Iterable[grants.Row], executors: Iterable[grants.Row], rights: Iterable[grants.Row]
) -> Observed:
    """Understand the answers to the queries of this module."""
    held = tuple(rights)
    return Observed(
        routine=next(iter(routine), dict[str, str]()),
        executors=frozenset(grants.Account(row['User'], row['Host']) for row in executors),
        rights=frozenset(row['privilege'] for row in held),
        locked=bool(held) and all(row['locked'] in ('1', 'true') for row in held),
    )


def plan(
    callers: Iterable[grants.Account],
    seen: Observed,
    accounts: Mapping[grants.Account, tuple[str, ...]],
) -> Iterator[grants.Statement]:
    """Statements that let *callers* call it; none when they can. *accounts* are those that the server has."""
    yield from _definer(seen, accounts)
    if seen.routine != _WANTED:
        yield grants.Statement('make the procedure that ends idle sessions', _create())
    for account in (DEFINER, *sorted(callers)):
        if account not in seen.executors:
            yield grants.Statement(
                f'let {account.user}@{account.host} end idle sessions of its own user name',
                f'GRANT EXECUTE ON PROCEDURE {SCHEMA}.{NAME} TO {grants.written(account)};',
            )


def _definer(
    seen: Observed, accounts: Mapping[grants.Account, tuple[str, ...]]
) -> Iterator[grants.Statement]:
    who = grants.written(DEFINER)
    if accounts.get(DEFINER) != (_NO_LOGIN,) or not seen.locked:
        verb = 'ALTER USER IF EXISTS' if DEFINER in accounts else 'CREATE USER IF NOT EXISTS'
        yield grants.Statement(
            'make the account that ends idle sessions, without a way in',
            f"{verb} {who} IDENTIFIED VIA {grants.NATIVE} USING '{_NO_LOGIN}' ACCOUNT LOCK;",
        )
    if extra := seen.rights - _RIGHTS - {'USAGE'}:
        yield grants.Statement(
            'take back what that account need not be able to do',
            f'REVOKE {", ".join(sorted(extra))} ON *.* FROM {who};',
        )
    if not seen.rights >= _RIGHTS:
        yield grants.Statement(
            'let that account see and end sessions',
            f'GRANT {", ".join(sorted(_RIGHTS))} ON *.* TO {who};',
        )


_WANTED = {
    'definer': f'{DEFINER.user}@{DEFINER.host}',
    'security_type': 'DEFINER',
    'sql_mode': _SQL_MODE,
    'parameters': _PARAMETERS,
    'body': _BODY,
}


def _create() -> str:
    # In one statement, which needs no other delimiter: the client reads what is in quotes as it is.
    make = (
        f'CREATE OR REPLACE DEFINER={grants.written(DEFINER)} PROCEDURE {SCHEMA}.{NAME}({_PARAMETERS}) '
        f'MODIFIES SQL DATA SQL SECURITY DEFINER {_BODY}'
    )
    return f"SET SESSION sql_mode = '{_SQL_MODE}'; EXECUTE IMMEDIATE {grants.quoted(make)};"
