"""Lines of the debug log: which are wanted, and how they are written. Source: ``juju debug-log``."""

from __future__ import annotations

import dataclasses
import fnmatch

from . import display

LEVELS = ('TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')


@dataclasses.dataclass(frozen=True)
class Line:
    """One line, as the controller keeps it."""

    at: float
    entity: str
    """``unit-placement-0``."""
    level: str
    module: str
    message: str
    id: int = 0


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which lines are asked for; empty fields ask for nothing in particular."""

    level: str = ''
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    include_modules: tuple[str, ...] = ()
    exclude_modules: tuple[str, ...] = ()


def wanted(line: Line, w: Wanted) -> bool:
    """Whether *line* is among what *w* asks for."""
    if w.level and LEVELS.index(_level(line)) < LEVELS.index(w.level):
        return False
    if w.include and not any(_names(line.entity, name) for name in w.include):
        return False
    if any(_names(line.entity, name) for name in w.exclude):
        return False
    if w.include_modules and not any(_below(line.module, m) for m in w.include_modules):
        return False
    return not any(_below(line.module, m) for m in w.exclude_modules)


def _level(line: Line) -> str:
    return line.level if line.level in LEVELS else 'INFO'


def _names(entity: str, name: str) -> bool:
    """``app/0``, ``app``, ``unit-app-0``, ``machine-0``, ``0`` or a pattern of these."""
    plain = name.replace('/', '-')
    tail = entity.partition('-')[2]
    application = tail.rpartition('-')[0]
    return any(fnmatch.fnmatchcase(text, plain) for text in (entity, tail, application) if text)


def _below(module: str, name: str) -> bool:
    return module == name or module.startswith(name + '.')


def render(line: Line, *, date: bool = False, ms: bool = False) -> str:
    """``unit-app-0: 12:00:00 INFO unit.app/0.juju-log message``."""
    at = display.clock(line.at)[:-1]
    if ms:
        at += f'.{int(line.at * 1000) % 1000:03}'
    if date:
        at = f'{display.iso(line.at)[:10]} {at}'
    return f'{line.entity}: {at} {line.level} {line.module} {line.message}'
