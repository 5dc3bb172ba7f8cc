"""Command lines for podman and mount."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jujulet.core import charm, model
from jujulet.machines import commands, procfiles, protocol, routes

UUID = '3f9a01d2-0000-4000-8000-000000000001'
SPEC = protocol.MachineSpec(
    UUID,
    'm',
    '0',
    charm.Base('debian', '12'),
    'juju-3f9a01-0',
    addresses=(
        model.Address('alpha', '10.0.0.2', 'fd00::2', '02:00:00:00:00:02'),
        model.Address('dmz', '10.0.1.2'),
    ),
    spaces={
        'alpha': model.Space('alpha', '10.0.0.0/24', 'fd00::/64'),
        'dmz': model.Space('dmz', '10.0.1.0/24'),
    },
    constraints={'cores': 2, 'mem': 512, 'arch': 'amd64'},
)
HOST = commands.Host('runc', ('NET_ADMIN',), files=20000, processes=96)


def line(spec: protocol.MachineSpec = SPEC, host: commands.Host = HOST) -> tuple[str, ...]:
    return commands.run_machine(
        host, spec, Path('/s/root'), Path('/s/run'), {'jujulet.state': 'x'}
    )


def test_a_machine_gets_its_networks_limits_and_volume() -> None:
    said = line()
    assert said[:3] == ('podman', '--runtime=runc', 'run')
    assert said[-3:] == ('--rootfs', '/s/root', '/sbin/init')
    for part in (
        '--name=jujulet-3f9a01-0',
        '--hostname=juju-3f9a01-0',
        '--network=jujulet-3f9a01-alpha:interface_name=eth0,ip=10.0.0.2,ip6=fd00::2,mac=02:00:00:00:00:02',
        '--network=jujulet-3f9a01-dmz:interface_name=eth1,ip=10.0.1.2',
        '--ulimit=nofile=20000:20000',
        '--ulimit=nproc=96:96',
        '--cpus=2',
        '--memory=512m',
        '--cap-add=NET_ADMIN',
        '--volume=/s/run:/var/lib/juju/run',
        '--label=jujulet.state=x',
    ):
        assert part in said


def test_a_machine_without_addresses_has_no_network_and_one_without_constraints_no_limits() -> (
    None
):
    said = line(dataclasses.replace(SPEC, addresses=(), constraints={'cores': 0, 'mem': None}))
    assert '--network=none' in said
    assert not [word for word in said if word.startswith(('--cpus', '--memory'))]


def test_a_machine_gets_its_devices_by_nodes_of_its_own() -> None:
    said = commands.run_machine(
        HOST, SPEC, Path('/s/root'), Path('/s/run'), {}, {'/dev/net/tun': Path('/s/devices/0')}
    )
    assert '--device=/s/devices/0:/dev/net/tun:rwm' in said
    assert not [word for word in line() if word.startswith('--device')]


def test_podman_makes_control_groups_where_systemd_does_not_run() -> None:
    said = line(host=dataclasses.replace(HOST, cgroupfs=True))
    assert said[2] == '--cgroup-manager=cgroupfs'


def test_only_capabilities_that_the_host_has_are_given() -> None:
    everything = commands.capabilities((1 << 41) - 1)
    assert everything == commands.CAPABILITIES
    without = commands.capabilities(((1 << 41) - 1) & ~(1 << 24))
    assert set(everything) - set(without) == {'SYS_RESOURCE'}
    assert commands.capabilities(0) == ()


def test_networks_are_isolated_and_dual_stack_when_the_space_is() -> None:
    subnet = model.Subnet('10.0.0.0/24', 'fd00::/64', 'alpha')
    both = commands.create_network(UUID, subnet, {}, isolate=True)
    assert '--opt=isolate=true' in both
    assert '--opt=isolate=true' not in commands.create_network(UUID, subnet, {}, isolate=False)
    assert {'--ipv6', '--subnet=fd00::/64', '--subnet=10.0.0.0/24'} <= set(both)
    four = model.Subnet('10.0.0.0/24', '', 'alpha')
    assert '--ipv6' not in commands.create_network(UUID, four, {}, isolate=True)


def test_awkward_paths_are_escaped_in_overlay_options() -> None:
    said = commands.mount_overlay([Path('/a:b'), Path('/c,d')], Path('/u'), Path('/w'), Path('/t'))
    assert said[-2:] == ('lowerdir=/a\\:b:/c\\,d,upperdir=/u,workdir=/w', '/t')


@given(st.dictionaries(st.text('abc', min_size=1), st.ip_addresses(v=4).map(str), min_size=1))
def test_every_machine_is_in_hosts_once_and_itself_first(names: dict[str, str]) -> None:
    own = min(names)
    lines = commands.hosts(own, names.items()).splitlines()[2:]
    assert lines[0] == f'{names[own]} {own}'
    assert sorted(lines) == sorted(f'{a} {n}' for n, a in names.items())


def test_a_space_that_was_renamed_keeps_its_network():
    space = model.Space('edge', '10.0.1.0/24', network='dmz')
    made = commands.create_network(UUID, space.subnets[0], {}, isolate=True)
    assert made[-1] == 'jujulet-3f9a01-dmz'
    spec = dataclasses.replace(
        SPEC, addresses=(model.Address('edge', '10.0.1.2'),), spaces={'edge': space}
    )
    words = commands.run_machine(HOST, spec, Path('/m/root'), Path('/r'), {})
    assert '--network=jujulet-3f9a01-dmz:interface_name=eth0,ip=10.0.1.2' in words


def test_a_space_of_ipv6_alone_has_a_network_without_ipv4():
    space = model.Space('six', '', 'fd00:6::/64')
    words = commands.create_network(UUID, space.subnets[0], {}, isolate=True)
    assert [w for w in words if w.startswith('--subnet')] == ['--subnet=fd00:6::/64']
    said = commands.network('n', model.Address('six', '', 'fd00:6::a'), 'eth0')
    assert said == '--network=n:interface_name=eth0,ip6=fd00:6::a'


def test_a_machine_knows_the_way_to_the_other_subnets_of_each_of_its_spaces():
    wide = model.Space(
        'b', '10.2.0.0/24', 'fd02::/64', more=(model.Subnet('10.3.0.0/24', '', 'b--2'),)
    )
    spec = dataclasses.replace(
        SPEC,
        addresses=(model.Address('a', '10.1.0.9'), model.Address('b', '10.2.0.9', 'fd02::9')),
        spaces={'a': model.Space('a', '10.1.0.0/24'), 'b': wide},
    )
    assert [' '.join(words) for words in routes.wanted(spec)] == [
        'ip -4 route replace 10.3.0.0/24 via 10.2.0.1 dev eth1'
    ]
    there = dataclasses.replace(spec, addresses=(model.Address('b', '10.3.0.9'),))
    assert [' '.join(words) for words in routes.wanted(there)] == [
        'ip -4 route replace 10.2.0.0/24 via 10.3.0.1 dev eth0'
    ]
    words = commands.run_machine(HOST, there, Path('/m/root'), Path('/r'), {})
    assert '--network=jujulet-3f9a01-b--2:interface_name=eth0,ip=10.3.0.9' in words


def test_files_of_proc_that_are_its_own_are_mounted_over_the_hosts() -> None:
    said = commands.run_machine(
        HOST, SPEC, Path('/s/root'), Path('/s/run'), {}, None, procfiles.volumes(('uptime',))
    )
    assert '--volume=/var/lib/lxcfs/proc/uptime:/proc/uptime:ro' in said
