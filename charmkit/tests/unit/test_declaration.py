"""What a charm says of its upgrade follows from its spec, and reads as it was meant."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import charmkit
import pytest
import yaml
from charmkit import declaration, generate, keystone, migration, mysql
from hypothesis import given
from hypothesis import strategies as st

APP = charmkit.WsgiApp('demo-api', '/usr/bin/demo-api', 9999, type='demo')
SPEC = charmkit.ServiceSpec(
    name='demo', user='demo', packages=('demo-api',), needs=(mysql.need('demo'),), apps=(APP,)
)


def said(subordinate: bool = False, agent: bool = False, **fields: Any) -> dict[str, Any]:
    class Api(charmkit.ApiCharm):
        spec = dataclasses.replace(SPEC, **fields)

    class Agent(charmkit.AgentCharm):
        spec = dataclasses.replace(SPEC, apps=(), **fields)

    charm = Agent if agent else Api
    whole = generate.declaration_of(charm, subordinate=subordinate)
    return yaml.safe_load(declaration.render(whole))


def test_an_api_is_replaced_unit_by_unit_behind_its_load_balancers():
    assert said() == {
        'version': 1,
        'provides': ['demo'],
        'after': ['database', 'message-queue'],
        'way': 'replace',
        'ways': ['replace', 'in-place'],
        'releases': {'debian@12': 'zed', 'ubuntu@24.04': 'caracal', 'debian@13': 'epoxy'},
        'actions': {'drain': 'pause', 'admit': 'resume', 'upgrade': 'openstack-upgrade'},
        'behind': ['public-backend', 'internal-backend', 'admin-backend'],
        'may-not-mix': [],
    }


def test_one_that_is_for_some_bases_alone_names_no_other():
    some = charmkit.Declaration(bases=('debian@12',))
    assert said(lifecycle=some)['releases'] == {'debian@12': 'zed'}


def test_one_with_a_database_has_the_actions_that_its_migrations_need():
    none, some = (
        said(migrations=migration.Commands(sync=('a',), contract=c))['actions']
        for c in ((), ('b',))
    )
    assert none['expand'] == some['expand'] == 'db-expand'
    assert 'contract' not in none
    assert some['contract'] == 'db-contract'


def test_a_migration_that_one_release_alone_has_counts():
    only = {'epoxy': {'migrations': migration.Commands(sync=('a',), contract=('b',))}}
    assert said(by_release=only)['actions']['contract'] == 'db-contract'


def test_who_asks_keystone_is_moved_after_it():
    needs = (mysql.need('demo'), keystone.need('demo'))
    declared = charmkit.Declaration(after=('image', 'identity'))
    assert said(needs=needs, lifecycle=declared)['after'] == [
        *('database', 'message-queue', 'identity', 'image'),
    ]


def test_a_subordinate_goes_with_its_principal():
    there = said(subordinate=True, agent=True)
    assert (there['way'], there['ways'], there['behind']) == ('stay', ['stay'], [])


@given(text=st.text(st.characters(exclude_categories=('C', 'Zl', 'Zp')), max_size=30))
def test_a_word_is_that_word_to_whoever_reads_the_file(text: str):
    whole = declaration.Document(provides=(text,), after=(), ways=('own',), releases={'b@1': text})
    read = yaml.safe_load(declaration.render(whole))
    assert (read['provides'], read['releases']) == ([text], {'b@1': text})


def test_a_long_list_has_a_line_for_each():
    whole = declaration.Document(provides=(), after=('word',) * 30, ways=('own',), releases={})
    text = declaration.render(whole)
    assert '  - word\n' in text
    assert yaml.safe_load(text)['after'] == ['word'] * 30


SOURCE = """\
import charmkit


class Demo(charmkit.{kind}):
    spec = charmkit.ServiceSpec(
        name='d', user='d', packages=('d',), needs=(), apps=(), config={{}})
"""


def folder(there: pathlib.Path, source: str, meta: str) -> pathlib.Path:
    (there / 'src').mkdir()
    (there / 'src/charm.py').write_text(source)
    (there / 'charmcraft.yaml').write_text(meta)
    return there


def test_the_file_is_written_beside_the_charm_and_shipped(tmp_path: pathlib.Path):
    here = folder(tmp_path, SOURCE.format(kind='AgentCharm'), 'name: demo\nsubordinate: true\n')
    assert generate.main(['--check', str(here)]) == 1
    assert not (here / declaration.FILE).exists()
    assert generate.main([str(here)]) == 0
    assert yaml.safe_load((here / declaration.FILE).read_text())['way'] == 'stay'
    assert 'prime: [lifecycle.yaml]' in (here / 'charmcraft.yaml').read_text()
    assert generate.main(['--check', str(here)]) == 0
    (here / declaration.FILE).write_text('version: 1\n')
    assert generate.main(['--check', str(here)]) == 1


@pytest.mark.parametrize('there', [True, False])
def test_a_charm_without_a_spec_has_it_by_hand_or_not_at_all(tmp_path: pathlib.Path, there: bool):
    source = 'import charmkit\n\n\nclass Demo(charmkit.Charm):\n    pass\n'
    here = folder(tmp_path, source, 'name: demo\n')
    if there:
        (here / declaration.FILE).write_text('version: 1\n')
    generate.main([str(here)])
    assert ('prime: [lifecycle.yaml]' in (here / 'charmcraft.yaml').read_text()) == there
    assert (here / declaration.FILE).exists() == there
