"""A machine of each base, for the tests of a module to share."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

from tools import systems

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import containers


@pytest.fixture(scope='session', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[containers.Machine]:
    """A machine with a database server, and nothing else that is not in its base."""
    name = f'ck-{request.param}-{os.getpid()}'
    mounts = [f'--volume={here}:{there}:ro' for here, there in containers.MOUNTS.items()]
    try:
        address = systems.start(name, systems.base(request.param), *mounts)
        found = containers.Machine(name, request.param.replace('-', '@'), address)
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
        systems.remove(name)
