"""A machine of each base, for the tests of a module to share."""

from __future__ import annotations

import os
import pathlib
import sys
import time
from collections.abc import Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import containers


@pytest.fixture(scope='session', params=['debian-12', 'debian-13'])
def machine(request: pytest.FixtureRequest) -> Iterator[containers.Machine]:
    """A machine with a database server, and nothing else that is not in its base."""
    name = f'ck-{request.param}-{os.getpid()}'
    containers.podman(
        'run', '-d', '--name', name, '--runtime', 'runc', '--systemd=always',
        '--ulimit', 'nofile=20000:20000', '--ulimit', 'nproc=20000:20000',
        '--cap-add', 'NET_ADMIN,NET_RAW,SYS_ADMIN',
        *(x for here, there in containers.MOUNTS.items() for x in ('-v', f'{here}:{there}:ro')),
        f'localhost/jujulet/base:{request.param}',
    )  # fmt: skip
    try:
        address = containers.podman('inspect', '--format', '{{.NetworkSettings.IPAddress}}', name)
        found = containers.Machine(name, request.param.replace('-', '@'), address)
        end = time.monotonic() + 60
        while 'running' not in found.sh('systemctl is-system-running', check=False):
            assert time.monotonic() < end, found.sh('systemctl --failed')
            time.sleep(0.2)
        found.sh(
            'export DEBIAN_FRONTEND=noninteractive; apt-get -q update; '
            'apt-get -q -y install --no-install-recommends mariadb-server curl procps'
        )
        for service in ('placement', 'glance'):
            account = f'{service}@127.0.0.1'
            found.sh(
                f'mariadb -e "CREATE DATABASE {service}; '
                f"CREATE USER {account} IDENTIFIED BY 'pw'; "
                f'GRANT ALL ON {service}.* TO {account}"'
            )
        yield found
    finally:
        containers.podman('rm', '-f', '-t', '0', name)
