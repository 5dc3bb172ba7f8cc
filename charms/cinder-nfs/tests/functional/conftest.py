"""A unit of cinder's that serves a directory, and a compute node: two machines of each base, without Juju."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sysconfig
from collections.abc import Iterator
from typing import Any

import pytest

from tools import systems

REPOSITORY = pathlib.Path(__file__).parents[4]
MOUNTS = {
    REPOSITORY / 'charmkit/src': '/opt/charmkit',
    REPOSITORY / 'charms/cinder-nfs/src': '/opt/charm',
    pathlib.Path(__file__).parent: '/opt/tests',
    pathlib.Path(sysconfig.get_path('purelib')): '/opt/packages',
}


@dataclasses.dataclass
class Machine:
    """A container with a unit of the charm."""

    name: str
    relation: str
    number: int
    address: str
    says: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """To its peers."""

    @property
    def unit(self) -> str:
        return f'cinder-nfs/{self.number}'

    def program(self, *argv: str, stdin: str = '') -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ('podman', 'exec', '-i', *argv),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a shell script in it, and return all that it says."""
        done = self.program(self.name, 'sh', '-c', f'exec 2>&1; {script}')
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout.strip()

    def reconcile(
        self, *others: Machine, hook: str = 'config-changed', **options: Any
    ) -> dict[str, Any]:
        """One run of the charm, which knows what *others* have said."""
        given = {name.replace('_', '-'): value for name, value in options.items()}
        said = {
            'unit': self.unit,
            'address': self.address,
            'relation': self.relation,
            'options': given or {'serve-directory': True},
            'peers': {m.unit: m.says for m in others},
            'hook': hook,
        }
        python = ('--env=PYTHONPATH=/opt/charmkit:/opt/charm:/opt/packages',)
        done = self.program(
            *(*python, '--env=PYTHONDONTWRITEBYTECODE=1', self.name),
            *('python3', '/opt/tests/nfs_on_machine.py'),
            stdin=json.dumps(said),
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        self.says = found['peers'] or self.says
        return found


@dataclasses.dataclass(frozen=True)
class Cloud:
    """The two, and what their last runs decided."""

    store: Machine
    compute: Machine
    runs: tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope='session', params=systems.BASES)
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Both have run until they know each other."""
    image = f'localhost/rambla-nfs-test:{request.param}'
    systems.build(
        image,
        f'FROM {systems.base(request.param)}\n'
        'RUN export DEBIAN_FRONTEND=noninteractive; apt-get update -q; '
        'apt-get install -y -q --no-install-recommends openssh-server sshfs nfs-common; '
        'adduser --system --group --no-create-home --home /var/lib/cinder cinder; mkdir /etc/cinder; '
        'systemctl mask run-rpc_pipefs.mount\n',
    )
    name = f'rambla-nfs-test-{request.param}-{os.getpid()}'
    mounts = [f'--volume={here}:{there}:ro' for here, there in MOUNTS.items()]
    audit = ('--cap-add', 'AUDIT_WRITE,AUDIT_CONTROL')  # As jujulet's machines have it.
    names = {f'{name}-0': 'storage-backend', f'{name}-1': 'juju-info'}
    try:
        store, compute = (
            Machine(n, relation, i, systems.start(n, image, *audit, '--device=/dev/fuse', *mounts))
            for i, (n, relation) in enumerate(names.items())
        )
        for _ in range(2):  # Each has heard of the other then.
            store.reconcile(compute)
            compute.reconcile(store)
        yield Cloud(store, compute, (store.reconcile(compute), compute.reconcile(store)))
    finally:
        for each in names:
            systems.remove(each)
