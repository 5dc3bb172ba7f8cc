"""A real SSH server, a real FUSE mount: a directory of one machine stands for an NFS share on another."""

from __future__ import annotations

import time

import pytest

from .conftest import Cloud, Machine

pytestmark = [pytest.mark.functional, pytest.mark.slow]

AT = '/var/lib/nova/mnt'


def mounted(machine: Machine, share: str) -> None:
    """As os-brick mounts it."""
    machine.sh(f'mkdir -p {AT}; mountpoint -q {AT} || mount -t nfs -o vers=4.1 {share} {AT}')


def within(seconds: float, machine: Machine, script: str) -> str:
    end = time.monotonic() + seconds
    while not (said := machine.sh(script, check=False)).startswith('yes'):
        assert time.monotonic() < end, said
        time.sleep(1)
    return said


@pytest.fixture
def share(cloud: Cloud) -> str:
    return f'{cloud.store.address}:/volumes'


def test_both_units_come_to_rest(cloud: Cloud):
    for found in cloud.runs:
        assert found['failed'] == {}
        assert found['steps'] == []
        assert [s['kind'] for s in found['status']] == ['active']
    assert cloud.runs[0]['told']['stateless'] == 'False'


def test_what_one_writes_the_other_reads(cloud: Cloud, share: str):
    mounted(cloud.compute, share)
    mounted(cloud.store, share)
    cloud.store.sh(f'truncate -s 8M {AT}/volume-1; chmod ugo+rw {AT}/volume-1')
    cloud.compute.sh(
        f'dd if=/dev/urandom of={AT}/volume-1 bs=64k count=16 conv=notrunc,fsync oflag=direct'
    )
    sums = {m.sh(f'sha256sum < {AT}/volume-1') for m in (cloud.compute, cloud.store)}
    assert len(sums) == 1
    assert '8388608' in cloud.compute.sh(f'stat -c %s {AT}/volume-1')
    # Libvirt takes it for a file system that machines share, and moves guests whose volumes are there.
    assert 'fuse.glusterfs' in cloud.compute.sh(f'findmnt -n -o FSTYPE {AT}')
    assert 'fuse' not in cloud.store.sh(f'findmnt -n -o FSTYPE {AT}')


def test_a_file_may_change_hands_there(cloud: Cloud, share: str):
    """libvirt gives a volume to the user that its server runs as."""
    mounted(cloud.compute, share)
    cloud.compute.sh(f'touch {AT}/volume-2; chown 64055:64055 {AT}/volume-2; rm {AT}/volume-2')


def test_a_restart_of_the_server_is_survived(cloud: Cloud, share: str):
    mounted(cloud.compute, share)
    cloud.compute.sh(f'echo before > {AT}/volume-3')
    cloud.store.sh('systemctl kill --kill-whom=all -s KILL cinder-nfs-store')
    assert within(60, cloud.compute, f'timeout 20 grep -q before {AT}/volume-3 && echo yes')


def test_the_key_opens_the_directory_and_nothing_else(cloud: Cloud):
    options = (
        '-o BatchMode=yes -o UserKnownHostsFile=/etc/cinder-nfs/known_hosts '
        '-o StrictHostKeyChecking=yes -i /etc/cinder-nfs/key'
    )
    at = f'root@{cloud.store.address}'
    said = cloud.compute.sh(f'timeout 20 ssh -p 8022 {options} {at} id', check=False)
    assert 'uid=' not in said
    listed = cloud.compute.sh(f'echo ls / | timeout 20 sftp -P 8022 {options} {at}')
    assert '/volumes' in listed
    assert '/etc' not in listed
    said = cloud.compute.sh(f'timeout 20 ssh -p 22 {options} {at} id', check=False)
    assert 'uid=' not in said


def test_another_key_opens_nothing(cloud: Cloud):
    cloud.compute.sh('rm -f /tmp/k*; ssh-keygen -q -t ed25519 -N "" -f /tmp/k')
    said = cloud.compute.sh(
        'echo ls | timeout 20 sftp -P 8022 -o BatchMode=yes -o StrictHostKeyChecking=yes '
        '-o UserKnownHostsFile=/etc/cinder-nfs/known_hosts -o IdentitiesOnly=yes -i /tmp/k '
        f'root@{cloud.store.address}',
        check=False,
    )
    assert 'Permission denied (publickey)' in said


def test_the_share_of_another_server_goes_to_nfs_commons_program(cloud: Cloud):
    """Here it cannot mount it: there is no NFS in the kernel, or no such server."""
    said = cloud.compute.sh('mount -t nfs -o retry=0 192.0.2.1:/x /mnt', check=False)
    assert 'mount.nfs' in said
    assert 'no unit of cinder-nfs' not in said


def test_when_it_is_not_wanted_any_more_the_program_is_given_back(cloud: Cloud):
    """The last of them: nothing is mounted by the charm's program after it."""
    cloud.compute.sh(f'if mountpoint -q {AT}; then umount {AT}; fi')
    cloud.compute.reconcile(cloud.store, hook='stop')
    assert cloud.compute.sh('dpkg --verify nfs-common') == ''
    assert cloud.compute.sh('dpkg-divert --list "*mount.nfs"') == ''
    cloud.compute.reconcile(cloud.store)
    assert '/usr/local/lib/cinder-nfs' in cloud.compute.sh('readlink /sbin/mount.nfs')
