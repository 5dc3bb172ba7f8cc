"""``juju diff-bundle``, as cmd/juju/application/diffbundle_test.go of Juju 3.6 has it."""

from __future__ import annotations

import pathlib

import fakes
import pytest
import yaml

BUNDLE = """\
applications:
  a: {{charm: {charm}, num_units: 1, base: debian@12/stable, options: {{greet: anselm}}, constraints: cores=4, to: [0]}}
machines:
  '0': {{base: debian@12/stable}}
"""


@pytest.fixture
def bundle(model: fakes.Juju, charm: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ('a', 'b'):
        model(
            'deploy',
            str(charm),
            name,
            '--base',
            'debian@12',
            '--config',
            'greet=kant',
            '--constraints',
            'cores=3',
        )
    model('integrate', 'a:db', 'b:sink')
    path = tmp_path / 'bundle.yaml'
    path.write_text(BUNDLE.format(charm=charm))
    return path


def test_what_differs_is_shown(model: fakes.Juju, bundle: pathlib.Path):
    said = model('diff-bundle', str(bundle)).out
    assert yaml.safe_load(said) == {
        'applications': {
            'a': {
                'options': {'greet': {'bundle': 'anselm', 'model': 'kant'}},
                'constraints': {'bundle': 'cores=4', 'model': 'cores=3'},
            },
            'b': {'missing': 'bundle'},
        },
        'machines': {'1': {'missing': 'bundle'}},
        'relations': {'model-additions': [['a:db', 'b:sink']]},
    }


def test_with_overlays_and_annotations(
    model: fakes.Juju, bundle: pathlib.Path, charm: pathlib.Path
):
    overlay = bundle.with_name('o.yaml')
    overlay.write_text(
        'applications:\n'
        f'  b: {{charm: {charm}, num_units: 2}}\n'
        f'  c: {{charm: {charm}, num_units: 1, annotations: {{x: y}}}}\n'
        '  a: {annotations: {x: y}, options: {count: 7}}\n'
        'relations: [[a, b], [a, c]]\n'
    )
    found = yaml.safe_load(
        model('diff-bundle', str(bundle), '--overlay', str(overlay), '--annotations').out
    )
    assert found['applications']['a']['options']['count'] == {'bundle': 7, 'model': None}
    assert found['applications']['a']['annotations'] == {'x': {'bundle': 'y', 'model': None}}
    assert found['applications']['b']['num_units'] == {'bundle': 2, 'model': 1}
    assert found['applications']['c'] == {'missing': 'model'}
    assert found['relations'] == {'bundle-additions': [['a', 'c']]}


def test_a_model_that_is_as_its_bundle_differs_in_nothing(
    model: fakes.Juju, charm: pathlib.Path, tmp_path: pathlib.Path
):
    path = tmp_path / 'bundle.yaml'
    path.write_text(BUNDLE.format(charm=charm))
    model('deploy', str(path))
    assert model('diff-bundle', str(path)).out == '{}\n'


def test_what_is_no_bundle_is_told(model: fakes.Juju, charm: pathlib.Path, tmp_path: pathlib.Path):
    assert model.run('diff-bundle', str(charm)).err == f'ERROR "{charm}" is not a bundle\n'
    broken = tmp_path / 'x.yaml'
    broken.write_text('applications: {a: {}}\n')
    found = model.run('diff-bundle', str(broken))
    assert found.code == 1
    assert found.err.startswith('ERROR ')
