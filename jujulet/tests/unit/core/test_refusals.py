"""What cannot be is refused with Juju's words, and nothing is half done."""

from __future__ import annotations

import dataclasses
import typing

import pytest
import simulation
from simulation import REL, World

from jujulet.core import change, charm, model, requests

SQL = REL('db', 'provider', 'sql')
LIMITED = REL('one', 'requirer', 'sql', limit=1)
WANTS = REL('db', 'requirer', 'sql')
MORE = REL('more', 'requirer', 'sql')
HOST = REL('host', 'requirer', 'juju-info', 'container')
ACTION = charm.Action(
    'do', parameters={'n': {'type': 'integer', 'default': 3}, 'must': {}}, required=('must',)
)


@pytest.fixture
def world(settled: World) -> World:
    return settled.copy()


@pytest.fixture(scope='module')
def settled() -> World:
    world = World()
    world.deploy(
        simulation.a_charm(
            'a', WANTS, MORE, actions={'do': ACTION}, resources={'r': charm.ResourceMeta('r')}
        )
    )
    world.deploy(simulation.a_charm('b', SQL))
    world.deploy(simulation.a_charm('c', SQL))
    world.deploy(simulation.a_charm('one', LIMITED))
    world.deploy(simulation.a_charm('s', HOST, subordinate=True))
    world.deploy(simulation.a_charm('alien', REL('x', 'requirer', 'other')))
    world.integrate('a:db', 'b')
    world.integrate('one', 'b')
    world.settle()
    return world


NO_FILE = model.Resource('zz', '', '', 0)
DEPLOY = requests.Deploy
CASES = [
    (DEPLOY(charm='local:a-0'), 'cannot add application "a": application "a" already exists'),
    (DEPLOY(charm='local:zz-0'), 'charm "local:zz-0" not found'),
    (DEPLOY(charm='local:a-0', application='X'), 'invalid application name "X"'),
    (DEPLOY(charm='local:a-0', application='n', options={'zz': 1}), 'unknown option "zz"'),
    (DEPLOY(charm='local:a-0', application='n', options={'level': 'x'}), 'option "level" expected int, got "x"'),
    (DEPLOY(charm='local:a-0', application='n', base='ubuntu@20.04'), 'base "ubuntu@20.04" not supported'),
    (DEPLOY(charm='local:a-0', application='n', bindings={'zz': 'alpha'}), 'endpoint "zz" not found'),
    (DEPLOY(charm='local:a-0', application='n', bindings={'': 'dmz'}), 'space "dmz" not found'),
    (DEPLOY(charm='local:a-0', application='n', constraints={'spaces': ['dmz']}), 'space "dmz" not found'),
    (DEPLOY(charm='local:a-0', application='n', to=('99',)), 'machine 99 not found'),
    (DEPLOY(charm='local:a-0', application='n', to=('0', '1')), 'too many placement directives'),
    (DEPLOY(charm='local:a-0', application='n', storage={'zz': ''}), 'has no store called "zz"'),
    (DEPLOY(charm='local:a-0', application='n', resources={'zz': NO_FILE}), 'unrecognized resource "zz"'),
    (DEPLOY(charm='local:s-0', application='n', to=('0',)), 'cannot use --to with a subordinate'),
    (requests.AddUnit(application='zz'), 'application "zz" not found'),
    (requests.AddUnit(application='s'), 'cannot add unit to a subordinate application directly'),
    (requests.RemoveUnit(units=('zz/0',)), 'removing unit zz/0 failed: unit "zz/0" does not exist'),
    (requests.RemoveApplication(applications=('zz',)), 'removing application zz failed: application "zz" not found'),
    (requests.Integrate(a='a', b='zz'), 'application "zz" not found'),
    (requests.Integrate(a='a:zz', b='b'), 'application "a" has no "zz" relation'),
    (requests.Integrate(a='a', b='alien'), 'no relations found'),
    (requests.Integrate(a='a', b='c'), 'ambiguous relation: "a c" could refer to "a:db c:db"; "a:more c:db"'),
    (requests.Integrate(a='a:db', b='b'), 'cannot add relation "a:db b:db": relation a:db b:db already exists'),
    (requests.Integrate(a='one', b='c'), 'a new relation for one:one would exceed its maximum relation limit of 1'),
    (requests.RemoveRelation(a='a', b='c'), 'ambiguous relation'),
    (requests.RemoveRelation(a='a:db', b='c'), 'relation "a:db c:db" not found'),
    (requests.RemoveRelation(id=99), 'relation 99 not found'),
    (requests.SetConfig(application='zz'), 'application "zz" not found'),
    (requests.SetApplicationBase(application='zz', base='debian@13'), 'application "zz" not found'),
    (requests.SetConfig(application='a', options={'zz': 1}), 'unknown option "zz"'),
    (requests.SetConfig(application='a', reset=('zz',)), 'unknown option "zz"'),
    (requests.SetModelConfig(options={'update-status-hook-interval': 'soon'}), 'invalid duration "soon"'),
    (requests.SetModelConfig(options={'update-status-hook-interval': '1ms'}), 'cannot be less than'),
    (requests.SetModelConfig(options={'automatically-retry-hooks': 'maybe'}), 'expected bool'),
    (requests.SetModelConfig(options={'default-base': 'beos'}), 'invalid default base'),
    (requests.SetModelConfig(options={'default-base': 'debain@12'}), 'base "debain@12" is not known'),
    (requests.SetModelConfig(options={'uuid': 'x'}), 'cannot be changed'),
    (requests.Refresh(application='zz', charm='local:a-0'), 'application "zz" not found'),
    (requests.Refresh(application='a', charm='local:b-0'), 'would change the charm from "a" to "b"'),
    (requests.AttachResource(application='a', resource=NO_FILE), 'resource "zz" not found'),
    (requests.Bind(application='a', bindings={'db': 'dmz'}), 'space "dmz" not found'),
    (requests.AddSpace(name='alpha', cidrs=('10.1.0.0/24',)), 'space "alpha" already exists'),
    (requests.AddSpace(name='dmz', cidrs=('10.9.0.128/25',)), 'overlaps "10.9.0.0/24" of space "alpha"'),
    (requests.AddSpace(name='dmz', cidrs=('nonsense',)), 'is not a valid CIDR'),
    (requests.RemoveSpace(name='zz'), 'space "zz" not found'),
    (requests.RemoveSpace(name='alpha'), 'default space cannot be removed'),
    (requests.RemoveMachine(machines=('99',)), 'removing machine 99 failed: machine 99 not found'),
    (requests.RemoveMachine(machines=('0',)), 'removing machine 0 failed: machine 0 has unit "a/0" assigned'),
    (requests.Run(receivers=('zz/0',), action='do'), 'failed to schedule any tasks:'),
    (requests.Run(receivers=('a/0',), action='zz'), 'failed to schedule any tasks:'),
    (requests.Run(receivers=('a/0',), action='do'), r'\(root\) : "must" property is missing'),
    (requests.Run(receivers=('a/0',), action='do', parameters={'must': 1, 'n': 'x'}), r'must be of type integer'),
    (requests.Exec(command='x', units=('zz/0',)), 'failed to schedule any tasks:'),
    (requests.CancelTask(ids=('99',)), 'task "99" not found'),
    (requests.Resolved(units=('a/0',)), 'is not in an error state'),
    (requests.AddStorage(unit='a/0', name='zz'), 'charm storage "zz" not found'),
    (requests.RemoveStorage(ids=('zz/0',)), 'storage "zz/0" not found'),
    (requests.UpdateSecret(id='zz'), 'secret "zz" not found'),
    (requests.AddOffer(application='a', endpoints=('zz',)), 'application "a" has no "zz" relation'),
    (requests.RemoveOffer(name='zz'), 'offer "zz" not found'),
    (requests.RemoveRemote(name='zz'), 'saas application "zz" not found'),
]  # fmt: skip


@pytest.mark.parametrize(('request_', 'text'), CASES, ids=lambda v: str(v)[:60].replace('\\', ''))
def test_it_is_refused_in_juju_s_words(world: World, request_: requests.Request, text: str):
    before = world.model
    with pytest.raises(model.Refused, match=text):
        world.ask(request_)
    assert world.model is before


def test_what_fails_to_schedule_is_no_failure_of_the_command(world: World):
    with pytest.raises(model.Refused) as caught:
        world.ask(requests.Run(receivers=('zz/0',), action='do'))
    assert caught.value.code == 0


def test_a_subordinate_is_removed_by_its_relation_only(world: World):
    world.integrate('s:host', 'a')
    world.settle()
    with pytest.raises(model.Refused, match='is a subordinate, to remove use remove-relation'):
        world.ask(requests.RemoveUnit(units=('s/0',)))


def test_nothing_is_added_to_a_model_that_is_going(world: World):
    world.ask(requests.DestroyModel())
    with pytest.raises(model.Refused, match='no longer alive'):
        world.ask(requests.Deploy(charm='local:a-0', application='n'))


def test_an_action_gets_the_defaults_of_its_schema(world: World):
    task = world.ask(requests.Run(receivers=('a/0',), action='do', parameters={'must': 1}))
    found = world.model.tasks[task['tasks']['a/0']]
    assert found.parameters == {'must': 1, 'n': 3}


def test_options_get_the_type_of_their_declaration(world: World):
    world.ask(requests.SetConfig(application='a', options={'level': '7', 'text': '9'}))
    assert world.model.applications['a'].options == {'level': 7, 'text': '9'}
    world.ask(requests.SetConfig(application='a', reset=('level',)))
    assert world.model.applications['a'].options == {'text': '9'}


def test_the_same_charm_has_the_same_url_and_another_the_next(world: World):
    again = world.ask(requests.AddCharm(charm=simulation.a_charm('b', SQL)))
    other = world.ask(requests.AddCharm(charm=simulation.a_charm('b', SQL, digest='2')))
    assert (again['url'], other['url']) == ('local:b-0', 'local:b-1')


def test_every_request_has_a_verb():
    assert set(change.VERBS) == set(typing.get_args(requests.Request))


def test_principal_and_subordinate_share_a_base(world: World):
    """What counts is what the charms support: a subordinate is on its principal's machine, whatever its own base."""
    noble = (charm.Base('ubuntu', '24.04'),)
    other = simulation.a_charm('other', HOST, subordinate=True)
    world.deploy(other, base='debian@13')
    world.integrate('other:host', 'a')
    world.settle()
    assert world.model.units['other/0'].machine == world.model.units['a/0'].machine
    alone = simulation.a_charm('alone', HOST, subordinate=True)
    world.deploy(dataclasses.replace(alone, bases=noble))
    jammy = dataclasses.replace(
        simulation.a_charm('jammy'), bases=(charm.Base('ubuntu', '22.04'),)
    )
    world.deploy(jammy, num_units=0)
    with pytest.raises(
        model.Refused, match=r"principal and subordinate applications' bases must match$"
    ):
        world.integrate('alone:host', 'jammy')


def test_a_container_relation_needs_a_subordinate(world: World):
    world.deploy(simulation.a_charm('near', REL('host', 'requirer', 'juju-info', 'container')))
    with pytest.raises(model.Refused, match='requires at least one subordinate application'):
        world.integrate('near:host', 'a')


def test_a_refresh_that_would_break_a_relation_is_refused(world: World):
    bare = world.ask(requests.AddCharm(charm=simulation.a_charm('a', MORE, digest='bare')))
    with pytest.raises(model.Refused, match='would break relation "b:db a:db"'):
        world.ask(requests.Refresh(application='a', charm=bare['url']))


@pytest.mark.parametrize(
    'changed',
    [
        REL('db', 'requirer', 'sql'),
        REL('db', 'provider', 'other'),
        REL('db', 'provider', 'sql', 'container'),
    ],
)
def test_a_refresh_that_turns_an_endpoint_in_use_into_another_is_refused(
    world: World, changed: charm.RelationMeta
):
    url = world.ask(requests.AddCharm(charm=simulation.a_charm('b', changed, digest='x')))['url']
    with pytest.raises(model.Refused, match='would break relation "b:db a:db"'):
        world.ask(requests.Refresh(application='b', charm=url))


def test_a_refresh_binds_endpoints_or_says_why_not(world: World):
    more = simulation.a_charm('b', SQL, REL('new', 'provider', 'x'), digest='more')
    url = world.ask(requests.AddCharm(charm=more))['url']
    refresh = requests.Refresh(application='b', charm=url, bindings={'nosuch': 'alpha'})
    with pytest.raises(model.Refused, match='endpoint "nosuch" not found'):
        world.ask(refresh)
    world.ask(requests.AddSpace(name='dmz', cidrs=('10.77.0.0/24',)))
    with pytest.raises(model.Refused, match='which is not in space "dmz"'):
        world.ask(dataclasses.replace(refresh, bindings={'new': 'dmz'}))
    assert world.model.applications['b'].charm != url
    world.ask(dataclasses.replace(refresh, bindings={'new': 'alpha'}))
    assert world.model.applications['b'].bindings == {'': 'alpha', 'new': 'alpha'}


def test_a_refresh_drops_options_that_the_new_charm_has_not(world: World):
    world.ask(requests.SetConfig(application='b', options={'level': 3, 'text': 'x'}))
    fewer = simulation.a_charm('b', SQL, digest='fewer')
    fewer = dataclasses.replace(fewer, options={'text': fewer.options['text']})
    url = world.ask(requests.AddCharm(charm=fewer))['url']
    world.ask(requests.Refresh(application='b', charm=url))
    assert world.model.applications['b'].options == {'text': 'x'}


def test_a_new_peer_endpoint_of_a_refreshed_charm_becomes_a_relation(world: World):
    more = simulation.a_charm('b', SQL, REL('p', 'peer', 'peers'), digest='more')
    url = world.ask(requests.AddCharm(charm=more))['url']
    world.trace.clear()
    world.ask(requests.Refresh(application='b', charm=url))
    world.settle()
    assert world.names('b/0') == ['upgrade-charm', 'config-changed', 'p-relation-created']
