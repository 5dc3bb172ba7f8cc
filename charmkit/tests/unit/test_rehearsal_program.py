"""What holds the copy of a database: its network, its settings, and what is refused before there is one."""

from __future__ import annotations

import io
import json
import pathlib
import subprocess
from typing import Any

import pytest
from charmkit import rehearsal_program as program


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where the copy would be."""
    monkeypatch.setattr(program, 'FOLDER', tmp_path / 'rehearsal')
    (tmp_path / 'rehearsal').mkdir()
    return tmp_path / 'rehearsal'


def database(host: str = '10.0.0.9', **more: str) -> program.Database:
    return program.Database(name='demo', user='demo', host=host, password='p"w', **more)


def network(*databases: program.Database) -> list[str]:
    return list(program.Copy(databases, {}, 'demo')._network())  # pyright: ignore[reportPrivateUsage]


def test_the_databases_address_is_the_copys():
    assert network(database()) == ['ip link set lo up', 'ip address add 10.0.0.9/32 dev lo']
    assert network(database('[fd00::9]'), database('[fd00::9]'))[1:] == [
        'ip address add fd00::9/128 dev lo nodad'
    ]
    assert network(database('127.0.0.1')) == ['ip link set lo up']


def test_so_is_its_name(folder: pathlib.Path):
    assert network(database('db.example'))[1:] == [f'mount --bind {folder}/hosts /etc/hosts']
    assert (folder / 'hosts').read_text() == '127.0.0.1 localhost db.example\n'


def test_where_the_server_is_verified_the_copy_is():
    ca = '/etc/ssl/demo-shared-db.pem'
    assert network(database(ca_path=ca))[-1].endswith(f'/certificate.pem {ca}')


def test_what_the_server_has_set_is_set_in_the_copy():
    config = program.Copy([database()], {'sql_mode': 'ANSI', 'old_mode': ''}, 'demo')._config()  # pyright: ignore[reportPrivateUsage]
    assert '\nloose_sql_mode = ANSI\nloose_old_mode = \n' in config
    assert 'ssl_cert' not in config


def test_a_value_that_is_no_plain_word_is_left_out(monkeypatch: pytest.MonkeyPatch):
    rows = [
        ['sql_mode', 'ANSI,STRICT_TRANS_TABLES'],
        ['old_mode'],
        ['collation_server', 'x\n[evil]'],
    ]
    monkeypatch.setattr(program, '_ask', lambda *_: rows)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    found = program._settings(pathlib.Path('login'))  # pyright: ignore[reportPrivateUsage]
    assert found == {
        'sql_mode': 'ANSI,STRICT_TRANS_TABLES', 'old_mode': '', 'character_set_collations': '',
    }  # fmt: skip


def test_the_password_is_in_a_file_of_roots_own(folder: pathlib.Path):
    path = program._login(0, database(ca_path='/etc/ssl/ca.pem'))  # pyright: ignore[reportPrivateUsage]
    assert path.stat().st_mode & 0o777 == 0o600
    assert 'password = "p\\"w"\n' in path.read_text()
    assert '\nhost = 10.0.0.9\n' in path.read_text()
    assert 'ssl-ca = /etc/ssl/ca.pem\nssl-verify-server-cert\n' in path.read_text()


def test_an_address_in_brackets_is_one_that_the_client_knows():
    path = program._login(0, database('[fd00::9]'))  # pyright: ignore[reportPrivateUsage]
    assert '\nhost = fd00::9\n' in path.read_text()


def outcome(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: pathlib.Path
) -> dict[str, Any]:
    """What the program says of one database, and no steps."""
    folder.rmdir()
    fields = {
        'name': 'demo',
        'user': 'demo',
        'host': '10.0.0.9',
        'password': 'hush',
        'ca_path': '',
    }
    todo = {'user': 'demo', 'databases': [fields], 'steps': []}
    monkeypatch.setattr('sys.stdin', io.StringIO(json.dumps(todo)))
    assert program.main() == 0
    said = capsys.readouterr().out
    assert 'hush' not in said
    return json.loads(said.splitlines()[-1])


def answers(monkeypatch: pytest.MonkeyPatch, *version: str) -> None:
    """The real server is of that *version*, and its databases are large."""

    def ask(_login: pathlib.Path, sql: str) -> list[list[str]]:
        return [[*version]] if 'VERSION()' in sql else [['1e15']]

    monkeypatch.setattr(program, '_ask', ask)


def test_a_server_that_is_not_mariadb_is_told_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: pathlib.Path
):
    answers(monkeypatch, '8.0.36-0ubuntu0.22.04.1', '(Ubuntu)')
    assert outcome(monkeypatch, capsys, folder) == {
        'refused': 'the database is not on MariaDB but on 8.0.36-0ubuntu0.22.04.1 (Ubuntu), and the copy would be '
        'on MariaDB: leave the rehearsal out (`juju lifecycle skip APPLICATION.rehearse --reason WHY`)'
    }


def test_without_room_for_a_copy_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: pathlib.Path
):
    answers(monkeypatch, '11.8.3-MariaDB-0+deb13u1', 'Debian')
    said = outcome(monkeypatch, capsys, folder)['refused']
    assert said.startswith('the file system of /var/tmp has ')
    assert said.endswith(' MiB left, and a copy of demo needs 2861023973: make room')


def test_a_server_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: pathlib.Path
):
    def run(*argv: str, **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(argv, 1, '', "ERROR 2002 (HY000): Can't connect\n")

    monkeypatch.setattr(subprocess, 'run', run)
    said = outcome(monkeypatch, capsys, folder)
    assert said == {
        'refused': "the database does not answer: ERROR 2002 (HY000): Can't connect",
        'passes': True,
    }


def test_what_fails_is_the_last():
    statuses = iter((0, 9, 0))

    class Here(program.Copy):
        def run(self, step: program.Step, user: str) -> tuple[int, str]:
            return next(statuses), 'first\nlast p"w p%22w\n'

    def step(kind: str) -> program.Step:
        return program.Step(
            kind=kind, argv=('x', kind), environment={}, accepted=(0,), repeat_on=(1,), timeout_s=9
        )

    steps = [step('expand'), step('online'), step('contract')]
    done = list(program._run_each(Here([database()], {}, 'demo'), steps, 'demo'))  # pyright: ignore[reportPrivateUsage]
    assert [(one['kind'], one['status'], one['well'], one['said']) for one in done] == [
        ('expand', 0, True, ''),
        ('online', 9, False, 'first\nlast … …'),
    ]
