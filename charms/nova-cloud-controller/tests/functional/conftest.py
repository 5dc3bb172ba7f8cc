"""A machine of each base with a database server and a message broker, and nova's packages from the distribution."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

from tools import systems

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import controller_machine as controller


# Zed's scheduler does not start without a keystone, which is not here: the small cloud has both.
@pytest.fixture(scope='session', params=['debian-13'])
def machine(request: pytest.FixtureRequest) -> Iterator[controller.Machine]:
    """One whose services wait for the charm."""
    name, image = (
        f'ncc-{request.param}-{os.getpid()}',
        f'localhost/rambla-nova-test:{request.param}',
    )
    text = controller.CONTAINERFILE.format(
        base=systems.base(request.param), more=controller.PACKAGES
    )
    systems.build(image, text)
    mounts = [f'--volume={here}:{there}:ro' for here, there in controller.MOUNTS.items()]
    try:
        found = controller.Machine(name, systems.start(name, image, *mounts))
        found.sh('grep -q "$(hostname)" /etc/hosts || echo "127.0.0.1 $(hostname)" >> /etc/hosts')
        found.sh('systemctl start mariadb rabbitmq-server; rabbitmqctl add_vhost openstack')
        for database in ('nova', 'nova_api', 'nova_cell0'):
            found.run(
                'mariadb',
                '-e',
                f"CREATE DATABASE {database}; GRANT ALL ON {database}.* TO nova@'%' "
                f"IDENTIFIED BY '{controller.DB_PASSWORD}'",
            )
        for user, password in controller.ACCOUNTS.items():
            found.run('rabbitmqctl', 'add_user', user, password)
            found.run('rabbitmqctl', 'set_permissions', '-p', 'openstack', user, '.*', '.*', '.*')
        yield found
    finally:
        systems.remove(name)
