"""What the operator's actions do to what nova keeps, with a nova that is only played."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import testing as machines
from charmkit.machine import Finished, HttpRequest, HttpResponse
from ops import testing

from charms import conftest as shared

pytestmark = pytest.mark.timeout(60)

NAME = 'nova-cloud-controller'
NOVA = 'http://10.0.0.9:8774/v2.1'


@dataclasses.dataclass
class Nova:
    """Its aggregates, with keystone before it."""

    aggregates: list[dict[str, Any]] = dataclasses.field(default_factory=list[dict[str, Any]])
    refuses: str = ''
    """What of a URL it answers with 409."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.url.endswith('/healthcheck'):
            return HttpResponse(200)
        if '/auth/tokens' in request.url:
            endpoint = {'interface': 'internal', 'region_id': 'RegionOne', 'url': NOVA}
            catalog = [{'type': 'compute', 'endpoints': [endpoint]}]
            body = json.dumps({'token': {'catalog': catalog}})
            return HttpResponse(201, headers={'x-subject-token': 'a-token'}, body=body)
        path = request.url.removeprefix(f'{NOVA}/os-aggregates')
        if self.refuses and path.endswith(self.refuses):
            return HttpResponse(409, body='{"conflictingRequest": {"message": "in another zone"}}')
        if request.method == 'GET':
            return HttpResponse(200, body=json.dumps({'aggregates': self.aggregates}))
        asked = json.loads(request.body)
        if not path:
            made: dict[str, Any] = {
                **asked['aggregate'],
                'id': len(self.aggregates) + 1,
                'hosts': [],
            }
            self.aggregates.append(made)
            return HttpResponse(200, body=json.dumps({'aggregate': made}))
        (one,) = (a for a in self.aggregates if path == f'/{a["id"]}/action')
        one['hosts'].append(asked['add_host']['host'])
        return HttpResponse(200, body=json.dumps({'aggregate': one}))

    @property
    def hosts(self) -> dict[str, list[str]]:
        return {a['name']: sorted(a['hosts']) for a in self.aggregates}


@pytest.fixture
def nova(machine: machines.FakeMachine) -> Nova:
    machine.web = played = Nova()
    return played


@pytest.fixture
def ctx(nova: Nova) -> testing.Context[Any]:
    return testing.Context(shared.load(NAME).NovaCloudControllerCharm)


def computes(**zones: str) -> testing.Relation:
    bags = {
        int(name[1:]): {'hostname': f'node-{name[1:]}', 'availability_zone': zone}
        for name, zone in zones.items()
    }
    return testing.Relation(
        'cloud-compute', remote_app_name='nova-compute', remote_units_data=bags
    )


def serving(ctx: testing.Context[Any], *more: testing.RelationBase) -> testing.State:
    relations = {
        shared.database(f'{NAME}/0', 'nova', 'novaapi', 'novacell0'),
        shared.broker(),
        shared.identity('nova'),
        testing.PeerRelation('peers'),
        *more,
    }
    before = testing.State(leader=True, relations=relations, networks=shared.networks())
    return ctx.run(ctx.on.config_changed(), before)


def fails(ctx: testing.Context[Any], state: testing.State, name: str, **params: Any) -> str:
    with pytest.raises(testing.ActionFailed) as caught:
        ctx.run(ctx.on.action(name, params=params), state)
    return caught.value.message


def test_rows_are_archived_in_all_cells_as_nova_and_a_second_time_says_that_there_are_none(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    state = serving(ctx)
    machine.programs.clear()
    left = [Finished(1, 'instances | 7\n'), Finished(0, 'Nothing was archived.\n')]
    machine.shell = lambda argv, _: left.pop(0)
    ctx.run(ctx.on.action('archive-data', params={'batch-size': 50}), state)
    assert ctx.action_results == {'archive-deleted-rows': 'instances | 7'}
    wanted = 'nova-manage db archive_deleted_rows --all-cells --max_rows 50 --verbose'
    assert machine.programs == [tuple(wanted.split())]
    assert 'nothing to archive' in fails(ctx, state, 'archive-data')
    assert '10000' in machine.programs[-1]


@pytest.mark.parametrize(
    ('params', 'which'),
    [({}, '--all'), ({'before': '2026-01-31'}, '--before 2026-01-31')],
)
def test_what_was_archived_is_purged(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    params: dict[str, str],
    which: str,
):
    state = serving(ctx)
    machine.programs.clear()
    machine.shell = lambda argv, _: Finished(0, 'purged\n')
    ctx.run(ctx.on.action('purge-data', params=params), state)
    assert ctx.action_results == {'purge-deleted-rows': 'purged'}
    wanted = f'nova-manage db purge --all-cells {which} --verbose'
    assert machine.programs == [tuple(wanted.split())]


@pytest.mark.parametrize(
    ('action', 'params', 'status', 'words'),
    [
        ('archive-data', {'batch-size': 0}, 1, 'batch-size is 0: set it to 1 or more'),
        ('archive-data', {}, 255, 'nova-manage db archive_deleted_rows ended with 255: gone'),
        ('archive-data', {}, -1, 'nova-manage db archive_deleted_rows was stopped: gone'),
        ('purge-data', {'before': 'yesterday'}, 0, "before is 'yesterday': give a day"),
        ('purge-data', {'before': '20260131'}, 0, 'give a day, YYYY-MM-DD'),
        ('purge-data', {}, 3, 'There was nothing to purge: run archive-data first'),
        ('purge-data', {}, 4, 'nova-manage db purge ended with 4: gone'),
    ],
)
def test_an_action_that_did_nothing_fails_and_says_why(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    action: str,
    params: dict[str, Any],
    status: int,
    words: str,
):
    state = serving(ctx)
    machine.shell = lambda argv, _: Finished(status, 'gone\n')
    assert words in fails(ctx, state, action, **params)


@pytest.mark.parametrize(
    'action', ['archive-data', 'purge-data', 'sync-compute-availability-zones']
)
def test_without_tables_there_is_nothing_to_act_on(
    ctx: testing.Context[Any], machine: machines.FakeMachine, action: str
):
    bare = testing.State(leader=True, relations={testing.PeerRelation('peers')})
    assert 'no tables of nova yet' in fails(ctx, bare, action)
    assert machine.programs == []


def test_a_unit_that_follows_its_leader_has_tables_too(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    state = serving(ctx)
    (peers,) = state.get_relations('peers')
    told = dataclasses.replace(peers, local_unit_data={})
    follower = dataclasses.replace(
        state, leader=False, relations={*(state.relations - {peers}), told}
    )
    machine.shell = lambda argv, _: Finished(1, 'x')
    ctx.run(ctx.on.action('archive-data'), follower)
    assert ctx.action_results == {'archive-deleted-rows': 'x'}


def test_each_node_comes_into_the_zone_that_its_charm_tells(ctx: testing.Context[Any], nova: Nova):
    mine = {'id': 1, 'name': 'mine', 'availability_zone': 'south', 'hosts': ['node-3']}
    plain = {'id': 2, 'name': 'ssd', 'hosts': ['node-0']}
    west = {'id': 3, 'name': 'west_az', 'availability_zone': 'west', 'hosts': ['node-9']}
    nova.aggregates += [mine, plain, west]
    zones = {
        'u0': 'north',
        'u1': 'north',
        'u2': 'nova',
        'u3': 'south',
        'u4': 'south',
        'u5': 'west',
    }
    state = serving(ctx, computes(**zones))
    ctx.run(ctx.on.action('sync-compute-availability-zones'), state)
    assert nova.hosts == {
        'mine': ['node-3'],
        'ssd': ['node-0'],
        'north_az': ['node-0', 'node-1'],
        'south_az': ['node-4'],
        'west_az': ['node-5', 'node-9'],
    }
    assert ctx.action_results is not None
    assert ctx.action_results['output'].splitlines() == [
        'Availability zone north made',
        'Availability zone south made',
        'Hypervisor node-0 added to availability zone north',
        'Hypervisor node-1 added to availability zone north',
        'Hypervisor node-4 added to availability zone south',
        'Hypervisor node-5 added to availability zone west',
    ]
    said = fails(ctx, state, 'sync-compute-availability-zones')
    assert said == 'Each compute node is in its zone already'


def test_what_nova_refuses_is_said_with_what_was_done_before(
    ctx: testing.Context[Any], nova: Nova
):
    state = serving(ctx, computes(u0='north'))
    nova.refuses = '/action'
    assert fails(ctx, state, 'sync-compute-availability-zones') == (
        'Nova refuses: POST /os-aggregates/1/action: 409 in another zone '
        '(before that: Availability zone north made)'
    )


def test_nodes_that_are_where_nova_has_them_by_itself_need_no_aggregate(
    ctx: testing.Context[Any], nova: Nova
):
    state = serving(ctx, computes(u0='nova', u1=''))
    said = fails(ctx, state, 'sync-compute-availability-zones')
    assert 'No compute node says a zone other than nova' in said
    assert nova.aggregates == []
