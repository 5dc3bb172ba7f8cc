"""A machine in a container, and an API charm's core run in it without Juju."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sysconfig
from typing import Any

REPOSITORY = pathlib.Path(__file__).parents[3]
MOUNTS = {
    REPOSITORY / 'charmkit/src': '/opt/charmkit',
    REPOSITORY / 'charms': '/opt/charms',
    pathlib.Path(__file__).parent: '/opt/tests',
    pathlib.Path(sysconfig.get_path('purelib')): '/opt/packages',
}
PYTHONPATH = '/opt/charmkit:/opt/packages'


@dataclasses.dataclass
class Machine:
    """A container with systemd, and what was last run in it."""

    name: str
    base: str
    address: str
    versions: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    peers: dict[str, str] = dataclasses.field(default_factory=dict[str, str])

    def run(
        self, *argv: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run *argv* in it."""
        done = subprocess.run(
            ['podman', 'exec', '-i', self.name, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a shell script in it, and return what it says."""
        return self.run('sh', '-c', script, check=check).stdout.strip()

    def give(self, charm: str, **more: Any) -> None:
        """Leave the inputs of the next pass of *charm* in the container."""
        keystone = {'protocol': 'http', 'host': '127.0.0.1', 'port': '5000'}
        identity = {
            **{f'{role}_{k}': v for role in ('auth', 'service', 'internal') for k, v in keystone.items()},
            **{'service_username': charm, 'service_password': 'pw'},
            **{'service_tenant': 'services', 'service_domain': 'service_domain'},
        }  # fmt: skip
        database = {'db_host': '127.0.0.1', 'password': 'pw', 'allowed_units': f'{charm}/0'}
        given = {
            'unit': f'{charm}/0',
            'address': self.address,
            'relations': {'shared-db': database, 'identity-service': identity},
            'versions': self.versions,
            'peers': self.peers,
            **more,
        }
        self.run('sh', '-c', 'umask 077; cat > /tmp/inputs.json', stdin=json.dumps(given))

    def start(self, charm: str) -> list[str]:
        """The command that makes one pass of *charm*'s core with the inputs given."""
        script = ['/opt/tests/on_machine.py', f'/opt/charms/{charm}/src/charm.py']
        environment = ['--env', f'PYTHONPATH={PYTHONPATH}', '--env', 'PYTHONDONTWRITEBYTECODE=1']
        return ['podman', 'exec', *environment, self.name, 'python3', *script, '/tmp/inputs.json']

    def reconcile(self, charm: str, **more: Any) -> dict[str, Any]:
        """One pass of *charm*'s core, as the leader with every relation answered."""
        self.give(charm, **more)
        done = subprocess.run(self.start(charm), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        self.versions, self.peers = result['versions'], result['peers']
        return result

    def processes(self, name: str) -> set[int]:
        """Process ids of a WSGI process group."""
        listed = self.sh('ps -C apache2 -o pid=,args=', check=False).splitlines()
        rows = [line.split() for line in listed]
        return {int(pid) for pid, shown, *_ in rows if shown == name}
