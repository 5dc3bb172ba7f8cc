"""What a tool that upgrades a whole cloud must know of a charm: ``lifecycle.yaml`` in the charm's folder. Pure.

It is read where the charm runs (``juju exec --unit UNIT -- cat lifecycle.yaml``), so a charm of others is moved in its
place like these, and the tool has no list of services. Most of it follows from a charm's spec; :class:`Declaration` is
the rest. A charm without a spec has the file by hand.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Literal

VERSION = 1
FILE = 'lifecycle.yaml'

Way = Literal['replace', 'in-place', 'own', 'stay']
"""A unit of the new base in an old one's place; the packages of each unit anew; an action sequence of its own; not by
itself (a subordinate goes with its principal)."""

FIRST = ('database', 'message-queue')
"""What everything else stands on is moved before it."""

_AS_IT_IS = re.compile(r'[A-Za-z][A-Za-z0-9@./-]*(?: [A-Za-z0-9@./-]+)*')
YAML_WORDS = frozenset(('y', 'yes', 'n', 'no', 'true', 'false', 'on', 'off', 'null'))
"""What YAML 1.1 takes for a boolean or for nothing, in any case of letters."""
_WIDTH = 99
_Value = int | str | tuple[str, ...] | Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a spec cannot know by itself."""

    after: tuple[str, ...] = ()
    """What is moved before it where it is there, beside databases and message queues: words of others' *provides*."""
    provides: tuple[str, ...] = ()
    """What others may name in *after*, beside the types of its applications."""
    ways: tuple[Way, ...] = ('replace', 'in-place')
    """All that it can; the first is the usual one."""
    may_not_mix: tuple[str, ...] = ()
    """What stops units of two releases from working side by side, in words for the operator."""
    mix_needs: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Its relations without which one unit cannot stand in for another, and why."""
    bases: tuple[str, ...] = ()
    """Those that it is for, where that are not all of :data:`charmkit.releases.OF_BASE`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Document:
    """Everything that stands in the file."""

    provides: tuple[str, ...]
    after: tuple[str, ...]
    ways: tuple[Way, ...]
    releases: Mapping[str, str]
    """The release that each base's own archive has."""
    actions: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Its actions by what they are for: ``expand``, ``online``, ``contract``, ``drain``, ``admit``, ``upgrade``,
    ``switch``."""
    behind: tuple[str, ...] = ()
    """Its relations to load balancers that admit and drain its units."""
    may_not_mix: tuple[str, ...] = ()
    mix_needs: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Its relations without which one unit cannot stand in for another, and why."""


def render(document: Document) -> str:
    """The text of the file."""
    entries: Mapping[str, _Value] = {
        'version': VERSION,
        'provides': document.provides,
        'after': document.after,
        'way': document.ways[0],
        'ways': document.ways,
        'releases': document.releases,
        'actions': document.actions,
        'behind': document.behind,
        'may-not-mix': document.may_not_mix,
        **({'mix-needs': document.mix_needs} if document.mix_needs else {}),
    }
    return (
        '# What `juju lifecycle` must know of this charm. Written by python -m charmkit.generate.\n'
        + ''.join(_entry(key, value) for key, value in entries.items())
    )


def _entry(key: str, value: _Value) -> str:
    line = f'{key}: {_flow(value)}\n'
    if len(line) <= _WIDTH or isinstance(value, (str, int)):
        return line
    if isinstance(value, Mapping):
        return f'{key}:\n' + ''.join(f'  {_flow(k)}: {_flow(v)}\n' for k, v in value.items())
    return f'{key}:\n' + ''.join(f'  - {_flow(item)}\n' for item in value)


def _flow(value: _Value) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        plain = _AS_IT_IS.fullmatch(value) and value.lower() not in YAML_WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return '{' + ', '.join(f'{_flow(k)}: {_flow(v)}' for k, v in value.items()) + '}'
    return '[' + ', '.join(map(_flow, value)) + ']'
