"""The charm in Juju where it has three units: what each of them does and says."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, cast

import charmkit
import galera
import galera_node
import mariadb
import member
import pytest
import tcp_service
from charmkit import testing as machines
from charmkit.machine import HttpRequest, HttpResponse
from charmkit.relations import loadbalancer, mysql
from ops import testing
from syrupy.assertion import SnapshotAssertion

from . import sql
from .test_charm import SEED, charm, ctx, database, machine, nova

__all__ = ('ctx', 'database', 'machine')
Ctx = testing.Context[Any]
ALL = ('mysql-0', 'mysql-1', 'mysql-2')
FOUNDED = galera.write_permit(galera.Permit(turn=1, unit='mysql/0', why='found'))
WRITER = galera.write_writer(galera.Writer('mysql/0', 1, ('mysql/0', 'mysql/1', 'mysql/2')))
IN = galera.write_peer_state(galera.PeerState(turn=1, answered=1))


def network(name: str, *addresses: str) -> testing.Network:
    return testing.Network(
        name,
        [testing.BindAddress([testing.Address(a) for a in addresses])],
        ingress_addresses=[*addresses],
    )


HERE = {
    network('shared-db', '10.1.0.5'),
    network('peers', '10.2.0.5'),
    network('internal-backend', '10.3.0.5'),
}


def bag(number: int, said: str = IN) -> dict[str, str]:
    return {
        'ingress-address': f'10.2.0.{5 + number}', 'galera': said, 'db-host': f'10.1.0.{5 + number}',
        'series': '1.0',
    }  # fmt: skip


def cluster(
    *relations: testing.RelationBase,
    leader: bool = True,
    me: int = 0,
    said: str = IN,
    units: int = 3,
    networks: set[testing.Network] = HERE,
    **app: str,
) -> testing.State:
    seed = testing.Secret({'seed': SEED}, label='seed', owner='app' if leader else None)
    copies = testing.Secret(
        {'value': 'copies'}, label='sst-password', owner='app' if leader else None
    )
    data = {
        'server': 'mysql/0', 'seed': seed.id, 'sst-password': copies.id, 'cluster': FOUNDED,
        'writer': WRITER, 'maker': 'mysql/0', **{k.replace('_', '-'): v for k, v in app.items()},
    }  # fmt: skip
    others = {n: cast('Any', bag(n)) for n in range(units) if n != me}
    peer = testing.PeerRelation(
        'peers',
        local_app_data=data,
        local_unit_data={'galera': said} if said else {},
        peers_data=others,
    )
    return testing.State(
        leader=leader, relations={peer, *relations}, secrets={seed, copies}, networks=networks
    )


def web(answers: dict[int, dict[str, object]]) -> Any:
    """Who answers to whoever asks how they are, by the last number of the address."""

    def answered(request: HttpRequest) -> HttpResponse:
        number = int(request.url.split(':')[1].rpartition('.')[2]) - 5
        body = answers.get(number)
        if body is None:
            return HttpResponse(0, 'Connection refused')
        return HttpResponse(200 if body.get('ok') else 503, body=json.dumps(body))

    return answered


WELL = {'ok': True, 'primary': True, 'uuid': sql.UUID}


@pytest.fixture(autouse=True)
def others(machine: machines.FakeMachine) -> dict[int, dict[str, object]]:
    """All are well."""
    answers: dict[int, dict[str, object]] = {1: dict(WELL), 2: dict(WELL), 0: dict(WELL)}
    machine.web = web(answers)
    return answers


@pytest.fixture
def second(machine: machines.FakeMachine) -> Ctx:
    return testing.Context(charm.MysqlCharm, app_name='mysql', unit_id=1)


def hook(ctx: Ctx, state: testing.State) -> testing.State:
    return ctx.run(ctx.on.update_status(), state)


def mine(state: testing.State) -> galera.PeerState:
    (peer,) = state.get_relations('peers')
    return galera.read_peer_state(dict(peer.local_unit_data).get('galera', ''))


def app(state: testing.State) -> dict[str, str]:
    (peer,) = state.get_relations('peers')
    return dict(peer.local_app_data)


def told(state: testing.State) -> dict[str, str]:
    (relation,) = state.get_relations('shared-db')
    return dict(relation.local_unit_data)


@pytest.mark.parametrize('address', ['10.2.0.5', '2001:db8::5'])
def test_configuration_of_a_member(
    ctx: Ctx,
    database: sql.Server,
    machine: machines.FakeMachine,
    address: str,
    snapshot: SnapshotAssertion,
):
    database.members = ALL
    other = {n for n in HERE if n.binding_name != 'peers'}
    hook(ctx, cluster(networks={network('peers', address), *other}))
    (file,) = [f for f in machine.desired.files if f.path == galera_node.CLUSTER]
    assert (file.owner, file.group, file.mode) == ('root', 'mysql', 0o640)
    assert file.content == snapshot
    assert machine.file(member.HEALTH_UNIT) == snapshot
    assert 'mariadb' not in {
        s.name for s in machine.desired.services
    }  # Nothing starts it by itself.


def test_the_unit_with_the_data_founds_the_cluster_when_there_are_three(
    ctx: Ctx,
    database: sql.Server,
    machine: machines.FakeMachine,
    others: dict[int, dict[str, object]],
):
    others.clear()
    relation = nova()
    state = cluster(relation, said='', cluster='', writer='', maker='', sst_password='')
    out = hook(ctx, state)
    assert ('galera_new_cluster',) in machine.programs
    assert galera.read_permit(app(out)['cluster']) == galera.read_permit(FOUNDED)
    assert mine(out) == galera.PeerState(turn=1, answered=1)
    assert told(out)['db_host'] == '10.1.0.5'
    assert told(out)['db_host_turn'] == '1'
    assert database.accounts.keys() >= {('sst', 'localhost'), ('nobody', 'localhost')}
    assert out.unit_status == testing.ActiveStatus(
        'mysql/1 is not in the cluster; mysql/2 is not in the cluster; '
        'the cluster has one member: nothing outlives its loss'
    )
    # Two are too few: they go on as they were.
    database.members = ()
    machine.programs.clear()
    two = cluster(nova(), said='', units=2, cluster='', writer='', maker='')
    out = hook(ctx, two)
    assert ('galera_new_cluster',) not in machine.programs
    assert app(out).get('cluster', '') == ''
    assert 'db_host_turn' not in told(out)


def test_a_unit_that_waits_for_its_turn_knows_nothing_of_the_cluster_yet(
    second: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    out = hook(second, cluster(nova(), leader=False, me=1, said=''))
    assert out.unit_status == testing.WaitingStatus('waits for its turn to join')
    assert mine(out).waits
    assert galera_node.CLUSTER not in {f.path for f in machine.desired.files}
    assert galera_node.CLUSTER in {a.path for a in machine.desired.absent}
    assert 'db_host' not in told(out)
    database.joins = ALL
    out = hook(second, cluster(nova(), leader=False, me=1, said='', next='mysql/1'))
    assert galera_node.CLUSTER in {f.path for f in machine.desired.files}
    assert mine(out) == galera.PeerState(turn=1)
    assert out.unit_status == testing.ActiveStatus()


def test_who_does_not_make_the_accounts_looks_and_says_the_same(
    ctx: Ctx, second: Ctx, database: sql.Server
):
    database.members = ALL
    nothing = hook(second, cluster(nova(), leader=False, me=1))
    # What is no other member's business: what `utf8` means on this one.
    assert database.said == ["SET GLOBAL old_mode = '';"]
    assert 'db_host' not in told(nothing)
    made = hook(ctx, cluster(nova()))
    before = list(database.said)
    same = hook(second, cluster(nova(), leader=False, me=1))
    assert database.said == before
    keys = {k for k in told(made) if not k.endswith(('address', 'subnets'))}
    assert {k: told(same)[k] for k in keys} == {k: told(made)[k] for k in keys}


def test_clients_are_sent_to_another_member_when_theirs_is_lost(
    second: Ctx, database: sql.Server, others: dict[int, dict[str, object]]
):
    database.members = ALL
    settled = hook(second, cluster(nova(), me=1, networks={network('shared-db', '10.1.0.6')}))
    assert told(settled)['db_host'] == '10.1.0.5'
    # One that does not answer and is in the component all the same is well.
    del others[0]
    out = hook(second, settled)
    assert (told(out)['db_host'], told(out)['db_host_turn']) == ('10.1.0.5', '1')
    database.members = ALL[1:]
    out = hook(second, out)
    assert (told(out)['db_host'], told(out)['db_host_turn']) == ('10.1.0.6', '2')
    assert out.unit_status.message.startswith('mysql/0 is not in the cluster')
    # It comes back, and clients stay where they are.
    database.members, others[0] = ALL, dict(WELL)
    out = hook(second, out)
    assert (told(out)['db_host'], told(out)['db_host_turn']) == ('10.1.0.6', '2')
    # One that is in the component and says that it is not well has no clients either.
    others[2] = {**WELL, 'ok': False}
    out = hook(second, out)
    assert told(out)['db_host_turn'] == '3'


def test_a_client_believes_the_newest_answer():
    need = mysql.need('nova')
    site = charmkit.relations.Site(unit='nova/0', leader=True, address='10.0.0.7')
    request = mysql.Request('nova/0', '', 'nova', 'nova', ('10.0.0.7',))
    old = mysql.response('10.1.0.5', [request], {'nova': 'old'}, turn=1)
    new = mysql.response('10.1.0.6', [request], {'nova': 'new'}, turn=2)
    for turn in ('x', '-1', '9' * 99):
        bags = {'mysql/0': old, 'mysql/1': {**old, 'db_host_turn': turn}, 'mysql/2': new}
        relation = charmkit.relations.Relation(id=1, name='shared-db', app='mysql', units=bags)
        found = need.read((relation,), site)
        assert found
        assert (found.host, found.password) == ('10.1.0.6', 'new')


def test_a_member_without_a_majority_says_so_and_takes_nothing_back(
    ctx: Ctx,
    database: sql.Server,
    machine: machines.FakeMachine,
    others: dict[int, dict[str, object]],
):
    database.members = ALL
    settled = hook(ctx, cluster(nova()))
    before = told(settled)
    others.clear()
    database.primary = False
    out = hook(ctx, settled)
    assert out.unit_status == testing.BlockedStatus(
        'no majority of the cluster is in sight, nothing is read or written here; mysql/1 mysql/2 do not answer; '
        'it comes back by itself when all members are there, else see the action reboot-cluster-from-complete-outage'
    )
    assert told(out) == before
    assert app(out)['writer'] == app(settled)['writer']
    assert ('galera_new_cluster',) not in machine.programs


def stopped(database: sql.Server, machine: machines.FakeMachine, *, safe: bool) -> None:
    database.members, database.active, database.down = (), 'inactive', True
    machine.kept[galera_node.GRASTATE] = (
        f'uuid: {sql.UUID}\nseqno: 7\nsafe_to_bootstrap: {int(safe)}\n'
    )


@pytest.mark.parametrize('safe', [True, False])
def test_after_a_stop_of_all_the_one_that_is_safe_starts_the_cluster_and_no_other_one(
    ctx: Ctx,
    database: sql.Server,
    machine: machines.FakeMachine,
    others: dict[int, dict[str, object]],
    safe: bool,
):
    database.members = ALL
    settled = hook(ctx, cluster(nova()))
    others.clear()
    stopped(database, machine, safe=safe)
    out = hook(ctx, settled)
    assert (('galera_new_cluster',) in machine.programs) == safe
    permit = galera.read_permit(app(out)['cluster'])
    assert permit
    assert permit.turn == (2 if safe else 1)


REBOOT = 'reboot-cluster-from-complete-outage'


def test_the_operator_starts_the_cluster_from_the_member_that_is_farthest(
    ctx: Ctx,
    database: sql.Server,
    machine: machines.FakeMachine,
    others: dict[int, dict[str, object]],
):
    stopped(database, machine, safe=False)
    others.clear()
    asked = ctx.run(ctx.on.action(REBOOT), cluster())
    assert ctx.action_results
    assert ctx.action_results['asked'] == 'mysql/1 mysql/2'
    assert app(asked)['round'] == '1'
    assert mine(asked).position == f'{sql.UUID}:7'
    (peer,) = asked.get_relations('peers')
    assert isinstance(peer, testing.PeerRelation)

    def with_answers(*seqnos: int) -> testing.State:
        bags = {n: dict(b) for n, b in peer.peers_data.items()}
        for n, seqno in enumerate(seqnos, 1):
            said = galera.PeerState(turn=1, answered=1, position=f'{sql.UUID}:{seqno}', round=1)
            bags[n]['galera'] = galera.write_peer_state(said)
        now = dataclasses.replace(peer, peers_data=cast('Any', bags))
        return dataclasses.replace(asked, relations={now})

    one = with_answers(6)
    assert 'mysql/2 have not reported' in hook(ctx, one).unit_status.message
    with pytest.raises(testing.ActionFailed, match='mysql/2 may have what no other member has'):
        ctx.run(ctx.on.action(REBOOT), one)
    assert ('galera_new_cluster',) not in machine.programs
    out = hook(ctx, with_answers(6, 9))
    permit = galera.read_permit(app(out)['cluster'])
    assert permit == galera.Permit(
        turn=2, unit='mysql/2', why='forced', since=1, position=f'{sql.UUID}:9'
    )
    assert 'round' not in app(out)
    assert ('galera_new_cluster',) not in machine.programs
    # By force it is this one, for the third has not said what it has.
    ctx.run(ctx.on.action(REBOOT, params={'force': True}), one)
    assert ctx.action_results == {'started-from': 'mysql/0'}
    assert ('galera_new_cluster',) in machine.programs
    # By name it is whoever the operator says.
    ctx.run(ctx.on.action(REBOOT, params={'force': True, 'unit': 'mysql/1'}), one)
    assert ctx.action_results == {'started-from': 'mysql/1'}


@pytest.mark.parametrize(
    ('name', 'params', 'me', 'reason'),
    [
        (REBOOT, {}, 1, 'Only the leader can'),
        (REBOOT, {}, 0, 'The cluster runs'),
        ('take-over', {}, 0, 'There is a cluster'),
        ('restore', {'file': 'x'}, 1, 'Clients are on mysql/0: run it there'),
        ('rejoin-instance', {}, 1, 'say so with discard-data=true'),
        ('rejoin-instance', {'discard-data': True}, 1, 'This unit is in the cluster'),
        ('rotate-password', {}, 1, 'Only the leader can'),
    ],
)
def test_actions_that_are_refused(
    ctx: Ctx,
    second: Ctx,
    database: sql.Server,
    name: str,
    params: dict[str, Any],
    me: int,
    reason: str,
):
    database.members = ALL
    where = second if me else ctx
    with pytest.raises(testing.ActionFailed, match=reason):
        where.run(where.on.action(name, params=params), cluster(nova(), leader=not me, me=me))


def test_data_are_given_up_only_where_there_is_a_cluster_to_join(
    second: Ctx,
    database: sql.Server,
    machine: machines.FakeMachine,
    others: dict[int, dict[str, object]],
):
    machine.kept['/var/lib/mysql/precious/db.opt'] = ''
    machine.kept['/var/lib/mysql/precious'] = ''
    state = cluster(leader=False, me=1, said='', next='mysql/1')
    out = hook(second, state)
    assert out.unit_status.message.startswith('mysql/1 has databases of its own and does not join')
    params = {'discard-data': True}
    out = second.run(second.on.action('rejoin-instance', params=params), state)
    assert mine(out) == galera.PeerState(waits=True)
    assert any('mariadb-install-db' in word for argv in machine.programs for word in argv)
    others.clear()
    with pytest.raises(testing.ActionFailed, match='no cluster in sight'):
        second.run(second.on.action('rejoin-instance', params=params), state)


def test_the_status_of_the_cluster_is_told_to_the_operator(ctx: Ctx, database: sql.Server):
    database.members = ALL
    ctx.run(ctx.on.action('cluster-status'), cluster())
    assert ctx.action_results == {
        'status': 'primary',
        'members': 'mysql/0 mysql/1 mysql/2',
        'units': 'mysql/0=synced mysql/1=synced mysql/2=synced',
        'writer': 'mysql/0',
        'uuid': sql.UUID,
        'position': f'{sql.UUID}:',
        'safe-to-bootstrap': 'no',
        'turn': '1',
    }


def test_options_take_effect_without_a_restart(
    ctx: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    database.members = ALL
    database.sizes = {'max_connections': '1024', 'innodb_buffer_pool_size': str(1024 << 20)}
    config = {'max-connections': 500}
    hook(ctx, dataclasses.replace(cluster(), config=config))
    assert 'SET GLOBAL max_connections = 500;' in database.said
    assert not any('innodb_buffer_pool_size' in s for s in database.said)
    assert ('sh', '-c', galera_node.HALT) not in machine.programs
    assert 'max_connections = 500\n' in machine.file(mariadb.CONFIG)


def test_a_member_that_listens_elsewhere_than_it_should_starts_anew_in_its_turn(
    ctx: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    database.members = ALL
    database.sizes = {'bind_address': '127.0.0.1,10.1.0.99'}
    database.joins = ALL
    hook(ctx, cluster())
    assert ('sh', '-c', galera_node.HALT) in machine.programs


def test_a_unit_that_is_removed_stops_and_the_last_one_stands_alone(
    ctx: Ctx, second: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    database.members = ALL
    second.run(second.on.stop(), cluster(leader=False, me=1))
    assert machine.service('mariadb') == 'stopped'
    # Its databag is gone, and it may run yet.
    out = hook(ctx, cluster(nova(), units=1))
    assert app(out)['cluster'] == FOUNDED
    database.members = ALL[:1]
    out = hook(ctx, out)
    assert 'cluster' not in app(out)
    assert app(out)['server'] == 'mysql/0'
    assert machine.service('mariadb') == 'running'
    assert galera_node.CLUSTER in {a.path for a in machine.desired.absent}
    assert told(out)['db_host'] == '10.1.0.5'
    assert mine(out) == galera.PeerState()


def test_a_generation_outlives_a_change_of_members_and_not_a_restore(
    ctx: Ctx, second: Ctx, database: sql.Server
):
    """Each member numbers tables for itself: what another one wrote of its own says nothing here."""

    def generation(state: testing.State) -> str:
        return told(state)['nova_generation']

    database.members, database.tables = ALL, {'nova': (57,)}
    before = generation(hook(ctx, cluster(nova())))
    database.tables['nova'] = (990,)
    led = hook(second, cluster(nova(), me=1))
    assert generation(led) == before
    led = hook(second, led)
    assert generation(led) == before
    # Another start may have brought the data of another member.
    database.tables['nova'], database.start = (2000,), 'second'
    led = hook(second, led)
    assert generation(led) == before
    # The twin: a backup was restored, by hand, while this one ran.
    database.tables['nova'] = (3000,)
    led = hook(second, led)
    after = generation(led)
    assert after not in ('', before)
    assert generation(hook(second, led)) == after


def test_an_even_number_of_members_is_told(ctx: Ctx, database: sql.Server):
    database.members = ALL[:2]
    out = hook(ctx, cluster(units=2))
    assert out.unit_status == testing.ActiveStatus(
        'the cluster has 2 members: of an even number, half are no majority'
    )


def balancer(*, answered: bool = True) -> testing.Relation:
    said = {
        'interface-versions': '[1, 2]',
        'frontends': json.dumps({'mysql': {'internal': {'ip': ['10.3.0.100'], 'port': 3306}}}),
        'proxy': json.dumps({'trusted-cidrs': ['10.3.0.9/32', '10.3.0.0/24', 'x']}),
    }
    return testing.Relation(
        'internal-backend', remote_app_name='lb', remote_app_data=said if answered else {}
    )


@pytest.mark.parametrize('me', [0, 1])
def test_a_load_balancer_sends_all_clients_to_one_member(
    ctx: Ctx, second: Ctx, database: sql.Server, me: int
):
    database.members = ALL
    hook(ctx, cluster(nova(), balancer()))
    out = hook(second if me else ctx, cluster(nova(), balancer(), leader=not me, me=me))
    (relation,) = out.get_relations('internal-backend')
    assert isinstance(relation, testing.Relation)
    (server,) = json.loads(relation.local_unit_data['endpoints'])
    assert (server['backend-ip'], server['backend-port']) == ('10.3.0.5', 3306)
    assert server.get('backup', False) == bool(me)
    if not me:
        (asked,) = json.loads(relation.local_app_data['endpoints'])
        assert (asked['protocol'], asked['check']['port'], asked['frontend-port']) == (
            'tcp',
            9200,
            3306,
        )
        assert asked['endpoint-types'] == ['internal']
    assert told(out)['db_host'] == '10.3.0.100'
    # What the server sees are the load balancer's connections, and no network's.
    assert {h for u, h in database.accounts if u == 'nova'} == {'10.0.0.7', '10.3.0.9'}


def test_until_the_load_balancer_answers_clients_go_to_the_member(ctx: Ctx, database: sql.Server):
    database.members = ALL
    assert told(hook(ctx, cluster(nova(), balancer(answered=False))))['db_host'] == '10.1.0.5'


def test_one_unit_behind_a_load_balancer_says_how_it_is_too(
    ctx: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    state = cluster(nova(), balancer(), units=1, cluster='', writer='', maker='', said='')
    out = hook(ctx, state)
    assert machine.service(member.HEALTH_SERVICE) == 'running'
    assert ('nobody', 'localhost') in database.accounts
    assert told(out)['db_host'] == '10.3.0.100'
    assert tcp_service.ENDPOINT in loadbalancer.ENDPOINTS


def test_a_member_whose_secret_cannot_be_read_for_a_while_still_knows_of_its_cluster(
    ctx: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    """Its server would stand alone after its next start, with data of its own."""
    database.members = ALL
    out = hook(ctx, cluster(nova()))
    assert galera_node.CLUSTER in machine.seen.paths
    before = told(out)
    out = hook(ctx, dataclasses.replace(out, secrets=set()))
    assert galera_node.CLUSTER in machine.seen.paths
    assert out.unit_status.name == 'waiting'
    assert told(out) == before


CHARACTERS = '/etc/mysql/mariadb.conf.d/91-charm-characters.cnf'


def test_utf8_means_the_same_on_each_member_before_its_server_first_starts(
    second: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    """Each carries out clients' `ALTER DATABASE … CHARACTER SET utf8` itself, from the moment when it has joined."""
    database.members = ()
    hook(second, cluster(leader=False, me=1, said=''))
    assert 'old_mode = \n' in machine.file(CHARACTERS)
    hook(second, cluster(leader=False, me=1, said='', utf8='utf8mb3'))
    assert 'old_mode = UTF8_IS_UTF8MB3\n' in machine.file(CHARACTERS)


def test_what_utf8_means_is_the_leaders_word_and_not_what_each_member_finds(
    ctx: Ctx, second: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    database.members = ALL
    database.databases['nova'] = ['utf8mb3', '']
    hook(second, cluster(nova(), leader=False, me=1))
    assert (database.old_mode, 'old_mode = \n' in machine.file(CHARACTERS)) == ('', True)
    out = hook(ctx, cluster(nova()))
    assert app(out)['utf8'] == 'utf8mb3'
    hook(second, cluster(nova(), leader=False, me=1, utf8='utf8mb3'))
    assert database.old_mode == 'UTF8_IS_UTF8MB3'
    assert 'old_mode = UTF8_IS_UTF8MB3\n' in machine.file(CHARACTERS)


def test_a_server_that_stands_alone_says_it_too_for_those_that_will_join(
    ctx: Ctx, database: sql.Server
):
    database.databases['nova'] = ['utf8mb3', '']
    out = hook(ctx, cluster(nova(), units=1, cluster=''))
    assert app(out)['utf8'] == 'utf8mb3'
    del database.databases['nova']
    assert 'utf8' not in app(hook(ctx, cluster(nova(), units=1, cluster='', utf8='utf8mb3')))


def test_a_member_that_the_others_have_thrown_out_takes_anew_what_they_have(
    ctx: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    """Its data were found to differ (`Inconsistent`): it runs, takes nothing in, and never comes back by itself."""
    database.members, database.joins = (), ALL
    database.sizes = {
        'wsrep_on': 'ON', 'wsrep_cluster_status': 'Disconnected', 'wsrep_local_state': '5',
    }  # fmt: skip
    hook(ctx, cluster())
    assert started(machine)


def test_a_member_that_is_on_its_way_in_is_left_alone(
    ctx: Ctx, database: sql.Server, machine: machines.FakeMachine
):
    database.members, database.joins = (), ALL
    database.sizes = {
        'wsrep_on': 'ON', 'wsrep_cluster_status': 'Disconnected', 'wsrep_local_state': '1',
    }  # fmt: skip
    out = hook(ctx, cluster())
    assert not started(machine)
    assert out.unit_status == testing.WaitingStatus('takes in what the cluster has')


def started(machine: machines.FakeMachine) -> bool:
    return any('start' in argv and 'mariadb' in argv for argv in machine.programs)


def test_what_utf8_means_stays_while_the_server_refuses_to_tell(ctx: Ctx, database: sql.Server):
    """What it does not show is not gone."""
    database.members = ALL
    database.refusing = 'CREATE DATABASE'
    out = hook(ctx, cluster(nova(), utf8='utf8mb3'))
    assert app(out)['utf8'] == 'utf8mb3'
    database.refusing = ''
    assert 'utf8' not in app(hook(ctx, out))
