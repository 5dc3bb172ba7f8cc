"""Who holds a virtual address: what machines say of it, and what that comes to."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
from collections.abc import Mapping
from typing import Any

import linked

from matrix.history import journal
from matrix.juju import link
from matrix.load import vips
from matrix.plans import snapshot

VIP = '10.0.0.9'


def _look(at: float, *addresses: str) -> vips.VipSample:
    return vips.VipSample(at, frozenset(('eth0', one, False) for one in addresses))


def _model() -> snapshot.Model:
    units = (snapshot.Unit('lb/0', '0'), snapshot.Unit('lb/1', '1'))
    machines = (
        snapshot.Machine('0', addresses=('10.0.0.1',)),
        snapshot.Machine('1', addresses=('10.0.0.2', '10.9.0.2')),
    )
    return snapshot.Model((snapshot.Application('lb', units),), machines)


def test_a_visit_tells_when_addresses_changed() -> None:
    found = vips.read(
        'log 50.0 eth0|10.0.0.1\nlog 53.5 eth0|10.0.0.1 eth0|10.0.0.9\nnow 60.0 eth0|10.0.0.1~\n',
        100,
    )
    assert [look.at for look in found] == [90.0, 93.5, 100.0]
    assert [look.holds(VIP) for look in found] == [False, True, False]
    assert vips.read('sudo: unable to resolve host\nlog x y\n', 100) == ()


def test_a_virtual_address_is_one_that_juju_does_not_show_beside_one_that_it_does() -> None:
    looks = {
        'lb/0': vips.VipSample(
            1,
            frozenset(
                {
                    ('eth0', '10.0.0.1', False),
                    ('eth0', VIP, False),
                    ('eth0', 'fd00::5', True),  # given by the network
                    ('docker0', '172.17.0.1', False),  # of an interface that Juju does not know
                }
            ),
        )
    }
    assert vips.virtual(looks, _model()) == {VIP}
    named = {'lb/1': vips.VipSample(1, frozenset({('eth1', '10.9.0.2', False)}))}
    assert vips.virtual(named, _model()) == set()
    assert vips.virtual(named, _model(), ['10.9.0.2/24']) == {'10.9.0.2'}


def _owners(
    timelines: Mapping[str, list[vips.VipSample]], **more: Any
) -> list[tuple[object, object]]:
    found: list[Any] = [one.value for one in vips.owners(timelines, VIP, **more)]
    return [(one['at'], one['units']) for one in found]


def test_owners_are_told_whenever_they_change_and_at_the_end() -> None:
    lines = {
        'lb/0': [_look(1, VIP), _look(5), _look(9)],
        'lb/1': [_look(1), _look(4, VIP), _look(9, VIP)],
    }
    assert _owners(lines) == [
        (1, ['lb/0']),
        (4, ['lb/0', 'lb/1']),
        (5, ['lb/1']),
        (9, ['lb/1']),
    ]


def test_a_machine_that_could_not_be_asked_tells_later_what_it_had() -> None:
    lines = {'lb/0': [_look(1, VIP)], 'lb/1': [_look(1), _look(4, VIP), _look(9, VIP)]}
    assert _owners(lines, unseen=['lb/0']) == [(1, ['lb/0']), (4, ['lb/1']), (9, ['lb/1'])]
    lines['lb/0'] += [_look(12, VIP)]
    lines['lb/1'] += [_look(12, VIP)]
    assert _owners(lines, since=4) == [(4, ['lb/0', 'lb/1']), (12, ['lb/0', 'lb/1'])]


def test_what_a_machine_had_before_it_went_off_ended_then() -> None:
    lines = {
        'lb/0': [_look(1, VIP), dataclasses.replace(_look(30), new=True), _look(40)],
        'lb/1': [_look(1), _look(4, VIP), _look(40, VIP)],
    }
    assert _owners(lines) == [(1, ['lb/0']), (4, ['lb/1']), (40, ['lb/1'])]
    lines['lb/0'][1] = _look(30)  # It was looked at all the time.
    assert (4, ['lb/0', 'lb/1']) in _owners(lines)
    assert vips.read('new 5 eth0|10.0.0.1\nnow 6 eth0|10.0.0.1\n', 9)[0].new


def test_an_address_that_nobody_has_is_told_as_well() -> None:
    assert _owners({'lb/0': [_look(1, VIP), _look(5)]}) == [(1, ['lb/0']), (5, [])]


@dataclasses.dataclass
class Machines(linked.Linked):
    """Two machines: the second takes the address over, and then the first cannot be reached."""

    snapshot: snapshot.Model = dataclasses.field(default_factory=lambda: _model())
    visits: int = 0
    vip: str = f'eth0|{VIP}'
    scripts: list[str] = dataclasses.field(default_factory=list[str])

    async def script(
        self, target: str, text: str, *, env: Mapping[str, str] | None = None, within: float = 30
    ) -> link.ScriptResult:
        self.scripts.append(text)
        self.visits += target == 'lb/0'
        if target == 'lb/0':
            if self.visits > 3:
                raise link.LinkError('gone')
            return link.ScriptResult(
                0, f'now 10 eth0|10.0.0.1 {self.vip if self.visits < 3 else ""}\n'
            )
        return link.ScriptResult(
            0, f'now 20 eth0|10.0.0.2 {self.vip if self.visits >= 3 else ""}\n'
        )

    async def cli(self, *args: str, within: float = 60) -> str:
        return '{"settings": {}}'


def test_the_watch_goes_on_while_a_machine_cannot_be_reached_and_leaves_nothing_behind() -> None:
    machines, written = Machines(), list[journal.What]()
    clock = iter(range(1000))

    async def go() -> None:
        watch = asyncio.create_task(
            vips.watch(machines, written.append, now=lambda: float(next(clock)), every=0.02)
        )
        async with asyncio.timeout(10):
            while machines.visits < 6:
                await asyncio.sleep(0.01)
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch

    asyncio.run(go())
    said: list[Any] = [one.value for one in written if isinstance(one, journal.Note)]
    assert ['lb/0'] in [one['units'] for one in said]
    assert said[-1]['units'] == ['lb/1']
    assert said[-1]['unseen'] == ['lb/0']
    assert machines.scripts[-1] == vips.CLEAN_UP


def test_a_model_without_virtual_addresses_needs_no_watch() -> None:
    machines = Machines(vip='')
    asyncio.run(asyncio.wait_for(vips.watch(machines, print, now=lambda: 0.0), 5))
    assert vips.VISIT not in machines.scripts


def test_the_scripts_are_ones_that_a_shell_takes() -> None:
    for script in (vips.ONCE, vips.VISIT, vips.CLEAN_UP):
        ran = subprocess.run(['sh', '-n'], input=script, text=True, capture_output=True)
        assert (ran.returncode, ran.stderr) == (0, '')
