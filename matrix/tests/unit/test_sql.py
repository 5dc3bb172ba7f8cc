# ruff: noqa: E501  # a table is read by its lines
"""A load on a database: what of it is refused, what answers mean, where the account comes from, what is left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from typing import Any

import driver
import linked
import pytest
from driver import MySQLError, Rows, Server

from matrix import cli
from matrix.grammar import located, problem, surroundings
from matrix.juju import link
from matrix.load import (
    accounts,
    asking,
    client,
    database,
    discover,
    load,
    places,
    spec,
    sql,
    sqlspec,
    statements,
)
from matrix.plans import snapshot
from matrix.run import bundlefile, defaults, options, prepare

WHERE = problem.Where('tests/test.yaml', 1)
LOGIN = accounts.Login('clerk', 'correct-horse')
AT = places.Address('127.0.0.1', 3306)
SAID = sqlspec.Sql(at=('{mysql}',), database='test', account=sqlspec.Account('', 'get-password', 'mysql/0'))  # fmt: skip


def _read(text: str) -> spec.Spec:
    document = located.load(text, 'tests/test.yaml')
    return spec.read(document)


def test_what_is_left_out_has_defaults() -> None:
    said = _read("sql: {at: '{mysql}', database: test}")
    assert said.use == 'sql'
    assert said.sql == sqlspec.Sql(('{mysql}',), 'test')
    assert sqlspec.Sql(('{mysql}',), 'test').things == (
        'register',
        'counter',
        'set',
        'list',
        'bank',
    )


REFUSED = {
    'sql: mysql': "'sql' is a mapping, as in",
    'sql: {database: d}': "'sql' has 'at', the address",
    'sql: {at: [], database: d}': "'sql' has 'at', the address",
    'sql: {at: h}': "'sql' has 'database'",
    'sql: {at: h, databse: d}': "did you mean 'database'?",
    'sql: {at: h, database: a b}': "'database' is the name of a database, not 'a b'",
    'sql: {at: "mysql://h", database: d}': "'at' is an address such as",
    'sql: {at: "h:99999", database: d}': "'at' is an address such as",
    'sql: {at: "{mysql", database: d}': "'at' is an address such as",
    'sql: {at: [{a: b}], database: d}': "'at' has words, this is",
    'sql: {at: h, database: d, things: [sett]}': "did you mean 'set'?",
    'sql: {at: h, database: d, things: [set, set]}': "'things' has 'set' twice",
    'sql: {at: h, database: d, account: me}': "'account' is a mapping",
    'sql: {at: h, database: d, account: {}}': "'account' has either 'file'",
    'sql: {at: h, database: d, account: {file: /etc/my.cnf}}': "'file' is the name of an environment variable",
    'sql: {at: h, database: d, account: {file: A, unit: m/0}}': "'account' has either 'file'",
    'sql: {at: h, database: d, account: {file: A, action: a}}': "goes with 'unit', not with 'file'",
    'sql: {at: h, database: d, account: {unit: m/0}}': "'database' goes not with an account that is made",
    'sql: {at: h, database: d, account: {action: get-password}}': "'account' has either 'file'",
    'sql: {at: h, database: d, account: {action: get-password, unit: mysql}}': "'unit' is a unit of the database",
    'sql: {at: h, database: d, timeout: soon}': "'timeout' is a number",
    'sql: {at: h, database: d, timeout: .inf}': "'timeout' is a number",
    'sql: {at: h, database: true}': "'database' is the name of a database, not 'True'",
    'sql: {at: h, database: MySQL}': 'is where the server keeps its own',
    'sql: {at: h, database: d, things: []}': "'things' are of register, counter, set, list, bank; there is none",
    'sql: {at: "a,b", database: d}': "'at' is an address such as",
    'sql: {at: "h?password=x", database: d}': "'at' is an address such as",
    'sql: {at: [h, h], database: d}': "'at' has 'h' twice",
    '{use: openstack, sql: {at: h, database: d}}': "'sql' and 'use: openstack' do not go together",
    '{http: [http://h/], sql: {at: h, database: d}}': "'sql' and 'http' do not go together",
    'use: sql': "'use: sql' has 'sql'",
    'sqll: {at: h}': "did you mean 'sql'?",
}  # fmt: skip


@pytest.mark.parametrize('text', REFUSED)
def test_what_cannot_be_used_is_refused_at_its_line(text: str) -> None:
    with pytest.raises(problem.RefusedError) as refused:
        _read(text)
    assert REFUSED[text] in str(refused.value)
    assert all(str(one.where) == 'tests/test.yaml:1' for one in refused.value.problems)


MISPLACED = {
    'sql: {at: "clerk:correct-horse@h", database: d}': "user and password come from 'account'",
    'sql: {at: "mysql://clerk:correct-horse", database: d}': "'at' is an address such as",
    'sql: "mysql://clerk:correct-horse@h/d"': 'stand in an option file',
    'sql: {at: h, database: "clerk:correct-horse"}': "'database' is the name of a database",
    'sql: {at: h, database: d, account: "clerk:correct-horse"}': 'stand in an option file',
    'sql: {at: h, database: d, account: {file: correct-horse}}': "'file' is the name of an environment variable",
    'sql: {at: h, database: d, account: {action: a, unit: "clerk:correct-horse"}}': "'unit' is a unit of the database",
    'sql: {at: h, database: d, password: correct-horse}': "'password' stands not in 'sql': user and password",
    'sql: {at: h, database: d, account: {file: A, user: correct-horse}}': "'user' stands not in 'account'",
    'http: "clerk:correct-horse@h"': "'url' begins with http://",
}  # fmt: skip


@pytest.mark.parametrize('text', MISPLACED)
def test_a_password_in_the_wrong_place_is_not_said_again(text: str) -> None:
    with pytest.raises(problem.RefusedError) as refused:
        _read(text)
    assert MISPLACED[text] in str(refused.value)
    assert 'correct-horse' not in str(refused.value)


@pytest.mark.parametrize(
    'text',
    [
        'sql: x',
        'sql:',
        'sql: []',
        'sql: {at: h, database: d, account: {action: , unit: mysql/0}}',
        'sql: {at: h, database: d, account: {action: --help, unit: mysql/0}}',
        "sql: {at: h, database: d, account: {action: '', unit: mysql/0}}",
    ],
)
def test_what_is_wrong_is_said_once(text: str) -> None:
    with pytest.raises(problem.RefusedError) as refused:
        _read(text)
    assert len(refused.value.problems) == 1, str(refused.value)


def test_a_rule_may_choose_the_database_of_the_file() -> None:
    before = _read('sql: {at: h, database: d}')
    assert spec.of_args({'use': 'sql'}, WHERE).use == 'sql'
    assert spec.of_args({'use': 'sql'}, WHERE, otherwise=before).sql == before.sql


def test_units_that_the_bundle_lacks_are_named() -> None:
    text = "sql: {at: ['{mysql/0}', '{mysql/leader}', '{mysq}'], read-at: '{replica}', account: {action: a, unit: mysqll/0}}"
    known = surroundings.Known(applications=frozenset({'mysql'}))
    said = [str(one) for one in surroundings.of_load(located.load(text, 't'), known)]
    assert [one.partition(': ')[2] for one in said] == [
        "error: the bundle has no application 'mysq'; did you mean 'mysql'?",
        "error: the bundle has no application 'replica'",
        "error: the bundle has no application 'mysqll'; did you mean 'mysql'?",
    ]


def test_an_application_without_braces_is_told_from_a_host() -> None:
    text = "sql: {at: ['mysql:3307', h], read-at: mysql}"
    known = surroundings.Known(applications=frozenset({'mysql'}))
    said = [str(one) for one in surroundings.of_load(located.load(text, 't'), known)]
    assert ["did you mean '{mysql}:3307'?" in said[0], "did you mean '{mysql}'?" in said[1]] == [
        True
    ] * 2
    assert len(said) == 2


def test_a_rule_that_asks_for_what_nobody_says_is_refused_before_anything_is_deployed(
    tmp_path: pathlib.Path,
) -> None:
    suite = (
        'tests:\n- name: end_to_end\n  rules:\n  - do: matrix.tasks.deploy\n'
        '  - do:\n      task: matrix.tasks.end_to_end\n      use: sql\n'
    )
    bundle = _bundle(tmp_path, {'matrix.yaml': suite})
    with pytest.raises(
        problem.RefusedError, match=r"matrix.yaml:7: error: 'use: sql' needs 'sql'"
    ):
        _prepare(bundle)


def test_what_is_wrong_in_a_rule_is_at_the_line_of_its_key() -> None:
    lines = {'sql': problem.Where('m.yaml', 9)}
    with pytest.raises(problem.RefusedError, match=r'^m.yaml:9: error: '):
        spec.of_args({'sql': {'at': 'h'}}, problem.Where('m.yaml', 3), lines=lines)


def test_addresses_are_those_of_the_units_in_turn() -> None:
    units = (
        snapshot.Unit('mysql/0', address='10.0.0.1'),
        snapshot.Unit('mysql/1', address='fd00::1', leader=True),
    )
    model = snapshot.Model((snapshot.Application('mysql', units),))
    found = {
        text: [str(one) for one in places.addresses(text, model, 3306)]
        for text in ('{mysql}', '{mysql/1}:33', '{mysql/leader}', 'h', 'h:1', '[::1]:2', '{other}')
    }
    assert found == {
        '{mysql}': ['10.0.0.1:3306', '[fd00::1]:3306'],
        '{mysql/1}:33': ['[fd00::1]:33'],
        '{mysql/leader}': ['[fd00::1]:3306'],
        'h': ['h:3306'],
        'h:1': ['h:1'],
        '[::1]:2': ['[::1]:2'],
        '{other}': [],
    }  # fmt: skip


# What is said to a server, and what its answers mean.


def test_a_table_is_named_for_the_run() -> None:
    assert statements.table('20261122T144415Z_a1b2c3') == 'matrix_20261122T144415Z_a1b2c3'
    assert len(statements.table('x' * 300)) <= 32
    assert set(statements.table('a`; DROP "b')) <= set('abcdefghijklmnopqrstuvwxyzDROP_')


@pytest.mark.parametrize('kind', sqlspec.THINGS)
def test_every_operation_is_a_transaction_with_no_value_in_its_text(kind: str) -> None:
    thing = asking.Thing(kind, kind)
    thing.learn('read', {'key': f'{kind}-0'}, 'seen')
    for does in thing.does:
        asked = next(one for one in (thing.asked(does) for _ in range(9)) if isinstance(one, dict))
        found = statements.transaction(kind, does, 'tbl', asked)
        assert found
        for one in found:
            assert one.text.count('%s') == len(one.values)
            assert ' tbl ' in one.text
            assert str(asked['key']) not in one.text
            assert one.must == (does in {'cas', 'transfer'})


def test_transfers_to_and_fro_lock_accounts_in_the_same_order() -> None:
    """What takes is rolled back where there is too little, whether it comes first or last."""

    def order(source: str, target: str) -> list[tuple[object, bool]]:
        asked: dict[str, located.Plain] = {'key': 'k', 'from': source, 'to': target, 'amount': 7}
        found = statements.transaction('bank', 'transfer', 't', asked)
        assert all(one.must for one in found)
        return [(one.values[2], 'n - ' in one.text) for one in found]

    assert order('a', 'b') == [('a', True), ('b', False)]
    assert order('b', 'a') == [('a', False), ('b', True)]


READ: list[tuple[str, Rows, object]] = [
    ('register', (), None),
    ('register', (('', 'x', 0),), 'x'),
    ('counter', (), 0),
    ('counter', (('', None, 7),), 7),
    ('set', (('b', None, 0), ('a', None, 0)), ['a', 'b']),
    ('list', (), []),
    ('list', (('', 'b,a', 0),), ['b', 'a']),
    ('bank', (('a', None, 1), ('b', None, 2)), {'a': 1, 'b': 2}),
]


@pytest.mark.parametrize(('kind', 'rows', 'value'), READ)
def test_rows_are_what_was_read(kind: str, rows: Rows, value: object) -> None:
    assert statements.value(kind, 'read', [statements.StatementResult(rows)]) == value


def test_what_was_rolled_back_was_not_done() -> None:
    assert statements.value('bank', 'transfer', None) is False
    assert statements.value('bank', 'transfer', [statements.StatementResult()]) is True


@pytest.mark.parametrize(
    ('code', 'committing', 'known', 'word'),
    [
        (1213, False, True, 'deadlock'),
        (1213, True, True, 'deadlock'),
        (1205, False, True, 'lock wait'),
        (1062, False, True, 'duplicate key'),
        (1290, False, True, 'read-only'),
        (1290, True, True, 'read-only'),
        (1836, False, True, 'read-only'),
        (2013, False, True, 'reset'),
        (2013, True, False, 'reset'),
        (2006, True, False, 'reset'),
        (1180, True, False, 'sql 1180'),
        (1047, True, False, 'not ready'),
        (1064, False, True, 'sql 1064'),
    ],
)
def test_what_was_lost_after_commit_was_sent_is_known_to_nobody(
    code: int, committing: bool, known: bool, word: str
) -> None:
    found = statements.meaning(code, committing=committing)
    assert isinstance(found, load.Refused if known else client.UnclearError)
    assert str(found) == word


# The load.


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return driver.installed(monkeypatch)


def _load(said: sqlspec.Sql, units: int = 1) -> sql.Sql:
    at = linked.Linked(
        snapshot.Model((linked.one_unit('mysql', units=units),)),
        {'get-password': {'username': 'clerk', 'password': 'correct-horse'}},
    )
    return sql.Sql(said, at, 'run', patience=0.0)


def _counting(server: Server, count: int = 5) -> None:
    def says(at: str, text: str, values: Any) -> tuple[Rows, int]:
        return (((count,),), 1) if 'COUNT' in text else ((), 1)

    server.says = says


def test_a_table_is_made_filled_used_and_dropped(server: Server) -> None:
    _counting(server)

    async def go() -> sql.Sql:
        what = _load(SAID)
        kinds = await what.prepare()
        assert [one.name for one in kinds][:3] == [
            'register.write',
            'register.read',
            'register.cas',
        ]
        assert len(kinds) == 11
        did = await kinds[0].do(kinds[0].asked())
        assert did == load.Result(True, 'mysql://127.0.0.1:3306')
        await what.close()
        return what

    what = asyncio.run(go())
    texts = [text for _, text in server.log]
    assert sum(text.startswith('CREATE TABLE matrix_run ') for text in texts) == 1
    assert sum(text.startswith('DROP TABLE IF EXISTS matrix_run') for text in texts) == 1
    assert what.secrets == {'correct-horse'}
    assert what.models['bank'] == {'is': 'bank', 'first': {**asking.ACCOUNTS}, 'transfer': 'bank.transfer', 'read': 'bank.read'}  # fmt: skip
    assert {one['user'] for one in server.given} == {'clerk'}
    assert all(one.closed for one in server.connections)


@pytest.mark.parametrize(
    ('code', 'raised', 'drops'),
    [(1045, load.Refused, 0), (1050, load.Refused, 0), (2013, link.LinkError, 1)],
)
def test_the_table_of_another_is_not_dropped(
    server: Server, code: int, raised: type[Exception], drops: int
) -> None:
    driver.losing(server, 'CREATE', MySQLError(code, 'what the server says'))

    async def go() -> None:
        what = _load(SAID)
        with pytest.raises(raised, match=r'takes no table: 127.0.0.1:3306: what the server says'):
            await what.prepare()
        await what.close()

    asyncio.run(go())
    assert sum(text.startswith('DROP') for _, text in server.log) == drops


def test_a_replica_that_does_not_follow_is_no_place_to_read(server: Server) -> None:
    _counting(server, 4)
    with pytest.raises(link.LinkError, match='does not show the table'):
        asyncio.run(_load(dataclasses.replace(SAID, read_at=('h:1',))).prepare())


def test_an_answer_without_a_row_shows_no_table(server: Server) -> None:
    server.says = lambda at, text, values: ((), 1)
    with pytest.raises(link.LinkError, match='does not show the table'):
        asyncio.run(_load(SAID).prepare())


def test_what_the_driver_cannot_do_is_told_at_once(server: Server) -> None:
    driver.losing(server, 'connect', RuntimeError("'cryptography' package is required"))
    what = dataclasses.replace(_load(SAID), patience=3600.0)
    with pytest.raises(link.LinkError, match=r'takes no table: .* needs a package'):
        asyncio.run(what.prepare())


def test_reads_ask_where_they_are_told_to(server: Server) -> None:
    _counting(server)

    async def go() -> None:
        what = _load(dataclasses.replace(SAID, things=('set',), read_at=('replica:1',)))
        _counting(server, 0)
        add, read = await what.prepare()
        server.log.clear()
        await add.do(add.asked())
        assert {at for at, _ in server.log} == {'127.0.0.1:3306'}
        server.log.clear()
        await read.do(read.asked())
        assert {at for at, _ in server.log} == {'replica:1'}

    asyncio.run(go())


def test_units_that_are_gone_are_no_address(server: Server) -> None:
    with pytest.raises(load.Refused, match=r'no address of \{other\}'):
        asyncio.run(_load(dataclasses.replace(SAID, at=('{other}',))).prepare())


def test_two_loads_of_a_run_are_two_histories(server: Server) -> None:
    """Each has a table of its own: what the first wrote, the second must not be said to have lost."""
    _counting(server)
    at = _load(SAID).link

    async def asked() -> set[str]:
        said = spec.Spec(use='sql', sql=SAID)
        what = await discover.find(at, bundle=pathlib.Path('none'), said=said, run='r')
        assert isinstance(what, sql.Sql)
        kinds = await what.prepare()
        await what.close()
        values = [one.asked() for one in kinds for _ in range(9)]
        return {str(one['key']) for one in values if isinstance(one, dict)}

    first, second = asyncio.run(asked()), asyncio.run(asked())
    assert len(first) == len(second) == 13
    assert not first & second
    filled = [values for text, values in server.values if text.startswith('INSERT')]
    assert len({values[0] for values in filled}) == 2, 'each bank has accounts of its own'


def test_the_load_that_is_said_is_found() -> None:
    async def found(said: spec.Spec) -> object:
        at = linked.Linked(snapshot.Model())
        return await discover.find(at, bundle=pathlib.Path('none'), said=said, run='r')

    assert isinstance(asyncio.run(found(spec.Spec(use='sql', sql=SAID))), sql.Sql)
    assert isinstance(asyncio.run(found(spec.Spec(use='sql'))), discover.NoLoad)


def test_without_the_driver_one_sentence_has_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, 'installed', lambda: False)
    with pytest.raises(link.LinkError) as told:
        asyncio.run(_load(SAID).prepare())
    assert str(told.value).endswith("is not installed: pip install 'rambla-matrix[sql]'")


# Before anything is deployed.

_BUNDLE = 'applications:\n  mysql: {charm: ./mysql, num_units: 3}\n'
_LOAD = "load: {sql: {at: '{mysql}', database: test, account: {file: DB}}}\n"


def _bundle(folder: pathlib.Path, files: dict[str, str]) -> bundlefile.Bundle:
    for name in ('mysql', 'tests'):
        (folder / name).mkdir()
    (folder / 'mysql' / 'charmcraft.yaml').write_text('name: mysql\ntype: charm\n')
    (folder / 'bundle.yaml').write_text(_BUNDLE)
    for name, text in files.items():
        (folder / 'tests' / name).write_text(text)
    return bundlefile.find(folder)


def _prepare(bundle: bundlefile.Bundle) -> None:
    prepare.prepare(options.Options(), bundle, defaults.read(bundle.folder), 1)


def test_a_run_asks_for_driver_and_account_before_it_deploys(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = _bundle(tmp_path, {'test.yaml': _LOAD})
    monkeypatch.setattr(database, 'installed', lambda: True)
    with pytest.raises(problem.RefusedError, match=r'test.yaml:1: error: .* DB is not set'):
        _prepare(bundle)
    account = tmp_path / 'account.cnf'
    account.write_text('[client]\nuser = clerk\npassword = x\n')
    account.chmod(0o600)
    monkeypatch.setenv('DB', str(account))
    _prepare(bundle)
    monkeypatch.setattr(database, 'installed', lambda: False)
    with pytest.raises(problem.RefusedError, match=r'test.yaml:1: error: .*rambla-matrix\[sql\]'):
        _prepare(bundle)


def test_lint_looks_at_it_without_the_account(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = (
        'tests:\n- name: t\n  rules:\n  - do: matrix.tasks.deploy\n'
        '  - do:\n      task: matrix.tasks.end_to_end\n      stages: [{for: 1, rate: 2}]\n'
        "      sql: {at: '{mysqll}', database: test}\n"
    )
    _bundle(tmp_path, {'test.yaml': _LOAD, 'matrix.yaml': suite})
    assert cli.main(['lint', str(tmp_path / 'tests' / 'test.yaml')]) == 0
    assert cli.main(['lint', str(tmp_path / 'tests' / 'matrix.yaml')]) == 1
    said = capsys.readouterr().out
    assert said.count('error') == 1
    assert (
        "matrix.yaml:8: error: the bundle has no application 'mysqll'; did you mean 'mysql'?"
        in said
    )
