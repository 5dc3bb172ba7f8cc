"""Each charm's folder is a project that Charmcraft takes, and the charms are alike where they are.

``charmcraft-4.5.0.schema.json`` is Charmcraft's own: ``PlatformCharm.model_json_schema()`` of
``charmcraft.models.project``, version 4.5.0.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import jsonschema
import pytest

from charms import conftest as shared
from tests import quick_yaml

SCHEMA = json.loads((pathlib.Path(__file__).parent / 'charmcraft-4.5.0.schema.json').read_text())
NAMES = sorted(path.parent.name for path in shared.CHARMS.glob('*/charmcraft.yaml'))
API_CHARMS = [
    name for name in NAMES if 'ApiCharm' in (shared.CHARMS / name / 'src' / 'charm.py').read_text()
]


def project(name: str) -> dict[str, Any]:
    return quick_yaml.load((shared.CHARMS / name / 'charmcraft.yaml').read_text())


def problems(given: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [str(e.message) for e in validator.iter_errors(given)]  # pyright: ignore


@pytest.mark.parametrize('name', NAMES)
def test_charmcraft_takes_it(name: str):
    assert problems(project(name)) == []


def test_the_schema_would_refuse_another():
    assert problems({**project('placement'), 'parts': 'none'})
    assert problems({k: v for k, v in project('placement').items() if k != 'summary'})


@pytest.mark.parametrize('name', NAMES)
def test_it_is_packed_with_charmkit_in_it(name: str):
    part = project(name)['parts']['charm']
    assert part['plugin'] == 'uv'
    assert part['source-subdir'] == f'charms/{name}'
    pyproject = (shared.CHARMS / name / 'pyproject.toml').read_text()
    assert 'charmkit = { path = "../../charmkit" }' in pyproject


@pytest.mark.parametrize('name', API_CHARMS)
def test_api_charms_share_their_options_actions_and_endpoints(name: str):
    given, model = project(name), project('placement')
    for theirs, alike in (
        (given['config']['options'], model['config']['options']),
        (given['actions'], model['actions']),
        (given['provides'], {k: v for k, v in model['provides'].items() if 'backend' in k}),
    ):
        assert {key: _plain(theirs.get(key)) for key in alike} == {
            key: _plain(value) for key, value in alike.items()
        }
    assert given['extra-bindings'] == model['extra-bindings']


def _plain(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Without its description: that may say more of one service."""
    return value and {k: v for k, v in value.items() if k != 'description'}


@pytest.mark.parametrize(('name', 'most'), [('placement', 60), ('keystone', 200)])
def test_a_charm_is_a_page(name: str, most: int):
    lines = (shared.CHARMS / name / 'src' / 'charm.py').read_text().splitlines()
    assert len(lines) <= most
