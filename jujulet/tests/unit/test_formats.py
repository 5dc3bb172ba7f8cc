"""Output in Go's styles."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jujulet.core import formats

TEXT = st.text(alphabet=st.characters(exclude_categories=['Cs', 'Cc']), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ('value', 'smart', 'yaml_', 'json_'),
    [
        (None, '', '', 'null\n'),
        ('text', 'text\n', 'text\n', '"text"\n'),
        ('', '\n', '""\n', '""\n'),
        ('12', '12\n', '"12"\n', '"12"\n'),
        ('yes', 'yes\n', '"yes"\n', '"yes"\n'),
        (True, 'True\n', 'true\n', 'true\n'),
        (3, '3\n', '3\n', '3\n'),
        (0.5, '0.5\n', '0.5\n', '0.5\n'),
        (1e21, '1000000000000000000000\n', '1.0e+21\n', '1e+21\n'),
        ([], '', '[]\n', '[]\n'),
        (['a', 'b'], 'a\nb\n', '- a\n- b\n', '["a","b"]\n'),
        ({}, '{}\n', '{}\n', '{}\n'),
        ({'b': 1, 'a': 'x'}, 'a: x\nb: 1\n', 'a: x\nb: 1\n', '{"a":"x","b":1}\n'),
        ({'a': 'l1\nl2'}, 'a: |-\n  l1\n  l2\n', 'a: |-\n  l1\n  l2\n', '{"a":"l1\\nl2"}\n'),
        ('<é&>', '<é&>\n', '<é&>\n', '"\\u003cé\\u0026\\u003e"\n'),
    ],
)
def test_a_value_in_each_format(value: Any, smart: str, yaml_: str, json_: str) -> None:
    assert formats.render(value, 'smart') == smart
    assert formats.render(value, 'yaml') == yaml_
    assert formats.render(value, 'json') == json_


@given(VALUES)
def test_json_and_yaml_read_back_as_what_was_written(value: Any) -> None:
    assert json.loads(formats.render(value, 'json')) == value
    assert yaml.safe_load(formats.render(value, 'yaml')) == value


def test_bytes_that_are_no_utf8_do_not_stop_the_output() -> None:
    value = b'\xffab'.decode('utf-8', 'surrogateescape')
    for style in formats.SMART:
        assert '\ufffd' in formats.render({'k': value}, style)
