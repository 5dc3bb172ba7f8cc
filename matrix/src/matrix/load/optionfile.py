"""An option file of MySQL's clients, read as they read it. Pure.

Source: MySQL 8.4 Reference Manual, 6.2.2.2 Using Option Files; MariaDB Server documentation, Configuring MariaDB
with Option Files: groups that clients read, comments amid a line, quotes, escapes, `-` and `_` alike; the last of a
name wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

GROUPS = ('client', 'client-server', 'client-mariadb')
"""Groups that every client reads: `[client]`, and of MariaDB's `[client-server]` and `[client-mariadb]`."""

_ESCAPES = {'b': '\b', 't': '\t', 'n': '\n', 'r': '\r', 's': ' ', '"': '"', "'": "'", '\\': '\\'}
_ESCAPE = re.compile(r'\\(.)')


class NoOptionFileError(ValueError):
    """A line is none of an option file; it is not said, since it may have a password."""


def options(text: str) -> dict[str, str | None]:
    """What an option file has for clients: values by names (in which `_` is `-`); None where there is no `=`.

    Raises:
        NoOptionFileError: it is none.
    """
    found: dict[str, str | None] = {}
    group: str | None = None
    for line in _lines(text):
        if line.startswith('['):
            if not line.endswith(']'):
                raise NoOptionFileError
            group = line[1:-1].strip()
            continue
        if group is None:
            raise NoOptionFileError
        name, equals, value = line.partition('=')
        name = name.strip().replace('_', '-').removeprefix('loose-')
        if group in GROUPS:
            found[name] = _value(value.strip()) if equals else None
    return found


def includes(text: str) -> bool:
    """Whether it names other files, which are not read here."""
    return any(line.strip().startswith('!include') for line in text.splitlines())


def truth(value: str | None) -> bool | None:
    """What a switch says, which stands alone or has a value; None where it is no word of these."""
    if value is None or value.lower() in {'1', 'on', 'true'}:
        return True
    return False if value.lower() in {'0', 'off', 'false'} else None


def _lines(text: str) -> Iterator[str]:
    for line in text.removeprefix('\ufeff').splitlines():
        stripped = line.strip()
        if stripped and stripped[0] not in '#;!':
            yield _uncommented(stripped).strip()


def _uncommented(line: str) -> str:
    """Without the comment that begins amid it: at a `#` outside quotes."""
    quote, escaped = '', False
    for at, one in enumerate(line):
        if one in '\'"' and not escaped:
            quote = one if not quote else '' if quote == one else quote
        if one == '#' and not quote:
            return line[:at]
        escaped = bool(quote) and one == '\\' and not escaped
    return line


def _value(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in '\'"':
        text = text[1:-1]
    return _ESCAPE.sub(lambda one: _ESCAPES.get(one[1], one[0]), text)
