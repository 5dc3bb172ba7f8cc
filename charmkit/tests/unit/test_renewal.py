"""When Apache takes up another configuration: out of rotation, one unit after the other, and never stuck for good."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import apache, host, relations, renewal, service, state
from charmkit.drive import drive
from charmkit.machine import HttpResponse
from charmkit.renewal import FAILED
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
            'frontends': '{}',
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
        assert (unit.reloaded, lb.lifecycle['state']) == (False, 'drain')
    lb.acks = ('drained', 'drained')
    said = unit.run(lb)
    assert (unit.reloaded, lb.lifecycle['state']) == (True, 'ready')
    assert state.summary(said.status).kind == 'active'
    assert '10.0.0.6/32' in unit.trusted
    lb.acks = ('ready', 'ready')
    unit.run(lb)
    assert unit.steps == []
    assert lb.lifecycle['state'] == 'ready'


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
        ({}, TIME),  # It does not respond.
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


@pytest.mark.parametrize('grant', ['queued', 'granted'])
def test_time_that_passes_does_not_end_a_drain(grant: str) -> None:
    unit, lb = Unit(), Balancer()
    unit.in_rotation(lb)
    changed(lb)
    unit.run(lb)
    lb.grant, lb.acks = grant, ('', '')
    unit.run(lb, TIME)
    assert (unit.reloaded, lb.lifecycle['state'], lb.lifecycle['beat']) == (False, 'drain', 1)


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
