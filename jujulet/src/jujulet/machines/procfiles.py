"""Files of ``/proc`` that are a machine's own, as LXD's machines have them: LXCFS on the host has them for each reader.

It gives a machine's uptime by its process 1, and memory and swap space by its limit.
Source: lxcfs(1); LXD mounts the same.

LXCFS is a program that answers for a file system. One that has ended leaves a mount behind at which all fails
(``ENOTCONN``); one that hangs keeps whoever has asked it in the kernel, where no signal reaches that process. So only
a process of its own ever asks (:func:`look`), and is left alone when it does not answer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from . import mounts

FOLDER = Path('/var/lib/lxcfs/proc')
"""Where the package's service has them."""
NAMES = ('meminfo', 'swaps', 'uptime')
PATIENCE_S = 5.0
"""How long LXCFS may take to say something: one that hangs is none."""

_EMPTY = -1
_DEAD = frozenset({errno.ENOTCONN, errno.ECONNABORTED})
_ASKS = """
import json, sys
found = {}
for path in sys.argv[1:]:
    try:
        with open(path, 'rb') as file:
            found[path] = 0 if file.read(1) else -1
    except OSError as error:
        found[path] = error.errno
print(json.dumps(found))
"""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What was found of LXCFS."""

    state: Literal['serves', 'none', 'dead', 'hangs']
    """``dead``: its mount is there and nobody answers for it; ``hangs``: somebody should, and does not."""
    names: tuple[str, ...] = ()
    """Those of :data:`NAMES` that it has; empty unless it serves."""
    point: str = ''
    """Where it is mounted, if it is."""
    device: str = ''
    """Its file system, as :class:`mounts.Mount` names it."""


def there(folder: Path | None = None) -> tuple[str, ...]:
    """Those of :data:`NAMES` that LXCFS has; none where it does not run, or answers no more."""
    return look(folder).names


def look(folder: Path | None = None) -> Seen:
    """Ask LXCFS, for :data:`PATIENCE_S` at most. Who asked one that hangs is not waited for.

    As long as that process is kept there nobody else asks the same mount: it hangs still. Who came meanwhile asks no
    more, either.
    """
    where, came = folder or FOLDER, _clock()
    mount = mounts.holding(mounts.read(), where)
    device = mount.device if mount else ''
    with _asking:
        for key, process in list(_kept.items()):
            if process.poll() is not None:
                del _kept[key]
        kept = (where, device)
        found = None
        if kept not in _kept and _hung.get(kept, came) <= came:
            found = _ask(kept)
            if found is None:
                _hung[kept] = _clock()
    return judged(found, where, mount)


def judged(found: Mapping[str, int] | None, folder: Path, mount: mounts.Mount | None) -> Seen:
    """What errors (``errno``; 0: it says something) mean, by the path of each file; None: no answer. Pure."""
    point, device = (mount.point, mount.device) if mount else ('', '')
    if found is None:
        return Seen('hangs', (), point, device)
    names = tuple(name for name in NAMES if found.get(f'{folder}/{name}') == 0)
    if names:
        return Seen('serves', names, point, device)
    dead = any(number in _DEAD for number in found.values())
    return Seen('dead' if dead else 'none', (), point, device)


def stale(machine: Sequence[mounts.Mount], seen: Seen) -> bool:
    """Whether a machine, by what is mounted in it, has files of an LXCFS that answers no more. Pure.

    LXCFS that was started anew is another file system; who has files of the former has them until the next start.
    """
    own = [m for name in NAMES if (m := mounts.at(machine, Path('/proc') / name))]
    return any(
        m.kind.startswith('fuse') and (seen.state != 'serves' or m.device != seen.device)
        for m in own
    )


def volumes(names: Sequence[str], folder: Path | None = None) -> tuple[str, ...]:
    """What podman is told of them."""
    return tuple(f'--volume={folder or FOLDER}/{name}:/proc/{name}:ro' for name in names)


# One process asks at a time; one that LXCFS keeps stays here until the kernel lets it go.
_asking = threading.Lock()
_kept: dict[tuple[Path, str], subprocess.Popen[bytes]] = {}
_hung: dict[tuple[Path, str], float] = {}
_clock = time.monotonic


def _ask(key: tuple[Path, str]) -> dict[str, int] | None:
    """The error of each file, by its path; None where there was no answer in time."""
    paths = [f'{key[0]}/{name}' for name in NAMES]
    process = subprocess.Popen(
        (sys.executable, '-ISc', _ASKS, *paths),
        cwd='/',
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        said = process.communicate(timeout=PATIENCE_S)[0]
    except subprocess.TimeoutExpired:
        _abandon(key, process)
        return None
    try:
        return json.loads(said)
    except ValueError:
        return {}


def _abandon(key: tuple[Path, str], process: subprocess.Popen[bytes]) -> None:
    """Have it end as soon as it can: killed, but not waited for."""
    process.kill()
    if process.stdout:
        process.stdout.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.2)  # Most do: a busy host was slow.
    if process.returncode is None:
        _kept[key] = process
