"""What a machine's file system says of the machine: its name, its identity, its agent, who may log in."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path

from . import commands, files, program
from .protocol import RUN, MachineSpec

logger = logging.getLogger(__name__)

AGENT = 'usr/lib/jujulet'


def machine_id(spec: MachineSpec) -> str:
    """A machine's own ``/etc/machine-id``: 32 digits, the same at every start."""
    return hashlib.sha256(f'{spec.model}/{spec.id}'.encode()).hexdigest()[:32]


def unit(machine: str) -> str:
    """The systemd unit of the machine's agent."""
    return f"""\
[Unit]
Description=Agent of machine {machine}
DefaultDependencies=no
After=sysinit.target dbus.socket
Conflicts=shutdown.target
Before=shutdown.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/python3 -SsE /{AGENT}/{program.SCRIPT} --machine {machine} --run {RUN} --state /var/lib/juju/agent
Restart=always
RestartSec=100ms
LimitNOFILE=20000
TimeoutStopSec=2s

[Install]
WantedBy=multi-user.target
"""


def prepare(spec: MachineSpec, root: Path, neighbours: Iterable[tuple[str, str]]) -> None:
    """Write all of it below *root*; the same every time, but for what is a charm's to change once it is there.

    Raises:
        OSError: a part of the file system is not what a machine's should be.
    """
    own = f'{machine_id(spec)}\n'
    fresh = not spec.layer and files.read(root, 'etc/machine-id') != own
    if fresh and spec.lsb_release:  # Before what says that it is there.
        files.write(root, 'etc/lsb-release', spec.lsb_release)
    files.write(root, 'etc/machine-id', own)
    files.write(root, 'etc/hostname', f'{spec.hostname}\n')
    keep_hosts(root, spec.hostname, neighbours)
    name = f'jujud-machine-{spec.id.replace("/", "-")}.service'
    files.write(root, f'etc/systemd/system/{name}', unit(spec.id))
    files.link(root, f'etc/systemd/system/multi-user.target.wants/{name}', f'../{name}')
    keep_keys(spec, root)
    place_agent(root)


def keep_keys(spec: MachineSpec, root: Path) -> None:
    """Who may log in as ``ubuntu``; may be called while the machine runs."""
    name = 'home/ubuntu/.ssh/authorized_keys'
    if spec.ssh_keys or files.read(root, name):
        keys = ''.join(f'{key}\n' for key in spec.ssh_keys)
        try:
            files.write(root, name, keys, mode=0o600, like='home/ubuntu')
        except (
            OSError
        ) as error:  # A charm may have done away with the user; the machine is well without.
            logger.warning('machine %s: ssh keys were not written: %s', spec.id, error)


def place_agent(root: Path) -> None:
    """The agent of this version, so that a machine of an older one has it at its next start."""
    for name, content in program.sources().items():
        files.write(root, f'{AGENT}/{name}', content)


def keep_hosts(root: Path, own: str, neighbours: Iterable[tuple[str, str]]) -> None:
    """Names of the model's machines in ``/etc/hosts``; lines that a charm added stay."""
    before, begin, rest = files.read(root, 'etc/hosts').partition(_BEGIN)
    _, _, after = rest.partition(_END)
    if not begin:
        before = ''
    files.write(
        root, 'etc/hosts', f'{before}{_BEGIN}{commands.hosts(own, neighbours)}{_END}{after}'
    )


_BEGIN = '# Machines of this model; kept by jujulet\n'
_END = '# End of machines of this model\n'
