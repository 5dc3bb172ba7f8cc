"""What `make up` proposes at its end can be done with what it has deployed."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import pytest
import yaml

from . import pages

# As `make up` runs it: from its own folder.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / 'tools'))
from tools import up

BUNDLES = [
    path
    for path in sorted((pages.ROOT / 'bundles').glob('*.yaml'))
    if 'applications:' in path.read_text()
]


def units(bundle: pathlib.Path) -> dict[str, int]:
    applications = yaml.safe_load(bundle.read_text())['applications']
    return {name: application.get('num_units', 0) for name, application in applications.items()}


@pytest.mark.parametrize('bundle', BUNDLES, ids=lambda path: path.stem)
def test_what_is_proposed_can_be_done(bundle: pathlib.Path):
    there = units(bundle)
    for command in up.suggestions(there):
        name = command.split()[2].partition('/')[0]
        assert there[name]
        assert not command.endswith(' pause') or there[name] > 1, (
            'the drain of a lone unit is refused'
        )


def test_units_are_counted():
    assert up.suggestions({'keystone': 2, 'placement': 2, 'lb-public': 2})[
        'juju add-unit placement'
    ] == ('unit number 3 of it, from the cache in seconds')


def test_a_lone_unit_is_not_proposed_for_a_pause():
    lone = {'keystone': 1, 'placement': 1, 'lb': 1}
    assert 'juju run keystone/0 pause' in up.suggestions({**lone, 'keystone': 2})
    assert list(up.suggestions(lone)) == [
        'juju run lb/leader list-backends',
        'juju add-unit placement',
    ]


@pytest.mark.parametrize('bundle', BUNDLES, ids=lambda path: path.stem)
def test_every_bundle_is_on_a_page(bundle: pathlib.Path):
    name = f'bundles/{bundle.name}'
    assert [p for p in pages.PAGES if name in p.read_text()], f'no page speaks of {name}'


@pytest.mark.parametrize('name', ['dmz', 'core'])
def test_every_server_of_a_bundle_has_a_certificate(name: str):
    bundle = pages.ROOT / f'bundles/{name}.yaml'
    path = up.overlay(bundle)
    assert path is not None
    laid_over: dict[str, Any] = yaml.safe_load(path.read_text())
    apps = {*yaml.safe_load(bundle.read_text())['applications']}
    certified = {a.partition(':')[0] for a, b in laid_over['relations'] if b == 'ca:certificates'}
    assert certified == apps
    trusts = {a.partition(':')[0] for a, b in laid_over['relations'] if b == 'ca:send-ca-cert'}
    assert trusts == {'keystone', 'placement', 'glance'}


def test_a_model_that_has_tls_is_known_by_its_authority():
    assert up.has_authority({'applications': {'ca': {}, 'keystone': {}}})
    assert not up.has_authority({'applications': {'keystone': {}}})
    assert not up.has_authority({'applications': None})


def test_a_bundle_without_an_overlay_is_deployed_as_it_is(tmp_path: pathlib.Path):
    assert up.overlay(tmp_path / 'mine.yaml') is None


def test_a_subnet_that_was_changed_after_the_networks_were_made_is_not_passed_over():
    wanted = {'dmz': '10.190.10.0/24', 'api': '10.180.40.0/24', 'data': '10.180.50.0/24'}
    there = {'dmz': ['10.180.10.0/24'], 'api': ['10.180.40.0/24', 'fd00::/64'], 'alpha': []}
    assert up.changed(there, wanted) == ['the space dmz has 10.180.10.0/24, not 10.190.10.0/24']
    assert up.changed({'dmz': []}, wanted) == ['the space dmz has no subnet, not 10.190.10.0/24']
    assert not up.changed({}, wanted)
