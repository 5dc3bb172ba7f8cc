"""An API's unit and the load balancer in front of it, word for word: each hears what the other has written."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import charmkit
import pki
import pytest
from charmkit import drive, service, state
from charmkit import testing as machines
from charmkit.proxy import haproxy
from charmkit.relations import ENDPOINT_TYPES, Network, Relation, Site, certificates
from charmkit.why import Action, Hook, Why
from ops import testing

from . import test_charm as usual

SPEC = service.ServiceSpec(
    name='demo', user='demo', packages=('demo-api',), needs=(),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='volumev3'),),
)  # fmt: skip
CHANGED = Hook('config-changed')
NOW = 1_800_000_000.0
CA = pki.Authority(now=NOW)
ADDRESS = '10.1.0.20'
IDS = dict(zip(ENDPOINT_TYPES, (10, 11, 12), strict=True))
PLAIN, SECURE = 8778, 18778


class Pair:
    """Both of them, and the authority."""

    def __init__(self, machine: machines.FakeMachine) -> None:
        self.balancer_machine = machine
        self.ctx: Any = testing.Context(usual.charm.LoadBalancerCharm)
        self.machine = machines.FakeMachine()
        self.memory: dict[str, Any] = {}
        self.bags: dict[str | int, dict[str, str]] = {}
        self.app_bags: dict[int, dict[str, str]] = {}
        self.certified = True
        self.given: dict[str, dict[str, str]] = {}
        """What the authority has answered."""
        self.state = usual.state(*(self._backend(i) for i in IDS.values()), self._trusted())
        self.ports: list[tuple[set[int], int]] = []
        self.runs = 0
        self.said = ''
        """The status of the API's unit."""

    def _backend(self, i: int) -> testing.Relation:
        own = {'ingress-address': ADDRESS, **self.bags.get(i, {})}
        return testing.Relation(
            'backend', id=i, remote_app_name='demo', remote_app_data=self.app_bags.get(i, {}),
            remote_units_data={0: own},
        )  # fmt: skip

    def _trusted(self) -> testing.Relation:
        return testing.Relation(
            'receive-ca-cert', id=30, remote_app_name='ca',
            remote_app_data=dict(certificates.transfer([CA.root])),
        )  # fmt: skip

    def api(self, why: Why = CHANGED) -> None:
        """A run of the API's unit."""
        said: dict[str, tuple[Relation, ...]] = {}
        for t, i in IDS.items():
            theirs: Any = self.state.get_relation(i)
            said[f'{t}-backend'] = (
                Relation(
                    id=i, name=f'{t}-backend', app='openstack-loadbalancer',
                    app_data=theirs.local_app_data,
                    units={'openstack-loadbalancer/0': theirs.local_unit_data},
                    my_data=self.bags.get(i, {}),
                ),
            )  # fmt: skip
        if self.certified:
            asked = self.bags.get('certificates', {}).get('certificate_signing_requests', '')
            if asked not in self.given:
                self.given[asked] = CA.answers(asked)
            given = self.given[asked]
            said['certificates'] = (Relation(id=4, name='certificates', app='ca', app_data=given),)
        self.runs += 1
        here = (Network('eth0', ADDRESS, '10.1.0.0/24'),)
        inputs = state.Inputs(
            site=Site(
                unit='demo/0', leader=True, address=ADDRESS,
                networks=dict.fromkeys(ENDPOINT_TYPES, here),
            ),
            relations=said, memory=self.memory, unit_secret='s' * 64, fresh=f'{self.runs:064}',
            now=NOW,
        )  # fmt: skip

        def decide(why: Any, known: state.Inputs) -> state.Desired:
            return service.desired_state(SPEC, why, known)

        desired = drive.drive(self.machine, decide, why, inputs).desired
        self.said = state.summary(desired.status).message
        self.memory = json.loads(json.dumps({**self.memory, **desired.memory}))
        self.bags = {k: dict(v) for k, v in desired.unit_data.items()}
        self.app_bags = {k: dict(v) for k, v in desired.app_data.items() if isinstance(k, int)}

    def balancer(self) -> None:
        """A run of the load balancer."""
        relations: list[testing.RelationBase] = []
        for r in self.state.relations:
            if isinstance(r, testing.Relation) and r.endpoint == 'backend':
                fresh = self._backend(r.id)
                r = dataclasses.replace(
                    r,
                    remote_app_data=fresh.remote_app_data,
                    remote_units_data=fresh.remote_units_data,
                )
            relations.append(r)
        self.state = dataclasses.replace(self.state, relations=relations)
        self.state = self.ctx.run(self.ctx.on.update_status(), self.state)

    @property
    def listens(self) -> set[int]:
        """The ports that Apache serves others on."""
        if self.machine.service('apache2') != 'running':
            return set()
        site = self.machine.file('/etc/apache2/sites-enabled/demo-api.conf')
        lines = [x.split()[1] for x in site.splitlines() if x.startswith('Listen ')]
        return {int(x.rpartition(':')[2]) for x in lines if not x.startswith('127.')}

    @property
    def server(self) -> str:
        """The line of haproxy's configuration that the unit is in."""
        try:
            text = self.balancer_machine.file(haproxy.CONFIG)
        except KeyError:
            return ''
        return next((x.strip() for x in text.splitlines() if ' server demo-0 ' in x), '')

    def settle(self) -> None:
        """Until neither has anything to say; after each word it is noted which port is asked, and which there are."""
        for _ in range(12):
            before = (self.bags, self.state.relations)
            for run in (self.api, self.balancer):
                run()
                if self.server:
                    asked = int(self.server.split()[2].rpartition(':')[2])
                    if self.ports or asked in self.listens:  # It has been reached once.
                        self.ports.append((self.listens, asked))
            if (self.bags, self.state.relations) == before:
                return
        raise AssertionError('they do not come to an end')


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Pair:
    fake = machines.FakeMachine()
    fake.sockets = usual.FakeHaproxy(fake).ask
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return Pair(fake)


def test_they_come_to_tls_and_go_back_and_no_port_is_asked_that_is_not_there(pair: Pair) -> None:
    pair.certified = False
    pair.settle()
    assert pair.listens == {PLAIN} and 'ssl' not in pair.server
    pair.certified = True
    pair.settle()
    assert pair.listens == {SECURE}
    assert f' {ADDRESS}:{SECURE} ' in pair.server and 'verifyhost demo-0.internal' in pair.server
    pair.certified = False
    pair.settle()
    assert pair.listens == {PLAIN} and 'ssl' not in pair.server
    assert all(asked in there for there, asked in pair.ports), pair.ports
    assert {asked for _, asked in pair.ports} == {PLAIN, SECURE}


def test_a_load_balancer_that_knows_no_authority_is_asked_for_nothing(pair: Pair) -> None:
    others = {r for r in pair.state.relations if r.id != 30}
    pair.state = dataclasses.replace(pair.state, relations=others)
    pair.settle()
    assert pair.listens == {PLAIN} and 'ssl' not in pair.server


def test_a_load_balancer_that_loses_its_authority_leads_back(pair: Pair) -> None:
    pair.settle()
    assert pair.listens == {SECURE}
    others = {r for r in pair.state.relations if r.id != 30}
    pair.state = dataclasses.replace(pair.state, relations=others)
    pair.settle()
    assert pair.listens == {PLAIN} and 'ssl' not in pair.server
    assert all(asked in there for there, asked in pair.ports), pair.ports


SHORT = 'demo would have 0 of 1 units left'


def test_a_pause_of_the_only_unit_says_at_once_why_it_is_refused(pair: Pair) -> None:
    """What the load balancer decides then, no action can wait for: its databags are sent when it has ended."""
    pair.settle()
    pair.api(Action('pause'))
    assert pair.said.startswith(
        f'draining, asked: openstack-loadbalancer refuses it as things are: {SHORT}'
    )
    pair.balancer()
    pair.api()
    assert pair.said.startswith(f'draining, refused: openstack-loadbalancer: {SHORT}')


def test_a_forced_pause_hears_of_no_refusal(pair: Pair) -> None:
    pair.settle()
    pair.api(Action('pause', {'force': True}))
    assert pair.said.startswith('draining, asked: openstack-loadbalancer has not decided yet')
