"""The suites that bundles bring for `juju matrix` strike applications that the bundles have, with faults that exist."""

from __future__ import annotations

import fnmatch
import pathlib
from typing import Any

import pytest
import yaml

from matrix.faults import find
from matrix.grammar import lint, suitefile
from matrix.judge import expect
from matrix.load import spec
from matrix.run import bundlefile, defaults
from matrix.tasks import planning

BUNDLES = pathlib.Path(__file__).parents[2] / 'bundles'
CLOUDS = ('small-cloud', 'cloud')


@pytest.mark.parametrize('name', CLOUDS)
def test_a_cloud_has_a_suite_of_its_own_that_can_run(name: str) -> None:
    bundle = bundlefile.find(BUNDLES / f'{name}.yaml')
    assert bundle.folder == BUNDLES / name
    path = bundle.folder / 'tests/matrix.yaml'
    suite = suitefile.read(path.read_text(), str(path))
    assert lint.check(suite) == ()
    said = defaults.read(bundle.folder)
    assert said is not None
    assert spec.read(said.get('load')).use == 'openstack'
    assert expect.read(said.get('expect')).recovery == 120
    [test] = suite.tests
    [chaos] = [rule for rule in test.rules if rule.task == 'matrix.tasks.chaos']
    wanted = planning.wanted(
        chaos.args,
        chaos_plan=None,
        count=5,
        redundant=bundle.ha,
        folder=bundle.folder,
        known=find.faults(),
        seed=1,
    )
    named = [one for strike in wanted.strikes for one in strike.applications]
    assert {*named} <= {*bundle.applications}
    assert len(named) == len({*named}), 'each is struck by what one list says'
    assert wanted.redundant is bundle.ha


@pytest.mark.parametrize('name', CLOUDS)
@pytest.mark.parametrize(
    ('application', 'fault'),
    [
        ('rabbitmq-server', 'stop'),
        ('mysql', 'freeze'),
        ('nova-compute', 'worker-kill'),
        ('neutron-gateway', 'worker-stop'),
    ],
)
def test_queue_database_computes_and_agents_are_struck(
    name: str, application: str, fault: str
) -> None:
    document: Any = yaml.safe_load((BUNDLES / name / 'tests/matrix.yaml').read_text())
    rules: list[Any] = [rule['do'] for test in document['tests'] for rule in test['rules']]
    strikes: Any = next(one['strikes'] for one in rules if 'strikes' in one)
    for strike in strikes:
        if application in strike['applications']:
            assert any(fnmatch.fnmatch(fault, str(glob)) for glob in strike['kinds'])
            return
    raise AssertionError(f'nothing strikes {application}')
