"""What the machine is: read from ``/etc`` and ``/proc``, nothing changed."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from .machine import Facts


def read(root: pathlib.Path = pathlib.Path('/')) -> Facts:
    """The facts of the machine whose files are under *root*.

    Raises:
        OSError: where there is no ``os-release`` or no ``meminfo``.
    """
    seen = _seen_interfaces()
    return Facts(
        base=_base((root / 'etc/os-release').read_text()),
        cpus=_cpus(root),
        memory_mib=_memory_mib(root),
        interfaces=interfaces(seen),
        hostname=platform.node(),
        container=_is_container(),
        links=links(seen),
        kernel_openvswitch=_has_module(root, 'openvswitch'),
    )


def _is_container() -> bool:
    """As systemd sees it, which knows every kind of container by what it leaves in it."""
    try:
        done = subprocess.run(['systemd-detect-virt', '--container', '--quiet'], check=False)
    except OSError:
        return False
    return done.returncode == 0


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


def _seen_interfaces() -> list[dict[str, Any]]:
    try:
        argv = ['ip', '-j', 'address', 'show']
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return []


def interfaces(seen: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By address the interface that has it, of what ``ip -j address show`` says."""
    return {a['local']: i['ifname'] for i in seen for a in i['addr_info'] if 'local' in a}


def links(seen: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By interface its MAC, of the same; those that have one."""
    return {i['ifname']: i['address'] for i in seen if i.get('link_type') == 'ether'}


def _has_module(root: pathlib.Path, name: str) -> bool:
    """Whether the kernel has a module *name*: in it, loaded, or where it would be loaded from."""
    if (root / 'sys/module' / name).is_dir():
        return True
    release = _first(root, 'proc/sys/kernel/osrelease')
    known = (f'lib/modules/{release}/{file}' for file in ('modules.builtin', 'modules.dep'))
    return bool(release) and any(f'/{name}.ko' in _first(root, path) for path in known)


def _first(root: pathlib.Path, name: str) -> str:
    try:
        return (root / name).read_text().strip()
    except OSError:
        return ''
