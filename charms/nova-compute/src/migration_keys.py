"""How compute nodes reach one another: guests are moved over SSH, as the user ``nova``. Pure.

Each node makes a key of its own and tells the controller the public half and its host keys; the controller tells all
nodes those of all. Nobody is asked for a host's key over the network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import cast

import charmkit
from charmkit import host, nova, relations
from charmkit.machine import Machine

NAME = 'ssh'
"""Of the task."""
FOLDER = '/var/lib/nova/.ssh'
KEY = f'{FOLDER}/id_ed25519'
URI = f'qemu+ssh://nova@%s/system?keyfile={KEY}'
"""Of another node's libvirt: this node's libvirt goes there, as root, with the key of nova."""
_KNOWN_HOSTS = '/etc/ssh/ssh_known_hosts2'
"""Where root's SSH looks, too."""
_HOST_KEYS = '/etc/ssh'
_MAKE = f'test -s {KEY}.pub || ssh-keygen -q -t ed25519 -N "" -C nova -f {KEY}'
_CONFIG = f"""# Written by the charm: local changes are overwritten.
Host *
  BatchMode yes
  IdentityFile {KEY}
  StrictHostKeyChecking yes
  UserKnownHostsFile {FOLDER}/known_hosts
"""


@dataclasses.dataclass(frozen=True)
class Keys:
    """Read the public keys of this node: the user's by ``user``, the host's by ``hosts``, a line each."""

    name: str = NAME

    def carry_out(self, machine: Machine) -> dict[str, str]:
        """Read them, by *machine*."""
        names = [n for n in machine.names(_HOST_KEYS) if n.endswith('_key.pub')]
        hosts = [(machine.read(f'{_HOST_KEYS}/{name}') or '').strip() for name in names]
        return {
            'user': (machine.read(f'{KEY}.pub') or '').strip(),
            'hosts': '\n'.join(' '.join(line.split()[:2]) for line in hosts if line),
        }


def present(ready: charmkit.Ready, name: str, zone: str, service: str) -> relations.Databag:
    """What this node tells its controller, once its keys were read; *name* and *service* (a UUID) are nova's for it."""
    keys = ready.inputs.seen.get(NAME)
    found: Mapping[str, str] = cast('Mapping[str, str]', keys) if isinstance(keys, Mapping) else {}
    site = ready.inputs.site
    return nova.present(
        nova.Compute(
            unit=site.unit,
            hostname=name,
            address=site.address_on(nova.MIGRATION),
            zone=zone,
            ssh_key=found.get('user', ''),
            host_keys=tuple(filter(None, found.get('hosts', '').split('\n'))),
            service=service,
        )
    )


def desired(controller: nova.Controller, version: str) -> host.Host:
    """What it wants of the machine; *version* is that of the packages, whose scripts set the shell back."""
    known = ''.join(f'{line}\n' for line in controller.known_hosts)
    return host.Host(
        directories=(host.Directory(path=FOLDER, owner='nova', group='nova', mode=0o700),),
        files=(
            _file('config', _CONFIG),
            _file('authorized_keys', ''.join(f'{key}\n' for key in controller.authorized_keys)),
            _file('known_hosts', known),
            host.File(path=_KNOWN_HOSTS, content=known),
        ),
        commands=(
            # The packages' own shell lets nobody in on some bases, and each upgrade sets it back.
            host.Command(
                name='shell of nova', argv=('usermod', '--shell', '/bin/bash', 'nova'), key=version
            ),
            host.Command(name='key of nova', argv=('/bin/sh', '-c', _MAKE), key='1', user='nova'),
        ),
    )


def _file(name: str, content: str) -> host.File:
    return host.File(
        path=f'{FOLDER}/{name}', content=content, owner='nova', group='nova', mode=0o600
    )
