"""What units and stages were at which time, and what their logs said, from a journal. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Sequence
from typing import cast

from matrix.grammar import located
from matrix.history import journal, notes


@dataclasses.dataclass(frozen=True)
class Span:
    """A word that held from one second of the run to another, with what was said of it."""

    start: float
    end: float
    what: str
    said: str = ''


@dataclasses.dataclass(frozen=True)
class Lane:
    """A unit, an application or an address: what it was and when, and the hooks that it ran."""

    of: str
    spans: tuple[Span, ...]
    hooks: tuple[Span, ...] = ()


@dataclasses.dataclass(frozen=True)
class Log:
    """One line of a unit's log, at the second of the run when it was written (or, without a time of its own, taken)."""

    at: float
    unit: str
    line: str


def stages(entries: Iterable[journal.Entry]) -> tuple[Span, ...]:
    """The stages of one test: settled, control, chaos, recovery, readback, each from its note to the next."""
    found: list[tuple[float, str]] = []
    end = 0.0
    for entry in entries:
        end = entry.at
        if isinstance(entry.what, journal.Note) and entry.what.kind == notes.PHASE:
            found.append((entry.at, _word(entry.what.value)))
    return _spans([(at, what, '') for at, what in found], end)


def lanes(entries: Sequence[journal.Entry]) -> tuple[Lane, ...]:
    """A lane for all that has a status, a hook, or (a VIP) an owner; applications stand before their units."""
    end = entries[-1].at if entries else 0.0
    changes: dict[str, list[tuple[float, str, str]]] = {}
    owners: dict[str, list[tuple[float, str, str]]] = {}
    for entry in entries:
        match entry.what:
            case journal.Status(of, workload, message, agent):
                word = agent if agent in ('lost', 'failed') else workload
                changes.setdefault(of, []).append((entry.at, word, message))
            case journal.Note(kind=notes.OWNERS, value=dict() as held):
                address = f'VIP {_word(held.get("address"))}'
                units = held.get('units')
                names = [_word(one) for one in units] if isinstance(units, list) else []
                word = ' + '.join(names) or 'nobody'
                # It is told some seconds after it was so, with the second at which it was.
                at = held.get('at')
                when = float(at) if isinstance(at, int | float) else entry.at
                if not owners.get(address) or owners[address][-1][1] != word:
                    owners.setdefault(address, []).append((when, word, ''))
            case _:
                pass
    hooks = _hooks(entries, end)
    found = [
        Lane(of, _spans(changes.get(of, []), end), hooks.get(of, ()))
        for of in sorted({*changes, *hooks}, key=_order)
    ]
    return (*(Lane(one, _spans(owners[one], end)) for one in sorted(owners)), *found)


_OPEN = 'still running'


def _hooks(entries: Iterable[journal.Entry], end: float) -> dict[str, tuple[Span, ...]]:
    found: dict[str, list[Span]] = {}
    begun: dict[tuple[str, str], float] = {}
    for entry in entries:
        hook = entry.what
        if not isinstance(hook, journal.Hook):
            continue
        key = (hook.unit, hook.hook)
        if hook.phase == 'started':
            begun[key] = entry.at
        else:
            start = begun.pop(key, entry.at)
            said = 'ok' if hook.code == 0 else f'exit code {hook.code}'
            found.setdefault(hook.unit, []).append(Span(start, entry.at, hook.hook, said))
    for (unit, name), start in begun.items():
        found.setdefault(unit, []).append(Span(start, end, name, _OPEN))
    return {unit: tuple(sorted(spans, key=lambda one: one.start)) for unit, spans in found.items()}


def _spans(found: Sequence[tuple[float, str, str]], end: float) -> tuple[Span, ...]:
    ends = [*(at for at, _, _ in found), end][1:]
    return tuple(
        Span(at, to, what, said) for (at, what, said), to in zip(found, ends, strict=True)
    )


def _order(name: str) -> tuple[str, int, str]:
    application, _, number = name.partition('/')
    return application, int(number) if number.isdecimal() else -1, name


_TIME = re.compile(
    r'(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9}))?\s?(?P<zone>Z|[+-]\d\d:?\d\d)?'
)


def seconds(wall: str) -> float | None:
    """The time of day of a text that begins with an ISO 8601 time, as seconds since 1970; None without one.

    A time without a zone is taken for UTC.
    """
    found = _TIME.search(wall[:80])
    if found is None:
        return None
    zone = found['zone'] or '+00:00'
    zone = '+00:00' if zone == 'Z' else zone
    part = (found['part'] or '0')[:6].ljust(6, '0')
    try:
        moment = datetime.datetime.fromisoformat(f'{found["date"]}T{found["time"]}.{part}{zone}')
    except ValueError:
        return None
    return moment.timestamp()


def logs(entries: Sequence[journal.Entry]) -> tuple[Log, ...]:
    """Every line of every log excerpt, by the second at which it was written."""
    found: list[Log] = []
    for entry in entries:
        if not isinstance(entry.what, journal.Note) or entry.what.kind != notes.LOG:
            continue
        held = entry.what.value
        if not isinstance(held, dict):
            continue
        now = seconds(entry.wall)
        at = entry.at
        for line in _lines(held.get('lines')):
            own = seconds(line)
            # A line without a time (a traceback) stands where the line before it stood.
            if own is not None and now is not None:
                at = round(entry.at + own - now, 3)
            found.append(Log(at, _word(held.get('unit')), line))
    return tuple(sorted(found, key=lambda one: one.at))


def _lines(value: located.Plain) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    if isinstance(value, list):
        return [str(one) for one in cast('list[object]', value)]
    return []


def _word(value: located.Plain) -> str:
    if isinstance(value, dict):
        return _word(value.get('name') or value.get('phase'))
    return '' if value is None else str(value)


def iso(moment: float) -> str:
    """Seconds since 1970 as an ISO 8601 time in UTC, to the second, without a zone."""
    when = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return when.replace(tzinfo=None).isoformat(timespec='seconds')
