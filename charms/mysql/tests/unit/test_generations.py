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


def test_a_new_database_is_marked_and_its_first_table_is_noted():
    empty = marked(generations.Database())
    assert empty.generation == NEW
    filled = dataclasses.replace(empty, oldest='57')
    assert filled.generation == NEW
    assert marked(filled).comment == f'generation {NEW} 57'


@pytest.mark.parametrize(
    ('comment', 'oldest', 'generation'),
    [
        (f'generation {OLD} 57', '57', OLD),
        (f'generation {OLD}', '57', OLD),
        (f'theirs generation {OLD} 57', '57', OLD),
        (f'generation {OLD} 57', '58', NEW),
        (f'generation {OLD} 57', '', NEW),
        ('', '57', NEW),
        ('theirs', '57', NEW),
        (f'generation {OLD.upper()[:15]}G 57', '57', NEW),
        (f'generation {OLD} 57 and more', '57', NEW),
    ],
)
def test_a_mark_is_of_what_is_in_the_database_or_a_new_one_is_made(
    comment: str, oldest: str, generation: str
):
    assert marked(generations.Database('utf8mb4', comment, oldest)).generation == generation


def test_after_a_restore_a_mark_without_a_table_may_be_old():
    seen = generations.Database('utf8mb4', f'generation {OLD}', '57')
    assert marked(seen).generation == OLD
    assert marked(seen, emptied=True).generation == NEW
    sure = generations.Database('utf8mb4', f'generation {OLD} 57', '57')
    assert marked(sure, emptied=True).generation == OLD


@given(st.text(max_size=1024), st.sampled_from(['', '57']))
def test_one_pass_is_enough_and_what_stood_there_stays(comment: str, oldest: str):
    once = marked(generations.Database('utf8mb4', comment, oldest))
    assert once.generation
    assert len(once.comment) <= 1024
    assert marked(once) == once
    assert once.comment.startswith(comment.strip()[:900]) or 'generation' in comment


def test_databases_that_nobody_asked_for_bear_no_mark():
    assert list(generations.marks(['a'], {'b': generations.Database()}, lambda _: NEW)) == []
