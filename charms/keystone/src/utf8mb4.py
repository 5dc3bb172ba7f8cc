"""Runs on the unit, after each migration of keystone's schema: lets names and descriptions hold any character.

Keystone's migrations make their tables in `utf8`. Where that is utf8mb3, which knows no character beyond U+FFFF, a
project called by an emoji is an internal server error; where it is utf8mb4, its usual collation takes all emoji for
one, and two projects that differ in one are a conflict. Columns that people write in, and that no foreign key joins,
are made utf8mb4 with a collation that tells them apart; all others stay as later migrations expect them. What is done
already is left alone, so it may run at any time.
"""

# pyright: basic, reportMissingImports=false
# It runs on the unit's own Python, with what keystone's package brings.
from __future__ import annotations

import sys

import sqlalchemy
from oslo_config import cfg
from oslo_db import options

COLLATION = 'utf8mb4_unicode_520_ci'
"""It tells emoji apart; the usual utf8mb4_general_ci takes all of them for one character."""
PATIENCE_S = 5
"""How long a table may be in use elsewhere."""
WRITTEN_IN = ('name', 'description', 'extra', 'display_name')

_COLUMNS = """
SELECT c.table_name, c.column_name, c.column_type, c.is_nullable
FROM information_schema.columns AS c
JOIN information_schema.tables AS t USING (table_schema, table_name)
WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'
  AND (c.character_set_name IN ('utf8', 'utf8mb3') OR c.collation_name = 'utf8mb4_general_ci')
  AND c.column_name IN :names
  AND (c.column_default IS NULL OR c.column_default = 'NULL')
  AND NOT EXISTS (
    SELECT 1 FROM information_schema.key_column_usage AS k
    WHERE k.table_schema = c.table_schema AND k.referenced_table_name IS NOT NULL
      AND ((k.table_name = c.table_name AND k.column_name = c.column_name)
        OR (k.referenced_table_name = c.table_name AND k.referenced_column_name = c.column_name)))
ORDER BY c.table_name, c.column_name
"""


def main() -> int:
    """Do it, by the database that keystone.conf names."""
    conf = cfg.ConfigOpts()
    options.set_defaults(conf)
    conf([], project='keystone')
    engine = sqlalchemy.create_engine(conf.database.connection)
    if engine.dialect.name != 'mysql':
        return 0
    with engine.begin() as db:
        wanted = sqlalchemy.text(_COLUMNS).bindparams(
            sqlalchemy.bindparam('names', value=WRITTEN_IN, expanding=True)
        )
        tables: dict[str, list[str]] = {}
        for table, column, kind, nullable in db.execute(wanted):
            null = 'NULL' if nullable == 'YES' else 'NOT NULL'
            change = f'MODIFY `{column}` {kind} CHARACTER SET utf8mb4 COLLATE {COLLATION} {null}'
            tables.setdefault(table, []).append(change)
        # Whoever waits for a table makes all others wait behind it: units may be serving.
        db.execute(sqlalchemy.text(f'SET SESSION lock_wait_timeout = {PATIENCE_S}'))
        for table, changes in tables.items():
            try:
                db.execute(sqlalchemy.text(f'ALTER TABLE `{table}` {", ".join(changes)}'))
                print(f'{table}: {len(changes)} columns in utf8mb4')
            except sqlalchemy.exc.OperationalError as e:
                print(f'{table}: left for the next migration: {e.orig}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
