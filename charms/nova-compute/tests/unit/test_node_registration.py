"""What the actions make of a node's place in the cloud, with a nova that is only played."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import testing as machines
from charmkit.machine import HttpRequest, HttpResponse
from ops import testing

from .compute_node import controller, ctx, node, nova, plugin, queue
from .played_nova import KEYSTONE, UUID, Nova

__all__ = ['ctx', 'node', 'nova']  # fixtures

pytestmark = pytest.mark.timeout(60)

GONE = 'Unit was removed from the cloud: register-to-cloud brings it back'


@pytest.fixture
def state(ctx: testing.Context[Any]) -> testing.State:
    """Of a unit that serves."""
    before = testing.State(
        leader=True,
        relations={queue(), controller(), plugin(), testing.PeerRelation('peers')},
    )
    return ctx.run(ctx.on.config_changed(), before)


def act(ctx: testing.Context[Any], state: testing.State, name: str) -> testing.State:
    return ctx.run(ctx.on.action(name), state)


def fails(ctx: testing.Context[Any], state: testing.State, name: str) -> str:
    with pytest.raises(testing.ActionFailed) as caught:
        act(ctx, state, name)
    return caught.value.message


def test_disabled_it_stays_so_over_hooks_and_upgrades_and_the_status_says_so(
    ctx: testing.Context[Any], state: testing.State, nova: Nova, node: machines.FakeMachine
):
    out = act(ctx, state, 'disable')
    asked = len(nova.asked)
    assert ctx.action_results == {'status': 'disabled', 'node-name': 'machine-0'}
    assert nova.status == 'disabled'
    assert nova.reason and not nova.reason.startswith('AUTO')
    for event in (ctx.on.config_changed(), ctx.on.action('openstack-upgrade'), ctx.on.start()):
        assert out.unit_status.message.startswith('disabled: no new servers come here')
        assert node.service('nova-compute') == 'running'
        out = ctx.run(event, out)
    assert nova.status == 'disabled'
    assert not [each for each in nova.asked[asked:] if not each.startswith('GET')]
    act(ctx, out, 'enable')
    assert nova.status == 'enabled'


def test_whoever_enables_it_in_nova_ends_what_the_status_says(
    ctx: testing.Context[Any], state: testing.State, nova: Nova
):
    out = act(ctx, state, 'disable')
    nova.away = True
    out = ctx.run(ctx.on.config_changed(), out)
    assert 'disabled' in out.unit_status.message
    nova.away, nova.status = False, 'enabled'
    out = ctx.run(ctx.on.config_changed(), out)
    assert 'disabled' not in out.unit_status.message
    nova.asked.clear()
    ctx.run(ctx.on.config_changed(), out)
    assert nova.asked == []


def test_enabled_by_its_action_the_status_says_nothing_any_more(
    ctx: testing.Context[Any], state: testing.State
):
    out = act(ctx, act(ctx, state, 'disable'), 'enable')
    assert ctx.action_results == {'status': 'enabled', 'node-name': 'machine-0'}
    assert 'disabled' not in out.unit_status.message
    assert 'disabled' not in ctx.run(ctx.on.config_changed(), out).unit_status.message


@pytest.mark.parametrize(
    ('action', 'changes', 'words'),
    [
        ('enable', {}, 'machine-0 is enabled already'),
        ('disable', {'status': 'disabled', 'reason': 'RAM'}, 'is disabled (RAM) already'),
        ('disable', {'status': 'disabled'}, 'is disabled (no reason given) already'),
        ('disable', {'services': False}, 'Nova has no service on machine-0'),
        ('remove-from-cloud', {'services': False}, 'Nova has no service on machine-0'),
        (
            'disable',
            {'away': True},
            'Nova does not report on machine-0: GET /os-services: no answer',
        ),
        ('instance-count', {'away': True}, 'Nova does not report on machine-0'),
        ('list-compute-nodes', {'away': True}, 'Nova does not list its nodes'),
        ('disable', {'refuses': 'PUT'}, f'Nova refuses: PUT /os-services/{UUID}: 409 in use'),
        ('remove-from-cloud', {'refuses': 'PUT'}, 'Nova refuses: PUT'),
        ('register-to-cloud', {}, 'was not removed from the cloud'),
        (
            'remove-from-cloud',
            {'servers': list('abcdefg')},
            '7 servers are on it (a, b, c, d, e, …). Migrate them',
        ),
        ('remove-from-cloud', {'arrives': 'late'}, '(late). Migrate'),
        ('remove-from-cloud', {'away_after': 'PUT'}, 'Nova does not report: GET'),
        ('remove-from-cloud', {'arrives': 'late'}, 'It is disabled now'),
    ],
)
def test_an_action_that_did_nothing_fails_and_says_why(
    ctx: testing.Context[Any],
    state: testing.State,
    nova: Nova,
    node: machines.FakeMachine,
    action: str,
    changes: dict[str, Any],
    words: str,
):
    for name, value in changes.items():
        setattr(nova, name, value)
    node.steps.clear()
    there = nova.services
    assert words in fails(ctx, state, action)
    assert 'stop nova-compute' not in node.steps
    assert nova.services == there


def test_a_node_with_servers_is_refused_as_it_is(
    ctx: testing.Context[Any], state: testing.State, nova: Nova
):
    nova.servers = ['a']
    assert 'disabled' not in fails(ctx, state, 'remove-from-cloud')
    assert nova.status == 'enabled'


def test_a_daemon_that_does_not_come_back_after_a_refusal_is_no_success(
    ctx: testing.Context[Any], state: testing.State, nova: Nova, node: machines.FakeMachine
):
    nova.refuses, node.failing = 'DELETE', frozenset({'nova-compute'})
    assert 'Nova refuses: DELETE' in fails(ctx, state, 'remove-from-cloud')


@pytest.mark.parametrize(
    ('action', 'service', 'words'),
    [('remove-from-cloud', 'stopped', GONE), ('disable', 'running', 'disabled: no new')],
)
def test_what_was_done_while_something_was_missing_holds_once_it_is_there(
    ctx: testing.Context[Any],
    state: testing.State,
    node: machines.FakeMachine,
    action: str,
    service: str,
    words: str,
):
    (amqp,) = state.get_relations('amqp')
    without = dataclasses.replace(state, relations={*(state.relations - {amqp})})
    out = act(ctx, without, action)
    assert out.unit_status == testing.BlockedStatus('missing relation: amqp')
    whole = dataclasses.replace(out, relations={*out.relations, amqp})
    out = ctx.run(ctx.on.config_changed(), whole)
    assert out.unit_status.message.startswith(words)
    assert node.service('nova-compute') == service


def test_a_node_goes_by_the_name_that_its_agent_has(ctx: testing.Context[Any]):
    bag = {'neutron-plugin': 'ovs', 'host': 'node-7.example.com'}
    told = dataclasses.replace(plugin(), remote_unit_data=bag)
    asked = controller()
    before = testing.State(
        leader=True, relations={queue(), asked, told, testing.PeerRelation('peers')}
    )
    out = ctx.run(ctx.on.config_changed(), before)
    act(ctx, out, 'node-name')
    assert ctx.action_results == {'node-name': 'node-7.example.com'}
    said = out.get_relation(asked.id)
    assert said.local_unit_data['hostname'] == 'node-7.example.com'


def test_no_action_asks_a_nova_that_it_has_no_account_of(
    ctx: testing.Context[Any], nova: Nova, node: machines.FakeMachine
):
    bare = testing.State(leader=True, relations={testing.PeerRelation('peers')})
    assert 'cloud-compute has published no account' in fails(ctx, bare, 'disable')
    act(ctx, bare, 'node-name')
    assert ctx.action_results == {'node-name': 'machine-0'}
    assert nova.asked == []


def test_it_is_removed_in_the_order_that_leaves_nothing_behind(
    ctx: testing.Context[Any], state: testing.State, nova: Nova, node: machines.FakeMachine
):
    steps = node.steps
    steps.clear()
    seen: list[str] = []

    def web(request: HttpRequest) -> HttpResponse:
        if not request.url.startswith(KEYSTONE):
            seen.append(
                f'{request.method} {"stopped" if "stop nova-compute" in steps else "runs"}'
            )
        return nova(request)

    node.web = web
    out = act(ctx, state, 'remove-from-cloud')
    assert seen == ['GET runs', 'GET runs', 'PUT runs', 'GET runs', 'GET runs', 'DELETE stopped']
    assert nova.asked[-1] == f'DELETE /os-services/{UUID}'
    assert ctx.action_results == {
        'message': 'Unit was removed from the cloud',
        'node-name': 'machine-0',
    }
    assert out.unit_status == testing.BlockedStatus(GONE)
    assert node.service('libvirtd') == 'running'


def test_removed_it_stays_out_over_hooks_upgrades_and_resume_until_it_is_brought_back(
    ctx: testing.Context[Any], state: testing.State, nova: Nova, node: machines.FakeMachine
):
    out = act(ctx, state, 'remove-from-cloud')
    for event in (ctx.on.config_changed(), ctx.on.action('openstack-upgrade'),
                  ctx.on.action('pause'), ctx.on.action('resume'), ctx.on.start()):  # fmt: skip
        out = ctx.run(event, out)
        assert node.service('nova-compute') == 'stopped'
        assert out.unit_status.name == 'blocked'
    assert 'register-to-cloud' in fails(ctx, out, 'disable')
    assert 'register-to-cloud' in fails(ctx, out, 'enable')
    assert 'register-to-cloud' in fails(ctx, out, 'remove-from-cloud')
    nova.services = nova.mapped = True
    out = act(ctx, out, 'register-to-cloud')
    assert node.service('nova-compute') == 'running'
    assert out.unit_status.name == 'active'
    out = ctx.run(ctx.on.config_changed(), out)
    assert node.service('nova-compute') == 'running'


def test_removed_it_comes_back_as_another_node_and_a_node_in_the_cloud_stays_the_one_that_it_is(
    ctx: testing.Context[Any], state: testing.State, node: machines.FakeMachine
):
    file = '/var/lib/nova/compute_id'
    assert file not in {each.path for each in node.desired.absent}
    out = act(ctx, state, 'remove-from-cloud')
    assert file in {each.path for each in node.desired.absent}
    act(ctx, out, 'register-to-cloud')
    assert file not in {each.path for each in node.desired.absent}


def test_who_disabled_it_keeps_the_reason_while_it_is_removed(
    ctx: testing.Context[Any], state: testing.State, nova: Nova
):
    nova.status, nova.reason = 'disabled', 'RAM'
    act(ctx, state, 'remove-from-cloud')
    assert nova.reason == 'RAM'


def test_a_nova_that_does_not_let_it_go_has_it_back_at_work(
    ctx: testing.Context[Any], state: testing.State, nova: Nova, node: machines.FakeMachine
):
    nova.refuses = 'DELETE'
    node.steps.clear()
    said = fails(ctx, state, 'remove-from-cloud')
    assert said == (
        f'Nova refuses: DELETE /os-services/{UUID}: 409 in use. '
        'It is disabled now: enable it, or run this again'
    )
    ours = [step for step in node.steps if step.endswith(' nova-compute')]
    assert ours == ['stop nova-compute', 'start nova-compute']


def test_a_paused_node_that_nova_does_not_let_go_stays_paused(
    ctx: testing.Context[Any], state: testing.State, nova: Nova, node: machines.FakeMachine
):
    out = act(ctx, state, 'pause')
    nova.refuses = 'DELETE'
    assert 'Nova refuses' in fails(ctx, out, 'remove-from-cloud')
    assert node.service('nova-compute') == 'stopped'


def test_servers_are_counted_whatever_their_state_and_nodes_are_listed(
    ctx: testing.Context[Any], state: testing.State, nova: Nova
):
    nova.servers = ['a', 'b']
    act(ctx, state, 'instance-count')
    assert ctx.action_results == {'instance-count': '2'}
    act(ctx, state, 'list-compute-nodes')
    assert ctx.action_results is not None
    (listed,) = json.loads(ctx.action_results['compute-nodes'])
    assert listed['id'] == UUID


def test_what_looks_and_what_fails_changes_nothing(
    ctx: testing.Context[Any], state: testing.State, node: machines.FakeMachine
):
    node.steps.clear()
    for name in ('node-name', 'instance-count', 'list-compute-nodes'):
        assert act(ctx, state, name).unit_status == state.unit_status
    assert node.steps == []


def test_the_account_is_in_no_argument_and_no_message(
    ctx: testing.Context[Any], state: testing.State, node: machines.FakeMachine, nova: Nova
):
    nova.away = True
    assert 'account-pw' not in fails(ctx, state, 'disable')
    assert not [argv for argv in node.programs if 'account-pw' in ' '.join(argv)]
    assert 'account-pw' not in repr(node.requests)
    assert 'account-pw' not in ' '.join(log.message for log in ctx.juju_log)
