"""Juju's flag grammar, as commands and hook tools share it.

Flags may stand before, between and after positional arguments; ``--`` ends them; a lone ``-`` is positional.
``--name value``, ``--name=value``, ``-nvalue`` and clusters of short booleans are accepted; a boolean takes a
value only as ``--name=value``. Source: the documentation and observed texts of Go's gnuflag, which Juju uses;
every error text below is one that it prints.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

Kind = Literal['bool', 'string', 'int', 'duration', 'repeatable', 'map']

_TRUE = frozenset({'1', 't', 'T', 'TRUE', 'true', 'True'})
_FALSE = frozenset({'0', 'f', 'F', 'FALSE', 'false', 'False'})
_DURATION = re.compile(r'([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)')
_SECONDS = {'ns': 1e-9, 'us': 1e-6, 'µs': 1e-6, 'μs': 1e-6, 'ms': 1e-3, 's': 1, 'm': 60, 'h': 3600}
_LARGEST_INT = 2**63 - 1
_LARGEST_DURATION = _LARGEST_INT / 1e9


class FlagError(Exception):
    """The arguments cannot be read; the text is what Juju prints after ``ERROR`` (exit code 2)."""


class _InvalidError(ValueError):
    """A value that its flag does not take; the text says why."""


@dataclasses.dataclass(frozen=True)
class Flag:
    """One declared flag."""

    names: tuple[str, ...]
    """Without dashes; the first is the key under which the value is found."""
    kind: Kind = 'string'
    default: Any = None
    """None: ``False``, ``''``, ``0``, ``0.0`` (seconds), ``()`` or ``{}``, as the kind has it."""
    help: str = ''

    @property
    def initial(self) -> Any:
        """What the flag is when it is not given."""
        return _zero(self.kind) if self.default is None else self.default


@dataclasses.dataclass(frozen=True)
class Parsed:
    """Arguments, read."""

    values: Mapping[str, Any]
    """By the first name of each flag: bool, str, int, float (seconds), tuple of str, or dict of str."""
    positionals: tuple[str, ...]
    given: Mapping[str, str]
    """First names of the flags that were given, even when given their default, with how they were spelt last."""
    help: bool = False
    """``--help`` or ``-h`` was met; nothing behind it was read."""

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def parse(flags: Iterable[Flag], argv: Sequence[str], *, interspersed: bool = True) -> Parsed:
    """Read *argv* (without the program's name).

    With ``interspersed`` False, everything from the first positional on is positional (``juju exec``, ``ssh``).
    Raises :class:`FlagError`.
    """
    by_name = {name: flag for flag in flags for name in flag.names}
    values = {flag.names[0]: flag.initial for flag in by_name.values()}
    given: dict[str, str] = {}
    positionals: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == '--':
            positionals += rest
            break
        if not word.startswith('-') or word == '-':
            positionals.append(word)
            if not interspersed:
                positionals += rest
                break
            continue
        for name, value in _occurrences(word, rest, by_name):
            flag = by_name.get(name)
            if flag is None:
                return Parsed(values, tuple(positionals), given, help=True)
            given[flag.names[0]] = _dashed(name)
            values[flag.names[0]] = _set(flag, name, value, values[flag.names[0]])
    return Parsed(values, tuple(positionals), given)


def duration(text: str) -> float:
    """Seconds of a Go duration such as ``1h30m`` or ``-1.5s``. Raises ValueError with Go's text."""
    sign, body = (-1, text[1:]) if text[:1] == '-' else (1, text.removeprefix('+'))
    if body == '0':
        return 0.0
    if not body:
        raise ValueError(f'time: invalid duration {quote(text)}')
    position, seconds = 0, 0.0
    while position < len(body):
        match = _DURATION.match(body, position)
        if match is None:
            number = re.compile(r'[0-9]+(?:\.[0-9]*)?|\.[0-9]+').match(body, position)
            if number is None:
                raise ValueError(f'time: invalid duration {quote(text)}')
            unit = re.split(r'[0-9.]', body[number.end() :])[0]
            what = f'unknown unit {quote(unit)} in' if unit else 'missing unit in'
            raise ValueError(f'time: {what} duration {quote(text)}')
        seconds += float(match[1]) * _SECONDS[match[2]]
        position = match.end()
    if seconds > _LARGEST_DURATION:
        raise ValueError(f'time: invalid duration {quote(text)}')
    return sign * seconds


def duration_text(seconds: float) -> str:
    """A Go duration for *seconds*: ``5m0s``, ``1h0m0s``, ``1.5s``."""
    sign, seconds = ('-', -seconds) if seconds < 0 else ('', seconds)
    hours, rest = divmod(round(seconds, 9), 3600)
    minutes, rest = divmod(rest, 60)
    text = f'{rest:.9f}'.rstrip('0').rstrip('.') or '0'
    if hours:
        return f'{sign}{int(hours)}h{int(minutes)}m{text}s'
    return f'{sign}{int(minutes)}m{text}s' if minutes else f'{sign}{text}s'


def quote(text: str) -> str:
    """*text* in double quotes as Go's ``%q`` writes it."""
    return '"' + ''.join(_escape(c) for c in text) + '"'


def options_text(flags: Iterable[Flag]) -> str:
    """The lines below ``Options:`` in ``--help``: each flag with its default and help, sorted by name."""
    lines: list[str] = []
    for flag in sorted(flags, key=lambda f: min(f.names, key=len)):
        names = ', '.join(_dashed(n) for n in sorted(flag.names, key=len))
        lines.append(f'{names} {_default_text(flag)}\n    {flag.help}')
    return '\n'.join(lines)


def help_text(usage: str, summary: str, flags: Iterable[Flag], details: str = '') -> str:
    """What ``--help`` prints. *usage* is the program's name with its arguments, ``relation-ids [<name>]``."""
    program, _, arguments = usage.partition(' ')
    flags = tuple(flags)
    options = ' [options]' if flags else ''
    parts = [
        f'Usage: {program}{options}{" " if arguments else ""}{arguments}',
        f'Summary:\n{summary}',
    ]
    if flags:
        parts.append('Options:\n' + options_text(flags))
    if details:
        parts.append('Details:\n' + details.strip('\n'))
    return '\n\n'.join(parts) + '\n'


def _zero(kind: Kind) -> Any:
    zeros: dict[str, Any] = {
        'bool': False,
        'string': '',
        'int': 0,
        'duration': 0.0,
        'repeatable': (),
        'map': {},
    }
    return zeros[kind]


def _occurrences(
    word: str, rest: list[str], by_name: Mapping[str, Flag]
) -> Iterable[tuple[str, str | None]]:
    """Flags in one word, with their values; takes from *rest* the values that stand in words of their own."""
    if word.startswith('--'):
        name, equals, value = word[2:].partition('=')
        if not name:
            raise FlagError(f'empty option in argument {quote(word)}')
        flag = _declared(name, by_name)
        if equals or flag is None or flag.kind == 'bool':
            yield name, value if equals else None
        else:
            yield name, _next(name, rest)
        return
    cluster = word[1:]
    while cluster:
        name, cluster = cluster[0], cluster[1:]
        flag = _declared(name, by_name)
        if flag is None or flag.kind == 'bool':
            yield name, None
        else:
            yield name, cluster or _next(name, rest)
            return


def _declared(name: str, by_name: Mapping[str, Flag]) -> Flag | None:
    if name in by_name:
        return by_name[name]
    if name in ('help', 'h'):
        return None
    raise FlagError(f'option provided but not defined: {_dashed(name)}')


def _next(name: str, rest: list[str]) -> str:
    if not rest:
        raise FlagError(f'option needs an argument: {_dashed(name)}')
    return rest.pop(0)


def _set(flag: Flag, name: str, value: str | None, before: Any) -> Any:
    if value is None:
        return True
    try:
        if flag.kind == 'repeatable':
            return (*before, value)
        if flag.kind == 'map':
            return _pair(before, value)
        return _read(flag.kind, value)
    except ValueError as error:
        raise FlagError(
            f'invalid value {quote(value)} for option {_dashed(name)}: {error}'
        ) from error


def _read(kind: Kind, value: str) -> Any:
    if kind == 'bool':
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        raise _InvalidError(f'strconv.ParseBool: parsing {quote(value)}: invalid syntax')
    if kind == 'int':
        return _integer(value)
    return duration(value) if kind == 'duration' else value


def _integer(value: str) -> int:
    if not re.fullmatch(r'[+-]?[0-9]+', value, re.ASCII):
        raise _InvalidError(f'strconv.ParseInt: parsing {quote(value)}: invalid syntax')
    number = int(value) if len(value) < 30 else _LARGEST_INT + 1
    if not -_LARGEST_INT - 1 <= number <= _LARGEST_INT:
        raise _InvalidError(f'strconv.ParseInt: parsing {quote(value)}: value out of range')
    return number


def _pair(before: Mapping[str, str], value: str) -> dict[str, str]:
    key, equals, content = value.partition('=')
    if not equals or not key:
        raise _InvalidError(f'badly formatted name value pair: {value}')
    if key in before:
        raise _InvalidError(f'duplicate name specified: {key}')
    return {**before, key: content}


def _dashed(name: str) -> str:
    return f'--{name}' if len(name) > 1 else f'-{name}'


def _default_text(flag: Flag) -> str:
    if flag.kind == 'string':
        return f'(= {quote(flag.initial)})'
    if flag.kind == 'bool':
        return ' (= true)' if flag.initial else ' (= false)'
    if flag.kind == 'duration':
        return f' (= {duration_text(flag.initial)})'
    return f' (= {flag.initial})' if flag.kind == 'int' else ' (= )'


def _escape(char: str) -> str:
    known = {'"': '\\"', '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r'}
    if char in known:
        return known[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f'\\x{code:02x}'
    return f'\\u{code:04x}' if code < 0x10000 else f'\\U{code:08x}'
