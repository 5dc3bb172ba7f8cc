"""The pages on charmkit name all that there is."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import charmkit
import pytest
from charmkit import options, service

SOURCE = pathlib.Path(charmkit.__file__).parent
ROOT = pathlib.Path(__file__).resolve().parents[3]
REFERENCE = ROOT / 'docs/reference/charmkit.md'


def test_each_module_stands_in_the_readme():
    found = {p.stem for p in SOURCE.glob('*.py')} | {f'{p.name}/' for p in SOURCE.glob('[a-z]*/')}
    text = (ROOT / 'charmkit/README.md').read_text()
    assert {name for name in found - {'__init__'} if f'`{name}`' not in text} == set()


@pytest.mark.parametrize('declared', [service.ServiceSpec, service.WsgiApp, service.Daemon])
def test_each_field_of_a_declaration_stands_in_the_reference(declared: Any):
    table = REFERENCE.read_text().partition(f'## `{declared.__name__}`')[2].partition('\n## ')[0]
    assert [f.name for f in dataclasses.fields(declared) if f'`{f.name}`' not in table] == []


def test_each_option_of_every_api_charm_stands_in_the_reference():
    text = REFERENCE.read_text().partition('## Options')[2].partition('\n## ')[0]
    assert [option.name for option in options.API if f'`{option.name}`' not in text] == []
