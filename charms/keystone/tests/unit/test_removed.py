"""A leader that is removed sees all of its relations go: it takes nothing from the catalogue, and adds nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import charmkit
import keystone_run
import pytest
import registration
from fake_keystone import FakeKeystone
from ops import testing

from .test_charm import Machine, context, glance, machine, server, shared_by, state

__all__ = ['machine', 'server']  # fixtures

DB = testing.Relation(
    'shared-db',
    remote_app_name='mysql',
    remote_units_data={
        0: {'db_host': '10.1.0.5', 'password': 'pw', 'allowed_units': 'keystone/3'}
    },
)
NOVA = dataclasses.replace(
    glance(service='nova', public_url='http://10.2.0.8:8774'), remote_app_name='nova', id=901
)


@pytest.fixture
def ctx(machine: Machine) -> testing.Context[Any]:
    return context(3)  # ops.testing takes a departing unit 0 for none.


def led(ctx: Any, asks: testing.Relation) -> testing.State:
    """A leader beside another unit, with glance in its catalogue."""
    return ctx.run(ctx.on.update_status(), state(DB, asks, peers={1: {}}))


def without(before: testing.State, *gone: int) -> testing.State:
    """The same, where the relations *gone* have no units any more."""

    def silent(r: testing.RelationBase) -> testing.RelationBase:
        if isinstance(r, testing.PeerRelation):
            return dataclasses.replace(r, peers_data={})
        return dataclasses.replace(r, remote_units_data={})

    every = {silent(r) if r.id in gone else r for r in before.relations}
    return dataclasses.replace(before, relations=every)


def removed(ctx: Any, before: testing.State) -> Iterator[testing.State]:
    """Juju removes the leader: the relation to its peers departs, then each of the others departs and breaks."""
    (peers,) = before.get_relations('peers')
    now = without(before, peers.id)
    here = now.get_relation(peers.id)
    now = ctx.run(ctx.on.relation_departed(here, remote_unit=1, departing_unit=3), now)
    yield now
    # The database last: until then there is a keystone to be asked for something.
    for relation in sorted(now.relations, key=lambda r: (r.endpoint, r.id)):
        if relation.endpoint == 'peers':
            continue
        now = without(now, relation.id)
        here = now.get_relation(relation.id)
        now = ctx.run(ctx.on.relation_departed(here, remote_unit=0), now)
        yield now
        now = ctx.run(ctx.on.relation_broken(now.get_relation(relation.id)), now)
        left = {r for r in now.relations if r.id != relation.id}
        now = dataclasses.replace(now, relations=left)
        yield now
    yield ctx.run(ctx.on.stop(), now)


def changes(machine: Machine) -> list[str]:
    """What was done to keystone, beside logging in."""
    return [
        f'{r.method} {r.url}'
        for r in machine.requests
        if r.method not in ('GET', 'HEAD') and not r.url.endswith('/auth/tokens')
    ]


def go(ctx: Any, machine: Machine, server: FakeKeystone) -> None:
    """A leader goes, while one more asks: that is for the next leader."""
    asks = glance()
    before = led(ctx, asks)
    catalogue, account = server.urls(), server.user('glance')
    assert account
    assert {name for name, *_ in catalogue} == {'keystone', 'glance'}
    machine.requests.clear()
    coming = dataclasses.replace(before, relations={*before.relations, NOVA})
    for now in removed(ctx, coming):
        assert changes(machine) == []
        assert (server.urls(), server.user('glance')) == (catalogue, account)
        assert not server.user('nova')
        assert registration.request_ledger.load(shared_by(now)['requests']).keys() == {asks.id}


def test_it_deletes_nothing_and_registers_nothing(
    ctx: Any, machine: Machine, server: FakeKeystone
):
    go(ctx, machine, server)


def leads_on(self: charmkit.Charm) -> bool:
    return self.unit.is_leader()


def never(why: charmkit.Why, inputs: charmkit.Inputs) -> bool:
    return False


def test_sabotaged_one_that_leads_on_is_found_to_register(
    ctx: Any, machine: Machine, server: FakeKeystone, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(charmkit.Charm, '_leads', leads_on)
    with pytest.raises(AssertionError):
        go(ctx, machine, server)
    assert server.user('nova')
    assert server.user('glance'), 'that it leaves is known twice'


def test_sabotaged_one_that_does_not_know_that_it_goes_is_found_to_delete(
    ctx: Any, machine: Machine, server: FakeKeystone, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(charmkit.Charm, '_leads', leads_on)
    monkeypatch.setattr(keystone_run, 'departs', never)
    before = led(ctx, glance())
    with pytest.raises(AssertionError):
        for _ in removed(ctx, before):
            assert server.user('glance')
