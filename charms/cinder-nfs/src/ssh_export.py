"""A directory of cinder's machine that stands for an NFS share, and the way to it from other machines. Pure.

Cinder and nova mount what the driver names by ``mount -t nfs``, and ask no more of it than the program
``mount.nfs``. Ours takes its place (a diversion of dpkg's) and mounts the directory itself on the machine that
has it, elsewhere by sshfs. What is another host's share goes to nfs-common's program as before.

An SSH server of its own, beside the machine's, has the directory and nothing else: no shell, no forwarding, a root
directory of its own. Each machine makes its own key, which never leaves it; units tell one another the public halves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from charmkit import host
from charmkit.relations import Databag, host_in_url

PORT = 8022
ROOT = '/srv/cinder-nfs'
EXPORT = '/volumes'
"""Its name in :data:`ROOT`, and in shares."""
SERVICE = 'cinder-nfs-store'
FOLDER = '/etc/cinder-nfs'
KEY = f'{FOLDER}/key'
HOST_KEY = f'{FOLDER}/host_key'
MOUNT = '/usr/local/lib/cinder-nfs/mount.nfs'
FUSE = '/dev/fuse'
_REAL = '/usr/local/lib/cinder-nfs/real'
_NOTE = '# Written by the charm: local changes are overwritten.\n'
_ADDRESS = re.compile(r'[0-9A-Fa-f.:]{2,45}')
_KEY = re.compile(r'ssh-ed25519 [A-Za-z0-9+/]{68}')

STORE_KEY, STORE_ADDRESS, CLIENT_KEY = 'store-key', 'store-address', 'client-key'
"""What units tell one another."""

_DIVERT = """set -e
for path in /sbin/mount.nfs /usr/sbin/mount.nfs; do
    dpkg-divert --quiet --local --no-rename --divert $path.distrib --add $path
done
[ -L /sbin/mount.nfs ] || [ ! -e /sbin/mount.nfs ] || mv /sbin/mount.nfs /sbin/mount.nfs.distrib
ln -sf "$1" /sbin/mount.nfs
"""
_UNDO = """set -e
[ "$(readlink /sbin/mount.nfs)" = "$1" ] || exit 0
rm /sbin/mount.nfs
[ ! -e /sbin/mount.nfs.distrib ] || mv /sbin/mount.nfs.distrib /sbin/mount.nfs
for path in /sbin/mount.nfs /usr/sbin/mount.nfs; do
    dpkg-divert --quiet --local --no-rename --divert $path.distrib --remove $path
done
"""
# Libvirt moves a guest that runs only where it knows the file system as one that machines share, by this name in
# the table of mounts. It knows FUSE's of glusterfs, and none of sshfs; `shared_filesystems` of its qemu.conf, where
# a directory could be named, is younger than Debian 12's. (virFileIsSharedFSFUSE, src/util/virfile.c)
_SUBTYPE = 'glusterfs'
_SSHFS = (
    f'subtype={_SUBTYPE},allow_other,default_permissions,dev,suid,reconnect,BatchMode=yes,IdentitiesOnly=yes,'
    f'IdentityFile={KEY},StrictHostKeyChecking=yes,UserKnownHostsFile={FOLDER}/known_hosts,'
    'GlobalKnownHostsFile=/dev/null,ServerAliveInterval=15,ServerAliveCountMax=3'
)


def stores(peers: Mapping[str, Databag]) -> dict[str, str]:
    """By address: the host key of each unit that serves a directory."""
    published = ((bag.get(STORE_ADDRESS, ''), bag.get(STORE_KEY, '')) for bag in peers.values())
    return {a: k for a, k in sorted(published) if _ADDRESS.fullmatch(a) and _KEY.fullmatch(k)}


def clients(peers: Mapping[str, Databag]) -> list[str]:
    """The public keys of the machines that may reach it."""
    published = sorted(bag.get(CLIENT_KEY, '') for bag in peers.values())
    return [key for key in published if _KEY.fullmatch(key)]


def share(address: str) -> str:
    """The share that the unit at *address* serves, as NFS's are spelt."""
    return f'{host_in_url(address)}:{EXPORT}'


def diverted(wanted: bool) -> host.Command:
    """Have ``mount.nfs`` be ours, or nfs-common's again."""
    script = _DIVERT if wanted else _UNDO
    return host.Command(
        name='mount.nfs',
        argv=('/bin/sh', '-c', script, 'sh', MOUNT),
        key=host.digest(f'{wanted} {script}'),
    )


def mounting(own: str, others: Mapping[str, str]) -> host.Host:
    """``mount.nfs`` for the share of this unit at *own* ('' for none), and for those of *others*."""
    cases = [f'{share(own)}) exec mount --bind {ROOT}{EXPORT} "$2" ;;'] if own else []
    cases += [
        f'{share(a)}) exec sshfs -p {PORT} -o {_SSHFS} root@{share(a)} "$2" ;;'
        for a in others
        if a != own
    ]
    quoted = '\n'.join(f'    {case.replace("[", chr(92) + "[")}' for case in cases)
    script = f"""#!/bin/sh
{_NOTE}# In the place of nfs-common's: these shares are directories of cinder's units.
case "$1" in
{quoted}
esac
real={_REAL}/${{0##*/}}
[ ! -x "$real" ] || exec "$real" "$@"
[ $# -ge 2 ] || exit 0    # cinder only looks whether it is there
echo "mount.nfs: $1: no unit of cinder-nfs serves it, and nfs-common is not installed" >&2
exit 32
"""
    return host.Host(
        directories=(
            host.Directory(path='/usr/local/lib/cinder-nfs'),
            host.Directory(path=_REAL),
            host.Directory(path=FOLDER, mode=0o700),
        ),
        files=(host.File(path=MOUNT, content=script, mode=0o755),),
        links=tuple(
            host.Link(path=f'{_REAL}/{name}', target='/sbin/mount.nfs.distrib')
            for name in ('mount.nfs', 'mount.nfs4', 'umount.nfs', 'umount.nfs4')
        ),
        commands=(diverted(True),),
    )


def client(others: Mapping[str, str]) -> host.Host:
    """What reaches the directories of *others*: host keys by address."""
    known = ''.join(f'[{a}]:{PORT} {key}\n' for a, key in others.items())
    return host.Host(
        packages=frozenset({'sshfs'}),
        files=(
            host.File(path=f'{FOLDER}/known_hosts', content=known, mode=0o600),
            # In a container /dev is empty again after each restart.
            host.File(
                path='/etc/tmpfiles.d/cinder-nfs.conf',
                content=f'{_NOTE}c! {FUSE} 0666 root root - 10:229\n',
            ),
        ),
        commands=(
            _made(KEY),
            host.Command(
                name='make fuse',
                argv=('systemd-tmpfiles', '--create', '--boot', '/etc/tmpfiles.d/cinder-nfs.conf'),
                key='1',
            ),
        ),
    )


def store(address: str, keys: list[str]) -> host.Host:
    """The directory, and the server at *address* that lets in whoever has one of *keys*."""
    listen = f'{host_in_url(address)}:{PORT}'
    server = f"""{_NOTE}ListenAddress {listen}
HostKey {HOST_KEY}
AuthorizedKeysFile {FOLDER}/authorized_keys
AuthenticationMethods publickey
AllowUsers root
PermitRootLogin prohibit-password
UsePAM yes
ChrootDirectory {ROOT}
ForceCommand internal-sftp
Subsystem sftp internal-sftp
DisableForwarding yes
PermitTTY no
PermitUserRC no
PidFile none
"""
    unit = f"""{_NOTE}[Unit]
Description=Volumes of cinder, for compute nodes
After=network-online.target
Wants=network-online.target

[Service]
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
ExecStart=/usr/sbin/sshd -D -e -f {FOLDER}/sshd_config
# Who is connected stays: servers run on what they have open.
KillMode=process
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""
    return host.Host(
        packages=frozenset({'openssh-server'}),
        directories=(
            host.Directory(path=ROOT),
            host.Directory(path=f'{ROOT}{EXPORT}', owner='cinder', group='cinder'),
        ),
        files=(
            host.File(path=f'{FOLDER}/sshd_config', content=server, notify=(SERVICE,)),
            host.File(
                path=f'{FOLDER}/authorized_keys',
                content=''.join(f'restrict {key}\n' for key in keys),
                mode=0o600,
            ),
            host.File(
                path=f'/etc/systemd/system/{SERVICE}.service', content=unit, notify=(SERVICE,)
            ),
        ),
        commands=(_made(HOST_KEY),),
        services=(host.SystemdService(SERVICE, probe=listen),),
    )


def _made(path: str) -> host.Command:
    script = f'test -s {path}.pub || ssh-keygen -q -t ed25519 -N "" -C cinder-nfs -f {path}'
    return host.Command(name=f'make {path}', argv=('/bin/sh', '-c', script), key='1')


def public(text: str | None) -> str:
    """The key in a ``.pub`` file, without its comment; '' when it is none."""
    found = _KEY.match(text or '')
    return found[0] if found else ''
