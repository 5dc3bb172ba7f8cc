"""Containers with systemd as process 1, for tests of one real program: run as jujulet runs its machines."""

from __future__ import annotations

import subprocess
import time

from jujulet.machines import commands, runtimes

BASES = ('debian-12', 'debian-13')


def podman(*argv: str, stdin: str | None = None) -> str:
    """What podman says to *argv*; RuntimeError with its own words when it refuses."""
    done = subprocess.run(
        ('podman', *argv), input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f'podman {" ".join(argv)}: {done.stderr[-2000:]}')
    return done.stdout.strip()


def start(name: str, image: str, *options: str) -> str:
    """Start a container of *image* (a base, or one made from a base); its address, once systemd has started all.

    Raises:
        RuntimeError: it does not, within a minute.
    """
    host = runtimes.host('runc')
    podman(
        *(*commands.podman(host)[1:], 'run', '--detach', '--name', name, '--systemd=always'),
        *('--ulimit', f'nofile={host.files}:{host.files}'),
        *('--ulimit', f'nproc={host.processes}:{host.processes}'),
        *('--cap-add', 'NET_ADMIN,NET_RAW,SYS_ADMIN', *options, image, '/sbin/init'),
    )
    end = time.monotonic() + 60
    while _state(name) != 'running':
        if time.monotonic() > end:
            failed = podman('exec', name, 'systemctl', '--failed', '--plain', '--no-legend')
            raise RuntimeError(f'{name} does not start all: {_state(name)}; {failed}')
        time.sleep(0.2)
    return podman(
        'inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name
    )


def build(name: str, containerfile: str) -> None:
    """Build an image."""
    host = runtimes.host('runc')
    podman(
        *(*commands.podman(host)[1:], 'build', '--ulimit', f'nofile={host.files}:{host.files}'),
        *('--ulimit', f'nproc={host.processes}:{host.processes}'),
        *('--tag', name, '--file', '-', '.'),
        stdin=containerfile,
    )


def remove(name: str) -> None:
    """Remove a container; one that is not there is none."""
    subprocess.run(('podman', 'rm', '-f', '-t', '0', name), capture_output=True, check=False)


def base(name: str) -> str:
    """The image of a base of jujulet (``debian-12``), as ``tools/test-images`` makes it."""
    return f'localhost/jujulet/base:{name}'


def _state(name: str) -> str:
    done = subprocess.run(
        ('podman', 'exec', name, 'systemctl', 'is-system-running'),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip()
