"""Reads the keys of a mapping, with every problem at its line. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from matrix.grammar import located, problem

STATUSES = range(100, 600)
"""What HTTP answers with (RFC 9110, 15)."""


@dataclasses.dataclass
class Fields:
    """What is read from one file or one rule; `problems` grows with each thing that is wrong."""

    problems: list[problem.Problem] = dataclasses.field(default_factory=list[problem.Problem])

    def wrong(self, where: problem.Where, message: str) -> None:
        """Add a problem."""
        self.problems.append(problem.Problem(where, message))

    def done(self) -> None:
        """Nothing, when nothing was wrong.

        Raises:
            problem.RefusedError: with every problem, in the order of the file.
        """
        if self.problems:
            raise problem.RefusedError(sorted(self.problems, key=lambda one: one.where.line))

    def mapping(
        self, value: located.Value, keys: Iterable[str], what: str
    ) -> located.Mapping | None:
        """The value as a mapping that has no other keys than these; None when it is not one."""
        if not isinstance(value, located.Mapping):
            self.wrong(value.where, f'{what} is a mapping, this is {located.kind(value)}')
            return None
        known = tuple(keys)
        for entry in value.entries:
            if entry.key not in known:
                near = problem.suggestion(entry.key, known)
                self.wrong(entry.where, f'unknown key {entry.key!r} in {what}{near}')
        return value

    def items(self, mapping: located.Mapping, key: str) -> tuple[located.Value, ...]:
        """The items of a list; a single value is a list of one, and nothing an empty one."""
        value = mapping.get(key)
        if value is None:
            return ()
        return value.items if isinstance(value, located.Sequence) else (value,)

    def text(self, mapping: located.Mapping, key: str, default: str = '') -> str:
        """A word."""
        value = mapping.get(key)
        if value is None:
            return default
        if isinstance(value, located.Scalar) and isinstance(value.value, str | int | float):
            return str(value.value)
        self.wrong(value.where, f'{key!r} is text, this is {located.kind(value)}')
        return default

    def choice(
        self, mapping: located.Mapping, key: str, words: Iterable[str], default: str
    ) -> str:
        """One of some words."""
        value, known = mapping.get(key), tuple(words)
        said = self.text(mapping, key, default)
        if value is not None and said not in known:
            near = problem.suggestion(said, known)
            self.wrong(value.where, f'{key!r} is one of {", ".join(known)}, not {said!r}{near}')
            return default
        return said

    def words(self, mapping: located.Mapping, key: str, known: Iterable[str]) -> tuple[str, ...]:
        """Words of some, each once; none where nothing is said."""
        found: list[str] = []
        words = tuple(known)
        for item in self.items(mapping, key):
            said = item.value if isinstance(item, located.Scalar) else None
            if not isinstance(said, str):
                self.wrong(item.where, f'{key!r} has words, this is {located.kind(item)}')
            elif said not in words:
                near = problem.suggestion(said, words)
                self.wrong(item.where, f'{key!r} are of {", ".join(words)}, not {said!r}{near}')
            elif said in found:
                self.wrong(item.where, f'{key!r} has {said!r} twice')
            else:
                found.append(said)
        return tuple(found)

    def number(
        self,
        mapping: located.Mapping,
        key: str,
        default: float,
        *,
        least: float = 0.0,
        most: float = math.inf,
    ) -> float:
        """A number from `least` to `most`."""
        value = mapping.get(key)
        if value is None:
            return default
        said = value.value if isinstance(value, located.Scalar) else None
        if (
            isinstance(said, int | float)
            and not isinstance(said, bool)
            and math.isfinite(said)
            and least <= said <= most
        ):
            return float(said)
        span = f'of at least {least:g}' if math.isinf(most) else f'from {least:g} to {most:g}'
        self.wrong(value.where, f'{key!r} is a number {span}, this is {located.kind(value)}')
        return default

    def statuses(self, mapping: located.Mapping, key: str) -> tuple[int, ...]:
        """Statuses of HTTP: one, or a list; none where nothing is said."""
        found: list[int] = []
        for item in self.items(mapping, key):
            said = item.value if isinstance(item, located.Scalar) else None
            if type(said) is int and said in STATUSES:
                found.append(said)
            else:
                message = f'{key!r} is one status or several of HTTP, such as 200, this is {located.kind(item)}'
                self.wrong(item.where, message)
        return tuple(found)

    def truth(
        self, mapping: located.Mapping, key: str, *, default: bool | None = None
    ) -> bool | None:
        """True, false, or `default` where nothing is said."""
        value = mapping.get(key)
        if value is None:
            return default
        if isinstance(value, located.Scalar) and isinstance(value.value, bool):
            return value.value
        self.wrong(value.where, f'{key!r} is true or false, this is {located.kind(value)}')
        return default


def at(value: located.Plain, where: problem.Where) -> located.Value:
    """A value that has lost its lines (the arguments of a rule), with the one line that is known."""
    if isinstance(value, dict):
        entries = (located.Entry(where, key, at(inner, where)) for key, inner in value.items())
        return located.Mapping(where, tuple(entries))
    if isinstance(value, list):
        return located.Sequence(where, tuple(at(inner, where) for inner in value))
    return located.Scalar(where, value)
