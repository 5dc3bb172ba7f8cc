"""The nouns of a plan."""

from __future__ import annotations

import dataclasses
from typing import Literal

Verb = Literal['base', 'add', 'expand', 'admit', 'drain', 'remove', 'online', 'contract']
State = Literal['done', 'next', 'waiting', 'skipped']
RUN_ONCE = ('expand', 'online', 'contract')
"""Verbs that are an action, remembered in the record."""
NEW = 'NEW'
"""Stands for the number of a unit that is not there yet."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """Where applications are to go."""

    base: str = ''
    """A base, such as `debian@13`."""
    back: bool = False
    """Each back to the base that it had, whatever `base` says."""

    def __str__(self) -> str:
        """As a user names it."""
        return 'where they were' if self.back else self.base


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One step: what to do, and what it is good for. Its state is found by looking, not kept."""

    id: str
    application: str
    verb: Verb
    unit: str = ''
    """The unit that it is about."""
    number: int = 0
    """Of `add` and `admit`: how many units on the target there are to be."""
    action: str = ''
    """The charm's action."""
    base: str = ''
    """The target of its application."""
    command: str = ''
    """The same by hand; empty where there is nothing to do but wait."""
    why: str = ''
    state: State = 'waiting'
    note: str = ''
    """What holds it up, or why it was skipped."""
