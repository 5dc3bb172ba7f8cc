"""A small cloud of the last release is upgraded to what is here, under load, and no request is lost.

`UPGRADE_FROM` is a clone of the last release, as `make release` sets it; without it charms are upgraded to themselves.
"""

from __future__ import annotations

import os
import pathlib

import pytest

from .conftest import CHARMS, Model, settle, subnet
from .test_upgrade import NOW, load

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1500)]

BEFORE = pathlib.Path(os.environ.get('UPGRADE_FROM') or CHARMS.parent) / 'charms'


def test_charms_of_the_last_release_are_upgraded_under_load(
    model: Model, tmp_path: pathlib.Path
) -> None:
    with model(NOW) as juju:
        juju.deploy(BEFORE / 'mysql')
        juju.deploy(BEFORE / 'keystone', num_units=2)
        config = {'vip': str(subnet(juju, 'alpha')[250]), 'allow-shared-spaces': True}
        juju.deploy(BEFORE / 'openstack-loadbalancer', 'lb', num_units=2, config=config)
        juju.integrate('keystone:shared-db', 'mysql:shared-db')
        for kind in ('public', 'internal', 'admin'):
            juju.integrate(f'keystone:{kind}-backend', 'lb:backend')
        settle(juju)
        with load(juju, tmp_path / 'load.jsonl'):
            for name in ('mysql', 'keystone', 'openstack-loadbalancer'):
                application = 'lb' if name == 'openstack-loadbalancer' else name
                juju.refresh(application, path=CHARMS / name)
                settle(juju)
