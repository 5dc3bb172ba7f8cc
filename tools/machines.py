"""Machines of a model that are there for a while, beside its applications'."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Generator

import jubilant

_IMAGE = '/srv/images/small.qcow2'


@contextlib.contextmanager
def borrowed(juju: jubilant.Juju, *argv: str) -> Generator[str]:
    """A machine, started; `juju add-machine` is given *argv*. It is removed when the context ends."""
    before = set(juju.status().machines)
    juju.cli('add-machine', *argv)
    machine = next(iter(set(juju.status().machines) - before))
    try:
        juju.wait(lambda s: s.machines[machine].juju_status.current == 'started', delay=0.3)
        yield machine
    finally:
        juju.cli('remove-machine', '--force', '--no-prompt', machine)


@contextlib.contextmanager
def image_served(juju: jubilant.Juju) -> Generator[str]:
    """The URL of a small qcow2 image on a machine beside glance, where glance can download it: its web.

    Port 80, since glance downloads from 80 and 443 alone.
    """
    space = juju.status().apps['glance'].endpoint_bindings.get('internal', 'alpha')
    constraints = [] if space == 'alpha' else ['--constraints', f'spaces={space}']
    made = f'qemu-img create -q -f qcow2 {_IMAGE} 1M && gzip -c {_IMAGE} | base64 -w0; rm {_IMAGE}'
    folder, _, name = _IMAGE.rpartition('/')
    image = juju.exec(f'mkdir -p {folder}; {made}', unit='glance/0').stdout.strip()
    with borrowed(juju, *constraints) as machine:
        juju.exec(
            f'mkdir -p {folder}; echo {shlex.quote(image)} | base64 -d | gzip -d > {_IMAGE}; '
            f'systemd-run --quiet --unit=image-served python3 -m http.server --directory {folder} 80',
            machine=machine,
        )
        yield f'http://{juju.status().machines[machine].dns_name}/{name}'
