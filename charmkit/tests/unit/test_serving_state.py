"""Where a unit meets its clients, case by case: whether it serves, what it says of itself, and whom it believes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import front, host, limits, relations, service, state, vip
from charmkit.relations import loadbalancer
from charmkit.why import Action, Hook, Why

SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api',),
    needs=(),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo', path='/v2'),),
    config={},
)
SITE = relations.Site(
    unit='demo/0',
    leader=True,
    address='10.0.0.2',
    addresses={'public': '203.0.113.2', 'internal': '10.0.0.2', 'admin': '10.9.0.2'},
    networks={
        'public': (relations.Network('eth0', '203.0.113.2', '203.0.113.0/24'),),
        'internal': (relations.Network('eth1', '10.0.0.2', '10.0.0.0/24'),),
    },
)
HOOK = Hook('config-changed')
PAUSED = {front.PAUSED: True}
FRESH = 'f' * 64


def balancer(
    endpoint: str = 'public-backend',
    *,
    i: int = 5,
    app: str = 'lb',
    units: dict[str, dict[str, str]] | None = None,
    wish: str = '',
    **data: Any,
) -> relations.Relation:
    """A load balancer that says *data*, of which this unit last wanted *wish*."""
    t = loadbalancer.ENDPOINTS[endpoint]
    data = {'frontends': {'demo': {t: {'url': f'http://lb.example:8778/{t}'}}}, **data}
    bag = {key.replace('_', '-'): json.dumps(value) for key, value in data.items()}
    mine = {'lifecycle': json.dumps({'state': wish, 'token': 't', 'beat': 3})} if wish else {}
    return relations.Relation(
        id=i,
        name=endpoint,
        app=app,
        app_data={'interface-versions': '[1, 2]', **bag},
        units={'lb/0': {}} if units is None else units,
        my_data=mine,
    )


def known(*balancers: relations.Relation, **more: Any) -> state.Inputs:
    by_name: dict[str, tuple[relations.Relation, ...]] = {}
    for r in balancers:
        by_name[r.name] = (*by_name.get(r.name, ()), r)
    given: dict[str, Any] = {'site': SITE, 'relations': by_name, 'fresh': FRESH, **more}
    return state.Inputs(**given)


def place(*balancers: relations.Relation, why: Why = HOOK, **more: Any) -> front.ServingState:
    inputs = known(*balancers, **more)
    return front.serving_state(SPEC, inputs, front.intent(why, inputs))


def test_until_its_load_balancer_has_said_where_clients_reach_it_the_unit_waits() -> None:
    silent = balancer(frontends={}), balancer('admin-backend', i=6, app='lb2', frontends={})
    said = 'waiting for lb, lb2 to say where clients reach it (public, admin)'
    assert place(*silent).status == state.Status('waiting', said)
    assert place(*silent, options={'os-public-hostname': 'c.example'}).status == state.Status(
        'waiting', 'waiting for lb2 to say where clients reach it (admin)'
    )
    refused = balancer(frontends={}, status={'demo': {'state': 'rejected', 'reason': 'no'}})
    assert place(refused).status == state.Status('blocked', 'lb refuses demo: no')
    assert place(refused).site.registered('demo') == ('internal',)


# What this unit is about to do.


@pytest.mark.parametrize(
    ('why', 'before', 'paused'),
    [
        (HOOK, False, False),
        (HOOK, True, True),
        (Action('pause'), False, True),
        (Action('resume'), True, False),
        (Action('another'), True, True),
        (Action('another'), False, False),
        (Hook('stop'), False, True),
        (Hook('remove'), False, True),
        (Hook('pause'), False, False),
    ],
)
def test_a_unit_is_paused_from_pause_to_resume_and_when_it_is_removed(
    why: Why, before: bool, paused: bool
) -> None:
    memory = {front.PAUSED: True} if before else {}
    assert front.intent(why, known(memory=memory)).paused is paused


@pytest.mark.parametrize(
    ('seen', 'healthy'), [({}, False), ({'health': ''}, True), ({'health': '503'}, False)]
)
def test_a_unit_is_healthy_when_its_api_was_asked_and_answered(
    seen: dict[str, str], healthy: bool
) -> None:
    assert front.intent(HOOK, known(seen=seen)).healthy is healthy


def test_a_course_is_what_the_run_is_for() -> None:
    inputs = known()
    plain = front.ServiceIntent()
    assert plain == front.ServiceIntent(
        paused=False, removing=False, time_passes=False, healthy=False, drain=None
    )
    assert front.intent(HOOK, inputs) == plain
    assert front.intent(Hook('update-status'), inputs) == front.ServiceIntent(time_passes=True)
    assert front.intent(Hook('stop'), inputs) == front.ServiceIntent(paused=True, removing=True)


@pytest.mark.parametrize(
    ('params', 'more'),
    [
        ({}, {}),
        ({'force': False}, {}),
        ({'force': True}, {'force': True, 'on_deadline': 'force'}),
        ({'deadline': 5}, {'deadline_s': 5}),
        ({'reason': 'disk'}, {'reason': 'disk'}),
    ],
)
def test_a_pause_drains_in_five_minutes_and_waits_unless_it_is_forced(
    params: dict[str, Any], more: dict[str, Any]
) -> None:
    wish = loadbalancer.Lifecycle(
        state='drain',
        token='',
        reason='paused',
        deadline_s=300,
        on_deadline='wait',
        force=False,
    )
    found = front.intent(Action('pause', params), known()).drain
    assert found == dataclasses.replace(wish, **more)


# Whether it serves.


def test_a_unit_that_nobody_sends_clients_to_stops_when_it_is_told() -> None:
    serving, paused = place(), place(memory=PAUSED)
    assert (serving.out_of_service, serving.status) == (False, None)
    assert serving.lifecycle.state == 'ready'
    assert paused.out_of_service
    assert paused.status == state.Status('maintenance', 'paused: run the resume action to serve again')  # fmt: skip
    assert paused.announced
    # Without load balancers the other units' haproxy must be left to notice.
    assert not place(memory=PAUSED, options={'vip': '10.0.0.9'}).announced


DRAINED = {'demo/0': {'token': 't', 'state': 'drained', 'sessions': 0}}
REFUSED = {'grants': {'demo/0': {'token': 't', 'state': 'refused', 'reason': 'too few'}}}
QUEUED = {'grants': {'demo/0': {'token': 't', 'state': 'queued', 'reason': 'waits'}}}
GRANT = {'demo/0': {'token': 't', 'state': 'granted'}}


@pytest.mark.parametrize(
    ('wish', 'said', 'stops', 'status'),
    [
        ('', {}, False, 'draining, asked: lb has not decided yet'),
        ('drain', {}, False, 'draining, asked: lb has not decided yet'),
        ('drain', REFUSED, False, 'draining, refused: lb: too few'),
        ('drain', QUEUED, False, 'draining, queued: lb: waits'),
        ('drain', {'grants': GRANT}, False, 'draining, draining: lb: 0 requests under way'),
        ('maintenance', {}, True, 'paused: run the resume action to serve again'),
        ('', {'interface_versions': [1]}, True, 'paused: run the resume action to serve again'),
    ],
)  # fmt: skip
def test_a_paused_unit_serves_until_its_load_balancer_has_let_it_go(
    wish: str, said: dict[str, Any], stops: bool, status: str
) -> None:
    found = place(balancer(wish=wish, **said), memory=PAUSED)
    assert found.out_of_service is stops
    assert found.status == state.Status('maintenance', status)
    assert found.announced is (wish == 'maintenance')


def test_a_unit_that_is_drained_everywhere_goes_into_maintenance() -> None:
    gone = {'lb/0': {'acks': json.dumps(DRAINED)}}
    found = place(
        balancer(wish='drain', units=gone, grants=GRANT, lb_units=['lb/0']), memory=PAUSED
    )
    assert found.lifecycle.state == 'maintenance'
    assert found.lifecycle.token != 't'
    assert found.out_of_service
    assert found.announced


@pytest.mark.parametrize(
    ('wish', 'back'),
    [
        ('', False),
        ('ready', False),
        ('drain', True),
        ('maintenance', True),
        ('gone', False),
    ],
)
def test_a_unit_that_was_out_comes_back_when_it_is_well(wish: str, back: bool) -> None:
    waits = place(balancer(wish=wish))
    assert waits.coming_back is back
    well = place(balancer(wish=wish), seen={front.HEALTH: ''})
    assert well.lifecycle.state == 'ready'
    assert well.status is None
    assert well.out_of_service is False
    if back:
        assert waits.lifecycle.state == wish
        assert waits.status == state.Status(
            'waiting', 'waiting to be healthy before clients come back'
        )


@pytest.mark.parametrize(
    ('wish', 'serves'),
    [('', False), ('ready', True), ('drain', True), ('maintenance', False), ('gone', False)],
)
def test_clients_are_there_until_the_last_was_seen(wish: str, serves: bool) -> None:
    assert front.serves_clients(known(balancer(wish=wish))) is serves
    assert front.serves_clients(known()) is False


@pytest.mark.parametrize('wish', ['ready', 'drain', 'maintenance'])
@pytest.mark.parametrize('why', [HOOK, Hook('update-status')])
def test_a_sign_of_life_is_given_as_time_passes_while_the_unit_is_not_ready(
    wish: str, why: Hook
) -> None:
    memory = {} if wish == 'ready' else PAUSED
    found = place(balancer(wish=wish), why=why, memory=memory)
    assert found.lifecycle.beat == 3 + (why.time_passes and wish != 'ready')


def test_what_a_load_balancer_refuses_is_told() -> None:
    refused = balancer(status={'*': {'state': 'rejected', 'reason': 'no'}})
    twice = balancer(i=6, app='lb2')
    assert place(refused, twice).status == state.Status(
        'blocked',
        'lb refuses the relation: no; public-backend has several load balancers: lb, lb2',
    )


def test_what_need_not_be_heard_of_each_load_balancer() -> None:
    def heeds_not(*balancers: relations.Relation, **more: Any) -> Any:
        found = place(*balancers, **more).unheeded
        assert set(found) == {'public-backend', 'internal-backend', 'admin-backend', 'peers'}
        assert found['peers'] == {'takes-part'}
        (one,) = {keys for name, keys in found.items() if name != 'peers'}
        return one

    assert heeds_not(balancer(wish='ready')) == {'acks', 'grants', 'releases'}
    assert heeds_not(balancer(wish='drain'), memory=PAUSED) == {'releases'}
    assert heeds_not(balancer(wish='maintenance')) == {'releases'}


# What it says of itself.


def test_it_says_where_it_is_on_the_binding_of_each_load_balancer() -> None:
    site = dataclasses.replace(
        SITE, all_addresses={'public-backend': ('203.0.113.7', '2001:db8::7')}
    )
    two = balancer(), balancer('internal-backend', i=6)
    found = place(*two, site=site)
    assert set(found.unit_data) == set(found.app_data) == {5, 6}
    (public,) = json.loads(found.unit_data[5]['endpoints'])
    (internal,) = json.loads(found.unit_data[6]['endpoints'])
    assert public['addresses'] == ['203.0.113.7', '2001:db8::7']
    assert internal['addresses'] == ['10.0.0.2']
    assert json.loads(found.app_data[5]['endpoints'])[0]['endpoint-types'] == ['public']
    assert json.loads(found.app_data[6]['endpoints'])[0]['endpoint-types'] == ['internal']
    assert {'release', 'base', 'lifecycle', 'endpoints'} == set(found.unit_data[5])
    assert found.vrrp.machine == vip.absent()


def test_peers_hear_where_it_serves_and_what_it_runs() -> None:
    found = place()
    assert json.loads(found.peer_data['addresses']) == ['10.0.0.2', '10.9.0.2', '203.0.113.2']
    assert {'addresses', 'release', 'base'} == set(found.peer_data)


def test_an_agent_has_no_clients() -> None:
    inputs = known(memory=PAUSED)
    nowhere = front.nowhere(inputs, front.ServiceIntent())
    assert nowhere == front.ServingState(
        site=SITE,
        addresses=(),
        out_of_service=False,
        announced=True,
        status=None,
        vrrp=vip.Part(machine=host.Host(), memory={}),
        peer_data={},
        lifecycle=loadbalancer.Lifecycle(state='ready', token=''),
        settled=True,
        vips='',
        coming_back=False,
    )
    paused = state.Status('maintenance', 'paused: run the resume action to serve again')
    stopped = front.nowhere(inputs, front.ServiceIntent(paused=True))
    assert stopped == dataclasses.replace(nowhere, out_of_service=True, status=paused)


# VIPs.


def test_a_vip_brings_a_haproxy_that_knows_each_application() -> None:
    site = dataclasses.replace(SITE, address='10.0.0.2')
    bulk = dataclasses.replace(
        SPEC, apps=(dataclasses.replace(SPEC.apps[0], silence=limits.BULK),)
    )
    inputs = known(site=site, options={'vip': '10.0.0.9'})
    found = front.serving_state(bulk, inputs, front.intent(HOOK, inputs))
    size = front.endpoints.size(bulk, bulk.apps[0], inputs).requests
    assert size == 4 * front.endpoints.size(SPEC, SPEC.apps[0], inputs).requests
    assert found.vips == '10.0.0.9'
    assert found.settled
    assert found.vrrp.machine == vip.desired(
        inputs,
        vip.placed(inputs)[0],
        found.addresses,
        {'demo-api': vip.App(8778, limits.BULK, size)},
    )
    left = front.serving_state(bulk, inputs, front.intent(Hook('stop'), inputs)).vrrp.machine
    assert {s.name: s.state for s in left.services}['keepalived'] == 'stopped'
    assert {s.name: s.state for s in found.vrrp.machine.services}['keepalived'] == 'running'


NOWHERE = '192.0.2.9'
MISPLACED = state.Status(
    'blocked',
    f"option vip: in no network of this unit or a unit's own address, and not published: {NOWHERE}",
)


@pytest.mark.parametrize(
    ('kept', 'vips', 'settled'),
    [
        ({vip.IN_FORCE: '10.0.0.9'}, '10.0.0.9', True),
        ({vip.IN_FORCE: '192.0.2.8'}, '', False),
        ({vip.IN_FORCE: ''}, '', False),
        ({}, '', False),
    ],
)
def test_a_vip_in_no_network_is_told_to_nobody_and_the_last_good_one_stays(
    kept: dict[str, str], vips: str, settled: bool
) -> None:
    found = place(options={'vip': f'10.0.0.8 {NOWHERE}'}, memory=kept)
    assert (found.vips, found.settled, found.status) == (vips, settled, MISPLACED)
    url = found.site.urls['demo']['internal']
    assert url == f'http://{vips or "10.0.0.2"}:8778'


def test_where_load_balancers_are_no_vip_is_wanted_nor_missed() -> None:
    found = place(balancer(), options={'vip': NOWHERE})
    assert (found.status, found.settled, found.vrrp.machine) == (None, True, vip.absent())


def test_an_option_that_others_are_told_of_and_that_is_bad_is_not_settled() -> None:
    assert not place(unsettled=frozenset({'region'})).settled


def test_a_unit_whose_relations_go_takes_nothing_back_of_its_endpoints() -> None:
    """Its own address would be registered, once it has left its load balancer."""
    assert not place(dying=True).settled


# URLs.


def url(t: str = 'public', *balancers: relations.Relation, **options: str) -> str:
    given = {k.replace('_', '-'): v for k, v in options.items()}
    return place(*balancers, options=given).site.urls['demo'][t]


def test_a_vip_that_is_near_serves_a_type_and_else_the_first() -> None:
    assert url('internal', vip='203.0.113.9 10.0.0.9') == 'http://10.0.0.9:8778'
    assert url('admin', vip='203.0.113.9 10.0.0.9') == 'http://203.0.113.9:8778'


def test_a_name_keeps_the_port_and_scheme_that_lead_there() -> None:
    def served(url: str) -> relations.Relation:
        return balancer(frontends={'demo': {'public': {'ip': [], 'port': 1, 'url': url}}})

    name = {'os_public_hostname': 'c.example'}
    assert url('public', served('https://x'), **name) == 'https://c.example'
    assert url('public', served('https://x:81/v2'), **name) == 'https://c.example:81'
    assert url('public', served('https://x:81/v2')) == 'https://x:81'
    assert url('internal', served('https://x:81/v2'), **name) == 'http://10.0.0.2:8778'


def test_an_address_of_version_6_is_in_brackets() -> None:
    site = dataclasses.replace(SITE, addresses={'public': 'fd00::2'})
    assert place(site=site).site.urls['demo']['public'] == 'http://[fd00::2]:8778'


# Whom it believes.


def test_forwarded_addresses_are_believed_of_load_balancers_else_of_the_units_haproxy() -> None:
    proxy = {'trusted-cidrs': ['10.0.0.5', 'fd00::/64', '0.0.0.0/0', '::/0', 'x']}
    other = balancer('admin-backend', i=6, proxy={'trusted-cidrs': ['10.0.0.4/32']})
    assert front.trusted(known(balancer(proxy=proxy), other)) == (
        '10.0.0.4/32',
        '10.0.0.5/32',
        'fd00::/64',
    )
    silent = dataclasses.replace(balancer(), app_data={})
    assert front.trusted(known(silent, options={'vip': '10.0.0.9'})) == ()
    peers = {'demo/1': {'addresses': '["10.0.0.3"]'}}
    site = dataclasses.replace(SITE, all_addresses={'internal': ('10.0.0.2',)})
    inputs = known(site=site, options={'vip': '10.0.0.9'}, peer_units=peers)
    assert front.trusted(inputs) == ('10.0.0.2/32', '10.0.0.3/32', '10.0.0.9/32')
    assert front.trusted(known(site=site, peer_units=peers)) == ()


# Where it listens.


def test_it_listens_on_the_bindings_of_its_types_and_of_their_load_balancers() -> None:
    site = dataclasses.replace(
        SITE,
        addresses={**SITE.addresses, 'public-backend': '10.8.0.2', 'admin-backend': '10.7.0.2'},
    )
    inputs = known(balancer(), balancer('admin-backend', i=6), site=site)
    assert front.listen(inputs, ('public',)) == ('127.0.0.1', '10.8.0.2', '203.0.113.2')
    assert front.listen(inputs, ('internal',)) == ('127.0.0.1', '10.0.0.2')
    everywhere = ('127.0.0.1', '10.0.0.2', '10.7.0.2', '10.8.0.2', '10.9.0.2', '203.0.113.2')
    assert front.listen(inputs) == everywhere
    # The units' own haproxy asks each at any of its addresses.
    with_vip = dataclasses.replace(inputs, options={'vip': '10.0.0.9'})
    assert front.listen(with_vip, ('public',)) == everywhere
    loop = dataclasses.replace(SITE, addresses=dict.fromkeys(('public', 'internal', 'admin'), '127.0.0.1'))  # fmt: skip
    assert front.listen(known(site=loop)) == ('127.0.0.1',)


def test_a_site_is_known_by_its_vips_and_load_balancers_and_own_addresses() -> None:
    answer = {'ip': ['198.51.100.9'], 'port': 1, 'url': 'http://x:1', 'hostname': 'h.example'}
    other = {'glance': {'public': {**answer, 'hostname': 'glance.example'}}}
    served = balancer(frontends={'demo': {'public': answer}, **other})
    found = place(served, options={'vip': '192.0.2.9 192.0.2.8'}).site.hosts
    assert found == {
        'demo': (
            '10.0.0.2',
            '10.9.0.2',
            '127.0.0.1',
            '192.0.2.8',
            '192.0.2.9',
            '198.51.100.9',
            '203.0.113.2',
            'h.example',
            'x',
        )
    }
