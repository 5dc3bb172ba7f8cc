"""Marks of databases: when they stay, and when they are new."""

from __future__ import annotations

import dataclasses

import generations
import pytest
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = '0' * 16, 'f' * 16


def marked(seen: generations.Database, *, emptied: bool = False) -> generations.Database:
    """*seen* once its mark was set."""
    marks = dict(generations.marks(['d'], {'d': seen}, lambda _: NEW, emptied=emptied))
    return dataclasses.replace(seen, comment=marks.get('d', seen.comment))


def with_tables(comment: str, *numbers: int) -> generations.Database:
    return generations.Database('utf8mb4', comment, frozenset(numbers))


def test_a_new_database_is_marked_and_its_tables_are_noted():
    empty = marked(generations.Database())
    assert empty.generation == NEW
    filled = dataclasses.replace(empty, tables=frozenset({57, 60}))
    assert filled.generation == NEW
    assert marked(filled).comment == f'generation {NEW} 60 2'


@pytest.mark.parametrize(
    ('comment', 'tables', 'generation'),
    [
        (f'generation {OLD} 59 3', (57, 58, 59), OLD),
        (f'generation {OLD}', (57,), OLD),
        (f'theirs generation {OLD} 57 1', (57,), OLD),
        # More tables came; one was made anew; one was dropped.
        (f'generation {OLD} 59 3', (57, 58, 59, 70, 71, 72, 73), OLD),
        (f'generation {OLD} 59 3', (58, 59, 70), OLD),
        (f'generation {OLD} 59 3', (57, 58), OLD),
        (f'generation {OLD} 60 4', (59, 60, 70, 71), OLD),
        # Restored: whole; with tables left that the backup did not have.
        (f'generation {OLD} 59 3', (70, 71, 72), NEW),
        (f'generation {OLD} 59 3', (59, 70, 71), NEW),
        (f'generation {OLD} 61 5', (60, 61, 70, 71, 72), NEW),
        (f'generation {OLD} 57 1', (), NEW),
        ('', (57,), NEW),
        ('theirs', (57,), NEW),
        (f'generation {OLD.upper()[:15]}G 57 1', (57,), NEW),
        (f'generation {OLD} 57 1 and more', (57,), NEW),
        (f'generation {OLD} 57', (57,), NEW),
    ],
)
def test_a_mark_is_of_what_is_in_the_database_or_a_new_one_is_made(
    comment: str, tables: tuple[int, ...], generation: str
):
    assert marked(with_tables(comment, *tables)).generation == generation


def test_tables_made_anew_one_after_the_other_keep_the_generation():
    """Each time the mark was set in between: a cloud that is upgraded for years."""
    seen = with_tables(f'generation {OLD} 59 3', 57, 58, 59)
    for number in range(60, 70):
        tables = sorted(seen.tables)[1:]
        seen = marked(dataclasses.replace(seen, tables=frozenset({*tables, number})))
        assert seen.generation == OLD


def test_after_a_restore_a_mark_without_a_table_may_be_old():
    seen = with_tables(f'generation {OLD}', 57)
    assert marked(seen).generation == OLD
    assert marked(seen, emptied=True).generation == NEW
    sure = with_tables(f'generation {OLD} 57 1', 57)
    assert marked(sure, emptied=True).generation == OLD


@given(st.text(max_size=1024), st.frozensets(st.integers(1, 10**9), max_size=5))
def test_one_pass_is_enough_and_what_stood_there_stays(comment: str, tables: frozenset[int]):
    once = marked(generations.Database('utf8mb4', comment, tables))
    assert once.generation
    assert len(once.comment) <= 1024
    assert marked(once) == once
    assert once.comment.startswith(comment.strip()[:900]) or 'generation' in comment


def test_databases_that_nobody_asked_for_bear_no_mark():
    assert list(generations.marks(['a'], {'b': generations.Database()}, lambda _: NEW)) == []


def test_what_the_server_says_of_its_databases_is_read_whole():
    rows = [
        {'name': 'd', 'characters': 'utf8mb3', 'comment': f'generation {OLD} 9 2'},
        {'name': 'e'},
    ]
    known = {'d': generations.Known(OLD, 9, 2)}
    tables = [{'name': 'd', 'ids': '7,9'}]
    assert generations.databases(rows, tables) == {
        'd': generations.Database('utf8mb3', f'generation {OLD} 9 2', frozenset({7, 9})),
        'e': generations.Database('utf8mb4', '', frozenset()),
    }
    remembered = generations.databases(rows, tables, known)
    assert [remembered[name].known for name in 'de'] == [known['d'], generations.Known()]
