"""The procedure by which a client ends its own idle sessions: what is there, and the statements to what is wanted."""

from __future__ import annotations

import dataclasses
from typing import Any

import grants
import idle_sessions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import sql

NOVA = [grants.Account('nova', '10.0.0.1'), grants.Account('nova', '10.0.0.2')]


def observed(server: sql.Server) -> idle_sessions.Observed:
    rights = [{'privilege': right, 'locked': '1'} for right in server.global_rights]
    executors = [{'User': u, 'Host': h} for u, h in server.executors]
    return idle_sessions.observed([server.routine] if server.routine else [], executors, rights)


def planned(
    server: sql.Server, seen: idle_sessions.Observed | None = None
) -> list[grants.Statement]:
    accounts = {grants.Account(*who): ways for who, ways in server.accounts.items()}
    return [*idle_sessions.plan(NOVA, seen or observed(server), accounts)]


def converged() -> sql.Server:
    server = sql.Server(down=False)
    said = '\n'.join(s.sql for s in planned(server))
    assert server(('mariadb', '--force'), said).status == 0
    return server


def test_one_pass_is_enough():
    assert planned(converged()) == []


@given(st.sampled_from(['definer', 'security_type', 'sql_mode', 'parameters', 'body', '']))
def test_a_procedure_that_is_another_one_is_made_anew(changed: str):
    server = converged()
    server.routine = {**server.routine, changed: 'ANOTHER'} if changed else {}
    (only,) = planned(server)
    assert only.summary == 'make the procedure that ends idle sessions'


@pytest.mark.parametrize('missing', [*NOVA, idle_sessions.DEFINER])
def test_whoever_may_not_call_it_is_let(missing: grants.Account):
    server = converged()
    server.executors.remove((missing.user, missing.host))
    (only,) = planned(server)
    assert only.sql.startswith('GRANT EXECUTE ON PROCEDURE mysql.charm_end_idle_sessions TO ')
    assert only.sql.endswith(f"'{missing.user}'@'{missing.host}';")


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({'locked': False}, 'ALTER USER IF EXISTS'),
    ({'rights': frozenset({'PROCESS'})}, 'GRANT CONNECTION ADMIN, PROCESS ON *.*'),
    ({'rights': frozenset({'PROCESS', 'CONNECTION ADMIN', 'SUPER'})}, 'REVOKE SUPER ON *.*'),
]


@pytest.mark.parametrize(('change', 'cure'), CHANGES)
def test_the_account_that_it_runs_as_can_do_that_and_no_more_and_lets_nobody_in(
    change: dict[str, Any], cure: str
):
    server = converged()
    (only,) = planned(server, dataclasses.replace(observed(server), **change))
    assert only.sql.startswith(cure)
    assert only.sql.rstrip(';').removesuffix(' ACCOUNT LOCK').count("'charm-sessions'@") == 1


def test_that_account_with_a_password_loses_it():
    server = converged()
    server.accounts['charm-sessions', 'localhost'] = ('*THEIRS',)
    (only,) = planned(server)
    assert only.sql == (
        "ALTER USER IF EXISTS 'charm-sessions'@'localhost' "
        "IDENTIFIED VIA mysql_native_password USING 'invalid' ACCOUNT LOCK;"
    )


def test_every_statement_is_one_line_as_the_client_reads_them():
    assert all('\n' not in s.sql for s in planned(sql.Server()))


def test_what_is_not_the_charms_own_stays():
    server = converged()
    server.executors.add(('operator', '10.9.9.9'))
    assert planned(server) == []
