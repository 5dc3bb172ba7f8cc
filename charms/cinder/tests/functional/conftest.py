"""A machine of each base with a database and a queue, and charms brought to their end on it without Juju."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tools import systems

sys.path.insert(0, str(pathlib.Path(__file__).parents[4] / 'charmkit/tests/functional'))

import containers

PROJECT = 'a' * 32
FILES = {pathlib.Path(__file__).parent: '/opt/volumes', **containers.MOUNTS}
SHARES = {'serve-directory': True, 'volume-backend-name': 'files'}
"""A directory of the machine is the share."""
INSTALLED = r"""
RUN export DEBIAN_FRONTEND=noninteractive; apt-get update -q; \
    apt-get install -y -q --no-install-recommends mariadb-server rabbitmq-server curl procps
# What cinder needs, without cinder itself: compiled once, and not for each package.
ENV TRUE_ONE=/usr/bin/py3compile.real
RUN export DEBIAN_FRONTEND=noninteractive; set -e; \
    echo 'exit 101' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; \
    dpkg-divert --quiet --local --rename --divert $TRUE_ONE --add /usr/bin/py3compile; \
    ln -s /bin/true /usr/bin/py3compile; \
    apt-get install -y -q --no-install-recommends python3-cinder python3-pymysql apache2 \
        libapache2-mod-wsgi-py3 memcached lvm2 qemu-utils tgt nfs-common openssh-server; \
    rm /usr/bin/py3compile /usr/sbin/policy-rc.d; \
    dpkg-divert --quiet --local --rename --divert $TRUE_ONE --remove /usr/bin/py3compile; \
    python3 -m compileall -q -j2 /usr/lib/python3/dist-packages || [ $? = 1 ]
# A mount of nfs-common's that a kernel without NFS refuses at the start.
RUN systemctl mask run-rpc_pipefs.mount
"""
NO_TOKENS = {'config-flags': '[DEFAULT]\nauth_strategy = noauth'}
"""There is no keystone here: whoever asks is the administrator."""


class Cloud(containers.Machine):
    """What is one machine here: database, queue, cinder."""

    def bring(self, name: str, relations: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """One run of the charm *name*."""
        said = {
            'address': self.address,
            'relations': {k: {f'{k}/0': v} for k, v in relations.items()},
            'options': options,
            'peers': self.peers if name == 'cinder' else {},
        }
        environment = (f'PYTHONPATH={containers.PYTHONPATH}', 'PYTHONDONTWRITEBYTECODE=1')
        done = subprocess.run(
            (
                *('podman', 'exec', '-i', *(f'--env={e}' for e in environment), self.name),
                *('python3', '/opt/volumes/volumes_on_machine.py', name),
            ),
            input=json.dumps(said),
            capture_output=True,
            text=True,
            check=False,
            timeout=1500,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        if name == 'cinder':
            self.peers = found['peers']
        return found

    def cinder(
        self, backend: Mapping[str, str] | None = None, /, **options: Any
    ) -> dict[str, Any]:
        """One run of cinder with every relation answered, and, if it has one, a subordinate that says *backend*."""
        keystone = {'protocol': 'http', 'host': '127.0.0.1', 'port': '5000'}
        roles = ('auth', 'service', 'internal')
        identity = {
            **{f'{role}_{k}': v for role in roles for k, v in keystone.items()},
            **{'service_username': 'cinder', 'service_password': 'pw'},
            **{'service_tenant': 'services', 'service_domain': 'service_domain'},
        }
        database = {'db_host': '127.0.0.1', 'password': 'pw', 'allowed_units': 'cinder/0'}
        relations = {
            'shared-db': database,
            'amqp': {'hostname': '127.0.0.1', 'password': 'pw', 'username': 'cinder'},
            'identity-service': identity,
            **({'storage-backend': backend} if backend is not None else {}),
        }
        return self.bring('cinder', relations, **options)

    def ask(
        self, path: str, body: object = None, method: str = '', version: str = '3.59'
    ) -> dict[str, Any]:
        """What the API answers at *path* of the project; with a *body* it is posted."""
        url = f'http://{self.address}:8776/v3/{PROJECT}{path}'
        headers = (
            'Content-Type: application/json',
            f'OpenStack-API-Version: volume {version}',
            f'X-Auth-Token: admin:{PROJECT}',
        )
        done = self.run(
            *('curl', '-sS', '--max-time', '100', *(w for h in headers for w in ('-H', h))),
            *(('-X', method) if method else ()),
            *(('-d', '@-') if body is not None else ()),
            url,
            stdin=json.dumps(body) if body is not None else '',
        )
        return json.loads(done.stdout) if done.stdout else {}

    def code(self, path: str) -> str:
        """The status that the API answers with at *path*, to somebody without a token."""
        url = f'http://{self.address}:8776{path}'
        return self.sh(f"curl -s -o /dev/null --max-time 60 -w '%{{http_code}}' '{url}'")


@pytest.fixture(scope='session', params=systems.BASES)
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """With a database and an account at the queue."""
    image = f'localhost/rambla-cinder-test:{request.param}'
    systems.build(image, f'FROM {systems.base(request.param)}\n{INSTALLED}')
    name = f'rambla-cinder-test-{request.param}-{os.getpid()}'
    mounts = [f'--volume={here}:{there}:ro' for here, there in FILES.items()]
    try:
        address = systems.start(name, image, *mounts)
        found = Cloud(name, request.param.replace('-', '@'), address)
        found.sh(
            'set -e; mariadb -e "CREATE DATABASE cinder; '
            "CREATE USER cinder@127.0.0.1 IDENTIFIED BY 'pw'; "
            'GRANT ALL ON cinder.* TO cinder@127.0.0.1"; '
            'rabbitmqctl add_user cinder pw; rabbitmqctl add_vhost openstack; '
            "rabbitmqctl set_permissions -p openstack cinder '.*' '.*' '.*'"
        )
        yield found
    finally:
        systems.remove(name)
