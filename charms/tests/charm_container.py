"""A container in which a functional test runs a charm without Juju: what is mounted there, and how a run is made."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sysconfig
from collections.abc import Mapping
from typing import Any

REPOSITORY = pathlib.Path(__file__).parents[2]


def mounts(charm: str) -> list[str]:
    """Options of podman: charmkit, the *charm*, its functional tests and our Python packages, under ``/opt``."""
    folders = {
        REPOSITORY / 'charmkit/src': '/opt/charmkit',
        REPOSITORY / 'charms' / charm / 'src': '/opt/charm',
        REPOSITORY / 'charms' / charm / 'tests/functional': '/opt/tests',
        pathlib.Path(sysconfig.get_path('purelib')): '/opt/packages',
    }
    return [f'--volume={here}:{there}:ro' for here, there in folders.items()]


def shared(*names: str) -> list[str]:
    """Options of podman: these of the programs beside this module, under ``/opt``."""
    here = pathlib.Path(__file__).parent
    return [f'--volume={here / name}:/opt/{name}:ro' for name in names]


@dataclasses.dataclass
class CharmContainer:
    """A container of these mounts."""

    name: str
    address: str

    def program(self, *argv: str, stdin: str = '') -> subprocess.CompletedProcess[str]:
        """Run ``podman exec`` with *argv*: its options, the container's name, and a command."""
        return subprocess.run(
            ('podman', 'exec', '-i', *argv),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a shell script in it, and return all that it says."""
        done = self.program(self.name, 'sh', '-c', f'exec 2>&1; {script}')
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout.strip()

    def run_charm(self, script: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run *script*, one of the charm's functional tests' files, with *given* as JSON; what it prints as JSON."""
        done = self.program(
            '--env=PYTHONPATH=/opt/charmkit:/opt/charm:/opt/packages',
            '--env=PYTHONDONTWRITEBYTECODE=1',
            *(self.name, 'python3', f'/opt/tests/{script}'),
            stdin=json.dumps(given),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
