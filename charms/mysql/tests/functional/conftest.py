"""A real MariaDB, in a container of each base."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from collections.abc import Iterable, Iterator

import pytest
from charmkit import run
from charmkit.machine import Finished, Sink

from tools import systems

CLIENT = ('--protocol=tcp', '--batch', '--skip-column-names')


@dataclasses.dataclass(frozen=True)
class Machine:
    """A container with MariaDB in it."""

    name: str
    address: str

    def run(self, *argv: str, password: str = '') -> subprocess.CompletedProcess[str]:
        """Run *argv* in it."""
        env = {**os.environ, 'MYSQL_PWD': password}
        return subprocess.run(
            ('podman', 'exec', '-i', '--env', 'MYSQL_PWD', self.name, *argv),
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def program(self, *argv: str, stdin: str = '', timeout_s: float = 60.0) -> Finished:
        """What the charm's own code calls (:class:`charmkit.Machine`)."""
        done = subprocess.run(
            ('podman', 'exec', '-i', self.name, *argv),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Finished(done.returncode, done.stdout)

    def stream(
        self, *argv: str, source: Iterable[bytes] = (), sink: Sink | None = None
    ) -> Finished:
        """The same, of what is more than a text."""
        return run.streamed(('podman', 'exec', '-i', self.name, *argv), source, sink)

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def read(self, path: str) -> str | None:
        """The text at *path*."""
        return self.run('cat', path).stdout

    def root(self, sql: str) -> str:
        """What *sql* gives the administrator."""
        done = self.run('mariadb', '--batch', '--skip-column-names', '-e', sql)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def login(
        self, user: str, password: str, sql: str = 'SELECT 1', *, host: str = ''
    ) -> subprocess.CompletedProcess[str]:
        """Log in over the network, from this machine's own address."""
        where = ('-h', host or self.address, '-u', user)
        return self.run('mariadb', *CLIENT, *where, '-e', sql, password=password)


@pytest.fixture(scope='session', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    name = f'rambla-mysql-test-{request.param}-{os.getpid()}'
    try:
        machine = Machine(name, systems.start(name, systems.base(request.param)))
        install(machine)
        yield machine
    finally:
        systems.remove(name)


def install(machine: Machine) -> None:
    apt = (
        'export DEBIAN_FRONTEND=noninteractive; '
        'apt-get update -q && apt-get install -y -q --no-install-recommends mariadb-server'
    )
    done = machine.run('sh', '-c', apt)
    assert done.returncode == 0, done.stdout + done.stderr


def configure(machine: Machine, config: str, path: str) -> None:
    """Start the server with *config* and wait until it answers."""
    subprocess.run(
        ('podman', 'exec', '-i', machine.name, 'sh', '-c', f'cat > {path}'),
        input=config,
        text=True,
        check=True,
    )
    done = machine.run('systemctl', 'restart', 'mariadb')
    assert done.returncode == 0, machine.run('journalctl', '-u', 'mariadb').stdout
    end = time.monotonic() + 30
    while machine.run('mariadb', '-e', 'SELECT 1').returncode:
        assert time.monotonic() < end, 'the server does not answer'
        time.sleep(0.2)
