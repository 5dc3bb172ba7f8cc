"""Who migrates the database, and who waits: plain values in, plain values out."""

from __future__ import annotations

import dataclasses

import hypothesis
import pytest
from charmkit import migration, relations, state
from charmkit.relations import wire
from hypothesis import strategies as st

COMMANDS = migration.Commands(sync=('x db sync',), expand=('x db expand', 'x db migrate'))
OLD = migration.Schema(26, '1.0', 'there')
NEW = migration.Schema(31, '2.0', 'there')


def inputs(
    unit: str = 'x/0', *, leader: bool = True, app: migration.Schema | None = None, **peers: object
) -> state.Inputs:
    def bag(schema: object) -> dict[str, str]:
        if not isinstance(schema, migration.Schema):
            return {}
        return {migration.KEY: wire.dump(dataclasses.asdict(schema))}

    return state.Inputs(
        site=relations.Site(unit=unit, leader=leader, address='10.0.0.2'),
        peers=bag(app),
        my_peer_data=bag(peers.get('mine')),
        peer_units={'x/9': bag(peers.get('other'))},
    )


def decide(given: state.Inputs, wanted: migration.Schema) -> migration.Decision:
    return migration.decide(COMMANDS, given, user='x', wanted=wanted)


def lines(decision: migration.Decision) -> list[str]:
    return [c.name for c in decision.commands]


def test_the_leader_migrates_a_fresh_database_in_one_go_and_says_so():
    got = decide(inputs(), OLD)
    assert lines(got) == ['x db sync']
    assert got.usable
    assert migration.read(got.app_data[migration.KEY]) == dataclasses.replace(
        OLD, least=26, online=26
    )


def test_it_does_not_migrate_again_for_what_was_migrated():
    got = decide(inputs(app=OLD), OLD)
    assert lines(got) == []
    assert got.usable


def test_what_was_migrated_stays_said_whoever_leads():
    for given in (inputs(app=OLD), inputs('x/1', app=OLD), inputs(app=OLD, other=NEW)):
        said = migration.read(decide(given, OLD).app_data[migration.KEY])
        assert said is not None
        assert said.release == (31 if given.peer_units['x/9'] else 26)
    # Of other databases nothing is known, and what was said of these is not taken back.
    elsewhere = dataclasses.replace(OLD, databases='elsewhere')
    follower = decide(inputs('x/1', leader=False, app=OLD), elsewhere)
    assert migration.read(follower.app_data[migration.KEY]) == OLD


def test_a_new_leader_does_not_repeat_what_its_predecessor_did():
    assert lines(decide(inputs('x/1', app=OLD), OLD)) == []


def test_a_follower_waits_until_it_is_done():
    assert not decide(inputs('x/1', leader=False), OLD).usable
    assert decide(inputs('x/1', leader=False, app=OLD), OLD).usable


def test_a_newer_package_is_migrated_in_a_way_that_older_units_bear():
    assert lines(decide(inputs(app=OLD), NEW)) == ['x db expand', 'x db migrate']


def test_units_of_the_old_release_serve_on_while_a_new_leader_has_migrated():
    assert decide(inputs('x/1', leader=False, app=NEW), OLD).usable


def test_an_old_leader_leaves_the_schema_of_a_newer_unit_alone():
    got = decide(inputs(app=OLD, other=NEW), OLD)
    assert lines(got) == []
    assert got.usable


def test_a_new_unit_waits_for_a_migration_while_the_leader_is_old():
    assert not decide(inputs('x/1', leader=False, app=OLD), NEW).usable


def test_a_new_unit_that_migrated_by_itself_serves():
    assert decide(inputs('x/1', leader=False, app=OLD, mine=NEW), NEW).usable


def test_another_database_server_is_migrated_from_nothing():
    elsewhere = dataclasses.replace(OLD, databases='elsewhere')
    assert lines(decide(inputs(app=OLD), elsewhere)) == ['x db sync']


@pytest.mark.parametrize('leader', [True, False])
def test_what_earlier_revisions_wrote_of_these_databases_is_known(leader: bool):
    spelt_anew = dataclasses.replace(OLD, databases='data', servers='there')
    got = decide(inputs(leader=leader, app=OLD), spelt_anew)
    assert got.usable
    assert lines(got) == []
    assert migration.read(got.app_data[migration.KEY]) == spelt_anew


def test_on_another_server_the_leader_migrates_the_same_data_again_and_all_serve_meanwhile():
    """A copy of it may be older than what was done to it, as after a backup was restored elsewhere."""
    here, there = (dataclasses.replace(OLD, servers=s) for s in ('here', 'there'))
    leads = decide(inputs(app=here), there)
    assert lines(leads) == ['x db expand', 'x db migrate']
    assert leads.usable
    follows = decide(inputs('x/1', leader=False, app=here), there)
    assert lines(follows) == []
    assert follows.usable
    said = migration.read(leads.app_data[migration.KEY])
    assert said is not None
    assert lines(decide(inputs(app=said), there)) == []


def test_nothing_is_migrated_before_the_package_is_there():
    got = decide(inputs(), dataclasses.replace(OLD, version=''))
    assert lines(got) == []
    assert not got.usable


def test_a_command_that_died_runs_again_and_one_that_ended_does_not():
    first, *_ = decide(inputs(), OLD).commands
    again, *_ = decide(inputs(), OLD).commands
    assert first.key == again.key


def ordered(kind: migration.Kind, given: state.Inputs, wanted: migration.Schema):
    order = migration.Order(steps=('x db order',), kind=kind, id='7')
    return migration.decide(COMMANDS, given, user='x', wanted=wanted, order=order)


def kept(decision: migration.Decision) -> migration.Schema | None:
    return migration.read(decision.unit_data.get(migration.KEY, ''))


SYNCED = dataclasses.replace(OLD, least=26, online=26)
EXPANDED = dataclasses.replace(NEW, least=26, online=26)
CONTRACTED = dataclasses.replace(NEW, least=31, online=31)


def test_a_new_units_expand_is_for_both_releases_until_the_contraction():
    expanded = ordered('expand', inputs('x/1', leader=False, app=SYNCED), NEW)
    assert kept(expanded) == EXPANDED
    moved = ordered('online', inputs('x/1', leader=False, app=EXPANDED), NEW)
    assert kept(moved) == dataclasses.replace(EXPANDED, online=31)
    contracted = ordered('contract', inputs('x/1', leader=False, app=kept(moved)), NEW)
    assert kept(contracted) == CONTRACTED


def test_an_old_unit_serves_on_an_expanded_schema_and_not_on_a_contracted_one():
    assert decide(inputs(leader=False, app=EXPANDED), OLD).usable
    for leader in (True, False):
        got = decide(inputs(leader=leader, app=EXPANDED, other=CONTRACTED), OLD)
        assert not got.usable
        assert 'contracted' in got.message
        assert lines(got) == []


def test_an_old_leader_remembers_what_a_new_unit_did_when_that_unit_is_gone():
    with_it = decide(inputs(app=SYNCED, other=EXPANDED), OLD)
    assert migration.read(with_it.app_data[migration.KEY]) == EXPANDED
    patched = dataclasses.replace(OLD, version='1.1')
    assert lines(decide(inputs(app=EXPANDED), patched)) == []
    # Had it forgotten, it would migrate for the older release.
    assert lines(decide(inputs(app=SYNCED), patched)) == ['x db expand', 'x db migrate']


def test_a_new_unit_is_told_what_it_waits_for():
    assert 'db-expand' in decide(inputs('x/1', leader=False, app=SYNCED), NEW).message
    assert decide(inputs('x/1', leader=False), NEW).message.startswith('waiting for the leader')


def test_a_leader_of_the_new_release_expands_and_leaves_the_old_ones_in_service():
    got = decide(inputs('x/1', app=SYNCED), NEW)
    assert lines(got) == ['x db expand', 'x db migrate']
    assert migration.read(got.app_data[migration.KEY]) == EXPANDED


def test_what_units_had_written_before_they_knew_of_this_serves_as_it_did():
    assert migration.read('{"release": 31, "version": "2.0", "databases": "there"}') == NEW
    assert decide(inputs(leader=False, app=NEW), OLD).usable


schemas = st.builds(
    migration.Schema, st.sampled_from([26, 31]), st.sampled_from(['1', '2']), st.just('there')
)


@hypothesis.given(st.none() | schemas, st.none() | schemas, schemas)
def test_two_units_never_both_migrate_and_the_leader_always_gets_there(
    app: migration.Schema | None, other: migration.Schema | None, wanted: migration.Schema
):
    leader = decide(inputs(app=app, other=other), wanted)
    follower = decide(inputs('x/1', leader=False, app=app, other=other), wanted)
    assert follower.commands == ()
    assert leader.usable
    after = migration.read(leader.app_data.get(migration.KEY, '')) or other
    assert after is not None
    assert decide(inputs('x/1', leader=False, app=after, other=other), wanted).usable


def test_what_a_unit_has_done_it_goes_on_saying():
    """Whether it waits, serves or migrates: who asks what was done asks all units."""
    for leader, wanted in ((False, NEW), (False, OLD), (True, OLD), (True, NEW)):
        got = decide(inputs(leader=leader, mine=OLD), wanted)
        assert migration.read(got.unit_data[migration.KEY]) == OLD, (leader, wanted)


def test_one_that_has_done_nothing_and_waits_says_nothing():
    got = decide(inputs('x/1', leader=False), NEW)
    assert not got.usable
    assert got.message
    assert migration.read(got.unit_data.get(migration.KEY, '')) is None
    assert decide(inputs('x/1', leader=False, app=OLD), OLD).message == ''


def test_with_nothing_to_migrate_there_is_nothing_to_say():
    nothing = migration.decide(migration.Commands(), inputs(mine=OLD), user='x', wanted=OLD)
    assert nothing == migration.Decision(usable=True, done=True)


# What the database refuses.

READ_ONLY = (
    'The MariaDB server is running with the --read-only option so it cannot execute this statement'
)
TRACEBACK = """Traceback (most recent call last):
  File "/usr/bin/x-manage", line 10, in <module>
sqlalchemy.exc.OperationalError: (pymysql.err.OperationalError) {}
[SQL: CREATE TABLE a (id INTEGER, b VARCHAR(64))]
(Background on this error at: https://sqlalche.me/e/14/e3q8)
"""


def refused(said: str, given: state.Inputs, wanted: migration.Schema) -> migration.Decision:
    """What is decided once the first command has said that."""
    first = decide(given, wanted)
    unrun = {first.commands[0].name: said}
    return decide(dataclasses.replace(given, unrun=unrun), wanted)


def test_what_the_database_refuses_is_told_in_its_words_and_tried_again():
    said = TRACEBACK.format(f"(1290, '{READ_ONLY}')")
    got = refused(said, inputs(), OLD)
    assert (got.usable, got.done, got.commands, dict(got.app_data)) == (False, False, (), {})
    assert (got.kind, got.message) == (
        'blocked',
        f'x db sync has not migrated the database: MariaDB says {READ_ONLY} (1290); the end of its output is in '
        'juju debug-log, more in /var/log/x; it is tried again by itself',
    )
    assert lines(decide(inputs(), OLD)) == ['x db sync'], 'the next run has nothing left of it'
    assert all(c.may_fail for c in decide(inputs(), OLD).commands)


@pytest.mark.parametrize(
    ('error', 'words', 'kind'),
    [
        ("(1205, 'Lock wait timeout exceeded; try restarting transaction')",
         'Lock wait timeout exceeded; try restarting transaction (1205)', 'waiting'),
        ("(2003, \"Can't connect to MySQL server on '10.0.0.5' ([Errno 111] Connection refused)\")",
         "Can't connect to MySQL server on '10.0.0.5' ([Errno 111] Connection refused) (2003)", 'waiting'),
        ("(1045, \"Access denied for user 'x'@'10.0.0.2' (using password: YES)\")",
         "Access denied for user 'x'@'10.0.0.2' (using password: YES) (1045)", 'blocked'),
        ('(1030, \'Got error 28 "No space left on device" from storage engine InnoDB\')',
         'Got error 28 "No space left on device" from storage engine InnoDB (1030)', 'blocked'),
        ("(1114, \"The table 'a' is full\")", "The table 'a' is full (1114)", 'blocked'),
    ],
)  # fmt: skip
def test_what_passes_is_waited_for_and_the_rest_needs_somebody(
    error: str, words: str, kind: state.Kind
):
    got = migration.failure({'x db sync': TRACEBACK.format(error)}, 'x')
    assert (got.kind, got.message.partition('MariaDB says ')[2].partition('; the end')[0]) == (
        kind,
        words,
    )


@pytest.mark.parametrize(
    ('said', 'words'),
    [
        ('', 'it does not say why'),
        ('Traceback\n  File\nImportError: no x\n', 'ImportError: no x'),
        ('bad mysql+pymysql://x:pw@db/x\n(Background on this)\n', 'bad mysql+pymysql://…@db/x'),
        ('x' * 1000, 'x' * 300 + '…'),
        ('ERROR: (12, unclosed', 'ERROR: (12, unclosed'),
    ],
)
def test_what_says_nothing_of_mariadb_says_its_last_line_and_no_password(said: str, words: str):
    got = migration.failure({'x db sync': said}, 'x')
    assert got.kind == 'blocked'
    assert got.message.startswith(f'x db sync has not migrated the database: {words}; ')


def test_an_error_that_was_met_before_the_last_traceback_is_not_the_reason():
    logged = "WARNING x (2013, 'Lost connection to server during query'), reconnecting\n"
    said = f'{logged}Traceback (most recent call last):\n  File "x"\nImportError: no x\n'
    got = migration.failure({'x db sync': said}, 'x')
    assert got.kind == 'blocked'
    assert got.message.startswith('x db sync has not migrated the database: ImportError: no x; ')


@pytest.mark.parametrize('tail', ["'", '"', "\\'", '(1, '])
def test_no_output_takes_long_to_read(tail: str):
    """It is linear: this would not end otherwise."""
    migration.failure({'x': f'(1, {tail}' * 16_000}, 'x')


def test_a_unit_whose_schema_serves_goes_on_with_it_while_a_migration_is_refused():
    newer = dataclasses.replace(OLD, version='1.1')
    got = refused('no', inputs(app=OLD), newer)
    assert (got.usable, got.done) == (True, False)
    assert migration.read(got.app_data[migration.KEY]) == OLD
    expanded = refused('no', inputs(app=OLD), NEW)
    assert (expanded.usable, migration.read(expanded.app_data[migration.KEY])) == (False, OLD)
