"""Every fault on real machines: it is seen to land and to heal, and what never bit is never said to have.

One model of three units, shared by all: each has a web server, memcached, haproxy, and keepalived with a virtual
address that one of them holds. Faults are held for a moment only.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from jujulet import paths
from matrix.faults import facts, fault, find, inject
from matrix.history import journal
from matrix.juju import link, live
from matrix.plans import plan

pytestmark = [
    pytest.mark.functional,
    pytest.mark.skipif(os.geteuid() != 0, reason='containers with systemd need root'),
    pytest.mark.timeout(300),
]

T = TypeVar('T')
CHARM = pathlib.Path(__file__).parent / 'charms' / 'site'
MODEL = 'faults'
PROGRAMS = pathlib.Path(sys.executable).parent

QUICK = (
    *('worker-kill', 'worker-stop', 'worker-freeze'),
    *('kill', 'stop', 'freeze', 'memcached-flush', 'memcached-stop', 'memcached-freeze'),
    *('loadbalancer-stop', 'loadbalancer-freeze', 'kill-agent', 'sever-controller'),
    *('netsplit', 'netsplit-minority', 'netsplit-deaf', 'loss', 'latency', 'resets', 'dns-loss'),
    *('disk-full', 'clock-skew', 'reboot', 'hard-stop', 'remove-unit', 'add-unit'),
)
# The scripts of these are those of others above, with another service or more machines: `make test-all` has them.
ALIKE = {
    'worker-kill',
    'worker-stop',
    'memcached-stop',
    'loadbalancer-freeze',
    'netsplit-minority',
}
ELSEWHERE = {
    *('vip-loss', 'depose-leader', 'database-stop', 'database-freeze'),
    *(
        'config-change',
        'refresh',
        'unrelate',
        'action',
    ),  # Juju's alone: tests/unit/test_faults_changes.py
}
"""Those with a test of their own below."""

UNSEEN = {'memory-squeeze', 'descriptors-squeeze', 'restart-storm', 'disk-slow'}
"""Those that were not seen on a machine yet: they belong into QUICK, and are never chosen by chance until then."""


@pytest.fixture(scope='module')
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[facts.Facts]:
    """The model, in a jujulet of this module's own, and what its machines are made of."""
    home = tmp_path_factory.mktemp('jujulet')
    (home / 'bases').mkdir()
    for built in (paths.root() / 'bases').glob('*-*-*'):  # Building one takes long.
        (home / 'bases' / built.name).symlink_to(built)
    patch = pytest.MonkeyPatch()
    patch.setenv('JUJULET_DATA', str(home))
    patch.setenv('PATH', f'{home}/bin{os.pathsep}{os.environ["PATH"]}')
    try:
        _run('jujulet', 'env')
        _run('jujulet', 'add-model', MODEL, 'localhost')
        _run('jujulet', 'deploy', str(CHARM), '--base', 'debian@12', '-n', '3', '--wait')
        yield asyncio.run(_with_link(_settled))
    finally:
        _run('jujulet', 'destroy-model', MODEL, '--no-prompt', '--force', '--destroy-storage')
        _run('jujulet', 'controller', 'stop')
        patch.undo()


async def _settled(at: live.Live) -> facts.Facts:
    """What is seen once keepalived has made up its mind who holds the VIP."""
    end = time.monotonic() + 30
    while True:
        found = await facts.look(at)
        if any('vip' in words for words in found.values()):
            return found
        assert time.monotonic() < end, found
        await asyncio.sleep(0.5)


def _run(program: str, *words: str) -> str:
    argv = [str(PROGRAMS / program), *words]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=250)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def _with_link(work: Callable[[live.Live], Awaitable[T]]) -> T:
    async with live.opened(MODEL) as at:
        return await work(at)


@dataclasses.dataclass(frozen=True)
class Struck:
    outcome: inject.Outcome
    sentence: str
    phases: tuple[str, ...]


def _strike(
    one: fault.Fault,
    target: str = '',
    *,
    hold: float = 0.1,
    during: Callable[[live.Live], Awaitable[None]] | None = None,
    **parameters: float | int | str | bool,
) -> Struck:
    async def strike(at: live.Live) -> Struck:
        written: list[journal.What] = []
        event = plan.FaultEvent(
            'e1', one.kind.name, 0, hold, (), (target or _unit(at),), tuple(parameters.items())
        )
        driving = asyncio.create_task(inject.drive(one, event, at, written.append, pause=0.1))
        if during is not None:
            while not driving.done() and not any(_is(what, 'landed') for what in written):
                await asyncio.sleep(0.05)
            await during(at)
        driven = await driving
        phases = (what.phase for what in written if isinstance(what, journal.Fault))
        return Struck(driven.outcome, driven.sentence, tuple(phases))

    return asyncio.run(_with_link(strike))


def _is(what: journal.What, phase: str) -> bool:
    return isinstance(what, journal.Fault) and what.phase == phase


def _unit(at: live.Live) -> str:
    """One that does not lead, so that tests of the leader are not disturbed."""
    (injection,) = at.now().applications
    return next(unit.name for unit in injection.units if not unit.leader)


def _sabotaged(one: fault.Fault) -> fault.Fault:
    """The same fault, but for its bite."""

    async def nothing(_: fault.Injection) -> None:
        return None

    return dataclasses.replace(one, inject=nothing, within=(1.0, 60.0))


def _event(target: str) -> plan.FaultEvent:
    return plan.FaultEvent('e1', 'x', 0, 0, (), (target,))


def _target(name: str) -> str:
    return 'site' if name == 'add-unit' else ''


def test_every_fault_is_tried_here() -> None:
    assert {*QUICK} | ELSEWHERE | UNSEEN == {one.kind.name for one in find.BUILT_IN}
    assert all(one.asked for one in find.BUILT_IN if one.kind.name in UNSEEN)


@pytest.mark.parametrize(
    'name',
    [pytest.param(one, marks=pytest.mark.slow if one in ALIKE else ()) for one in QUICK],
)
def test_a_fault_is_seen_to_land_and_to_heal(rig: facts.Facts, name: str) -> None:
    struck = _strike(find.faults()[name], _target(name))
    assert struck.outcome == 'healed', struck.sentence
    assert struck.phases == ('armed', 'landed', 'healed')
    assert struck.sentence


def test_a_fault_that_never_bites_is_never_said_to_have_landed(rig: facts.Facts) -> None:
    """All of them at once, but for those that would not bear each other: nothing is broken."""

    async def strike(at: live.Live) -> dict[str, tuple[inject.Outcome, frozenset[str]]]:
        busy = inject.Busy()
        units = [unit.name for unit in at.now().applications[0].units]

        async def one(number: int, name: str) -> tuple[inject.Outcome, frozenset[str]]:
            written: list[journal.What] = []
            target = 'site' if name == 'add-unit' else units[number % len(units)]
            event = plan.FaultEvent(f'e{number}', name, 0, 0, (), (target,))
            broken = _sabotaged(find.faults()[name])
            driven = await inject.drive(broken, event, at, written.append, busy=busy, pause=0.3)
            faults = (one for one in written if isinstance(one, journal.Fault))
            return driven.outcome, frozenset(one.phase for one in faults)

        done = await asyncio.gather(*(one(number, name) for number, name in enumerate(QUICK)))
        return dict(zip(QUICK, done, strict=True))

    came_to = asyncio.run(_with_link(strike))
    if came_to['dns-loss'] == ('refused', frozenset()):
        del came_to[
            'dns-loss'
        ]  # While all strike at once, a name server may be slow: it must answer first.
    assert set(came_to.values()) == {('unproven', frozenset({'armed', 'healed'}))}
    assert {*QUICK} - {*came_to} <= {'dns-loss'}


OF_JUJU = {'option', 'relation', 'pause', 'local-charm'}
"""What Juju says of an application, and no machine (:mod:`matrix.faults.changes`)."""


def test_machines_show_what_faults_need_of_them(rig: facts.Facts) -> None:
    needed = frozenset(word for one in find.BUILT_IN for word in one.needs)
    for words in rig.values():
        assert needed - words <= {'database', 'vip', 'memory-group', *OF_JUJU}
        assert not words & OF_JUJU
    assert sum('vip' in words for words in rig.values()) == 1
    assert not any('database' in words for words in rig.values())


def test_a_machine_without_a_database_says_so(rig: facts.Facts) -> None:
    struck = _strike(find.faults()['database-stop'])
    assert (struck.outcome, struck.phases) == ('refused', ())
    assert 'no service there' in struck.sentence


RIVAL = """
mkdir -p /run/systemd/system/memcached.service.d
printf '[Service]\\nExecStop=/bin/sleep 3\\n' >/run/systemd/system/memcached.service.d/slow.conf
systemctl daemon-reload
rm -f /run/rival-was-here
systemd-run --quiet --unit=rival sh -c '
    until [ "$(systemctl show -P ActiveState memcached)" = deactivating ]; do sleep 0.02; done
    touch /run/rival-was-here
    for again in 1 2 3; do systemctl restart --no-block memcached; sleep 0.7; done'
"""
NO_RIVAL = """
systemctl stop rival 2>/dev/null
rm -r /run/systemd/system/memcached.service.d
systemctl daemon-reload
test -e /run/rival-was-here
"""


def test_a_service_is_stopped_though_its_charm_restarts_it(rig: facts.Facts) -> None:
    """systemd then says "Job canceled" to whoever stops it, each time."""

    async def script(at: live.Live, text: str) -> link.ScriptResult:
        return await at.script(_unit(at), text)

    began = asyncio.run(_with_link(lambda at: script(at, RIVAL)))
    assert began.code == 0, began.output
    try:
        struck = _strike(find.faults()['memcached-stop'])
    finally:
        ended = asyncio.run(_with_link(lambda at: script(at, NO_RIVAL)))
    assert ended.code == 0, 'nobody restarted it: this proved nothing'
    assert struck.outcome == 'healed', struck.sentence


async def _holders(at: live.Live) -> list[str]:
    """The units whose machines have a virtual address."""
    found: list[str] = []
    for unit in at.now().applications[0].units:
        ran = await at.script(unit.name, 'ip -o addr | grep -c "[.]240/" || true')
        found += [unit.name] if ran.output.strip() != '0' else []
    return found


def test_a_virtual_address_leaves_its_machine_and_is_on_another(rig: facts.Facts) -> None:
    before = asyncio.run(_with_link(_holders))
    after: list[list[str]] = []

    async def look(at: live.Live) -> None:
        async with asyncio.timeout(20):
            while not (now := await _holders(at)):
                pass
            after.append(now)

    assert len(before) == 1
    struck = _strike(find.faults()['vip-loss'], before[0], hold=5, during=look)
    assert struck.outcome == 'healed', struck.sentence
    assert len(after[0]) == 1
    assert after[0] != before


def test_a_virtual_address_that_stays_is_not_said_to_have_left(rig: facts.Facts) -> None:
    (holder,) = asyncio.run(_with_link(_holders))
    assert _strike(_sabotaged(find.faults()['vip-loss']), holder).outcome == 'unproven'


def test_a_network_that_is_cut_leaves_ssh_alone_and_has_an_end_in_the_kernel(
    rig: facts.Facts,
) -> None:
    """The set that all its rules hang on has a time after which the kernel empties it."""
    seen: list[str] = []

    async def look(at: live.Live) -> None:
        ran = await at.script(_unit(at), 'nft list table inet matrix_e1')
        seen.append(ran.output)

    _strike(find.faults()['netsplit'], hold=1, during=look)
    assert 'expires' in seen[0]
    assert 'tcp dport { 22, 17070 }' in seen[0]
    assert 'ip6 saddr @six' in seen[0]


def test_a_slow_network_is_fast_again_as_soon_as_its_delayer_is_killed(rig: facts.Facts) -> None:
    taken: list[float] = []

    async def look(at: live.Live) -> None:
        struck = _unit(at)
        peers = [one for one in inject.injection(_event(struck), at).peers if '.' in one]
        text = (
            'import time, socket as s; b = time.time(); '
            f"s.socket().connect_ex(('{peers[0]}', 9)); print(time.time() - b)"
        )
        for before in ('true', 'systemctl kill -s KILL matrix-delay-e1; sleep 0.3'):
            ran = await at.script(struck, f'{before}; python3 -c "{text}"')
            taken.append(float(ran.output))

    struck = _strike(find.faults()['latency'], hold=8, during=look, milliseconds=400)
    assert struck.outcome == 'healed', struck.sentence
    assert taken[0] > 0.4 > taken[1]


# Juju's own agent has a connection to its controller; jujulet's has a socket. So another stands in for it here.
AGENT = """
cat >/etc/systemd/system/jujud-machine-00.service <<'UNIT'
[Service]
ExecStart=/usr/bin/python3 -c "import socket, time; s = socket.create_connection(('{address}', 17070)); time.sleep(900)"
UNIT
systemctl daemon-reload
systemctl start jujud-machine-00
sleep 0.5
systemctl is-active jujud-machine-00
"""
LISTEN = """
systemd-run --quiet --collect --unit=controller python3 -m http.server 17070
sleep 0.5
"""
NO_AGENT = 'systemctl stop jujud-machine-00; rm /etc/systemd/system/jujud-machine-00.service; systemctl daemon-reload'


@pytest.mark.parametrize('bites', [True, False])
def test_a_controller_on_the_network_is_cut_off_at_its_port(rig: facts.Facts, bites: bool) -> None:
    async def ready(at: live.Live) -> str:
        other = next(unit for unit in at.now().applications[0].units if unit.leader)
        await at.script(other.name, LISTEN)
        ran = await at.script(_unit(at), AGENT.format(address=other.address))
        assert ran.output.strip() == 'active'
        return other.name

    async def clean(at: live.Live) -> None:
        await at.script(other, 'systemctl stop controller')
        await at.script(_unit(at), NO_AGENT)

    other = asyncio.run(_with_link(ready))
    try:
        one = find.faults()['sever-controller']
        struck = _strike(one if bites else _sabotaged(one))
    finally:
        asyncio.run(_with_link(clean))
    assert struck.outcome == ('healed' if bites else 'unproven'), struck.sentence
    assert ('cannot be reached' in struck.sentence) is bites


# The runner dies.

RUNNER = """
import asyncio, sys
from matrix.faults import find, inject, shell
from matrix.juju import live
from matrix.plans import plan

async def main():
    shell.GRACE = 0.0
    async with live.opened({model!r}) as at:
        async with asyncio.TaskGroup() as group:
            for number, name in enumerate(sys.argv[2:]):
                event = plan.FaultEvent(f'e{{number}}', name, 0, float(sys.argv[1]), (), ({unit!r},),
                                   (('service', 'site'),) if name == 'freeze' else ())
                def write(what):
                    print(what.phase, flush=True)
                group.create_task(inject.drive(find.faults()[name], event, at, write))

asyncio.run(main())
"""


async def _state(at: live.Live) -> list[str]:
    return (await at.script(_unit(at), BROKEN)).output.split()


async def _one(at: live.Live) -> str:
    return _unit(at)


def _killed_in_the_middle(hold: float, *names: str) -> None:
    text = RUNNER.format(model=MODEL, unit=asyncio.run(_with_link(_one)))
    argv = [sys.executable, '-c', text, str(hold), *names]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        landed = 0
        for line in runner.stdout:
            landed += line == 'landed\n'
            if landed == len(names):
                os.kill(runner.pid, signal.SIGKILL)
                break
        assert landed == len(names)


BROKEN = """
nft list tables | grep -c matrix_ || true
pid=$(systemctl show --property=MainPID --value site)
sed 's/^.*) //; s/ .*//' /proc/$pid/stat
ls -d /run/matrix/*/undone 2>/dev/null | wc -l
"""


def test_when_the_runner_is_killed_the_machine_heals_itself(rig: facts.Facts) -> None:
    _killed_in_the_middle(3, 'netsplit', 'freeze')
    assert asyncio.run(_with_link(_state)) == ['1', 'T', '0']
    deadline = time.monotonic() + 30
    while (now := asyncio.run(_with_link(_state))) != ['0', 'S', '2']:
        assert time.monotonic() < deadline, now
        time.sleep(0.5)
    assert 'healed e0' in _run('matrix', 'heal', '-m', MODEL)  # What is left is a note of it.
    assert _run('matrix', 'heal', '-m', MODEL) == 'nothing is left to heal\n'


def test_when_the_runner_is_killed_one_command_heals_everything(rig: facts.Facts) -> None:
    _killed_in_the_middle(300, 'netsplit', 'freeze')
    assert asyncio.run(_with_link(_state)) == ['1', 'T', '0']
    said = _run('matrix', 'heal', '-m', MODEL)
    assert said.count('healed e') == 2
    assert asyncio.run(_with_link(_state)) == ['0', 'S', '0']
    assert _run('matrix', 'heal', '-m', MODEL) == 'nothing is left to heal\n'


@pytest.mark.slow
def test_another_unit_leads_when_the_leaders_agent_is_gone(rig: facts.Facts) -> None:
    async def leader(at: live.Live) -> str:
        (injection,) = at.now().applications
        return next(unit.name for unit in injection.units if unit.leader)

    target = asyncio.run(_with_link(leader))
    struck = _strike(find.faults()['depose-leader'], target)
    assert struck.outcome == 'healed', struck.sentence
    assert asyncio.run(_with_link(leader)) != target
    assert _strike(_sabotaged(find.faults()['depose-leader']), target).outcome == 'refused'


@pytest.mark.slow
@pytest.mark.parametrize('name', ['database-stop', 'database-freeze'])
def test_a_database_stops_and_freezes(rig: facts.Facts, name: str) -> None:
    install = 'DEBIAN_FRONTEND=noninteractive apt-get install -y -q mariadb-server </dev/null'

    async def ready(at: live.Live) -> None:
        await at.script(_unit(at), install, within=200)

    asyncio.run(_with_link(ready))
    struck = _strike(find.faults()[name])
    assert struck.outcome == 'healed', struck.sentence
    assert _strike(_sabotaged(find.faults()[name])).outcome == 'unproven'
