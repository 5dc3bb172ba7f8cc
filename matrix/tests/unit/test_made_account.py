# ruff: noqa: E501  # a table is read by its lines
"""An account that is made on a unit: what its scripts say and do, on which unit, and what is left of it."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import subprocess
from collections.abc import Mapping
from typing import Any

import driver
import linked
import pytest
from driver import MySQLError, Rows, Server

from matrix.history import journal, notes
from matrix.juju import link
from matrix.load import accounts, load, made_account, openloop, sql, sqlspec
from matrix.plans import snapshot

MADE = sqlspec.Sql(at=('{mysql}',), database='', account=sqlspec.Account('', '', 'mysql/leader'))


def _model(leader: int) -> snapshot.Model:
    units = [snapshot.Unit(f'mysql/{n}', leader=n == leader, address='127.0.0.1') for n in (0, 1)]
    return snapshot.Model((snapshot.Application('mysql', tuple(units)),))


@dataclasses.dataclass
class Machines(linked.Linked):
    """Units whose machines do what scripts say, or end each with its code of `codes`."""

    snapshot: snapshot.Model = dataclasses.field(default_factory=lambda: _model(1))
    codes: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    ran: list[tuple[str, str, dict[str, str]]] = dataclasses.field(default_factory=list[Any])

    async def script(
        self, target: str, text: str, *, env: Mapping[str, str] | None = None, within: float = 30
    ) -> link.ScriptResult:
        given = {**(env or {})}
        does = 'make' if 'CREATE' in text else 'remove'
        self.ran.append((target, does, given))
        said = f"ERROR 1064 near 'IDENTIFIED BY {given.get('PASSWORD')}'\n"
        code = self.codes.get(does, 0)
        return link.ScriptResult(code, said if code else '')


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    there = driver.installed(monkeypatch)

    def says(at: str, text: str, values: Any) -> tuple[Rows, int]:
        return (((5,),), 1) if 'COUNT' in text else ((), 1)

    there.says = says
    return there


def _used(what: sql.Sql) -> list[journal.What]:
    written: list[journal.What] = []

    async def go() -> None:
        async with openloop.clients(what, write=written.append, seed=1):
            pass

    asyncio.run(go())
    return written


def _left(written: list[journal.What]) -> list[str]:
    found = [one for one in written if isinstance(one, journal.Note)]
    assert {one.kind for one in found} <= {notes.LOAD_LEFT}
    return [str(each) for one in found for each in openloop.left_of(one.value)]


def test_it_is_made_on_the_leader_and_removed_there(server: Server) -> None:
    at = Machines()
    what = sql.Sql(MADE, at, 'run', patience=0.0)
    assert _used(what) == []
    (where, _, env), (there, does, _) = at.ran
    [password] = what.secrets
    assert (where, there, does) == ('mysql/1', 'mysql/1', 'remove')
    assert env['PASSWORD'] == password
    assert {(one['user'], one['db'], one['password']) for one in server.given} == {
        (env['DATABASE'], env['DATABASE'], password)
    }


def test_it_is_removed_where_it_was_made_whoever_leads_by_then(server: Server) -> None:
    at = Machines()

    async def go() -> None:
        what = sql.Sql(MADE, at, 'run', patience=0.0)
        await what.prepare()
        at.snapshot = _model(0)
        await what.close()

    asyncio.run(go())
    assert [where for where, _, _ in at.ran] == ['mysql/1', 'mysql/1']


def test_what_is_not_removed_is_named(server: Server) -> None:
    said = "matrix_run on mysql/1: ERROR 1064 near 'IDENTIFIED BY None'"
    written = _used(sql.Sql(MADE, Machines(codes={'remove': 1}), 'run', patience=0.0))
    assert _left(written) == [f'database {said}', f'user {said}']


def test_a_table_that_is_not_dropped_is_named(server: Server) -> None:
    says = server.says

    def lost(at: str, text: str, values: Any) -> tuple[Rows, int]:
        if text.startswith('DROP'):
            raise MySQLError(2013, 'Lost connection')
        return says(at, text, values)

    server.says = lost
    at = Machines(actions={'a': {'username': 'clerk', 'password': 'correct-horse'}})
    said = dataclasses.replace(
        MADE, database='shop', account=sqlspec.Account('', 'a', 'mysql/leader')
    )
    left = _left(_used(sql.Sql(said, at, 'run', patience=0.0)))
    assert left == ['table shop.matrix_run on 127.0.0.1:3306: 127.0.0.1:3306: Lost connection']


def test_a_load_that_breaks_as_it_ends_says_so() -> None:
    class Broken(sql.Sql):
        async def close(self) -> None:
            raise load.Refused('no')

        async def prepare(self) -> list[load.Kind]:
            return []

    left = _left(_used(Broken(MADE, Machines(), 'run')))
    assert left == ['what was made by the load on what it used: no']


def test_one_that_is_not_made_is_told_without_its_password(server: Server) -> None:
    at = Machines(codes={'make': 1})
    what = sql.Sql(MADE, at, 'run', patience=0.0)
    with pytest.raises(link.LinkError, match='mysql/1 makes no account: ERROR 1064') as told:
        asyncio.run(what.prepare())
    assert at.ran[0][2]['PASSWORD'] not in str(told.value)
    asyncio.run(what.close())
    assert [does for _, does, _ in at.ran] == ['make', 'remove'], 'what may have been made goes'


def test_where_nothing_was_made_nothing_is_removed(server: Server) -> None:
    at = Machines(codes={'make': 3})
    what = sql.Sql(MADE, at, 'run', patience=0.0)
    with pytest.raises(link.LinkError):
        asyncio.run(what.prepare())
    asyncio.run(what.close())
    assert [does for _, does, _ in at.ran] == ['make']
    assert not what.left


def test_a_unit_that_is_not_there_makes_none(server: Server) -> None:
    at = Machines(_model(7))
    with pytest.raises(link.LinkError, match='there is no unit mysql/leader'):
        asyncio.run(sql.Sql(MADE, at, 'run').prepare())


# What the scripts do, with a client that says what it is told to say.


@dataclasses.dataclass
class Shell(linked.Linked):
    """A machine that has what is in a folder, and nothing else, on its PATH."""

    snapshot: snapshot.Model = dataclasses.field(default_factory=lambda: _model(0))
    path: str = ''

    async def script(
        self, target: str, text: str, *, env: Mapping[str, str] | None = None, within: float = 30
    ) -> link.ScriptResult:
        argv = ('/bin/sh', '-s')
        there = {**(env or {}), 'PATH': self.path}
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, env=there, check=False, timeout=60
        )
        return link.ScriptResult(done.returncode, done.stdout + done.stderr)


def _shell(folder: pathlib.Path, client: str) -> Shell:
    path = folder / 'mysql'
    path.write_text(f'#!/bin/sh\n{client}\n')
    path.chmod(0o755)
    return Shell(path=f'{folder}:/bin:/usr/bin' if client else '/nowhere')


READS = 'read -r line; case "$line" in *read_only*) echo 0;; *) cat >&2; exit'


@pytest.mark.parametrize(
    ('client', 'said', 'raised'),
    [
        ('echo "ERROR 1045 (28000): Access denied" >&2; exit 1', 'ERROR 1045 (28000): Access denied', made_account.NothingMadeError),
        ('echo 1', 'it may not write: it follows another server', made_account.NothingMadeError),
        ('', 'it has neither mariadb nor mysql, the client that would make one', made_account.NothingMadeError),
        (f'{READS} 1;; esac', 'GRANT ALL PRIVILEGES ON d.* TO d;', accounts.AccountError),
    ],
)  # fmt: skip
def test_why_none_is_made_is_what_the_server_says(
    tmp_path: pathlib.Path, client: str, said: str, raised: type[Exception]
) -> None:
    with pytest.raises(accounts.AccountError) as told:
        asyncio.run(made_account.make('mysql/0', _shell(tmp_path, client), 'd'))
    assert str(told.value) == f'mysql/0 makes no account: {said}'
    assert type(told.value) is raised


def test_one_is_made_by_a_client_that_does_as_it_is_told(tmp_path: pathlib.Path) -> None:
    at = _shell(tmp_path, f'{READS} 0;; esac')
    login = asyncio.run(made_account.make('mysql/0', at, 'd'))
    assert login.user == 'd'
    asyncio.run(made_account.remove('mysql/0', at, 'd'))


def test_on_a_server_that_follows_by_now_nothing_is_removed(tmp_path: pathlib.Path) -> None:
    with pytest.raises(accounts.AccountError, match='it follows another server'):
        asyncio.run(made_account.remove('mysql/0', _shell(tmp_path, 'echo ON'), 'd'))
