"""What turns a distribution's minimal file system into a machine as Juju makes them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from .tools import run

MASKED = (
    *('console-getty.service', 'getty.target', 'getty-static.service', 'systemd-logind.service'),
    *('systemd-udevd.service', 'systemd-udev-trigger.service', 'systemd-udev-settle.service'),
    *('systemd-udevd-control.socket', 'systemd-udevd-kernel.socket', 'systemd-timesyncd.service'),
    *('systemd-sysctl.service', 'systemd-modules-load.service', 'systemd-remount-fs.service'),
    *(
        'systemd-update-utmp.service',
        'systemd-update-utmp-runlevel.service',
        'systemd-firstboot.service',
    ),
    *('systemd-journal-flush.service', 'systemd-binfmt.service', 'systemd-hwdb-update.service'),
    *(
        'systemd-pcrphase.service',
        'systemd-pcrphase-sysinit.service',
        'systemd-networkd-wait-online.service',
    ),
    *('apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'man-db.timer'),
    *(
        'e2scrub_all.timer',
        'e2scrub_reap.service',
        'fstrim.timer',
        'motd-news.timer',
        'ua-timer.timer',
    ),
    *('dev-hugepages.mount', 'sys-fs-fuse-connections.mount', 'sys-kernel-config.mount'),
    *('sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'proc-sys-fs-binfmt_misc.automount'),
    *('ssh.socket',),
)
"""Units that a container cannot run or need not: hardware, consoles, timers that take the archive's lock."""

FILES = {
    'etc/systemd/journald.conf.d/jujulet.conf': (
        '[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\nForwardToConsole=no\n'
    ),
    'etc/systemd/system.conf.d/jujulet.conf': (
        '[Manager]\nDefaultTimeoutStopSec=10s\nLogLevel=notice\nShowStatus=no\n'
    ),
    'etc/systemd/system/ssh.service.d/jujulet.conf': (
        '[Service]\nExecStartPre=\n'
        "ExecStartPre=/bin/sh -c 'test -s /etc/ssh/ssh_host_ed25519_key ||"
        ' ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key\'\n'
        'ExecStartPre=/usr/sbin/sshd -t\n'
    ),
    # A machine's network settings are its own (ip_nonlocal_bind for a virtual address); the rest of the
    # kernel's are the host's and stay read-only.
    'etc/systemd/system/jujulet-sysctl.service': (
        '[Unit]\nDescription=Network settings of this machine\nDefaultDependencies=no\n'
        'Before=sysinit.target\nConditionPathIsReadWrite=!/proc/sys/net\n'
        '[Service]\nType=oneshot\nRemainAfterExit=yes\n'
        'ExecStart=/bin/mount --bind /proc/sys/net /proc/sys/net\n'
        'ExecStart=/bin/mount -o remount,bind,rw /proc/sys/net\n'
        '[Install]\nWantedBy=sysinit.target\n'
    ),
    'etc/sudoers.d/90-ubuntu': 'ubuntu ALL=(ALL) NOPASSWD:ALL\n',
    'etc/apt/apt.conf.d/95jujulet': (
        'APT::Periodic::Enable "0";\nDPkg::Lock::Timeout "60";\nAPT::Install-Recommends "true";\n'
    ),
    'etc/dpkg/dpkg.cfg.d/jujulet': 'force-unsafe-io\n',
    'etc/hostname': 'machine\n',
    'etc/fstab': '',
    'etc/machine-id': '',
}

VERSION = 2
"""Raised when :func:`mend` does something else than before."""

DIGEST = hashlib.sha256(json.dumps([VERSION, MASKED, FILES]).encode()).hexdigest()


def settings(root: Path) -> None:
    """Our files below *root*, and the folders that Juju has on each machine.

    Everybody may read them, as on any machine, whatever this process keeps to itself (its umask).
    """
    for name, content in FILES.items():
        path = root / name
        _folder(path.parent)
        path.write_text(content)
        path.chmod(0o644)
    (root / 'etc/sudoers.d/90-ubuntu').chmod(0o440)
    for part in ('agents', 'tools', 'agent'):
        _folder(root / 'var/lib/juju' / part)
    (root / 'var/lib/juju/run').mkdir(mode=0o700, exist_ok=True)  # Sockets that obey.
    _folder(root / 'var/log/juju')
    _folder(root / 'usr/lib/jujulet')


def _folder(path: Path) -> None:
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
        each.chmod(0o755)


async def mend(root: Path) -> None:
    """Change the fresh file system at *root*: user ``ubuntu``, our units, no identity of its own.

    Raises:
        tools.Failed: a program in it failed.
    """
    settings(root)
    units = root / 'etc/systemd/system'
    for unit in MASKED:
        path = units / unit
        path.unlink(missing_ok=True)
        path.symlink_to('/dev/null')
    for key in (root / 'etc/ssh').glob('ssh_host_*'):
        key.unlink()
    (root / 'var/lib/dbus/machine-id').unlink(missing_ok=True)
    shutil.rmtree(root / 'var/log/journal', ignore_errors=True)
    script = (
        'set -e; '
        'id ubuntu >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --uid 1000 ubuntu; '
        'systemctl enable --quiet jujulet-sysctl.service ssh.service; systemctl set-default --quiet multi-user.target; '
        'update-ca-certificates >/dev/null 2>&1; apt-cache gencaches; rm -rf /tmp/* /var/tmp/*'
    )
    await run(['chroot', str(root), '/bin/sh', '-c', script], timeout=120)
