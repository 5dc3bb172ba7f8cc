"""Machines made of plain processes, with the real agent."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jujulet.core import charm
from jujulet.machines import link, process, protocol

pytestmark = pytest.mark.functional

MODEL = '3f9a01d2-0000-4000-8000-000000000001'
ENV = {'PATH': os.environ['PATH']}


def spec(machine: str = '0', layer: str = '') -> protocol.MachineSpec:
    base = charm.Base('debian', '12')
    return protocol.MachineSpec(MODEL, 'm', machine, base, f'juju-3f9a01-{machine}', layer=layer)


def runs(pid: int) -> bool:
    """There, and not merely waiting to be reaped."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    """Wait until a process that was killed is dead."""
    deadline = time.monotonic() + 5
    while runs(pid):
        assert time.monotonic() < deadline, f'process {pid} lives'
        await asyncio.sleep(0.01)


def quiet(_message: str) -> None:
    """Progress that nobody reads."""


@asynccontextmanager
async def listening(
    machines: process.ProcessMachines, machine: str = '0'
) -> AsyncGenerator[Callable[[], Awaitable[link.AgentLink]]]:
    """Gives a function that waits for the next agent to connect."""
    came: asyncio.Queue[link.AgentLink] = asyncio.Queue()
    path = machines.run_dir(MODEL, machine) / protocol.AGENT_SOCKET
    links: list[link.AgentLink] = []

    async def connected(found: link.AgentLink) -> None:
        links.append(found)
        await came.put(found)

    server = await link.listen(path, connected)

    async def following() -> link.AgentLink:
        return await asyncio.wait_for(came.get(), 10)

    try:
        yield following
    finally:
        server.close()
        for each in links:
            each.close()
            await each.closed.wait()


def drive(scenario: Callable[[process.ProcessMachines], Awaitable[None]], state: Path) -> None:
    async def whole() -> None:
        machines = process.ProcessMachines(state)
        try:
            await scenario(machines)
        finally:
            await machines.destroy_model(MODEL)

    asyncio.run(whole())


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / 'state'


def test_a_program_runs_and_its_output_and_end_come_back(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            agent = await following()
            assert (agent.machine, agent.boots) == ('0', 1)
            script = 'cat; echo wrong >&2; pwd; echo $COLOUR; exit 3'
            ended, out, err = await agent.capture(
                ['sh', '-c', script], env={**ENV, 'COLOUR': 'red'}, cwd='/tmp', stdin=b'in\n'
            )
            assert (ended.code, ended.signal) == (3, 0)
            assert out == b'in\n/tmp\nred\n'
            assert err == b'wrong\n'

    drive(scenario, state)


def test_a_megabyte_goes_in_and_out_whole(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            agent = await following()
            block = os.urandom(1_000_000)
            ended, out, _ = await agent.capture(['cat'], env=ENV, stdin=block)
            assert ended.code == 0
            assert out == block

    drive(scenario, state)


def test_programs_run_side_by_side(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            agent = await following()
            # Each ends when all four have begun.
            script = f'touch {state}/side-$1; until [ "$(ls {state}/side-* | wc -l)" = 4 ]; do sleep 0.05; done'
            ended = await asyncio.gather(
                *(agent.run(['sh', '-c', script, 'sh', str(n)], env=ENV) for n in range(4))
            )
            assert [each.code for each in ended] == [0] * 4

    drive(scenario, state)


def test_a_child_in_the_background_does_not_hold_the_hook(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            agent = await following()
            script = 'sleep 300 & echo said $!'
            ended, out, _ = await agent.capture(['sh', '-c', script], env=ENV)
            assert ended.code == 0
            assert runs(int(out.split()[1]))

    drive(scenario, state)


def test_a_killed_hook_says_so_and_a_slow_one_is_timed_out(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            agent = await following()
            for number in (signal.SIGTERM, signal.SIGKILL):
                ended = await agent.run(
                    ['sleep', '30'],
                    env=ENV,
                    started=lambda run, _pid, number=number: agent.kill(run, number),
                )
                assert ended.signal == number
                assert ended.killed
            ended = await agent.run(['sleep', '30'], env=ENV, timeout=0.2)
            assert ended.timed_out

    drive(scenario, state)


def test_a_program_that_is_not_there_is_refused_by_name(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            agent = await following()
            with pytest.raises(link.CannotRun, match='/no/dispatch'):
                await agent.run(['/no/dispatch'], env=ENV)
            with pytest.raises(link.CannotRun, match='/no/where'):
                await agent.run(['true'], env=ENV, cwd='/no/where')
            await agent.ping()

    drive(scenario, state)


def test_losing_the_controller_kills_the_hook_and_the_agent_comes_back(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            agent = await following()
            pids: list[int] = []

            def started(_run: int, pid: int) -> None:
                pids.append(pid)
                agent.close()

            with pytest.raises(link.LinkLost):
                await agent.run(['sleep', '30'], env=ENV, started=started)
            again = await following()
            assert again.boots == 1, 'the system did not start anew, the controller did'
            await again.ping()
            await gone(pids[0])

    drive(scenario, state)


def test_an_agent_that_dies_is_started_again_and_ends_what_the_dead_one_left(state: Path) -> None:
    """A hook ran twice, side by side; and charms were told of a reboot that was none."""

    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            agent = await following()
            daemon = await agent.capture(
                ['sh', '-c', 'setsid sleep 600 >/dev/null 2>&1 & echo $!'], env=ENV
            )
            parent = await agent.capture(['sh', '-c', 'echo $PPID'], env=ENV)
            pids: asyncio.Queue[int] = asyncio.Queue()
            hook = asyncio.create_task(
                agent.run(['sleep', '600'], env=ENV, started=lambda _, pid: pids.put_nowait(pid))
            )
            pid = await pids.get()
            os.kill(int(parent[1]), signal.SIGKILL)
            with pytest.raises(link.LinkLost):
                await hook
            assert runs(pid)
            assert await machines.revive(MODEL, '0') == ''
            again = await following()
            await gone(pid)
            assert again.boots == 1
            assert runs(int(daemon[1]))

    drive(scenario, state)


def test_a_reboot_counts_and_kills(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            first = await following()
            await machines.reboot(MODEL, '0')
            second = await following()
            assert (first.boots, second.boots) == (1, 2)
            await asyncio.wait_for(first.closed.wait(), 5)
            await machines.ensure(spec(), quiet)
            await second.ping()

    drive(scenario, state)


def test_a_layer_keeps_what_was_installed_and_no_identity(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            await following()
            (machines.root(MODEL, '0') / 'etc/installed').write_text('yes')
            await machines.keep_layer(MODEL, '0', 'abc')
        assert [layer.key for layer in machines.layers()] == ['abc']
        async with listening(machines, '1') as following:
            await machines.ensure(spec('1', layer='abc'), quiet)
            agent = await following()
            assert (agent.machine, agent.boots) == ('1', 1)
            assert (machines.root(MODEL, '1') / 'etc/installed').read_text() == 'yes'
            assert (machines.root(MODEL, '1') / 'etc/hostname').read_text() == 'juju-3f9a01-1\n'
        await machines.drop_layer('abc')
        assert machines.layers() == []

    drive(scenario, state)


def test_recover_removes_what_nobody_knows_and_leaves_the_rest_running(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines, '0') as zero, listening(machines, '1') as one:
            await machines.ensure(spec('0'), quiet)
            await machines.ensure(spec('1'), quiet)
            kept, orphan = await zero(), await one()
            later = process.ProcessMachines(state)
            await later.recover({(MODEL, '0')})
            await asyncio.wait_for(orphan.closed.wait(), 5)
            assert not later.folders.folder(MODEL, '1').exists()
            await kept.ping()

    drive(scenario, state)


def test_nothing_of_a_machine_is_left_after_destroy(state: Path) -> None:
    async def scenario(machines: process.ProcessMachines) -> None:
        async with listening(machines) as following:
            await machines.ensure(spec(), quiet)
            agent = await following()
            pids: list[int] = []
            running = asyncio.create_task(
                agent.run(['sleep', '30'], env=ENV, started=lambda _run, pid: pids.append(pid))
            )
            while not pids:
                await asyncio.sleep(0.01)
            await machines.destroy(MODEL, '0')
            with pytest.raises(link.LinkLost):
                await running
            assert not machines.folders.folder(MODEL, '0').exists()
            await gone(pids[0])
            await machines.destroy(MODEL, '0')

    drive(scenario, state)
