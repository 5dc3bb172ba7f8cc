"""TLS to the members, whatever comes in whatever order, and hooks that are killed: no client is ever locked out."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import amqp_tls
import charmkit
import listeners
import membership
import node
import pytest
from charmkit import host
from charmkit import x509 as certs
from charmkit.relations import Relation, Site, certificates, rabbitmq, server_tls
from hypothesis import given, settings
from hypothesis import strategies as st

from charms.tests.authorities import AUTHORITIES, answers

from . import successors

NOW = time.time() + 86_400
UNITS = ('rabbitmq-server/0', 'rabbitmq-server/1')
Event = tuple[str, str, int]


class Machine(successors.Machine):
    """A node on it listens, when it starts, as its file says."""

    contents: dict[str, str]

    def carry_out(self, step: host.Step, desired: host.Host) -> str:
        said = super().carry_out(step, desired)
        for file in desired.files:
            if str(step) == f'write {file.path}':
                self.contents[file.path] = file.content
        if step.verb in ('start', 'restart'):
            self.begins()
        return said

    def begins(self) -> None:
        rabbit = self.rabbits.nodes[self.node]
        config = self.contents.get(node.CONFIG, '')
        rabbit.plain = 'listeners.tcp.clients' in config
        rabbit.tls = 'listeners.ssl' in config
        rabbit.shown = self.contents[amqp_tls.PEM] if rabbit.tls else ''
        rabbit.idle = False


@dataclasses.dataclass
class World(successors.Application):
    """Two members, and one client."""

    authority: str = ''
    edition: int = 0
    asked: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    issued: dict[tuple[str, str, int], dict[str, str]] = dataclasses.field(
        default_factory=dict[tuple[str, str, int], dict[str, str]]
    )
    mark: str = ''
    pending: rabbitmq.Broker | None = None
    in_force: rabbitmq.Broker | None = None

    def add(self, version: str) -> str:
        unit = super().add(version)
        own = self.machines[unit]
        fields = {f.name: getattr(own, f.name) for f in dataclasses.fields(own)}
        mine = Machine(**fields)
        mine.contents = {}
        self.machines[unit] = mine
        self.rabbits.pem = lambda name: self.contents(membership.unit(name))[amqp_tls.PEM]
        return unit

    def contents(self, unit: str) -> dict[str, str]:
        found = self.machines[unit]
        assert isinstance(found, Machine)
        return found.contents

    def inputs(self, unit: str) -> charmkit.Inputs:
        before = super().inputs(unit)
        (relation,) = before.of('amqp')
        bag = {
            **relation.units['nova/0'],
            **({server_tls.IN_FORCE: self.mark} if self.mark else {}),
        }
        amqp = dataclasses.replace(relation, units={'nova/0': bag})
        found: tuple[Relation, ...] = ()
        if self.authority:
            key = (self.asked.get(unit, ''), self.authority, self.edition)
            if key not in self.issued:
                self.issued[key] = answers(key[0], key[1])
            found = (Relation(id=2, name='certificates', app='ca', app_data=self.issued[key]),)
        return dataclasses.replace(
            before,
            relations={'amqp': (amqp,), 'certificates': found},
            now=NOW,
            unit_secret=f'secret of {unit}',
        )

    def hook(
        self, unit: str, why: charmkit.Why = successors.TIME, kill_at: int = -1
    ) -> charmkit.Desired | None:
        desired = super().hook(unit, why, kill_at)
        if desired and 'certificates' in desired.unit_data:
            said: Any = desired.unit_data['certificates']
            self.asked[unit] = said['certificate_signing_requests']
        return desired

    def hears(self) -> None:
        """The client's hook: who it trusts is read for each connection."""
        mine = {server_tls.IN_FORCE: self.mark} if self.mark else {}
        relation = Relation(
            id=1, name='amqp', app='rabbitmq-server', units=self.answers, my_data=mine
        )
        site = Site(unit='nova/0', leader=True, address='')
        found = rabbitmq.need('nova').read((relation,), site)
        self.pending = found or self.pending
        if found and self.in_force and self.in_force.ca and found.ca:
            self.in_force = dataclasses.replace(self.in_force, ca=found.ca)

    def takes_up(self) -> None:
        """All of its processes have read their configuration."""
        self.in_force = self.pending
        if self.in_force:
            self.mark = server_tls.mark(self.in_force.ca) if self.in_force.ca else ''

    def happens(self, event: Event) -> None:
        what, which, number = event
        match what:
            case 'hook':
                self.hook(which, kill_at=number)
            case 'authority':
                self.authority = which
            case 'renewed':
                self.edition += 1
            case 'hears':
                self.hears()
            case 'takes up':
                self.takes_up()
            case 'restart':
                machine = self.machines[which]
                assert isinstance(machine, Machine)
                machine.begins()
            case _:
                self.rabbits.nodes[membership.node(which)].idle = what == 'drain'

    def shows(self, unit: str, ca: str) -> bool:
        """Whether a client that trusts *ca* verifies the member."""
        found = self.rabbits.nodes[membership.node(unit)]
        if not (found.tls and found.shown):
            return False
        issuer = certs.certificates(found.shown)[0].issuer.removeprefix('CN=')
        return AUTHORITIES[issuer][0] in certificates.pem_blocks(ca)

    def wrong(self) -> list[str]:
        out = super().wrong()
        for unit, bag in self.answers.items():
            ca = server_tls.authorities(bag)
            if bag.get('ssl_port') and not self.shows(unit, ca):
                out.append(f'clients are told of TLS to {unit}, which does not show it')
        broker = self.in_force
        for unit, bag in self.answers.items() if broker else ():
            if broker is None or bag.get('hostname') not in broker.hosts:
                continue
            found = self.rabbits.nodes[membership.node(unit)]
            if not (self.shows(unit, broker.ca) if broker.ca else found.plain):
                out.append(f'the client is locked out of {unit}')
        return out


def world() -> World:
    made = World()
    for _ in UNITS:
        made.add(successors.OLD)
    made.hooks(6)
    assert made.told() == {*UNITS}, made.status
    made.hears()
    made.takes_up()
    return made


def quiet(made: World) -> None:
    """Time passes, and nothing else happens."""
    for unit in UNITS:
        made.rabbits.nodes[membership.node(unit)].idle = False
    for _ in range(3):
        made.hooks(2)
        made.hears()
        made.takes_up()
    made.hooks(2)


EVENTS = st.one_of(
    st.tuples(
        st.just('hook'), st.sampled_from(UNITS), st.sampled_from((-1,) * 12 + (*range(1, 30),))
    ),
    st.tuples(st.just('authority'), st.sampled_from(('', 'first', 'second')), st.just(0)),
    st.tuples(st.sampled_from(('hears', 'takes up', 'renewed')), st.just(''), st.just(0)),
    st.tuples(st.sampled_from(('restart', 'drain', 'revive')), st.sampled_from(UNITS), st.just(0)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_no_client_is_locked_out_whatever_comes_when(events: list[Event]):
    made = world()
    for number, event in enumerate(events):
        made.happens(event)
        assert made.wrong() == [], events[: number + 1]
    quiet(made)
    assert made.wrong() == []
    broker = made.in_force
    assert broker
    for unit in UNITS:
        found = made.rabbits.nodes[membership.node(unit)]
        assert bool(broker.ca) == bool(made.authority)
        assert found.plain == (not made.authority), made.status


def change_over(made: World) -> None:
    for authority in ('first', 'second', ''):
        made.authority = authority
        for _ in range(4):
            for unit in UNITS:
                made.happens(('hook', unit, -1))
                assert made.wrong() == []
            made.hears()
            made.takes_up()
            assert made.wrong() == []


def test_it_goes_there_to_another_authority_and_back():
    change_over(world())


@pytest.mark.parametrize('what', ['told first', 'closed first', 'shown first', 'not taken up'])
def test_an_order_that_is_wrong_is_seen(monkeypatch: pytest.MonkeyPatch, what: str):
    """The twins: each of the orders that the charm keeps, the other way round."""
    decide, plan = amqp_tls.decide, listeners.plan

    def told_first(inputs: charmkit.Inputs) -> amqp_tls.AmqpTls:
        found = decide(inputs)
        ca = found.certificate.ca if found.certificate else ''
        return dataclasses.replace(found, published=ca, holds=True)

    def closed_first(inputs: charmkit.Inputs) -> amqp_tls.AmqpTls:
        found = decide(inputs)
        task = found.task and dataclasses.replace(found.task, plain=False)
        return dataclasses.replace(found, task=task)

    def never(want: listeners.Listen, seen: listeners.Seen) -> listeners.Verb | None:
        verb = plan(want, seen)
        return None if verb == 'take-up' else verb

    if what == 'told first':
        monkeypatch.setattr(amqp_tls, 'decide', told_first)
    elif what == 'closed first':
        monkeypatch.setattr(amqp_tls, 'decide', closed_first)
    elif what == 'shown first':
        monkeypatch.setattr(amqp_tls.server_certificate, 'HOLD_S', -1e12)
    else:
        monkeypatch.setattr(listeners, 'plan', never)
    with pytest.raises(AssertionError):
        made = world()
        change_over(made)
        assert made.in_force and made.in_force.ca, 'nobody changed over'


def moved() -> World:
    """One member by TLS, and one that follows it."""
    made = World(authority='first')
    made.add(successors.OLD)
    made.hooks(6)
    made.hears()
    made.takes_up()
    made.hooks(1)
    made.add(successors.NEW)
    return made


def test_who_follows_takes_over_clients_that_verify():
    made = moved()
    old, new = UNITS
    switch = charmkit.Action('switch-over', {})
    made.hooks(4)
    assert made.bags[new][amqp_tls.PEER] == made.bags[old][amqp_tls.PEER]
    (first, *_) = certs.certificates(made.rabbits.nodes[membership.node(new)].shown)
    assert {*first.names.addresses} == {'10.1.0.0', '10.1.0.1'}, 'it stands in for the old one'
    assert not made.rabbits.nodes[membership.node(new)].plain, 'it is as closed as the old one'
    done = made.hook(old, switch)
    assert done and not done.failure
    assert made.machines[old].serves == 'relay'
    relays = {f.path for f in made.machines[old].desired.files if 'relay' in f.path}
    assert relays == {f'/etc/systemd/system/rabbitmq-relay-tls.{x}' for x in ('service', 'socket')}
    service = made.machines[old].file('/etc/systemd/system/rabbitmq-relay-tls.service')
    assert '10.1.0.1:5671\n' in service and 'Requires=rabbitmq-relay-tls.socket' in service
    made.hooks(3)
    assert made.told() == {new} and made.wrong() == []
    made.hears()
    made.takes_up()
    assert made.in_force and made.in_force.hosts == ('10.1.0.1',) and made.in_force.port == 5671


def test_clients_that_verify_are_not_handed_to_one_without_a_certificate():
    made = moved()
    old, new = UNITS
    made.hooks(4)
    before = made.bags[new].pop(amqp_tls.PEER)
    refused = made.hook(old, charmkit.Action('switch-over', {}))
    assert refused and 'no certificate of the same authority' in refused.failure
    made.mark = ''
    made.bags[new][amqp_tls.PEER] = before
    made.bags[old].pop(amqp_tls.PEER)
    assert amqp_tls.handed_over_without(made.inputs(old), new) == ''


def test_who_handed_over_and_takes_it_back_has_no_relay_left():
    made = moved()
    old, new = UNITS
    made.hooks(4)
    made.hook(old, charmkit.Action('switch-over', {}))
    made.machines.pop(new)
    made.hook(old, charmkit.Action('resume', {}))
    assert made.machines[old].serves == 'server'
    argv = ('systemctl', 'disable', '--now', '--quiet', 'rabbitmq-relay-tls.socket')
    assert argv in made.machines[old].programs
