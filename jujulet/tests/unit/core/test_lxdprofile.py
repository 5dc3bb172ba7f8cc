"""What a charm's machine must have: read, refused in Juju's words, told where it is lacking."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import simulation
from simulation import REL, World

from jujulet.core import charm, lxdprofile, machines, model, requests, status

TUN = {'type': 'unix-char', 'source': '/dev/net/tun', 'path': '/dev/net/tun', 'mode': '0666'}
KVM = {'type': 'unix-char', 'path': '/dev/kvm'}
COMPUTE = charm.Profile(
    {
        'security.nesting': 'true',
        'linux.kernel_modules': 'openvswitch, ip_tables',
        'raw.lxc': 'a\nb',
    },
    'for guests',
    {'tun': TUN, 'kvm': KVM},
)
HOST = REL('host', 'requirer', 'juju-info', 'container')


def parsed(raw: Any) -> charm.Profile:
    found = lxdprofile.parse(raw)
    assert found is not None
    return found


def problems(raw: Any) -> list[str]:
    with pytest.raises(charm.Invalid) as caught:
        lxdprofile.parse(raw)
    return str(caught.value).splitlines()


def machine_of(world: World, machine: str = '0') -> dict[str, Any]:
    return status.status(world.model, world.now, lambda _: None)['machines'][machine]


def message(world: World, machine: str = '0') -> str:
    return machine_of(world, machine)['machine-status']['message']


def started(world: World, given: dict[str, bool], machine: str = '0') -> None:
    world.set(machines.started(world.model, machine, 1, world.now, given))


def test_a_profile_is_what_stands_in_it():
    assert parsed({'config': {'a': 'b'}, 'description': 'd', 'devices': {'tun': TUN}}) == (
        charm.Profile({'a': 'b'}, 'd', {'tun': TUN})
    )


@pytest.mark.parametrize('raw', [None, '', {}, {'config': '', 'devices': {}}])
def test_an_empty_profile_is_none(raw: Any):
    assert lxdprofile.parse(raw) is None


def test_all_problems_are_told_at_once_each_with_its_place():
    device = {'type': 'unix-block', 'source': '/etc/../dev/sda', 'mode': '888', 'uid': 'root'}
    assert problems({'config': {'a': ['b']}, 'devices': {'disk': device, 'x': {'type': 'unix-char'}}}) == [
        'lxd-profile.yaml: devices.disk: source "/etc/../dev/sda" is not the path of a device, such as /dev/net/tun',
        'lxd-profile.yaml: devices.disk: mode "888" is not an octal number such as 0660',
        'lxd-profile.yaml: devices.disk: uid "root" is not a number such as 0',
        'lxd-profile.yaml: devices.x: needs a "source" or a "path"',
        'lxd-profile.yaml: config.a: must be text',
    ]  # fmt: skip


@pytest.mark.parametrize(
    'raw', ['text', ['a'], {'config': 'x'}, {'devices': ['x']}, {'devices': {'a': 'b'}}]
)
def test_what_is_no_mapping_is_refused_and_nothing_breaks(raw: Any):
    assert all('must be a mapping' in line for line in problems(raw))


@pytest.mark.parametrize(
    'path', ['/dev/net/../sda', '/dev/a:b', '/dev/a,b', 'dev/tun', '/etc/passwd', '/dev//tun']
)
def test_a_device_lies_below_dev_and_its_path_is_no_trick(path: str):
    assert problems({'devices': {'d': {'type': 'unix-char', 'path': path}}})


def test_devices_have_lxds_defaults():
    tun, kvm = lxdprofile.devices(COMPUTE)
    assert (tun.path, tun.source, tun.mode) == ('/dev/net/tun', '/dev/net/tun', 0o666)
    assert kvm == charm.Device('/dev/kvm', '/dev/kvm', 'unix-char', 0o660, 0, 0)


# Allowed and not


def profiled(name: str, profile: charm.Profile, **more: Any) -> charm.Charm:
    return dataclasses.replace(simulation.a_charm(name, **more), profile=profile)


REFUSED = [
    (charm.Profile(devices={'n': {'type': 'nic'}}), 'contains device type "nic"'),
    (charm.Profile({'boot.autostart': 'true'}), 'contains config value "boot.autostart"'),
    (charm.Profile({'limits.cpu': '1'}), 'contains config value "limits.cpu"'),
    (charm.Profile({'migration.stateful': '1'}), 'contains config value "migration.stateful"'),
]


@pytest.mark.parametrize(('profile', 'words'), REFUSED)
def test_deploy_and_refresh_refuse_it_in_jujus_words_and_nothing_is_half_done(
    profile: charm.Profile, words: str
):
    world = World()
    world.deploy(simulation.a_charm('a'))
    bad = world.ask(requests.AddCharm(charm=profiled('a', profile, digest='2')))['url']
    before = world.model
    for request in (
        requests.Deploy(charm=bad, application='other'),
        requests.Refresh(application='a', charm=bad),
    ):
        with pytest.raises(model.Refused) as caught:
            world.ask(request)
        assert str(caught.value) == f'invalid lxd-profile.yaml: {words}'
        assert world.model is before


@pytest.mark.parametrize(('profile', 'words'), REFUSED)
def test_force_takes_it(profile: charm.Profile, words: str):
    world = World()
    world.deploy(profiled('a', profile), force=True)
    assert lxdprofile.wanted_devices(world.model, '0') == ()
    assert len(lxdprofile.remarks(profile)) == 1, words


def test_what_is_there_anyway_and_what_cannot_be_is_said_once_each():
    assert lxdprofile.remarks(COMPUTE) == (
        'lxd-profile.yaml: every machine here has security.nesting already',
        'lxd-profile.yaml: a machine here cannot have raw.lxc=a; it goes without',
    )
    gpu = charm.Profile({'security.privileged': 'false'}, devices={'g': {'type': 'gpu'}})
    assert lxdprofile.remarks(gpu) == (
        'lxd-profile.yaml: a machine here cannot have security.privileged=false, device g (gpu); it goes without',
    )
    assert lxdprofile.remarks(None) == ()


# Machines


def test_a_machine_is_made_with_what_its_units_and_the_subordinates_to_come_ask_for():
    world = World()
    world.deploy(simulation.a_charm('ubuntu', REL('x', 'provider', 'x')), num_units=0)
    fuse = {'type': 'unix-char', 'source': '/dev/fuse'}
    agent = charm.Profile(devices={'fuse': fuse, 'tun': {**TUN, 'mode': '0600'}})
    sub = dataclasses.replace(simulation.a_charm('agent', HOST, subordinate=True), profile=agent)
    world.deploy(sub, num_units=0)
    world.deploy(profiled('compute', COMPUTE), num_units=0)
    world.integrate('agent', 'compute')
    world.ask(requests.AddUnit(application='compute'))
    world.ask(requests.AddUnit(application='ubuntu'))
    paths = [d.path for d in lxdprofile.wanted_devices(world.model, '0')]
    assert sorted(paths) == ['/dev/fuse', '/dev/kvm', '/dev/net/tun']
    tun = next(d for d in lxdprofile.wanted_devices(world.model, '0') if d.path == '/dev/net/tun')
    assert tun.mode == 0o666, "the principal's comes first"
    assert lxdprofile.wanted_modules(world.model, '0') == ('openvswitch', 'ip_tables')
    assert lxdprofile.wanted_devices(world.model, '1') == ()


def test_what_the_host_lacks_is_told_in_one_line():
    world = World()
    world.deploy(profiled('compute', COMPUTE))
    started(
        world,
        {'/dev/net/tun': True, '/dev/kvm': False, 'openvswitch': False, 'ip_tables': True},
    )
    assert message(world) == (
        'Running; this host has no /dev/kvm (for compute); '
        'this host has no kernel module openvswitch (for compute)'
    )
    started(world, dict.fromkeys(('/dev/net/tun', '/dev/kvm', 'openvswitch', 'ip_tables'), True))
    assert message(world) == 'Running'


def test_a_subordinate_that_came_late_is_told_to_wait_for_a_restart():
    world = World()
    world.deploy(simulation.a_charm('ubuntu'))
    world.settle()
    agent = charm.Profile(devices={'tun': TUN})
    sub = dataclasses.replace(simulation.a_charm('agent', HOST, subordinate=True), profile=agent)
    world.deploy(sub, num_units=0)
    world.integrate('agent', 'ubuntu')
    world.settle()
    assert message(world) == (
        'Running; /dev/net/tun (for agent) comes with the next restart of the machine'
    )
    started(world, {'/dev/net/tun': True})
    assert message(world) == 'Running'


def test_status_shows_profiles_where_juju_does():
    world = World()
    world.deploy(profiled('compute', COMPUTE))
    world.deploy(simulation.a_charm('plain'))
    shown = status.status(world.model, world.now, lambda _: None)
    assert shown['machines']['0']['lxd-profiles'] == {
        'juju-t-compute-0': {
            'config': dict(COMPUTE.config),
            'description': 'for guests',
            'devices': {'tun': TUN, 'kvm': KVM},
        }
    }
    assert 'lxd-profiles' not in shown['machines']['1']
    assert shown['applications']['compute']['charm-profile'] == 'juju-t-compute-0'
    assert 'charm-profile' not in shown['applications']['plain']


def test_a_refreshed_profile_waits_for_the_machines_restart():
    world = World()
    world.deploy(simulation.a_charm('compute'))
    started(world, {})
    more = profiled('compute', charm.Profile(devices={'tun': TUN}), digest='2')
    url = world.ask(requests.AddCharm(charm=more))['url']
    world.ask(requests.Refresh(application='compute', charm=url))
    assert 'comes with the next restart' in message(world)
    assert [d.path for d in lxdprofile.wanted_devices(world.model, '0')] == ['/dev/net/tun']
