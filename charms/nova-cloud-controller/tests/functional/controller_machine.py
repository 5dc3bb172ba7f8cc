"""A container with a unit of nova-cloud-controller in it, and what it is made of."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sysconfig
from collections.abc import Mapping
from typing import Any

HERE = pathlib.Path(__file__).parent
MOUNTS = {
    HERE: '/test',
    HERE.parents[1] / 'src': '/charm',
    HERE.parents[2] / 'nova-compute/src': '/compute',
    HERE.parents[3] / 'charmkit/src': '/charmkit',
    pathlib.Path(sysconfig.get_path('purelib')): '/site',
}
PACKAGES = (
    'apache2 libapache2-mod-wsgi-py3 memcached nova-api nova-conductor nova-scheduler nova-consoleproxy '
    'placement-api'
)
CONTAINERFILE = """FROM {base}
RUN export DEBIAN_FRONTEND=noninteractive; \
 printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; apt-get -q update; \
 apt-get -q -y install --no-install-recommends mariadb-server rabbitmq-server curl procps python3-pymysql {more}; \
 rm /usr/sbin/policy-rc.d; systemctl disable nova-conductor nova-scheduler nova-novncproxy nova-serialproxy \
 nova-spicehtml5proxy nova-api nova-api-metadata placement-api apache2 memcached rabbitmq-server mariadb
"""
MARIADB = '/etc/mysql/mariadb.conf.d/90-test.cnf'
DB_PASSWORD = 'd/b@pw'
ACCOUNTS = {'nova': 'pw', 'nova.2': 'p,w:2'}
"""The broker's, before and after a rotation."""


@dataclasses.dataclass
class Machine:
    """A container with a unit of nova-cloud-controller in it."""

    name: str
    address: str
    peers: dict[str, str] = dataclasses.field(default_factory=dict[str, str])

    def run(self, *argv: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            ('podman', 'exec', '-i', self.name, *argv),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def sh(self, script: str, user: str = 'root') -> str:
        return self.run('su', '-s', '/bin/sh', user, '-c', script)

    def reconcile(
        self, compute: Mapping[str, str] | None = None, /, **broker: str
    ) -> dict[str, Any]:
        """One run of the charm, with what else the *broker* says, and what a *compute* node does."""
        said = {
            'address': self.address,
            'db_password': DB_PASSWORD,
            'peers': self.peers,
            'compute': compute or {'hostname': 'node-1'},
        }
        path = 'PYTHONPATH=/charm:/charmkit:/site'
        argv = ('env', path, 'PYTHONDONTWRITEBYTECODE=1', 'python3', '/test/nova_on_machine.py')
        broker = {'hostname': self.address, 'password': ACCOUNTS['nova'], **broker}
        out = json.loads(self.run(*argv, stdin=json.dumps({**said, 'broker': broker})))
        self.peers = out['peers']
        return out

    def probe(self, host: str, *mapped: str, wait_s: int = 120) -> dict[str, Any]:
        """What a compute node's charm finds of it, told that services are *mapped*: a ``node_status.NodeStatus``."""
        path = 'PYTHONPATH=/compute:/charmkit:/site'
        argv = ('env', path, 'PYTHONDONTWRITEBYTECODE=1', 'python3', '/test/probe_on_machine.py')
        return json.loads(self.run(*argv, self.address, host, str(wait_s), *mapped))

    def calm(self) -> list[dict[str, str]]:
        """The status once nothing is wrong, or after three runs: on a busy host an API may come up after a hook."""
        for _ in range(2):
            if not self.reconcile()['status']:
                break
        return self.reconcile()['status']

    def cells(self) -> dict[str, str]:
        """What nova makes of the mapping of each cell, by name: its two URLs."""
        listed = self.sh('nova-manage cell_v2 list_cells --verbose', 'nova').splitlines()
        rows = [[c.strip() for c in line.split('|')] for line in listed if '://' in line]
        return {row[1]: f'{row[3]} {row[4]}' for row in rows}

    def code(self, port: int, path: str) -> str:
        """The status of the answer to a request."""
        return self.sh(
            f"curl -s -o /dev/null -w '%{{http_code}}' http://{self.address}:{port}{path}"
        )
