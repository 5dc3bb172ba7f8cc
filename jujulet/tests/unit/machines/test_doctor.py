"""What the doctor says of a host."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from jujulet.core import charm
from jujulet.machines import (
    commands,
    doctor,
    kernel,
    mounts,
    procfiles,
    protocol,
    state_folders,
)

WELL = doctor.Facts(
    uid=0,
    programs=frozenset({*doctor.PROGRAMS, 'runc', 'crun', 'netavark', 'iptables', 'nft'}),
    cgroup='v2',
    overlay=True,
    filesystem='ext4',
    free=50 * 1024**3,
    backend='netavark',
    remembered='/store/defaultNetworkBackend',
    bounding=(1 << 41) - 1,
    kernel=tuple(kernel.WANTED.items()),
    bases=(('debian@12', ''), ('debian@13', '')),
    proc=procfiles.Seen('serves', ('uptime',), '/var/lib/lxcfs', '0:50'),
)


def test_a_host_that_is_well_has_no_complaint_and_needs_no_remedy() -> None:
    found = doctor.findings(WELL)
    assert {f.level for f in found} == {'ok'}
    assert doctor.remedy(found) == ''


@pytest.mark.parametrize(
    ('wrong', 'name', 'level', 'says'),
    [
        ({'uid': 1000}, 'user', 'error', 'sudo'),
        (
            {'programs': WELL.programs - {'conmon', 'mmdebstrap'}},
            'programs',
            'error',
            'conmon mmdebstrap',
        ),
        ({'programs': WELL.programs - {'runc', 'crun'}}, 'runtime', 'error', 'runc'),
        ({'programs': WELL.programs - {'runc'}, 'cgroup': 'hybrid'}, 'runtime', 'error', 'runc'),
        ({'programs': WELL.programs - {'nft'}}, 'programs', 'error', 'nftables'),
        ({'cgroup': 'none'}, 'control groups', 'error', 'cgroup2'),
        ({'overlay': False}, 'overlay', 'error', 'modprobe overlay'),
        ({'filesystem': 'overlay'}, 'overlay', 'error', 'JUJULET_DATA'),
        ({'free': 10**9}, 'disk', 'warning', 'prune'),
        (
            {'backend': ''},
            'network',
            'error',
            'printf netavark >/store/defaultNetworkBackend',
        ),
        (
            {'backend': '', 'programs': WELL.programs - {'netavark'}},
            'network',
            'error',
            'install --yes netavark && printf netavark >',
        ),
        ({'bounding': 0}, 'capabilities', 'error', ''),
        ({'bases': (('debian@12', 'no archive'),)}, 'bases', 'error', 'keyring'),
    ],
)
def test_each_lack_is_found_alone_and_has_its_remedy(
    wrong: dict[str, object], name: str, level: str, says: str
) -> None:
    found = doctor.findings(dataclasses.replace(WELL, **wrong))  # type: ignore[arg-type]
    complaints = [f for f in found if f.level != 'ok' and not f.name.startswith('base ')]
    assert [(f.name, f.level) for f in complaints] == [(name, level)]
    assert says in complaints[0].remedy
    assert found[0].level != 'ok', 'what is wrong comes first'


def test_podmans_older_backend_is_well_and_how_to_leave_it_is_said() -> None:
    (found,) = [
        f for f in doctor.findings(dataclasses.replace(WELL, backend='cni')) if f.name == 'network'
    ]
    assert (found.level, found.remedy) == (
        'ok',
        'printf netavark >/store/defaultNetworkBackend',
    )


def test_one_command_brings_all_packages() -> None:
    bare = dataclasses.replace(WELL, programs=frozenset({'mount', 'setsid'}), backend='')
    assert (
        doctor.remedy(doctor.findings(bare))
        == 'apt-get install --yes conmon mmdebstrap nftables podman runc'
    )


def test_kernel_limits_that_are_low_are_named_with_what_they_should_be() -> None:
    low = (('fs.inotify.max_user_instances', 128), ('fs.aio-max-nr', 2_000_000))
    (found,) = [
        f
        for f in doctor.findings(dataclasses.replace(WELL, kernel=low, uid=1000))
        if f.name == 'kernel limits'
    ]
    assert found.level == 'warning'
    assert found.remedy == 'sysctl -w fs.inotify.max_user_instances=8192'


@pytest.mark.parametrize(('backend', 'level'), [(doctor.SILENT, 'warning'), ('', 'error')])
def test_a_podman_that_is_too_busy_to_answer_is_not_taken_for_one_without_networks(
    backend: str, level: str
) -> None:
    found = doctor.findings(dataclasses.replace(WELL, backend=backend))
    assert [f.level for f in found if f.name == 'network'] == [level]


def test_what_a_machine_does_not_keep_from_its_host_is_said():
    (found,) = (f for f in doctor.findings(WELL) if f.name == 'isolation')
    assert 'root in a machine is root on this host' in found.message


def test_it_says_whether_machines_have_files_of_proc_of_their_own() -> None:
    (found,) = [f for f in doctor.findings(WELL) if f.name == '/proc']
    assert (found.level, found.remedy) == ('ok', '')
    (without,) = [
        f
        for f in doctor.findings(dataclasses.replace(WELL, proc=procfiles.Seen('none')))
        if f.name == '/proc'
    ]
    assert without.level == 'ok'
    assert without.remedy == 'apt-get install --yes lxcfs && systemctl enable --now lxcfs'


@pytest.mark.parametrize('state', ['dead', 'hangs'])
def test_an_lxcfs_that_does_not_answer_is_named_with_the_way_to_be_rid_of_it(
    state: Literal['dead', 'hangs'],
) -> None:
    wrong = dataclasses.replace(WELL, proc=procfiles.Seen(state, (), '/var/lib/lxcfs', '0:50'))
    (found,) = [f for f in doctor.findings(wrong) if f.level != 'ok']
    assert found.name == '/proc'
    assert '/var/lib/lxcfs' in found.message
    assert found.remedy == 'umount --lazy /var/lib/lxcfs && systemctl restart lxcfs'


def test_machines_that_cannot_read_their_own_files_of_proc_are_named_with_how_to_restart_them() -> (
    None
):
    facts = dataclasses.replace(WELL, stale=(('cloud', '0'), ('cloud', '3')))
    (found,) = [f for f in doctor.findings(facts) if f.level != 'ok']
    assert 'cloud:0, cloud:3' in found.message
    assert found.remedy == (
        'juju ssh --model cloud 0 sudo reboot; juju ssh --model cloud 3 sudo reboot'
    )


def test_which_machines_those_are_is_read_from_what_is_mounted_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = state_folders.StateFolders(tmp_path)
    for machine, pid in (('0', '10'), ('1', '11'), ('2', 'none')):
        spec = protocol.MachineSpec('uuid', 'cloud', machine, charm.Base('debian', '12'), 'h')
        folders.keep_spec(spec)
        commands.pidfile(folders.root('uuid', machine)).write_text(pid)

    def read(path: Path = mounts.OWN) -> tuple[mounts.Mount, ...]:
        if path == Path('/proc/10/mountinfo'):
            return (mounts.Mount('/proc/uptime', '0:50', 'fuse.lxcfs'),)
        if path == mounts.OWN:
            return ()
        raise ProcessLookupError(path)

    def silent(_argv: Sequence[str]) -> str:
        return ''

    monkeypatch.setattr(mounts, 'read', read)
    monkeypatch.setattr(doctor, '_said', silent)
    monkeypatch.setattr(procfiles, 'FOLDER', tmp_path / 'none')
    assert doctor.look(tmp_path).stale == (('cloud', '0'),)
