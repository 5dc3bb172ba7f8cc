"""Values of options are what Juju takes them for, and are refused where it refuses them, in its words.

Source: ``ParseSettingsStrings``, ``ParseSettingsYAML`` and ``validate`` of internal/charm/config.go, and what
github.com/juju/schema checks: it takes no number for a text and no whole number for a float.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import simulation

from jujulet.core import charm, options, requests
from jujulet.core.model import Refused


def option(kind: str) -> charm.Option:
    return charm.Option('x', kind)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ('kind', 'value', 'typed'),
    [
        ('string', '1.10', '1.10'),
        ('string', '', ''),
        ('string', 'on', 'on'),
        ('int', '010', 10),
        ('int', '+5', 5),
        ('int', '-9223372036854775808', -(2**63)),
        ('int', 8, 8),
        ('float', '1', 1.0),
        ('float', '1e3', 1000.0),
        ('float', '.5', 0.5),
        ('float', 1.5, 1.5),
        ('boolean', 'T', True),
        ('boolean', '0', False),
        ('boolean', True, True),
        ('secret', 'secret:9m4e2mr0ui3e8a215n4g', 'secret:9m4e2mr0ui3e8a215n4g'),
        ('secret', '', ''),
        *((kind, None, None) for kind in ('string', 'int', 'float', 'boolean', 'secret')),
    ],
)
def test_a_value_has_its_options_type(kind: str, value: Any, typed: Any):
    found = options.typed(option(kind), value)
    assert found == typed
    assert type(found) is type(typed)


@pytest.mark.parametrize(
    ('kind', 'value', 'got'),
    [
        ('string', 1.1, '1.1'),
        ('string', 8, '8'),
        ('string', True, 'true'),
        ('string', [1, 'a'], '[]interface {}{1, "a"}'),
        ('string', {'a': 1}, 'map[interface {}]interface {}{"a":1}'),
        ('int', '', '""'),
        ('int', ' 5', '" 5"'),
        ('int', '1_000', '"1_000"'),
        ('int', '9223372036854775808', '"9223372036854775808"'),
        ('int', 2**63, '9223372036854775808'),
        ('int', 1.0, '1'),
        ('int', True, 'true'),
        ('float', 1, '1'),
        ('float', 'Infinity', '"Infinity"'),
        ('float', 'nan', '"nan"'),
        ('float', '1e999', '"1e999"'),
        ('float', math.inf, '+Inf'),
        ('boolean', 'yes', '"yes"'),
        ('boolean', 'on', '"on"'),
        ('boolean', ' true', '" true"'),
        ('boolean', 1, '1'),
        ('secret', 'password', '"password"'),
        ('secret', 5, '5'),
    ],
)
def test_another_value_is_refused_in_jujus_words(kind: str, value: Any, got: str):
    with pytest.raises(Refused) as refused:
        options.typed(option(kind), value)
    assert str(refused.value) == f'option "x" expected {kind}, got {got}'


def test_null_gives_an_option_its_default_again(world: simulation.World):
    a = simulation.a_charm('a')
    world.deploy(a, options={'text': 'hi'})
    assert world.model.applications['a'].options == {'text': 'hi'}
    world.ask(requests.SetConfig(application='a', options={'text': None}))
    assert world.model.applications['a'].options == {}
    world.deploy(a, application='b', options={'text': None})
    assert world.model.applications['b'].options == {}
