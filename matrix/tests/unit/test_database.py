"""The account of a load on a database, and what becomes of its transactions and connections."""

from __future__ import annotations

import asyncio
import pathlib

import driver
import linked
import pytest
from driver import MySQLError, Server
from hypothesis import given
from hypothesis import strategies as st

from matrix.load import accounts, client, database, load, places, sqlspec, statements
from matrix.plans import snapshot

LOGIN = accounts.Login('clerk', 'correct-horse')
AT = places.Address('127.0.0.1', 3306)
ACCOUNT = sqlspec.Account('', 'get-password', 'mysql/0')


# The account.


def _file(folder: pathlib.Path, text: str, mode: int = 0o600) -> dict[str, str]:
    path = folder / 'account.cnf'
    path.write_text(text)
    path.chmod(mode)
    return {'DB': str(path)}


def test_an_option_file_has_the_account(tmp_path: pathlib.Path) -> None:
    text = '# ours\n[mysqld]\nuser = mysql\n[client]\nuser=clerk\npassword = "a # b"\nssl_ca=/ca.pem\nskip-ssl\n'
    found = accounts.of_file('DB', _file(tmp_path, text))
    assert found == accounts.Login('clerk', 'a # b', '/ca.pem')
    assert 'a # b' not in repr(found)


@pytest.mark.parametrize(
    ('text', 'mode', 'said'),
    [
        ('[client]\nuser=clerk\npassword=correct-horse\n', 0o644, 'everybody may read'),
        ('[client]\npassword=correct-horse\n', 0o600, 'has no user under [client]'),
        (
            '[client]\nuser=clerk\npasswort=correct-horse\n',
            0o600,
            'has no password under [client]',
        ),
        (
            '[client]\nuser=clerk\npassword\n!include correct-horse\n',
            0o600,
            'files that it includes are not read',
        ),
        (
            '[client]\nuser=clerk\npassword=correct-horse\nssl-cert=/c.pem\n',
            0o600,
            'has ssl-cert, which is not done here',
        ),
        (
            '[client]\nuser=clerk\npassword=correct-horse\nssl-mode=correct-horse\n',
            0o600,
            'is one of DISABLED, PREFERRED',
        ),
        (
            '[client]\nuser=clerk\npassword=correct-horse\nssl-mode=verify_ca\n',
            0o600,
            'which needs ssl-ca',
        ),
        ('[client]\nuser=clerk\npassword=correct-horse\nssl=correct-horse\n', 0o600, 'ssl of'),
        ('[mysql]\nuser=clerk\npassword=correct-horse\n', 0o600, 'has no user under [client]'),
        ('correct-horse\n', 0o600, 'is no option file'),
        ('[client\npassword=correct-horse\n', 0o600, 'is no option file'),
    ],
)
def test_a_file_that_is_none_is_told_without_what_it_holds(
    tmp_path: pathlib.Path, text: str, mode: int, said: str
) -> None:
    with pytest.raises(accounts.AccountError) as told:
        accounts.of_file('DB', _file(tmp_path, text, mode))
    assert said in str(told.value)
    assert 'correct-horse' not in str(told.value)
    assert told.value.__cause__ is None


PROTECTED = {
    '': ('', False),
    'ssl-mode=PREFERRED': ('', False),
    'ssl_mode = required': ('ssl-mode', False),
    'ssl-mode=VERIFY_IDENTITY': ('ssl-mode', True),
    'ssl-ca=/ca.pem\nssl-mode=VERIFY_CA': ('ssl-ca', False),
    'ssl-verify-server-cert': ('ssl-verify-server-cert', True),
    'ssl-verify-server-cert=0': ('', False),
    'ssl': ('ssl', False),
    'ssl=OFF': ('', False),
    'loose-ssl-ca=/ca.pem\nssl-verify-server-cert=1': ('ssl-ca', True),
}


@pytest.mark.parametrize('text', PROTECTED)
def test_what_an_option_file_asks_of_the_server_is_held_to(text: str) -> None:
    found = accounts.parsed(f'[client]\nuser=clerk\npassword=x\n{text}\n', 'f')
    assert (found.required, found.names) == PROTECTED[text]


READ = {
    '[client]\nuser=clerk\npassword=correct-horse # ours\n': 'correct-horse',
    '[client]\nuser=clerk\npassword="a # b"  # ours\n': 'a # b',
    "[client]\nuser=clerk\npassword='a\"#'\n": 'a"#',
    '[client]\nuser=clerk\npassword = a\\\\b\\s\\x\n': 'a\\b \\x',
    '[client]\nuser=clerk\npassword=a%b;c\n': 'a%b;c',
    '[client]\nuser=clerk\n  password=x\n': 'x',
    '[client]\nuser=clerk\npassword=\n': '',
    '\ufeff[client]\nuser=clerk\npassword=x\n': 'x',
    '!includedir /etc/mysql/conf.d/\n[client]\nuser=clerk\npassword=x\n': 'x',
    '[client]\nuser=clerk\npassword=x\n[client]\npassword=y\n': 'y',
    '[client]\nuser=other\n[client-mariadb]\nuser=clerk\npassword=x\n[mysqld]\nuser=mysql\n': 'x',
    '; ours\n\n[ client ] # all\nuser=clerk\npassword=x\nhost=h\nport=1\nskip-ssl\n': 'x',
}


@pytest.mark.parametrize('text', READ)
def test_an_option_file_is_read_as_clients_read_it(text: str) -> None:
    assert accounts.parsed(text, 'f') == accounts.Login('clerk', READ[text])


@given(st.text(st.characters(codec='utf-8', exclude_characters='\n\r\\\'"#'), max_size=40))
def test_any_password_that_is_quoted_comes_as_it_is(password: str) -> None:
    one_line = ' '.join(password.splitlines())
    found = accounts.parsed(f"[client]\nuser=clerk\npassword='{one_line}'\n", 'f')
    assert found.password == one_line


@given(st.text(max_size=200))
def test_whatever_a_file_has_it_is_an_account_or_one_sentence(text: str) -> None:
    try:
        accounts.parsed(f'[client]\n{text}', 'f')
    except accounts.AccountError as error:
        assert '\n' not in str(error)


def test_a_variable_that_names_nothing_is_told(tmp_path: pathlib.Path) -> None:
    for environment, said in (
        ({}, 'DB is not set'),
        ({'DB': str(tmp_path / 'x')}, 'No such file'),
    ):
        with pytest.raises(accounts.AccountError, match=said):
            accounts.of_file('DB', environment)


def test_an_action_gives_the_account() -> None:
    async def found(given: dict[str, object]) -> accounts.Login:
        at = linked.Linked(snapshot.Model(), {'get-password': given})
        return await accounts.find(ACCOUNT, at)

    assert asyncio.run(found({'username': 'clerk', 'password': 'correct-horse'})) == LOGIN
    with pytest.raises(accounts.AccountError, match="gives no 'username' and 'password'"):
        asyncio.run(found({'username': 'clerk'}))


# The edge: what becomes of a transaction and of its connection.


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return driver.installed(monkeypatch)


STATEMENT = statements.Statement('UPDATE t SET v = %s', (1,), must=True)


def _do(server: Server) -> tuple[statements.StatementResult, ...] | None:
    return asyncio.run(database.Database('test', LOGIN).transact(AT, [STATEMENT], within=60))


@pytest.mark.parametrize('when', ['connect', 'begin', 'UPDATE', 'commit'])
def test_only_a_commit_that_was_sent_is_of_unknown_outcome(server: Server, when: str) -> None:
    driver.losing(server, when, MySQLError(2013, 'Lost connection'))
    with pytest.raises(client.UnclearError if when == 'commit' else load.Refused, match='reset'):
        _do(server)
    assert all(one.closed for one in server.connections)


@pytest.mark.parametrize('when', ['connect', 'begin', 'UPDATE', 'commit'])
def test_what_is_late_before_commit_was_sent_was_not_done(
    server: Server, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A server that stops for a while leaves nothing of unknown outcome but what it was told to commit."""

    async def stopped(*_: object, **__: object) -> None:
        await asyncio.sleep(3600)

    names = {'connect': 'ping', 'UPDATE': 'execute'}
    monkeypatch.setattr(driver.Connection, names.get(when, when), stopped)
    at = database.Database('test', LOGIN)
    kind = client.UnclearError if when == 'commit' else load.Refused
    with pytest.raises(kind, match='timeout'):
        asyncio.run(at.transact(AT, [STATEMENT], within=0.01))
    assert all(one.closed for one in server.connections)


def test_a_good_bye_that_is_not_heard_changes_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopped(_: object) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(driver.Connection, 'ensure_closed', stopped)
    monkeypatch.setattr(database, 'QUIT_S', 0.01)
    assert _do(server) is not None


def test_a_connection_that_is_not_made_says_why(server: Server) -> None:
    error = MySQLError(2003, "Can't connect")
    error.__cause__ = ConnectionRefusedError(111, 'refused')
    driver.losing(server, 'connect', error)
    with pytest.raises(load.Refused, match='refused'):
        _do(server)


BROKEN = [
    (UnicodeEncodeError('latin-1', 'pässw€rd', 5, 6, 'no'), 'UnicodeEncodeError', 'in Latin-1'),
    (RuntimeError("'cryptography' package is required"), 'RuntimeError', r'pip install .aiomysql\[rsa\]'),
    (ValueError('odd'), 'ValueError', 'the driver broke: ValueError: odd'),
]  # fmt: skip


@pytest.mark.parametrize(('error', 'word', 'said'), BROKEN)
def test_what_the_driver_cannot_do_was_not_done(
    server: Server, error: Exception, word: str, said: str
) -> None:
    driver.losing(server, 'connect', error)
    with pytest.raises(load.Refused, match=word):
        _do(server)
    with pytest.raises(database.DriverError, match=said) as told:
        asyncio.run(database.Database('test', LOGIN).execute(AT, STATEMENT))
    assert '€' not in str(told.value)
    assert told.value.__cause__ is None


def test_a_statement_that_must_change_something_and_does_not_is_rolled_back(
    server: Server,
) -> None:
    server.says = lambda at, text, values: ((), 0)
    assert _do(server) is None
    assert [text for _, text in server.log] == [
        'connect',
        'begin',
        STATEMENT.text,
        'rollback',
        'quit',
    ]


def test_a_cancelled_operation_leaves_no_connection(server: Server) -> None:
    driver.losing(server, 'UPDATE', asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        _do(server)
    assert all(one.closed for one in server.connections)


def test_every_second_connection_is_kept_for_a_few_seconds(server: Server) -> None:
    clock = [0.0]

    async def go() -> list[int]:
        at = database.Database('test', LOGIN, lambda: clock[0])
        made: list[int] = []
        for now in (0, 1, 2, 3, 3, 100):
            clock[0] = now
            await at.transact(AT, [STATEMENT], within=60)
            made.append(len(server.connections))
        await at.close()
        return made

    # The second is kept, and used by the fourth and, too old by then, not by the sixth.
    assert asyncio.run(go()) == [1, 2, 3, 3, 4, 5]
    assert all(one.closed for one in server.connections)


def test_after_many_at_once_what_is_unused_is_closed(server: Server) -> None:
    """Though one connection is used again and again, the others do not stay open at a server that has few."""
    clock = [0.0]
    going = asyncio.Event()

    async def go() -> list[int]:
        at = database.Database('test', LOGIN, lambda: clock[0])

        async def waits(*_: object) -> None:
            await going.wait()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(driver.Connection, 'begin', waits)
            async with asyncio.TaskGroup() as group:
                for _ in range(200):
                    group.create_task(at.transact(AT, [STATEMENT], within=60))
                await asyncio.sleep(0)
                group.create_task(_set(going))
        found = [sum(not one.closed for one in server.connections)]
        for _ in range(50):
            clock[0] += 0.2
            await at.transact(AT, [STATEMENT], within=60)
        found.append(sum(not one.closed for one in server.connections))
        await at.close()
        return found

    after, later = asyncio.run(go())
    assert after == 20
    assert later <= 2


async def _set(event: asyncio.Event) -> None:
    event.set()


def test_a_failed_transaction_gives_no_connection_back(server: Server) -> None:
    async def go() -> None:
        at = database.Database('test', LOGIN)
        driver.losing(server, 'UPDATE', MySQLError(1213, 'Deadlock'))
        for _ in range(4):
            with pytest.raises(load.Refused, match='deadlock'):
                await at.transact(AT, [STATEMENT], within=60)

    asyncio.run(go())
    assert len(server.connections) == 4
    assert all(one.closed for one in server.connections)
