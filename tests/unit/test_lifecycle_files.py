"""What each charm says of its upgrade: it is up to date, it is shipped, and all of them have one order."""

from __future__ import annotations

import graphlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from charmkit import declaration, generate, migration, rehearsal

from jujulet.charmdir import layout, source
from jujulet.core import bases
from lifecycle import waiting
from tests import quick_yaml

from . import charm_at_work as work

ROOT = pathlib.Path(__file__).parents[2] / 'charms'
FOLDERS = sorted(path.parent for path in ROOT.glob('*/charmcraft.yaml'))
WAYS = {'replace', 'in-place', 'own', 'stay'}
SHAPE: Mapping[str, type] = {
    'version': int, 'provides': list, 'after': list, 'way': str, 'ways': list, 'releases': dict, 'actions': dict,
    'behind': list, 'may-not-mix': list,
}  # fmt: skip
PURPOSES = {
    *('rehearse', 'expand', 'contract', 'online', 'drain', 'admit', 'upgrade', 'backup', 'switch')
}
BEFORE = (
    *(('mysql', 'keystone'), ('rabbitmq-server', 'keystone'), ('keystone', 'glance'), ('glance', 'placement')),
    *(('placement', 'cinder'), ('cinder', 'neutron-api'), ('neutron-api', 'nova-cloud-controller')),
    *(('nova-cloud-controller', 'heat'), ('heat', 'openstack-dashboard'), ('nova-cloud-controller', 'nova-compute')),
    *(('neutron-api', 'neutron-gateway'), ('neutron-api', 'neutron-openvswitch'), ('cinder', 'cinder-lvm')),
)  # fmt: skip
"""What was seen to work between Zed and 2025.1: before, then."""


def said(folder: pathlib.Path) -> dict[str, Any]:
    return quick_yaml.read((folder / declaration.FILE).read_text())


def wrong(folder: pathlib.Path, text: Mapping[str, Any]) -> Iterator[str]:
    """What a tool could not read, or would ask the charm for in vain."""
    needed: Mapping[str, str] = text.get('mix-needs', {})
    if {*text} - {'mix-needs', 'holds', 'own-units', 'own-shrinks'} != {*SHAPE}:
        yield f'its keys are {[*text]}'
        return
    yield from (f'{k} is not a {t.__name__}' for k, t in SHAPE.items() if type(text[k]) is not t)
    meta = quick_yaml.read((folder / 'charmcraft.yaml').read_text())
    if text['version'] != declaration.VERSION:
        yield f'version {text["version"]}'
    if text['way'] not in text['ways'] or not {*text['ways']} <= WAYS:
        yield f'way {text["way"]}, of {text["ways"]}'
    if (text['way'] == 'stay') != bool(meta.get('subordinate')):
        yield 'a subordinate alone stays'
    if not {*text['actions']} <= PURPOSES:
        yield f'actions for {[*text["actions"]]}'
    yield from (
        f'no action {a}' for a in text['actions'].values() if a not in meta.get('actions', {})
    )
    if not {*text.get('holds', {})} <= {'admit', 'switch'}:
        yield f'holds clients for {[*text["holds"]]}'
    relations = {**meta.get('provides', {}), **meta.get('requires', {})}
    yield from (f'no relation {r}' for r in (*text['behind'], *needed) if r not in relations)
    words = (
        text['releases'].values(),
        text['provides'],
        text['after'],
        text['may-not-mix'],
        needed.values(),
    )
    yield from (f'{w!r} is no text' for some in words for w in some if not isinstance(w, str))


def moves(every: Mapping[str, Mapping[str, Any]], there: set[str]) -> tuple[str, ...]:
    """The charms that are *there* in an order that all of them bear. Raises graphlib.CycleError."""
    makers: dict[str, set[str]] = {}
    for name in there:
        for word in every[name]['provides']:
            makers.setdefault(word, set()).add(name)
    graph = {n: {m for w in every[n]['after'] for m in makers.get(w, ())} for n in sorted(there)}
    return tuple(graphlib.TopologicalSorter(graph).static_order())


EVERY = {folder.name: said(folder) for folder in FOLDERS}


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda path: path.name)
def test_a_charm_says_what_a_tool_can_read(folder: pathlib.Path):
    assert [*wrong(folder, EVERY[folder.name])] == []


@pytest.mark.parametrize('folder', FOLDERS, ids=lambda path: path.name)
def test_it_is_shipped_with_the_charm(folder: pathlib.Path):
    found = layout.entries(source.find(folder), bases.parse('debian@12'))
    assert declaration.FILE in found


@pytest.mark.parametrize('folder', work.api_charms(ROOT), ids=lambda folder: folder.name)
def test_a_rehearsal_ends_before_it_is_given_up(folder: work.Folder):
    """Otherwise a second one would be asked for while the first goes on."""
    with work.loaded(folder) as charm:
        commands = charm.spec.migrations
    every = (commands.expand or commands.sync, commands.online, commands.contract)
    steps = [step for kind in every if not callable(kind) for step in kind]
    longest = rehearsal.COPY_S + sum(c.timeout_s for c in migration.run(steps, 'root', ''))
    assert steps
    assert longest < waiting.LIMITS_S['rehearse']


def test_what_is_generated_is_up_to_date():
    assert [*map(str, generate.stale(FOLDERS))] == []


@pytest.mark.parametrize(
    ('key', 'value', 'complaint'),
    [
        ('version', 2, 'version 2'),
        ('way', 'own', "way own, of ['replace', 'in-place']"),
        ('after', 'database', 'after is not a list'),
        ('actions', {'expand': 'db-grow'}, 'no action db-grow'),
        ('actions', {'shrink': 'pause'}, "actions for ['shrink']"),
        ('behind', ['backend'], 'no relation backend'),
        ('releases', {'debian@12': 10.11}, '10.11 is no text'),
    ],
)
def test_a_file_that_is_wrong_is_caught(key: str, value: Any, complaint: str):
    assert complaint in [*wrong(ROOT / 'keystone', {**EVERY['keystone'], key: value})]


def test_all_of_them_together_have_an_order():
    order = moves(EVERY, {*EVERY})
    assert {*order} == {*EVERY}
    for before, then in BEFORE:
        assert order.index(before) < order.index(then), f'{before} before {then}'


@pytest.mark.parametrize('away', sorted(EVERY))
def test_the_order_is_the_same_when_one_of_them_is_not_there(away: str):
    order = moves(EVERY, {*EVERY} - {away})
    chain = [then for _, then in BEFORE[2:9] if then != away]
    assert [name for name in order if name in chain] == chain


def test_charms_that_wait_for_one_another_are_caught():
    circle = {**EVERY, 'glance': {**EVERY['glance'], 'after': ['dashboard']}}
    with pytest.raises(graphlib.CycleError):
        moves(circle, {*circle})
