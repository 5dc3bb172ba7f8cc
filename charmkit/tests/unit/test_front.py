"""Where clients are sent: the order of precedence, and what a unit tells its load balancer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from charmkit import front, relations, service, state
from charmkit.relations import keystone, mysql
from charmkit.why import Hook, Why
from hypothesis import given
from hypothesis import strategies as st

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
URL = {'ip': ['198.51.100.9'], 'port': 443, 'url': 'https://api.example.com:443/v2'}


def balancer(endpoint: str = 'public-backend', **data: Any) -> dict[str, Any]:
    bag = {key.replace('_', '-'): json.dumps(value) for key, value in data.items()}
    bag['interface-versions'] = bag.get('interface-versions', '[1, 2]')
    return {
        endpoint: (
            relations.Relation(id=5, name=endpoint, app='lb', app_data=bag, units={'lb/0': {}}),
        )
    }


HOOK = Hook('config-changed')
PAUSED = {front.PAUSED: True}


def place(
    options: dict[str, str] | None = None, *, why: Why = HOOK, **more: Any
) -> front.ServingState:
    inputs = state.Inputs(site=SITE, options=options or {}, **more)
    return front.serving_state(SPEC, inputs, front.intent(why, inputs))


def public(options: dict[str, str] | None = None, **more: Any) -> str:
    return place(options, **more).site.urls['demo']['public']


def test_alone_it_is_the_units_own_address():
    assert public() == 'http://203.0.113.2:8778'


def test_a_vip_comes_before_the_units_address_in_its_own_network():
    vips = {'vip': '10.0.0.99 203.0.113.99'}
    assert public(vips) == 'http://203.0.113.99:8778'
    assert place(vips).site.urls['demo']['internal'] == 'http://10.0.0.99:8778'


def test_the_load_balancer_comes_before_the_vip():
    found = balancer(frontends={'demo': {'public': URL}})
    assert public({'vip': '203.0.113.99'}, relations=found) == 'https://api.example.com:443'


def test_a_hostname_comes_before_everything_and_keeps_scheme_and_port():
    found = balancer(frontends={'demo': {'public': URL}})
    name = {'os-public-hostname': 'cloud.example.org'}
    assert public(name, relations=found) == 'https://cloud.example.org:443'
    assert public(name) == 'http://cloud.example.org:8778'


def test_a_load_balancer_that_has_not_answered_is_not_known():
    assert public(relations=balancer()) == 'http://203.0.113.2:8778'


def test_alone_every_endpoint_type_is_registered():
    assert place().site.unregistered == frozenset()


def test_an_endpoint_type_that_no_load_balancer_has_while_another_has_one_is_not_registered():
    """It would be with a unit's own address, in a network that may be private."""
    found = balancer('internal-backend', frontends={'demo': {'internal': URL}})
    assert place(relations=found).site.unregistered == {'public', 'admin'}
    named = {'os-admin-hostname': 'admin.example.org'}
    assert place(named, relations=found).site.unregistered == {'public'}


def test_services_find_one_another_whatever_is_balanced():
    found = balancer(frontends={'demo': {'public': URL}})
    assert place(relations=found).site.unregistered == {'admin'}


SERVED = {front.SERVED: True}


def registered(
    found: dict[str, Any], memory: Mapping[str, Any] | None = None, **more: Any
) -> tuple[relations.EndpointType, ...]:
    return place(relations=found, memory=memory or {}, **more).site.registered('demo')


def test_no_address_of_the_units_own_is_registered_before_its_load_balancer_has_answered():
    """Clients may have no way to it."""
    assert registered(balancer()) == ('internal',)
    assert registered(balancer('internal-backend')) == ()
    both = {**balancer(), **balancer('internal-backend')}
    assert registered(both) == ()
    # One that only served behind it had none registered either.
    assert registered(both, {**SERVED, front.OWN: {}}) == ()
    answered = {**both, **balancer(frontends={'demo': {'public': URL}})}
    assert registered(answered) == ('public',)
    assert place({'os-admin-hostname': 'a.example'}, relations=both).site.registered('demo') == (
        'admin',
    )


def test_a_unit_that_served_under_a_charm_without_this_account_takes_nothing_back():
    """A load balancer that has never answered: the catalogue has the unit's own addresses."""
    both = {**balancer(), **balancer('internal-backend')}
    assert registered(both, SERVED) == relations.ENDPOINT_TYPES
    assert place(relations=both, memory=SERVED).urls_memory[front.OWN] == {
        'demo': list(relations.ENDPOINT_TYPES)
    }
    given = {front.BALANCED: {'demo': {'public': 'https://api.example.com'}}}
    kept = place(relations=balancer(), memory={**SERVED, **given}).urls_memory[front.OWN]
    assert kept == {'demo': ['internal']}


def test_each_service_waits_for_its_own_address():
    found = balancer(frontends={'another': {'public': URL}})
    assert place(relations=found).site.awaited == {'demo': {'public'}}


def test_what_clients_had_before_there_was_a_load_balancer_they_have_until_it_has_answered():
    alone = place(memory=SERVED).urls_memory
    found, internal = balancer(), balancer('internal-backend')
    assert registered(found, {**SERVED, **alone}) == relations.ENDPOINT_TYPES
    both = {**found, **internal}
    assert registered(both, {**SERVED, **alone}) == relations.ENDPOINT_TYPES
    kept = place(relations=both, memory={**SERVED, **alone}).urls_memory
    assert registered(both, {**SERVED, **kept}) == relations.ENDPOINT_TYPES
    # Once it has served, a load balancer that loses its answer, or another one, is waited for.
    answered = {**found, **balancer('internal-backend', frontends={'demo': {'internal': URL}})}
    assert registered(answered, {**SERVED, **kept}) == ('public', 'internal')
    later = place(relations=answered, memory={**SERVED, **kept}).urls_memory
    assert later[front.OWN] == {'demo': ['public']}


def test_what_was_asked_for_before_the_unit_served_was_in_no_catalogue():
    """The load balancer of a new cloud may be related a moment after the first hook."""
    assert place().urls_memory[front.OWN] == {}
    assert registered(balancer(), place().urls_memory) == ('internal',)


def test_a_load_balancer_that_says_nothing_for_a_while_takes_nothing_back():
    found = balancer(frontends={'demo': {'public': URL}})
    before = front.balanced(SPEC, state.Inputs(site=SITE, relations=found))
    silent = place(relations=balancer(), memory={front.BALANCED: before})
    assert silent.site.urls['demo']['public'] == 'https://api.example.com:443'
    assert 'public' not in silent.site.unregistered
    gone = place(memory={front.BALANCED: before})
    assert gone.site.urls['demo']['public'] == 'http://203.0.113.2:8778'


def test_it_listens_where_its_bindings_are_and_nowhere_else():
    assert place().addresses == ('127.0.0.1', '10.0.0.2', '10.9.0.2', '203.0.113.2')


_TOKENS = st.sampled_from(['t', 'u'])
_STATES = st.sampled_from(['ready', 'down', 'draining', 'drained', 'granted', 'queued', 'refused'])
_SAID = st.dictionaries(
    st.sampled_from(['demo/0', 'demo/1']),
    st.fixed_dictionaries({'token': _TOKENS, 'state': _STATES, 'sessions': st.integers(0, 2)}),
)


def answered(
    acks: object, grants: object, rotation: object, status: object, wish: str
) -> front.ServingState:
    """The place of a unit that wants *wish*, where its load balancer has said all that."""
    (relation,) = balancer(grants=grants, releases=rotation, status=status, lb_units=['lb/0'])[
        'public-backend'
    ]
    told = {'lifecycle': json.dumps({'state': wish, 'token': 't'})}
    heard = {'lb/0': {'acks': json.dumps(acks)}}
    there = dataclasses.replace(relation, units=heard, my_data=told)
    memory = {front.PAUSED: wish != 'ready'}
    return place(relations={'public-backend': (there,)}, memory=memory, fresh='f' * 64)


@given(_SAID, _SAID, _SAID, _SAID, st.dictionaries(st.just('demo'), st.just({})))
def test_nothing_follows_for_a_ready_unit_from_what_it_does_not_heed(
    acks: object, grants: object, other_acks: object, other_grants: object, rotation: object
):
    """So that no hook need run for it; the two below are what must be heeded."""
    before = answered(acks, grants, {}, {}, 'ready')
    assert before.lifecycle.state == 'ready'
    assert before.unheeded['public-backend'] == {'acks', 'grants', 'releases'}
    assert answered(other_acks, other_grants, rotation, {}, 'ready') == before


def test_a_refusal_is_heeded():
    refused = {'*': {'state': 'rejected', 'reason': 'no'}}
    assert answered({}, {}, {}, refused, 'ready') != answered({}, {}, {}, {}, 'ready')


def test_a_unit_that_drains_heeds_how_far_its_load_balancer_is():
    asked = answered({}, {}, {}, {}, 'drain')
    assert asked.unheeded['public-backend'] == {'releases'}
    gone = {'demo/0': {'token': 't', 'state': 'drained', 'sessions': 0}}
    assert answered(gone, {}, {}, {}, 'drain') != asked


def test_it_tells_its_load_balancer_how_to_check_it():
    got = place(relations=balancer(), fresh='f' * 64)
    endpoint, *_ = json.loads(got.app_data[5]['endpoints'])
    assert endpoint['check'] == {'method': 'GET', 'path': '/healthcheck', 'expect': ['200']}
    assert json.loads(got.unit_data[5]['lifecycle'])['state'] == 'ready'


def test_a_paused_unit_serves_on_while_its_load_balancer_drains_it():
    got = place(relations=balancer(), memory=PAUSED, fresh='f' * 64)
    assert not got.out_of_service


def test_a_load_balancer_that_knows_no_drain_is_told_by_the_health_check():
    found = balancer(interface_versions=[1])
    got = place(relations=found, memory=PAUSED, fresh='f' * 64)
    assert got.out_of_service
    assert not got.announced
    wanted = service.desired_state(
        SPEC, HOOK, state.Inputs(site=SITE, relations=found, memory=PAUSED, fresh='f' * 64)
    )
    assert '/run/openstack-drain' in {f.path for f in wanted.host.files}
    assert {s.name: s.linger_s for s in wanted.host.services}['apache2'] > 0


def test_without_anybody_who_sends_clients_it_stops_at_once():
    wanted = service.desired_state(SPEC, HOOK, state.Inputs(site=SITE, memory=PAUSED))
    assert {s.name: s.linger_s for s in wanted.host.services}['apache2'] == 0


@pytest.mark.parametrize('tick', [False, True])
def test_time_keeps_the_lease_of_a_drain_alive(tick: bool):
    first = place(relations=balancer(), memory=PAUSED, fresh='f' * 64)
    found = balancer()
    relation = found['public-backend'][0]
    kept = relations.Relation(
        id=5,
        name=relation.name,
        app='lb',
        app_data=relation.app_data,
        units=relation.units,
        my_data=first.unit_data[5],
    )
    got = place(
        relations={'public-backend': (kept,)},
        memory=PAUSED,
        why=Hook('update-status') if tick else HOOK,
        fresh='e' * 64,
    )
    before, after = (json.loads(p.unit_data[5]['lifecycle']) for p in (first, got))
    assert after['token'] == before['token']
    assert after['beat'] == before['beat'] + int(tick)


def test_a_unit_that_loses_its_database_is_noticed_before_it_stops():
    """A unit that is removed loses its relations one by one, and not its load balancer first."""
    needy = dataclasses.replace(SPEC, needs=(mysql.need('demo'),))
    wanted = service.desired_state(needy, HOOK, state.Inputs(site=SITE, relations=balancer()))
    apache = next(s for s in wanted.host.services if s.name == 'apache2')
    assert apache.state == 'stopped'
    assert apache.linger_s > 0
    assert '/run/openstack-drain' in {f.path for f in wanted.host.files}


def test_a_refusal_by_the_other_side_is_told_and_what_was_granted_is_used():
    need = keystone.need('demo')
    spec = dataclasses.replace(SPEC, needs=(need,))
    answer = {
        'service_host': 'k', 'service_port': '5000', 'internal_host': 'k', 'internal_port': '5000',
        'service_username': 'demo', 'service_password': 'x',
    }  # fmt: skip

    def state_with(**bag: str) -> state.Desired:
        found = relations.Relation(
            id=1, name='identity-service', app='keystone', units={'keystone/0': bag}
        )
        inputs = state.Inputs(site=SITE, relations={'identity-service': (found,)})
        return service.desired_state(spec, HOOK, inputs)

    blocked = state.Status('blocked', 'identity-service: it is refused')
    whole = state_with(**answer, refused='it is refused')
    assert blocked in whole.status
    assert {s.name: s.state for s in whole.host.services}['apache2'] == 'running'
    assert blocked in state_with(refused='it is refused').status
    assert blocked not in state_with(**answer).status


def test_the_load_balancers_word_on_addresses_counts_and_nobody_elses():
    def asked(*cidrs: str) -> tuple[str, ...]:
        bag = {
            'interface-versions': '[1, 2]',
            'frontends': '{}',
            'proxy': json.dumps({'trusted-cidrs': cidrs}),
        }
        balancer = relations.Relation(id=1, name='public-backend', app='lb', app_data=bag)
        return front.trusted(
            state.Inputs(
                site=relations.Site(unit='a/0', leader=True, address='10.0.0.2'),
                relations={'public-backend': (balancer,)},
                options={'vip': '10.0.0.9'},
            )
        )

    assert asked('10.0.0.5/32', 'fd00::5/128') == ('10.0.0.5/32', 'fd00::5/128')
    assert asked('0.0.0.0/0', '::/0', 'nonsense\nListen 1', '10.0.0.5/24') == ()


def test_a_site_is_known_by_each_name_and_address_that_leads_to_it():
    frontends = {'demo': {'public': {**URL, 'ip': ['198.51.100.9', '2001:db8::9']}}}
    found = place(relations=balancer(frontends=frontends)).site.hosts['demo']
    assert {'api.example.com', '198.51.100.9', '2001:db8::9'} <= {*found}
    assert {'127.0.0.1', '10.0.0.2', '203.0.113.2'} <= {*found}
    named = place({'os-public-hostname': 'demo.example.com', 'vip': '203.0.113.9'})
    assert {'demo.example.com', '203.0.113.9'} <= {*named.site.hosts['demo']}


def test_a_service_is_placed_once_every_load_balancer_has_answered() -> None:
    site = relations.Site(
        unit='a/0', leader=True, address='10.0.0.1', urls={}, awaited={'a': frozenset({'admin'})}
    )
    assert not site.is_placed('a')
    assert not site.is_placed('a', 'admin', 'public')
    assert site.is_placed('a', 'public', 'internal')
    assert site.is_placed('b')
