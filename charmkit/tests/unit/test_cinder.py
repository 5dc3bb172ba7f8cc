"""The interfaces around cinder: that there are volumes, and what storage is behind them."""

from __future__ import annotations

import json

import pytest
from charmkit.relations import Databag, Relation, Site, cinder

SITE = Site(unit='cinder/0', leader=True, address='10.0.0.9')
OPTIONS = {'volume_driver': 'a.Driver', 'volume_backend_name': 'fast'}


def related(**bags: Databag) -> tuple[Relation, ...]:
    """Subordinates by the names of their applications, each with what its unit says."""
    return tuple(
        Relation(id=n, name=cinder.BACKENDS, app=app, units={f'{app}/0': bag})
        for n, (app, bag) in enumerate(bags.items())
    )


def test_nova_hears_of_volumes_by_the_relation_alone():
    relation = Relation(id=1, name=cinder.VOLUMES, app='cinder')
    assert cinder.volumes().read((relation,), SITE) == cinder.Volumes(
        'volumev3:cinderv3:internalURL'
    )
    assert cinder.volumes().read((), SITE) is None


@pytest.mark.parametrize(('stateless', 'active'), [(True, False), (False, False), (True, True)])
def test_cinder_hears_of_a_backend_what_its_subordinate_says(stateless: bool, active: bool):
    said = cinder.present('fast', OPTIONS, stateless=stateless, active_active=active)
    expected = cinder.Backend('nfs', 'fast', stateless, active)
    assert cinder.backends().read(related(nfs=said), SITE) == (expected,)


def test_its_options_are_a_section_of_its_name():
    found = cinder.sections().read(related(nfs=cinder.present('fast', OPTIONS)), SITE)
    assert found
    assert found[0].sections == {'/etc/cinder/cinder.conf': {'fast': OPTIONS}}


def test_what_is_said_has_the_keys_of_charmed_openstack():
    said = dict(cinder.present('fast', {'a': 'b'}, stateless=True))
    assert json.loads(said.pop('subordinate_configuration')) == {
        'cinder': {'/etc/cinder/cinder.conf': {'sections': {'fast': [['a', 'b']]}}}
    }
    assert said == {'backend_name': 'fast', 'stateless': 'True', 'active_active': 'False'}


def test_backends_are_in_the_order_of_their_names_and_one_that_says_nothing_is_none():
    said = related(b=cinder.present('one', {}), a=cinder.present('two', {}), c={})
    found, refused = cinder.known(said)
    assert [b.name for b in found] == ['one', 'two']
    assert refused == ()


@pytest.mark.parametrize(
    'name', ['DEFAULT', 'nova', 'a b', 'a,b', 'x' * 81, 'oslo_concurrency', '[x]', 'a\nb', '.']
)
def test_a_name_that_cannot_be_a_backends_is_refused_and_the_others_stay(name: str):
    bad = {**cinder.present('good', {}), 'backend_name': name}
    relations = related(a=cinder.present('good', {}), b=bad)
    assert [b.name for b in cinder.known(relations)[0]] == ['good']
    refusal = cinder.backends().refusal
    assert refusal is not None
    assert refusal(relations, SITE).startswith('b/0: backend_name ')


def test_two_backends_of_one_name_are_told_apart_by_nobody_so_the_second_is_refused():
    found, refused = cinder.known(related(a=cinder.present('x', {}), b=cinder.present('x', {})))
    assert [b.app for b in found] == ['a']
    assert [(r.unit, r.reason) for r in refused] == [
        ('b/0', "backend_name 'x' is the one of a already")
    ]
