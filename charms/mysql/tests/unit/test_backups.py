"""Backups, with a client that behaves as badly as it likes."""

from __future__ import annotations

import gzip
import pathlib

import backups
import pytest
import server
from charmkit.testing import FakeMachine

MACHINE = FakeMachine()
BIG = b'SELECT 1;\n' * 400_000 + b'-- Dump completed on 2026-11-22\n'


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
