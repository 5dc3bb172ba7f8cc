"""zaza's tests.yaml becomes a suite that lints, and what has no place in it is said with its line."""

from __future__ import annotations

import ast
import pathlib

import pytest
import yaml

from matrix import cli
from matrix.grammar import lint, located, problem, suitefile, zaza

TESTS_YAML = """\
charm_name: keystone
gate_bundles:
  - bookworm-zed
  - ha: bookworm-zed-ha
  - {one: a, two: b}
smoke_bundles: [bookworm-zed]
before_deploy:
  - zaza.openstack.prepare
configure:
  - zaza.openstack.charm_tests.keystone.setup.add_demo_user
tests:
  - zaza.openstack.charm_tests.keystone.tests.AuthenticationAuthorizationTest
  - zaza.openstack.charm_tests.keystone.tests.CharmOperationTest;one;two
  - default_alias:
      - zaza.third
    other_alias:
      - zaza.fourth
tests_options:
  force_deploy: [bookworm-zed]
target_deploy_status:
  vault:
    workload-status: blocked
target_deploy_statsu: {}
"""


def test_functions_and_classes_are_carried_over_in_their_order() -> None:
    found = zaza.read(TESTS_YAML, 'tests/tests.yaml')
    suite = suitefile.read(found.matrix_yaml, 'matrix.yaml')
    assert [one.severity for one in lint.check(suite) if one.severity == 'error'] == []
    deploy, health, configure, test = suite.tests[0].rules
    assert (deploy.task, health.until and str(health.until)) == (
        'matrix.tasks.deploy',
        'health.status.healthy',
    )
    assert configure.args == {'names': ['zaza.openstack.charm_tests.keystone.setup.add_demo_user']}
    assert test.args['names'] == [
        'zaza.openstack.charm_tests.keystone.tests.AuthenticationAuthorizationTest',
        'zaza.openstack.charm_tests.keystone.tests.CharmOperationTest;one;two',
        'zaza.third',
    ]
    assert str(test.after) == 'configure'
    assert found.bundles == ('bookworm-zed', 'bookworm-zed-ha', 'a', 'b')
    assert yaml.safe_load(found.test_yaml) == {'matrix': {'model_prefix': 'zaza-keystone'}}


def test_what_has_no_place_is_said_with_its_line() -> None:
    found = zaza.read(TESTS_YAML, 'tests.yaml')
    said = {one.where.line: one.message for one in found.left}
    assert sorted(said) == [5, 7, 16, 18, 20, 23]
    assert 'several models' in said[5]
    assert 'other_alias' in said[16]
    assert "did you mean 'target_deploy_status'?" in said[23]
    assert {one.severity for one in found.left} == {'warning'}


def test_nothing_configured_and_nothing_to_run() -> None:
    found = zaza.read('charm_name: a\n', 'tests.yaml')
    assert [one.message for one in found.left] == ['it has no tests']
    assert len(suitefile.read(found.matrix_yaml, 'm').tests[0].rules) == 2


@pytest.mark.parametrize('text', ['[1, 2]', 'tests: [a', 'tests: {a: 1}: b'])
def test_what_is_no_tests_yaml_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(problem.RefusedError) as caught:
        zaza.read(text, 'tests.yaml')
    assert str(caught.value).startswith('tests.yaml:1: error:')


def test_the_tasks_that_come_with_it_are_python() -> None:
    found = zaza.read(TESTS_YAML, 'tests.yaml')
    names = {
        one.name for one in ast.parse(found.zaza_py).body if isinstance(one, ast.AsyncFunctionDef)
    }
    named = [rule.task for rule in suitefile.read(found.matrix_yaml, 'm').tests[0].rules]
    assert {name.rpartition('.')[2] for name in named if name.startswith('tests.')} == {
        'configure',
        'test',
    }
    assert {'configure', 'test'} <= names


def test_the_command_writes_beside_and_never_over(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'tests.yaml').write_text(TESTS_YAML)
    assert cli.main(['import-zaza', str(tmp_path / 'tests.yaml')]) == 0
    assert {one.name for one in tmp_path.iterdir()} == {
        'tests.yaml',
        'matrix.yaml',
        'test.yaml',
        'zaza.py',
    }
    assert 'tests.yaml:7: warning: before_deploy' in capsys.readouterr().out
    (tmp_path / 'matrix.yaml').write_text('mine')
    assert cli.main(['import-zaza', str(tmp_path / 'tests.yaml')]) == 1
    assert (tmp_path / 'matrix.yaml').read_text() == 'mine'
    assert cli.main(['import-zaza', str(tmp_path / 'none.yaml')]) == 2


def test_an_imported_value_keeps_its_line() -> None:
    document = located.load(TESTS_YAML, 'x')
    assert isinstance(document, located.Mapping)
    assert [one.where.line for one in document.entries if one.key == 'tests'] == [11]
