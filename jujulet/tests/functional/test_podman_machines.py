"""Machines that are real system containers. Each takes a second or two; the base is built once and kept."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jujulet.core import charm, model
from jujulet.machines import (
    bridges,
    commands,
    directory_snapshot,
    doctor,
    images,
    inside,
    link,
    overlays,
    podman,
    procfiles,
    protocol,
    tools,
)

pytestmark = [
    pytest.mark.functional,
    pytest.mark.skipif(os.geteuid() != 0, reason='containers with systemd need root'),
    pytest.mark.timeout(240),
]

MODEL = 'e3f09a01-0000-4000-8000-000000000001'
OTHER = 'e3f09a02-0000-4000-8000-000000000002'
ENV = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'}
SPACES = {
    'alpha': model.Space('alpha', '10.99.41.0/24', 'fd99:41::/64'),
    'dmz': model.Space('dmz', '10.99.42.0/24', 'fd99:42::/64'),
}
DEBIAN = charm.Base('debian', '12')


def address(space: str, number: int) -> model.Address:
    at = SPACES[space]
    return model.Address(
        space,
        at.subnet4.replace('.0/24', f'.{number}'),
        at.subnet6.replace('/64', f'{number}'),
        f'02:00:00:00:{41 + list(SPACES).index(space)}:{number}',
    )


def spec(
    machine: str = '0',
    spaces: tuple[str, ...] = ('alpha',),
    *,
    layer: str = '',
    base: charm.Base = DEBIAN,
) -> protocol.MachineSpec:
    addresses = tuple(address(space, 10 + int(machine)) for space in spaces)
    return protocol.MachineSpec(
        MODEL, 'm', machine, base, f'juju-e3f09a-{machine}', layer, addresses, SPACES
    )


def quiet(_message: str) -> None:
    """Progress that nobody reads."""


@dataclasses.dataclass
class Bench:
    """A controller's half of a few machines."""

    machines: podman.PodmanMachines

    def __post_init__(self) -> None:
        self.came: dict[str, asyncio.Queue[link.AgentLink]] = {}
        self.servers: list[asyncio.Server] = []
        self.links: list[link.AgentLink] = []

    async def make(self, wanted: protocol.MachineSpec) -> link.AgentLink:
        if wanted.id not in self.came:
            self.came[wanted.id] = asyncio.Queue()

            async def connected(found: link.AgentLink) -> None:
                self.links.append(found)
                await self.came[wanted.id].put(found)

            path = self.machines.run_dir(MODEL, wanted.id) / protocol.AGENT_SOCKET
            self.servers.append(await link.listen(path, connected))
        await self.machines.ensure(wanted, quiet)
        return await self.agent(wanted.id)

    async def agent(self, machine: str = '0') -> link.AgentLink:
        return await asyncio.wait_for(self.came[machine].get(), 120)


async def shell(agent: link.AgentLink, script: str) -> str:
    ended, out, err = await agent.capture(['sh', '-ec', script], env=ENV, timeout=120)
    assert ended.returncode == 0, err.decode()
    return out.decode()


async def reaches(agent: link.AgentLink, target: str) -> bool:
    ended, _, _ = await agent.capture(['ping', '-c1', '-W1', target], env=ENV)
    return ended.returncode == 0


@asynccontextmanager
async def benched(state: Path) -> AsyncGenerator[Bench]:
    bench = Bench(podman.PodmanMachines(state))
    try:
        yield bench
    finally:
        for server in bench.servers:
            server.close()
        for each in bench.links:
            each.close()
            await each.closed.wait()
        await bench.machines.destroy_model(MODEL)
        await bench.machines.settle()


@pytest.fixture(scope='module')
def state() -> Iterator[Path]:
    """A state directory whose bases outlive the tests: building one takes as long as all of them together."""
    kept = Path('/var/tmp/jujulet-test-bases')
    kept.mkdir(mode=0o700, exist_ok=True)
    path = Path('/var/tmp') / f'jujulet-test-{os.getpid()}'
    path.mkdir(mode=0o700)
    (path / 'bases').symlink_to(kept)
    yield path
    for point in overlays.below(path):
        subprocess.run(['umount', '--lazy', point], check=True)
    shutil.rmtree(path)


def drive(scenario: Callable[[Bench], Awaitable[None]], state: Path) -> None:
    async def whole() -> None:
        async with benched(state) as bench:
            await scenario(bench)

    asyncio.run(whole())


def test_a_machine_comes_up_with_all_units_well(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        agent = await bench.make(spec())
        assert (agent.machine, agent.boots) == ('0', 1)
        assert (await shell(agent, 'systemctl is-system-running --wait')).strip() == 'running'
        assert (await shell(agent, 'hostname')).strip() == 'juju-e3f09a-0'
        assert (await shell(agent, 'cat /etc/machine-id')).strip() == inside.machine_id(spec())
        assert (await shell(agent, 'sudo -u ubuntu sudo id -un')).strip() == 'root'
        assert (await shell(agent, 'getent hosts juju-e3f09a-0')).split()[0] == '10.99.41.10'

    drive(scenario, state)


def test_addresses_survive_every_kind_of_restart_and_each_counts_as_a_boot(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        async def there(agent: link.AgentLink) -> None:
            seen = json.loads(await shell(agent, 'ip -json address show up'))
            mine = {a['local'] for i in seen for a in i['addr_info']}
            assert {'10.99.41.10', 'fd99:41::10', '10.99.42.10', 'fd99:42::10'} <= mine
            macs = {i['address'] for i in seen}
            assert {'02:00:00:00:41:10', '02:00:00:00:42:10'} <= macs

        agent = await bench.make(spec(spaces=('alpha', 'dmz')))
        await there(agent)
        await shell(agent, 'echo kept > /var/kept')
        await bench.machines.reboot(MODEL, '0')
        agent = await bench.agent()
        assert agent.boots == 2
        await there(agent)
        with pytest.raises(link.LinkLost):
            await agent.run(['sh', '-c', 'systemctl reboot; sleep 30'], env=ENV)
        agent = await bench.agent()
        assert agent.boots == 3, 'a reboot from within brings the machine back by itself'
        await bench.machines.stop(MODEL, '0')
        await asyncio.wait_for(agent.closed.wait(), 5)
        await bench.machines.start(MODEL, '0')
        agent = await bench.agent()
        assert agent.boots == 4
        await there(agent)
        assert await shell(agent, 'cat /var/kept') == 'kept\n'

    drive(scenario, state)


def test_an_agent_that_dies_is_no_reboot(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        agent = await bench.make(spec())
        with pytest.raises(link.LinkLost):
            await agent.run(['sh', '-c', 'kill -9 $PPID; sleep 30'], env=ENV)
        again = await bench.agent()
        assert again.boots == 1

    drive(scenario, state)


@pytest.mark.parametrize(
    ('ours', 'podmans'),
    [(True, True), (True, False), (False, False)],
    ids=['isolated', 'by our rules alone', 'sabotaged'],
)
def test_spaces_cannot_reach_one_another_but_a_machine_in_both_reaches_both(
    state: Path, ours: bool, podmans: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = commands.create_network

    def create(*given: Any, isolate: bool) -> tuple[str, ...]:
        words = genuine(*given, isolate=isolate and podmans)
        # By its label our rules find a network, whichever controller renews them.
        return tuple(w if ours else w.replace('jujulet.state', 'jujulet.unruled') for w in words)

    monkeypatch.setattr(commands, 'create_network', create)

    async def scenario(bench: Bench) -> None:
        inner, outer, both = await asyncio.gather(
            bench.make(spec('0', ('alpha',))),
            bench.make(spec('1', ('dmz',))),
            bench.make(spec('2', ('alpha', 'dmz'))),
        )
        assert await reaches(both, '10.99.41.10')
        assert await reaches(both, '10.99.42.11')
        assert await reaches(both, 'fd99:42::11')
        assert await reaches(inner, '10.99.41.12')
        crossed = [
            await reaches(inner, '10.99.42.11'),
            await reaches(inner, 'fd99:42::11'),
            await reaches(outer, '10.99.41.10'),
            await reaches(inner, '10.99.42.12'),
        ]
        assert any(crossed) is not ours
        names = (await shell(inner, 'cat /etc/hosts')).split()
        assert {'juju-e3f09a-1', 'juju-e3f09a-2'} <= set(names)

    try:
        drive(scenario, state)
    finally:
        names = [commands.network_name(MODEL, space) for space in SPACES]
        subprocess.run(['podman', 'network', 'rm', '--force', *names], check=False)


def test_subnets_of_a_space_reach_one_another_as_who_they_are_and_no_other_space(
    state: Path,
) -> None:
    alpha, dmz = SPACES['alpha'], SPACES['dmz']
    second = model.Subnet('10.99.43.0/24', 'fd99:43::/64', 'dmz--2')
    wide = {'alpha': alpha, 'dmz': dataclasses.replace(dmz, more=(second,))}

    async def scenario(bench: Bench) -> None:
        wanted = {
            '0': dataclasses.replace(spec('0', ('alpha', 'dmz')), spaces=wide),
            '1': dataclasses.replace(
                spec('1'),
                addresses=(model.Address('dmz', '10.99.43.11', 'fd99:43::11'),),
                spaces=wide,
            ),
            '2': dataclasses.replace(spec('2'), spaces=wide),
        }
        bench.machines.current = lambda _, machine: wanted[machine]
        both, there, outer = [await bench.make(each) for each in wanted.values()]
        # The space had one subnet when the first of them came.
        for target in ('10.99.43.11', 'fd99:43::11'):
            assert await reaches(both, target)
        for target in ('10.99.42.10', 'fd99:42::10'):
            assert await reaches(there, target)
        await shell(
            there,
            'systemd-run --unit=echo python3 -c "'
            "import socket; s = socket.create_server(('::', 99), family=socket.AF_INET6, "
            'dualstack_ipv6=True)\nwhile 1: c, a = s.accept(); c.sendall(a[0].encode()); c.close()"',
        )
        for target, sender in (
            ('10.99.43.11', '::ffff:10.99.42.10'),
            ('fd99:43::11', 'fd99:42::10'),
        ):
            said = await shell(
                both,
                'for i in 1 2 3 4 5; do python3 -c "import socket; print('
                f"socket.create_connection(('{target}', 99)).recv(99).decode())\" "
                '&& break; sleep 1; done',
            )
            assert said.strip() == sender
        assert not await reaches(outer, '10.99.43.11')
        assert not await reaches(outer, '10.99.42.10')
        assert not await reaches(there, '10.99.41.12')
        await bench.machines.reboot(MODEL, '0')
        assert await reaches(await bench.agent('0'), '10.99.43.11')

    try:
        drive(scenario, state)
    finally:
        names = [commands.network_name(MODEL, n) for n in ('alpha', 'dmz', 'dmz--2')]
        subprocess.run(['podman', 'network', 'rm', '--force', *names], check=False)


def subnets(space: str) -> list[str]:
    """What the network of that name has."""
    name = commands.network_name(MODEL, space)
    done = subprocess.run(
        ['podman', 'network', 'inspect', name], capture_output=True, text=True, check=True
    )
    return [each['subnet'] for each in json.loads(done.stdout)[0]['subnets']]


def test_a_space_may_have_the_name_or_the_subnet_of_one_that_was_removed(state: Path) -> None:
    first, second = '10.99.44.0/24', '10.99.45.0/24'

    async def scenario(bench: Bench) -> None:
        async def ensure(space: str, cidr: str) -> None:
            spaces = {'alpha': SPACES['alpha'], space: model.Space(space, cidr)}
            at = model.Address(space, cidr.replace('.0/24', '.10'))
            await bench.machines.networks.ensure(MODEL, spaces, at)

        await bench.make(spec())
        await ensure('dmz', first)
        await ensure('dmz', second)  # It was removed, and there is another.
        assert subnets('dmz') == [second]
        await ensure('edge', second)  # Its subnet is free again.
        assert subnets('edge') == [second]
        with pytest.raises(protocol.MachineError, match='alpha'):  # A machine is in that one.
            await ensure('alpha', first)
        assert subnets('alpha') == list(SPACES['alpha'].cidrs)

    try:
        drive(scenario, state)
    finally:
        names = [commands.network_name(MODEL, n) for n in ('alpha', 'dmz', 'edge')]
        subprocess.run(['podman', 'network', 'rm', '--force', *names], check=False)


def test_a_machine_can_install_packages_and_stock_units_start(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        agent = await bench.make(spec())
        await shell(agent, 'apt-get update && apt-get install --yes haproxy')
        assert (await shell(agent, 'systemctl is-active haproxy')).strip() == 'active'
        await shell(agent, 'sysctl -w net.ipv4.ip_nonlocal_bind=1')

    drive(scenario, state)


def test_a_machine_cannot_change_what_is_the_hosts(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        agent = await bench.make(spec())
        before = Path('/proc/sys/vm/swappiness').read_text()
        ended, _, _ = await agent.capture(
            ['sh', '-c', 'echo 1 > /proc/sys/vm/swappiness'], env=ENV
        )
        assert ended.returncode != 0
        assert Path('/proc/sys/vm/swappiness').read_text() == before

    drive(scenario, state)


def test_a_layer_gives_the_next_machine_what_was_installed_and_its_own_identity(
    state: Path,
) -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.make(spec('0'))
        await shell(first, 'echo tool > /usr/bin/tool; rm /etc/issue; echo said > /etc/said')
        await shell(first, 'mkdir -p /var/lib/juju/agents/unit-a-0')
        key_of_first = await shell(first, 'cat /etc/ssh/ssh_host_ed25519_key.pub')
        await bench.machines.keep_layer(MODEL, '0', 'k1')
        await shell(first, 'echo later > /etc/said')
        await bench.machines.settle()
        assert [layer.key for layer in bench.machines.layers()] == ['k1']
        second = await bench.make(spec('1', layer='k1'))
        assert second.boots == 1
        assert await shell(second, 'cat /usr/bin/tool /etc/said') == 'tool\nsaid\n'
        assert await shell(second, 'ls /var/lib/juju/agents') == 'unit-a-0\n'
        await shell(second, 'test ! -e /etc/issue')
        assert (await shell(second, 'hostname')).strip() == 'juju-e3f09a-1'
        assert (await shell(second, 'cat /etc/machine-id')).strip() == inside.machine_id(spec('1'))
        assert await shell(second, 'cat /etc/ssh/ssh_host_ed25519_key.pub') != key_of_first
        await bench.machines.drop_layer('k1')
        assert bench.machines.layers() == []
        await bench.machines.reboot(MODEL, '1')
        again = await bench.agent('1')
        assert await shell(again, 'cat /usr/bin/tool') == 'tool\n', (
            'it stands on a layer that was dropped'
        )

    drive(scenario, state)


def test_nothing_that_a_machine_does_later_shows_in_its_layer(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.make(spec('0'))
        await shell(first, 'mkdir /opt/o; echo tool > /usr/bin/tool; chmod 755 /usr/bin/tool')
        await shell(first, 'rm -r /usr/share/doc; mkdir /usr/share/doc; ln -s tool /usr/bin/also')
        await bench.machines.keep_layer(MODEL, '0', 'k2')
        await shell(first, 'rm -r /opt/o')
        await bench.machines.settle()
        await shell(first, 'echo more >> /usr/bin/tool; chmod 700 /usr/bin/tool')
        second = await bench.make(spec('1', layer='k2'))
        assert await shell(second, 'cat /usr/bin/also; stat -c %a /usr/bin/tool') == 'tool\n755\n'
        assert await shell(second, 'ls /usr/share/doc; ls -d /opt/o') == '/opt/o\n'
        await shell(second, 'echo mine >> /usr/bin/tool')
        assert await shell(first, 'cat /usr/bin/tool') == 'tool\nmore\n'

    drive(scenario, state)


def test_a_machine_that_writes_into_what_is_being_copied_gives_no_layer(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.make(spec('0'))
        await shell(first, 'echo tool > /usr/bin/tool')
        genuine = tools.run

        async def meanwhile(argv: Sequence[str], **more: Any) -> str:
            if '--reflink=auto' in argv and 'nice' in argv:
                await shell(first, 'echo more >> /usr/bin/tool')
            return await genuine(argv, **more)

        monkeypatch.setattr(directory_snapshot, 'run', meanwhile)
        await bench.machines.keep_layer(MODEL, '0', 'k3')
        await bench.machines.settle()
        assert 'changed its programs' in caplog.text
        assert 'k3' not in [layer.key for layer in bench.machines.layers()]
        with pytest.raises(protocol.LayerGone):
            await bench.make(spec('1', layer='k3'))
        assert not bench.machines.folders.folder(MODEL, '1').exists()

    drive(scenario, state)


def test_after_all_was_killed_recover_and_ensure_bring_it_back(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        zero = await bench.make(spec('0'))
        one = await bench.make(spec('1'))
        await shell(zero, 'echo kept > /var/kept; sync')
        places = bench.machines.folders
        for machine in ('0', '1'):
            name = commands.container_name(MODEL, machine)
            said = subprocess.run(
                ['podman', 'inspect', name], capture_output=True, text=True, check=True
            )
            seen = json.loads(said.stdout)[0]['State']
            os.kill(seen['ConmonPid'], signal.SIGKILL)
            os.kill(seen['Pid'], signal.SIGKILL)
        for agent in (zero, one):
            await asyncio.wait_for(agent.closed.wait(), 5)
        subprocess.run(['umount', '--lazy', places.root(MODEL, '0')], check=True)
        said = subprocess.run(
            [
                'podman',
                'inspect',
                '--format={{.State.Running}}',
                commands.container_name(MODEL, '0'),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout == 'true\n', 'podman does not know; else this test would prove nothing'
        half_made = places.state / 'layers/.new-1234/root'
        half_made.mkdir(parents=True)
        half_built = places.state / 'bases/debian-12-0123456789.new1234'
        for kind, point in (('tmpfs', half_built / 'dev'), ('devpts', half_built / 'dev/pts')):
            point.mkdir(parents=True, exist_ok=True)  # A run that failed here leaves it.
            subprocess.run(['mount', '-t', kind, kind, point], check=True)
        lost = model.Space('lost', '10.99.43.0/24')
        at = model.Address('lost', '10.99.43.10')
        await bench.machines.networks.ensure(OTHER, {'lost': lost}, at)

        later = podman.PodmanMachines(state)
        await later.recover({(MODEL, '0')})
        assert not half_made.exists()
        assert not half_built.exists()
        assert not places.folder(MODEL, '1').exists()
        assert overlays.below(places.state / 'machines') == []
        said = subprocess.run(
            ['podman', 'ps', '-a', '--format={{.Names}}'],
            capture_output=True,
            text=True,
            check=True,
        )
        assert 'jujulet-e3f09a' not in said.stdout
        said = subprocess.run(
            ['podman', 'network', 'ls'], capture_output=True, text=True, check=True
        )
        assert commands.network_name(OTHER, 'lost') not in said.stdout
        assert commands.network_name(MODEL, 'alpha') in said.stdout
        bench.machines = later
        again = await bench.make(spec('0'))
        assert again.boots == 2
        assert await shell(again, 'cat /var/kept') == 'kept\n'

    drive(scenario, state)


def test_a_base_whose_building_is_broken_off_leaves_nothing_mounted(tmp_path: Path) -> None:
    async def scenario() -> None:
        bases = images.Bases(tmp_path)
        building = asyncio.create_task(bases.ensure(DEBIAN, quiet))
        while not mounted_anywhere(tmp_path):
            assert not building.done(), 'nothing was mounted: this test proves nothing'
            await asyncio.sleep(0.01)
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
        await directory_snapshot.remove(*bases.folder.iterdir())
        assert list(bases.folder.iterdir()) == []

    asyncio.run(scenario())
    assert overlays.below(tmp_path) == []


def mounted_anywhere(path: Path) -> bool:
    """Whether something is mounted below *path*, in whichever process's eyes."""
    for process in Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            if f' {path}/' in (process / 'mountinfo').read_text():
                return True
    return False


def test_recover_leaves_running_machines_running_and_thaws_a_frozen_one(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        agent = await bench.make(spec('0'))
        subprocess.run(['podman', 'pause', commands.container_name(MODEL, '0')], check=True)
        later = podman.PodmanMachines(state)
        await later.recover({(MODEL, '0')})
        await later.ensure(spec('0'), quiet)
        await agent.ping()
        assert agent.boots == 1

    drive(scenario, state)


def test_a_model_is_gone_without_a_trace_and_without_a_farewell(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        agents = await asyncio.gather(
            *(bench.make(spec(str(n), ('alpha', 'dmz'))) for n in range(3))
        )
        # What a service does at its end would be waited for if machines were shut down in order.
        stop = "--property='ExecStop=/bin/sleep infinity' --property=TimeoutStopSec=infinity"
        await shell(agents[0], f'systemd-run --quiet {stop} sleep infinity')
        await bench.machines.destroy_model(MODEL)
        await bench.machines.settle()
        places = bench.machines.folders
        assert [
            p for part in ('machines', 'run', 'rubbish') for p in (places.state / part).iterdir()
        ] == []
        for what in (('ps', '-a'), ('network', 'ls')):
            said = subprocess.run(['podman', *what], capture_output=True, text=True, check=True)
            assert 'jujulet-e3f09a' not in said.stdout

    drive(scenario, state)


def test_a_machine_that_cannot_be_made_leaves_nothing(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        wrong = dataclasses.replace(spec(), addresses=(model.Address('alpha', '10.1.1.1'),))
        with pytest.raises(protocol.MachineError, match=r'10\.1\.1\.1'):
            await bench.make(wrong)
        assert list((bench.machines.folders.state / 'machines').iterdir()) == []
        with pytest.raises(protocol.MachineError, match='plan9@4 is not known'):
            await bench.make(spec(base=charm.Base('plan9', '4')))

    drive(scenario, state)


def test_an_archive_that_cannot_be_reached_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / 'sources.list'
    listed.write_text('deb http://127.0.0.1:9/debian bookworm main\n')
    monkeypatch.setattr(images, 'source_files', lambda: [listed])

    async def scenario() -> None:
        machines = podman.PodmanMachines(tmp_path / 'state')
        with pytest.raises(
            protocol.MachineError, match=r'could not be built from http://127\.0\.0\.1:9'
        ):
            await machines.ensure(spec(), quiet)
        assert list((tmp_path / 'state/bases').iterdir()) == []
        assert machines.folders.known() == {}

    asyncio.run(scenario())


def test_links_that_a_machine_lays_do_not_lead_into_the_host(state: Path, tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        agent = await bench.make(spec('0'))
        victim = tmp_path / 'victim'
        victim.write_text("the host's own")
        await shell(agent, f'ln -sf {victim} /etc/hosts')
        await bench.make(spec('1'))
        assert victim.read_text() == "the host's own"
        assert 'juju-e3f09a-1' in await shell(agent, 'cat /etc/hosts')

    drive(scenario, state)


def test_a_public_key_lets_its_owner_in_by_ssh_until_it_is_removed(
    state: Path, tmp_path: Path
) -> None:
    subprocess.run(
        ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', tmp_path / 'key'], check=True
    )
    public = (tmp_path / 'key.pub').read_text().strip()

    async def scenario(bench: Bench) -> None:
        async def enters() -> bool:
            options = ('BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null')
            argv = ['ssh', '-i', str(tmp_path / 'key'), *(f'-o{o}' for o in options)]
            argv += ['ubuntu@10.99.41.10', 'sudo id -un']
            done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, check=False)
            return done.stdout == b'root\n'

        agent = await bench.make(spec())
        await shell(agent, 'systemctl is-system-running --wait')
        assert not await enters()
        with_key = dataclasses.replace(spec(), ssh_keys=(public,))
        await bench.machines.ensure(with_key, quiet)
        assert await enters()
        await bench.machines.ensure(spec(), quiet)
        assert not await enters()

    drive(scenario, state)


def test_enter_runs_a_command_as_a_user(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.make(spec('0'))
        argv = bench.machines.enter(MODEL, '0', ('sh', '-c', 'id -un; pwd; cat'), user='ubuntu')
        said = await asyncio.to_thread(
            subprocess.run, argv, input=b'in', capture_output=True, check=True
        )
        assert said.stdout == b'ubuntu\n/home/ubuntu\nin'

    drive(scenario, state)


def test_who_comes_and_goes_does_not_change_the_hosts_address_for_the_others(state: Path) -> None:
    """Its hardware address: what the others send to the host would be lost for seconds."""

    async def scenario(bench: Bench) -> None:
        await bench.make(spec('0'))
        network = commands.network_name(MODEL, 'alpha')
        seen = json.loads(command('podman', 'network', 'inspect', network))[0]
        assert not changes(seen['network_interface'])
        await bench.machines.reboot(
            MODEL, '0'
        )  # The last one goes, and its bridge with it; both come anew.
        assert not changes(seen['network_interface'])

    drive(scenario, state)


TUN = charm.Device('/dev/net/tun', '/dev/net/tun', mode=0o666, gid=7)
ABSENT = charm.Device('/dev/not-there', '/dev/not-there')
OPENED = "python3 -c 'import os; os.open(\"/dev/net/tun\", os.O_RDWR)'; stat -c '%t:%T %a %u:%g' /dev/net/tun"


def test_a_machine_has_its_devices_after_every_kind_of_start(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        wanted = dataclasses.replace(spec(), devices=(TUN, ABSENT), modules=('no_such_module',))
        agent = await bench.make(wanted)
        there = 'a:c8 666 0:7\n'
        assert await shell(agent, OPENED) == there
        assert bench.machines.given(MODEL, '0') == {
            **{'/dev/net/tun': True, '/dev/not-there': False},
            'no_such_module': False,
        }
        with pytest.raises(link.LinkLost):
            await agent.run(['sh', '-c', 'systemctl reboot; sleep 30'], env=ENV)
        agent = await bench.agent()
        assert await shell(agent, OPENED) == there
        await bench.machines.reboot(MODEL, '0')
        agent = await bench.agent()
        assert await shell(agent, OPENED) == there

    drive(scenario, state)


def test_a_machine_that_is_to_have_another_device_has_it_from_its_next_start(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        wanted = spec()
        bench.machines.current = lambda _model, _machine: wanted
        agent = await bench.make(wanted)
        assert await shell(agent, 'ls /dev/net/tun 2>/dev/null || echo none') == 'none\n'
        await shell(agent, 'echo kept > /var/kept')
        wanted = dataclasses.replace(spec(), devices=(TUN,))
        with pytest.raises(link.LinkLost):
            await agent.run(['sh', '-c', 'systemctl reboot; sleep 30'], env=ENV)
        agent = await bench.agent()
        assert agent.boots == 2
        assert await shell(agent, OPENED) == 'a:c8 666 0:7\n'
        assert await shell(agent, 'cat /var/kept') == 'kept\n'

    drive(scenario, state)


def test_a_device_that_was_not_asked_for_cannot_be_opened(state: Path) -> None:
    async def scenario(bench: Bench) -> None:
        agent = await bench.make(spec())
        script = (
            'mknod /dev/fuse c 10 229; python3 -c \'import os; os.open("/dev/fuse", os.O_RDWR)\''
        )
        ended, _, err = await agent.capture(['sh', '-c', script], env=ENV)
        assert ended.returncode
        assert b'not permitted' in err
        asked = charm.Device('/dev/fuse', '/dev/fuse')
        agent = await bench.make(dataclasses.replace(spec('1'), devices=(asked,)))
        await shell(agent, 'python3 -c \'import os; os.open("/dev/fuse", os.O_RDWR)\'')

    drive(scenario, state)


def test_no_bridge_sends_back_to_a_machine_what_it_sent(state: Path) -> None:
    """Where its interface is the port of a bridge within, that one would take its own addresses to be outside."""

    async def scenario(bench: Bench) -> None:
        agent = await bench.make(spec(spaces=('alpha', 'dmz')))
        names = [commands.network_name(MODEL, space) for space in SPACES]
        seen = json.loads(command('podman', 'network', 'inspect', *names))
        ours = [each['network_interface'] for each in seen]

        def ports() -> int:
            return len([port for name in ours for port in ports_of(name)])

        assert (ports(), echoing(*ours)) == (2, [])
        await bench.machines.reboot(MODEL, '0')
        agent = await bench.agent()
        assert (ports(), echoing(*ours)) == (2, [])
        with pytest.raises(link.LinkLost):
            await agent.run(['sh', '-c', 'systemctl reboot; sleep 30'], env=ENV)
        await bench.agent()
        assert (ports(), echoing(*ours)) == (2, [])

    drive(scenario, state)


def test_a_port_that_sends_back_would_be_seen() -> None:
    command('ip', 'link', 'add', 'jujulet-twin', 'type', 'bridge')
    try:
        with port('jujulet-twin', '06:00:00:00:00:01') as name:
            Path('/sys/class/net/jujulet-twin/brif', name, 'hairpin_mode').write_text('1')
            assert echoing('jujulet-twin') == [name]
            bridges.send_nothing_back(['jujulet-twin', 'one-that-is-not-there'])
            assert echoing('jujulet-twin') == []
    finally:
        command('ip', 'link', 'delete', 'jujulet-twin')


def ports_of(bridge: str) -> list[Path]:
    return sorted(Path('/sys/class/net', bridge, 'brif').glob('*'))


def echoing(*names: str) -> list[str]:
    """Ports of these bridges that send back what came from them."""
    every = [port for name in names for port in ports_of(name)]
    return [port.name for port in every if (port / 'hairpin_mode').read_text().strip() != '0']


def test_that_change_would_be_seen() -> None:
    command('ip', 'link', 'add', 'jujulet-twin', 'type', 'bridge')
    try:
        with port('jujulet-twin', '06:00:00:00:00:01'):
            assert changes('jujulet-twin')
            bridges.hold(['jujulet-twin', 'one-that-is-not-there'])
            assert not changes('jujulet-twin')
    finally:
        command('ip', 'link', 'delete', 'jujulet-twin')


def changes(bridge: str) -> bool:
    """Whether a bridge's hardware address changes with a port that has a lower one."""
    address = Path('/sys/class/net', bridge, 'address')
    before = address.read_text()
    with port(bridge, '02:00:00:00:00:01'):
        return address.read_text() != before


@contextlib.contextmanager
def port(bridge: str, address: str) -> Generator[str]:
    """A port of *bridge* with that hardware address; its name."""
    name = f'jujulet-{address[:2]}'
    command('ip', 'link', 'add', name, 'address', address, 'type', 'veth')
    try:
        command('ip', 'link', 'set', name, 'master', bridge)
        yield name
    finally:
        command('ip', 'link', 'delete', name)


def command(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def lxcfs(folder: Path) -> Generator[Path]:
    """Have LXCFS run there, as the package's service does; its files of ``/proc``."""
    folder.mkdir()
    with subprocess.Popen(
        ['lxcfs', '--pidfile', f'{folder}.pid', folder],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as daemon:  # fmt: skip
        try:
            ends = time.monotonic() + 30
            while not (folder / 'proc/uptime').exists():
                assert daemon.poll() is None
                assert time.monotonic() < ends
                time.sleep(0.1)
            yield folder / 'proc'
        finally:
            daemon.terminate()
            daemon.wait(30)
            subprocess.run(['umount', '--lazy', folder], stderr=subprocess.DEVNULL, check=False)
            folder.rmdir()


def mib(meminfo: str) -> int:
    return int(meminfo.split()[1]) // 1024


@pytest.mark.slow  # It takes /dev/fuse.
def test_a_machine_has_its_own_uptime_and_memory_where_lxcfs_runs(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = dataclasses.replace(spec(), constraints={'mem': 300})

    async def scenario(bench: Bench) -> None:
        bench.machines.current = lambda _model, _machine: limited
        monkeypatch.setattr(procfiles, 'FOLDER', state / 'none')
        agent = await bench.make(limited)
        # The twin: without LXCFS it is the host's.
        assert mib(await shell(agent, 'cat /proc/meminfo')) > 300
        host = float(Path('/proc/uptime').read_text().split()[0])
        assert float((await shell(agent, 'cat /proc/uptime')).split()[0]) > host - 60
        with lxcfs(state / 'lxcfs') as folder:
            monkeypatch.setattr(procfiles, 'FOLDER', folder)
            assert (await asyncio.to_thread(doctor.look, state)).proc.names == procfiles.NAMES
            await bench.machines.reboot(MODEL, '0')
            agent = await bench.agent()
            assert mib(await shell(agent, 'cat /proc/meminfo')) == 300
            assert float((await shell(agent, 'cat /proc/uptime')).split()[0]) < host
            assert (await shell(agent, 'systemctl is-system-running --wait')).strip() == 'running'
            first = float((await shell(agent, 'sleep 3; cat /proc/uptime')).split()[0])
            await bench.machines.reboot(MODEL, '0')
            agent = await bench.agent()
            assert float((await shell(agent, 'cat /proc/uptime')).split()[0]) < first
        # LXCFS is gone: the machine comes up without it.
        await bench.machines.reboot(MODEL, '0')
        agent = await bench.agent()
        assert mib(await shell(agent, 'cat /proc/meminfo')) > 300

    drive(scenario, state)


@pytest.mark.slow  # It takes /dev/fuse.
def test_an_lxcfs_that_hangs_or_has_ended_keeps_nobody(state: Path) -> None:
    with lxcfs(state / 'lxcfs') as folder:
        assert procfiles.look(folder).state == 'serves'
        pid = int((state / 'lxcfs.pid').read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            assert procfiles.look(folder).state == 'hangs'
        finally:
            os.kill(pid, signal.SIGCONT)
        assert procfiles.look(folder).state == 'serves'
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 30
        while procfiles.look(folder).state != 'dead':
            assert time.monotonic() < until
            time.sleep(0.1)


def test_the_doctor_finds_this_host_fit(state: Path) -> None:
    facts = doctor.look(state / 'not' / 'there')
    assert [f for f in doctor.findings(facts) if f.level == 'error'] == []
