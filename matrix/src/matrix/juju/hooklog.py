"""Hooks, as the log of a model tells of them. Pure.

A unit's agent logs `ran "start" hook (via …)`, and of one that failed `hook "start" (via …) failed: exit status 1`.
"""

from __future__ import annotations

import datetime
import re

from matrix.history import journal

ASK = (
    'debug-log', '--no-tail', '--date', '--ms', '--limit', '300', '--include-module', 'juju.worker.uniter.operation',
)  # fmt: skip
"""The command whose output `read` reads."""

_LINE = re.compile(
    r'unit-(?P<unit>[a-z][a-z0-9-]*)-(?P<number>\d+): (?P<when>[\d-]+ [\d:]+\.\d+)? ?.*?'
    r'juju\.worker\.uniter\.operation '
    r'(?:ran "(?P<ran>[^"]+)" hook|hook "(?P<failed>[^"]+)" .*?failed: (?:exit status (?P<code>\d+))?)'
)


def read(text: str, earlier: str = '') -> tuple[journal.Hook, ...]:
    """Every hook that ended, in the order of the log; what failed without an exit code has code 1.

    `earlier` are lines that were read before: they say when the hook before the first of a unit ended.
    """
    found: list[journal.Hook] = []
    ends: dict[str, datetime.datetime] = {}
    old = len(earlier.splitlines())
    for number, line in enumerate((*earlier.splitlines(), *text.splitlines())):
        match = _LINE.match(line)
        if match is None:
            continue
        unit = f'{match["unit"]}/{match["number"]}'
        took = _since(ends, unit, match['when'])
        if number >= old:
            code = 0 if match['ran'] else int(match['code'] or 1)
            found.append(journal.Hook(unit, match['ran'] or match['failed'], 'ended', code, took))
    return tuple(found)


def _since(ends: dict[str, datetime.datetime], unit: str, when: str | None) -> float | None:
    """Seconds since the last end of a hook of a unit, which is now this one; None of the first, or of no time."""
    try:
        now = datetime.datetime.fromisoformat(when or '')
    except ValueError:
        return None
    before = ends.get(unit)
    ends[unit] = now
    seconds = (now - before).total_seconds() if before is not None else -1.0
    return round(seconds, 3) if seconds >= 0 else None


def new(before: str, after: str) -> str:
    """The lines that the later of two looks at a log has more."""
    old = before.splitlines()
    lines = after.splitlines()
    if not old:
        return after
    # Lines have their time, to the millisecond: the last one known is found again, unless too much was said since.
    known = {*old}
    last = max((number for number, line in enumerate(lines) if line in known), default=-1)
    return '\n'.join(lines[last + 1 :])
