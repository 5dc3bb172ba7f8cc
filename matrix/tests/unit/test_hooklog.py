"""Hooks that ended, from the log of a model."""

from __future__ import annotations

import asyncio
import dataclasses

from faultstage import MODEL, FakeLink
from hypothesis import given
from hypothesis import strategies as st

from matrix.history import journal
from matrix.juju import hooklog, link
from matrix.plans import snapshot
from matrix.run import observer

_FROM = 'juju.worker.uniter.operation'
_RAN = (
    f'unit-my-web-10: 2026-11-22 14:03:05.118 INFO {_FROM} ran "{{}}" hook '
    '(via hook dispatching script: dispatch)'
)
_FAILED = (
    f'unit-db-0: 2026-11-22 14:03:06.002 ERROR {_FROM} hook "start" '
    '(via explicit, bespoke hook script) failed: {}'
)
_OTHER = 'unit-db-0: 2026-11-22 14:03:07.000 INFO unit.db/0.juju-log ran "x" hook'


def test_hooks_and_their_exit_codes_are_read_and_other_lines_are_not() -> None:
    text = '\n'.join(
        (
            _RAN.format('start'),
            _FAILED.format('exit status 3'),
            _OTHER,
            _FAILED.format('signal: killed'),
        )
    )
    assert hooklog.read(text) == (
        journal.Hook('my-web/10', 'start', 'ended', 0),
        journal.Hook('db/0', 'start', 'ended', 3),
        journal.Hook('db/0', 'start', 'ended', 1, 0.0),
    )


def test_how_long_a_hook_took_is_told_from_the_end_of_the_one_before_it_on_its_unit() -> None:
    later = _FAILED.format('exit status 1').replace('14:03:06.002', '14:03:07.500')
    earlier = '\n'.join((_RAN.format('start'), _FAILED.format('exit status 3')))
    (found,) = hooklog.read(later, earlier)
    assert found.took == 1.498
    back = later.replace('14:03:07.500', '14:03:01.000')  # Clocks are set.
    assert [one.took for one in hooklog.read(back, earlier)] == [None]
    assert hooklog.read(later.replace('2026-11-22 14:03:07.500 ', ''))[0].took is None


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 40))
def test_every_line_is_told_once_however_much_of_the_log_is_kept(
    first: int, more: int, kept: int
) -> None:
    lines = [f'line {n}' for n in range(first + more)]
    before = '\n'.join(lines[:first][-kept:])
    after = '\n'.join(lines[-kept:])
    told = hooklog.new(before, after).splitlines()
    assert told == lines[first:][-kept:] if first else told == after.splitlines()


class _Logged(FakeLink):
    """A model whose unit runs a hook, which fails."""

    async def changes(self):
        busy = dataclasses.replace(MODEL.applications[0].units[0], agent_status='executing')
        db, web = MODEL.applications
        working = snapshot.Model(
            (dataclasses.replace(db, units=(busy, db.units[1])), web), MODEL.machines
        )
        for state in (MODEL, working, MODEL):
            self.state = state
            yield state
            await asyncio.sleep(0.05)
        await asyncio.Event().wait()

    async def cli(self, *args: str, within: float = 60.0) -> str:
        if args[0] != 'debug-log':
            raise link.LinkError('no')
        self.asked.append('log')
        old = _RAN.format('install')
        return old if len(self.asked) == 1 else '\n'.join((old, _FAILED.format('exit status 1')))


def test_an_observer_writes_changes_and_new_hooks_and_tells_of_changes() -> None:
    written: list[journal.What] = []
    changes: list[int] = []

    async def go() -> None:
        watching = observer.Observer(_Logged(), written.append, lambda: changes.append(1))
        async with observer.observing(watching):
            await asyncio.sleep(0.4)

    asyncio.run(go())
    assert [one for one in written if isinstance(one, journal.Hook)] == [
        journal.Hook('db/0', 'start', 'ended', 1)
    ]
    agents = [one.agent for one in written if isinstance(one, journal.Status) and one.of == 'db/0']
    assert agents == ['idle', 'executing', 'idle']
    assert len(changes) == 3
