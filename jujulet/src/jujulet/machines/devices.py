"""Devices of the host that a machine is given, and kernel modules that are to be there for it.

A machine gets a node of its own for each, with the mode and owner that its charm asks for: podman takes those over from
one in the machine's folder. The host's own is left as it is.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from jujulet.core import charm

from .protocol import MachineError, MachineSpec
from .state_folders import Given
from .tools import Failed, run

logger = logging.getLogger(__name__)

_IS = {'unix-char': stat.S_ISCHR, 'unix-block': stat.S_ISBLK}


def there(device: charm.Device) -> bool:
    """Whether the host has it."""
    try:
        return _IS[device.kind](os.stat(device.source).st_mode)
    except OSError:
        return False


def nodes(devices: Iterable[charm.Device], folder: Path) -> dict[str, Path]:
    """Make nodes in *folder*, anew, for those of *devices* that the host has; by their path in the machine.

    Raises:
        OSError: one could not be made.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    made: dict[str, Path] = {}
    for number, device in enumerate(d for d in devices if there(d)):
        node, host = folder / str(number), os.stat(device.source)
        os.mknod(node, stat.S_IFMT(host.st_mode) | device.mode, host.st_rdev)
        os.chown(node, device.uid, device.gid)
        node.chmod(device.mode)  # Whatever this process keeps to itself (its umask).
        made[device.path] = node
    return made


async def given(spec: MachineSpec, proc: Sequence[str]) -> Given:
    """Which of a machine's devices and kernel modules the host has, and that it asks for files of :mod:`procfiles`.

    Modules are loaded, as LXD does.
    """
    found = {device.path: there(device) for device in spec.devices}
    found |= {module: await load(module) for module in spec.modules}
    asked = [*map(str, spec.devices), *spec.modules, *proc]
    return Given(found, '\n'.join(asked))


async def load(module: str) -> bool:
    """Have the host's kernel load a module if it is not there; whether it is."""
    name = module.replace('-', '_')
    if not name.isidentifier() or not name.isascii():
        logger.warning('"%s" is no name of a kernel module', module)
        return False
    if Path('/sys/module', name).is_dir() or _built_in(name):
        return True
    try:
        await run(['modprobe', '--quiet', '--', module])
    except (Failed, MachineError):  # It may have none to load, and no program for that.
        return False
    return True


def _built_in(name: str) -> bool:
    listed = Path('/lib/modules', os.uname().release, 'modules.builtin')
    try:
        files = listed.read_text().splitlines()
    except OSError:
        return False
    return name in {Path(f).name.partition('.')[0].replace('-', '_') for f in files}
