"""What is registered, and when: between the relations of a unit and the catalogue of the cloud."""

from __future__ import annotations

import dataclasses

import charmkit
import identity
import keystone_run
import pytest
import registration
import request_ledger
from charmkit import state
from charmkit.relations import Relation, Site
from charmkit.why import Hook

URLS = {t: f'http://{t}:5000' for t in ('public', 'internal', 'admin')}
SITE = Site(unit='keystone/0', leader=True, address='10.0.0.1', urls={'keystone': URLS})
GLANCE = Relation(
    id=3,
    name='identity-service',
    app='glance',
    units={
        'glance/0': {
            'service': 'glance', 'region': 'RegionOne', 'public_url': 'http://p:9292',
            'internal_url': 'http://i:9292', 'admin_url': 'http://a:9292',
        }
    },
)  # fmt: skip
SHARED = identity.Shared('s' * 64, {}, {})


def inputs(*relations: Relation, **more: object) -> charmkit.Inputs:
    values = state.Inputs(site=SITE, relations={'identity-service': relations})
    return dataclasses.replace(values, **more)  # pyright: ignore[reportArgumentType]


def plan(known: charmkit.Inputs, site: Site = SITE) -> registration.Plan:
    return registration.plan(known, SHARED, site, {})


def kept() -> dict[str, str]:
    return {request_ledger.KEY: request_ledger.dump(request_ledger.decide([GLANCE], {}).in_force)}


@pytest.mark.parametrize(
    ('hook', 'leaves'),
    [
        (Hook('identity-service-relation-departed', 'keystone/0'), True),
        (Hook('identity-service-relation-departed', 'glance/0'), False),
        (Hook('identity-service-relation-broken'), False),
        (Hook('update-status'), False),
    ],
)
def test_juju_says_which_unit_departs(hook: Hook, leaves: bool):
    assert keystone_run.departs(hook, inputs()) == leaves


def test_what_a_unit_that_is_removed_loses_is_not_gone():
    """Juju breaks its relations one by one, and they live on for the other units."""
    known = inputs(peers=kept())
    assert list(plan(known).decision.broken) == [3]
    leaving = dataclasses.replace(known, memory={registration.REMOVING: True})
    decision = plan(leaving).decision
    assert not decision.broken
    assert list(decision.in_force) == [3]


def test_an_endpoint_type_without_a_load_balancer_is_not_registered():
    site = dataclasses.replace(SITE, unregistered=frozenset({'admin'}))
    (own,) = plan(inputs(), site).own
    assert dict(own.urls) == {
        'public': 'http://public:5000/v3', 'internal': 'http://internal:5000/v3',
    }  # fmt: skip


def test_no_address_of_keystones_own_is_registered_before_its_load_balancer_has_answered():
    site = dataclasses.replace(SITE, awaited={'keystone': frozenset({'public', 'admin'})})
    (own,) = plan(inputs(), site).own
    assert dict(own.urls) == {'internal': 'http://internal:5000/v3'}
    # A new leader knows no more than that of what clients have.
    before = dataclasses.replace(own, urls=(('public', 'http://vip:5000/v3'),))
    known = inputs(peers={registration.OWN: request_ledger.dump_services([before])})
    (kept,) = plan(known, site).own
    assert dict(kept.urls) == {
        'public': 'http://vip:5000/v3', 'internal': 'http://internal:5000/v3',
    }  # fmt: skip


def test_a_refusal_is_told_to_who_asked():
    bad = dataclasses.replace(GLANCE, units={'glance/0': {'service': 'glance'}})
    known = inputs(bad, peers=kept())
    said = registration.responses(
        known, SHARED.seed, known.peers, SITE, plan(known).decision.refused
    )
    assert said[3]['refused'].startswith('it does not say region, public_url')


def test_a_paused_unit_asks_where_its_load_balancer_is_before_the_others():
    """Others that serve load balancers by TLS take nothing without it, and no password goes there in clear first."""
    site = charmkit.relations.Site(unit='keystone/0', leader=True, address='10.0.0.1')
    inputs = state.Inputs(
        site=site,
        peer_units={'keystone/1': {'ingress-address': '10.0.0.2'}},
        memory={'balanced': {'keystone': {'internal': 'https://10.0.0.9:5000/v3', 'public': 'x'}}},
    )
    found = registration.servers(inputs, running=False, paused=True)
    assert found == ('https://10.0.0.9:5000', 'http://10.0.0.2:5000')
    alone = dataclasses.replace(inputs, memory={})
    assert registration.servers(alone, running=False, paused=True) == ('http://10.0.0.2:5000',)
    assert registration.servers(inputs, running=True, paused=False) == ('http://127.0.0.1:5000',)
    assert registration.servers(inputs, running=False, paused=False) == ()
