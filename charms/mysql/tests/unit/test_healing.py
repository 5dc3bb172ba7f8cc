"""What happens outside of the charm: to the server, its disk, its accounts, its data."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import grants
import pytest
from charmkit import testing as machines
from ops import testing

from . import sql
from .test_charm import SEED, ctx, database, machine, nova, served

__all__ = ('ctx', 'database', 'machine')
Ctx = testing.Context[Any]
AT = ('nova', '10.0.0.7')


def glance() -> testing.Relation:
    asked = {'database': 'glance', 'username': 'glance', 'hostname': '10.0.0.8'}
    return testing.Relation('shared-db', remote_app_name='glance', remote_units_data={0: asked})


def said(state: testing.State, app: str = 'nova') -> dict[str, str]:
    return dict(shared_db(state, app).local_unit_data)


def shared_db(state: testing.State, app: str = 'nova') -> testing.Relation:
    related = cast('list[testing.Relation]', state.get_relations('shared-db'))
    return next(r for r in related if r.remote_app_name == app)


def hook(ctx: Ctx, state: testing.State) -> testing.State:
    return ctx.run(ctx.on.update_status(), state)


@pytest.fixture
def settled(ctx: Ctx) -> testing.State:
    """A server that has answered nova."""
    return hook(ctx, served(nova()))


def test_a_database_is_made_for_every_character(settled: testing.State, database: sql.Server):
    assert {c for c, _ in database.databases.values()} == {'utf8mb4'}
    assert database.old_mode == ''


def test_a_database_of_the_old_kind_goes_on_as_it_was_and_is_told(
    ctx: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    database.databases['nova'] = ['utf8mb3', '']
    out = hook(ctx, served(nova()))
    assert database.old_mode == 'UTF8_IS_UTF8MB3'
    assert 'old_mode = UTF8_IS_UTF8MB3' in machine.file(
        '/etc/mysql/mariadb.conf.d/91-charm-characters.cnf'
    )
    assert out.unit_status == testing.ActiveStatus(
        'of characters like emoji these hold none (utf8mb3): nova'
    )


def test_a_generation_is_told_and_stays_while_the_data_does(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    before = said(settled)
    assert len({before['nova_generation'], before['novaapi_generation']}) == 2
    database.tables['nova'] = (57,)  # The client has migrated.
    out = hook(ctx, hook(ctx, settled))
    assert said(out) == before
    assert database.databases['nova'][1].endswith(' 57 1')


def restored(server: sql.Server) -> None:
    server.tables['nova'] = (900,)


def dropped(server: sql.Server) -> None:
    server.databases['nova'] = ['utf8mb4', '']


def of_another_server(server: sql.Server) -> None:
    server.databases['nova'][1] = 'generation 0123456789abcdef 12 1'
    server.tables['nova'] = (901,)


def anew(server: sql.Server) -> None:
    server.databases.clear()
    server.tables.clear()


@pytest.mark.parametrize('change', [restored, dropped, of_another_server, anew])
def test_a_generation_is_new_when_the_data_is_not_what_it_was(
    ctx: Ctx, settled: testing.State, database: sql.Server, change: Any
):
    database.tables |= {'nova': (57,), 'nova_api': (60,)}
    settled = hook(ctx, settled)
    before = said(settled)
    change(database)
    out = hook(ctx, settled)
    assert said(out)['nova_generation'] != before['nova_generation']
    # What was not touched is what it was, unless all of it is gone.
    same = said(out)['novaapi_generation'] == before['novaapi_generation']
    assert same == (change is not anew)
    assert said(hook(ctx, out)) == said(out)


def test_what_an_operator_wrote_of_a_database_stays(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    database.databases['nova'][1] = 'of the finance cloud'
    out = hook(ctx, settled)
    assert database.databases['nova'][1].startswith('of the finance cloud generation ')
    assert said(out)['nova_generation'] in database.databases['nova'][1]


def test_a_server_that_somebody_stopped_is_started_and_the_status_says_so(
    ctx: Ctx, settled: testing.State, machine: machines.FakeMachine
):
    settled = hook(ctx, settled)
    assert settled.unit_status == testing.ActiveStatus()
    machine.steps.clear()
    machine.seen = dataclasses.replace(machine.seen, active=frozenset[str]())
    machine.clock = 1_796_000_000.0
    out = hook(ctx, settled)
    assert machine.steps == ['start mariadb']
    told = testing.ActiveStatus('mariadb was found stopped and was started again at 00:53 UTC')
    assert out.unit_status == told
    machine.clock += 1800
    assert (out := hook(ctx, out)).unit_status == told
    machine.clock += 1801
    assert hook(ctx, out).unit_status == testing.ActiveStatus()


def test_a_server_that_does_not_come_up_is_told_and_what_was_answered_stays(
    ctx: Ctx, settled: testing.State, machine: machines.FakeMachine
):
    machine.seen = dataclasses.replace(machine.seen, active=frozenset[str]())
    machine.failing = frozenset({'mariadb'})
    out = hook(ctx, settled)
    assert out.unit_status.name == 'blocked'
    assert 'mariadb does not run' in out.unit_status.message
    assert said(out) == said(settled)


def test_a_server_that_does_not_answer_is_told_and_what_was_answered_stays(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    database.down = True
    out = hook(ctx, settled)
    assert out.unit_status == testing.BlockedStatus(
        "the server refused: ERROR 2002 (HY000): Can't connect to local server"
    )
    assert said(out) == said(settled)


def test_a_server_that_refuses_all_writes_is_told(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    database.read_only = '1'
    out = hook(ctx, settled)
    assert out.unit_status == testing.BlockedStatus(
        'the server refuses all writes (read_only is on)'
    )


def test_a_full_disk_is_told_by_name(ctx: Ctx, settled: testing.State, database: sql.Server):
    database.df = sql.DF + '100000000000 200000000 1000 900 /var/lib/mysql\n'
    out = hook(ctx, settled)
    assert out.unit_status == testing.BlockedStatus(
        'the file system /var/lib/mysql is full (191 MiB of 93.1 GiB left)'
    )


def test_a_full_disk_is_told_while_the_server_is_down_too(
    ctx: Ctx, settled: testing.State, database: sql.Server, machine: machines.FakeMachine
):
    database.df = sql.DF + '100000000000 0 1000 900 /var/lib/mysql\n'
    machine.seen = dataclasses.replace(machine.seen, active=frozenset[str]())
    machine.failing = frozenset({'mariadb'})
    out = hook(ctx, settled)
    assert 'the file system /var/lib/mysql is full' in out.unit_status.message
    assert 'mariadb does not run' in out.unit_status.message


def test_a_password_that_was_changed_outside_is_changed_back(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    right = database.accounts[AT]
    database.accounts[AT] = ('*THEIRS',)
    hook(ctx, settled)
    assert database.accounts[AT] == right
    database.accounts[AT] = (*right, '*ANOTHER')
    hook(ctx, settled)
    assert database.accounts[AT] == right


def test_a_grant_that_was_made_smaller_is_made_whole_again(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    database.rights[(*AT, 'nova_api')].discard('Drop_priv')
    hook(ctx, settled)
    assert database.rights[(*AT, 'nova_api')] == {*sql.PRIVILEGES}


def test_a_statement_that_is_refused_hurts_only_who_asked_for_it(ctx: Ctx, database: sql.Server):
    database.refusing = '`glance`'
    out = hook(ctx, served(nova(), glance()))
    assert 'db_host' in said(out)
    assert 'db_host' not in said(out, 'glance')
    assert out.unit_status.message.startswith('the server refused: ERROR 1030')
    database.refusing = ''
    out = hook(ctx, out)
    assert 'db_host' in said(out, 'glance')
    assert out.unit_status == testing.ActiveStatus()


@pytest.mark.parametrize(
    'change', [{'nova_hostname': ''}, {'nova_hostname': 'x'}, {'nova_database': 'mysql'}]
)
def test_a_request_that_goes_bad_loses_nothing(
    ctx: Ctx, settled: testing.State, database: sql.Server, change: dict[str, str]
):
    accounts, rights = dict(database.accounts), dict(database.rights)
    out = hook(ctx, asking(settled, change))
    assert (database.accounts, database.rights) == (accounts, rights)
    assert said(out) == said(settled)
    assert out.unit_status.name == 'blocked'
    assert out.unit_status.message.endswith('; what it asked for before stays in force')
    # Twice is no different: what is kept is kept.
    assert said(hook(ctx, out)) == said(settled)


ENDS_SESSIONS = ('charm-sessions', 'localhost')
"""Nobody logs in to it."""


def test_a_unit_that_departs_loses_its_account(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    relation = shared_db(settled)
    left = dataclasses.replace(relation, remote_units_data={})
    peer = settled.get_relations('peers')[0]
    out = hook(ctx, dataclasses.replace(settled, relations={left, peer}))
    assert database.accounts.keys() == {ENDS_SESSIONS}
    assert database.executors == {ENDS_SESSIONS}
    assert 'db_host' not in said(out)


def test_while_others_of_its_user_are_there_it_loses_it_only_when_time_has_passed(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    relation = shared_db(settled)
    second = {**relation.remote_units_data[0], 'hostname': '10.0.0.17'}
    second |= {'nova_hostname': '10.0.0.17', 'novaapi_hostname': '10.0.0.17'}
    both = dataclasses.replace(
        relation, remote_units_data={**relation.remote_units_data, 1: second}
    )
    peer = settled.get_relations('peers')[0]
    settled = hook(ctx, dataclasses.replace(settled, relations={both, peer}))
    assert database.accounts.keys() >= {AT, ('nova', '10.0.0.17')}
    left = dataclasses.replace(both, remote_units_data={0: both.remote_units_data[0]})
    state = dataclasses.replace(settled, relations={left, peer})
    # It still serves: Juju tells of it as soon as it is to go.
    out = ctx.run(ctx.on.relation_departed(left, remote_unit=1, departing_unit=1), state)
    assert ('nova', '10.0.0.17') in database.accounts
    hook(ctx, out)
    assert AT in database.accounts
    assert ('nova', '10.0.0.17') not in database.accounts


def asking(state: testing.State, change: dict[str, str]) -> testing.State:
    relation = shared_db(state)
    asked = {**relation.remote_units_data[0], **change}
    changed = dataclasses.replace(relation, remote_units_data={0: asked})
    return dataclasses.replace(state, relations={changed, *state.get_relations('peers')})


def rotate(ctx: Ctx, state: testing.State, **params: Any) -> testing.State:
    return ctx.run(ctx.on.action('rotate-password', params=params), state)


def hashes(turn: int) -> tuple[str, ...]:
    return grants.Keys(SEED, {'nova': turn}).hashes('nova')


def test_a_rotation_lets_both_passwords_in_until_its_time_is_over(
    ctx: Ctx, settled: testing.State, database: sql.Server, machine: machines.FakeMachine
):
    out = rotate(ctx, settled, user='nova')
    assert ctx.action_results == {
        'users': 'nova',
        'former-passwords-until': '2027-01-15T09:00:00Z',
    }
    assert said(out)['nova_password'] == grants.Keys(SEED, {'nova': 1}).password('nova')
    assert said(out)['nova_password'] != said(settled)['nova_password']
    assert database.accounts[AT] == (*hashes(1), *hashes(0))
    machine.clock += 3599
    out = hook(ctx, out)
    assert database.accounts[AT] == (*hashes(1), *hashes(0))
    machine.clock += 1
    out = hook(ctx, out)
    assert database.accounts[AT] == hashes(1)
    assert said(out)['nova_password'] == grants.Keys(SEED, {'nova': 1}).password('nova')


def test_a_rotation_that_died_before_its_hook_ended_has_changed_nothing_for_good(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    rotate(ctx, settled, user='nova')
    assert hashes(0)[0] in database.accounts[AT]  # Everybody still has this one.
    out = hook(ctx, settled)  # What Juju has is what was before the action.
    assert database.accounts[AT] == hashes(0)
    assert said(out) == said(settled)


def test_a_second_rotation_waits_for_the_first_or_is_forced(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    out = rotate(ctx, settled)
    with pytest.raises(testing.ActionFailed, match='nova was rotated before, and its password'):
        rotate(ctx, out)
    rotate(ctx, out, user='nova', **{'overlap-minutes': 0})
    assert database.accounts[AT] == hashes(2)


@pytest.mark.parametrize(
    ('params', 'reason'),
    [
        ({'user': 'root'}, "No related application has a user 'root'; there are: nova"),
        ({'overlap-minutes': -1}, 'overlap-minutes is -1: set it from 0 to 10080'),
    ],
)
def test_a_rotation_of_nonsense_is_refused(
    ctx: Ctx, settled: testing.State, params: dict[str, Any], reason: str
):
    with pytest.raises(testing.ActionFailed, match=reason):
        rotate(ctx, settled, **params)


def test_a_rotation_that_the_server_refuses_fails_and_the_old_password_stays(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    database.refusing = 'ALTER USER'
    with pytest.raises(testing.ActionFailed, match='No password was rotated: ERROR 1030'):
        rotate(ctx, settled)
    assert database.accounts[AT] == hashes(0)


def test_a_user_whose_password_was_rotated_is_dropped_when_it_leaves(
    ctx: Ctx, settled: testing.State, database: sql.Server
):
    out = rotate(ctx, settled)
    peer = out.get_relations('peers')[0]
    hook(ctx, dataclasses.replace(out, relations={peer}))
    assert database.accounts.keys() == {ENDS_SESSIONS}
    assert database.executors == {ENDS_SESSIONS}
