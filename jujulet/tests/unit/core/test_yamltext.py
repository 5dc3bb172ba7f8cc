"""YAML is read as Juju's parser reads it."""

from __future__ import annotations

import pytest

from jujulet.charmdir import source
from jujulet.core import charm, yamltext

FLOOD = 'a0: &a0 [x]\n' + ''.join(
    f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 9)}]\n' for n in range(1, 10)
)


def test_keys_are_text_and_values_are_not():
    found = yamltext.load('off: on\n1: 010\n1.10: 1.10\nnull: 2026-01-01\n')
    assert found == {'off': True, '1': 8, '1.10': 1.1, 'null': '2026-01-01'}


def test_merged_keys_are_text_too():
    assert yamltext.load('a: &a {off: 1}\nb:\n  <<: *a\n  on: 2\n')['b'] == {'off': 1, 'on': 2}


def test_aliases_that_make_a_flood_are_refused():
    with pytest.raises(ValueError, match='document contains excessive aliasing'):
        yamltext.load(FLOOD)
    with pytest.raises(charm.Invalid, match=r'metadata\.yaml: .*excessive aliasing'):
        source.load_yaml(FLOOD.encode(), 'metadata.yaml')


def test_some_aliases_are_none():
    assert yamltext.load('a: &a [1, 2]\nb: [*a, *a]\n')['b'] == [[1, 2], [1, 2]]


def test_an_anchor_that_holds_itself_is_refused():
    with pytest.raises(ValueError, match='holds itself'):
        yamltext.load('a: &a [*a]')


@pytest.mark.parametrize('text', ['', '# nothing\n'])
def test_nothing_is_nothing(text: str):
    assert yamltext.load(text) is None


def test_a_mistake_has_its_line():
    with pytest.raises(ValueError, match='line 2'):
        yamltext.load('a: 1\nb: {]\n')


@pytest.mark.parametrize('text', ['[', '{a: ', '- ', '? '])
def test_values_that_lie_too_deep_are_refused_before_anything_goes_there(text: str):
    for many in (101, 100_000):
        deep = text * many
        with pytest.raises(ValueError, match='document has more than 100 levels'):
            yamltext.load(deep)
        with pytest.raises(charm.Invalid, match=r'metadata\.yaml: .*more than 100 levels'):
            source.load_yaml(deep.encode(), 'metadata.yaml')
    assert yamltext.load('[' * 100 + ']' * 100)
