"""Backups, with a client that behaves as badly as it likes."""

from __future__ import annotations

import datetime
import gzip
import pathlib

import backups
import binary_log_node
import pytest
import server
from charmkit import apply
from charmkit.machine import Finished
from charmkit.testing import FakeMachine

MACHINE = apply.LocalMachine('mysql')
"""The programs are this machine's own."""
BIG = b'SELECT 1;\n' * 400_000 + b'-- Dump completed on 2026-11-22\n'


@pytest.fixture(autouse=True)
def nobody_connected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(binary_log_node, 'is_on', lambda _: False)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(server, 'disconnect_clients', lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]


@pytest.fixture
def dump(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / 'x.sql.gz'
    path.write_bytes(gzip.compress(BIG, 1))
    return path


def client(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(server, 'CLIENT', ('sh', '-c', script))


def test_a_client_that_stops_reading_has_the_last_word(
    dump: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    client(monkeypatch, 'head -c 10 > /dev/null; echo "syntax error near SELEC" >&2; exit 1')
    with pytest.raises(backups.BackupError, match=r'in part \(syntax error near SELEC\)'):
        backups.restore(MACHINE, dump, lambda _: None)


def test_the_client_gets_every_byte(
    dump: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
):
    client(monkeypatch, f'cat > {tmp_path}/got')
    backups.restore(MACHINE, dump, lambda _: None)
    assert (tmp_path / 'got').read_bytes() == BIG


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (gzip.compress(BIG)[:2000], 'is damaged'),
        (gzip.compress(BIG)[:-4], 'is damaged'),
        (b'not a dump', 'is damaged'),
        (gzip.compress(b'DROP DATABASE nova;'), 'does not end as a dump does'),
        (b'', 'does not end as a dump does'),
    ],
    ids=['cut short', 'without its checksum', 'no archive', 'without the last line', 'empty'],
)
def test_what_is_no_whole_dump_never_reaches_the_server(
    dump: pathlib.Path, monkeypatch: pytest.MonkeyPatch, content: bytes, reason: str
):
    client(monkeypatch, f'touch {dump.parent}/reached')
    dump.write_bytes(content)
    with pytest.raises(backups.BackupError, match=f'{reason}.*nothing was changed'):
        backups.restore(MACHINE, dump, lambda _: None)
    assert not (dump.parent / 'reached').exists()


def test_only_whole_backups_are_listed(dump: pathlib.Path):
    (dump.parent / '.y.sql.gz.partial').write_bytes(b'')
    (line,) = backups.found(dump.parent)
    assert line.startswith('x.sql.gz ')


def test_a_backup_is_made_and_restored_by_nothing_but_the_seam(tmp_path: pathlib.Path):
    got: list[str] = []

    def shell(argv: tuple[str, ...], stdin: str) -> Finished:
        if argv[0] == 'mariadb-dump':
            return Finished(0, BIG.decode())
        got.append(stdin)
        return Finished(0, 'name\nnova\n' if 'schemata' in stdin else '')

    machine = FakeMachine(shell=shell)
    at = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)
    made = backups.make(machine, tmp_path, at, machine.progress)
    assert made.databases == ('nova',)
    assert gzip.decompress(made.path.read_bytes()) == BIG
    backups.restore(machine, made.path, machine.progress)
    assert got[-1] == BIG.decode()
    assert machine.shown == [f'dumping 1 databases to {made.path}', f'restoring {made.path}']


def test_a_dump_that_fails_leaves_no_file_and_says_why(tmp_path: pathlib.Path):
    def shell(argv: tuple[str, ...], _: str) -> Finished:
        if argv[0] == 'mariadb-dump':
            return Finished(2, 'Got error: 1049: Unknown database')
        return Finished(0, 'name\nnova\n')

    at = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)
    with pytest.raises(backups.BackupError, match='Unknown database'):
        backups.make(FakeMachine(shell=shell), tmp_path, at, lambda _: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('on', [True, False])
def test_a_restore_is_not_logged_where_there_is_a_log(
    dump: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, on: bool
):
    """It would be as large as the dump. In a cluster it is what the other members hear of it by."""
    monkeypatch.setattr(binary_log_node, 'is_on', lambda _: on)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    client(monkeypatch, f'cat > /dev/null; echo "$@" > {tmp_path}/said')
    monkeypatch.setattr(server, 'CLIENT', (*server.CLIENT, 'sh'))
    backups.restore(MACHINE, dump, lambda _: None)
    assert ('sql_log_bin=0' in (tmp_path / 'said').read_text()) == on
