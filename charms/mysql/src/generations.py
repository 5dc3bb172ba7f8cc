"""Whether the data in a database is what it was: a mark that lies in the data itself. Pure.

A client has to know when its database was restored, dropped, or came from somewhere else: what it remembers of it
(bootstrapped, migrated, cached) is of no use then. So the comment of each database holds a *generation*, a random
name, and beside it the number of the oldest table. InnoDB gives every table that is made a number that it never used
before; so after a restore, by this charm or by hand, whole or table by table, the oldest table is another one, and the
database gets a new generation. So does one without a mark: it was made anew, or comes from another server.
What rebuilds the oldest table (``OPTIMIZE TABLE``) gives a new generation too; that is told for nothing, and does no
harm. A data directory that was put back from a copy of its own keeps its marks: that cannot be seen in it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

TABLES = (
    "SELECT REPLACE(SUBSTRING_INDEX(name, '/', 1), '@002d', '-') AS name, MIN(table_id) AS oldest "
    "FROM information_schema.innodb_sys_tables WHERE name LIKE '%/%' GROUP BY 1;"
)

_MARK = re.compile(r' ?generation ([0-9a-f]{16})(?: ([0-9]{1,20}))?$')
_MOST_COMMENT = 1024

Row = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Database:
    """A database that there is."""

    characters: str = 'utf8mb4'
    """Its default character set."""
    comment: str = ''
    oldest: str = ''
    """The number of its oldest table; '' while it has none."""

    @property
    def generation(self) -> str:
        """The generation of what is in it; '' when its mark is not of what is in it."""
        marked = _MARK.search(self.comment)
        if marked is None or (marked[2] and marked[2] != self.oldest):
            return ''
        return marked[1]


def databases(rows: Iterable[Row], tables: Iterable[Row]) -> dict[str, Database]:
    """By name, from the answers to :data:`grants.DATABASES` and :data:`TABLES`."""
    oldest = {row['name']: row['oldest'] for row in tables}
    return {
        row['name']: Database(
            row.get('characters', 'utf8mb4'), row.get('comment', ''), oldest.get(row['name'], '')
        )
        for row in rows
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
        old = emptied and not _oldest_marked(database)
        generation = ('' if old else database.generation) or fresh(name)
        mark = ' '.join(filter(None, ('generation', generation, database.oldest)))
        comment = f'{theirs[: _MOST_COMMENT - len(mark) - 1]} {mark}'.strip()
        if comment != database.comment:
            yield name, comment


def _oldest_marked(database: Database) -> str | None:
    marked = _MARK.search(database.comment)
    return marked[2] if marked else None
