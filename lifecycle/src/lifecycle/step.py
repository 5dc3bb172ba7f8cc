"""The nouns of a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

Verb = Literal[
    'base', 'origin', 'add', 'rehearse', 'expand', 'admit', 'drain', 'remove', 'upgrade', 'resume', 'online',
    'contract', 'refresh', 'healthy', 'switch', 'settle',
]  # fmt: skip
State = Literal['done', 'next', 'waiting', 'skipped']
RUN_ONCE = ('rehearse', 'expand', 'upgrade', 'online', 'contract', 'refresh', 'switch')
"""Verbs whose effect cannot be seen in the model: they are remembered in the record."""
WAITS = ('admit', 'healthy', 'settle')
"""Verbs of which there is nothing to carry out."""
NO_WAY_BACK = ('upgrade', 'contract', 'switch')
"""Those among them that shut the way back, from their first instant on."""
ORIGIN = 'openstack-origin'
"""The option of the archive that a charm's packages come from, as Charmed OpenStack has it."""
NEW = 'NEW'
"""Stands for the number of a unit that is not there yet."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """Where applications are to go."""

    base: str = ''
    """A base, such as `debian@13`."""
    origin: str = ''
    """An archive, such as `cloud:noble-epoxy`: another release on the same base."""
    charms: str = ''
    """A folder with charms: each application to the one of its name."""
    digest: str = ''
    """Of what lies in that folder."""
    paths: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str], compare=False)
    """Where the charms lie, by name."""
    back: bool = False
    """Each back to the base that it had, whatever `base` says."""

    def __str__(self) -> str:
        """As a user names it."""
        return (
            'where they were'
            if self.back
            else self.base or self.origin or f'the charms in {self.charms}'
        )

    @property
    def command(self) -> str:
        """What goes on to it."""
        if self.back:
            return 'juju lifecycle rollback'
        way = (
            f'--to {self.base}'
            if self.base
            else f'--origin {self.origin}'
            if self.origin
            else f'--charms {self.charms}'
        )
        return f'juju lifecycle upgrade {way}'


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
    """The base that its application goes to, if it goes to another."""
    origin: str = ''
    """The archive, likewise."""
    path: str = ''
    """Of the charm that it gets."""
    in_place: bool = False
    """The unit comes back."""
    command: str = ''
    """The same by hand; empty where there is nothing to do but wait."""
    why: str = ''
    state: State = 'waiting'
    note: str = ''
    """What holds it up, why it was skipped, or what it has found."""
