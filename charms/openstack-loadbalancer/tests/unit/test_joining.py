"""A unit that comes holds no VIP until the others speak to it and it serves what they serve."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest
from charmkit.proxy import keepalived, vip_admission, vrrp_peers
from ops import testing

from tests import quick_yaml

from .test_charm import HERE, ROOT, charm, ctx, keystone, machine, machines, state

__all__ = ['ctx', 'machine']  # fixtures

ME, OTHER = 'openstack-loadbalancer/0', 'openstack-loadbalancer/7'
VIP = {'vip': '10.1.0.100'}
SPEAKS = {'addresses': '{"public": ["10.1.0.6"]}', 'advertises-to': json.dumps([ME])}
ACKS = json.dumps({'keystone/0': {'token': 't', 'state': 'ready', 'sessions': 0}})


def joining_unit(
    said: dict[str, str],
    *relations: testing.RelationBase,
    leader: bool = False,
    unit: str = ME,
) -> testing.State:
    """A unit that its leader has admitted, beside another that says *said*."""
    peers = testing.PeerRelation(
        'peers',
        id=1000,
        peers_data={7: said},
        local_app_data={'members': json.dumps([unit, OTHER])},
    )
    return testing.State(
        leader=leader, relations={peers, *relations}, networks=HERE, config=dict(VIP)
    )


@pytest.mark.parametrize('leader', [False, True])
@pytest.mark.parametrize(
    'said',
    [
        {},
        {**SPEAKS, 'advertises-to': ''},
        {**SPEAKS, 'advertises-to': '["openstack-loadbalancer/70"]'},
        {**SPEAKS, 'acks': ACKS},
    ],
    ids=['silent', 'of an earlier revision', 'speaks to another', 'serves more'],
)
def test_a_unit_that_others_do_not_know_takes_no_vip_from_them(
    ctx: Any, machine: machines.FakeMachine, said: dict[str, str], leader: bool
):
    out = ctx.run(ctx.on.config_changed(), joining_unit(said, leader=leader))
    assert machine.service('keepalived') == 'stopped'
    assert keepalived.PATH not in machine.seen.paths
    assert out.unit_status == testing.WaitingStatus(
        f'no VIPs here until they know of this unit: {OTHER}'
    )


def test_before_the_leader_has_admitted_it_it_takes_none_either(
    ctx: Any, machine: machines.FakeMachine
):
    ctx.run(ctx.on.config_changed(), state(leader=False, config=dict(VIP)))
    assert machine.service('keepalived') == 'stopped'


@pytest.mark.parametrize('said', [SPEAKS, {**SPEAKS, 'acks': ACKS}])
def test_once_they_speak_to_it_and_it_serves_what_they_do_it_takes_part(
    ctx: Any, machine: machines.FakeMachine, said: dict[str, str]
):
    ctx.run(ctx.on.config_changed(), joining_unit(said, keystone()))
    assert machine.service('keepalived') == 'running'
    assert '10.1.0.6' in machine.file(keepalived.PATH)


def test_who_is_there_alone_waits_for_nobody(ctx: Any, machine: machines.FakeMachine):
    ctx.run(ctx.on.config_changed(), state(config=dict(VIP)))
    assert machine.service('keepalived') == 'running'


def test_one_that_takes_part_goes_on_whatever_becomes_of_the_others(
    ctx: Any, machine: machines.FakeMachine
):
    before = ctx.run(ctx.on.config_changed(), joining_unit(SPEAKS))
    silent = dataclasses.replace(before.get_relation(1000), peers_data={7: {}, 8: {}})
    ctx.run(ctx.on.update_status(), dataclasses.replace(before, relations={silent}))
    assert machine.service('keepalived') == 'running'


def test_one_that_was_excluded_goes_on_and_its_check_says_no(
    ctx: Any, machine: machines.FakeMachine
):
    before = ctx.run(ctx.on.config_changed(), joining_unit(SPEAKS))
    alone = dataclasses.replace(
        before.get_relation(1000), local_app_data={'members': json.dumps([OTHER])}
    )
    ctx.run(ctx.on.update_status(), dataclasses.replace(before, relations={alone}))
    assert machine.service('keepalived') == 'running'


@pytest.mark.parametrize(
    ('unit', 'said', 'runs'),
    [
        (7, {'takes-part': 'yes'}, False),
        (7, {}, True),
        (7, {'takes-part': 'yes', 'advertises-to': json.dumps([OTHER])}, True),
        (0, {'takes-part': 'yes'}, True),
    ],
    ids=['left alone', 'by one that holds none', 'not left', 'by one that comes after it'],
)
def test_one_that_the_first_of_them_speaks_to_no_more_steps_back(
    machine: machines.FakeMachine, unit: int, said: dict[str, str], runs: bool
):
    one = testing.Context(charm.LoadBalancerCharm, unit_id=unit)
    other = 7 - unit
    peers = testing.PeerRelation(
        'peers',
        id=1000,
        peers_data={other: {**SPEAKS, 'advertises-to': json.dumps([ME, OTHER])}},
        local_app_data={'members': json.dumps([ME, OTHER])},
    )
    before = one.run(
        one.on.config_changed(),
        testing.State(relations={peers}, networks=HERE, config=dict(VIP)),
    )
    assert before.get_relation(1000).local_unit_data['takes-part'] == 'yes'
    after = dataclasses.replace(
        before.get_relation(1000),
        peers_data={other: {**SPEAKS, 'advertises-to': '[]', **said}},
    )
    out = one.run(one.on.update_status(), dataclasses.replace(before, relations={after}))
    assert (machine.service('keepalived') == 'running') is runs
    assert out.get_relation(1000).local_unit_data.get('takes-part', '') == ('yes' if runs else '')


def test_a_unit_of_an_earlier_revision_does_not_drop_its_vips(
    ctx: Any, machine: machines.FakeMachine
):
    before = ctx.run(ctx.on.config_changed(), joining_unit(SPEAKS))
    stored = next(s for s in before.stored_states if 'memory' in s.content)
    memory = json.loads(stored.content['memory'])
    del memory[vip_admission.JOINED]
    earlier = dataclasses.replace(stored, content={**stored.content, 'memory': json.dumps(memory)})
    silent = dataclasses.replace(before.get_relation(1000), peers_data={7: {}})
    ctx.run(
        ctx.on.upgrade_charm(),
        dataclasses.replace(
            before,
            relations={silent},
            stored_states={earlier, *(s for s in before.stored_states if s is not stored)},
        ),
    )
    assert machine.service('keepalived') == 'running'


def test_it_says_whom_its_keepalived_speaks_to_also_before_it_takes_part(
    ctx: Any, machine: machines.FakeMachine
):
    known = {'addresses': '{"public": ["10.1.0.6"]}'}
    out = ctx.run(ctx.on.config_changed(), joining_unit(known))
    said = out.get_relation(1000).local_unit_data
    assert json.loads(said['advertises-to']) == [OTHER]
    out = ctx.run(ctx.on.config_changed(), joining_unit({}))
    assert json.loads(out.get_relation(1000).local_unit_data['advertises-to']) == []


def test_a_leader_that_is_removed_passes_its_vips_on_and_leaves_the_others_admitted(
    machine: machines.FakeMachine, tmp_path: pathlib.Path
):
    said = quick_yaml.load((ROOT / 'charmcraft.yaml').read_text())
    third = testing.Context(charm.LoadBalancerCharm, said, unit_id=3, charm_root=tmp_path)
    memory = tmp_path / '.heard'
    speaks = {**SPEAKS, 'advertises-to': '["openstack-loadbalancer/3"]'}
    coming = joining_unit(speaks, leader=True, unit='openstack-loadbalancer/3')
    before = third.run(third.on.config_changed(), coming)
    assert machine.service('keepalived') == 'running'
    peers = before.get_relation(1000)
    members = json.loads(peers.local_app_data['members'])
    assert members == ['openstack-loadbalancer/3', OTHER]
    assert not json.loads(memory.read_text())['ready-to-stop']
    nobody = dataclasses.replace(peers, peers_data={})
    out = third.run(
        third.on.relation_departed(nobody, remote_unit=7, departing_unit=3),
        dataclasses.replace(before, relations={nobody}),
    )
    assert json.loads(out.get_relation(1000).local_app_data['members']) == members
    assert 'keepalived' not in machine.seen.active
    # Its other relations may go without a run of it.
    assert json.loads(memory.read_text())['ready-to-stop']
    third.run(third.on.update_status(), third.run(third.on.stop(), out))
    assert 'keepalived' not in machine.seen.active


def test_one_that_departs_is_advertised_to_as_long_as_it_may_run(
    ctx: Any, machine: machines.FakeMachine
):
    before = ctx.run(ctx.on.config_changed(), joining_unit(SPEAKS))
    alone = dataclasses.replace(before.get_relation(1000), peers_data={})
    departed = ctx.on.relation_departed(alone, remote_unit=7, departing_unit=7)
    after = ctx.run(departed, dataclasses.replace(before, relations={alone}))
    assert '10.1.0.6' in machine.file(keepalived.PATH)
    machine.clock += 2 * vrrp_peers.LINGER_S
    ctx.run(ctx.on.update_status(), after)
    assert '10.1.0.6' not in machine.file(keepalived.PATH)
