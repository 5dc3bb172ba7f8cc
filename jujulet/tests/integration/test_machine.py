"""Machines that are system containers: systemd, a file system of their own, spaces that cannot reach one another."""

from __future__ import annotations

import pathlib
import subprocess
import time

import jubilant
import pytest

from . import records
from .conftest import CHARMS
from .waiting import settle

START = 120.0
"""Seconds for a machine to come up where an image is there already."""


@pytest.fixture(scope='module', autouse=True)
def deployed(boxed: jubilant.Juju) -> None:
    boxed.deploy('ubuntu', base='debian@12')
    settle(boxed, jubilant.all_active, START)


def test_a_machine_is_a_system_of_its_own(boxed: jubilant.Juju):
    assert boxed.exec('cat /proc/1/comm', unit='ubuntu/0').stdout == 'systemd\n'
    assert boxed.ssh('ubuntu/0', 'systemctl', 'is-active', 'multi-user.target').strip() == 'active'
    status = boxed.status()
    machine = status.machines['0']
    name = boxed.exec('hostname', machine=0).stdout.strip()
    assert (
        name
        == machine.hostname
        != subprocess.run(['hostname'], capture_output=True, text=True, check=True).stdout.strip()
    )
    assert machine.dns_name in boxed.exec('hostname -I', machine=0).stdout


def test_the_bases_own_version_is_told(boxed: jubilant.Juju):
    assert boxed.status().apps['ubuntu'].version == '12'


def test_ssh_is_the_user_ubuntu_who_may_become_root(boxed: jubilant.Juju):
    assert boxed.ssh('ubuntu/0', 'whoami').strip() == 'ubuntu'
    assert boxed.ssh('ubuntu/0', 'sudo', 'whoami').strip() == 'root'
    assert boxed.ssh(0, 'echo', 'hi').strip() == 'hi'
    assert boxed.cli('ssh', 'ubuntu/0', 'cat', stdin='piped') == 'piped'


def test_a_folder_goes_there_and_back(boxed: jubilant.Juju, tmp_path: pathlib.Path):
    (tmp_path / 'out/sub').mkdir(parents=True)
    (tmp_path / 'out/sub/f').write_text('deep')
    boxed.scp(tmp_path / 'out', 'ubuntu/0:', scp_options=['-r'])
    assert boxed.ssh('ubuntu/0', 'cat out/sub/f') == 'deep'
    boxed.scp('ubuntu/0:out', tmp_path / 'back', scp_options=['-r'])
    assert (tmp_path / 'back/sub/f').read_text() == 'deep'


def test_a_small_package_is_installed_once_for_all_units(boxed: jubilant.Juju):
    boxed.deploy(CHARMS / 'aptsmall', base='debian@12')
    status = settle(boxed, lambda s: jubilant.all_active(s, 'aptsmall'), START)
    assert status.apps['aptsmall'].app_status.message == 'bc is installed'
    assert boxed.exec('echo 6*7 | bc', unit='aptsmall/0').stdout == '42\n'
    time.sleep(10)  # The layer is made aside.
    boxed.add_unit('aptsmall')
    settle(
        boxed, lambda s: len(s.apps['aptsmall'].units) == 2 and jubilant.all_active(s, 'aptsmall')
    )
    assert boxed.exec('echo 6*7 | bc', unit='aptsmall/1').stdout == '42\n'
    when = 'stat --format %y /var/lib/dpkg/info/bc.list'
    first, second = (boxed.exec(when, unit=f'aptsmall/{n}').stdout for n in (0, 1))
    assert first == second, 'the second unit installed it again'


def test_two_applications_on_one_machine(boxed: jubilant.Juju):
    boxed.deploy(CHARMS / 'recorder', 'lodger', to='0', base='debian@12')
    status = settle(boxed, lambda s: jubilant.all_active(s, 'lodger'))
    assert status.apps['lodger'].units['lodger/0'].machine == '0'


def test_a_reboot_brings_one_more_start(boxed: jubilant.Juju):
    boxed.run('lodger/0', 'clear')
    before = boxed.status().machines['0'].ip_addresses
    with pytest.raises(jubilant.CLIError):
        boxed.ssh('ubuntu/0', 'sudo reboot; sleep 30')
    boxed.wait(
        lambda s: s.machines['0'].juju_status.current == 'started'
        and 'start' in _events(boxed),
        delay=0.5, successes=1, timeout=60,
    )  # fmt: skip
    assert boxed.status().machines['0'].ip_addresses == before


def _events(juju: jubilant.Juju) -> list[str]:
    try:
        return records.hooks(records.read(juju, 'lodger/0'))
    except (jubilant.CLIError, jubilant.TaskError, TimeoutError, ValueError):
        return []


def test_a_machine_by_itself_comes_and_goes(boxed: jubilant.Juju):
    boxed.cli('add-machine', '--base', 'debian@13')
    status = settle(
        boxed,
        lambda s: all(m.juju_status.current == 'started' for m in s.machines.values()),
        START,
    )
    number = max(status.machines, key=int)
    assert status.machines[number].base is not None
    assert 'VERSION_ID="13"' in boxed.exec('cat /etc/os-release', machine=int(number)).stdout
    boxed.cli('remove-machine', '--no-prompt', number)
    settle(boxed, lambda s: number not in s.machines)


def test_spaces_cannot_reach_one_another(boxed: jubilant.Juju):
    boxed.cli('add-space', 'dmz')
    boxed.deploy(CHARMS / 'recorder', 'outside', bind={'': 'dmz'}, base='debian@12')
    boxed.deploy(
        CHARMS / 'recorder', 'between', bind={'': 'alpha', 'out': 'dmz'}, base='debian@12'
    )
    status = settle(boxed, lambda s: jubilant.all_active(s, 'outside', 'between'), START)
    target = status.apps['ubuntu'].units['ubuntu/0'].public_address
    probe = f'timeout 3 bash -c "echo > /dev/tcp/{target}/22" 2>&1; echo $?'
    boxed.ssh('ubuntu/0', 'sudo', 'python3', '-c', _LISTEN)
    assert boxed.exec(probe.replace('/22', '/7722'), unit='between/0').stdout.endswith('0\n')
    assert not boxed.exec(probe.replace('/22', '/7722'), unit='outside/0').stdout.endswith('0\n')
    found = boxed.exec('network-get out --format json', unit='between/0').stdout
    inside = boxed.exec('network-get in --format json', unit='between/0').stdout
    assert found != inside
    # Renamed, it is the same network, to which new machines come.
    boxed.cli('rename-space', 'dmz', 'edge')
    boxed.add_unit('outside')
    status = settle(
        boxed,
        lambda s: jubilant.all_active(s, 'outside') and len(s.apps['outside'].units) == 2,
        START,
    )
    first, second = (u.public_address for u in status.apps['outside'].units.values())
    assert first.rpartition('.')[0] == second.rpartition('.')[0]
    assert boxed.exec(f'ping -c 1 -W 3 {first}', unit='outside/1').return_code == 0
    assert boxed.exec('network-get out --format json', unit='between/0').stdout == found
    boxed.cli('rename-space', 'edge', 'dmz')


_LISTEN = (
    "\"import os,socket;s=socket.socket();s.setsockopt(1,2,1);s.bind(('',7722));s.listen();"
    'os.fork() and os._exit(0);os.setsid();os.close(0);os.close(1);os.close(2);'
    "exec('while 1: s.accept()')\""
)


def test_a_charm_has_the_devices_of_its_profile_and_is_told_which_the_host_lacks(
    boxed: jubilant.Juju,
):
    said = boxed.cli('deploy', str(CHARMS / 'tunnel'), '--base', 'debian@12', '--bind', 'alpha data=dmz')  # fmt: skip
    status = settle(boxed, lambda s: jubilant.all_active(s, 'tunnel'), START)
    machine = status.apps['tunnel'].units['tunnel/0'].machine
    seen = status.machines[machine]
    assert seen.machine_status.message == 'Running; this host has no /dev/not-there (for tunnel)'
    profile = f'juju-{status.model.name}-tunnel-0'
    assert seen.lxd_profiles[profile].devices['tun']['source'] == '/dev/net/tun'
    assert status.apps['tunnel'].charm_profile == profile, said
    with pytest.raises(jubilant.CLIError):
        boxed.ssh('tunnel/0', 'sudo reboot; sleep 30')
    settle(boxed, lambda s: s.machines[machine].juju_status.current == 'started', START)
    assert boxed.exec('exec 3<>/dev/net/tun && echo open', machine=int(machine)).stdout == 'open\n'


def test_an_address_that_a_charm_moves_to_a_bridge_is_still_that_of_the_binding(
    boxed: jubilant.Juju,
):
    before = boxed.exec('network-get data --format json', unit='tunnel/0').stdout
    address = boxed.exec('network-get data --bind-address', unit='tunnel/0').stdout.strip()
    moved = (
        f'ip link add br-ex type bridge && ip addr flush dev eth1 && ip link set eth1 master br-ex '
        f'&& ip addr add {address}/24 dev br-ex && ip link set br-ex up && ip -o -4 addr show dev br-ex'
    )
    assert address in boxed.exec(moved, unit='tunnel/0').stdout
    assert boxed.exec('network-get data --format json', unit='tunnel/0').stdout == before
    assert boxed.exec('network-get data --bind-address', unit='tunnel/0').stdout.strip() == address


def test_a_profile_with_what_juju_does_not_allow_is_refused_and_force_takes_it(
    boxed: jubilant.Juju, tmp_path: pathlib.Path
):
    (tmp_path / 'metadata.yaml').write_text('name: greedy\nsummary: s\n')
    (tmp_path / 'lxd-profile.yaml').write_text('devices: {n: {type: nic}}\n')
    with pytest.raises(jubilant.CLIError) as caught:
        boxed.cli('deploy', str(tmp_path), '--base', 'debian@12')
    assert 'invalid lxd-profile.yaml: contains device type "nic"' in caught.value.stderr
    assert 'greedy' not in boxed.status().apps
    boxed.cli('deploy', str(tmp_path), '--base', 'debian@12', '--force', '--num-units', '0')
    boxed.cli('remove-application', 'greedy', '--no-prompt')
