"""Nobody waits for long behind a migration of keystone's."""

from __future__ import annotations

import urllib.parse

from charmkit import migration

from charms import conftest as shared


def init_command(parameters: str) -> str:
    """What each session begins with, as oslo.db reads the option."""
    (command,) = urllib.parse.parse_qs(parameters)['init_command']
    return command


def test_the_expansion_waits_for_a_table_for_a_while_only_and_is_no_other_command():
    of = shared.load('keystone').KeystoneCharm.spec.migrations
    (command,) = migration.run(of.expand, 'keystone', 'k')
    assert command.name == 'python3 /etc/keystone/unblocked.py keystone-manage db_sync --expand'
    given = command.environment['OS_DATABASE__CONNECTION_PARAMETERS']
    assert init_command(given) == 'SET SESSION lock_wait_timeout=30'
