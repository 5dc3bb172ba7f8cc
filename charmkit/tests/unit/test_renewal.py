"""When Apache takes up another configuration: out of rotation, one unit after the other, and never stuck for good."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import apache, host, relations, renewal, service, state
from charmkit.drive import drive
from charmkit.machine import HttpResponse
from charmkit.relations import loadbalancer
from charmkit.renewal import FAILED, OVERDUE, TURN, WAITS
from charmkit.testing import FakeMachine
from charmkit.why import Action, Hook, Why

UNIT = 'demo/0'
SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api',),
    needs=(),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo'),),
    config={},
)
CHANGED = Hook('config-changed')
TIME = Hook('update-status')
RESUME = Action('resume')
VHOST = '/etc/apache2/sites-enabled/demo-api.conf'


@dataclasses.dataclass
class Balancer:
    """What one load balancer of two units says, and what the unit has told it."""

    lifecycle: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    acks: tuple[str, ...] = ('', '')
    grant: str = ''
    versions: str = '[1, 2]'
    trusted: str = '10.0.0.5/32'
    token: str = ''
    """Of acknowledgements and grant; '' is the lifecycle's."""

    def relation(self) -> relations.Relation:
        token = self.token or self.lifecycle.get('token', '')
        names = [f'lb/{n}' for n in range(len(self.acks))]
        said = {
            'interface-versions': self.versions,
            'lb-units': json.dumps(names),
            'proxy': json.dumps({'trusted-cidrs': [self.trusted]}),
            'frontends': json.dumps({'demo': {'public': {'url': 'http://lb.example'}}}),
            'grants': json.dumps(
                {UNIT: {'token': token, 'state': self.grant}} if self.grant else {}
            ),
        }
        return relations.Relation(
            id=5,
            name='public-backend',
            app='lb',
            app_data=said,
            units={
                name: {'acks': json.dumps({UNIT: {'token': token, 'state': ack}} if ack else {})}
                for name, ack in zip(names, self.acks, strict=True)
            },
            my_data={'lifecycle': json.dumps(self.lifecycle)} if self.lifecycle else {},
        )


@dataclasses.dataclass
class Unit:
    """One unit of an API, run by run, with a perfect machine."""

    machine: FakeMachine = dataclasses.field(default_factory=FakeMachine)
    memory: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    runs: int = 0

    def run(self, lb: Balancer | None, why: Why = CHANGED, **options: Any) -> state.Desired:
        self.runs += 1
        inputs = state.Inputs(
            site=relations.Site(unit=UNIT, leader=True, address='10.0.0.2'),
            relations={'public-backend': (lb.relation(),)} if lb else {},
            options=options,
            versions={'demo-api': '1.0-1'},
            memory=self.memory,
            fresh=f'{self.runs:064}',
        )
        before = len(self.machine.steps)
        desired = drive(
            self.machine, lambda w, i: service.desired_state(SPEC, w, i), why, inputs
        ).desired
        self.memory |= desired.memory
        self.steps = [str(s) for s in self.machine.steps[before:]]
        if lb:
            told = desired.unit_data[5]['lifecycle']
            lb.lifecycle = json.loads(told)
        return desired

    def in_rotation(self, lb: Balancer) -> None:
        """Bring it up behind *lb*."""
        self.run(lb)
        lb.acks = ('ready', 'ready')
        self.run(lb)
        assert self.steps == []
        assert lb.lifecycle['state'] == 'ready'

    @property
    def reloaded(self) -> bool:
        return 'reload apache2' in self.steps

    @property
    def trusted(self) -> str:
        return next(f.content for f in self.machine.desired.files if f.path == VHOST)


def changed(lb: Balancer) -> None:
    lb.trusted = '10.0.0.6/32'


def test_a_unit_in_rotation_reloads_apache_out_of_rotation_and_comes_back() -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    changed(lb)
    said = unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state'], lb.lifecycle['reason']) == (
        False, 'drain', renewal.REASON,
    )  # fmt: skip
    assert unit.steps == [f'check {VHOST}']
    assert state.summary(said.status) == state.Status(
        'maintenance', 'draining for a reload of Apache, asked: lb has not decided yet'
    )
    for grant, *acks in (
        ('queued', '', ''),
        ('granted', 'draining', ''),
        ('granted', 'drained', 'draining'),
    ):
        lb.grant, lb.acks = grant, tuple(acks)
        unit.run(lb)
        assert (unit.steps, lb.lifecycle['state']) == ([], 'drain')  # It was checked before.
    lb.acks = ('drained', 'drained')
    said = unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (True, 'ready')
    assert state.summary(said.status).kind == 'active'
    assert '10.0.0.6/32' in unit.trusted
    lb.acks = ('ready', 'ready')
    unit.run(lb)
    assert unit.steps == []
    assert lb.lifecycle['state'] == 'ready'


def requests_at_once(said: state.Desired) -> int:
    """How many the load balancer is told to send."""
    (endpoint,) = json.loads(said.unit_data[5]['endpoints'])
    return endpoint['maxconn']


def test_the_load_balancer_is_told_how_many_requests_it_takes_with_what_is_in_force() -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    two = requests_at_once(unit.run(lb, workers=2))
    for grant, *acks in (('', 'ready', 'ready'), ('queued', '', ''), ('granted', 'draining', '')):
        lb.grant, lb.acks = grant, tuple(acks)
        assert requests_at_once(unit.run(lb, workers=4)) == two
    lb.acks = ('drained', 'drained')
    assert requests_at_once(unit.run(lb, workers=4)) == 2 * two
    assert unit.reloaded
    lb.acks = ('ready', 'ready')
    unit.run(lb, workers=4)
    unit.machine.failing = frozenset({'apache2'})
    lb.grant, lb.acks = '', ('ready', 'ready')
    unit.run(lb, workers=8)
    lb.grant, lb.acks = 'granted', ('drained', 'drained')
    assert requests_at_once(unit.run(lb, workers=8)) == 2 * two, 'it has not come up with that'


def test_what_never_served_takes_it_up_at_once() -> None:
    unit, lb = Unit(), Balancer()
    unit.run(lb)
    changed(lb)  # No load balancer has said that it sends clients.
    unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (True, 'ready')
    lb.acks, lb.token, lb.trusted = ('ready', 'ready'), 'of-before', '10.0.0.7/32'
    unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (True, 'ready')
    alone = Unit()
    alone.run(None)
    alone.run(None, workers=3)
    assert alone.reloaded


@pytest.mark.parametrize(
    ('reply', 'why'),
    [
        ({'grant': 'refused'}, CHANGED),  # The only unit.
        ({'versions': '[1]'}, CHANGED),
        ({'grant': 'queued'}, RESUME),
        ({'grant': 'granted', 'acks': ('draining', 'timeout')}, RESUME),
    ],
)
def test_where_nobody_takes_over_or_the_operator_says_so_it_comes_at_once(
    reply: dict[str, Any], why: Why
) -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    changed(lb)
    unit.run(lb)
    assert lb.lifecycle['state'] == 'drain'
    lb.acks = ('', '')
    for name, value in reply.items():
        setattr(lb, name, value)
    unit.run(lb, why)
    assert (unit.reloaded, lb.lifecycle['state']) == (True, 'ready')


def test_a_load_balancer_that_does_not_respond_is_waited_for_twice() -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    changed(lb)
    unit.run(lb)
    lb.acks = ('', '')
    for why, reloads in ((TIME, False), (CHANGED, False), (TIME, True)):
        unit.run(lb, why)
        assert unit.reloaded is reloads
    assert (lb.lifecycle['state'], unit.memory[OVERDUE]) == ('ready', '')
    lb.acks, lb.trusted = ('ready', 'ready'), '10.0.0.8/32'
    for why in (CHANGED, TIME):
        unit.run(lb, why)
        assert not unit.reloaded
        lb.acks = ('', '')


@pytest.mark.parametrize('grant', ['queued', 'granted'])
def test_time_that_passes_does_not_end_a_drain(grant: str) -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    changed(lb)
    unit.run(lb)
    lb.grant, lb.acks = grant, ('', '')
    for beat in (1, 2, 3):
        unit.run(lb, TIME)
        found = (unit.reloaded, lb.lifecycle['state'], lb.lifecycle['beat'])
        assert found == (False, 'drain', beat)


def drained(refuses: bool = False, **more: Any) -> tuple[Unit, Balancer]:
    """One that is out of rotation, and to take up something else."""
    unit, lb = Unit(FakeMachine(**more)), Balancer()
    unit.in_rotation(lb)
    changed(lb)
    unit.run(lb)
    lb.grant, lb.acks = 'granted', ('drained', 'drained')
    return unit, lb


def test_a_configuration_that_is_refused_drains_nothing() -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    changed(lb)
    unit.machine.refusing = lambda file: 'AH00526: no' if file.path == VHOST else ''
    said = unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (False, 'ready')
    assert said.status == ()
    unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (False, 'ready')
    unit.machine.refusing = lambda _: ''
    unit.run(lb)
    assert lb.lifecycle['state'] == 'drain'


def test_what_apache_does_not_come_up_with_is_tried_once_and_the_unit_comes_back() -> None:
    unit, lb = drained()
    unit.machine.failing = frozenset({'apache2'})
    unit.run(lb)
    assert (unit.reloaded, unit.memory[FAILED] != '') == (True, True)
    unit.machine.failing = frozenset()
    said = unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (False, 'ready')
    assert state.summary(said.status).kind == 'blocked'
    assert 'resume' in state.summary(said.status).message
    lb.acks = ('ready', 'ready')
    unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (False, 'ready')
    unit.run(lb, RESUME)
    assert (unit.reloaded, unit.memory[FAILED]) == (True, '')
    assert unit.run(lb).status == ()


def test_a_unit_that_is_not_well_after_it_stays_out_until_it_is() -> None:
    unit, lb = drained()
    unit.machine.web = lambda _: HttpResponse(404)
    said = unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (True, 'maintenance')
    assert state.summary(said.status).kind == 'blocked'
    unit.machine.web = None
    unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (False, 'ready')


def test_what_is_taken_back_meanwhile_needs_no_reload() -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    changed(lb)
    unit.run(lb)
    lb.trusted = '10.0.0.5/32'
    unit.run(lb)
    assert (unit.steps, lb.lifecycle['state']) == ([], 'ready')


def test_a_pause_on_the_way_goes_on_as_one_and_resume_starts_with_the_new() -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    changed(lb)
    unit.run(lb)
    token = lb.lifecycle['token']
    unit.run(lb, Action('pause'))
    assert (unit.reloaded, lb.lifecycle['token']) == (False, token)
    lb.grant, lb.acks = 'granted', ('drained', 'drained')
    unit.run(lb)
    assert (unit.steps[-1], lb.lifecycle['state']) == ('stop apache2', 'maintenance')
    unit.run(lb, RESUME)
    assert ('start apache2' in unit.steps, lb.lifecycle['state']) == (True, 'ready')
    assert '10.0.0.6/32' in unit.trusted


def test_a_run_that_was_killed_after_the_reload_is_finished_by_the_next() -> None:
    unit, lb = drained()
    memory, told = dict(unit.memory), dict(lb.lifecycle)
    unit.run(lb)
    assert unit.reloaded
    unit.memory, lb.lifecycle = memory, told  # Nothing of it was kept or said.
    unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (False, 'ready')


def test_a_load_balancer_that_is_removed_meanwhile_holds_nothing_up() -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    unit.run(None)
    assert unit.reloaded


def test_a_held_service_keeps_what_is_there_and_gets_what_is_not() -> None:
    web = apache.desired((), running=True, held=True)
    there = host.Observed(
        active=frozenset({apache.SERVICE}),
        paths={
            '/etc/apache2/ports.conf': 'old',
            '/etc/apache2/sites-enabled/000-default.conf': 'x',
        },
        packages={p: '1' for p in web.packages},
    )
    steps = {str(s) for s in host.plan(web, there)}
    assert not {'write /etc/apache2/ports.conf', 'reload apache2'} & steps
    assert 'remove /etc/apache2/sites-enabled/000-default.conf' not in steps
    assert 'write /etc/apache2/conf-enabled/openstack.conf' in steps
    stopped = {str(s) for s in host.plan(web, dataclasses.replace(there, active=frozenset()))}
    assert {'write /etc/apache2/ports.conf', 'start apache2'} <= stopped


# VIPs of their own.


@dataclasses.dataclass
class Application:
    """Three units with a VIP, which learn of one another what Juju would show them."""

    units: dict[str, Unit] = dataclasses.field(
        default_factory=lambda: {f'demo/{n}': Unit() for n in range(3)}
    )
    bags: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict[str, dict[str, str]])
    app: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    leader: str = 'demo/1'
    workers: int = 1
    fallen: list[str] = dataclasses.field(default_factory=list[str])
    """The units that failed their health check to others for a while, and then reloaded, in turn."""

    def run(self, name: str, why: Why = CHANGED) -> state.Desired:
        n = name.rpartition('/')[2]
        unit = self.units[name]
        network = relations.Network('eth0', f'10.0.0.{n}', '10.0.0.0/24')
        address = f'10.0.0.{n}'
        inputs = state.Inputs(
            site=relations.Site(
                unit=name,
                leader=name == self.leader,
                address=address,
                networks={t: (network,) for t in ('public', 'internal', 'admin')},
                all_addresses={t: (address,) for t in ('public', 'internal', 'admin')},
            ),
            options={'vip': '10.0.0.200', 'workers': self.workers},
            versions={'demo-api': '1.0-1'},
            memory=unit.memory,
            peers=self.app,
            my_peer_data=self.bags.get(name, {}),
            peer_units={u: bag for u, bag in self.bags.items() if u != name},
            fresh=f'{len(self.fallen):064}',
        )
        machine, slept = unit.machine, unit.machine.clock
        before = len(machine.steps)
        desired = drive(
            machine, lambda w, i: service.desired_state(SPEC, w, i), why, inputs
        ).desired
        unit.memory |= desired.memory
        unit.steps = [str(s) for s in machine.steps[before:]]
        self.bags[name] = dict(desired.unit_data['peers'])
        if name == self.leader:
            self.app = dict(desired.app_data['peers'])
        down = f'write {apache.DRAIN_FILE}'
        well = not (machine.failing or machine.web)
        if unit.reloaded and down in unit.steps and well:
            assert unit.steps.index(down) < unit.steps.index('reload apache2')
            assert machine.clock - slept >= loadbalancer.NOTICE_S
            after = unit.steps[unit.steps.index('reload apache2') :]
            assert f'remove {apache.DRAIN_FILE}' in after
            self.fallen.append(name)
        return desired

    def settled(self) -> None:
        for _ in range(4):
            for name in self.units:
                self.run(name)
        self.fallen.clear()


def test_units_with_a_vip_take_it_up_in_the_leaders_order_out_of_rotation() -> None:
    app = Application()
    app.settled()
    app.workers = 3
    said = app.run('demo/2')
    assert (app.fallen, WAITS in app.bags['demo/2']) == ([], True)
    assert said.status == (
        state.Status('maintenance', 'waiting for its turn for a reload of Apache'),
    )
    app.run('demo/0')
    assert app.fallen == []
    app.run('demo/1')  # The leader says whose turn it is: the first of those that wait.
    assert app.app[TURN].startswith('demo/0 ')
    for name in ('demo/2', 'demo/1'):
        app.run(name)
    assert app.fallen == []
    for name in ('demo/0', 'demo/1', 'demo/2', 'demo/1', 'demo/2'):
        app.run(name)
    assert sorted(app.fallen) == ['demo/0', 'demo/1', 'demo/2']
    assert not any(WAITS in bag for bag in app.bags.values())
    for name in app.units:
        assert app.run(name).status == ()


def test_a_unit_alone_with_its_vip_or_told_so_takes_it_up_at_once() -> None:
    app = Application(units={'demo/1': Unit()})
    app.settled()
    app.workers = 3
    app.run('demo/1')
    assert (app.units['demo/1'].reloaded, app.fallen) == (True, [])
    app = Application()
    app.settled()
    app.workers = 3
    app.run('demo/2', RESUME)
    assert app.units['demo/2'].reloaded


def test_a_leader_that_does_not_respond_is_waited_for_twice() -> None:
    app = Application()
    app.settled()
    app.workers = 3
    for why, fallen in ((CHANGED, []), (TIME, []), (TIME, ['demo/2'])):
        app.run('demo/2', why)
        assert app.fallen == fallen


def test_a_turn_of_before_is_none() -> None:
    app = Application()
    app.settled()
    app.app = {**app.app, TURN: 'demo/2 something-else'}
    app.workers = 3
    app.run('demo/2')
    assert app.fallen == []


def test_a_unit_that_does_not_come_up_gives_its_turn_to_the_next() -> None:
    app = Application()
    app.settled()
    app.workers = 3
    app.run('demo/0')
    app.run('demo/1')
    app.units['demo/0'].machine.failing = frozenset({'apache2'})
    app.run('demo/0')
    assert WAITS not in app.bags['demo/0']
    assert f'remove {apache.DRAIN_FILE}' in app.units['demo/0'].steps
    app.run('demo/1')
    assert app.fallen[-1] == 'demo/1'


def test_a_unit_with_a_vip_that_is_not_well_after_it_comes_back_by_itself_once_it_is() -> None:
    app = Application()
    app.settled()
    app.workers = 3
    app.run('demo/0')
    app.run('demo/1')
    machine = app.units['demo/0'].machine
    machine.web = lambda _: HttpResponse(503)
    said = app.run('demo/0')
    assert state.summary(said.status).kind == 'blocked'
    assert apache.DRAIN_FILE in machine.seen.paths
    machine.web = None
    app.run('demo/0', TIME)
    assert apache.DRAIN_FILE not in machine.seen.paths
    assert app.run('demo/0').status == ()
    assert WAITS not in app.bags['demo/0']
    app.run('demo/1')
    assert app.app.get(TURN, '').startswith(('demo/1', 'demo/2')) or 'demo/1' in app.fallen


def at_once(*_: object) -> str:
    return 'at once'


def test_the_sabotaged_twin_without_a_drain_reloads_in_rotation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    monkeypatch.setattr(renewal, '_step', at_once)
    changed(lb)
    unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (True, 'ready')
