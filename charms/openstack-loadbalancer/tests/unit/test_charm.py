"""The charm in Juju: one scenario for each situation that an operator can see."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import pathlib
import re
import sys
from typing import Any

import charmkit
import pytest
from balancer import dns_update, programs, reply, rotation, tasks
from charmkit import testing as machines
from charmkit.machine import Finished, HttpResponse
from charmkit.proxy import haproxy, keepalived
from charmkit.relations import loadbalancer
from ops import testing

from tests import quick_yaml

ROOT = pathlib.Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location('loadbalancer_charm', ROOT / 'src' / 'charm.py')
assert spec and spec.loader
charm: Any = importlib.util.module_from_spec(spec)
sys.modules['loadbalancer_charm'] = charm
spec.loader.exec_module(charm)

KEYSTONE = loadbalancer.Api(
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


class FakeHaproxy:
    """haproxy's sockets: one worker, with the servers of the configuration last put in place."""

    def __init__(self, machine: machines.FakeMachine) -> None:
        self.machine = machine
        self.admin: dict[rotation.ServerKey, int] = {}
        self.busy: dict[rotation.ServerKey, int] = {}
        self.stuck = ''
        """What it refuses to come up with: its configuration stays the one before."""
        self.text = ''

    def servers(self) -> list[rotation.ServerKey]:
        backend, out = '', list[rotation.ServerKey]()
        for line in self.text.splitlines():
            words = line.split()
            if words[:1] == ['backend']:
                backend = words[1]
            elif words[:1] == ['server']:
                out.append((backend, words[1]))
        return out

    def ask(self, path: str, text: str) -> str:
        assert path == tasks.MASTER
        with contextlib.suppress(KeyError):
            wanted = self.machine.file(haproxy.CONFIG)
            if not (self.stuck and self.stuck in wanted):
                self.text = wanted
        command = text.strip().removeprefix('@!1 ')
        if command == 'show proc':
            return '# workers\n1 worker 0 0d00h00m01s 2.6\n'
        if command == 'show info':
            return f'Name: HAProxy\ndescription: {haproxy.mark(self.text)}\n'
        if command == 'show stat':
            head = '# pxname,svname,status,scur,qcur,check_status,\n'
            return head + ''.join(
                f'{b},{s},UP,{self.busy.get((b, s), 0)},0,L7OK,\n' for b, s in self.servers()
            )
        if command == 'show servers state':
            head = '1\n# be_id be_name srv_id srv_name srv_admin_state\n'
            return head + ''.join(
                f'1 {b} 1 {s} {self.admin.get((b, s), 0)}\n' for b, s in self.servers()
            )
        states = {'ready': 0, 'maint': rotation.FORCED_MAINT, 'drain': rotation.FORCED_DRAIN}
        for each in command.split('; '):
            _, _, where, _, state = each.split()
            backend, _, server = where.partition('/')
            self.admin[backend, server] = states[state]
        return ''


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> machines.FakeMachine:
    fake = machines.FakeMachine()
    fake.sockets = FakeHaproxy(fake).ask
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
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
            n: {
                'ingress-address': f'10.9.0.{n + 1}',
                **loadbalancer.unit_request(
                    [KEYSTONE],
                    'public',
                    [f'10.9.0.{n + 1}'],
                    loadbalancer.Lifecycle(state=s, token=f't{n}-{s}'),
                ),
            }
            for n, s in enumerate(states)
        },
    )


def state(*relations: testing.RelationBase, leader: bool = True, **kwargs: Any) -> testing.State:
    # Numbered by Scenario itself, it could have the number of one that a test numbers.
    peers = testing.PeerRelation('peers', id=1000, peers_data={})
    return testing.State(leader=leader, relations={*relations, peers}, networks=HERE, **kwargs)


def told(out: testing.State, relation: testing.Relation, key: str) -> Any:
    return json.loads(out.get_relation(relation.id).local_app_data[key])


def test_a_new_unit_serves_nothing_yet_and_is_active(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    out = ctx.run(ctx.on.start(), state())
    assert out.unit_status == testing.ActiveStatus('0 frontends')
    assert machine.service('haproxy') == 'running'
    assert machine.service('keepalived') == 'stopped'


def test_a_machine_of_many_processors_gets_as_many_threads_as_haproxy_takes(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    machine.cpus = 128
    ctx.run(ctx.on.start(), state())
    assert '    nbthread 64\n' in machine.file(haproxy.CONFIG)


def test_what_it_serves_it_tells(ctx: Any, machine: machines.FakeMachine) -> None:
    r = keystone()
    out = ctx.run(ctx.on.relation_changed(r), state(r))
    assert told(out, r, 'frontends')['keystone']['public']['url'] == 'http://10.1.0.5:5000/v3'
    assert told(out, r, 'lb-units') == ['openstack-loadbalancer/0']
    assert {p.port for p in out.opened_ports} == {5000}
    assert out.workload_version == machine.version


def test_a_follower_waits_to_be_admitted_and_tells_nothing(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    r = keystone()
    out = ctx.run(ctx.on.relation_changed(r), state(r, leader=False))
    assert out.unit_status == testing.WaitingStatus('waiting for the leader to admit this unit')
    assert 'server self 127.0.0.1:9 disabled' in machine.file(haproxy.CONFIG)
    assert not out.get_relation(r.id).local_app_data


def test_a_drain_is_granted_carried_out_and_acknowledged_in_one_hook(
    ctx: Any, machine: machines.FakeMachine
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
    assert 'disabled' in machine.file(haproxy.CONFIG)
    assert machine.steps.count('reload haproxy') + machine.steps.count('start haproxy') == 1


@pytest.mark.parametrize(
    ('leader', 'wish', 'unheeded'),
    [(True, 'ready', ['acks', 'takes-part']), (True, 'drain', ['takes-part']),
     (False, 'ready', ['acks', 'takes-part']), (False, 'drain', ['acks', 'takes-part'])],
)  # fmt: skip
def test_what_other_members_acknowledge_is_for_the_leader_while_something_drains(
    machine: machines.FakeMachine, tmp_path: pathlib.Path, leader: bool, wish: Any, unheeded: Any
) -> None:
    said = quick_yaml.load((ROOT / 'charmcraft.yaml').read_text())
    there = testing.Context(charm.LoadBalancerCharm, said, charm_root=tmp_path)
    r = keystone(states=(wish, 'ready'))
    before = there.run(there.on.config_changed(), state())
    relations = {r, *before.relations}
    joined = dataclasses.replace(before, leader=leader, relations=relations)
    there.run(there.on.relation_changed(r), joined)
    memory = json.loads((tmp_path / '.heard').read_text())
    assert sorted({*memory['unheeded']['peers']} - {dns_update.PUBLISHED}) == unheeded


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
    bag = reply.unit_reply(
        'u',
        {'u/0': loadbalancer.Ack(token='new', state=state)},
        {'u/0': loadbalancer.Lifecycle(state=lifecycle, token='new')},
        {'acks': reply.write_acks(said)},
    )
    found = json.loads(bag['acks']).get('u/0')
    assert (f'{found["state"]} {found["token"]}' if found else '') == told


def running(relation: testing.Relation, *said: str) -> testing.Relation:
    """*relation*, whose units say in turn what release they run; '' says nothing."""
    bags = {
        unit: {**bag, **({'release': r, 'base': 'debian@12'} if r else {})}
        for (unit, bag), r in zip(relation.remote_units_data.items(), said, strict=True)
    }
    return dataclasses.replace(relation, remote_units_data=bags)  # type: ignore[reportArgumentType]


def test_it_tells_which_releases_are_in_rotation(ctx: Any, machine: machines.FakeMachine) -> None:
    r = running(keystone(states=('ready', 'ready', 'ready')), 'zed', 'epoxy', '')
    out = ctx.run(ctx.on.relation_changed(r), state(r))
    assert told(out, r, 'releases') == {
        'keystone': {'zed': ['keystone/0'], 'epoxy': ['keystone/1'], '?': ['keystone/2']}
    }


@pytest.mark.parametrize(
    ('lifecycle', 'left'),
    [('drain', ['keystone/0']), ('maintenance', []), ('gone', ['keystone/0'])],
)
def test_a_unit_is_in_rotation_until_it_was_drained_everywhere(
    ctx: Any, machine: machines.FakeMachine, lifecycle: Any, left: list[str]
) -> None:
    r = running(keystone(states=(lifecycle, 'ready')), 'zed', 'epoxy')
    out = ctx.run(ctx.on.relation_changed(r), state(r))
    assert told(out, r, 'releases')['keystone'].get('zed', []) == left


def test_each_relation_hears_of_its_own_services_and_who_is_refused_is_in_no_rotation(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    own, refused = running(keystone(), 'epoxy', 'epoxy'), running(keystone(11), 'zed', 'zed')
    nova = running(keystone(12, changes={'service-name': 'nova', 'frontend-port': 8774}), 'a', 'b')
    nova = dataclasses.replace(
        nova,
        remote_units_data={
            u: {**bag, 'endpoints': str(bag['endpoints']).replace('keystone', 'nova')}
            for u, bag in nova.remote_units_data.items()
        },
    )
    out = ctx.run(ctx.on.config_changed(), state(own, refused, nova))
    assert told(out, own, 'releases') == {'keystone': {'epoxy': ['keystone/0', 'keystone/1']}}
    assert told(out, nova, 'releases') == {'nova': {'a': ['other12x/0'], 'b': ['other12x/1']}}


def test_the_last_ready_unit_is_refused(ctx: Any, machine: machines.FakeMachine) -> None:
    r = keystone(states=('drain',))
    out = ctx.run(ctx.on.relation_changed(r), state(r))
    grant = told(out, r, 'grants')['keystone/0']
    assert (grant['state'], grant['reason']) == (
        'refused',
        'keystone would have 0 of 1 units left',
    )


def test_a_bad_relation_is_named_and_the_other_is_served(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    good, bad = keystone(), keystone(11, changes={'frontend-port': '1\n stats'})
    out = ctx.run(ctx.on.config_changed(), state(good, bad))
    assert isinstance(out.unit_status, testing.BlockedStatus)
    assert out.unit_status.message.startswith('other11x (relation 11): keystone: frontend-port')
    assert told(out, good, 'frontends')
    assert told(out, bad, 'status')['*']['state'] == 'rejected'
    assert 'stats admin' not in machine.file(haproxy.CONFIG)


def refusing(word: str) -> Any:
    """A haproxy whose check refuses every configuration with *word* in it, as the machine's edge says it."""
    said = '[ALERT]    (7) : config : parsing [/x:1] : it will not do.\n[ALERT]    (7) : config : Error(s) found in x'

    def refuse(file: Any) -> str:
        return said if file.path == haproxy.CONFIG and word in file.content else ''

    def shell(machine: machines.FakeMachine) -> Any:
        def run(argv: tuple[str, ...], stdin: str) -> Finished:
            bad = argv[:2] == ('haproxy', '-c') and word in machine.kept[tasks.TRIAL]
            return Finished(1, said) if bad else Finished(0)

        return run

    return refuse, shell


def test_when_haproxy_itself_refuses_it_the_relation_at_fault_is_named_with_its_words(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    refuse, shell = refusing('badpath')
    machine.refusing, machine.shell = refuse, shell(machine)
    changes = {'service-name': 'b', 'frontend-port': 7, 'check': {'path': '/badpath'}}
    good, bad = keystone(), keystone(11, changes=changes)
    out = ctx.run(ctx.on.config_changed(), state(good, bad))
    assert out.unit_status.message == (
        'other11x (relation 11): haproxy refuses it (/etc/haproxy/haproxy.cfg): '
        'parsing [/x:1] : it will not do.'
    )
    assert told(out, good, 'frontends')
    assert 'badpath' not in machine.file(haproxy.CONFIG)
    # It is remembered: the next run tries nothing of it again.
    machine.programs.clear()
    again = ctx.run(ctx.on.update_status(), out)
    assert again.unit_status == out.unit_status
    assert not [p for p in machine.programs if p[0] == 'haproxy']


def test_options_that_haproxy_refuses_leave_the_last_good_ones_in_force_and_blame_no_relation(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    refuse, shell = refusing('timeout server 7000ms')
    r = keystone()
    before = ctx.run(ctx.on.config_changed(), state(r))
    machine.refusing, machine.shell = refuse, shell(machine)
    config = {'service-options': 'identity: {timeouts: {server: 7s}}'}
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(before, config=config))
    assert out.unit_status.message == (
        'option service-options: '
        'haproxy refuses the options (/etc/haproxy/haproxy.cfg): parsing [/x:1] : it will not do.; '
        'the last good options are in force'
    )
    assert told(out, r, 'frontends') == told(before, r, 'frontends')
    assert told(out, r, 'status')['keystone']['state'] == 'ready'


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('endpoint-types', 'private'),
        ('service-options', 'identity: {expect: ["500-200"]}'),
        ('vip', 'fe80::1%eth0'),
        ('linger', -1),
    ],
)
def test_an_option_that_may_not_be_stops_neither_services_nor_drains(
    ctx: Any, machine: machines.FakeMachine, name: str, value: Any
) -> None:
    ready, asks = keystone(), keystone(states=('drain', 'ready'))
    before = ctx.run(ctx.on.relation_changed(ready), state(ready))
    mine = before.get_relation(ready.id)
    asks = dataclasses.replace(
        asks, local_app_data=mine.local_app_data, local_unit_data=mine.local_unit_data
    )
    relations = {asks, *(x for x in before.relations if x.id != asks.id)}
    wrong = dataclasses.replace(before, relations=relations, config={name: value})
    out = ctx.run(ctx.on.relation_changed(asks), wrong)
    assert isinstance(out.unit_status, testing.BlockedStatus)
    assert name in out.unit_status.message
    assert out.unit_status.message.endswith('its last good value is in force')
    assert told(out, asks, 'grants')['keystone/0']['state'] == 'granted'
    acks = json.loads(out.get_relation(asks.id).local_unit_data['acks'])
    assert acks['keystone/0']['state'] == 'drained'
    assert told(out, asks, 'frontends') == told(before, ready, 'frontends')


def test_a_unit_that_knows_no_good_value_of_an_option_serves_nothing_by_guess(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    r = keystone()
    out = ctx.run(ctx.on.config_changed(), state(r, config={'endpoint-types': 'privat'}))
    assert 'nothing is served until it is right' in out.unit_status.message
    assert not told(out, r, 'frontends')
    assert '\nbackend keystone' not in machine.file(haproxy.CONFIG)


def test_a_unit_that_joins_while_an_option_is_wrong_has_the_good_values_from_the_leader(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    r = keystone()
    peers = testing.PeerRelation(
        'peers', id=1000, peers_data={}, local_app_data={'options': '{"endpoint-types": "public"}'}
    )
    state_ = testing.State(
        leader=False, relations={r, peers}, networks=HERE, config={'endpoint-types': 'privat'}
    )
    ctx.run(ctx.on.config_changed(), state_)
    assert 'bind 10.1.0.5:5000' in machine.file(haproxy.CONFIG)


def test_a_port_that_another_program_has_is_refused_by_name_before_anything_is_tried(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    def shell(argv: tuple[str, ...], stdin: str) -> Finished:
        if argv[0] == 'ss':
            return Finished(
                0,
                'LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=7,fd=3))\n'
                'LISTEN 0 128 10.1.0.5:5000 0.0.0.0:* users:(("haproxy",pid=8,fd=3))\n',
            )
        return Finished(0)

    machine.shell = shell
    good, bad = keystone(), keystone(11, changes={'service-name': 'b', 'frontend-port': 22})
    out = ctx.run(ctx.on.config_changed(), state(good, bad))
    assert out.unit_status == testing.BlockedStatus(
        'other11x: b: port 22 is used by sshd on this unit (10.1.0.5)'
    )
    assert told(out, good, 'frontends')
    assert told(out, bad, 'status')['b']['state'] == 'rejected'
    assert 'bind 10.1.0.5:22' not in machine.file(haproxy.CONFIG)


def test_what_haproxy_does_not_come_up_with_is_put_down_to_what_is_new_and_drains_go_on(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    good = keystone()
    before = ctx.run(ctx.on.config_changed(), state(good))
    changes = {'service-name': 'b', 'frontend-port': 7}
    bad = keystone(11, changes=changes)

    carry_out = machine.carry_out

    def stuck(step: Any, desired: Any) -> str:
        if step.target == 'haproxy' and ':7 ' in machine.file(haproxy.CONFIG).replace('\n', ' '):
            machine.steps.append(str(step))
            return 'cannot bind socket; its last good files are in force again'
        return carry_out(step, desired)

    machine.carry_out = stuck
    asks = keystone(states=('drain', 'ready'))
    mine = before.get_relation(good.id)
    asks = dataclasses.replace(
        asks, local_app_data=mine.local_app_data, local_unit_data=mine.local_unit_data
    )
    peers = {x for x in before.relations if x.id == 1000}
    both = dataclasses.replace(before, relations={asks, bad, *peers})
    out = ctx.run(ctx.on.relation_changed(bad), both)
    assert out.unit_status.message.startswith(
        'other11x (relation 11): haproxy did not come up with it: cannot bind socket'
    )
    assert told(out, asks, 'grants')['keystone/0']['state'] == 'granted'
    assert told(out, asks, 'frontends')
    # And it is not tried again by every hook.
    machine.steps.clear()
    ctx.run(ctx.on.update_status(), out)
    assert 'reload haproxy' not in machine.steps


def test_of_several_that_are_new_the_one_that_haproxy_names_is_at_fault(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    good = keystone()
    before = ctx.run(ctx.on.config_changed(), state(good))
    alert = '[ALERT]    (7) : Starting frontend b-c.public: cannot bind socket [10.1.0.5:7]'
    bad = keystone(11, changes={'service-name': 'b-c', 'frontend-port': 7})
    fine = keystone(12, changes={'service-name': 'c', 'frontend-port': 8})
    carry_out = machine.carry_out

    def stuck(step: Any, desired: Any) -> str:
        if step.target == 'haproxy' and '\nfrontend b-c.public' in machine.file(haproxy.CONFIG):
            return 'it failed; its last good files are in force again'
        return carry_out(step, desired)

    machine.carry_out = stuck
    machine.shell = lambda argv, stdin: Finished(0, alert if argv[0] == 'journalctl' else '')
    peers = {x for x in before.relations if x.id == 1000}
    together = dataclasses.replace(before, relations={good, bad, fine, *peers})
    out = ctx.run(ctx.on.config_changed(), together)
    assert out.unit_status.message == (
        'other11x (relation 11): haproxy did not come up with it: '
        'Starting frontend b-c.public: cannot bind socket [10.1.0.5:7]; '
        'no unit answers its check: c.public'
    )
    assert told(out, fine, 'frontends')


def test_refused_units_neither_block_nor_loosen_the_drains_of_others(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    good = keystone(states=('drain', 'ready'))
    # Its own min-ready would be met by nobody; and its unit forces its way through.
    bad = keystone(11, ('drain', 'drain'), changes={'min-ready': 100, 'balance': 'nonsense'})
    out = ctx.run(ctx.on.config_changed(), state(good, bad))
    out = ctx.run(ctx.on.update_status(), out)
    assert told(out, good, 'grants')['keystone/0']['state'] == 'granted'
    # Nothing keeps a unit that no client is sent to, and it is not said to be in rotation.
    freed = told(out, bad, 'grants')['other11x/0']
    assert (freed['state'], freed['reason']) == ('granted', 'it is not served here')
    acks = json.loads(out.get_relation(bad.id).local_unit_data['acks'])
    assert acks['other11x/0']['state'] == 'drained'
    peers = out.get_relation(1000).local_app_data
    assert set(json.loads(peers['locks'])) == {'keystone/0'}


def test_a_unit_that_nobody_knows_is_never_said_to_be_ready() -> None:
    ready = loadbalancer.Lifecycle(state='ready', token='t')
    worker = rotation.Worker(pid=1, current=True, servers={})
    assert rotation.ack(ready, None, [('b', 's')], [worker], 0).state == 'down'


def test_what_was_told_is_not_taken_back_when_a_unit_joins_that_does_not_serve_it_yet(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    r = keystone()
    before = ctx.run(ctx.on.config_changed(), state(r))
    peers = dataclasses.replace(before.get_relation(1000), peers_data={7: {}})
    relations = {peers, *(x for x in before.relations if x.id != 1000)}
    out = ctx.run(ctx.on.update_status(), dataclasses.replace(before, relations=relations))
    assert told(out, r, 'frontends') == told(before, r, 'frontends')


def test_the_catalogue_follows_the_units_that_are_in_service(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    r = keystone()
    other = {
        'addresses': '{"public": ["10.1.0.6"]}',
        'served': '["keystone.public"]',
        'ready-url': 'http://10.2.0.6:8405/ready',
    }
    peers = testing.PeerRelation('peers', id=1000, peers_data={7: dict(other)})
    both = testing.State(leader=True, relations={r, peers}, networks=HERE)
    out = ctx.run(ctx.on.config_changed(), both)
    # It was asked, and nobody was there.
    assert [q.url for q in machine.requests] == ['http://10.2.0.6:8405/ready'] * 2
    assert told(out, r, 'frontends')['keystone']['public']['ip'] == ['10.1.0.5']
    machine.web = lambda request: HttpResponse(200)
    out = ctx.run(ctx.on.action('drain-self'), both)
    assert told(out, r, 'frontends')['keystone']['public']['url'] == 'http://10.1.0.6:5000/v3'


@pytest.mark.parametrize(
    ('action', 'params', 'why'),
    [
        (
            'drain-backend',
            {'unit': 'keystone/9'},
            'keystone/9 is not served here; there are: keys',
        ),
        ('drain-backend', {'unit': 'keystone/0'}, 'would have 0 of 1 units left'),
        ('resume-backend', {'unit': 'keystone/0'}, 'drain-backend has taken out no keystone/0'),
        ('release-grant', {'unit': 'keystone/0'}, 'keystone/0 has no grant'),
        ('exclude-unit', {'unit': 'lb/9'}, 'lb/9 is no unit of this load balancer'),
        ('include-unit', {'unit': 'openstack-loadbalancer/0'}, 'is not excluded'),
    ],
)
def test_an_action_that_does_nothing_fails(
    ctx: Any, machine: machines.FakeMachine, action: str, params: dict[str, Any], why: str
) -> None:
    r = keystone(states=('ready',))
    before = ctx.run(ctx.on.config_changed(), state(r))
    with pytest.raises(testing.ActionFailed, match=re.escape(why)):
        ctx.run(ctx.on.action(action, params=params), before)


def test_a_unit_is_excluded_once(ctx: Any, machine: machines.FakeMachine) -> None:
    peers = testing.PeerRelation('peers', id=1000, peers_data={1: {}})
    first = testing.State(leader=True, relations={keystone(), peers}, networks=HERE)
    lost = {'unit': 'openstack-loadbalancer/1'}
    out = ctx.run(ctx.on.action('exclude-unit', params=lost), first)
    assert ctx.action_results == {'excluded': 'openstack-loadbalancer/1'}
    with pytest.raises(testing.ActionFailed, match='openstack-loadbalancer/1 is excluded already'):
        ctx.run(ctx.on.action('exclude-unit', params=lost), out)


def test_a_service_that_has_a_new_application_is_served_for_it_at_the_time_that_is_told(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    old = keystone()
    before = ctx.run(ctx.on.config_changed(), state(old))
    new = keystone(11)
    peers = {x for x in before.relations if x.id == 1000}
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(before, relations={new, *peers}))
    # The clock stands at 2027-01-15 08:00:00 UTC, and `linger` is two minutes.
    assert out.unit_status.message == (
        'other11x: keystone: service keystone is served for application keystone, which has left, '
        'until 08:02:00 UTC'
    )
    assert float(machine.file(programs.WAKE_AT)) == machine.clock + 120
    machine.clock += 120
    out = ctx.run(ctx.on.update_status(), out)
    assert told(out, new, 'frontends')
    assert machine.file(programs.WAKE_AT) == '0\n'


def test_vips_bring_keepalived_and_go_with_it(ctx: Any, machine: machines.FakeMachine) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config={'vip': '10.1.0.100'}))
    assert '10.1.0.100/24 dev eth0' in machine.file(keepalived.PATH)
    assert machine.service('keepalived') == 'running'
    ctx.run(ctx.on.config_changed(), dataclasses.replace(out, config={'vip': ''}))
    assert 'keepalived' not in machine.seen.active
    assert keepalived.PATH not in machine.seen.paths


def test_a_vip_that_no_network_holds_is_named(ctx: Any, machine: machines.FakeMachine) -> None:
    out = ctx.run(ctx.on.config_changed(), state(config={'vip': '10.77.0.1'}))
    assert out.unit_status == testing.BlockedStatus(
        'option vip: in no network of a binding: 10.77.0.1'
    )


def test_only_the_leader_drains_for_an_operator(ctx: Any, machine: machines.FakeMachine) -> None:
    with pytest.raises(testing.ActionFailed, match='Only the leader'):
        ctx.run(ctx.on.action('drain-backend', params={'unit': 'keystone/0'}), state(leader=False))


def test_prometheus_and_grafana_get_what_the_charm_has(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    scrape = testing.Relation('metrics-endpoint', id=20)
    draw = testing.Relation('grafana-dashboard', id=21)
    out = ctx.run(ctx.on.config_changed(), state(scrape, draw))
    assert told(out, scrape, 'scrape_jobs')[0]['static_configs'] == [{'targets': ['*:8404']}]
    assert told(out, scrape, 'alert_rules')['groups'][0]['rules']
    unit = out.get_relation(20).local_unit_data
    assert unit['prometheus_scrape_unit_address'] == '10.2.0.5'
    assert list(told(out, draw, 'dashboards')['templates']) == ['file:openstack-loadbalancer']


def test_every_event_leads_to_the_same_state(ctx: Any, machine: machines.FakeMachine) -> None:
    r = keystone()
    wanted = set[str]()
    for event in (
        ctx.on.start(),
        ctx.on.config_changed(),
        ctx.on.update_status(),
    ):
        ctx.run(event, state(r))
        wanted.add(machine.file(haproxy.CONFIG))
    assert len(wanted) == 1


@pytest.mark.parametrize('ahead', [-86_400, 86_400])
@pytest.mark.parametrize('leader', [True, False])
def test_a_leader_that_takes_over_measures_leases_by_its_own_clock(
    ctx: Any, machine: machines.FakeMachine, ahead: int, leader: bool
):
    first = ctx.run(ctx.on.config_changed(), state(keystone(states=('drain', 'ready'))))
    peers = first.get_relation(1000)
    (lock,) = json.loads(peers.local_app_data['locks']).values()
    began = lock['since']
    assert lock['state'] == 'granted'
    assert peers.local_app_data['clock'] == 'openstack-loadbalancer/0'
    of_another = {**peers.local_app_data, 'clock': 'openstack-loadbalancer/7'}
    machine.clock += ahead
    changed = dataclasses.replace(peers, local_app_data=of_another)
    others = {r for r in first.relations if r.id != 1000}
    again = dataclasses.replace(first, leader=leader, relations={*others, changed})
    out = ctx.run(ctx.on.update_status(), again).get_relation(1000)
    (lock,) = json.loads(out.local_app_data['locks']).values()
    own = pytest.approx(machine.clock, abs=60)
    assert (lock['since'], lock['expired']) == (own if leader else began, False)
