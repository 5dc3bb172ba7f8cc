"""Whether the data in a database is what it was: a mark that lies in the data itself. Pure.

A client has to know when its database was restored, dropped, or came from somewhere else: what it remembers of it
(bootstrapped, migrated, cached) is of no use then. So the comment of each database holds a *generation*, a random
name, and beside it the number of its newest table and how many it has. InnoDB gives every table that is made a number
that it never used before, so after a restore, by this charm or by hand, whole or table by table, most of the tables
that were marked are gone, and the database gets a new generation. One that has lost a few of them keeps it: a
migration, or ``OPTIMIZE TABLE``, makes a table anew. A database without a mark gets a new one: it was made anew, or
comes from another server. A data directory that was put back from a copy of its own keeps its marks: that cannot be
seen in it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

TABLES = (
    "SELECT REPLACE(SUBSTRING_INDEX(name, '/', 1), '@002d', '-') AS name, GROUP_CONCAT(table_id) AS ids "
    "FROM information_schema.innodb_sys_tables WHERE name LIKE '%/%' GROUP BY 1;"
)

_MARK = re.compile(r' ?generation ([0-9a-f]{16})(?: ([0-9]{1,20}) ([0-9]{1,9}))?$')
_MOST_COMMENT = 1024

Row = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Known:
    """What one member of a cluster remembers of a database that bore a mark."""

    generation: str = ''
    newest: int = 0
    count: int = 0

    def keeps(self, tables: frozenset[int]) -> bool:
        """Whether most of what there was is there."""
        return sum(number <= self.newest for number in tables) * 2 >= self.count


@dataclasses.dataclass(frozen=True)
class Database:
    """A database that there is."""

    characters: str = 'utf8mb4'
    """Its default character set."""
    comment: str = ''
    tables: frozenset[int] = frozenset()
    """The numbers of its tables."""
    known: Known | None = None
    """What this server had when it bore its mark, in a cluster: each member numbers tables for itself."""

    @property
    def generation(self) -> str:
        """The generation of what is in it; '' when its mark is not of what is in it."""
        marked = _MARK.search(self.comment)
        if marked is None:
            return ''
        if self.known:
            if self.known.generation == marked[1] and not self.known.keeps(self.tables):
                return ''
        elif marked[2]:
            kept = sum(number <= int(marked[2]) for number in self.tables)
            if kept * 2 < int(marked[3]):
                return ''
        return marked[1]


def databases(
    rows: Iterable[Row], tables: Iterable[Row], known: Mapping[str, Known] | None = None
) -> dict[str, Database]:
    """By name, from the answers to :data:`grants.DATABASES` and :data:`TABLES`.

    *known* is what this member of a cluster remembers; a mark of which it remembers nothing is believed.
    """
    numbers = {row['name']: frozenset(map(int, row['ids'].split(','))) for row in tables}
    return {
        row['name']: Database(
            row.get('characters', 'utf8mb4'),
            row.get('comment', ''),
            numbers.get(row['name'], frozenset()),
            known.get(row['name'], Known()) if known is not None else None,
        )
        for row in rows
    }


def remembered(seen: Mapping[str, Database]) -> dict[str, Known]:
    """What a member of a cluster is to know of the databases that bear a mark."""
    return {
        name: Known(d.generation, max(d.tables, default=0), len(d.tables))
        for name, d in seen.items()
        if d.generation
    }


def marks(
    names: Iterable[str],
    seen: Mapping[str, Database],
    fresh: Callable[[str], str],
    *,
    emptied: bool = False,
) -> Iterator[tuple[str, str]]:
    """The comments to set, by name of the database, so that each of *names* in *seen* bears its mark.

    *fresh* gives a new generation for a database: 16 hex digits. After a restore (*emptied*) a mark
    without a table may be as old as the backup.
    """
    for name in sorted({*names} & seen.keys()):
        database = seen[name]
        theirs = _MARK.sub('', database.comment)
        old = emptied and not _marked_with_tables(database)
        generation = ('' if old else database.generation) or fresh(name)
        mark = f'generation {generation}'
        if database.tables:
            mark += f' {max(database.tables)} {len(database.tables)}'
        comment = f'{theirs[: _MOST_COMMENT - len(mark) - 1]} {mark}'.strip()
        if comment != database.comment:
            yield name, comment


def _marked_with_tables(database: Database) -> bool:
    marked = _MARK.search(database.comment)
    return marked is not None and bool(marked[2])
