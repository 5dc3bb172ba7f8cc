"""`juju matrix heal`: everything of a model undone that a run left broken, as when its runner was killed.

What machines can undo lies on them, in /run/matrix; what only Juju can undo stands in the run's journal.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from typing import Any, cast

from matrix.faults import shell, units
from matrix.grammar import located
from matrix.history import journal, notes
from matrix.juju import link

NOT_UNDONE = 'could not be undone'


@dataclasses.dataclass(frozen=True)
class Report:
    """What was done; `failed` holds a sentence for each thing that is still broken."""

    healed: tuple[str, ...]
    failed: tuple[str, ...]


async def machines(at: link.Link, *, within: float = 90.0, holding: bool = False) -> Report:
    """Run every heal that lies on a machine of the model. May be called at any time, and twice.

    `holding`: whoever asks holds the model's lease, so it stays; without it, no lease is left.
    """
    model = await at.fresh()
    text = f'{{\n{shell.read("common.sh")}\n{shell.read("heal_all.sh")}\n}} </dev/null\n'

    variables = {'MATRIX_MODEL': at.model, 'KEEP_LEASE': '1'} if holding else {}

    async def one(machine: str) -> tuple[list[str], list[str]]:
        try:
            ran = await at.script(machine, text, env=variables, within=within)
        except link.LinkError as error:
            return [], [f'machine {machine}: {error}']
        lines = [line.partition(' ') for line in ran.output.splitlines()]
        done = [f'{event} on machine {machine}' for how, _, event in lines if how == 'healed']
        left = [
            f'{event} on machine {machine} {NOT_UNDONE}'
            for how, _, event in lines
            if how == 'failed'
        ]
        if ran.code and not left:
            left = [f'machine {machine}: exit code {ran.code}']
        return done, left

    said = await asyncio.gather(*(one(machine.id) for machine in model.machines))
    healed = (sentence for done, _ in said for sentence in done)
    failed = (sentence for _, left in said for sentence in left)
    return Report(tuple(healed), tuple(failed))


def open_faults(entries: Iterable[journal.Entry]) -> tuple[journal.Fault, ...]:
    """The faults of a journal that were armed and never seen healed, as they were last heard of. Pure."""
    last: dict[str, journal.Fault] = {}
    for entry in entries:
        if isinstance(entry.what, journal.Note) and entry.what.kind == notes.KILLED:
            said = cast('dict[str, Any]', entry.what.value)
            last = {} if not said.get('failed') else last
        if isinstance(entry.what, journal.Fault):
            last[entry.what.id] = entry.what
    return tuple(one for one in last.values() if one.phase != 'healed')


def killed(entries: Iterable[journal.Entry], done: Report) -> journal.Note:
    """What a killed run's journal ends with once another has healed what it left: each event, and what is still broken.

    After it nothing of the journal is open, unless something could not be undone. Pure.
    """
    left: list[located.Plain] = [
        ' '.join((one.id, one.kind, ', '.join(one.targets))) for one in open_faults(entries)
    ]
    value: located.Plain = {'left': left, 'healed': [*done.healed], 'failed': [*done.failed]}
    return journal.Note(notes.KILLED, value)


def together(*some: Report) -> Report:
    """What several came to. Pure."""
    healed = (sentence for one in some for sentence in one.healed)
    failed = (sentence for one in some for sentence in one.failed)
    return Report(tuple(healed), tuple(failed))


async def amends(at: link.Link, entries: Iterable[journal.Entry]) -> Report:
    """Make up for what only Juju can: units removed and never replaced, units added and never taken back.

    Goes by the counts that stand in the journal, so that it does not matter how far the run's own heal had come, and
    doing it twice does nothing more.
    """
    healed: list[str] = []
    failed: list[str] = []
    entries = tuple(entries)
    for event, command in undo(entries):
        try:
            await at.cli(*command, within=300.0)
            healed.append(f'{event}: juju {" ".join(command)}')
        except link.LinkError as error:
            failed.append(f'{event}: {error}')
    for application, count in counts(entries).items():
        try:
            sentence = await _to_count(at, application, count)
        except link.LinkError as error:
            failed.append(f'{application}: {error}')
            continue
        healed += [sentence] if sentence else []
    return Report(tuple(healed), tuple(failed))


def undo(entries: Iterable[journal.Entry]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The commands that undo each event that was not seen healed, the last event first. Pure."""
    entries = tuple(entries)
    unhealed = {one.id for one in open_faults(entries)}
    found: list[tuple[str, tuple[str, ...]]] = []
    for entry in reversed(entries):
        note = entry.what
        if isinstance(note, journal.Note) and note.kind == notes.UNDO:
            said = cast('dict[str, Any]', note.value)
            if said['event'] in unhealed:
                found += [(said['event'], tuple(map(str, one))) for one in said['commands']]
    return tuple(found)


def counts(entries: Iterable[journal.Entry]) -> dict[str, int]:
    """How many units applications had before the first event that changed the model and was not seen healed. Pure."""
    entries = tuple(entries)
    unhealed = {one.id for one in open_faults(entries)}
    found: dict[str, int] = {}
    for entry in entries:
        note = entry.what
        if isinstance(note, journal.Note) and note.kind == notes.UNITS:
            outcome = cast('dict[str, Any]', note.value)
            if outcome['event'] in unhealed:
                for application, count in outcome['counts'].items():
                    found.setdefault(application, count)
    return found


async def _to_count(at: link.Link, application: str, count: int) -> str:
    there = sorted(
        units.units(await at.fresh(), application), key=lambda name: int(name.partition('/')[2])
    )
    if len(there) < count:
        await at.add_unit(application, count - len(there))
        return f'{application}: {count - len(there)} unit(s) added in place of those removed'
    extra = there[count:]
    for name in extra:
        await at.remove_unit(name)
    return f'{application}: {", ".join(extra)} removed again' if extra else ''
