"""Who migrates the database, and who waits: plain values in, plain values out."""

from __future__ import annotations

import dataclasses

import hypothesis
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
