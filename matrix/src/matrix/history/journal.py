"""What happened in a run, in order: the one source of every check and report. Pure.

One entry is one line of JSON. Operations are Jepsen's: an `invoke`, then `ok`, `fail` (it certainly
did not happen) or `info` (nobody knows: a timeout is always `info`).
"""

from __future__ import annotations

import dataclasses
import json
import math
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, cast

from matrix.grammar import located, problem
from matrix.history import redact


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One edge of an operation of the load. `id` joins an invoke with what became of it.

    `late` is how many seconds after its planned moment the runner began it; its latency counts from that moment.
    """

    id: str
    kind: str
    phase: Literal['invoke', 'ok', 'fail', 'info']
    process: str = ''
    value: located.Plain = None
    endpoint: str = ''
    request: str = ''
    error: str = ''
    late: float = 0.0


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault of the plan: its heal is armed, it has been seen to bite, it has been seen healed."""

    id: str
    kind: str
    phase: Literal['armed', 'landed', 'healed']
    targets: tuple[str, ...] = ()
    proof: str = ''


@dataclasses.dataclass(frozen=True)
class Hook:
    """A hook of a unit, as it starts and ends; `code` is its exit code.

    `took` is the time in seconds since the hook before it on this unit ended, by the model's log: its own, and what it
    waited for.
    """

    unit: str
    hook: str
    phase: Literal['started', 'ended']
    code: int | None = None
    took: float | None = None


@dataclasses.dataclass(frozen=True)
class Status:
    """A unit or application has a new status."""

    of: str
    workload: str
    message: str = ''
    agent: str = ''


@dataclasses.dataclass(frozen=True)
class Effect:
    """Something that had to happen at least once did, such as a failover."""

    name: str
    value: located.Plain = None


@dataclasses.dataclass(frozen=True)
class Note:
    """Anything of the engine: a rule, a state, the plan, the start and end of the run."""

    kind: str
    value: located.Plain = None


What: TypeAlias = Operation | Fault | Hook | Status | Effect | Note


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One line. `at` is seconds since the run began, by a clock that never goes back; `wall` is for people."""

    seq: int
    at: float
    wall: str
    what: What


_KINDS: dict[str, type[Any]] = {
    'op': Operation,
    'fault': Fault,
    'hook': Hook,
    'status': Status,
    'effect': Effect,
    'note': Note,
}
_HEAD = 200  # characters within which the head of an entry ends
_NAMES = {kind: name for name, kind in _KINDS.items()}
# Asked for once: a journal has hundreds of thousands of lines.
_FIELDS = {kind: {one.name: one for one in dataclasses.fields(kind)} for kind in _KINDS.values()}
_PHASES = {
    Operation: ('invoke', 'ok', 'fail', 'info'),
    Fault: ('armed', 'landed', 'healed'),
    Hook: ('started', 'ended'),
}


AFTER = 'after'
"""The key by which an entry names the line before it: that line's checksum."""


def checksum(line: str) -> str:
    """What tells one line of a journal from another (CRC-32), in eight hexadecimal digits."""
    return f'{zlib.crc32(line.rstrip(chr(10)).encode()):08x}'


def to_line(entry: Entry, known: redact.Secrets, after: str = '') -> str:
    """The entry as one line of JSON with its newline, and without secrets; `after`: checksum of the line before."""
    values = {
        name: value
        for name, field in _FIELDS[type(entry.what)].items()
        if (value := getattr(entry.what, name)) != field.default
    }
    safe = cast('dict[str, located.Plain]', redact.plain(values, known))
    head = {'seq': entry.seq, 'at': entry.at, 'wall': entry.wall, 'is': _NAMES[type(entry.what)]}
    if after:
        head[AFTER] = after
    return json.dumps({**head, **safe}, ensure_ascii=True, allow_nan=False) + '\n'


def from_line(line: str) -> Entry:
    """The entry of a line.

    Raises:
        ValueError: it is not a whole entry; says what is wrong.
    """
    try:
        read: object = _DECODER.decode(line)
    except RecursionError as error:
        raise ValueError('nested too deeply') from error
    if not isinstance(read, dict):
        raise ValueError('not an object')
    fields = cast('dict[str, Any]', read)
    fields.pop(AFTER, None)
    kind = _KINDS.get(str(fields.pop('is', '')))
    if kind is None:
        raise ValueError(f"'is' must be one of {', '.join(_KINDS)}")
    seq, at, wall = (fields.pop(name, None) for name in ('seq', 'at', 'wall'))
    if type(seq) is not int or not _is_time(at) or not isinstance(wall, str):
        raise ValueError("'seq', 'at' or 'wall' is missing or of the wrong kind")
    return Entry(seq, float(at), wall, _what(kind, fields))


def _no_constant(name: str) -> float:
    raise ValueError(f'{name} is not a number')


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    'str': lambda value: isinstance(value, str),
    'float': lambda value: _is_time(value) and value >= 0,
    'int | None': lambda value: value is None or type(value) is int,
    'float | None': lambda value: value is None or (_is_time(value) and value >= 0),
    'tuple[str, ...]': lambda value: (
        isinstance(value, list)
        and all(isinstance(one, str) for one in cast('list[object]', value))
    ),
}


def _what(kind: type[Any], fields: dict[str, Any]) -> What:
    known = _FIELDS[kind]
    if unknown := fields.keys() - known.keys():
        raise ValueError(
            f'unknown field {min(unknown)!r}{problem.suggestion(min(unknown), known)}'
        )
    for name, value in fields.items():
        check = _CHECKS.get(str(known[name].type))
        if check is not None and not check(value):
            raise ValueError(f'{name!r} is of the wrong kind')
    phases = _PHASES.get(kind)
    if phases is not None and fields.get('phase') not in phases:
        raise ValueError(f"'phase' must be one of {', '.join(phases)}")
    if 'targets' in fields:
        fields['targets'] = tuple(fields['targets'])
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(f'{error}') from error


@dataclasses.dataclass(frozen=True)
class Journal:
    """A journal as read: the entries in order, and the lines that could not be read."""

    entries: tuple[Entry, ...]
    problems: tuple[problem.Problem, ...] = ()


def read(text: str, source: str) -> Journal:
    """Every whole entry of a journal's text.

    A line that is torn (its writer was killed) or damaged becomes a problem with its line, and
    the rest is read on: what is left is still evidence, though no longer enough for a pass.
    """
    entries: list[Entry] = []
    problems: list[problem.Problem] = []
    before = ''
    for number, line in enumerate(text.split('\n'), start=1):
        if not line:
            continue
        where = problem.Where(source, number)
        try:
            entry = from_line(line)
            last = entries[-1].seq if entries else 0
            if entries and entry.seq <= last:
                raise ValueError(f'entry {entry.seq} stands after entry {last}')
            if missing := _missing(entry.seq, last, line, before):
                problems.append(problem.Problem(where, missing))
            entries.append(entry)
        except ValueError as error:
            problems.append(problem.Problem(where, f'not an entry: {error}'))
        before = line
    return Journal(tuple(entries), tuple(problems))


def _missing(seq: int, last: int, line: str, before: str) -> str:
    """What does not fit between a line and the one before it; '' when all does."""
    if seq > last + 1:
        some = (
            f'entry {last + 1} is' if seq == last + 2 else f'entries {last + 1} to {seq - 1} are'
        )
        return f'{some} missing'
    mark = line.find(f'"{AFTER}": "')
    named = line[mark + len(AFTER) + 5 :][:8] if mark > 0 else ''
    if named and mark < _HEAD and named != checksum(before):
        return 'it does not follow the line before it: lines were changed, or are of another run'
    return ''


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """An operation from its invoke to what became of it; open to the end is `info`."""

    invoke: Operation
    at: float
    seq: int
    how: Literal['ok', 'fail', 'info']
    ended_at: float | None
    end: Operation | None

    @property
    def latency(self) -> float | None:
        """Seconds from the planned moment to the answer, None without one."""
        return None if self.ended_at is None else self.ended_at - self.at + self.invoke.late

    @property
    def value(self) -> located.Plain:
        """What the operation returned, or was asked for where it returned nothing."""
        return self.invoke.value if self.end is None or self.end.value is None else self.end.value


def operations(entries: Iterable[Entry]) -> tuple[Done, ...]:
    """Operations in the order of their invokes."""
    begun: dict[str, Entry] = {}
    ended: dict[str, Entry] = {}
    for entry in entries:
        what = entry.what
        if isinstance(what, Operation):
            if what.phase == 'invoke':
                begun.setdefault(what.id, entry)
            elif what.id in begun:
                ended.setdefault(what.id, entry)
    return tuple(_done(entry, ended.get(name)) for name, entry in begun.items())


def _done(begun: Entry, ended: Entry | None) -> Done:
    invoke = cast('Operation', begun.what)
    if ended is None:
        return Done(invoke, begun.at, begun.seq, 'info', None, None)
    end = cast('Operation', ended.what)
    how = 'info' if end.phase == 'invoke' else end.phase
    return Done(invoke, begun.at, begun.seq, how, ended.at, end)
