"""A client ends what it left open itself, at any address, and nobody else's: with a real MariaDB."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import subprocess
from collections.abc import Generator, Iterator
from typing import cast

import backups
import charmkit
import grants
import idle_sessions
import pytest
import server
from charmkit.relations import mysql

from .conftest import Machine, configure

pytestmark = pytest.mark.functional

KEYS = grants.Keys('x' * 64)
LOCAL = '127.0.0.1'
OURS = (
    "SELECT id FROM information_schema.processlist WHERE user IN ('held', 'other')"  # Held, too.
)
CALL = 'CALL mysql.charm_end_idle_sessions({}, {})'


def request(name: str, database: str, *hosts: str) -> mysql.Request:
    return mysql.Request(f'{name}/0', '', database, name, hosts)


def converge(machine: Machine, *requests: mysql.Request) -> server.Report:
    seam = cast('charmkit.Machine', machine)
    report = server.Converge(grants.desired(requests), KEYS, 'first').carry_out(seam)
    assert report.refused == ''
    return report


@pytest.fixture(autouse=True)
def clients(machine: Machine) -> Iterator[None]:
    if machine.run('test', '-e', '/etc/mysql/mariadb.conf.d/80-idle-sessions.cnf').returncode:
        text = f'[mariadbd]\nskip-name-resolve\nbind-address = {LOCAL},{machine.address}\n'
        configure(machine, text, '/etc/mysql/mariadb.conf.d/80-idle-sessions.cnf')
    converge(machine, *wanted(machine))
    machine.root('CREATE OR REPLACE TABLE held.t (i INT); CREATE OR REPLACE TABLE other.t (i INT)')
    yield
    # One that waited for another goes on when that is ended: until there is none.
    while left := machine.root(OURS):
        machine.run(
            'mariadb', '--force', '-e', '; '.join(f'KILL {session}' for session in left.split())
        )


def wanted(machine: Machine) -> list[mysql.Request]:
    """One client with units at two addresses; one whose name differs in a letter's case, and one that is another."""
    return [
        request('held', 'held', LOCAL, machine.address),
        request('Held', 'held', machine.address),
        request('other', 'other', machine.address),
    ]


@contextlib.contextmanager
def left_open(machine: Machine, user: str, database: str = 'held') -> Generator[None]:
    """A session of *user*'s at the machine's own address, that has read a table and does nothing more."""
    argv = (
        'podman', 'exec', '-i', '--env', f'MYSQL_PWD={KEYS.password(user)}', machine.name, 'mariadb',
        '--protocol=tcp', '-h', machine.address, '-u', user, '--unbuffered', '-N', database,
    )  # fmt: skip
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as session:
        assert session.stdin
        assert session.stdout
        session.stdin.write('BEGIN; SELECT COUNT(*) FROM t;\n')
        session.stdin.flush()
        assert session.stdout.readline().strip() == '0'
        try:
            yield
        finally:
            session.kill()


@contextlib.contextmanager
def altering(machine: Machine, user: str = 'held') -> Generator[subprocess.Popen[str]]:
    """A change of the table that waits for a lock, from another account of *user*'s."""
    argv = (
        'podman', 'exec', '--env', f'MYSQL_PWD={KEYS.password(user)}', machine.name, 'mariadb',
        '--protocol=tcp', '-h', LOCAL, '-u', user, user, '-e',
        'SET lock_wait_timeout = 60; ALTER TABLE t COMMENT = "changed"; ALTER TABLE t COMMENT = ""',
    )  # fmt: skip
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as alter:
        waits = (
            'SELECT GROUP_CONCAT(user) FROM information_schema.processlist '
            "WHERE state = 'Waiting for table metadata lock'"
        )
        while alter.poll() is None and user not in machine.root(waits):
            pass
        yield alter
        if alter.poll() is None:
            alter.kill()


def call(
    machine: Machine, database: str = "'held'", idle: str = '1000', user: str = 'held'
) -> int:
    """How many sessions one call has ended, once those that there are have been idle for long enough."""
    sql = f'DO SLEEP(1.2); {CALL.format(database, idle)}'
    done = machine.login(user, KEYS.password(user), sql, host=LOCAL if user == 'held' else '')
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def users(machine: Machine) -> set[str]:
    return {
        *machine.root(
            "SELECT DISTINCT user FROM information_schema.processlist WHERE command = 'Sleep'"
        ).split()
    }


def test_what_another_unit_left_open_is_ended_while_ddl_waits_and_the_ddl_goes_on(
    machine: Machine,
):
    with left_open(machine, 'held'), altering(machine) as alter:
        assert call(machine) == 1
        said = alter.communicate()
    assert alter.returncode == 0, said


def test_without_ddl_that_waits_nothing_is_ended(machine: Machine):
    with left_open(machine, 'held'):
        assert call(machine) == 0
        assert 'held' in users(machine)


def test_what_others_left_open_stays(machine: Machine):
    """Those of another user, of one whose name differs in case, and the user's own in another database."""
    with (
        left_open(machine, 'Held'),
        left_open(machine, 'other', 'other'),
        left_open(machine, 'held'),
        altering(machine),
    ):
        assert call(machine, user='other', database="'held'") == 0
        assert call(machine, database="'other'") == 0
        assert call(machine) == 1
        assert users(machine) >= {'Held', 'other'}


def test_one_that_is_idle_for_less_than_is_asked_stays(machine: Machine):
    with left_open(machine, 'held'), altering(machine):
        assert call(machine, idle='600000') == 0


@pytest.mark.parametrize(
    'arguments',
    [
        ("'held\\' OR 1=1 -- '", '0'), ('NULL', 'NULL'), ("'%'", '1'), ("''", '0'), ("'mysql'", '0'),
    ],
)  # fmt: skip
def test_odd_arguments_end_nothing(machine: Machine, arguments: tuple[str, str]):
    with left_open(machine, 'held'), altering(machine):
        assert call(machine, *arguments) == 0


FORBIDDEN = [
    'DROP PROCEDURE mysql.charm_end_idle_sessions',
    "ALTER PROCEDURE mysql.charm_end_idle_sessions COMMENT ''",
    'CREATE PROCEDURE mysql.mine() SELECT 1',
    "CREATE DEFINER='charm-sessions'@'localhost' PROCEDURE held.mine() KILL 1",
    'SELECT * FROM mysql.proc',
    'SELECT Priv FROM mysql.global_priv',
    'SET ROLE `charm-sessions`',
]


@pytest.mark.parametrize('sql', FORBIDDEN)
def test_a_client_can_do_no_more_with_it_than_call_it(machine: Machine, sql: str):
    done = machine.login('held', KEYS.password('held'), sql, host=LOCAL)
    assert done.returncode
    assert any(word in done.stderr.lower() for word in ('denied', 'invalid role')), done.stderr


def test_nobody_logs_in_as_the_account_that_it_runs_as(machine: Machine):
    for password in ('', 'invalid'):
        done = machine.run(
            'mariadb', '-u', idle_sessions.DEFINER.user, '-e', 'SELECT 1', password=password
        )
        assert done.returncode
    assert 'ACCOUNT LOCK' in machine.root("SHOW CREATE USER 'charm-sessions'@'localhost'")


SABOTAGE = {
    'who calls is not asked': ('CAST(s.user AS BINARY) = mine', 'TRUE'),
    'whose rights it has is taken for who calls': ('USER()', 'CURRENT_USER()'),
}


@pytest.mark.parametrize('why', SABOTAGE)
def test_these_tests_would_notice(machine: Machine, why: str):
    """The twins: one ends what is another's, the other ends nothing."""
    (made,) = [
        s.sql
        for s in idle_sessions.plan((), idle_sessions.Observed(), {})
        if 'EXECUTE IMMEDIATE' in s.sql
    ]
    machine.root(made.replace(*SABOTAGE[why]))
    with left_open(machine, 'Held'), left_open(machine, 'held'), altering(machine):
        assert call(machine) != 1
    assert 'make the procedure that ends idle sessions' in converge(machine, *wanted(machine)).done


def test_whoever_leaves_calls_it_no_more(machine: Machine):
    held, *others = wanted(machine)
    converge(machine, *others, request('held', 'held', LOCAL))
    left = machine.root("SELECT Host FROM mysql.procs_priv WHERE User = 'held'").split()
    assert left == [LOCAL]
    converge(machine, held, *others)
    assert converge(machine, held, *others).done == ()


def test_after_a_restore_it_is_there(machine: Machine, tmp_path: pathlib.Path):
    seam = cast('charmkit.Machine', machine)
    when = datetime.datetime(2026, 11, 29, 10, 0, tzinfo=datetime.UTC)
    made = backups.make(seam, tmp_path, when, lambda _: None)
    assert 'mysql' not in made.databases
    machine.root('DROP DATABASE held; DROP PROCEDURE mysql.charm_end_idle_sessions')
    backups.restore(seam, made.path, lambda _: None)
    assert 'make the procedure that ends idle sessions' in converge(machine, *wanted(machine)).done
    with left_open(machine, 'held'), altering(machine) as alter:
        assert call(machine) == 1
        said = alter.communicate()
    assert alter.returncode == 0, said
