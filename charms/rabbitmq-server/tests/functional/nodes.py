"""A container with a RabbitMQ node, and how the charm's own code runs a program in it."""

from __future__ import annotations

import dataclasses
import subprocess
import time
from collections.abc import Mapping

from charmkit.machine import Finished


@dataclasses.dataclass
class Node:
    """As much of a charm's machine as its tasks here need."""

    name: str
    address: str

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def program(
        self,
        *argv: str,
        stdin: str = '',
        environment: Mapping[str, str] | None = None,
        user: str = 'root',
        timeout_s: float = 60.0,
    ) -> Finished:
        home = '/var/lib/rabbitmq' if user == 'rabbitmq' else '/root'
        who = ('-w', '/', '-u', user, '-e', f'HOME={home}')
        done = subprocess.run(
            ('podman', 'exec', '-i', *who, self.name, *argv),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s + 60,  # The machine may be busy with more than this test.
            check=False,
        )
        return Finished(done.returncode, done.stdout)

    def sh(self, script: str) -> str:
        """What a shell script says; an assertion when it fails."""
        done = self.program('sh', '-c', script, timeout_s=700)
        assert done.status == 0, done.output
        return done.output.strip()
