"""Bridges of Open vSwitch on a machine with two network cards: its address moves to the bridge, and stays reachable."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import containers
import pytest

from jujulet.machines import bridges as podmans
from tools import systems

pytestmark = [pytest.mark.functional, pytest.mark.slow]


@dataclasses.dataclass
class Wired:
    """A machine, and the second network that it is in."""

    machine: containers.Machine
    network: str
    external: str
    external6: str

    def bring_about(self, **more: Any) -> dict[str, Any]:
        """One run of what a charm wants of bridges."""
        given = {'address': self.machine.address, 'external': self.external, **more}
        self.machine.run('sh', '-c', 'cat > /tmp/given.json', stdin=json.dumps(given))
        environment = ['--env', f'PYTHONPATH={containers.PYTHONPATH}']
        argv = ['podman', 'exec', *environment, self.machine.name, 'python3']
        done = subprocess.run(
            [*argv, '/opt/tests/bridges_on_machine.py', '/tmp/given.json'],
            capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def echoes(self) -> list[int]:
        """How many answers the host gets to each of three echo requests to the machine's address."""
        return [_answers(self.external, number) for number in range(3)]

    def send_nothing_back(self) -> None:
        """As jujulet has its networks."""
        seen = json.loads(systems.podman('network', 'inspect', self.network))[0]
        name = seen.get('network_interface') or seen['plugins'][0]['bridge']
        podmans.send_nothing_back([name])

    def fetched(self, address: str) -> str:
        """How much of a file of 3 MB comes by TCP from *address* of the machine."""
        argv = ('curl', '-gsS', '--max-time', '30', '-o', '/dev/null', '-w', '%{size_download}')
        where = f'http://[{address}]' if ':' in address else f'http://{address}'
        return subprocess.run(
            (*argv, f'{where}:8000/big'), capture_output=True, text=True, check=False
        ).stdout


def _answers(address: str, number: int) -> int:
    """Answers to one echo request (RFC 792) within two seconds, the last within one of the one before."""
    head = struct.pack('!BBHHH', 8, 0, 0, os.getpid() & 0xFFFF, number)
    total = sum(struct.unpack('!4H', head))
    total = (total & 0xFFFF) + (total >> 16)
    request = head[:2] + struct.pack('!H', ~total & 0xFFFF) + head[4:]
    found = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as wire:
        wire.settimeout(1)
        wire.sendto(request, (address, 0))
        end = time.monotonic() + 2
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < end:
                answer = wire.recv(2000)[20:]
                found += answer[0] == 0 and answer[4:8] == head[4:8]
    return found


@pytest.fixture(scope='module', params=systems.BASES)
def wired(request: pytest.FixtureRequest) -> Iterator[Wired]:
    """With nothing of Open vSwitch on it yet."""
    name = f'ck-bridges-{request.param}-{os.getpid()}'
    mounts = [f'--volume={here}:{there}:ro' for here, there in containers.MOUNTS.items()]
    networks = [f'{name}-{n}' for n in ('own', 'ex')]
    nets = [f'10.{214 + n}.{os.getpid() % 250}' for n in range(2)]
    net6s = [f'fd00:{214 + n}:{os.getpid() % 9999}:' for n in range(2)]
    joined: list[str] = []
    try:
        for network, net, net6 in zip(networks, nets, net6s, strict=True):
            subnets = (f'--subnet={net}.0/24', '--ipv6', f'--subnet={net6}:/64')
            systems.podman('network', 'create', *subnets, network)
            joined.append(f'--network={network}:ip={net}.9,ip={net6}:9')
        # What the charms' lxd-profile.yaml asks for.
        systems.start(name, systems.base(request.param), *joined, '--device=/dev/net/tun', *mounts)
        own, external, six = f'{nets[0]}.9', f'{nets[1]}.9', f'{net6s[1]}:9'
        machine = containers.Machine(name, request.param.replace('-', '@'), own)
        machine.sh(
            'export DEBIAN_FRONTEND=noninteractive; apt-get -q update; '
            'apt-get -q -y install --no-install-recommends procps iproute2'
        )
        found = Wired(machine, networks[1], external, six)
        found.send_nothing_back()
        yield found
    finally:
        systems.remove(name)
        for network in networks:
            subprocess.run(('podman', 'network', 'rm', network), capture_output=True, check=False)


@pytest.fixture(scope='module')
def first(wired: Wired) -> dict[str, Any]:
    """What the first run did; from then on the machine serves a file."""
    done = wired.bring_about()
    wired.machine.sh(
        'mkdir -p /srv/files && head -c 3000000 /dev/urandom > /srv/files/big && '
        'systemd-run --unit=files --working-directory=/srv/files python3 -m http.server --bind :: 8000'
    )
    return done


def _is_where_it_belongs(wired: Wired) -> None:
    """Its addresses are on the bridge, whoever asks there is answered once, and the way out by the other card stays."""
    on = wired.machine.sh('ip -o address show dev br-ex')
    assert f' {wired.external}/' in on
    assert f' {wired.external6}/' in on
    assert wired.echoes() == [1, 1, 1]
    for family in '46':
        ways = wired.machine.sh(f'ip -{family} -o route show default')
        assert ' dev eth0' in ways
        assert ' dev br-ex' in ways


def test_the_address_is_the_bridges_and_the_host_still_reaches_it(
    wired: Wired, first: dict[str, Any]
):
    assert first['failed'] == {}
    assert first['troubles'] == []
    assert first['userspace'] is True  # The kernel of this host has no datapath of Open vSwitch.
    _is_where_it_belongs(wired)
    assert wired.fetched(wired.external) == '3000000'
    assert wired.fetched(wired.external6) == '3000000'
    assert wired.machine.sh('ovs-vsctl get bridge br-ex datapath_type') == 'netdev'


def test_frames_whose_checksum_is_still_to_be_made_may_pass(wired: Wired, first: dict[str, Any]):
    said = wired.machine.sh('ovs-vsctl get Open_vSwitch . other_config:userspace-tso-enable')
    assert said == '"true"'
    # The switch that runs has read it: it says so since it last began.
    log = wired.machine.sh('cat /var/log/openvswitch/ovs-vswitchd.log')
    assert 'Segmentation Offloading support enabled' in log.rpartition('opened log file')[2]


def test_a_second_run_does_nothing(wired: Wired, first: dict[str, Any]):
    assert wired.bring_about()['steps'] == []


def test_without_its_rules_the_kernel_would_answer_too(wired: Wired, first: dict[str, Any]):
    """The sabotaged twin of "nobody answers twice"."""
    wired.machine.sh('iptables -t raw -F PREROUTING')
    assert max(wired.echoes()) > 1
    wired.machine.sh('systemctl restart ovs-bridges')
    _is_where_it_belongs(wired)


def test_another_bridge_does_not_restart_the_switch(wired: Wired, first: dict[str, Any]):
    before = wired.machine.sh('pidof ovs-vswitchd')
    machine = wired.machine
    machine.sh('ip link add card type veth peer name other && ip link set other up')
    more = {'bridge-mappings': 'physnet1:br-ex physnet3:br-more', 'data-port': 'br-more:card'}
    done = wired.bring_about(options=more)
    assert done['failed'] == {}
    assert machine.sh('ovs-vsctl list-ports br-more') == 'card'
    assert machine.sh('pidof ovs-vswitchd') == before
    _is_where_it_belongs(wired)
    wired.bring_about()
    machine.sh('ovs-vsctl del-br br-more')


def test_the_card_by_which_the_unit_is_reached_is_not_taken(wired: Wired, first: dict[str, Any]):
    done = wired.bring_about(options={'data-port': 'br-ex:eth0'}, external=wired.machine.address)
    assert wired.machine.address in done['troubles'][0]
    assert f' {wired.machine.address}/' in wired.machine.sh('ip -o address show dev eth0')


def test_all_of_it_comes_back_with_the_machine(wired: Wired, first: dict[str, Any]):
    wired.bring_about()
    systems.podman('restart', '-t', '20', wired.machine.name)
    wired.send_nothing_back()
    end = time.monotonic() + 90
    state = 'systemctl is-active ovs-bridges'
    while wired.machine.sh(state, check=False) != 'active':
        assert time.monotonic() < end, wired.machine.sh('journalctl -b -u ovs-bridges')
        time.sleep(1)
    _is_where_it_belongs(wired)
    assert '-i eth1 -j DROP' in wired.machine.sh('iptables -t raw -S PREROUTING')
    assert wired.bring_about()['steps'] == []
