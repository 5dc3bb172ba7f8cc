"""A unit with a VIP and no load balancer, as Juju runs it: one that comes takes no VIP from those that are there."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import testing as machines
from charmkit.proxy import keepalived, vip_admission
from ops import testing

from charms import conftest as shared

NAME, ME = 'placement', 'placement/7'
VIP = {'vip': '203.0.113.99'}
THERE = {'addresses': '["203.0.113.1"]', 'takes-part': 'yes', 'advertises-to': '[]'}
SPEAKS = {**THERE, 'advertises-to': json.dumps([ME])}


@pytest.fixture
def ctx() -> testing.Context[Any]:
    return testing.Context(shared.load(NAME).PlacementCharm, unit_id=7)


def state(
    said: dict[str, str] | None, *relations: testing.RelationBase, **peers: str
) -> testing.State:
    """Of placement/7, that its leader has admitted, beside placement/1 that says *said*."""
    data = {'members': json.dumps(['placement/1', ME]), **peers}
    units = {} if said is None else {1: said}
    every = {
        testing.PeerRelation('peers', id=90, peers_data=units, local_app_data=data),
        *(relations or (shared.database(ME), shared.identity(NAME))),
    }
    return testing.State(relations=every, networks=shared.networks(), config=dict(VIP))


@pytest.mark.parametrize('said', [None, {}, THERE])
@pytest.mark.parametrize('leader', [False, True])
def test_a_unit_that_comes_takes_no_vip_from_those_that_are_there(
    ctx: Any, machine: machines.FakeMachine, said: dict[str, str] | None, leader: bool
):
    before = dataclasses.replace(state(said), leader=leader)
    ctx.run(ctx.on.config_changed(), before)
    assert machine.service('keepalived') == 'stopped'
    assert machine.service('haproxy') == 'running'
    assert keepalived.PATH not in machine.seen.paths


def test_once_they_speak_to_it_it_takes_part_and_goes_on_when_they_die(
    ctx: Any, machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(SPEAKS))
    assert machine.service('keepalived') == 'running'
    assert '203.0.113.1\n' in machine.file(keepalived.PATH)
    silent = dataclasses.replace(out.get_relation(90), peers_data={1: {}})
    others = {r for r in out.relations if r.id != 90}
    ctx.run(ctx.on.update_status(), dataclasses.replace(out, relations={silent, *others}))
    assert machine.service('keepalived') == 'running'


def test_sabotaged_it_takes_it_at_once(
    ctx: Any, machine: machines.FakeMachine, monkeypatch: pytest.MonkeyPatch
):
    right = vip_admission.decide

    def at_once(*args: Any, **more: Any) -> vip_admission.Part:
        return dataclasses.replace(right(*args, **more), joined=True)

    monkeypatch.setattr(vip_admission, 'decide', at_once)
    ctx.run(ctx.on.config_changed(), state(THERE))
    assert machine.service('keepalived') == 'running'


def test_before_it_has_a_database_it_says_whom_it_would_speak_to(
    ctx: Any, machine: machines.FakeMachine
):
    out = ctx.run(ctx.on.config_changed(), state(THERE, shared.identity(NAME)))
    said = out.get_relation(90).local_unit_data
    assert json.loads(said['advertises-to']) == ['placement/1']
    assert 'takes-part' not in said
    assert 'keepalived' not in machine.seen.active


@pytest.mark.parametrize('leader', [False, True])
def test_one_that_is_removed_passes_its_vip_on_first_and_leaves_the_others_admitted(
    ctx: Any, machine: machines.FakeMachine, leader: bool
):
    out = ctx.run(ctx.on.config_changed(), dataclasses.replace(state(SPEAKS), leader=leader))
    assert 'keepalived' in machine.seen.active
    database = next(r for r in out.relations if r.endpoint == 'shared-db')
    silent = dataclasses.replace(database, remote_units_data={})
    alone = dataclasses.replace(out.get_relation(90), peers_data={})
    others = {r for r in out.relations if r not in (database, out.get_relation(90))}
    before = dataclasses.replace(out, relations={silent, alone, *others})
    event = ctx.on.relation_departed(alone, remote_unit=1, departing_unit=7)
    peers = ctx.run(event, before).get_relation(90)
    assert 'keepalived' not in machine.seen.active
    assert 'haproxy' in machine.seen.active, 'what has come here is answered'
    assert json.loads(peers.local_app_data['members']) == ['placement/1', ME]
    assert 'takes-part' not in peers.local_unit_data
