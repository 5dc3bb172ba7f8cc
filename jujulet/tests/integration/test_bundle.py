"""Bundles: deployed, deployed again, grown by an overlay, and refused with file and line."""

from __future__ import annotations

import pathlib

import jubilant
import pytest

from .conftest import CHARMS
from .waiting import settle

TEXT = """
default-base: debian@12
applications:
  testdb:
    charm: {charms}/testdb
    num_units: 1
    to: ["0"]
    options: {{testoption: "include-file://word.txt", number: 7}}
  testapp:
    charm: {charms}/testapp
    num_units: 2
    to: [testdb]
    resources: {{test-file: word.txt}}
  subordinate: {{charm: {charms}/subordinate}}
machines: {{"0": }}
relations:
  - [testdb, testapp]
  - [subordinate, testdb]
"""


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp('bundle')
    (folder / 'word.txt').write_text('included')
    (folder / 'bundle.yaml').write_text(TEXT.format(charms=CHARMS))
    return folder / 'bundle.yaml'


def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    juju: jubilant.Juju, bundle: pathlib.Path
):
    said = juju.cli('deploy', str(bundle), '--dry-run').splitlines()
    assert said[0] == 'Changes to deploy bundle:'
    assert '- add unit testapp/0 to new machine 0 to satisfy [testdb]' in said
    assert juju.status().apps == {}


def test_a_bundle_comes_up(juju: jubilant.Juju, bundle: pathlib.Path):
    juju.deploy(bundle)
    status = settle(juju, jubilant.all_active)
    assert juju.config('testdb')['testoption'] == 'included'
    where = {
        name: unit.machine for app in status.apps.values() for name, unit in app.units.items()
    }
    assert where == {'testdb/0': '0', 'testapp/0': '0', 'testapp/1': '1'}
    assert status.apps['subordinate'].subordinate_to == ['testdb']
    assert juju.run('testapp/1', 'show-file').results['content'] == 'included'


def test_again_it_changes_nothing(juju: jubilant.Juju, bundle: pathlib.Path):
    assert juju.cli('deploy', str(bundle), '--dry-run').strip() == 'No changes to apply.'
    before = juju.status().apps
    juju.deploy(bundle)
    assert set(juju.status().apps['testapp'].units) == set(before['testapp'].units)


def test_an_overlay_adds(juju: jubilant.Juju, bundle: pathlib.Path, tmp_path: pathlib.Path):
    overlay = tmp_path / 'more.yaml'
    overlay.write_text(
        'applications:\n  testapp: {num_units: 3}\n  testdb: {options: {testoption: laid over}}\n'
    )
    juju.deploy(bundle, overlays=[overlay])
    status = settle(juju, lambda s: len(s.apps['testapp'].units) == 3 and jubilant.all_active(s))
    assert status.apps['testapp'].app_status.message.startswith('laid over ')


def test_a_faulty_bundle_is_refused_with_its_line_and_leaves_nothing(
    juju: jubilant.Juju, bundle: pathlib.Path
):
    faulty = bundle.with_name('faulty.yaml')
    faulty.write_text(
        bundle.read_text().replace('number: 7', 'nmber: 7').replace('testdb:', 'extra:', 1)
    )
    with pytest.raises(jubilant.CLIError) as caught:
        juju.deploy(faulty)
    assert caught.value.returncode == 1
    assert f'{faulty}:' in caught.value.stderr
    assert 'extra' not in juju.status().apps
