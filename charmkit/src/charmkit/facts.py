"""What the machine is: read from ``/etc`` and ``/proc``, nothing changed."""

from __future__ import annotations

import os
import pathlib

from . import state


def read(root: pathlib.Path = pathlib.Path('/')) -> state.Facts:
    """The facts of the machine whose files are under *root*.

    Raises:
        OSError: where there is no ``os-release`` or no ``meminfo``.
    """
    return state.Facts(
        base=_base((root / 'etc/os-release').read_text()),
        cpus=_cpus(root),
        memory_mib=_memory_mib(root),
    )


def _base(os_release: str) -> str:
    fields = dict(
        line.split('=', 1) for line in os_release.splitlines() if '=' in line and line[0] != '#'
    )
    return '@'.join(fields.get(key, '').strip('\'"') for key in ('ID', 'VERSION_ID'))


def _cpus(root: pathlib.Path) -> int:
    seen = len(os.sched_getaffinity(0))
    quota, _, period = _first(root, 'sys/fs/cgroup/cpu.max').partition(' ')  # cgroup v2
    if not quota:
        quota = _first(root, 'sys/fs/cgroup/cpu/cpu.cfs_quota_us')  # cgroup v1
        period = _first(root, 'sys/fs/cgroup/cpu/cpu.cfs_period_us')
    if quota.isdecimal() and period.isdecimal():
        seen = min(seen, -(-int(quota) // int(period)))
    return max(seen, 1)


def _memory_mib(root: pathlib.Path) -> int:
    total = (root / 'proc/meminfo').read_text().split('MemTotal:')[1].split()[0]
    limits = [int(total) // 1024]
    for name in ('sys/fs/cgroup/memory.max', 'sys/fs/cgroup/memory/memory.limit_in_bytes'):
        value = _first(root, name)
        if value.isdecimal():
            limits.append(int(value) // 2**20)
    return min(limits)


def _first(root: pathlib.Path, name: str) -> str:
    try:
        return (root / name).read_text().strip()
    except OSError:
        return ''
