"""A store that is missing, damaged or from another time deletes nothing, and the way back is named."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import pathlib
import re
import sqlite3

import pytest

from jujulet import paths
from jujulet.cli import main as cli
from jujulet.controller import backups, engine, service, store, strangers
from jujulet.core import charm, consistency, model
from jujulet.machines import protocol, state_folders

UUID = '5a0c0000-0000-4000-8000-000000000001'
MODEL = model.Model(uuid=UUID, name='t', created=12.5)
DAY = 24 * 3600.0


def spec(machine: str) -> protocol.MachineSpec:
    return protocol.MachineSpec(
        model=UUID,
        model_name='t',
        id=machine,
        base=charm.Base('debian', '13'),
        hostname=f'juju-000001-{machine}',
        addresses=(model.Address('dmz', f'10.1.0.1{machine}'),),
        spaces={'dmz': model.Space('dmz', '10.1.0.0/24')},
    )


def stored(folder: pathlib.Path, *models: model.Model) -> None:
    opened = store.Store(paths.database(folder))
    for each in models:
        opened.save(None, each)
    opened.close()


def started(folder: pathlib.Path, what: service.Strangers = 'refuse') -> dict[str, model.Model]:
    """The models of a controller that has looked what is there."""
    opened = service.opened(folder)
    try:
        found = engine.Engine(opened, {})
        service.meet_strangers(folder, found, what)
        return {m.uuid: m for m in opened.load()}
    finally:
        opened.close()


@pytest.mark.parametrize('how', ['missing', 'empty', 'of another time'])
def test_machines_that_the_store_does_not_know_stop_the_controller(
    tmp_path: pathlib.Path, how: str
):
    state_folders.StateFolders(tmp_path).keep_spec(spec('0'))
    if how != 'missing':
        stored(tmp_path, *([MODEL] if how == 'of another time' else []))
    with pytest.raises(store.Unusable) as told:
        started(tmp_path)
    said = str(told.value)
    assert '1 machine (juju-000001-0) that is not in the store' in said
    assert '`jujulet recover --adopt`' in said
    assert '`jujulet recover --remove`' in said
    assert state_folders.StateFolders(tmp_path).known()


def test_a_store_that_knows_all_machines_starts(tmp_path: pathlib.Path):
    """The twin: what is refused above is refused for its strangers alone."""
    state_folders.StateFolders(tmp_path).keep_spec(spec('0'))
    known = model.Machine('0', charm.Base('debian', '13'))
    stored(tmp_path, model.Model(uuid=UUID, name='t', machines={'0': known}))
    assert started(tmp_path)[UUID].machines == {'0': known}


def test_adopted_machines_are_as_far_there_as_they_tell(tmp_path: pathlib.Path):
    for machine in ('0', '7'):
        state_folders.StateFolders(tmp_path).keep_spec(spec(machine))
    found = started(tmp_path, 'adopt')[UUID]
    assert found.name == 't'
    assert sorted(found.machines) == ['0', '7']
    machine = found.machines['7']
    assert (machine.hostname, str(machine.base)) == ('juju-000001-7', 'debian@13')
    assert machine.addresses == (model.Address('dmz', '10.1.0.17'),)
    assert found.spaces == {'dmz': model.Space('dmz', '10.1.0.0/24')}
    assert found.sequences == {'machine': 8}
    assert consistency.problems(found) == []


def test_a_machine_is_adopted_into_the_model_that_is_there(tmp_path: pathlib.Path):
    stored(tmp_path, MODEL)
    state_folders.StateFolders(tmp_path).keep_spec(spec('0'))
    assert started(tmp_path, 'adopt')[UUID].machines.keys() == {'0'}


def test_a_machine_of_an_older_version_tells_less_and_is_adopted_too(tmp_path: pathlib.Path):
    folder = state_folders.StateFolders(tmp_path).folder(UUID, '3')
    folder.mkdir(parents=True)
    (folder / 'machine.json').write_text(f'{{"model": "{UUID}", "machine": "3"}}')
    found = started(tmp_path, 'adopt')[UUID]
    assert (found.name, sorted(found.machines)) == ('adopted-5a0c00', ['3'])


def test_a_damaged_store_names_the_last_good_backup(tmp_path: pathlib.Path):
    stored(tmp_path, MODEL)
    kept = backups.make_own(tmp_path, 1e9)
    assert kept is not None
    (backups.folder(tmp_path) / 'later.db').write_text('damaged too')
    paths.database(tmp_path).write_text('no store')
    with pytest.raises(store.Unusable, match=f'is damaged .*`jujulet restore {kept}`'):
        service.opened(tmp_path)
    kept.unlink()
    with pytest.raises(store.Unusable, match='there is no backup'):
        service.opened(tmp_path)


def test_what_is_restored_is_what_was_and_what_was_there_is_kept(tmp_path: pathlib.Path):
    stored(tmp_path, MODEL)
    backups.make(tmp_path, tmp_path / 'copy')
    assert (tmp_path / 'copy').stat().st_mode & 0o777 == 0o600
    stored(tmp_path, model.Model(uuid='other', name='other'))
    old = backups.restore(tmp_path, tmp_path / 'copy', 0.0)
    assert old is not None
    assert backups.problem(old) == ''
    assert list(started(tmp_path)) == [UUID]


def test_a_copy_is_whole_though_the_controller_has_the_store_open(tmp_path: pathlib.Path):
    opened = store.Store(paths.database(tmp_path))
    opened.save(None, MODEL)  # In the write-ahead log alone.
    backups.make(tmp_path, tmp_path / 'copy')
    opened.close()
    assert backups.problem(tmp_path / 'copy') == ''
    copied = store.Store(tmp_path / 'copy')
    assert copied.load() == [MODEL]
    copied.close()


def test_own_copies_are_made_once_a_day_and_some_are_kept(tmp_path: pathlib.Path):
    stored(tmp_path, MODEL)
    own = backups.folder(tmp_path)
    own.mkdir()
    (own / 'mine.db').write_text('')
    os.utime(own / 'mine.db', (0, 0))
    for day in range(1, backups.KEPT + 4):
        made = backups.make_own(tmp_path, day * DAY * 2)
        assert made is not None
        os.utime(made, (day * DAY * 2, day * DAY * 2))
        assert backups.make_own(tmp_path, day * DAY * 2 + DAY / 2) is None
    assert len(backups.copies(tmp_path)) == backups.KEPT + 1
    assert (own / 'mine.db').exists()


def test_a_backup_named_in_the_refusal_is_one_that_is_whole(tmp_path: pathlib.Path):
    stored(tmp_path, MODEL)
    kept = backups.make_own(tmp_path, 1e9)
    paths.database(tmp_path).unlink()
    state_folders.StateFolders(tmp_path).keep_spec(spec('0'))
    found = strangers.find(tmp_path, ())
    assert f'`jujulet restore {kept}`' in str(strangers.refuse(tmp_path, found))


@pytest.mark.parametrize('kind', ['a link', 'a folder', 'no file'])
def test_a_store_that_is_no_file_of_its_own_is_refused_and_nothing_behind_it_is_touched(
    tmp_path: pathlib.Path, kind: str
):
    path, other = tmp_path / 'jujulet.db', tmp_path / 'other'
    other.write_text('of somebody else')
    other.chmod(0o644)
    if kind == 'a link':
        path.symlink_to(other)
    elif kind == 'a folder':
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(store.Unusable, match=f'is {kind}, .*jujulet restore'):
        store.Store(path)
    assert other.stat().st_mode & 0o777 == 0o644
    assert other.read_text() == 'of somebody else'


def test_a_disk_that_is_full_is_not_a_store_that_is_damaged(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    def full(_: store.Store, __: pathlib.Path) -> None:
        error = sqlite3.OperationalError('database or disk is full')
        error.sqlite_errorname = 'SQLITE_FULL'
        raise error

    monkeypatch.setattr(store.Store, '_open', full)
    assert re.search(r'cannot be written .*full', refusal(tmp_path / 'jujulet.db'))


def refusal(path: pathlib.Path) -> str:
    """What is said of a store that cannot be opened, though nothing is wrong with what is in it."""
    with pytest.raises(store.Unusable) as refused:
        store.Store(path)
    assert not isinstance(refused.value, store.Damaged)
    return str(refused.value)


def test_a_store_that_the_disk_does_not_let_be_opened_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    says = 'jujulet.db cannot be written (unable to open database file): see to that'
    assert says in refusal(tmp_path / 'not there' / 'jujulet.db')
    (tmp_path / 'file').write_text('')
    assert 'cannot be written (Not a directory)' in refusal(tmp_path / 'file' / 'jujulet.db')

    def read_only(path: pathlib.Path, _: int) -> None:
        raise OSError(errno.EROFS, 'Read-only file system', str(path))

    monkeypatch.setattr(pathlib.Path, 'chmod', read_only)
    assert 'cannot be written (Read-only file system)' in refusal(tmp_path / 'jujulet.db')


def test_a_store_that_another_program_has_locked_is_not_damaged(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, 'connect', functools.partial(connect, timeout=0.0))
    with contextlib.closing(connect(tmp_path / 'jujulet.db')) as other:
        other.execute('BEGIN EXCLUSIVE')
        assert 'cannot be written (database is locked)' in refusal(tmp_path / 'jujulet.db')


@pytest.mark.parametrize('how', ['no table', 'no JSON'])
def test_rows_that_cannot_be_read_are_damage(tmp_path: pathlib.Path, how: str):
    stored(tmp_path, MODEL)
    with contextlib.closing(sqlite3.connect(paths.database(tmp_path))) as other:
        other.execute('DROP TABLE entity' if how == 'no table' else "UPDATE entity SET body = '{'")
        other.commit()
    with pytest.raises(store.Unusable, match=r'(no such table|Expecting).*there is no backup'):
        service.opened(tmp_path)


def test_recover_says_of_a_damaged_store_what_the_controller_does(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv('JUJULET_DATA', str(tmp_path))
    paths.database(tmp_path).write_text('no store')
    assert cli.main(['recover']) == 1
    assert 'is damaged (file is not a database); there is no backup' in capsys.readouterr().err
