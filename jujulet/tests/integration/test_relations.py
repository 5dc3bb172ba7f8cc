"""Integrating, what both sides see, and breaking up again."""

from __future__ import annotations

import jubilant
import pytest

from .conftest import CHARMS
from .waiting import settle


@pytest.fixture(scope='module', autouse=True)
def deployed(juju: jubilant.Juju) -> None:
    juju.deploy(CHARMS / 'testdb', config={'testoption': 'hello'})
    juju.deploy(CHARMS / 'testapp', num_units=2)
    juju.wait(
        lambda s: jubilant.all_active(s, 'testdb') and jubilant.all_blocked(s, 'testapp'),
        delay=0.2,
    )


def test_an_application_and_its_database(juju: jubilant.Juju):
    juju.integrate('testdb', 'testapp')
    status = settle(juju, lambda s: jubilant.all_active(s, 'testapp'))
    (related,) = status.apps['testapp'].relations['db']
    assert (related.related_app, related.interface) == ('testdb', 'testdb')
    told = juju.run('testapp/1', 'show').results
    assert (told['testoption'], told['units']) == ('hello', 'testdb/0')
    assert len(told['password']) == 16


def test_a_change_reaches_the_other_side(juju: jubilant.Juju):
    juju.config('testdb', {'testoption': 'changed'})
    settle(juju, lambda s: s.apps['testapp'].app_status.message.startswith('changed '))


def test_a_units_databags_are_shown(juju: jubilant.Juju):
    unit = juju.show_unit('testapp/0')
    (relation,) = [r for r in unit.relation_info if r.endpoint == 'db']
    assert relation.related_endpoint == 'db'
    assert relation.app_data['testoption'] == 'changed'
    assert relation.related_units['testdb/0'].data['unit'] == 'testdb/0'
    assert 'ingress-address' in relation.related_units['testdb/0'].data


def test_a_new_revision_of_a_secret_reaches_who_reads_it(juju: jubilant.Juju):
    before = juju.run('testapp/0', 'show').results['password']
    juju.run('testdb/leader', 'new-password')
    settle(
        juju, lambda s: before not in s.apps['testapp'].units['testapp/0'].workload_status.message
    )
    assert juju.run('testapp/0', 'show').results['password'] != before


def test_the_same_relation_twice_is_refused(juju: jubilant.Juju):
    with pytest.raises(jubilant.CLIError, match='already exists') as caught:
        juju.integrate('testapp:db', 'testdb:db')
    assert caught.value.returncode == 1


def test_parting(juju: jubilant.Juju):
    juju.remove_relation('testdb', 'testapp')
    status = settle(juju, lambda s: jubilant.all_blocked(s, 'testapp'))
    assert not status.apps['testapp'].relations.get('db')
    juju.integrate('testdb', 'testapp')
    settle(juju, lambda s: jubilant.all_active(s, 'testapp'))


def test_endpoints_that_do_not_fit_are_refused(juju: jubilant.Juju):
    with pytest.raises(jubilant.CLIError) as caught:
        juju.integrate('testapp:nope', 'testdb')
    assert 'nope' in caught.value.stderr
