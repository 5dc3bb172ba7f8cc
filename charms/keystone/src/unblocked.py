"""Runs on the unit: a migration of keystone's, and out of its way what keystone itself leaves open.

    python3 unblocked.py keystone-manage db_sync --expand

Each of keystone's workers leaves a transaction open that has read `service_provider` (Launchpad bug 2152932; not
mended in 2025.1). An ALTER of that table waits for all of them, and every token waits behind the ALTER. So while a
statement of the schema waits in keystone's database, sessions of keystone's own account that have done nothing for a
while are ended, which needs no privilege. Keystone tries each pooled connection before it uses it, and opens another:
no request is lost. It ends with the migration's exit status; what waits for other accounts gives up by itself, by the
patience that the migration was given.
"""

# pyright: basic, reportMissingImports=false
# It runs on the unit's own Python, with what keystone's package brings.
from __future__ import annotations

import subprocess
import sys

import sqlalchemy
from oslo_config import cfg
from oslo_db import options

IDLE_MS = 3000
"""A session that has done nothing for so long is not in the middle of a request: those pause for a password's hash."""
_LOOK_S = 0.5

_IN_THE_WAY = """
SELECT id FROM information_schema.processlist
WHERE db = DATABASE() AND command = 'Sleep' AND time_ms >= :idle
  AND EXISTS (
    SELECT 1 FROM information_schema.processlist AS waiting
    WHERE waiting.db = DATABASE() AND waiting.state = 'Waiting for table metadata lock'
      AND waiting.info REGEXP '^[[:space:]]*(ALTER|CREATE|DROP|RENAME|TRUNCATE)[[:space:]]')
"""


def main(argv: list[str]) -> int:
    """Run *argv*; its exit status."""
    with subprocess.Popen(argv) as migration:
        try:
            _clear_until_it_ends(migration)
        except sqlalchemy.exc.SQLAlchemyError as e:
            # The migration has its own words for a database that does not answer.
            print(f'sessions in the way are left alone: {e}', file=sys.stderr)
        return migration.wait()


def _clear_until_it_ends(migration: subprocess.Popen[bytes]) -> None:
    conf = cfg.ConfigOpts()
    options.set_defaults(conf)
    conf([], project='keystone')
    engine = sqlalchemy.create_engine(conf.database.connection, isolation_level='AUTOCOMMIT')
    if engine.dialect.name != 'mysql':
        return
    with engine.connect() as db:
        while True:
            try:
                migration.wait(_LOOK_S)
                return
            except subprocess.TimeoutExpired:
                _clear(db)


def _clear(db: sqlalchemy.engine.Connection) -> None:
    for session in db.execute(sqlalchemy.text(_IN_THE_WAY), {'idle': IDLE_MS}).scalars().all():
        try:
            db.execute(sqlalchemy.text(f'KILL CONNECTION {int(session)}'))
            print(f'ended an idle session of keystone: {session}')
        except sqlalchemy.exc.OperationalError:
            print(f'it has gone by itself: {session}')


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
