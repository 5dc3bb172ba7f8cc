"""What is in force: the last good request of each relation, until the relation is broken."""

from __future__ import annotations

import pytest
import request_ledger
from charmkit.relations import Relation, keystone
from hypothesis import given
from hypothesis import strategies as st

GLANCE = {
    'service': 'glance', 'region': 'RegionOne', 'public_url': 'http://p:9292',
    'internal_url': 'http://i:9292', 'admin_url': 'http://a:9292',
}  # fmt: skip


def relation(number: int = 1, app: str = 'glance', /, **changed: str) -> Relation:
    bag = {k: v for k, v in (GLANCE | changed).items() if v}
    return Relation(id=number, name='identity-service', app=app, units={f'{app}/0': bag})


def kept(*relations: Relation) -> dict[int, request_ledger.Registered]:
    return dict(request_ledger.decide(relations, {}).in_force)


def test_a_good_request_is_in_force():
    decision = request_ledger.decide([relation()], {})
    assert [r.app for r in decision.requests] == ['glance']
    assert not decision.refused
    assert decision.in_force[1].users == ('glance',)


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'region': ''}, 'it does not say region: see its option region'),
        ({'region': '/'}, "region '/' is not a name: see its option region"),
        ({'public_url': ''}, 'it does not say public_url'),
        ({'public_url': 'cloud.example:443'}, 'is not an address that a catalogue can hold'),
        ({'public_url': 'http://a/%(x'}, 'is not an address that a catalogue can hold'),
        ({'public_url': 'http://a/$(password)s'}, 'is not an address that a catalogue can hold'),
        ({'public_url': 'http://a/%20'}, 'is not an address that a catalogue can hold'),
        ({'public_url': 'http://a/%(tenant_id)d'}, 'is not an address that a catalogue can hold'),
        ({'public_url': 'http://u:p@a'}, 'is not an address that a catalogue can hold'),
        ({'public_url': 'http://a?b=c'}, 'is not an address that a catalogue can hold'),
        ({'public_url': 'http://a#b'}, 'is not an address that a catalogue can hold'),
        ({'endpoint_types': 'public,sideways'}, "endpoint type 'sideways' is none of"),
    ],
)
def test_a_bad_request_leaves_the_last_good_one_in_force(changed: dict[str, str], words: str):
    before = kept(relation())
    decision = request_ledger.decide([relation(**changed)], before)
    assert decision.in_force == before
    assert words in decision.refused[1].reason
    assert not decision.broken
    assert not decision.withdrawn


def test_units_that_say_nothing_take_nothing_back():
    before = kept(relation())
    empty = Relation(id=1, name='identity-service', app='glance', units={'glance/0': {}})
    for there in (empty, Relation(id=1, name='identity-service', app='glance')):
        decision = request_ledger.decide([there], before)
        assert decision.in_force == before
        assert not decision.refused


def test_only_a_broken_relation_is_gone():
    before = kept(relation())
    decision = request_ledger.decide([], before)
    assert decision.broken == before
    assert not decision.in_force


def test_another_region_leaves_the_former_one_until_the_relation_is_broken():
    moved = request_ledger.decide([relation(region='RegionTwo')], kept(relation()))
    assert [s.region for s in moved.in_force[1].services] == ['RegionTwo', 'RegionOne']
    assert not moved.withdrawn
    back = request_ledger.decide([relation()], moved.in_force)
    assert [s.region for s in back.in_force[1].services] == ['RegionOne', 'RegionTwo']


def test_an_endpoint_type_that_is_said_not_to_be_is_withdrawn():
    decision = request_ledger.decide(
        [relation(endpoint_types='public,internal')], kept(relation())
    )
    (service,) = decision.withdrawn
    assert service.urls == (('admin', 'http://a:9292'),)
    assert dict(decision.in_force[1].request.services[0].urls).keys() == {'public', 'internal'}


def test_a_service_belongs_to_the_first_that_asks():
    decision = request_ledger.decide([relation(), relation(2, 'glance2')], {})
    assert decision.refused[2].reason == 'glance has the service glance in RegionOne already'
    assert list(decision.in_force) == [1]


def test_who_has_a_service_keeps_it_while_its_own_request_is_bad():
    before = kept(relation())
    decision = request_ledger.decide([relation(region=''), relation(2, 'glance2')], before)
    assert decision.in_force == before
    assert decision.refused.keys() == {1, 2}


def test_a_service_is_free_once_its_relation_is_broken():
    decision = request_ledger.decide([relation(2, 'glance2')], kept(relation()))
    assert list(decision.in_force) == [2]
    assert list(decision.broken) == [1]


def test_what_is_kept_is_understood():
    before = request_ledger.decide(
        [relation(region='RegionTwo', requested_roles='Creator'), relation(3, service='nova')],
        kept(relation()),
    ).in_force
    assert request_ledger.load(request_ledger.dump(before)) == before


@given(st.text() | st.just('{"1": {"services": [3, {"name": "glance", "urls": 1}]}}'))
def test_nothing_that_is_kept_breaks_it(text: str):
    request_ledger.load(text)
    request_ledger.load_services(text)


names = st.sampled_from(['', 'glance', 'nova', 'None', 'keystone', 'x' * 70])


@given(st.lists(st.dictionaries(st.sampled_from([*GLANCE, 'endpoint_types']), names), max_size=3))
def test_no_request_takes_anything_from_another(bags: list[dict[str, str]]):
    others = [
        Relation(id=n, name='identity-service', app='other', units={'other/0': bag})
        for n, bag in enumerate(bags, start=2)
    ]
    decision = request_ledger.decide([relation(), *others], kept(relation()))
    assert decision.in_force[1] == kept(relation())[1]
    assert isinstance(keystone.request(relation()), keystone.Request)
