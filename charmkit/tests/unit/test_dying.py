"""A unit that is being removed says nothing for its application any more, and stays stopped once it was stopped."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any, ClassVar

import charmkit
import pytest
from charmkit import idle
from ops import testing

META: dict[str, Any] = {
    'name': 'demo',
    'peers': {'peers': {'interface': 'demo-peers'}},
    'requires': {'shared-db': {'interface': 'mysql-shared'}},
}


class Demo(charmkit.Charm):
    """Says who is there, for all of them; and notes what it ran with."""

    ran: ClassVar[list[tuple[str, bool, bool]]] = []

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        self.ran.append((why.name, inputs.site.leader, inputs.dying))
        there = ' '.join(sorted({inputs.site.unit, *inputs.peer_units}))
        return charmkit.Desired(app_data={'peers': {'members': there}}, ready_to_stop=True)


@pytest.fixture
def ctx(monkeypatch: pytest.MonkeyPatch) -> testing.Context[Any]:
    monkeypatch.setattr(charmkit.Charm, 'machine', charmkit.testing.FakeMachine())
    monkeypatch.setattr(Demo, 'ran', [])
    return testing.Context(Demo, META, unit_id=3)


PEERS = testing.PeerRelation('peers', peers_data={1: {}, 2: {}})


def members(out: testing.State) -> str:
    """What the application says of who is there."""
    return out.get_relation(PEERS.id).local_app_data.get('members', '')


def led(ctx: Any) -> testing.State:
    """A leader with two others."""
    out = ctx.run(ctx.on.config_changed(), testing.State(leader=True, relations={PEERS}))
    assert members(out) == 'demo/1 demo/2 demo/3'
    return out


def alone(state: testing.State, *left: int) -> testing.State:
    """The same, when only some of the others still show."""
    peers = dataclasses.replace(state.get_relation(PEERS.id), peers_data={n: {} for n in left})
    return dataclasses.replace(state, relations={peers})


def test_a_leader_that_is_removed_does_not_say_that_nobody_else_is_there(ctx: Any):
    before = alone(led(ctx), 2)
    peers = before.get_relation(PEERS.id)
    out = ctx.run(ctx.on.relation_departed(peers, remote_unit=1, departing_unit=3), before)
    assert members(out) == 'demo/1 demo/2 demo/3'
    out = ctx.run(ctx.on.update_status(), alone(out))
    assert members(out) == 'demo/1 demo/2 demo/3'
    after = [one for one in dict.fromkeys(Demo.ran) if one[0] != 'config-changed']
    assert after == [('peers-relation-departed', False, True), ('update-status', False, True)]


def test_only_one_that_is_removed_can_be_ready_to_stop(ctx: Any, tmp_path: pathlib.Path):
    there = testing.Context(Demo, META, unit_id=3, charm_root=tmp_path)
    departed = {
        'JUJU_DISPATCH_PATH': 'hooks/peers-relation-departed',
        'JUJU_CHARM_DIR': str(tmp_path),
        'JUJU_UNIT_NAME': 'demo/3',
        'JUJU_DEPARTING_UNIT': 'demo/3',
    }
    before = led(there)
    assert not idle.asks_for_nothing(departed)
    peers = before.get_relation(PEERS.id)
    there.run(there.on.relation_departed(peers, remote_unit=1, departing_unit=3), before)
    assert idle.asks_for_nothing(departed)


def test_it_is_so_from_the_first_relation_that_it_leaves(ctx: Any):
    database = testing.Relation('shared-db')
    before = dataclasses.replace(led(ctx), relations={PEERS, database})
    ctx.run(ctx.on.relation_departed(database, remote_unit=0, departing_unit=None), before)
    assert Demo.ran[-1][1:] == (True, False)


def test_a_leader_says_when_another_unit_has_gone(ctx: Any):
    before = alone(led(ctx), 2)
    peers = before.get_relation(PEERS.id)
    out = ctx.run(ctx.on.relation_departed(peers, remote_unit=1, departing_unit=1), before)
    assert members(out) == 'demo/2 demo/3'


def test_what_a_program_of_its_own_asks_for_brings_a_stopped_unit_not_back(ctx: Any):
    out = ctx.run(ctx.on.stop(), led(ctx))
    ran = len(Demo.ran)
    ctx.run(ctx.on.update_status(), out)
    assert len(Demo.ran) == ran


def test_a_start_does(ctx: Any):
    out = ctx.run(ctx.on.stop(), led(ctx))
    ctx.run(ctx.on.start(), out)
    assert Demo.ran[-1] == ('start', True, False)
