"""Two of our charms that are related to each other: both come to be ready, and neither waits for the other for ever."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import pytest
from charmkit import testing as machines
from charmkit.machine import Finished

from charms.tests import wheels
from charms.tests.unit import exchange, sound

pytestmark = pytest.mark.timeout(60)

SERVERS = {
    'certificate-authority', 'keystone', 'mysql', 'openstack-loadbalancer', 'rabbitmq-server',
}  # fmt: skip
"""What they answer depends on what the machine does: their own tests have that."""
WITH_CALICO = ('neutron-api-plugin-calico', 'neutron-calico')
LINKS = tuple(
    link
    for link in exchange.links()
    if not {link.provider, link.requirer} & SERVERS
)  # fmt: skip


def newer(machine: machines.FakeMachine) -> None:
    machine.base = 'debian@13'


def with_disk(machine: machines.FakeMachine) -> None:
    groups: dict[str, str] = {}

    def shell(argv: tuple[str, ...], _: str) -> Finished:
        match argv:
            case ('readlink', *_, path):
                return Finished(0, f'{path}\n')
            case ('pvs', *_):
                return Finished(0, ''.join(f'  {p} {g}\n' for p, g in groups.items()))
            case ('vgcreate', group, path):
                groups[path] = group
            case _:
                pass
        return Finished(0)

    machine.kept['/proc/misc'] = '236 device-mapper\n'
    machine.shell = shell


def with_nfs(machine: machines.FakeMachine) -> None:
    machine.kept['/proc/filesystems'] = 'nodev\tnfs4\n'


def given(link: exchange.Link, folder: pathlib.Path) -> Mapping[str, exchange.Given]:
    """What the two of *link* have beside their relations."""

    def cloud(machine: machines.FakeMachine) -> None:
        machine.web = sound.Cloud(
            *(f'{host}@{link.provider}' for host in ('cinder', machine.hostname))
        )

    driver = wheels.resource(folder, wheels.newer())
    out = {
        'cinder-lvm': exchange.Given(config={'block-device': '/dev/sdb'}, prepare=with_disk),
        'cinder-nfs': exchange.Given(config={'nfs-shares': 'nfs:/x'}, prepare=with_nfs),
        **dict.fromkeys(WITH_CALICO, exchange.Given(resources=frozenset({driver}))),
    }
    if link.requires == 'storage-backend':
        out['cinder'] = exchange.Given(prepare=cloud)
    if 'neutron-api-plugin-ovn' in (link.provider, link.requirer):
        ours = exchange.Given(prepare=newer)
        out |= dict.fromkeys((link.provider, link.requirer), ours)
    return out


@pytest.mark.parametrize('order', ['together', 'others first', 'link first'])
@pytest.mark.parametrize('link', LINKS, ids=str)
def test_both_come_to_be_ready(link: exchange.Link, order: exchange.Order, tmp_path: pathlib.Path):
    both = exchange.settle(link, given(link, tmp_path), order)
    assert {side.name: side.status for side in both} == dict.fromkeys(
        (side.name for side in both), 'active'
    )


def test_every_subordinate_is_looked_at():
    looked_at = {link.provider for link in LINKS if link.within_machine}
    assert looked_at == {*sound.subordinates()}
