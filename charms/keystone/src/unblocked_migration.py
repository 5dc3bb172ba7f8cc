"""Runs on the unit: a migration of keystone's, and out of its way what keystone itself leaves open.

    python3 unblocked.py keystone-manage db_sync --expand

Each of keystone's workers leaves a transaction open that has read `service_provider` (Launchpad bug 2152932; not
mended in 2025.1). An ALTER of that table waits for all of them, and every token waits behind the ALTER. Those of other
units belong to other accounts, which MariaDB neither shows nor lets end; so where the database has the procedure for
it (the mysql charm makes it), that is called again and again while the migration runs: as long as a DDL statement of
keystone waits for a table, it ends sessions of keystone's own user name, at any address, that have done nothing for
a while. Keystone tries each pooled connection before it uses it, and opens another: no request is lost.

It ends with the migration's exit status. What waits for anything else, or where there is no such procedure, gives up by
itself, by the patience that the migration was given.
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
_TIMEOUT_S = 10
_CALL = 'CALL mysql.charm_end_idle_sessions(:name, :idle)'


def main(argv: list[str]) -> int:
    """Run *argv*; its exit status."""
    refused = ''
    with subprocess.Popen(argv) as migration:
        try:
            _clear_until_it_ends(migration)
        except (sqlalchemy.exc.SQLAlchemyError, OSError) as e:
            # An older mysql charm, or somebody else's database: as good as it gets without.
            refused = str(getattr(e, 'orig', None) or e)
        status = migration.wait()
    if status and refused:
        # Last, where it is seen: of what a command has said the end is shown.
        print(
            f'What keystone left open was not ended, for the database refused to: {refused}. If the migration '
            'has waited for that, see "When an expansion waits" in the guide to upgrades.',
            flush=True,
        )
    return 128 - status if status < 0 else status


def _clear_until_it_ends(migration: subprocess.Popen[bytes]) -> None:
    conf = cfg.ConfigOpts()
    options.set_defaults(conf)
    conf([], project='keystone')
    url = sqlalchemy.engine.make_url(conf.database.connection)
    if url.get_backend_name() != 'mysql':
        return
    # Whatever becomes of the database, this must not outlive the migration by much.
    patience = {'connect_timeout': _TIMEOUT_S, 'read_timeout': _TIMEOUT_S}
    engine = sqlalchemy.create_engine(url, isolation_level='AUTOCOMMIT', connect_args=patience)
    name = url.database
    with engine.connect() as db:
        while True:
            ended = db.execute(sqlalchemy.text(_CALL), {'name': name, 'idle': IDLE_MS}).scalar()
            if ended:
                print(f'ended {ended} idle sessions of keystone that were in the way', flush=True)
            try:
                migration.wait(_LOOK_S)
                return
            except subprocess.TimeoutExpired:
                continue


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
