"""A machine of each base with a database server, a message broker and placement, and nova's packages."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

from tools import systems

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import controller_machine as controller


@pytest.fixture(scope='session', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[controller.Machine]:
    """One whose services wait for the charm, with a keystone that is played and a placement that asks nobody."""
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
        # Where the charm's unit is, and MariaDB listens for itself alone unless it is told.
        found.sh(f"printf '[mariadbd]\\nbind-address = 0.0.0.0\\n' > {controller.MARIADB}")
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
        found.run('cp', '/test/placement.conf', '/etc/placement/placement.conf')
        # Zed's scheduler does not start without either of them.
        played = f'python3 /test/played_keystone.py {found.address}'
        placement = '/usr/bin/placement-api --port 8778'
        found.sh(f'systemd-run --quiet --unit=played-keystone {played}')
        found.sh(f'systemd-run --quiet --unit=placement --uid=placement {placement}')
        yield found
    finally:
        systems.remove(name)
