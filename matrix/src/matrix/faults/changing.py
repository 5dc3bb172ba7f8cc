"""Which option, relation and action of an application is changed, and to what. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from matrix.plans import snapshot

PAUSE = frozenset({'pause', 'resume'})
"""Actions of which one undoes the other, by the custom of charms."""

_HARMLESS = re.compile(r'(^|[-_])(debug|verbose|trace)($|[-_])')
_SECRET = re.compile(r'pass|secret|token|key', re.IGNORECASE)
_WORD = re.compile(r'[A-Za-z0-9@%+,.:/_= -]{1,400}')
_KINDS = {'boolean': 0, 'int': 1, 'float': 2}


@dataclasses.dataclass(frozen=True)
class Option:
    """An option, what it is, and what it becomes; `default` is not empty where it has its default now."""

    name: str
    old: str
    new: str
    default: str = ''


def pick(event: str) -> int:
    """A number that belongs to an event, where one of several things must be chosen."""
    return int(hashlib.sha256(event.encode()).hexdigest()[:6], 16)


def word(value: object) -> str:
    """A parameter as a word of a command.

    Raises:
        ValueError: it is none.
    """
    said = text(value)
    if not _WORD.fullmatch(said) or said.startswith('-'):
        raise ValueError(f'{said!r} cannot be a word of a command')
    return said


def text(value: object) -> str:
    """A value as `juju config` is given it."""
    if isinstance(value, bool):
        return 'true' if value else 'false'
    return '' if value is None else str(value)


def option(
    settings: Mapping[str, Mapping[str, Any]], number: int, *, named: bool = False
) -> Option | None:
    """An option to change: how much is logged, if it has one for that; else any number, or truth. None: there is none.

    `named` says that it was asked for by its name. Nothing secret and no text is changed by chance.
    """
    able = sorted(
        name
        for name, one in settings.items()
        if one.get('type') in _KINDS and not _SECRET.search(name) and _changed(one) is not None
    )
    harmless = [name for name in able if _HARMLESS.search(name)]
    numbers = [name for name in able if settings[name].get('type') != 'boolean']
    chosen = able if named else harmless or numbers or able
    if not chosen:
        return None
    name = chosen[number % len(chosen)]
    return _option(settings, name, _changed(settings[name]))


def to(settings: Mapping[str, Mapping[str, Any]], name: str, value: str) -> Option | None:
    """A named option that gets a value; None where it has that already."""
    found = _option(settings, name, value)
    return None if found.old == found.new else found


def _option(settings: Mapping[str, Mapping[str, Any]], name: str, value: object) -> Option:
    one = settings[name]
    default = 'yes' if one.get('source') in {'default', 'unset', None} else ''
    return Option(name, text(one.get('value')), text(value), default)


def _changed(one: Mapping[str, Any]) -> bool | int | float | None:
    value = one.get('value')
    if one.get('type') == 'boolean':
        return not value
    return value + 1 if isinstance(value, int | float) and not isinstance(value, bool) else None


def relations(model: snapshot.Model, application: str) -> tuple[tuple[str, str], ...]:
    """Both ends (`web:db`, `db:web`) of each relation of an application that can be named without doubt.

    Not those among its own units, nor with or of subordinates: these take units away.
    """
    by = {one.name: one for one in model.applications}
    ours = by.get(application)
    if ours is None or ours.subordinate:
        return ()
    found: list[tuple[str, str]] = []
    for endpoint, other in ours.relations:
        theirs = by.get(other)
        if other == application or theirs is None or theirs.subordinate:
            continue
        here = [one for one, name in ours.relations if name == other]
        there = [one for one, name in theirs.relations if name == application]
        if len(here) == 1 and len(there) == 1:
            found.append((f'{application}:{endpoint}', f'{other}:{there[0]}'))
    return tuple(sorted(found))


def choose(found: Sequence[tuple[str, str]], wanted: str, event: str) -> tuple[str, str] | None:
    """One of these relations: that with an application or endpoint, or any; None where there is none."""
    fit = [
        one
        for one in found
        if not wanted or wanted in {one[1], one[1].partition(':')[0], one[0].partition(':')[2]}
    ]
    return fit[pick(event) % len(fit)] if fit else None


def statuses(
    model: snapshot.Model, application: str, *, anyhow: bool = False
) -> dict[str, list[str]]:
    """What each unit says of itself, and empty where its agent is at work (`anyhow`: then, too)."""
    units = [unit for one in model.applications if one.name == application for unit in one.units]
    return {
        unit.name: [unit.workload_status] if anyhow or unit.agent_status == 'idle' else []
        for unit in units
    }


def failed(model: snapshot.Model, application: str) -> str:
    """Which unit of an application has a hook that failed, and what it says; '' where none has."""
    return next(
        (
            f'{unit.name}: {unit.message or unit.agent_message or "a hook failed"}'
            for one in model.applications
            if one.name == application
            for unit in one.units
            if 'error' in {unit.agent_status, unit.workload_status}
        ),
        '',
    )
