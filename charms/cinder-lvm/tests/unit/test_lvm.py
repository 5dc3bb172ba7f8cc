"""Disks become a volume group, or the operator hears in one sentence why not; what has data on it is left alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import volume_group
from charmkit import testing as machines
from charmkit.machine import Finished
from ops import testing
from syrupy.assertion import SnapshotAssertion
from volume_group import Disk

from charms import conftest as shared

GROUP = 'cinder-volumes-default'


@dataclasses.dataclass
class Lvm:
    """A machine's disks, as the programs on it see them."""

    holds: dict[str, str] = dataclasses.field(default_factory=lambda: {'/dev/sdb': ''})
    """What wipefs says of each disk."""
    groups: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    links: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    control: bool = True
    failing: str = ''

    def __call__(self, argv: tuple[str, ...], _: str) -> Finished:
        path = argv[-1]
        if argv[0] == self.failing:
            return Finished(5, '  Device or resource busy\n')
        match argv:
            case ('test', '-c', _):
                return Finished(0 if self.control else 1)
            case ('test', '-b', _):
                return Finished(0 if path in self.holds else 1)
            case ('readlink', *_):
                return Finished(0, self.links.get(path, path) + '\n')
            case ('pvs', *_):
                return Finished(0, ''.join(f'  {p} {g}\n' for p, g in self.groups.items()))
            case ('wipefs', '--no-act', *_):
                return Finished(0, self.holds[path])
            case ('wipefs', '--all', *_):
                self.holds[path] = ''
            case ('pvcreate', *_):
                self.groups[path] = ''
            case ('vgcreate' | 'vgextend', group, _):
                self.groups[path] = group
            case _:
                pass
        return Finished(0)


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    machine.kept['/proc/misc'] = '236 device-mapper\n'
    return testing.Context(shared.load('cinder-lvm').CinderLvmCharm)


def run(
    ctx: testing.Context[Any], machine: machines.FakeMachine, lvm: Lvm, **options: Any
) -> testing.State:
    machine.shell = lvm
    given = {name.replace('_', '-'): value for name, value in options.items()}
    state = testing.State(
        relations={testing.SubordinateRelation('storage-backend', remote_app_name='cinder')},
        config={'block-device': '/dev/sdb', **given},
    )
    return ctx.run(ctx.on.config_changed(), state)


def told(out: testing.State) -> Mapping[str, str]:
    (relation,) = out.get_relations('storage-backend')
    return relation.local_unit_data


def changes(machine: machines.FakeMachine) -> list[tuple[str, ...]]:
    looks = ('test', 'readlink', 'pvs', 'modprobe')
    return [p for p in machine.programs if p[0] not in looks and '--no-act' not in p]


def test_a_disk_becomes_a_volume_group_and_cinder_is_told(
    ctx: testing.Context[Any], machine: machines.FakeMachine, snapshot: SnapshotAssertion
):
    out = run(ctx, machine, Lvm())
    assert out.unit_status == testing.ActiveStatus()
    assert changes(machine) == [
        ('pvcreate', '--yes', '/dev/sdb'),
        ('vgcreate', GROUP, '/dev/sdb'),
    ]
    assert machine.service('tgt') == 'running'
    assert dict(told(out)) == snapshot


def test_the_next_run_changes_nothing(ctx: testing.Context[Any], machine: machines.FakeMachine):
    lvm = Lvm()
    first = told(run(ctx, machine, lvm))
    machine.programs.clear()
    assert told(run(ctx, machine, lvm)) == first
    assert changes(machine) == []


def test_a_disk_more_is_added(ctx: testing.Context[Any], machine: machines.FakeMachine):
    lvm = Lvm(holds={'/dev/sdb': '', '/dev/sdc': ''}, groups={'/dev/sdb': GROUP})
    run(ctx, machine, lvm, block_device='sdb sdc')
    assert changes(machine)[-1] == ('vgextend', GROUP, '/dev/sdc')


def test_a_disk_under_another_name_is_the_same_disk(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    lvm = Lvm(groups={'/dev/sdb': GROUP}, links={'/dev/disk/by-id/x': '/dev/sdb'})
    out = run(ctx, machine, lvm, block_device='/dev/disk/by-id/x')
    assert out.unit_status == testing.ActiveStatus()
    assert changes(machine) == []


@pytest.mark.parametrize(
    ('lvm', 'why'),
    [
        (Lvm(control=False), volume_group.NO_MAPPER),
        (Lvm(holds={}), 'block-device: /dev/sdb is no disk of this machine'),
        (
            Lvm(holds={'/dev/sdb': 'ext4\n'}),
            'block-device: /dev/sdb has ext4: set overwrite to lose what is on it',
        ),
        (
            Lvm(groups={'/dev/sdb': 'theirs'}),
            'block-device: /dev/sdb belongs to the volume group theirs',
        ),
        (
            Lvm(failing='vgcreate'),
            f'vgcreate {GROUP} /dev/sdb ended with 5: Device or resource busy',
        ),
    ],
)
def test_where_it_cannot_be_the_unit_says_why_and_cinder_is_told_nothing(
    ctx: testing.Context[Any], machine: machines.FakeMachine, lvm: Lvm, why: str
):
    out = run(ctx, machine, lvm)
    assert out.unit_status == testing.BlockedStatus(why)
    assert 'backend_name' not in told(out)


def test_a_kernel_without_a_device_mapper_is_told(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    machine.kept['/proc/misc'] = '237 loop-control\n'
    out = run(ctx, machine, Lvm())
    assert out.unit_status == testing.BlockedStatus(volume_group.NO_MAPPER)
    assert ('modprobe', '--quiet', 'dm_mod') in machine.programs
    assert changes(machine) == []


def test_overwrite_takes_a_disk_with_data_but_never_another_groups(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    lvm = Lvm(holds={'/dev/sdb': 'ext4\n'})
    assert run(ctx, machine, lvm, overwrite=True).unit_status == testing.ActiveStatus()
    assert changes(machine)[0] == ('wipefs', '--all', '--quiet', '/dev/sdb')
    machine.programs.clear()
    out = run(ctx, machine, Lvm(groups={'/dev/sdb': 'theirs'}), overwrite=True)
    assert out.unit_status.name == 'blocked'
    assert changes(machine) == []


def test_nothing_is_changed_while_one_of_several_disks_will_not_do():
    disks = {'/dev/sdb': Disk(), '/dev/sdc': Disk(there=False)}
    assert '/dev/sdc' in volume_group.refusal(GROUP, disks, overwrite=True)


def test_without_a_disk_the_operator_is_told_what_to_do(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = run(ctx, machine, Lvm(), block_device='')
    assert out.unit_status == testing.BlockedStatus('no storage: set the option block-device')


@pytest.mark.parametrize('text', ['/dev/../etc/passwd', 'sdb /dev/sdb', '$(reboot)', '-x'])
def test_what_is_no_disk_will_not_do(
    ctx: testing.Context[Any], machine: machines.FakeMachine, text: str
):
    out = run(ctx, machine, Lvm(), block_device=text)
    assert 'option block-device' in out.unit_status.message
    assert changes(machine) == []


def test_options_are_those_of_the_driver(ctx: testing.Context[Any], machine: machines.FakeMachine):
    machine.hostname = 'rack-7'
    out = run(
        ctx,
        machine,
        Lvm(),
        alias='fast',
        allocation_type='thin',
        erase_size='50',
        unique_backend=True,
    )
    said = told(out)['subordinate_configuration']
    for pair in (
        '["volume_backend_name","LVM-rack-7-fast"]',
        '["volume_group","cinder-volumes-fast"]',
        '["lvm_type","thin"]',
        '["volume_clear_size","50"]',
    ):
        assert pair in said.replace('", "', '","')
    assert told(out)['stateless'] == 'False'
