"""Files of ``/proc`` that are a machine's own, as LXD's machines have them: LXCFS on the host has them for each reader.

It gives a machine's uptime by its process 1, and memory and swap space by its limit.
Source: lxcfs(1); LXD mounts the same.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path('/var/lib/lxcfs/proc')
"""Where the package's service has them."""
NAMES = ('meminfo', 'swaps', 'uptime')
PATIENCE_S = 2.0
"""How long LXCFS may take to say something: one that hangs is none."""


def there(folder: Path | None = None) -> tuple[str, ...]:
    """Those of :data:`NAMES` that LXCFS has; none where it does not run, or answers no more.

    Another process reads: one that LXCFS keeps waiting can be ended.
    """
    where = folder or FOLDER
    if not where.is_dir():
        return ()
    try:
        done = subprocess.run(
            ('cat', where / 'uptime'), capture_output=True, check=False, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return NAMES if done.returncode == 0 and done.stdout.strip() else ()


def volumes(names: Sequence[str], folder: Path | None = None) -> tuple[str, ...]:
    """What podman is told of them."""
    return tuple(f'--volume={folder or FOLDER}/{name}:/proc/{name}:ro' for name in names)
