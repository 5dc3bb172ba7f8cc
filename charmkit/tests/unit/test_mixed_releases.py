"""Two releases side by side: each unit says what it runs, and what only one of them bears waits for the other to go."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import api, migration, relations, service, state
from charmkit.relations import running, wire
from charmkit.why import Action, Hook
from hypothesis import given
from hypothesis import strategies as st

ONLINE = migration.Commands(
    sync=('x sync',), expand=('x expand',), online=('x online',), contract=('x contract',)
)
SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('nova-demo',),
    needs=(),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo'),),
    config={},
    migrations=ONLINE,
)
HERE = 31


def inputs(
    *,
    peers: dict[str, str] | None = None,
    rotation: dict[str, Any] | None = None,
    schema: migration.Schema | None = None,
) -> state.Inputs:
    """A unit of epoxy; *peers*: the releases of the others; *rotation*: what its load balancer answers."""
    bag = {'interface-versions': '[1, 2]'}
    if rotation is not None:
        bag['releases'] = json.dumps(rotation)
    balancer = relations.Relation(
        id=5, name='internal-backend', app='lb', app_data=bag, units={}, my_data={}
    )
    said = {u: {'release': r} if r else {} for u, r in (peers or {}).items()}
    done = {migration.KEY: wire.dump(dataclasses.asdict(schema))} if schema else {}
    return state.Inputs(
        site=relations.Site(unit='demo/1', leader=False, address='10.0.0.2'),
        facts=state.Facts(base='debian@13'),
        versions={'nova-demo': '3:31.0.0-1'},
        relations={'internal-backend': (balancer,)},
        peers=done,
        peer_units=said,
    )


def wanted(given_: state.Inputs) -> migration.Schema:
    found = service.schema(SPEC, given_)
    assert found is not None
    return found


EXPANDED = dataclasses.replace(wanted(inputs()), least=26, online=26)
MOVED = dataclasses.replace(EXPANDED, online=HERE)
SAME = {'demo': {'epoxy': ['demo/1', 'demo/2']}}


def refused(name: str, **there: Any) -> str:
    given_: dict[str, Any] = {'schema': EXPANDED, **there}
    return api.run(SPEC, Action(name, id='7'), inputs(**given_)).failure


def test_each_unit_tells_peers_and_load_balancers_what_it_runs():
    said = api.run(SPEC, Hook('config-changed'), inputs(schema=MOVED)).unit_data
    for where in ('peers', 5):
        assert (said[where]['release'], said[where]['base']) == ('epoxy', 'debian@13')


@pytest.mark.parametrize(
    ('there', 'complaint'),
    [
        ({'peers': {'demo/0': 'zed', 'demo/2': 'epoxy'}}, 'demo/0 runs zed'),
        ({'peers': {'demo/0': ''}}, 'demo/0 does not say what it runs'),
        ({'peers': {'demo/0': 'flamingo'}}, 'demo/0 runs flamingo'),
        (
            {'rotation': {'demo': {'zed': ['old/0'], 'epoxy': ['demo/1']}}},
            'lb has old/0 in rotation, which runs zed',
        ),
        (
            {'rotation': {'demo': {'?': ['old/0']}}},
            'lb has old/0 in rotation, which does not say what it runs',
        ),
    ],
)
@pytest.mark.parametrize('name', ['db-online', 'db-contract'])
def test_what_one_release_alone_bears_waits_while_another_is_there(
    name: str, there: dict[str, Any], complaint: str
):
    said = refused(name, **{'schema': MOVED, **there})
    assert said == f'not all units run epoxy: {complaint}'
    assert refused('db-expand', **there) == ''


@pytest.mark.parametrize(
    'there',
    [
        {'peers': {'demo/2': 'epoxy'}, 'rotation': SAME},
        {'rotation': {**SAME, 'other': {'zed': ['other/0']}}},
        {'rotation': {'demo': {'zed': ['demo/0', 'demo/1']}}},  # It has not heard yet who is gone.
        {},  # A load balancer of a version that knows no releases has no say.
    ],
)
def test_when_all_are_of_one_release_it_is_done(there: dict[str, Any]):
    assert refused('db-online', **there) == ''
    assert refused('db-contract', **{**there, 'schema': MOVED}) == ''
    out = api.run(SPEC, Action('db-contract', id='7'), inputs(**there, schema=MOVED))
    assert [c.name for c in out.host.commands] == ['x contract']
    kept = migration.read(out.unit_data['peers'][migration.KEY])
    assert kept is not None
    assert kept.least == HERE


def test_data_is_moved_before_the_contraction_and_after_the_expansion():
    assert refused('db-contract') == 'run the action db-online first'
    old = dataclasses.replace(EXPANDED, release=26)
    assert refused('db-online', schema=old) == 'run the action db-expand first'
    assert refused('db-contract', schema=old) == 'run the action db-expand first'
    assert refused('db-contract', schema=MOVED) == ''


@pytest.mark.parametrize('name', ['db-expand', 'db-online', 'db-contract'])
def test_a_unit_of_an_older_release_migrates_nothing_any_more(name: str):
    newer = dataclasses.replace(EXPANDED, release=32)
    assert 'a newer release than epoxy' in refused(name, schema=newer)


def test_a_service_without_online_migrations_says_so_and_contracts_at_once():
    spec = dataclasses.replace(SPEC, migrations=dataclasses.replace(ONLINE, online=()))
    there = inputs(schema=EXPANDED)
    assert api.run(spec, Action('db-online', id='7'), there).failure == (
        'demo has no such migration'
    )
    assert api.run(spec, Action('db-contract', id='7'), there).failure == ''


def test_no_hook_is_for_what_load_balancers_know_of_releases():
    desired = api.run(SPEC, Hook('config-changed'), inputs(schema=MOVED))
    assert 'releases' in desired.unheeded['internal-backend']


@given(st.dictionaries(st.sampled_from(['release', 'base']), st.text()))
def test_what_a_unit_says_is_a_word_or_not_known(bag: dict[str, str]):
    runs = running.read(bag)
    for word in (runs.release, runs.base):
        assert word == running.UNKNOWN or (word in bag.values() and len(word) <= 41)


deep = st.recursive(
    st.none() | st.text(), lambda x: st.dictionaries(st.text(), x | st.lists(x)), max_leaves=8
)


@given(st.text() | deep.map(json.dumps))
def test_an_answer_that_is_none_names_nobody(text: str):
    relation = relations.Relation(
        id=5, name='internal-backend', app='lb', app_data={'releases': text}, units={}, my_data={}
    )
    found = running.in_rotation([relation], ['demo'])
    assert {*found} <= {'lb'}
    for by_release in found.get('lb', {}).values():
        assert all(type(unit) is str for units in by_release.values() for unit in units)
