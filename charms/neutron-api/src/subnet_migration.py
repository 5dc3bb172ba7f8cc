"""Runs on the unit around neutron's migrations: the column `subnets.in_use` stays until no older server is left.

From 2023.2 on neutron drops it in its *expand* (revision 93f394357a27), and servers of older releases, which still
serve then, answer 500 to whatever has to do with a subnet. So it is put back in the moment when it is gone, with a
default that servers of the newer release leave alone, and dropped for good before the *contract*. That it is to be kept
is written into the database itself before anything is changed: whoever is killed in between, the next run knows it.
Where the installed neutron has no such revision, this only runs the migration.
"""

# pyright: basic, reportMissingImports=false
# It runs on the unit's own Python, with what neutron's package brings.
from __future__ import annotations

import contextlib
import importlib.util
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

REVISION = '93f394357a27'
PATIENCE_S = 10
"""How long a change of the table waits for those who use it; meanwhile all others wait behind it."""
_LOOK_S = 0.05
_KEPT = 'charm_keeps_in_use'
"""A table that says it by being there."""
_HAS = """
SELECT COUNT(*) FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'subnets' AND column_name = 'in_use'
"""
_IS_KEPT = f"""
SELECT COUNT(*) FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name = '{_KEPT}'
"""  # noqa: S608 -- our own name
_KEEP = f'CREATE TABLE IF NOT EXISTS {_KEPT} (nothing INTEGER)'
_ADD = 'ALTER TABLE subnets ADD COLUMN in_use TINYINT(1) NOT NULL DEFAULT 0'
_DROP = 'ALTER TABLE subnets DROP COLUMN in_use'
_FORGET = f'DROP TABLE IF EXISTS {_KEPT}'


def before(kind: str, *, has: bool, kept: bool) -> tuple[str, ...]:
    """Statements before a migration of *kind*, where the column is there or not, and was to be kept or not."""
    if kind == 'contract':
        return (*([_DROP] if has and kept else []), *([_FORGET] if kept else []))
    return (_KEEP,) if has and not kept else ()


def meanwhile(*, has: bool, kept: bool) -> tuple[str, ...]:
    """Statements while an expansion runs, and when it has ended."""
    return (_ADD,) if kept and not has else ()


def main(kind: str, argv: Sequence[str]) -> int:
    """Run *argv*, a migration of *kind* (``expand`` or ``contract``); its exit status."""
    if not _drops():
        return _ended(argv)
    import sqlalchemy

    with _sessions() as say:
        for statement in before(kind, has=_count(say, _HAS), kept=_count(say, _IS_KEPT)):
            say(statement)
        if kind == 'contract':
            return _ended(argv)
        try:
            child = subprocess.Popen(argv)
        except OSError as e:
            return _missing(argv, e)
        kept = _count(say, _IS_KEPT)
        while True:
            over = child.poll() is not None
            with contextlib.suppress(*(() if over else (sqlalchemy.exc.OperationalError,))):
                for statement in meanwhile(has=_count(say, _HAS), kept=kept):
                    say(statement)
                    print('subnets.in_use is there again, for servers of the older release')
            if over:
                return child.returncode
            time.sleep(_LOOK_S)


def _ended(argv: Sequence[str]) -> int:
    try:
        return subprocess.run(argv, check=False).returncode
    except OSError as e:
        return _missing(argv, e)


def _missing(argv: Sequence[str], error: OSError) -> int:
    print(f'{argv[0]}: {error.strerror}', file=sys.stderr)
    return 127


def _drops() -> bool:
    """Whether the installed neutron has the revision that drops the column."""
    found = importlib.util.find_spec('neutron')
    places = found.submodule_search_locations or [] if found else []
    versions = 'db/migration/alembic_migrations/versions'
    return any(
        True for place in places for _ in pathlib.Path(place, versions).rglob(f'{REVISION}_*.py')
    )


def _count(say: Any, sql: str) -> bool:
    return bool(say(sql).scalar())


@contextlib.contextmanager
def _sessions() -> Iterator[Any]:
    """What carries out a statement, each a transaction of its own, at the database that neutron.conf names."""
    import sqlalchemy
    from oslo_config import cfg
    from oslo_db import options

    conf = cfg.ConfigOpts()
    options.set_defaults(conf)
    conf([], project='neutron')
    engine = sqlalchemy.create_engine(conf.database.connection, pool_pre_ping=True)
    with engine.connect() as first:
        first.execute(sqlalchemy.text('SELECT 1'))
    patience = sqlalchemy.text(f'SET SESSION lock_wait_timeout = {PATIENCE_S}')

    def say(sql: str) -> Any:
        with engine.connect() as db:
            db = db.execution_options(isolation_level='AUTOCOMMIT')
            db.execute(patience)
            result = db.execute(sqlalchemy.text(sql))
            return result.freeze()() if result.returns_rows else result

    yield say


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2:]))
