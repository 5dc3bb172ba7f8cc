"""An expansion beside keystones that serve, each with an account of its own, and what they leave open in its way."""

from __future__ import annotations

import importlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import settings

from tools import systems

from .test_keystone import ALTERS, Machine, removed, serving

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(1500)]

MYSQL = pathlib.Path(__file__).parents[3] / 'mysql' / 'src'
SOCKET = 'mysql+pymysql://keystone:pw@/keystone?unix_socket=/run/mysqld/mysqld.sock'
"""By way of another account than the keystone that serves, as another unit's is."""
KEYSTONE_CONF = '/etc/keystone/keystone.conf'
CONFIG = """\
[DEFAULT]
[database]
connection = mysql+pymysql://keystone:pw@{address}/keystone
[fernet_tokens]
key_repository = /etc/keystone/fernet-keys
"""


@pytest.fixture(scope='module', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    name = f'rambla-expansion-test-{request.param}-{os.getpid()}'
    with removed(name):
        machine = serving(name, request.param)
        machine.shell(
            'tee', '/etc/mysql/mariadb.conf.d/90-charm.cnf',
            input='[mariadbd]\nskip-name-resolve\nbind-address = 0.0.0.0\n',
        )  # fmt: skip
        machine.shell('systemctl', 'restart', 'mariadb')
        machine.shell(
            'mariadb', '-e', "GRANT ALL ON keystone.* TO keystone@localhost IDENTIFIED BY 'pw'"
        )
        machine.shell('tee', '/opt/alters', input=ALTERS)
        machine.shell('chmod', '755', '/opt/alters')
        uncached(machine)
        yield machine


@pytest.fixture(scope='module')
def newer(request: pytest.FixtureRequest, machine: Machine) -> Iterator[Machine]:
    """A unit of the newer release, not in service yet, whose database is *machine*'s."""
    if not machine.shell('cat', '/etc/debian_version').startswith('12'):
        pytest.skip('there is no newer base than Debian 13 to expand from')
    name = f'rambla-expansion-test-newer-{os.getpid()}'
    with removed(name):
        newer = Machine(name, systems.start(name, systems.base('debian-13')), {})
        newer.shell('apt-get', 'update', '-q')
        newer.shell(
            'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y', '-q',
            '--no-install-recommends', 'keystone', 'python3-pymysql',
        )  # fmt: skip
        newer.shell('tee', KEYSTONE_CONF, input=CONFIG.format(address=machine.address))
        source = pathlib.Path(settings.__file__).with_name('unblocked_migration.py').read_text()
        newer.shell('tee', settings.UNBLOCKED, input=source)
        machine.shell(
            'mariadb', '-e',
            f"GRANT ALL ON keystone.* TO keystone@'{newer.address}' IDENTIFIED BY 'pw'",
        )  # fmt: skip
        yield newer


def statements(*hosts: str) -> str:
    """What the mysql charm says to a server that has none of it."""
    sys.path.insert(0, str(MYSQL))
    try:
        grants: Any = importlib.import_module('grants')
        idle_sessions: Any = importlib.import_module('idle_sessions')
    finally:
        sys.path.remove(str(MYSQL))
    callers = [grants.Account('keystone', host) for host in hosts]
    return '\n'.join(s.sql for s in idle_sessions.plan(callers, idle_sessions.Observed(), {}))


def migrate(
    machine: Machine, *argv: str, patience_s: int, connection: str = ''
) -> subprocess.Popen[str]:
    """Begin the charm's expansion with *argv* in keystone-manage's place."""
    begins = f'init_command=SET SESSION lock_wait_timeout={patience_s}'
    where = (f'OS_DATABASE__CONNECTION={connection}',) if connection else ()
    return subprocess.Popen(
        ('podman', 'exec', '--user', 'keystone', machine.name,
         'env', f'OS_DATABASE__CONNECTION_PARAMETERS={begins}', *where, 'timeout', '400',
         *settings.EXPAND.argv[:2], *argv),
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def uncached(machine: Machine) -> None:
    """Have keystone read all from its database, as one does whose memcached is away.

    What it then leaves open is seen at every try; with the cache it depends on which answers are cached.
    """
    machine.shell(
        'sed', '-i', r'/^\[cache\]/,/^\[/s/^enabled = .*/enabled = false/', KEYSTONE_CONF
    )
    machine.shell('systemctl', 'restart', 'apache2')


def left_open(machine: Machine) -> None:
    """Have keystone's workers leave transactions open."""
    for _ in range(32):
        machine.admin()
        held = machine.shell(
            'mariadb', '--skip-column-names', '-e',
            "SELECT COUNT(*) FROM information_schema.innodb_trx JOIN information_schema.processlist "
            "ON id = trx_mysql_thread_id WHERE db = 'keystone' AND command = 'Sleep'",
        )  # fmt: skip
        if int(held) > 0:
            return
    pytest.fail('keystone leaves no transaction open')


def ended(migration: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = migration.communicate()
    return migration.returncode, said


def tokens_meanwhile(machine: Machine, migration: subprocess.Popen[str]) -> list[int]:
    """What asking for tokens is answered, from the migration's beginning to its end and once more."""
    shown = machine.action('get-admin-password')['results']
    answers: list[int] = []
    over = False
    while not over:
        over = migration.poll() is not None
        answers.append(machine.login('admin', shown['password'], 'Default', 'admin')[0])
    return answers


def test_without_the_procedure_it_gives_up_and_says_why(machine: Machine):
    """The twin, and what an older mysql charm is."""
    machine.shell('mariadb', '-e', 'DROP PROCEDURE IF EXISTS mysql.charm_end_idle_sessions')
    left_open(machine)
    status, said = ended(migrate(machine, '/opt/alters', patience_s=8, connection=SOCKET))
    assert status == 1, said
    assert 'Lock wait timeout exceeded' in said
    # The end of it is what the operator is shown.
    assert 'What keystone left open was not ended, for the database refused to' in said[-1000:]


def test_the_newer_release_would_not_go_through_without_it(machine: Machine, newer: Machine):
    machine.shell('mariadb', '-e', 'DROP PROCEDURE IF EXISTS mysql.charm_end_idle_sessions')
    left_open(machine)
    argv = ('keystone-manage', 'db_sync', '--expand')
    status, said = ended(migrate(newer, *argv, patience_s=8))
    assert status == 1, said
    assert 'Lock wait timeout exceeded' in said


def test_with_it_the_way_is_cleared_of_what_another_account_left_open(machine: Machine):
    machine.shell('mariadb', input=statements('localhost'))
    left_open(machine)
    sees = 'SELECT COUNT(*) FROM information_schema.processlist'
    seen = machine.shell('mariadb', '-ukeystone', '-ppw', '-N', '-e', sees)
    assert int(seen) == 1  # By itself it could end none of them.
    migration = migrate(machine, '/opt/alters', patience_s=60, connection=SOCKET)
    answers = tokens_meanwhile(machine, migration)
    status, said = ended(migration)
    assert status == 0, said
    assert 'idle sessions of keystone that were in the way' in said
    assert set(answers) == {201}


def test_the_newer_release_expands_beside_the_older_one_that_serves(
    machine: Machine, newer: Machine
):
    """From its own account at its own address: what failed when each unit could end its own sessions alone."""
    machine.shell('mariadb', input=statements(newer.address))
    left_open(machine)
    migration = migrate(newer, 'keystone-manage', 'db_sync', '--expand', patience_s=60)
    answers = tokens_meanwhile(machine, migration)
    status, said = ended(migration)
    assert status == 0, said
    assert 'idle sessions of keystone that were in the way' in said
    assert set(answers) == {201}
