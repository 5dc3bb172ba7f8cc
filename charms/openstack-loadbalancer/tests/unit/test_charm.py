"""The charm in Juju: one scenario for each situation that an operator can see."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import sys
from typing import Any

import charmkit
import pytest
from balancer import answer, decision, rotation, runtime, workload
from charmkit import host
from charmkit import testing as machines
from charmkit.relations import loadbalancer
from ops import testing

ROOT = pathlib.Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location('loadbalancer_charm', ROOT / 'src' / 'charm.py')
assert spec and spec.loader
charm: Any = importlib.util.module_from_spec(spec)
sys.modules['loadbalancer_charm'] = charm
spec.loader.exec_module(charm)

KEYSTONE = loadbalancer.Service(
    name='keystone', type='identity', frontend_port=5000, backend_port=4990, path='/v3'
)


def network(name: str, address: str) -> testing.Network:
    return testing.Network(
        name,
        [
            testing.BindAddress(
                [testing.Address(address, cidr=f'{address[:-1]}0/24')], interface_name='eth0'
            )
        ],
        ingress_addresses=[address],
    )


HERE = {
    network('public', '10.1.0.5'),
    network('internal', '10.2.0.5'),
    network('admin', '10.3.0.5'),
    network('metrics-endpoint', '10.2.0.5'),
    network('peers', '10.2.0.5'),
}


@dataclasses.dataclass
class FakeMachine(machines.FakeMachine):
    """A machine whose haproxy objects to one word."""

    objects_to: str = ''

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        bad = self.objects_to and self.objects_to in self.file(decision.CONFIG)
        if step.target == decision.CONFIG and bad:
            return 'ALERT: it will not do'
        return super().carry_out(step, desired)


class FakeHaproxy:
    """One worker, with the servers of the configuration last put in place."""

    def __init__(self, machine: FakeMachine) -> None:
        self.machine = machine
        self.admin: dict[rotation.Place, int] = {}
        self.busy: dict[rotation.Place, int] = {}

    def workers(self) -> tuple[rotation.Worker, ...]:
        backend, servers = '', dict[rotation.Place, rotation.Server]()
        for line in self.machine.file(decision.CONFIG).splitlines():
            words = line.split()
            if words[:1] == ['backend']:
                backend = words[1]
            elif words[:1] == ['server']:
                place = (backend, words[1])
                servers[place] = rotation.Server(
                    admin=self.admin.get(place, 0), up=True, sessions=self.busy.get(place, 0)
                )
        return (rotation.Worker(pid=1, current=True, servers=servers),)

    def await_worker(self, mark: str) -> None:
        assert f'\n    description {mark}\n' in self.machine.file(decision.CONFIG)

    def tell(self, pid: int, commands: tuple[str, ...]) -> None:
        states = {'ready': 0, 'maint': rotation.FORCED_MAINT, 'drain': rotation.FORCED_DRAIN}
        for command in commands:
            _, _, where, _, state = command.split()
            backend, _, server = where.partition('/')
            self.admin[backend, server] = states[state]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    fake = FakeMachine()
    haproxy = FakeHaproxy(fake)
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    monkeypatch.setattr(runtime, 'await_worker', haproxy.await_worker)
    monkeypatch.setattr(runtime, 'save_states', lambda: None)
    monkeypatch.setattr(runtime, 'workers', haproxy.workers)
    monkeypatch.setattr(runtime, 'tell', haproxy.tell)
    monkeypatch.setattr(workload, 'interface_names', dict[str, str])
    return fake


@pytest.fixture
def ctx() -> testing.Context[Any]:
    return testing.Context(charm.LoadBalancerCharm)


def keystone(
    i: int = 10,
    states: tuple[loadbalancer.State, ...] = ('ready', 'ready'),
    changes: dict[str, Any] | None = None,
) -> testing.Relation:
    app_data = dict(loadbalancer.app_request([KEYSTONE], 'public'))
    if changes:
        endpoints = [{**json.loads(app_data['endpoints'])[0], **changes}]
        app_data['endpoints'] = json.dumps(endpoints)
    return testing.Relation(
        'backend',
        id=i,
        remote_app_name='keystone' if i == 10 else f'other{i}x',
        remote_app_data=app_data,
        remote_units_data={
            n: dict(
                loadbalancer.unit_request(
                    [KEYSTONE],
                    'public',
                    [f'10.9.0.{n + 1}'],
                    loadbalancer.Lifecycle(state=s, token=f't{n}-{s}'),
                )
            )
            for n, s in enumerate(states)
        },
    )


def state(*relations: testing.RelationBase, leader: bool = True, **kwargs: Any) -> testing.State:
    # Numbered by Scenario itself, it could have the number of one that a test numbers.
    peers = testing.PeerRelation('peers', id=1000, peers_data={})
    return testing.State(leader=leader, relations={*relations, peers}, networks=HERE, **kwargs)


def told(out: testing.State, relation: testing.Relation, key: str) -> Any:
    return json.loads(out.get_relation(relation.id).local_app_data[key])


def test_a_new_unit_serves_nothing_yet_and_is_active(ctx: Any, machine: FakeMachine) -> None:
    out = ctx.run(ctx.on.start(), state())
    assert out.unit_status == testing.ActiveStatus('0 frontends')
    assert machine.service('haproxy') == 'running'
    assert 'keepalived' not in {s.name for s in machine.desired.services}


def test_what_it_serves_it_tells(ctx: Any, machine: FakeMachine) -> None:
    r = keystone()
    out = ctx.run(ctx.on.relation_changed(r), state(r))
    assert told(out, r, 'frontends')['keystone']['public']['url'] == 'http://10.1.0.5:5000/v3'
    assert told(out, r, 'lb-units') == ['openstack-loadbalancer/0']
    assert {p.port for p in out.opened_ports} == {5000}
    assert out.workload_version == machine.version


def test_a_follower_waits_to_be_admitted_and_tells_nothing(ctx: Any, machine: FakeMachine) -> None:
    r = keystone()
    out = ctx.run(ctx.on.relation_changed(r), state(r, leader=False))
    assert out.unit_status == testing.WaitingStatus('waiting for the leader to admit this unit')
    assert 'server self 127.0.0.1:9 disabled' in machine.file(decision.CONFIG)
    assert not out.get_relation(r.id).local_app_data


def test_a_drain_is_granted_carried_out_and_acknowledged_in_one_hook(
    ctx: Any, machine: FakeMachine
) -> None:
    ready, asks = keystone(), keystone(states=('drain', 'ready'))
    before = ctx.run(ctx.on.relation_changed(ready), state(ready))
    mine = before.get_relation(ready.id)
    asks = dataclasses.replace(
        asks, local_app_data=mine.local_app_data, local_unit_data=mine.local_unit_data
    )
    relations = {asks, *(x for x in before.relations if x.id != asks.id)}
    out = ctx.run(ctx.on.relation_changed(asks), dataclasses.replace(before, relations=relations))
    assert told(out, asks, 'grants')['keystone/0']['state'] == 'granted'
    acks = json.loads(out.get_relation(asks.id).local_unit_data['acks'])
    assert acks['keystone/0'] == {'token': 't0-drain', 'state': 'drained', 'sessions': 0}
    assert acks['keystone/1']['state'] == 'ready'
    assert out.unit_status == testing.ActiveStatus('1 frontend, out of rotation: keystone/0')
    # On the disk too, for a start from nothing; and that alone was no reason to reload.
    assert 'disabled' in machine.file(decision.CONFIG)
    assert machine.steps.count('reload haproxy') + machine.steps.count('start haproxy') == 1


@pytest.mark.parametrize(
    ('before', 'state', 'lifecycle', 'told'),
    [
        ('', 'down', 'ready', ''),  # It never was anything else.
        ('ready', 'down', 'ready', 'down new'),
        ('down', 'down', 'ready', 'down new'),
        ('', 'ready', 'ready', 'ready new'),
        ('ready', 'ready', 'ready', 'ready new'),  # A resume waits for its own token.
        ('ready', 'ready', 'drain', 'ready old'),  # Queued: it waits for the grant.
        ('drained', 'drained', 'drain', 'drained new'),
        ('drained', 'drained', 'maintenance', 'drained old'),
        ('draining', 'drained', 'maintenance', 'drained new'),
    ],
)
def test_a_unit_is_told_what_it_waits_for(
    before: str, state: Any, lifecycle: Any, told: str
) -> None:
    said = {'u/0': loadbalancer.Ack(token='old', state=before)} if before else {}
    bag = answer.unit_answer(
        'u',
        {'u/0': loadbalancer.Ack(token='new', state=state)},
        {'u/0': loadbalancer.Lifecycle(state=lifecycle, token='new')},
        {'acks': answer.write_acks(said)},
    )
    found = json.loads(bag['acks']).get('u/0')
    assert (f'{found["state"]} {found["token"]}' if found else '') == told


def test_the_last_ready_unit_is_refused(ctx: Any, machine: FakeMachine) -> None:
    r = keystone(states=('drain',))
    out = ctx.run(ctx.on.relation_changed(r), state(r))
    grant = told(out, r, 'grants')['keystone/0']
    assert (grant['state'], grant['reason']) == (
        'refused',
        'keystone would have 0 of 1 units left',
    )


def test_a_bad_relation_is_named_and_the_other_is_served(ctx: Any, machine: FakeMachine) -> None:
    good, bad = keystone(), keystone(11, changes={'frontend-port': '1\n stats'})
    out = ctx.run(ctx.on.config_changed(), state(good, bad))
    assert isinstance(out.unit_status, testing.BlockedStatus)
    assert out.unit_status.message.startswith('other11x (relation 11): keystone: frontend-port')
    assert told(out, good, 'frontends')
    assert told(out, bad, 'status')['*']['state'] == 'rejected'
    assert 'stats admin' not in machine.file(decision.CONFIG)


def test_when_haproxy_itself_objects_the_relation_at_fault_is_named(
    ctx: Any, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.objects_to = 'badpath'
    monkeypatch.setattr(
        workload,
        'objection',
        lambda text: 'ALERT: no' if 'badpath' in text else '',  # pyright: ignore
    )
    good, bad = (
        keystone(),
        keystone(
            11, changes={'service-name': 'b', 'frontend-port': 7, 'check': {'path': '/badpath'}}
        ),
    )
    out = ctx.run(ctx.on.config_changed(), state(good, bad))
    assert out.unit_status.message == 'other11x (relation 11): haproxy does not take it: ALERT: no'
    assert told(out, good, 'frontends')
    assert 'badpath' not in machine.file(decision.CONFIG)


def test_an_option_that_may_not_be_leaves_all_as_it_is(ctx: Any, machine: FakeMachine) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config={'endpoint-types': 'private'}))
    assert isinstance(out.unit_status, testing.BlockedStatus)
    assert 'endpoint-types' in out.unit_status.message
    assert machine.steps == []


def test_vips_bring_keepalived_and_go_with_it(ctx: Any, machine: FakeMachine) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config={'vip': '10.1.0.100'}))
    assert '10.1.0.100/24 dev eth0' in machine.file(decision.KEEPALIVED)
    assert machine.service('keepalived') == 'running'
    ctx.run(ctx.on.config_changed(), dataclasses.replace(out, config={'vip': ''}))
    assert 'keepalived' not in machine.seen.active
    assert decision.KEEPALIVED not in machine.seen.paths


def test_a_vip_that_no_network_holds_is_named(ctx: Any, machine: FakeMachine) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config={'vip': '10.77.0.1'}))
    assert out.unit_status == testing.BlockedStatus('VIP in no network of a binding: 10.77.0.1')


def test_only_the_leader_drains_for_an_operator(ctx: Any, machine: FakeMachine) -> None:
    with pytest.raises(testing.ActionFailed, match='Only the leader'):
        ctx.run(ctx.on.action('drain-backend', params={'unit': 'keystone/0'}), state(leader=False))


def test_prometheus_and_grafana_get_what_the_charm_has(ctx: Any, machine: FakeMachine) -> None:
    scrape = testing.Relation('metrics-endpoint', id=20)
    draw = testing.Relation('grafana-dashboard', id=21)
    out = ctx.run(ctx.on.config_changed(), state(scrape, draw))
    assert told(out, scrape, 'scrape_jobs')[0]['static_configs'] == [{'targets': ['*:8404']}]
    assert told(out, scrape, 'alert_rules')['groups'][0]['rules']
    unit = out.get_relation(20).local_unit_data
    assert unit['prometheus_scrape_unit_address'] == '10.2.0.5'
    assert list(told(out, draw, 'dashboards')['templates']) == ['file:openstack-loadbalancer']


def test_every_event_leads_to_the_same_state(ctx: Any, machine: FakeMachine) -> None:
    r = keystone()
    wanted = set[str]()
    for event in (
        ctx.on.start(),
        ctx.on.config_changed(),
        ctx.on.update_status(),
    ):
        ctx.run(event, state(r))
        wanted.add(machine.file(decision.CONFIG))
    assert len(wanted) == 1
