"""Which daemons have not reached the message queue, and who hears of it."""

from __future__ import annotations

import dataclasses

import pytest
from charmkit import api, consumers, service, state
from charmkit.machine import Finished
from charmkit.relations import Relation, Site, rabbitmq
from charmkit.testing import FakeMachine
from charmkit.why import Action, Hook

NOW = 1_800_000_000.0
LONG_AGO, JUST_NOW = int(NOW - consumers.COMES_UP_S), int(NOW - consumers.COMES_UP_S + 1)
OPEN = (
    '0 0 10.0.0.2:40000 10.0.0.7:5672 users:(("nova-conductor",pid=41,fd=8),("nova-conductor",pid=42,fd=8))\n'
    '0 0 10.0.0.2:40001 10.0.0.7:5672 users:(("x",pid=7,fd=9))\n'
)
CGROUPS = {
    '/proc/41/cgroup': '1:name=systemd:/system.slice/nova-conductor.service\n0::/\n',
    '/proc/7/cgroup': '0::/system.slice/nova-scheduler.service.d/x\n',
}


def shown(**since: int) -> str:
    return '\n'.join(
        f'Id={name.replace("_", "-")}.service\nActiveState=active\nActiveEnterTimestamp=@{at}\n'
        for name, at in since.items()
    )


@dataclasses.dataclass
class Programs:
    """What ``ss`` says, time after time, and ``systemctl``."""

    units: str
    open: list[str]
    status: int = 0

    def __call__(self, argv: tuple[str, ...], _: str) -> Finished:
        if argv[0] == 'systemctl':
            return Finished(0, self.units)
        said = self.open.pop(0) if len(self.open) > 1 else self.open[0]
        return Finished(self.status, said)


def looked(*said: str, status: int = 0, **since: int) -> tuple[str, ...]:
    machine = FakeMachine(shell=Programs(shown(**since), [*said], status), kept=dict(CGROUPS))
    return consumers.ProbeConsumers(tuple(n.replace('_', '-') for n in since)).carry_out(machine)


def test_a_daemon_is_there_by_any_of_its_processes_and_no_other_ones():
    assert looked(OPEN, nova_conductor=LONG_AGO, nova_scheduler=LONG_AGO) == ('nova-scheduler',)


def test_one_that_has_just_started_has_time():
    assert looked('', nova_conductor=JUST_NOW) == ()
    assert looked('', nova_conductor=LONG_AGO) == ('nova-conductor',)


def test_one_that_is_back_after_a_moment_was_never_away():
    assert looked('', '', OPEN, nova_conductor=LONG_AGO) == ()


@pytest.mark.parametrize(
    'units', ['', 'Id=nova-conductor.service\nActiveState=failed\n', 'nonsense']
)
def test_one_that_does_not_run_is_not_judged(units: str):
    machine = FakeMachine(shell=Programs(units, ['']))
    assert consumers.ProbeConsumers(('nova-conductor',)).carry_out(machine) == ()


def test_what_cannot_be_seen_is_not_judged():
    assert looked('ss: not found', status=127, nova_conductor=LONG_AGO) == ()


BROKER = rabbitmq.need('nova')
SPEC = service.ServiceSpec(
    name='nova',
    user='nova',
    packages=('nova-conductor',),
    needs=(BROKER,),
    daemons=(
        service.Daemon('nova-conductor', consumes=True),
        service.Daemon('nova-novncproxy'),
        service.Daemon('nova-scheduler', consumes=True, when=lambda _: False),
    ),
)
READY = state.Inputs(
    site=Site(unit='nova/0', leader=True, address='10.0.0.2'),
    relations={
        'amqp': (
            Relation(
                id=1,
                name='amqp',
                app='q',
                units={'q/0': {'hostname': '10.0.0.7', 'password': 'p'}},
            ),
        )
    },
)


def test_those_that_wait_for_messages_and_are_to_run_are_looked_for():
    assert api.run(SPEC, Hook('update-status'), READY).tasks == (
        consumers.ProbeConsumers(('nova-conductor',)),
    )
    assert api.run(SPEC, Action('pause'), READY).tasks == ()
    failed = dataclasses.replace(READY, failed={'nova-conductor': 'it ended'})
    assert api.run(SPEC, Hook('update-status'), failed).tasks == ()


def test_a_unit_says_which_has_not_reached_the_queue_and_where_that_is():
    seen = dataclasses.replace(READY, seen={consumers.NAME: ('nova-conductor',)})
    assert state.summary(api.run(SPEC, Hook('update-status'), seen).status) == state.Status(
        'blocked',
        'nova-conductor has no connection to the message queue (10.0.0.7): see /var/log/nova',
    )
    well = dataclasses.replace(READY, seen={consumers.NAME: ()})
    assert state.summary(api.run(SPEC, Hook('update-status'), well).status).kind == 'active'


def test_processes_are_those_that_are_named_each_once():
    assert consumers.pids(OPEN + OPEN) == ('41', '42', '7')
    assert consumers.pids('pid=12345678901 upid=5 pid=,') == ()


@pytest.mark.parametrize(
    ('said', 'since'),
    [
        ('Id=a.service\nActiveState=active\nActiveEnterTimestamp=@7\n', {'a': 7.0}),
        ('ActiveEnterTimestamp=@7\n\n\nActiveState=active\nId=b', {}),
        ('Id=a.service\nActiveState=active\nActiveEnterTimestamp=\n', {}),
        ('Id=a.service\nActiveState=active\n', {}),
        ('Id=a.service\nActiveState=activating\nActiveEnterTimestamp=@7\n', {}),
        ('Id=a.service\nActiveEnterTimestamp=@7\n', {}),
        ('Id=a.service\nActiveState=active\nActiveEnterTimestamp=@\u0667\n', {}),
        ('Id=a=b.service\nActiveState=active\nActiveEnterTimestamp=@7\nnonsense\n', {'a=b': 7.0}),
        (
            'Id=a.service\nActiveState=active\nActiveEnterTimestamp=@7\n\n'
            'Id=b.service\nActiveState=failed\nActiveEnterTimestamp=@8\n\n'
            'ActiveEnterTimestamp=@9\nActiveState=active\nId=c.service\n',
            {'a': 7.0, 'c': 9.0},
        ),
    ],
)
def test_since_when_services_are_up_is_said_by_systemd(said: str, since: dict[str, float]):
    assert consumers.up_since(said) == since


def test_a_daemon_is_known_by_a_whole_part_of_its_control_group():
    since = dict.fromkeys(('a', 'b', 'c', 'young'), NOW - 180) | {'young': NOW - 179.9}
    groups = ['0::/system.slice/a.service/x\n1:name=systemd:/system.slice/not-b.service']
    names = ('young', 'c', 'unknown', 'b', 'a')
    assert consumers.unreached(names, since, groups, NOW) == ('c', 'b')


def test_brokers_are_named_in_order_and_once():
    units = {f'q/{n}': {'hostname': f'10.0.0.{9 - n}', 'password': 'p'} for n in range(2)}
    (relation,) = READY.relations['amqp']
    several = dataclasses.replace(
        READY,
        relations={'amqp': (dataclasses.replace(relation, units=units),)},
        seen={consumers.NAME: ('nova-conductor', 'nova-scheduler')},
    )
    said = [s.message for s in api.run(SPEC, Hook('update-status'), several).status]
    assert [x for x in said if 'message queue' in x] == [
        f'{name} has no connection to the message queue (10.0.0.8 10.0.0.9): see /var/log/nova'
        for name in ('nova-conductor', 'nova-scheduler')
    ]


def test_five_looks_two_seconds_apart_must_find_none():
    assert looked('', '', '', '', OPEN, nova_conductor=LONG_AGO) == ()
    assert looked('', '', '', '', '', OPEN, nova_conductor=LONG_AGO) == ('nova-conductor',)
    machine = FakeMachine(shell=Programs(shown(nova_conductor=LONG_AGO), ['']))
    before = machine.clock
    assert consumers.ProbeConsumers(('nova-conductor',)).carry_out(machine) == ('nova-conductor',)
    assert machine.clock - before == 8
    well = FakeMachine(shell=Programs(shown(nova_conductor=LONG_AGO), [OPEN]), kept=dict(CGROUPS))
    assert consumers.ProbeConsumers(('nova-conductor',)).carry_out(well) == ()
    assert well.clock == before
    assert consumers.ProbeConsumers(()).name == 'queue'


def test_connections_by_tls_count_as_well():
    machine = FakeMachine(shell=Programs(shown(nova_conductor=LONG_AGO), [OPEN]), kept=CGROUPS)
    consumers.ProbeConsumers(('nova-conductor',)).carry_out(machine)
    (asked,) = {argv for argv in machine.programs if argv[0] == 'ss'}
    assert asked[-1] == '( dport = :5672 or dport = :5671 )'
