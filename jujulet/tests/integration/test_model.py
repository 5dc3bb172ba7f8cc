"""Models: made, shown under every name, and gone."""

from __future__ import annotations

import jubilant
import pytest


def test_a_model_is_shown(juju: jubilant.Juju):
    assert juju.model is not None
    info = juju.show_model()
    assert info.short_name == juju.model.rpartition(':')[2]
    assert info.status.current == 'available'
    for name in (info.name, f'{info.controller_name}:{info.name}'):
        assert juju.show_model(name).model_uuid == info.model_uuid
        assert jubilant.Juju(model=name).status().model.name == info.short_name


def test_an_empty_model_has_a_status(juju: jubilant.Juju):
    status = juju.status()
    assert (status.apps, status.machines) == ({}, {})
    assert status.model.version.startswith('3.6')


def test_a_temporary_model_comes_and_goes():
    with jubilant.temp_model(
        cloud='processes', config={'update-status-hook-interval': '1m'}
    ) as juju:
        name = juju.model
        assert juju.model_config()['update-status-hook-interval'] == '1m'
    with pytest.raises(jubilant.CLIError) as caught:
        jubilant.Juju(model=name).status()
    assert 'not found' in caught.value.stderr


def test_a_name_is_taken_once(juju: jubilant.Juju):
    assert juju.model is not None
    with pytest.raises(jubilant.CLIError) as caught:
        jubilant.Juju().add_model(juju.model)
    assert 'already exists' in caught.value.stderr


def test_the_version(juju: jubilant.Juju):
    version = juju.version()
    assert (version.major, version.minor) == (3, 6)


def test_constraints_of_a_model(juju: jubilant.Juju):
    juju.model_constraints({'mem': '1G', 'cores': 4})
    assert juju.model_constraints()['mem'] == 1024
