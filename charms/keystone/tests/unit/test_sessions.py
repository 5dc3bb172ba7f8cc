"""What keystone's sessions are told, so that no migration waits for them, and nobody for a migration."""

from __future__ import annotations

import re
import urllib.parse

import settings
from charmkit import migration

from charms import conftest as shared


def init_command(parameters: str) -> str:
    """What each session begins with, as oslo.db reads the option."""
    (command,) = urllib.parse.parse_qs(parameters)['init_command']
    return command


def test_a_session_that_is_left_open_is_ended_by_mariadb_and_mysql_reads_no_word_of_it():
    command = init_command(settings._SESSIONS)  # pyright: ignore[reportPrivateUsage]
    both = re.sub(r'/\*M!\d+(.*?)\*/', r'\1', command)
    assert 'idle_readonly_transaction_timeout=3' in both
    assert re.sub(r'/\*.*?\*/', '', command).strip() == 'SET SESSION lock_wait_timeout=60'


def test_the_expansion_waits_for_a_table_for_a_while_only_and_is_no_other_command():
    of = shared.load('keystone').KeystoneCharm.spec.migrations
    (command,) = migration.run(of.expand, 'keystone', 'k')
    assert command.name == 'keystone-manage db_sync --expand'
    given = command.environment['OS_DATABASE__CONNECTION_PARAMETERS']
    assert init_command(given) == 'SET SESSION lock_wait_timeout=30'
