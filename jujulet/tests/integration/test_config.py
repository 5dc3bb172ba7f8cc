"""`juju config`, `model-config` and `trust`, as jubilant reads them."""

from __future__ import annotations

import jubilant
import pytest

from .conftest import CHARMS
from .waiting import settle


@pytest.fixture(scope='module', autouse=True)
def deployed(juju: jubilant.Juju) -> None:
    juju.deploy(CHARMS / 'testdb')
    juju.wait(
        lambda status: (
            status.apps['testdb'].units['testdb/0'].workload_status.current == 'unknown'
        ),
        delay=0.2,
    )


def test_options_have_their_defaults_and_types(juju: jubilant.Juju):
    assert juju.config('testdb') == {'testoption': '', 'number': 3, 'ratio': 0.5, 'flag': False}


def test_an_option_is_set_seen_by_the_charm_and_reset(juju: jubilant.Juju):
    juju.config('testdb', {'testoption': 'a b=c\nd', 'flag': True})
    assert juju.config('testdb')['testoption'] == 'a b=c\nd'
    assert juju.config('testdb')['flag'] is True
    settle(juju, jubilant.all_active)
    juju.config('testdb', {'number': 9}, reset=['testoption', 'flag'])
    found = juju.config('testdb')
    assert (found['testoption'], found['flag'], found['number']) == ('', False, 9)


def test_an_option_that_there_is_not_and_one_of_another_type_are_refused(juju: jubilant.Juju):
    with pytest.raises(jubilant.CLIError) as caught:
        juju.config('testdb', {'nope': 'x'})
    assert 'nope' in caught.value.stderr
    with pytest.raises(jubilant.CLIError) as caught:
        juju.config('testdb', {'number': 'many'})
    assert 'many' in caught.value.stderr
    assert juju.config('testdb')['number'] != 'many'


def test_model_options(juju: jubilant.Juju):
    assert juju.model_config()['update-status-hook-interval'] == '5m'
    juju.model_config({'update-status-hook-interval': '10s'})
    assert juju.model_config()['update-status-hook-interval'] == '10s'
    juju.model_config(reset='update-status-hook-interval')
    assert juju.model_config()['update-status-hook-interval'] == '5m'


def test_trust_is_given_and_taken(juju: jubilant.Juju):
    assert juju.config('testdb', app_config=True)['trust'] is False
    juju.trust('testdb', scope='cluster')
    assert juju.config('testdb', app_config=True)['trust'] is True
    juju.trust('testdb', remove=True)
    assert juju.config('testdb', app_config=True)['trust'] is False
