"""What a bundle is held to: defaults, and what its suite or tests/test.yaml says otherwise under `expect`. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from matrix.grammar import fields, located, problem

_PERIODS = ('before', 'during', 'after')
_BUDGET_KEYS = ('errors', 'p99')
PERCENTILES = ('errors', 'p50', 'p75', 'p90', 'p95', 'p99', 'p99.9')
KEYS = (
    *_PERIODS,
    'ha',
    'ran',
    'unavailable',
    'recovery',
    'owners',
    'owners-under-fault',
    'stale',
    'effects',
    'changes',
    'ignore',
    'owners-struck',
    'operations',
    'thresholds',
    'resources',
)
RESOURCES = ('memory', 'disk', 'descriptors', 'processes', 'connections')  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a period may cost: a share of operations that are not ok (0 to 1), and the 99th percentile in seconds.

    None: as `judge.service` decides by itself.
    """

    errors: float | None = None
    p99: float | None = None


@dataclasses.dataclass(frozen=True)
class Expect:
    """What a test is held to.

    Args:
        before: before any fault.
        during: while faults bite, and `recovery` seconds after each.
        after: at all other times.
        ha: whether the bundle promises to serve without the unit that is struck; None: an application with another
            unit promises it, one with a single unit does not.
        ran: the share (0 to 1) of the planned operations that must have been tried.
        unavailable: seconds in which any operation may fail for one fault, where something else could have served.
        recovery: seconds after a fault was healed in which it still explains a failure.
        owners: seconds that a VIP may be held by two, or by none.
        owners_under_fault: the same while a fault strikes one of those who hold it: who is cut off cannot know.
        stale: an acknowledged write may be missed by a read for a while, so long as it is found in the end.
        effects: what must be seen to happen at least once.
        changes: applications that need not look after the chaos as they did before.
        ignore: names of checks that do not count.
        thresholds: for kinds of operation, the most of `errors` (a share) and of percentiles such as `p95` (seconds).
        resources: by how much what a service has may grow in ten minutes: memory and disk in MiB, else counts.
        operations: a load must say of single operations what became of them: one that does not proves nothing.
    """

    before: Budget = Budget()
    during: Budget = Budget()
    after: Budget = Budget()
    ha: bool | None = None
    ran: float = 0.8
    unavailable: float = 15.0
    recovery: float = 30.0
    owners: float = 3.0
    owners_under_fault: float = math.inf
    stale: bool = False
    effects: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    operations: bool = True
    thresholds: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    resources: tuple[tuple[str, float], ...] = ()


def read(value: located.Value | None, *, otherwise: Expect | None = None) -> Expect:
    """What is expected as it is written, a mapping of `KEYS`; what it leaves out is as in `otherwise`.

    Raises:
        problem.RefusedError: with every problem, each at its line.
    """
    before = otherwise or Expect()
    if value is None:
        return before
    reading = fields.Fields()
    mapping = reading.mapping(value, KEYS, "'expect'")
    found = before if mapping is None else _expect(mapping, before, reading)
    reading.done()
    return found


def of_note(value: located.Plain) -> Expect:
    """What the note `expect` of a journal holds.

    Raises:
        problem.RefusedError: it is not written right.
    """
    return read(fields.at(value, problem.Where('journal', 0)))


def both(first: located.Plain, second: located.Plain) -> located.Plain:
    """What two places say, for one note: the second (a rule's arguments) stands before the first (tests/test.yaml)."""
    if not isinstance(first, Mapping):
        return second
    if not isinstance(second, Mapping):
        return first
    inner: dict[str, located.Plain] = {
        key: {**old, **new}
        for key in _PERIODS
        if isinstance(old := first.get(key), dict) and isinstance(new := second.get(key), dict)
    }
    return {**first, **second, **inner}


def _expect(mapping: located.Mapping, before: Expect, reading: fields.Fields) -> Expect:
    def number(key: str, default: float, most: float = math.inf) -> float:
        return reading.number(mapping, key, default, most=most)

    return Expect(
        before=_budget(mapping, 'before', before.before, reading),
        during=_budget(mapping, 'during', before.during, reading),
        after=_budget(mapping, 'after', before.after, reading),
        ha=reading.truth(mapping, 'ha', default=before.ha),
        ran=number('ran', before.ran, 1.0),
        unavailable=number('unavailable', before.unavailable),
        recovery=number('recovery', before.recovery),
        owners=number('owners', before.owners),
        owners_under_fault=number(
            'owners-under-fault', number('owners-struck', before.owners_under_fault)
        ),
        stale=bool(reading.truth(mapping, 'stale', default=before.stale)),
        effects=_words(mapping, 'effects', before.effects, reading),
        changes=_words(mapping, 'changes', before.changes, reading),
        ignore=_words(mapping, 'ignore', before.ignore, reading),
        thresholds=_thresholds(mapping, before.thresholds, reading),
        resources=_resources(mapping, before.resources, reading),
        operations=bool(reading.truth(mapping, 'operations', default=before.operations)),
    )


def _budget(mapping: located.Mapping, key: str, before: Budget, reading: fields.Fields) -> Budget:
    value = mapping.get(key)
    inner = None if value is None else reading.mapping(value, _BUDGET_KEYS, f"'{key}'")
    if inner is None:
        return before
    errors = reading.number(inner, 'errors', -1.0, most=1.0)
    p99 = reading.number(inner, 'p99', -1.0)
    return Budget(before.errors if errors < 0 else errors, before.p99 if p99 < 0 else p99)


def _resources(
    mapping: located.Mapping, before: tuple[tuple[str, float], ...], reading: fields.Fields
) -> tuple[tuple[str, float], ...]:
    value = mapping.get('resources')
    inner = None if value is None else reading.mapping(value, RESOURCES, "'resources'")
    if inner is None:
        return before
    known = (one.key for one in inner.entries if one.key in RESOURCES)
    return tuple((key, reading.number(inner, key, 0.0)) for key in known)


def _thresholds(
    mapping: located.Mapping,
    before: tuple[tuple[str, tuple[tuple[str, float], ...]], ...],
    reading: fields.Fields,
) -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    value = mapping.get('thresholds')
    if value is None:
        return before
    if not isinstance(value, located.Mapping):
        message = f"'thresholds' is a mapping of kinds of operation, this is {located.kind(value)}"
        reading.wrong(value.where, message)
        return before
    if not value.entries:
        message = "'thresholds' names no kind of operation: nothing would be held to one"
        reading.wrong(value.where, message)
    found: list[tuple[str, tuple[tuple[str, float], ...]]] = []
    for entry in value.entries:
        inner = reading.mapping(entry.value, PERCENTILES, f'the threshold of {entry.key!r}')
        limits = () if inner is None else inner.entries
        some = tuple(
            (
                one.key,
                reading.number(inner, one.key, 0.0, most=1.0 if one.key == 'errors' else math.inf),
            )
            for one in limits
            if inner is not None and one.key in PERCENTILES
        )
        if inner is not None and not limits:
            message = f'the threshold of {entry.key!r} has none of {", ".join(PERCENTILES)}'
            reading.wrong(entry.where, message)
        found.append((entry.key, some))
    return tuple(found)


def _words(
    mapping: located.Mapping, key: str, before: tuple[str, ...], reading: fields.Fields
) -> tuple[str, ...]:
    if mapping.get(key) is None:
        return before
    found: list[str] = []
    for item in reading.items(mapping, key):
        if isinstance(item, located.Scalar) and isinstance(item.value, str):
            found.append(item.value)
        else:
            reading.wrong(item.where, f'{key!r} is a list of words, this is {located.kind(item)}')
    return tuple(found)
