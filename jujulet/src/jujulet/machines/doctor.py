"""What this host lacks to run machines, and the one command that brings it. Looks only; changes nothing.

:func:`look` gathers facts (the edge), :func:`findings` judges them (pure).
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from jujulet.core import charm

from . import commands, images, kernel, mounts, overlays, procfiles, runtimes
from .state_folders import StateFolders

PROGRAMS = {
    'podman': 'podman',
    'conmon': 'conmon',
    'mmdebstrap': 'mmdebstrap',
    'mount': 'mount',
    'nft': 'nftables',
    'setsid': 'util-linux',
}
"""Programs that we need, and the package that has each."""

ENOUGH = 4 * 1024**3
"""Bytes free below which we warn: a base is 0.4 GB, an install layer about as much."""


_BASES = (
    charm.Base('debian', '12'),
    charm.Base('debian', '13'),
    charm.Base('ubuntu', '24.04'),
)


@dataclasses.dataclass(frozen=True)
class Facts:
    """What was seen of the host."""

    uid: int
    programs: frozenset[str]
    """Those of :data:`PROGRAMS`, the runtimes and the helpers of the network that are there."""
    cgroup: Literal['v1', 'hybrid', 'v2', 'none']
    overlay: bool
    """The kernel mounts overlays."""
    filesystem: str
    """Type of the file system that holds the state directory."""
    free: int
    """Bytes free there."""
    backend: str
    """Podman's network backend: ``netavark``, ``cni``, or empty."""
    remembered: str
    """The file in which podman keeps its choice of a network backend, made when it was first run."""
    bounding: int
    """Capabilities that processes here may have."""
    kernel: tuple[tuple[str, int], ...]
    """Settings of the kernel, see ``kernel.WANTED``."""
    bases: tuple[tuple[str, str], ...]
    """Each base with why it cannot be built; empty: it can."""
    proc: procfiles.Seen
    """What gives machines files of ``/proc`` of their own, see :mod:`procfiles`."""
    stale: tuple[tuple[str, str], ...] = ()
    """Model and id of each machine whose own files of ``/proc`` can be read no more."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    level: Literal['ok', 'warning', 'error']
    message: str
    remedy: str = ''
    """The one command that puts it right; empty if there is none."""


SILENT = 'not said'
"""For a network backend: podman did not answer, which says nothing of what it can."""


def look(state: Path) -> Facts:
    """Gather the facts. *state* need not exist."""
    store = _said(
        ['podman', 'info', '--format={{.Store.GraphRoot}} {{.Host.NetworkBackend}}']
    ).split()
    place = state
    while not place.exists():
        place = place.parent
    wanted = (*PROGRAMS, *runtimes.KNOWN, 'netavark', 'iptables')
    proc = procfiles.look()
    return Facts(
        uid=os.geteuid(),
        programs=frozenset(name for name in wanted if _there(name)),
        cgroup=_cgroup(),
        overlay=_overlay(),
        filesystem=overlays.filesystem(place),
        free=shutil.disk_usage(place).free,
        backend=store[1] if store[1:] else '' if store else SILENT,
        remembered=f'{store[0] if store else _STORE}/defaultNetworkBackend',
        bounding=runtimes.bounding(),
        kernel=tuple(kernel.settings().items()),
        bases=tuple((str(base), images.why_not(base)) for base in _BASES),
        proc=proc,
        stale=tuple(_stale(StateFolders(state), proc)),
    )


def findings(facts: Facts) -> list[Finding]:
    """What there is to say of a host, errors first."""
    found = [
        _root(facts),
        _programs(facts),
        _runtime(facts),
        _cgroups(facts),
        _storage(facts),
        _room(facts),
        _network(facts),
        _capabilities(facts),
        _isolation(),
        _proc(facts),
        *_stale_proc(facts),
        _kernel(facts),
        *_bases(facts),
    ]
    return sorted(found, key=lambda f: ('error', 'warning', 'ok').index(f.level))


def remedy(found: Sequence[Finding]) -> str:
    """One command for everything that a package brings; empty if no package is missing."""
    packages = [
        word
        for finding in found
        if finding.level != 'ok' and finding.remedy.startswith(_INSTALL)
        for word in finding.remedy.removeprefix(_INSTALL).partition(' && ')[0].split()
    ]
    return _INSTALL + ' '.join(sorted(set(packages))) if packages else ''


_INSTALL = 'apt-get install --yes '
_STORE = '/var/lib/containers/storage'


def _root(facts: Facts) -> Finding:
    if facts.uid == 0:
        return Finding('user', 'ok', 'root')
    return Finding('user', 'error', 'system containers need root', 'sudo jujulet …')


def _programs(facts: Facts) -> Finding:
    missing = [name for name in PROGRAMS if name not in facts.programs]
    if not missing:
        return Finding('programs', 'ok', ', '.join(PROGRAMS))
    packages = sorted({PROGRAMS[name] for name in missing})
    return Finding(
        'programs', 'error', f'missing: {", ".join(missing)}', _INSTALL + ' '.join(packages)
    )


def _runtime(facts: Facts) -> Finding:
    there = [name for name in runtimes.KNOWN if name in facts.programs]
    if not there:
        return Finding('runtime', 'error', 'neither runc nor crun is here', f'{_INSTALL}runc')
    if there == ['crun'] and facts.cgroup == 'hybrid':
        return Finding(
            'runtime', 'error', 'crun fails under hybrid control groups', f'{_INSTALL}runc'
        )
    return Finding('runtime', 'ok', there[0])


def _cgroups(facts: Facts) -> Finding:
    if facts.cgroup == 'none':
        return Finding(
            'control groups',
            'error',
            'none are mounted',
            'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
        )
    return Finding('control groups', 'ok', facts.cgroup)


def _storage(facts: Facts) -> Finding:
    if not facts.overlay:
        return Finding(
            'overlay', 'error', 'the kernel has no overlay file system', 'modprobe overlay'
        )
    if facts.filesystem in ('overlay', 'nfs', 'nfs4', 'fuse', 'vfat', '9p', 'virtiofs'):
        return Finding(
            'overlay',
            'error',
            f'the state directory is on {facts.filesystem}, which carries no overlay',
            _MOVE,
        )
    return Finding('overlay', 'ok', f'on {facts.filesystem}')


_MOVE = 'export JUJULET_DATA=/a/directory/on/a/local/disk'


def _room(facts: Facts) -> Finding:
    said = f'{facts.free / 1024**3:.1f} GiB free'
    if facts.free < ENOUGH:
        return Finding('disk', 'warning', f'only {said}', 'jujulet cache prune')
    return Finding('disk', 'ok', said)


def _network(facts: Facts) -> Finding:
    if 'podman' not in facts.programs:
        return Finding('network', 'warning', 'not known without podman')
    if facts.backend == SILENT:
        return Finding(
            'network', 'warning', f'podman did not answer within {TIMEOUT_S:.0f} s: not known'
        )
    if facts.backend == 'netavark':
        if not facts.programs & {'iptables', 'nft'}:
            return Finding(
                'network', 'error', 'netavark needs iptables or nft', f'{_INSTALL}iptables'
            )
        return Finding('network', 'ok', 'netavark')
    settle = f'printf netavark >{facts.remembered}'
    if 'netavark' not in facts.programs:
        settle = f'{_INSTALL}netavark && {settle}'
    if facts.backend == 'cni':
        return Finding(
            'network',
            'ok',
            'CNI, which works; podman 5 has none. To have netavark, when no container is left',
            settle,
        )
    return Finding('network', 'error', 'podman has no network backend that works', settle)


def _capabilities(facts: Facts) -> Finding:
    have = commands.capabilities(facts.bounding)
    needed = ('NET_ADMIN', 'NET_RAW', 'SYS_ADMIN')
    missing = [name for name in needed if name not in have]
    if missing:
        return Finding('capabilities', 'error', f'this host gives no {", ".join(missing)}')
    without = [name for name in commands.CAPABILITIES if name not in have]
    return Finding('capabilities', 'ok', f'all but {", ".join(without)}' if without else 'all')


def _isolation() -> Finding:
    """What a machine does not keep from its host. Juju's LXD machines have a user namespace of their own."""
    said = (
        'root in a machine is root on this host (no user namespaces): deploy charms that you trust'
    )
    return Finding('isolation', 'ok', said)


def _proc(facts: Facts) -> Finding:
    seen = facts.proc
    if seen.state == 'serves':
        return Finding('/proc', 'ok', f'machines have their own {", ".join(seen.names)} (LXCFS)')
    if seen.state == 'none':
        said = "machines see this host's uptime and memory: LXCFS does not run"
        return Finding('/proc', 'ok', said, f'{_INSTALL}lxcfs && systemctl enable --now lxcfs')
    why = {
        'dead': f'LXCFS has ended and left its mount at {seen.point} behind',
        'hangs': f'LXCFS at {seen.point} does not answer within {procfiles.PATIENCE_S:.0f} s',
    }[seen.state]
    return Finding(
        '/proc',
        'warning',
        f"{why}: machines that start now see this host's uptime and memory",
        f'umount --lazy {seen.point} && systemctl restart lxcfs',
    )


def _stale_proc(facts: Facts) -> Iterator[Finding]:
    if not facts.stale:
        return
    which = ', '.join(f'{model}:{machine}' for model, machine in facts.stale)
    yield Finding(
        '/proc in machines',
        'warning',
        f'uptime and memory cannot be read in {which}: the LXCFS of their start answers no more; restart them',
        '; '.join(
            f'juju ssh --model {model} {machine} sudo reboot' for model, machine in facts.stale
        ),
    )


def _kernel(facts: Facts) -> Finding:
    low = kernel.lacking(dict(facts.kernel))
    if not low:
        return Finding('kernel limits', 'ok', 'high enough')
    said = ' '.join(f'{name}={value}' for name, value in low.items())
    level = 'ok' if facts.uid == 0 else 'warning'
    return Finding(
        'kernel limits',
        level,
        'low for many machines; raised with the first one',
        f'sysctl -w {said}',
    )


def _bases(facts: Facts) -> list[Finding]:
    able = [base for base, why in facts.bases if not why]
    found = [Finding(f'base {base}', 'warning', why) for base, why in facts.bases if why]
    if able:
        return [*found, Finding('bases', 'ok', ', '.join(able))]
    keyring = f'{_INSTALL}debian-archive-keyring'
    return [*found, Finding('bases', 'error', 'no base can be built', keyring)]


# Looking


def _there(name: str) -> bool:
    where = f'{os.environ.get("PATH", "")}:/usr/bin:/usr/sbin:/bin:/sbin:/usr/lib/podman:/usr/libexec/podman'
    return shutil.which(name, path=where) is not None


def _cgroup() -> Literal['v1', 'hybrid', 'v2', 'none']:
    kinds = {m.kind for m in mounts.read()}
    if 'cgroup' in kinds:
        return 'hybrid' if 'cgroup2' in kinds else 'v1'
    return 'v2' if 'cgroup2' in kinds else 'none'


def _stale(folders: StateFolders, seen: procfiles.Seen) -> Iterator[tuple[str, str]]:
    for (model, machine), said in folders.known().items():
        try:
            pid = int(commands.pidfile(folders.root(model, machine)).read_text())
            inside = mounts.read(Path(f'/proc/{pid}/mountinfo'))
        except (OSError, ValueError):  # It does not run, or is no container.
            continue
        if procfiles.stale(inside, seen):
            yield str(said.get('model_name', model)), machine


def _overlay() -> bool:
    if 'overlay' in Path('/proc/filesystems').read_text():
        return True
    return bool(_said(['modinfo', '--field=name', 'overlay']).strip())


TIMEOUT_S = 120.0
"""How long a program may take to say what it has; on a host that starts thirty machines podman took 44 seconds."""


def _said(argv: Sequence[str]) -> str:
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ''
