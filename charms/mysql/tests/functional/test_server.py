"""Grants, backups and settings on a real MariaDB, on both releases."""

from __future__ import annotations

import datetime
import gzip
import pathlib
import re
import subprocess
from typing import cast

import backups
import charmkit
import grants
import mariadb
import pytest
import server
from charmkit import Facts, Inputs
from charmkit.relations import Relation, Site, mysql

from .conftest import Machine, configure

pytestmark = pytest.mark.functional

SEED = 'x' * 64
NOW = datetime.datetime(2026, 11, 22, 10, 0, tzinfo=datetime.UTC)


KEYS = grants.Keys(SEED)


def converge(
    machine: Machine, want: grants.Desired, keys: grants.Keys = KEYS, fresh: str = 'first'
) -> server.Report:
    report = server.Converge(want, keys, fresh).carry_out(cast('charmkit.Machine', machine))
    assert report.refused == ''
    return report


@pytest.fixture(autouse=True)
def started(machine: Machine) -> None:
    if machine.run('test', '-e', mariadb.CONFIG).returncode:
        site = Site(
            unit='mysql/0', leader=True, address=machine.address,
            addresses={'shared-db': machine.address},
        )  # fmt: skip
        inputs = Inputs(site=site, facts=Facts(base='debian@12', memory_mib=2048))
        config = mariadb.desired_state(inputs).host.files[0]
        configure(machine, config.content, config.path)


def seam(machine: Machine) -> charmkit.Machine:
    return cast('charmkit.Machine', machine)


def asked(machine: Machine, *names: str, host: str = '') -> grants.Desired:
    return grants.desired(
        mysql.Request('a/0', '', name, name.split('_')[0], (host or machine.address,))
        for name in names
    )


def test_the_settings_are_in_force(machine: Machine):
    seen = machine.root(
        'SELECT @@bind_address, @@skip_name_resolve, @@max_connections, @@innodb_buffer_pool_size'
    )
    assert seen.split('\t') == [f'127.0.0.1,{machine.address}', '1', '512', str(512 << 20)]


def test_an_account_is_made_and_one_pass_is_enough(machine: Machine):
    want = asked(machine, 'nova', 'nova_api')
    assert converge(machine, want).done
    assert converge(machine, want).done == ()
    password = KEYS.password('nova')
    sql = 'CREATE TABLE IF NOT EXISTS nova_api.t (a INT); SELECT 7'
    assert machine.login('nova', password, sql).stdout.strip() == '7'
    assert machine.login('nova', 'wrong').returncode
    # An underscore in a grant must not stand for any character.
    machine.root('CREATE DATABASE IF NOT EXISTS novaxapi')
    assert 'denied' in machine.login('nova', password, 'USE novaxapi').stderr


COMPUTE = (
    mysql.need('nova'),
    mysql.need('nova_api', user='nova', prefix='novaapi'),
    mysql.need('nova_cell0', user='cells', prefix='novacell0'),
)


def test_each_of_several_databases_on_one_relation_is_reached_with_what_was_answered(
    machine: Machine,
):
    site = Site(unit='nova/0', leader=True, address=machine.address)
    bag = {key: value for need in COMPUTE for key, value in need.request(site).items()}
    relation = Relation(id=1, name='shared-db', app='nova', units={'nova/0': bag})
    granted, refused = mysql.requests(relation)
    assert refused == ()
    converge(machine, grants.desired(granted))
    passwords = {user: KEYS.password(user) for user in ('nova', 'cells')}
    answer = mysql.response(machine.address, granted, passwords)
    answered = Relation(id=1, name='shared-db', app='mysql', units={'mysql/0': answer})
    found = [need.read((answered,), site) for need in COMPUTE]
    for database in found:
        assert database
        login = (database.user, database.password)
        sql = f'USE {database.name}; CREATE OR REPLACE TABLE t (a INT); SELECT DATABASE()'
        done = machine.login(*login, sql, host=database.host)
        assert done.stdout.strip() == database.name, done.stderr
    # The twin: an account of that relation does not reach what is another's on it.
    api, cell = found[1:]
    assert api
    assert cell
    assert 'denied' in machine.login(api.user, api.password, f'USE {cell.name}').stderr


def test_an_account_holds_from_its_own_address_alone(machine: Machine):
    converge(machine, asked(machine, 'glance', host='192.0.2.7'))
    refused = machine.login('glance', KEYS.password('glance'))
    assert refused.returncode
    assert re.search('denied|not allowed', refused.stderr)


def test_drift_is_repaired(machine: Machine):
    want = asked(machine, 'heat')
    converge(machine, want)
    at = machine.address
    machine.root(
        f"ALTER USER heat@'{at}' IDENTIFIED BY 'other';REVOKE DROP ON heat.* FROM heat@'{at}';"
    )
    assert {did.split()[0] for did in converge(machine, want).done} == {'alter', 'grant'}
    assert converge(machine, want).done == ()
    password = KEYS.password('heat')
    assert not machine.login('heat', password, 'DROP DATABASE heat').returncode


def test_what_leaves_loses_its_account_and_not_its_data(machine: Machine):
    machine.root("CREATE USER IF NOT EXISTS operator@'%' IDENTIFIED BY 'theirs'")
    converge(machine, asked(machine, 'cinder'))
    converge(machine, grants.Desired())
    assert machine.login('cinder', KEYS.password('cinder')).returncode
    assert machine.root("SHOW DATABASES LIKE 'cinder'") == 'cinder'
    assert not machine.login('operator', 'theirs').returncode


def test_a_mistake_is_told_in_the_servers_words(machine: Machine):
    with pytest.raises(server.ServerError, match='syntax'):
        server.query(seam(machine), 'SELEC 1;')


def test_odd_values_come_through(machine: Machine):
    (row,) = server.query(seam(machine), r"SELECT 'a\tb\nc\\d' AS x;")
    assert row == {'x': 'a\tb\nc\\d'}


def test_backup_and_restore(machine: Machine, tmp_path: pathlib.Path):
    machine.root(
        'CREATE DATABASE IF NOT EXISTS shop CHARACTER SET utf8mb3; CREATE TABLE shop.t (a TEXT);'
        "INSERT INTO shop.t VALUES ('first ö')"
    )
    said: list[str] = []
    made = backups.make(seam(machine), tmp_path / 'b', NOW, said.append)
    assert 'shop' in made.databases
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert said[0].startswith('dumping')
    machine.root("INSERT INTO shop.t VALUES ('later'); CREATE TABLE shop.u (a INT)")
    backups.restore(seam(machine), made.path, said.append)
    assert machine.root('SELECT a FROM shop.t') == 'first ö'
    assert machine.root('SHOW TABLES IN shop') == 't'
    (line,) = backups.found(tmp_path / 'b')
    assert line == f'{made.path.name} {made.bytes} {made.sha256}'


def hold(machine: Machine, table: str) -> subprocess.Popen[str]:
    """A client in the middle of a transaction that has read *table*, as a service at rest often is."""
    machine.root("CREATE USER IF NOT EXISTS 'idle'@'%'; GRANT SELECT ON *.* TO 'idle'@'%'")
    client = subprocess.Popen(
        (
            *('podman', 'exec', '-i', machine.name),
            *('mariadb', '--protocol=tcp', '-h', machine.address, '-u', 'idle', '--unbuffered'),
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdin
    assert client.stdout
    client.stdin.write(f"START TRANSACTION; SELECT * FROM {table}; SELECT 'holding';\n")  # noqa: S608 -- a name of our own
    client.stdin.flush()
    while 'holding' not in client.stdout.readline():
        pass
    return client


def test_a_restore_does_not_wait_for_a_service_that_waits_for_it(
    machine: Machine, tmp_path: pathlib.Path
):
    machine.root('CREATE DATABASE IF NOT EXISTS held; CREATE TABLE IF NOT EXISTS held.t (a INT)')
    made = backups.make(seam(machine), tmp_path, NOW, lambda _: None)
    client = hold(machine, 'held.t')
    try:
        backups.restore(seam(machine), made.path, lambda _: None)
    finally:
        client.kill()
        client.communicate()


def test_without_that_it_would_wait(
    machine: Machine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    """The twin: the client above does hold the table."""
    machine.root('CREATE DATABASE IF NOT EXISTS held; CREATE TABLE IF NOT EXISTS held.t (a INT)')
    made = backups.make(seam(machine), tmp_path, NOW, lambda _: None)
    monkeypatch.setattr(server, 'disconnect_clients', lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(backups, '_LOCK_WAIT_S', 2)
    client = hold(machine, 'held.t')
    try:
        with pytest.raises(backups.BackupError, match='Lock wait timeout'):
            backups.restore(seam(machine), made.path, lambda _: None)
    finally:
        client.kill()
        client.communicate()
    backups.restore(seam(machine), made.path, lambda _: None)


def test_a_damaged_backup_changes_nothing(machine: Machine, tmp_path: pathlib.Path):
    machine.root('CREATE DATABASE IF NOT EXISTS kept; CREATE TABLE IF NOT EXISTS kept.t (a INT)')
    made = backups.make(seam(machine), tmp_path, NOW, lambda _: None)
    whole = made.path.read_bytes()
    made.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(backups.BackupError, match='damaged'):
        backups.restore(seam(machine), made.path, lambda _: None)
    with gzip.open(made.path, 'wb') as f:
        f.write(b'DROP DATABASE kept;')
    with pytest.raises(backups.BackupError, match='does not end'):
        backups.restore(seam(machine), made.path, lambda _: None)
    assert machine.root("SHOW DATABASES LIKE 'kept'") == 'kept'


def test_a_backup_that_the_server_refuses_says_so(machine: Machine, tmp_path: pathlib.Path):
    path = tmp_path / 'x.sql.gz'
    with gzip.open(path, 'wb') as f:
        f.write(b'SELEC 1;\n-- Dump completed\n')
    with pytest.raises(backups.BackupError, match='syntax'):
        backups.restore(seam(machine), path, lambda _: None)


def test_a_backup_without_a_server_leaves_no_file(
    machine: Machine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    real = server.query
    monkeypatch.setattr(server, 'query', lambda m, sql: [*real(m, sql), {'name': 'not_there'}])  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    with pytest.raises(backups.BackupError, match='not_there'):
        backups.make(seam(machine), tmp_path, NOW, lambda _: None)
    assert list(tmp_path.iterdir()) == []
