"""Problems that are found in a charm's files: all at once, each with its file, its place and what would be right."""

from __future__ import annotations

import difflib
import re
from typing import Any, cast

MOST_LETTERS = 200
"""Of a name: file names are made of it, which may have 255."""


class Findings:
    """Problems found so far, and how to look into YAML of any shape without falling over it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, file: str, where: str, problem: str) -> None:
        """One more problem."""
        self.problems.append(f'{file}: {where}: {problem}' if where else f'{file}: {problem}')

    def mapping(self, value: Any, file: str, where: str) -> dict[str, Any]:
        """*value* if it is a mapping, {} for null, else a problem and {}."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.add(file, where, f'must be a mapping, not {kind_of(value)}')
            return {}
        return {str(k): v for k, v in cast('dict[Any, Any]', value).items()}

    def name(self, name: str, shape: re.Pattern[str], file: str, where: str, right: str) -> None:
        """A problem if *name* is none; *right* says what would be one."""
        if not shape.fullmatch(name) or len(name) > MOST_LETTERS:
            self.add(file, where, f'{name[:MOST_LETTERS]!a} is not a name: {right}')

    def text(self, value: Any, file: str, where: str) -> str:
        """*value* as text, '' for null; for what is no scalar a problem and ''."""
        if value is None:
            return ''
        if isinstance(value, (dict, list)):
            self.add(file, where, f'must be text, not {kind_of(value)}')
            return ''
        return str(value)

    def choice(self, value: Any, known: tuple[str, ...], file: str, where: str) -> str:
        """*value* if it is one of *known*, else a problem and the first of them."""
        if value not in known:
            self.add(
                file, where, f'"{value}" is not one of {", ".join(known)}{near(str(value), known)}'
            )
            return known[0]
        return str(value)


def near(word: str, known: tuple[str, ...] | list[str]) -> str:
    """``; did you mean "x"?`` for the nearest of *known*, or nothing."""
    best = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f'; did you mean "{best[0]}"?' if best else ''


def kind_of(value: Any) -> str:
    """What a value is, for people."""
    if isinstance(value, dict):
        return 'a mapping'
    if isinstance(value, list):
        return 'a list'
    return f'"{value}"'
