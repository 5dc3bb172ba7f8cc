"""A unit with a VIP of its own is removed: its clients are sent elsewhere before it stops, whatever goes first."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
from typing import Any

import pytest
from charmkit import apache, departure, relations, service, state, vip
from charmkit.drive import drive
from charmkit.proxy import keepalived, vip_admission, vip_release, vrrp_peers
from charmkit.relations import mysql
from charmkit.testing import FakeMachine
from charmkit.why import Hook, Why

DB = mysql.need('demo')
SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api',),
    needs=(DB,),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo'),),
    config={},
)
VIP = '10.0.0.200'
GRANTED = {'db_host': '10.0.0.9', 'password': 'pw', 'allowed_units': 'demo/0'}
DEPARTED = Hook('shared-db-relation-departed', 'demo/0')


@dataclasses.dataclass
class Unit:
    """The unit demo/0 of *others* more, with a perfect machine."""

    others: tuple[str, ...] = ('demo/1', 'demo/2')
    machine: FakeMachine = dataclasses.field(default_factory=FakeMachine)
    memory: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    slept: float = 0

    def __post_init__(self) -> None:
        self.run(Hook('config-changed'))
        self.run(Hook('config-changed'))
        assert self.memory[vip_admission.JOINED]
        assert self.machine.seen.active >= {'apache2', 'haproxy', 'keepalived'}

    def run(
        self,
        why: Why,
        *,
        dying: bool = False,
        granted: relations.Databag | None = GRANTED,
        alone: bool = False,
        related: bool = True,
        **options: Any,
    ) -> state.Desired:
        """Run once; *granted*: what the database's server says, None when it has departed."""
        network = relations.Network('eth0', '10.0.0.1', '10.0.0.0/24')
        speaks = vip_admission.write(
            vip_admission.Said(advertises_to=frozenset({'demo/0'}), takes_part=True)
        )
        others = {u: {vip.KEY: f'["10.0.0.1{u[-1]}"]', **speaks} for u in self.others}
        units = {} if granted is None else {'mysql/0': granted}
        database = relations.Relation(
            id=3, name='shared-db', app='mysql', app_data={}, units=units
        )
        inputs = state.Inputs(
            site=relations.Site(
                unit='demo/0',
                leader=not dying,
                address='10.0.0.1',
                networks={t: (network,) for t in ('public', 'internal', 'admin')},
                all_addresses={t: ('10.0.0.1',) for t in ('public', 'internal', 'admin')},
            ),
            relations={'shared-db': (database,)} if related else {},
            options={'vip': VIP, **options},
            versions={'demo-api': '1.0-1'},
            memory=self.memory,
            peers={vip_admission.MEMBERS: json.dumps(['demo/0', *self.others])},
            peer_units={} if alone else others,
            dying=dying,
            now=self.machine.clock,
        )
        before, began = len(self.machine.steps), self.machine.clock
        desired = drive(
            self.machine, lambda w, i: service.desired_state(SPEC, w, i), why, inputs
        ).desired
        self.memory = {**self.memory, **desired.memory}
        self.steps = self.machine.steps[before:]
        self.slept = self.machine.clock - began
        return desired

    @property
    def drains(self) -> bool:
        return apache.DRAIN_FILE in self.machine.seen.paths

    @property
    def running(self) -> frozenset[str]:
        return self.machine.seen.active & {'apache2', 'haproxy', 'keepalived'}


RELEASE = 'run release of VIPs'


@pytest.mark.parametrize('granted', [GRANTED, None], ids=['has its database', 'departs from it'])
def test_it_fails_its_health_check_first_and_then_gives_its_vips_away_and_stops(
    granted: relations.Databag | None,
):
    unit = Unit()
    said = unit.run(DEPARTED, dying=True, granted=granted)
    order = [
        f'write {apache.DRAIN_FILE}',
        'reload haproxy',
        RELEASE,
        'stop apache2',
    ]
    assert [s for s in unit.steps if s in order] == order
    assert unit.slept >= departure.NOTICE_S
    assert (unit.running, unit.drains) == ({'haproxy'}, True)
    (api,) = [s for s in said.host.services if s.name == apache.SERVICE]
    assert api.linger_s == 0, 'all have noticed'
    if granted:
        assert state.summary(said.status) == state.Status('maintenance', 'is being removed')
    assert not vip_admission.read(said.unit_data['peers']).takes_part


def test_so_does_one_whose_first_hook_comes_when_its_database_is_gone_already():
    unit = Unit()
    unit.run(Hook('shared-db-relation-broken'), dying=True, related=False)
    assert unit.slept >= departure.NOTICE_S
    assert unit.steps.index(RELEASE) < unit.steps.index('stop apache2')


def test_meanwhile_clients_are_told_that_their_connections_end():
    unit = Unit()
    assert 'connection close\n' not in unit.machine.file('/etc/haproxy/haproxy.cfg')
    unit.run(DEPARTED, dying=True)
    assert 'set-header connection close\n' in unit.machine.file('/etc/haproxy/haproxy.cfg')


def test_the_hooks_that_follow_wait_for_nobody_and_bring_nothing_back():
    unit = Unit()
    unit.run(DEPARTED, dying=True)
    for why in (DEPARTED, Hook('peers-relation-departed', 'demo/0'), Hook('stop')):
        unit.run(why, dying=True, granted=None, alone=True)
        assert (unit.slept, unit.running, RELEASE in unit.steps) == (0, {'haproxy'}, False)


def test_a_hook_that_was_killed_while_it_waited_is_made_up_for_by_the_next():
    unit = Unit()
    memory = unit.memory
    unit.run(DEPARTED, dying=True)
    unit.memory = memory
    unit.run(DEPARTED, dying=True)
    assert unit.memory[departure.GONE]
    assert unit.running == {'haproxy'}


def test_it_gives_them_away_in_the_stop_hook_where_none_came_before():
    unit = Unit()
    unit.run(Hook('stop'), granted=None)
    assert unit.slept == 0
    assert unit.steps.index(RELEASE) < unit.steps.index('stop keepalived')
    assert unit.running == {'haproxy'}


def test_a_unit_that_goes_on_with_what_it_had_does_not_fail_its_health_check_for_what_was_before():
    unit = Unit()
    seen = unit.machine.seen
    paths = {**seen.paths, apache.DRAIN_FILE: 'of a reload after which it was not well'}
    unit.machine.seen = dataclasses.replace(seen, paths=paths)
    unit.run(Hook('update-status'), granted={})
    assert (unit.drains, unit.running) == (False, {'apache2', 'haproxy', 'keepalived'})


def test_another_units_departure_changes_nothing():
    unit = Unit()
    unit.run(Hook('peers-relation-departed', 'demo/2'))
    assert (unit.steps, unit.slept) == ([], 0)


def peers_of(unit: Unit) -> list[str]:
    """Whom its keepalived advertises to."""
    text = unit.machine.file(keepalived.PATH)
    return text.partition('unicast_peer {')[2].partition('}')[0].split()


def test_one_that_departs_is_advertised_to_as_long_as_it_may_run() -> None:
    unit = Unit()
    assert peers_of(unit) == ['10.0.0.11', '10.0.0.12']
    unit.others = ('demo/1',)
    unit.run(Hook('peers-relation-departed', 'demo/2'))
    assert peers_of(unit) == ['10.0.0.11', '10.0.0.12']
    assert '10.0.0.12' not in unit.machine.file('/etc/haproxy/haproxy.cfg')
    unit.machine.clock += vrrp_peers.LINGER_S - 60
    unit.run(Hook('update-status'))
    assert peers_of(unit) == ['10.0.0.11', '10.0.0.12']
    unit.machine.clock += 120
    unit.run(Hook('update-status'))
    assert peers_of(unit) == ['10.0.0.11']
    assert [*unit.memory[vrrp_peers.MEMORY]] == ['demo/1']


def test_one_that_is_removed_advertises_to_those_that_it_departs_from_until_it_gives_the_vips_away() -> (
    None
):
    unit = Unit()
    with_file: list[list[str]] = []
    sleep = unit.machine.sleep

    def slept(seconds: float) -> None:
        with_file.append(peers_of(unit))
        sleep(seconds)

    unit.machine.sleep = slept  # pyright: ignore[reportAttributeAccessIssue]
    unit.run(Hook('peers-relation-departed', 'demo/1'), dying=True, alone=True)
    assert with_file[0] == ['10.0.0.11', '10.0.0.12']


@pytest.mark.parametrize('before', [None, 'x', [1], {'demo/1': 3}, {'demo/1': {'until': 'x'}}])
def test_what_is_remembered_in_another_form_is_forgotten(before: object) -> None:
    assert vrrp_peers.departed(vrrp_peers.remembered(before, {}, now=5.0)) == ()


def test_who_has_nobody_to_give_them_to_waits_for_nobody():
    unit = Unit(others=())
    unit.run(DEPARTED, dying=True)
    assert unit.slept == 0


def test_what_renews_apache_does_not_hold_a_unit_that_leaves():
    unit = Unit()
    unit.run(DEPARTED, dying=True, workers=3)
    assert 'reload apache2' not in unit.steps
    assert unit.running == {'haproxy'}


def test_a_unit_without_vips_or_behind_a_load_balancer_is_not_concerned():
    inputs = state.Inputs(
        site=relations.Site(unit='demo/0', leader=False, address='10.0.0.1'),
        memory={vip_admission.JOINED: True},
        peers={vip_admission.MEMBERS: '["demo/0", "demo/1"]'},
        dying=True,
    )
    with_vip = dataclasses.replace(inputs, options={'vip': VIP})
    none = departure.Departure()
    assert departure.decide(DEPARTED, inputs, balanced=False) == none
    assert departure.decide(DEPARTED, with_vip, balanced=True) == none
    assert departure.decide(DEPARTED, with_vip, balanced=False) == departure.Departure(
        closing=True
    )
    new = dataclasses.replace(with_vip, memory={})
    assert departure.decide(DEPARTED, new, balanced=False) == none


PROGRAMS = {
    'nft': 'echo "nft $1 $2" >> {log}; [ "$1" != -f ] || {{ cat >> {log}; exit {nft}; }}',
    'ss': 'echo "ss $5" >> {log}; [ $(grep -c "^ss" {log}) -gt {busy} ] || echo connected',
    'systemctl': 'echo "systemctl $*" >> {log}',
    'sleep': ':',
}


def released(folder: pathlib.Path, *, nft: int = 0, busy: int = 0) -> list[str]:
    """What the program does where *nft* ends so and *busy* looks find a connection."""
    log = folder / 'log'
    for name, text in PROGRAMS.items():
        path = folder / name
        path.write_text('#!/bin/sh\n' + text.format(log=log, nft=nft, busy=busy) + '\n')
        path.chmod(0o755)
    script = folder / 'release-vips'
    script.write_text(vip_release.program(('10.0.0.200', 'fd00::200')))
    subprocess.run(['sh', script], check=True, env={'PATH': f'{folder}:/usr/bin:/bin'})
    return log.read_text().splitlines()


def test_vips_move_while_there_is_no_connection_and_none_can_begin(tmp_path: pathlib.Path):
    did = released(tmp_path, busy=3)
    stop = did.index('systemctl disable --now --quiet keepalived')
    rules = [line.strip() for line in did if 'drop' in line]
    assert rules == [
        'ip daddr 10.0.0.200 tcp flags & (syn | ack) == syn drop',
        'ip6 daddr fd00::200 tcp flags & (syn | ack) == syn drop',
    ]
    looks = [i for i, line in enumerate(did) if line.startswith('ss')]
    assert did.index('    ' + rules[1]) < looks[0] < looks[-1] < stop
    assert len(looks) == 5  # Three that found one; then both VIPs without.
    assert did[-1] == 'nft delete table'


def test_connections_that_do_not_end_hold_it_up_for_a_while_only(tmp_path: pathlib.Path):
    did = released(tmp_path, busy=10_000)
    assert sum(line.startswith('ss') for line in did) == 10 * vip_release.WAIT_S + 1
    assert did[-2:] == ['systemctl disable --now --quiet keepalived', 'nft delete table']


def test_where_new_ones_cannot_be_kept_waiting_they_move_at_once(tmp_path: pathlib.Path):
    did = released(tmp_path, nft=1, busy=10_000)
    assert not any(line.startswith('ss') for line in did)
    assert 'systemctl disable --now --quiet keepalived' in did


def test_keepalived_s_file_goes_with_it():
    unit = Unit()
    unit.run(DEPARTED, dying=True)
    assert keepalived.PATH not in unit.machine.seen.paths
