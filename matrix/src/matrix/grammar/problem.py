"""What is wrong in a file, and where. Touches no file.

`RefusedError` is the one exception of everything that reads what a user wrote.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Literal

Severity = Literal['error', 'warning']


@dataclasses.dataclass(frozen=True)
class Where:
    """A line (from 1) of a file, as a user looks for it."""

    source: str
    line: int

    def __str__(self) -> str:
        return f'{self.source}:{self.line}'


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong, with what was probably meant."""

    where: Where
    message: str
    severity: Severity = 'error'

    def __str__(self) -> str:
        return f'{self.where}: {self.severity}: {self.message}'


class RefusedError(ValueError):
    """What was read cannot be used; `problems` holds every reason, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(problems)
        super().__init__('\n'.join(str(problem) for problem in self.problems))


def suggestion(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the known word nearest to this one, or nothing."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f'; did you mean {near[0]!r}?' if near else ''
