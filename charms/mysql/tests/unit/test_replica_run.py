"""What a unit is, and says, while two series of MariaDB are side by side."""

from __future__ import annotations

import dataclasses
from typing import Any

import binary_log_node
import charmkit
import cluster_run
import former
import former_run
import galera
import galera_node
import grants
import handover
import mariadb
import mysql_run
import pytest
import relays
import replica_node
import replicas
import server
from charmkit import state
from charmkit.relations import Relation, Site
from hypothesis import given
from hypothesis import strategies as st

TIME = charmkit.Hook('update-status')
OLD, NEW = '1:10.11.6-0+deb12u1', '1:11.8.3-0+deb13u1'
SEED = 'secret:seed'
PASSWORD = 'secret:replica'
HANDED = replicas.write_handed(
    replicas.Handed(to='mysql/1', address='10.0.0.2', position='0-100-7')
)


def inputs(
    me: int = 0,
    version: str = OLD,
    *,
    leader: bool = True,
    mine: dict[str, str] | None = None,
    others: dict[str, dict[str, str]] | None = None,
    seen: dict[str, object] | None = None,
    **peers: str,
) -> charmkit.Inputs:
    address = f'10.0.0.{me + 1}'
    everywhere = {name: address for name in ('peers', 'shared-db', 'internal-backend')}
    site = Site(unit=f'mysql/{me}', leader=leader, address=address, addresses=everywhere)
    return charmkit.Inputs(
        site=site,
        peers={
            'server': 'mysql/0', 'seed': SEED, replicas.PASSWORD: PASSWORD,
            **{k.replace('_', '-'): v for k, v in peers.items()},
        },
        my_peer_data=mine or {},
        peer_units=others or {},
        secrets={SEED: {'seed': 's' * 64}, PASSWORD: {'value': 'p' * 32}},
        versions={'mariadb-server': version},
        seen=seen or {},
    )  # fmt: skip


def bag(number: int, version: str, **more: str) -> dict[str, dict[str, str]]:
    said = {'series': replicas.series(version), 'db-host': f'10.0.0.{number + 1}', **more}
    return {f'mysql/{number}': said}


def run(known: charmkit.Inputs, why: charmkit.Why = TIME) -> charmkit.Desired:
    return mysql_run.run(why, known)


def status(desired: charmkit.Desired) -> str:
    found = state.summary(desired.status)
    return f'{found.kind}: {found.message}'


@pytest.mark.parametrize(
    ('version', 'series'),
    [
        (OLD, '10.11'),
        (NEW, '11.8'),
        ('10.11.6-MariaDB', '10.11'),
        ('11.8', '11.8'),
        ('', ''),
        ('x', ''),
        ('10', ''),
    ],
)
def test_a_version_is_of_a_series(version: str, series: str):
    assert replicas.series(version) == series


def test_series_are_compared_as_numbers():
    assert replicas.newer('11.8', '10.11')
    assert replicas.newer('10.11', '10.6')
    assert not replicas.newer('10.11', '11.8')
    assert not replicas.newer('10.11', '10.11')


@given(st.text(max_size=60))
def test_nonsense_in_a_databag_hands_nothing_over(text: str):
    assert replicas.read_handed(text) is None
    known = inputs(others={'mysql/1': {'handed-over': text, 'series': text}})
    assert mariadb.server_unit(known) == 'mysql/0'


# --- The replica.


def test_a_unit_of_a_newer_series_waits_until_the_server_can_be_followed():
    out = run(inputs(1, NEW, leader=False, others=bag(0, OLD)))
    assert status(out) == 'waiting: waits until mysql/0 can be followed'
    assert out.tasks == ()
    assert not out.host.services


def test_then_it_follows_and_says_how_far_it_is_behind():
    known = inputs(1, NEW, leader=False, others=bag(0, OLD, source='mysql/1'))
    out = run(known)
    (task,) = out.tasks
    assert isinstance(task, replica_node.Follow)
    assert (task.unit, task.address) == ('mysql/0', '10.0.0.1')
    assert 'p' * 32 not in repr(task)
    (config,) = (f for f in out.host.files if f.path == replicas.REPLICATION)
    assert 'read_only = ON' in config.content
    assert (
        'log_bin' in config.content
    )  # For whoever is to follow it one day: nothing restarts for a move.
    (login,) = (f for f in out.host.files if f.path == replicas.LOGIN)
    assert login.mode == 0o600
    found = replica_node.Following(copied=True, behind=3)
    out = run(dataclasses.replace(known, seen={'follow': found}))
    assert status(out).startswith('active: follows mysql/0, 3 s behind')
    assert out.unit_data['peers']['follows'] == 'mysql/0'


@pytest.mark.parametrize(
    ('found', 'said'),
    [
        (replica_node.Following(reason='no room'), 'blocked: does not follow mysql/0: no room'),
        (replica_node.Following(copied=True), 'waiting: follows mysql/0, and does not say'),
        (
            replica_node.Following(copied=True, behind=900),
            'waiting: follows mysql/0, 900 s behind',
        ),
    ],
)
def test_one_that_does_not_follow_well_is_not_active(found: replica_node.Following, said: str):
    known = inputs(
        1, NEW, leader=False, others=bag(0, OLD, source='mysql/1'), seen={'follow': found}
    )
    assert status(run(known)).startswith(said)


def test_an_older_one_cannot_follow():
    out = run(inputs(1, OLD, leader=False, others=bag(0, NEW, source='mysql/1')))
    assert status(out).startswith(
        'blocked: MariaDB 10.11 cannot follow mysql/0, which has the newer'
    )
    assert out.tasks == ()


def test_units_of_another_series_found_no_cluster():
    others = bag(1, NEW) | bag(2, NEW)
    assert not cluster_run.is_cluster(inputs(others=others))
    assert cluster_run.is_cluster(inputs(others=bag(1, OLD) | bag(2, OLD)))
    unsaid = {'mysql/1': {'ingress-address': '10.0.0.2'}}
    assert not cluster_run.is_cluster(inputs(others=unsaid | bag(2, OLD)))


def test_a_unit_of_another_series_joins_no_cluster():
    permit = galera.write_permit(galera.Permit(turn=1, unit='mysql/0', why='found'))
    others = bag(0, OLD) | bag(1, OLD) | bag(2, OLD)
    out = run(inputs(3, NEW, leader=False, others=others, cluster=permit, series='10.11'))
    assert status(out).startswith('blocked: MariaDB 11.8 does not join a cluster of 10.11')
    assert not out.host.services


def clustered(me: int, version: str, **peers: str) -> charmkit.Inputs:
    permit = galera.write_permit(galera.Permit(turn=1, unit='mysql/0', why='found'))
    others = bag(0, OLD) | bag(1, OLD) | bag(2, OLD)
    known = inputs(me, version, others=others, cluster=permit)
    return dataclasses.replace(known, peers={**known.peers, **peers})


def test_nor_before_the_cluster_has_said_of_which_series_it_is():
    out = run(clustered(3, NEW))
    assert status(out).startswith('blocked: MariaDB 11.8 does not join a cluster of 10.11')
    assert not out.host.services


def test_as_the_leader_it_still_says_whom_clients_are_sent_to():
    before = galera.write_writer(galera.Writer('mysql/0', 3, ('mysql/0', 'mysql/1', 'mysql/2')))
    known = clustered(3, NEW, series='10.11', writer=before, next='mysql/2')
    out = run(known)
    (look,) = out.tasks
    assert isinstance(look, galera_node.ProbeMember)
    assert look.always
    assert out.app_data['peers'] == known.peers
    well = {u: galera.MemberStatus(True, True, 'x') for u in ('mysql/1', 'mysql/2')}
    alone = galera.LocalState()
    probe = galera_node.MemberProbe(here=alone, theirs=well)
    out = run(dataclasses.replace(known, seen={'look': probe}))
    writer = galera.read_writer(out.app_data['peers']['writer'])
    assert (writer.unit, writer.turn) == ('mysql/1', 4)
    assert out.app_data['peers']['cluster'] == known.peers['cluster']
    assert 'it leads the cluster and is not in it' in status(out)
    # Nobody answers: what was said stays.
    probe = galera_node.MemberProbe(here=alone, theirs={})
    out = run(dataclasses.replace(known, seen={'look': probe}))
    assert out.app_data['peers']['writer'] == before


# --- The server.


def resolved(*more: tuple[str, object]) -> dict[str, object]:
    return {handover.RESOLVE: handover.Outcome(), **dict(more)}


def test_the_server_looks_first_whether_it_has_handed_over():
    (first,) = run(inputs(others=bag(1, NEW))).tasks
    assert isinstance(first, handover.Resolve)


def test_it_lets_the_replica_follow_and_says_so():
    known = inputs(others=bag(1, NEW), seen=resolved())
    out = run(known)
    source = next(t for t in out.tasks if isinstance(t, replica_node.Source))
    assert source.addresses == {'10.0.0.1', '10.0.0.2'}
    assert relays.SERVICE in {s.name for s in out.host.services}
    assert 'source' not in out.unit_data['peers']
    out = run(dataclasses.replace(known, seen=resolved(('source', ''))))
    assert out.unit_data['peers']['source'] == 'mysql/1'
    out = run(dataclasses.replace(known, seen=resolved(('source', 'nft: no'))))
    assert status(out) == 'blocked: cannot be followed: nft: no'


def test_without_another_series_there_is_nothing_of_it():
    out = run(inputs())
    assert relays.SERVICE not in {s.name for s in out.host.services}
    assert replicas.LOGIN in {a.path for a in out.host.absent}
    assert 'retire-relay' in {t.name for t in out.tasks}


def test_clients_may_come_by_a_relay():
    asks = Relation(
        id=1, name='shared-db', app='nova',
        units={'nova/0': {'database': 'nova', 'username': 'nova', 'hostname': '10.9.0.1'}},
    )  # fmt: skip
    known = dataclasses.replace(
        inputs(others=bag(1, NEW), seen=resolved()), relations={'shared-db': (asks,)}
    )
    converge = next(t for t in run(known).tasks if t.name == 'grants')
    wanted: Any = converge
    assert {a.host for a in wanted.want.accounts} == {'10.9.0.1', '10.0.0.1'}


def switch(known: charmkit.Inputs) -> charmkit.Desired:
    return run(known, charmkit.Action('switch-over'))


@pytest.mark.parametrize(
    ('known', 'why'),
    [
        (inputs(), 'No unit of a newer base follows'),
        (inputs(others=bag(1, NEW)), 'No unit of a newer base follows'),
        (inputs(1, NEW, others=bag(0, OLD)), 'The databases are on mysql/0'),
        (
            inputs(others=bag(1, NEW, follows='mysql/0') | bag(2, NEW, follows='mysql/0')),
            'mysql/1 and mysql/2 follow this server',
        ),
    ],
)
def test_a_switch_is_refused_in_words(known: charmkit.Inputs, why: str):
    assert switch(known).failure.startswith(f'Nothing was handed over: {why}')


def test_behind_a_load_balancer_it_is_refused():
    balancer = Relation(id=2, name='internal-backend', app='lb')
    known = dataclasses.replace(
        inputs(others=bag(1, NEW, follows='mysql/0')), relations={'internal-backend': (balancer,)}
    )
    assert 'load balancer' in switch(known).failure


@pytest.mark.parametrize(
    ('unclear', 'words'),
    [(False, 'Nothing was handed over'), (True, 'Whether anybody has taken over is not known')],
)
def test_what_was_not_handed_over_is_told(unclear: bool, words: str):
    outcome = handover.Outcome(reason='it lags', unclear=unclear)
    known = inputs(
        others=bag(1, NEW, follows='mysql/0'),
        seen=resolved(('source', ''), (handover.SWITCH, outcome)),
    )
    assert switch(known).failure == f'{words}: it lags'


def test_what_was_handed_over_is_told_to_all():
    handed = replicas.read_handed(HANDED)
    outcome = handover.Outcome(handed=handed, held_s=1.25)
    known = inputs(
        others=bag(1, NEW, follows='mysql/0'),
        seen=resolved(('source', ''), (handover.SWITCH, outcome), (former.COMING, ('nova',))),
    )
    out = switch(known)
    assert out.results['server'] == 'mysql/1'
    assert out.results['held-seconds'] == '1.2'
    assert out.unit_data['peers']['handed-over'] == HANDED
    assert out.app_data['peers']['server'] == 'mysql/1'
    assert galera.read_writer(out.app_data['peers']['writer']).turn == 1
    assert (
        status(out) == 'waiting: mysql/1 has taken over; still connected through this unit: nova'
    )


def test_one_that_cannot_be_told_serves_nobody():
    known = inputs(
        others=bag(1, NEW), seen={handover.RESOLVE: handover.Outcome(reason='who knows')}
    )
    out = run(known)
    assert status(out) == 'blocked: takes no writes: who knows'
    assert [t.name for t in out.tasks] == [handover.RESOLVE]


@pytest.mark.parametrize(
    ('seen', 'words'),
    [
        (
            {handover.RESOLVE: handover.Outcome(reason='who knows')},
            'Whether anybody has taken over is not known: takes no writes: who knows',
        ),
        (resolved(), 'Nothing was handed over: '),  # The password of replicas cannot be read.
    ],
)
def test_a_switch_that_nobody_is_known_to_have_made_fails(seen: dict[str, object], words: str):
    known = inputs(others=bag(1, NEW, follows='mysql/0'), seen=seen)
    while tasks := [t for t in switch(known).tasks if t.name not in known.seen]:
        known = dataclasses.replace(known, seen={**known.seen, tasks[0].name: ()})
    assert switch(known).failure.startswith(words)
    assert switch(known).results == {}


def test_nothing_is_restored_into_a_server_that_may_have_been_followed():
    action = charmkit.Action('restore', {'file': 'x.sql.gz'})
    assert 'mysql/1 follows this unit' in run(inputs(others=bag(1, NEW)), action).failure
    assert not run(inputs(), action).failure


def test_a_server_that_closed_itself_for_a_replica_that_was_removed_looks_at_it_again():
    known = inputs(mine={'source': 'mysql/1'})
    (first,) = run(known).tasks
    assert first == handover.Resolve(here='10.0.0.1', units=frozenset())
    gone = handover.Outcome(reason='mysql/1 is no unit here any more', unclear=True)
    out = run(dataclasses.replace(known, seen={handover.RESOLVE: gone}))
    assert status(out) == 'blocked: takes no writes: mysql/1 is no unit here any more'
    assert 'shared-db' not in out.unit_data
    out = run(dataclasses.replace(known, seen=resolved()))
    assert 'source' not in out.unit_data['peers']  # It is over.
    assert 'grants' in {t.name for t in out.tasks}


def test_the_operators_word_opens_a_server_that_closed_itself():
    action = charmkit.Action('take-over')
    known = inputs(mine={'source': 'mysql/1'})
    assert handover.Open(here='10.0.0.1', forced=True) in run(known, action).tasks
    beside = inputs(mine={'source': 'mysql/1'}, others=bag(1, NEW))
    assert run(beside, action).failure.startswith('The databases are on this unit already')
    assert run(inputs(), action).failure.startswith('The databases are on this unit already')


@pytest.mark.parametrize('successor', [True, False])
def test_a_former_server_is_no_server_whether_or_not_it_sees_its_successor(successor: bool):
    others = bag(1, NEW) if successor else {}
    for recorded in ('mysql/0', 'mysql/1'):
        known = inputs(mine={'handed-over': HANDED}, others=others, server=recorded)
        out = run(known)
        assert [t.name for t in out.tasks] == [former.COMING]
        assert out.app_data['peers']['server'] == 'mysql/1'
        out = run(dataclasses.replace(known, seen={'coming': None}))
        kind = 'waiting' if successor else 'blocked'
        assert status(out).startswith(f'{kind}: mysql/1 has taken over')


def test_a_former_server_takes_over_only_when_its_successor_is_gone():
    action = charmkit.Action('take-over')
    known = inputs(mine={'handed-over': HANDED}, others=bag(1, NEW), server='mysql/1')
    assert run(known, action).failure.startswith('mysql/1 is there and has taken over')
    out = run(inputs(mine={'handed-over': HANDED}, server='mysql/1'), action)
    assert handover.Open(here='10.0.0.1', forced=True) in out.tasks
    assert 'handed-over' not in out.unit_data['peers']
    assert out.app_data['peers']['server'] == 'mysql/0'


def test_a_password_is_not_rotated_on_a_server_that_takes_no_writes():
    shut = handover.Outcome(reason='who knows', unclear=True)
    known = inputs(others=bag(1, NEW), seen={handover.RESOLVE: shut})
    asks = Relation(
        id=1, name='shared-db', app='nova',
        units={'nova/0': {'database': 'nova', 'username': 'nova', 'hostname': '10.9.0.1'}},
    )  # fmt: skip
    known = dataclasses.replace(known, relations={'shared-db': (asks,)})
    action = charmkit.Action('rotate-password', {'overlap-minutes': 60})
    assert run(known, action).failure == 'No password was rotated: takes no writes: who knows'


def test_a_leader_that_has_no_part_chooses_the_password_of_replicas():
    known = inputs(1, OLD, others=bag(0, OLD) | bag(2, NEW))
    peers = {k: v for k, v in known.peers.items() if k != replicas.PASSWORD}
    out = run(dataclasses.replace(known, peers=peers))
    assert status(out).startswith('waiting: the databases are on mysql/0')
    assert replicas.PASSWORD in out.app_data['peers']
    assert replicas.PASSWORD in out.secrets


def test_a_copy_that_is_being_made_needs_the_whole_binary_log():
    def bound(**said: str) -> int:
        tasks = run(inputs(others=bag(1, NEW, **said), seen=resolved())).tasks
        return next(t.bounds.bytes for t in tasks if isinstance(t, binary_log_node.KeepBounds))

    assert bound() == 0
    assert bound(follows='mysql/0') == 2048 << 20


def test_what_is_taken_over_keeps_its_marks():
    known = dataclasses.replace(inputs(1, NEW, server='mysql/1'), memory={'copied': True})
    converge = next(t for t in run(known).tasks if isinstance(t, server.Converge))
    assert converge.known == {}
    out = run(dataclasses.replace(known, seen={server.CONVERGE: server.Report()}))
    assert out.memory['copied'] is False
    out = run(dataclasses.replace(known, seen={server.CONVERGE: server.Report(refused='x')}))
    assert 'copied' not in out.memory
    converge = next(t for t in run(inputs()).tasks if isinstance(t, server.Converge))
    assert converge.known is None


def test_a_cluster_has_no_relays():
    beside = inputs(others=bag(1, NEW))
    assert replicas.sources(beside)
    clustered = dataclasses.replace(beside, peers={**beside.peers, 'cluster': 'some'})
    assert replicas.sources(clustered) == ()


# --- After it.


@pytest.mark.parametrize('leader', [True, False])
def test_the_new_server_answers_clients_with_a_higher_turn(leader: bool):
    known = inputs(1, NEW, leader=leader, others=bag(0, OLD, **{'handed-over': HANDED}))
    assert mariadb.server_unit(known) == 'mysql/1'
    assert mariadb.writer(known, 'mysql/1').turn == 1
    out = run(known)
    assert handover.OPENED in {t.name for t in out.tasks}
    assert out.app_data['peers']['server'] == 'mysql/1'
    # And no more, once the leader has written it down.
    later = inputs(
        1, NEW, leader=leader, others=bag(0, OLD, **{'handed-over': HANDED}), server='mysql/1',
        writer=galera.write_writer(galera.Writer('', 1, ())),
    )  # fmt: skip
    assert mariadb.writer(later, 'mysql/1').turn == 1


@pytest.mark.parametrize(
    ('coming', 'said'),
    [
        (
            (),
            'maintenance: mysql/1 has taken over, and no client is connected through this unit: remove it',
        ),
        (
            ('keystone', 'nova'),
            'waiting: mysql/1 has taken over; still connected through this unit: keystone nova',
        ),
        (None, 'waiting: mysql/1 has taken over, and does not answer now: keep both units'),
    ],
)
def test_a_former_server_says_who_comes_by_it(coming: object, said: str):
    known = inputs(
        mine={'handed-over': HANDED}, others=bag(1, NEW), server='mysql/1', seen={'coming': coming}
    )
    out = run(known)
    assert status(out) == said
    assert 'shared-db' not in out.unit_data
    drained = run(known, charmkit.Action('drain'))
    assert bool(drained.failure) == (coming != ())


def test_a_server_is_not_drained():
    assert run(inputs(), charmkit.Action('drain')).failure.startswith('This unit is no former')


def test_two_never_take_writes_by_take_over():
    known = inputs(1, NEW, others=bag(0, OLD))
    failure = run(known, charmkit.Action('take-over')).failure
    assert failure.startswith('mysql/0 is there, and two servers would take writes')
    gone = run(inputs(1, NEW), charmkit.Action('take-over'))
    assert handover.OPENED in {t.name for t in gone.tasks}


def test_clients_may_come_by_the_former_server_before_it_has_said_what_it_is():
    """Juju tells of one databag after the other: the leader's word may come first."""
    asks = Relation(
        id=1, name='shared-db', app='nova',
        units={'nova/0': {'database': 'nova', 'username': 'nova', 'hostname': '10.9.0.1'}},
    )  # fmt: skip
    known = dataclasses.replace(
        inputs(1, NEW, leader=False, others=bag(0, OLD), server='mysql/1'),
        relations={'shared-db': (asks,)},
    )
    converge = next(t for t in run(known).tasks if isinstance(t, server.Converge))
    assert {a.host for a in converge.want.accounts} == {'10.9.0.1', '10.0.0.1'}
    assert converge.replicas
    assert handover.OPENED not in {t.name for t in run(known).tasks}


# --- Accounts.


def test_replicas_get_in_at_their_addresses_and_nowhere_else():
    hashed = grants.hashed('p')
    stale = grants.Account(replicas.USER, '10.0.0.9')
    seen = {stale: (hashed,), grants.Account('root', 'localhost'): ('x',)}
    found = [s.sql for s in replicas.accounts(seen, frozenset(['10.0.0.2']), 'p')]
    assert [sql.split()[0] for sql in found] == ['CREATE', 'GRANT', 'DROP']
    assert not any('IDENTIFIED BY' in sql for sql in found)
    there = {grants.Account(replicas.USER, '10.0.0.2'): (hashed,)}
    assert [*replicas.accounts(there, frozenset(['10.0.0.2']), 'p')] == []
    assert len([*replicas.accounts(there, frozenset(['10.0.0.2']), 'another')]) == 2


def test_drain_waits_less_than_the_tool_does():
    assert former_run.DRAIN_S < 3600
