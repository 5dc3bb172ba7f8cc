"""Two models are related through an offer: each hears what the other says, and each ends with the other."""

from __future__ import annotations

import dataclasses

import pytest
import simulation
from simulation import REL, Done, World

from jujulet.core import context, crossmodel, model, requests


class Pair:
    """An offering and a consuming model under one controller."""

    def __init__(self) -> None:
        self.there, self.here = World(), World(seed=1)
        self.here.model = dataclasses.replace(
            self.here.model, uuid='5a0c5a0c-0000-4000-8000-0000005a0c00'
        )
        self.there.deploy(
            simulation.a_charm('sql', REL('db', 'provider', 'sql')), script=self.speak
        )
        self.here.deploy(simulation.a_charm('web', REL('db', 'requirer', 'sql')), num_units=2)
        self.there.ask(requests.AddOffer(application='sql', endpoints=('db',), name='o'))
        end = model.Endpoint('mine', 'db', 'provider', 'sql')
        remote = model.RemoteApplication('mine', 'admin/t.o', (end,), self.there.model.uuid, 'sql')
        self.here.ask(requests.AddRemote(remote=remote))
        self.here.integrate('web', 'mine')
        self.settle()

    @staticmethod
    def speak(now: model.Model, found: context.Context) -> Done:
        mine = {
            rid: {'k': found.hook.kind}
            for rid, r in now.relations.items()
            if found.unit in r.units
        }
        return Done(context.Writes(unit_settings=mine, application_settings=mine))

    def carry(self) -> bool:
        here, there = crossmodel.synchronise(self.here.model, self.there.model, self.here.now)
        if here is self.here.model and there is self.there.model:
            return False
        self.here.set(here)
        self.there.set(there)
        return True

    def settle(self) -> None:
        for _ in range(50):
            self.here.settle()
            self.there.settle()
            if not self.carry() and not self.here.due() and not self.there.due():
                return
        raise AssertionError('the two never rest')


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_each_side_joins_the_units_of_the_other(pair: Pair):
    name = crossmodel.stand_in(pair.here.model.uuid, 'web')
    assert 'db-relation-joined mine/0' in pair.here.hooks_run('web/0')
    joined = {t for t in pair.there.hooks_run('sql/0') if 'joined' in t}
    assert joined == {f'db-relation-joined {name}/{n}' for n in (0, 1)}


def test_settings_are_carried_across(pair: Pair):
    relation = next(iter(pair.here.model.relations.values()))
    assert relation.units['mine/0'].data['k']
    assert relation.units['mine/0'].data['ingress-address'] == '10.9.0.10'
    assert relation.applications['mine'].data['k']


def test_nothing_is_carried_twice(pair: Pair):
    assert pair.carry() is False


def test_a_unit_that_goes_departs_on_the_other_side(pair: Pair):
    pair.there.trace.clear()
    pair.here.ask(requests.RemoveUnit(units=('web/0',)))
    pair.settle()
    name = crossmodel.stand_in(pair.here.model.uuid, 'web')
    assert f'db-relation-departed {name}/0' in pair.there.hooks_run('sql/0')


@pytest.mark.parametrize('side', ['here', 'there'])
def test_a_relation_that_ends_on_one_side_ends_on_both(pair: Pair, side: str):
    world = pair.here if side == 'here' else pair.there
    rid = next(iter(world.model.relations))
    world.ask(requests.RemoveRelation(id=rid))
    pair.settle()
    assert not pair.here.model.relations
    assert not pair.there.model.relations
    assert not pair.there.model.remotes
    assert pair.here.names('web/0')[-1] == pair.there.names('sql/0')[-1] == 'db-relation-broken'


@pytest.mark.parametrize('side', ['here', 'there'])
def test_the_other_side_hears_at_once_that_a_relation_ends(pair: Pair, side: str):
    world, other = (pair.here, pair.there) if side == 'here' else (pair.there, pair.here)
    world.ask(requests.RemoveRelation(id=next(iter(world.model.relations))))
    pair.carry()
    assert [r.life for r in other.model.relations.values()] == ['dying']


def test_it_can_be_related_again(pair: Pair):
    pair.here.ask(requests.RemoveRelation(a='web', b='mine'))
    pair.settle()
    pair.here.trace.clear()
    pair.here.integrate('web', 'mine')
    pair.settle()
    assert 'db-relation-joined mine/0' in pair.here.hooks_run('web/0')


def test_a_suspended_relation_is_broken_and_resumes(pair: Pair):
    rid = next(iter(pair.there.model.relations))
    pair.here.trace.clear()
    pair.there.ask(requests.SuspendRelation(ids=(rid,)))
    pair.settle()
    assert pair.here.hooks_run('web/0') == ['db-relation-departed mine/0', 'db-relation-broken']
    pair.here.trace.clear()
    pair.there.ask(requests.SuspendRelation(ids=(rid,), resume=True))
    pair.settle()
    told = pair.here.hooks_run('web/0')
    assert 'db-relation-joined mine/0' in told
    assert 'db-relation-created' not in told


def test_an_application_that_is_offered_and_used_is_kept(pair: Pair):
    with pytest.raises(model.Refused, match='application is used by 1 offer'):
        pair.there.ask(requests.RemoveApplication(applications=('sql',)))
    with pytest.raises(model.Refused, match='offer has 1 relation'):
        pair.there.ask(requests.RemoveOffer(name='o'))


def test_a_model_that_is_gone_breaks_its_relations(pair: Pair):
    pair.here.set(
        crossmodel.without_offerer(pair.here.model, pair.there.model.uuid, pair.here.now)
    )
    pair.here.settle()
    assert not pair.here.model.relations
    pair.there.set(
        crossmodel.without_consumer(pair.there.model, pair.here.model.uuid, pair.there.now)
    )
    pair.there.settle()
    assert not pair.there.model.remotes


def test_removing_the_alias_ends_the_relation_and_the_alias(pair: Pair):
    pair.here.ask(requests.RemoveRemote(name='mine'))
    pair.settle()
    assert not pair.here.model.remotes
    assert not pair.there.model.relations
