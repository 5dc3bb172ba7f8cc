"""Containers with haproxy and keepalived, made and driven from the machine that tests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
import sysconfig
from typing import Any

from tools import systems

ROOT = pathlib.Path(__file__).parents[4]
CHARM = '/rambla/charms/openstack-loadbalancer'
PACKAGES = 'haproxy keepalived iproute2 nftables python3 wrk bind9 bind9-dnsutils'


def image(base: str) -> str:
    """The image of *base* with the packages of the charm, built once."""
    made_of = hashlib.sha256(PACKAGES.encode()).hexdigest()[:8]
    name = f'localhost/rambla-lb-test:{base}-{made_of}'
    there = subprocess.run(('podman', 'image', 'exists', name), check=False)
    if there.returncode:
        steps = (
            f'FROM {systems.base(base)}\n'
            f'RUN apt-get -q update && apt-get -qy install --no-install-recommends {PACKAGES}'
            ' && apt-get clean && systemctl disable haproxy keepalived named\n'
        )
        systems.build(name, steps)
    return name


@dataclasses.dataclass(frozen=True)
class Machine:
    """A container, and what is run in it."""

    name: str
    base: str

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        modules = f'{CHARM}/src:/rambla/charmkit/src:/packages'
        return subprocess.run(
            ('podman', 'exec', '-e', f'PYTHONPATH={modules}', '-e', 'PYTHONDONTWRITEBYTECODE=1',
             self.name, *argv),
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def scenario(self, name: str, **arguments: Any) -> dict[str, Any]:
        """What one of the scenarios in tests/rig gives."""
        script = f'{CHARM}/tests/rig/scenario.py'
        done = self.run('python3', script, name, json.dumps(arguments))
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])


def boot(name: str, base: str, *options: str) -> Machine:
    """A machine of *base*, up and running."""
    packages = sysconfig.get_path('purelib')
    mounts = (f'--volume={ROOT}:/rambla:ro', f'--volume={packages}:/packages:ro')
    systems.start(name, image(base), *mounts, *options)
    return Machine(name, base)


def fresh_name(number: int) -> str:
    """A name that no other process uses."""
    return f'rambla-lb-test-{os.getpid()}-{number}'
