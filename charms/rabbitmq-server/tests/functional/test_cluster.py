"""A cluster of three real nodes: accounts in it, and members that are killed, leave, are forgotten and come back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import cast

import amqp_users
import broker
import charmkit
import membership
import pytest
from charmkit.relations import rabbitmq

from .conftest import CLIENT, SEED, SETTINGS, Machine

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(900)]
NOVA = rabbitmq.Request('nova/0', '', 'nova', 'openstack', True)
KEYS = amqp_users.Keys(SEED)


def want(machines: list[Machine], me: int, *, settled: bool = True) -> membership.Want:
    """As it is when all units have said that they are members; a unit that has not, knows of them."""
    every = frozenset(m.node for m in machines if settled or m.number != me)
    return membership.Want(
        me=machines[me].node,
        founder=me == 0,
        settled=settled,
        others={m.node: every for m in machines if m.number != me},
        leader=me == 0,
        known=every | {machines[me].node},
    )


def until(true: Callable[[], object]) -> None:
    """A cluster takes its time to see what has happened to it."""
    end = time.monotonic() + 90
    while not true():
        assert time.monotonic() < end
        time.sleep(0.5)


def seam(machine: Machine) -> charmkit.Machine:
    return cast('charmkit.Machine', machine)


def seen(machine: Machine) -> membership.ClusterStatus:
    return broker.status(seam(machine))


def give(machines: list[Machine], keys: amqp_users.Keys = KEYS) -> broker.Report:
    return machines[0].converge(want(machines, 0), accounts=amqp_users.desired([NOVA], keys, 5000))


@pytest.fixture(autouse=True)
def whole(machines: list[Machine]) -> None:
    """All three are members, and run."""
    for machine in machines:
        if not seen(machine).is_reachable:
            machine.sh('systemctl reset-failed rabbitmq-server; systemctl start rabbitmq-server')
    if len(seen(machines[0]).members) < 3:
        first = membership.Want(me=machines[0].node, founder=True, leader=True)
        assert machines[0].converge(first).member
        for n in (1, 2):
            report = machines[n].converge(want(machines[: n + 1], n, settled=False))
            assert report.refused == ''
            assert report.member
    until(lambda: len(seen(machines[0]).up) == 3)


def test_one_pass_is_enough(machines: list[Machine]):
    give(machines)
    report = give(machines)
    assert (report.done, report.refused) == ((), '')
    assert {*report.accounts.users} == {'nova'}
    for n in (1, 2):
        assert machines[n].converge(want(machines, n)).done == ()
        assert seen(machines[n]).members == {m.node for m in machines}


def test_an_account_lets_in_at_every_member_and_nowhere_else(machines: list[Machine]):
    give(machines)
    password = KEYS.accounts('nova')['nova']
    machines[0].sh('rabbitmqctl -q add_vhost theirs')
    for machine in machines:
        assert machine.client(password, 'login').output.endswith('done\n')
        # The twins.
        assert 'ACCESS_REFUSED' in machine.client('wrong', 'login').output
        assert machine.client(password, 'login', vhost='theirs').status
        assert machine.client('guest', 'login', user='guest').status
    machines[0].sh('rabbitmqctl -q delete_vhost theirs')


def test_a_rotation_loses_nobody(machines: list[Machine]):
    give(machines)
    first = machines[0]
    old = KEYS.accounts('nova')['nova']
    held = subprocess.Popen(
        ('podman', 'exec', '-i', first.name, 'python3', '-c', CLIENT, first.address, 'nova', 'openstack', 'hold'),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert held.stdin
    assert held.stdout
    held.stdin.write(old + '\n')
    held.stdin.flush()
    assert held.stdout.readline() == 'here\n'
    during = amqp_users.Keys(SEED, {'nova': 1}, frozenset({'nova'}))
    account = during.account(NOVA)
    assert account.name == 'nova.2'
    assert give(machines, during).refused == ''
    for machine in machines:
        assert machine.client(old, 'login').status == 0
        assert machine.client(account.password, 'login', user='nova.2').status == 0
    give(machines, amqp_users.Keys(SEED, {'nova': 1}))
    assert 'ACCESS_REFUSED' in first.client(old, 'login').output
    assert first.client(account.password, 'login', user='nova.2').status == 0
    # Who was connected goes on: it can still declare a queue.
    assert held.communicate('\n')[0] == 'done\n'
    assert held.returncode == 0
    give(machines)


def test_no_password_is_in_the_logs(machines: list[Machine]):
    give(machines)
    password = KEYS.accounts('nova')['nova']
    for machine in machines:
        assert machine.client(password, 'login').status == 0
        assert machine.program('grep', '-rl', password, '/var/log').status == 1
        assert machine.program('grep', '-rlq', machine.node, '/var/log').status == 0  # The twin.


@pytest.mark.parametrize(('kind', 'outlives'), [('quorum', True), ('classic', False)])
def test_a_message_outlives_a_killed_member_where_the_queue_has_copies(
    machines: list[Machine], kind: str, outlives: bool
):
    give(machines)
    password = KEYS.accounts('nova')['nova']
    queue = f'{kind}-of-one'
    put = machines[2].client(password, 'put', queue, kind, 'precious')
    assert put.status == 0, put.output
    victim = machines[2]
    # A classic queue lives on one member only, which is not always the one that was asked.
    if kind == 'classic':
        told = machines[0].sh('rabbitmqctl -q list_queues -p openstack name pid')
        row = next(line for line in told.splitlines() if line.startswith(queue))
        victim = next(m for m in machines if m.node in row)
    victim.sh(
        'systemctl mask --runtime rabbitmq-server; systemctl kill -s KILL rabbitmq-server; true'
    )
    other = next(m for m in machines if m is not victim)
    try:
        until(lambda: len(seen(other).up) == 2)
        got = other.client(password, 'get', queue)
        assert (got.output == 'precious\ndone\n') == outlives, got.output
    finally:
        victim.sh('systemctl unmask --runtime rabbitmq-server')
        victim.sh('systemctl reset-failed rabbitmq-server; systemctl start rabbitmq-server')
    until(lambda: len(seen(other).up) == 3)
    machines[0].sh(f'rabbitmqctl -q delete_queue -p openstack {queue}; true')


def test_who_was_forgotten_while_away_starts_anew_and_who_was_not_keeps_its_data(
    machines: list[Machine],
):
    first, _, third = machines
    give(machines)
    third.sh('systemctl stop rabbitmq-server')
    assert third.node not in seen(first).up
    # The twin: it comes back as it was, and nothing is done.
    third.sh('systemctl start rabbitmq-server')
    assert third.converge(want(machines, 2)).done == ()
    third.sh('systemctl stop rabbitmq-server')
    assert broker.Forget(third.node).carry_out(seam(first)) == ''
    assert third.program('systemctl', 'start', 'rabbitmq-server', timeout_s=600).status
    report = third.converge(want(machines, 2))
    assert report.done == (f'reset {first.node}', f'join {first.node}')
    assert seen(first).up == {m.node for m in machines}
    assert {*report.accounts.users} == {'nova'}


def test_who_is_removed_leaves_and_who_runs_is_not_forgotten(machines: list[Machine]):
    first, second, third = machines
    assert (
        broker.Forget(third.node).carry_out(seam(first))
        == f'{third.node} runs: pause it, or remove its unit'
    )
    assert broker.LeaveCluster(third.node).carry_out(seam(third)) == ''
    assert seen(first).members == {first.node, second.node}
    # A hook that died there: another one takes it back.
    report = third.converge(want(machines, 2, settled=False))
    assert report.member, report.refused
    assert seen(first).members == {m.node for m in machines}


def test_a_member_that_lost_its_unit_is_forgotten_by_the_leader(machines: list[Machine]):
    first, second, third = machines
    third.sh('systemctl stop rabbitmq-server')
    left = [first, second]
    gone = membership.Want(
        me=first.node, founder=True, settled=True, leader=True,
        others={second.node: frozenset(m.node for m in left)}, departed=frozenset({third.node}),
    )  # fmt: skip
    report = first.converge(gone)
    assert report.done[0] == f'forget {third.node}', report.refused
    assert seen(second).members == {first.node, second.node}
    third.program('systemctl', 'start', 'rabbitmq-server', timeout_s=600)
    assert third.converge(want(machines, 2)).member


def test_alarms_are_seen_and_settings_take_effect_without_a_restart(machines: list[Machine]):
    first = machines[0]
    pid = first.sh('systemctl show -p MainPID rabbitmq-server')
    short = broker.Settings(memory_bytes=1 << 20, disk_bytes=1 << 60, partitions='autoheal')
    report = first.converge(want(machines, 0), settings=short)
    assert report.refused == ''
    both = {membership.Alarm(first.node, 'memory'), membership.Alarm(first.node, 'disk')}
    until(lambda: both <= {*seen(machines[1]).alarms})
    assert first.converge(want(machines, 0), settings=SETTINGS).refused == ''
    until(lambda: seen(machines[1]).alarms == ())
    assert first.sh('systemctl show -p MainPID rabbitmq-server') == pid


def test_a_drained_member_serves_again_after_its_start(machines: list[Machine]):
    third = machines[2]
    give(machines)
    password = KEYS.accounts('nova')['nova']
    assert broker.Drain().carry_out(seam(third)) == ''
    assert third.client(password, 'login').status  # The twin: it does send clients away.
    third.sh('systemctl stop rabbitmq-server; systemctl start rabbitmq-server')
    assert third.client(password, 'login').status == 0
