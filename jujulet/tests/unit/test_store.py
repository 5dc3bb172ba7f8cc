"""The store gives back what it was given, and never half of a change."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sqlite3
from collections.abc import Sequence

import pytest

from jujulet import codec
from jujulet.controller import store as store_
from jujulet.core import charm, model, requests

UNIT = model.Unit(
    name='a/0',
    application='a',
    machine='0',
    agent=model.Agent(
        hook=model.Hook('relation-changed', relation=3, remote_unit='b/0'),
        step='queued',
        relations={3: model.KnownRelation(created=True, members={'b/0': 2})},
        revisions_seen=frozenset({('secret', 1)}),
    ),
    ports=(model.Port('tcp', 80, 80),),
)
MODEL = model.Model(
    uuid='5a0c', name='t', created=12.5,
    applications={'a': model.Application('a', 'local:a-0', charm.Base('debian', '12'))},
    units={'a/0': UNIT},
    relations={
        3: model.Relation(3, (model.Endpoint('a', 'db', 'requirer', 'mysql'),)),
        20: model.Relation(20, (model.Endpoint('a', 'x', 'peer', 'y'),)),
    },
)  # fmt: skip


def reopened(path: pathlib.Path) -> list[model.Model]:
    store = store_.Store(path)
    try:
        return store.load()
    finally:
        store.close()


def test_a_model_survives_the_end_of_the_process(tmp_path: pathlib.Path):
    path = tmp_path / 'db'
    store = store_.Store(path)
    store.save(None, MODEL)
    # Not closed: the process was killed.
    assert reopened(path) == [MODEL]
    assert list(reopened(path)[0].relations) == [3, 20]
    store.close()


def test_only_what_changed_is_written(tmp_path: pathlib.Path):
    path = tmp_path / 'db'
    store = store_.Store(path)
    store.save(None, MODEL)
    changed = dataclasses.replace(MODEL, units={'a/0': dataclasses.replace(UNIT, life='dying')})
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        # A row that the change does not touch may be anything: it must not be written again.
        db.execute("UPDATE entity SET body = '{}' WHERE kind = 'applications'")
        db.execute("UPDATE entity SET key = 'other' WHERE kind = 'applications'")
    store.save(MODEL, changed)
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT key FROM entity WHERE kind = 'applications'").fetchall()
    assert rows == [('other',)]
    store.close()


def test_what_is_gone_from_the_model_is_gone_from_the_file(tmp_path: pathlib.Path):
    path = tmp_path / 'db'
    store = store_.Store(path)
    store.save(None, MODEL)
    smaller = dataclasses.replace(MODEL, units={}, relations=model.drop(MODEL.relations, 3))
    store.save(MODEL, smaller)
    assert reopened(path) == [smaller]
    store.save(smaller, None)
    assert reopened(path) == []
    store.close()


def test_a_change_that_fails_half_way_leaves_the_file_as_it_was(tmp_path: pathlib.Path):
    path = tmp_path / 'db'
    store = store_.Store(path)
    store.save(None, MODEL)
    changed = dataclasses.replace(MODEL, units={}, name='other')
    broken = store_.LogLine(0.0, 'unit-a-0', 'INFO', 'm', object())  # type: ignore[arg-type]
    with pytest.raises((sqlite3.Error, TypeError)):
        store.save(MODEL, changed, [broken])
    assert reopened(path) == [MODEL]
    store.close()


def test_a_file_of_a_newer_version_is_refused_with_what_to_do(tmp_path: pathlib.Path):
    path = tmp_path / 'db'
    store_.Store(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f'PRAGMA user_version = {store_.SCHEMA_VERSION + 1}')
    with pytest.raises(store_.NewerStore, match='upgrade jujulet'):
        store_.Store(path)


def test_the_file_is_private(tmp_path: pathlib.Path):
    store_.Store(tmp_path / 'db').close()
    assert (tmp_path / 'db').stat().st_mode & 0o077 == 0


def test_the_log_is_read_from_its_end_and_from_where_one_was(tmp_path: pathlib.Path):
    store = store_.Store(tmp_path / 'db')
    lines = [store_.LogLine(float(i), 'unit-a-0', 'INFO', 'm', str(i)) for i in range(5)]
    store.log('5a0c', lines)
    assert [x.message for x in store.log_lines('5a0c', limit=2)] == ['3', '4']
    last = store.log_lines('5a0c')[2]
    assert [x.message for x in store.log_lines('5a0c', after=last.id)] == ['3', '4']
    assert store.log_lines('other') == []
    store.close()


def test_requests_travel_as_json():
    wanted = requests.Deploy(charm='local:a-0', options={'n': 1, 'b': True}, to=('0', 'lxd:1'))
    assert codec.decode(requests.Deploy, codec.encode(wanted)) == wanted


def test_a_field_that_has_its_default_is_not_stored():
    assert codec.encode(model.Hook('install')) == {'kind': 'install'}


def test_a_field_of_a_later_version_is_an_error():
    with pytest.raises(codec.Unknown, match='Hook has no "later"'):
        codec.decode(model.Hook, {'kind': 'install', 'later': 1})


@pytest.mark.parametrize(
    ('kind', 'old', 'new'),
    [
        (model.Agent, {'leader_told': True}, model.Agent(leader_seen=True)),
        (model.Agent, {'leader_settings_told': 4}, model.Agent(leader_settings_seen=4)),
        (model.Agent, {'charm_told': 2}, model.Agent(charm_seen=2)),
        (model.Agent, {'secrets_told': {'s': 1}}, model.Agent(secrets_seen={'s': 1})),
        (
            model.Agent,
            {'revisions_told': [['s', 1]]},
            model.Agent(revisions_seen=frozenset({('s', 1)})),
        ),
        (
            model.SecretRevision,
            {'number': 1, 'content': {}, 'expiry_told': 3.5},
            model.SecretRevision(1, {}, expiry_seen=3.5),
        ),
    ],
)
def test_what_was_stored_under_a_fields_old_name_is_read(
    kind: type, old: dict[str, object], new: object
):
    assert codec.decode(kind, old) == new
    assert codec.decode(kind, codec.encode(new)) == new


def test_a_key_that_this_version_does_not_know_is_not_dropped_in_silence(tmp_path: pathlib.Path):
    path = tmp_path / 'db'
    store = store_.Store(path)
    store.save(None, MODEL)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "UPDATE entity SET body = json_set(body, '$.colour', 'red') WHERE kind = 'units'"
        )
    with pytest.raises(store_.Damaged, match=r'Unit has no "colour".*another version'):
        store.load()
    store.close()


@pytest.mark.parametrize('content', [b'no database', b'SQLite format 3\0' + b'x' * 5000])
def test_a_file_that_is_no_store_is_said_to_be_damaged(tmp_path: pathlib.Path, content: bytes):
    path = tmp_path / 'db'
    path.write_bytes(content)
    with pytest.raises(store_.Damaged, match='is damaged'):
        store_.Store(path)
    assert path.read_bytes() == content


def test_a_store_of_an_older_format_is_copied_and_becomes_the_next(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / 'db'
    store_.Store(path).close()
    monkeypatch.setattr(store_, 'SCHEMA_VERSION', 3)
    steps = {1: 'CREATE TABLE one (x);', 2: 'ALTER TABLE one ADD y;'}
    monkeypatch.setattr(store_, 'MIGRATIONS', steps)
    store_.Store(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute('PRAGMA user_version').fetchone() == (3,)
        assert [row[1] for row in db.execute('PRAGMA table_info(one)')] == ['x', 'y']
    with contextlib.closing(sqlite3.connect(tmp_path / 'db.version-1')) as db:
        assert db.execute('PRAGMA user_version').fetchone() == (1,)


def test_every_format_before_this_one_has_a_step_to_the_next():
    assert set(store_.MIGRATIONS) == set(range(1, store_.SCHEMA_VERSION))


def line(text: str) -> store_.LogLine:
    return store_.LogLine(1.0, 'unit-a-0', 'DEBUG', 'unit.a/0.install', text)


def test_a_log_keeps_its_newest_lines_within_a_bound(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store_, 'LOG_MOST', 1000)
    store = store_.Store(tmp_path / 'db')
    store.save(None, MODEL)
    store.log('other', [line('x' * 500)])
    kept: Sequence[store_.LogLine] = []
    for number in range(100):
        store.log(MODEL.uuid, [line(f'{number:03}' + 'x' * 97)])
        kept = store.log_lines(MODEL.uuid)
        assert sum(len(each.message) for each in kept) <= 1250
    assert kept[-1].message.startswith('099')
    assert len(kept) >= 10
    assert len(store.log_lines('other')) == 1
    store.close()
    again = store_.Store(tmp_path / 'db')  # What was there before counts.
    again.log(MODEL.uuid, [line('y' * 900)])
    assert sum(len(each.message) for each in again.log_lines(MODEL.uuid)) <= 1250
    again.close()
