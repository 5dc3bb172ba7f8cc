"""Volumes in NFS shares or in a directory of cinder's machine: what each unit does, says and is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import ssh_export
from charmkit import testing as machines
from charmkit.machine import Finished
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

STORE_KEY, CLIENT_KEY = f'ssh-ed25519 {"S" * 68}', f'ssh-ed25519 {"C" * 68}'
SHARES = 'nfs.example.com:/volumes 192.0.2.9:/more'
Ctx = testing.Context[Any]


def lacking(name: str) -> Callable[[tuple[str, ...], str], Finished]:
    """A shell in which the program *name* does not succeed."""

    def call(argv: tuple[str, ...], _: str) -> Finished:
        return Finished(1 if argv[0].rpartition('/')[2] == name else 0)

    return call


@pytest.fixture
def machine(machine: machines.FakeMachine) -> machines.FakeMachine:
    machine.kept = {
        f'{ssh_export.HOST_KEY}.pub': f'{STORE_KEY} cinder-nfs\n',
        f'{ssh_export.KEY}.pub': f'{CLIENT_KEY} cinder-nfs\n',
        '/proc/filesystems': 'nodev\tsysfs\n\text4\nnodev\tnfs4\n',
    }
    return machine


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> Ctx:
    return testing.Context(shared.load('cinder-nfs').CinderNfsCharm)


def peers(**units: dict[str, str]) -> testing.PeerRelation:
    return testing.PeerRelation(
        'peers', peers_data={int(name[1:]): bag for name, bag in units.items()}
    )


STORAGE = testing.SubordinateRelation('storage-backend', remote_app_name='cinder')
COMPUTE = testing.SubordinateRelation('juju-info', remote_app_name='nova-compute')
A_STORE = {ssh_export.STORE_ADDRESS: '10.0.0.7', ssh_export.STORE_KEY: STORE_KEY}
A_CLIENT = {ssh_export.CLIENT_KEY: CLIENT_KEY}


def run(ctx: Ctx, *relations: testing.RelationBase, **options: str | bool) -> testing.State:
    given = {name.replace('_', '-'): value for name, value in options.items()}
    network = testing.Network(
        'peers',
        [testing.BindAddress([testing.Address('10.0.0.5')])],
        ingress_addresses=['10.0.0.5'],
    )
    state = testing.State(relations=relations, config=given, networks={network})
    return ctx.run(ctx.on.config_changed(), state)


def told(out: testing.State) -> dict[str, Any]:
    """What cinder is told: the backend's section, with the rest."""
    bag = dict(out.get_relation(STORAGE.id).local_unit_data)
    if 'subordinate_configuration' not in bag:
        return {}
    said = json.loads(bag['subordinate_configuration'])
    section = said['cinder']['/etc/cinder/cinder.conf']['sections'][bag['backend_name']]
    return {**bag, **dict(section)}


@pytest.mark.parametrize('base', shared.BASES)
@pytest.mark.parametrize(
    ('relation', 'options'),
    [
        (STORAGE, {'nfs_shares': SHARES, 'nfs_mount_options': 'vers=4.2,soft'}),
        (STORAGE, {'serve_directory': True}),
        (COMPUTE, {'serve_directory': True}),
    ],
    ids=['shares', 'store', 'compute'],
)
def test_files_are_as_the_golden_has_them(
    ctx: Ctx,
    machine: machines.FakeMachine,
    base: str,
    relation: testing.RelationBase,
    options: dict[str, Any],
    snapshot: SnapshotAssertion,
):
    machine.base = base
    run(ctx, relation, peers(u1=A_STORE, u2=A_CLIENT), **options)
    files = sorted(machine.desired.files, key=lambda f: f.path)
    text = '\n'.join(f'==> {f.path} {f.owner}:{f.group} {f.mode:04o}\n{f.content}' for f in files)
    assert text == snapshot


def test_without_an_option_it_says_which_there_are(ctx: Ctx):
    out = run(ctx, STORAGE, peers())
    assert out.unit_status == testing.BlockedStatus(
        'no storage: set the option nfs-shares, or serve-directory where there is no NFS'
    )
    assert told(out) == {}


def test_shares_outlive_a_unit_so_all_units_serve_them(ctx: Ctx, machine: machines.FakeMachine):
    out = run(ctx, STORAGE, peers(), nfs_shares=SHARES)
    assert out.unit_status == testing.ActiveStatus()
    assert told(out)['stateless'] == 'True'
    shares = machine.file(told(out)['nfs_shares_config'])
    assert shares == 'nfs.example.com:/volumes\n192.0.2.9:/more\n'
    assert 'nfs-common' in machine.desired.packages


def test_a_kernel_without_nfs_is_told_and_cinder_hears_of_no_storage(
    ctx: Ctx, machine: machines.FakeMachine
):
    machine.kept['/proc/filesystems'] = 'nodev\tsysfs\nnodev\tnfsd\n'
    machine.shell = lacking('modprobe')
    out = run(ctx, STORAGE, peers(), nfs_shares=SHARES)
    assert out.unit_status.message.startswith("this machine's kernel has no NFS")
    assert out.unit_status.name == 'blocked'
    assert told(out) == {}


def test_nfs_that_a_module_would_bring_is_enough(ctx: Ctx, machine: machines.FakeMachine):
    machine.kept['/proc/filesystems'] = 'nodev\tsysfs\n'
    out = run(ctx, STORAGE, peers(), nfs_shares=SHARES)
    assert out.unit_status == testing.ActiveStatus()


def test_a_compute_node_needs_only_what_mounts_shares(ctx: Ctx, machine: machines.FakeMachine):
    out = run(ctx, COMPUTE, peers(), nfs_shares=SHARES)
    assert out.unit_status == testing.ActiveStatus()
    assert machine.desired.packages == {'nfs-common'}
    assert not machine.desired.files


def test_a_directory_belongs_to_its_unit_and_that_is_said(ctx: Ctx, machine: machines.FakeMachine):
    out = run(ctx, STORAGE, peers(u2=A_CLIENT), serve_directory=True)
    assert told(out)['stateless'] == 'False'
    assert machine.file(told(out)['nfs_shares_config']) == '10.0.0.5:/volumes\n'
    assert machine.service(ssh_export.SERVICE) == 'running'
    assert out.unit_status == testing.ActiveStatus(
        'volumes are in a directory of this machine, which compute nodes reach over SSH'
    )
    said = out.get_relations('peers')[0].local_unit_data
    assert said[ssh_export.STORE_ADDRESS] == '10.0.0.5'
    assert said[ssh_export.STORE_KEY] == STORE_KEY


def test_who_serves_a_directory_lets_in_the_keys_of_other_machines_alone(
    ctx: Ctx, machine: machines.FakeMachine
):
    bad = {ssh_export.CLIENT_KEY: f'command="id" {CLIENT_KEY}\n{CLIENT_KEY}'}
    run(ctx, STORAGE, peers(u1=bad, u2=A_CLIENT), serve_directory=True)
    assert machine.file(f'{ssh_export.FOLDER}/authorized_keys') == f'restrict {CLIENT_KEY}\n'


def test_a_store_that_does_not_run_is_no_storage_yet(ctx: Ctx, machine: machines.FakeMachine):
    machine.failing = frozenset({ssh_export.SERVICE})
    out = run(ctx, STORAGE, peers(), serve_directory=True)
    assert out.unit_status.name == 'blocked'
    assert told(out) == {}


def test_a_compute_node_tells_its_key_and_knows_the_store(ctx: Ctx, machine: machines.FakeMachine):
    out = run(ctx, COMPUTE, peers(u1=A_STORE), serve_directory=True)
    assert dict(out.get_relations('peers')[0].local_unit_data)[ssh_export.CLIENT_KEY] == CLIENT_KEY
    known = machine.file(f'{ssh_export.FOLDER}/known_hosts')
    assert known == f'[10.0.0.7]:{ssh_export.PORT} {STORE_KEY}\n'
    assert out.unit_status == testing.ActiveStatus(
        'volumes are reached over SSH: mount.nfs is the one of this charm'
    )


def test_a_compute_node_waits_for_a_store(ctx: Ctx):
    out = run(ctx, COMPUTE, peers(), serve_directory=True)
    assert out.unit_status == testing.WaitingStatus(
        'waiting for a unit of cinder to serve its directory'
    )


def test_a_compute_node_without_fuse_says_so(ctx: Ctx, machine: machines.FakeMachine):
    machine.shell = lacking('sh')
    out = run(ctx, COMPUTE, peers(u1=A_STORE), serve_directory=True)
    assert out.unit_status == testing.BlockedStatus(
        'this machine has no /dev/fuse: volumes cannot be attached to its servers'
    )


def test_beside_the_store_on_its_own_machine_nothing_is_fetched_over_the_network(
    ctx: Ctx, machine: machines.FakeMachine
):
    """Both units write the same program there."""
    machine.shell = lacking('sh')
    here = {ssh_export.STORE_ADDRESS: '10.0.0.5', ssh_export.STORE_KEY: STORE_KEY}
    out = run(ctx, COMPUTE, peers(u1=here), serve_directory=True)
    assert out.unit_status.name == 'active'
    program = machine.file(ssh_export.MOUNT)
    run(ctx, STORAGE, peers(), serve_directory=True)
    assert machine.file(ssh_export.MOUNT) == program


@pytest.mark.parametrize(
    'shares',
    [
        '/volumes',
        'host:volumes',
        'a:/x a:/x',
        'a:/x;rm',
        '$(id):/x',
        'a:/x\nb',
        '-o:/x',
        '[::1:/x',
    ],
)
def test_what_is_no_share_will_not_do(ctx: Ctx, shares: str):
    out = run(ctx, STORAGE, peers(), nfs_shares=shares)
    assert out.unit_status.name == 'blocked'
    assert out.unit_status.message.startswith('option nfs-shares: ')


@pytest.fixture
def program(tmp_path: Any) -> Any:
    """``mount.nfs`` of ours, with what it calls replaced by programs that say how they were called."""
    text = next(
        f.content for f in ssh_export.mounting('10.0.0.5', {'fd00::7': STORE_KEY}).files
    ).replace('/usr/local/lib/cinder-nfs/real', str(tmp_path / 'real'))
    for name in ('mount', 'sshfs'):
        (tmp_path / name).write_text('#!/bin/sh\necho "${0##*/} $*"\n')
        (tmp_path / name).chmod(0o755)
    ours = tmp_path / 'mount.nfs'
    ours.write_text(text)
    ours.chmod(0o755)

    def call(*argv: str) -> tuple[int, str]:
        done = subprocess.run(
            [str(ours), *argv],
            env={'PATH': f'{tmp_path}:/usr/bin:/bin'},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.strip()

    return call


def test_the_program_binds_what_is_here_and_fetches_the_rest(program: Any):
    assert program('10.0.0.5:/volumes', '/mnt', '-o', 'rw') == (
        0,
        'mount --bind /srv/cinder-nfs/volumes /mnt',
    )
    status, said = program('[fd00::7]:/volumes', '/mnt', '-o', 'rw')
    assert status == 0
    assert said.startswith(f'sshfs -p {ssh_export.PORT} -o subtype=glusterfs,allow_other,')
    assert said.endswith('root@[fd00::7]:/volumes /mnt')


def test_the_program_leaves_the_shares_of_others_to_nfs_common(program: Any, tmp_path: Any):
    assert program() == (0, '')  # cinder only looks whether it is there.
    assert program('nfs.example.com:/volumes', '/mnt')[0] == 32
    (tmp_path / 'real').mkdir()
    shutil.copy(tmp_path / 'mount', tmp_path / 'real' / 'mount.nfs')
    assert program('10.0.0.55:/volumes', '/mnt') == (0, 'mount.nfs 10.0.0.55:/volumes /mnt')


def test_one_that_leaves_gives_the_program_back(ctx: Ctx, machine: machines.FakeMachine):
    run(ctx, COMPUTE, peers(u1=A_STORE), serve_directory=True)
    (before,) = (c for c in machine.desired.commands if c.name == 'mount.nfs')
    ctx.run(ctx.on.stop(), testing.State(config={'serve-directory': True}))
    (after,) = (c for c in machine.desired.commands if c.name == 'mount.nfs')
    assert before.key != after.key
    assert '--remove' in after.argv[2]
