"""What a machine's file system says of the machine: its name, its identity, its agent, who may log in."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from . import commands, program
from .protocol import RUN, MachineSpec

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
    """Write all of it below *root*; the same every time."""
    (root / 'etc/machine-id').write_text(f'{machine_id(spec)}\n')
    (root / 'etc/hostname').write_text(f'{spec.hostname}\n')
    keep_hosts(root, spec.hostname, neighbours)
    name = f'jujud-machine-{spec.id.replace("/", "-")}.service'
    units = root / 'etc/systemd/system'
    _write(units / name, unit(spec.id))
    wanted = units / 'multi-user.target.wants' / name
    if not wanted.is_symlink():
        wanted.parent.mkdir(exist_ok=True)
        wanted.symlink_to(f'../{name}')
    if spec.ssh_keys:
        keys = root / 'home/ubuntu/.ssh/authorized_keys'
        keys.parent.mkdir(mode=0o700, exist_ok=True)
        _write(keys, ''.join(f'{key}\n' for key in spec.ssh_keys))
        keys.chmod(0o600)
        home = (root / 'home/ubuntu').stat()
        for path in (keys.parent, keys):
            shutil.chown(path, home.st_uid, home.st_gid)
    place_agent(root)


def place_agent(root: Path) -> None:
    """The agent of this version, so that a machine of an older one has it at its next start."""
    for name, content in program.sources().items():
        _write(root / AGENT / name, content)


def keep_hosts(root: Path, own: str, neighbours: Iterable[tuple[str, str]]) -> None:
    """Names of the model's machines in ``/etc/hosts``; lines that a charm added stay."""
    path = root / 'etc/hosts'
    before, after = '', ''
    if path.exists():
        before, _, rest = path.read_text().partition(_BEGIN)
        _, _, after = rest.partition(_END)
        if not rest:
            before, after = '', ''
    _write(path, f'{before}{_BEGIN}{commands.hosts(own, neighbours)}{_END}{after}')


_BEGIN = '# Machines of this model; kept by jujulet\n'
_END = '# End of machines of this model\n'


def _write(path: Path, content: str) -> None:
    try:
        if path.read_text() == content:
            return
    except OSError:
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
