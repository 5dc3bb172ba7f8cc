"""What a declaration cannot say, found where it is made and reported in one sentence. Pure.

Python takes ``packages=('my-api')`` for a text, and would go through its letters.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Any

LAST_PORT = 65535
_SHOWN = 60
_ACCOUNT = re.compile(r'[a-z_][a-z0-9_-]{0,31}')
_WORD = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')
_PATH = re.compile(r'/[^\s"\\]+')


def refuse(where: str, *problems: Iterable[str]) -> None:
    """Raises ValueError with the first of *problems*, which are of the declaration *where*."""
    for problem in (text for each in problems for text in each):
        raise ValueError(f'{where}: {problem}')


def single(declaration: Any, *more: str) -> Iterator[str]:
    """Fields that hold several things, and *more* fields, where one stands for itself: a comma is missing."""
    names = [f.name for f in dataclasses.fields(declaration) if str(f.type).startswith('tuple[')]
    for name in (*names, *more):
        value = getattr(declaration, name)
        if not isinstance(value, (tuple, list)) and not (name in more and callable(value)):
            text = repr(value) if isinstance(value, str) else f'{type(value).__name__}(…)'
            yield f'{name} holds several, and has one alone: write {name}=({text[:_SHOWN]},)'


def port(value: object, *, further: int = 0) -> Iterator[str]:
    """*further*: another one is used so much above it."""
    last = LAST_PORT - further
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= last:
        why = f' ({further} above it is its port for TLS)' if further else ''
        yield f'port={value!r:.60} is no number from 1 to {last}{why}'


def paths(what: str, values: Iterable[object]) -> Iterator[str]:
    """Files on the machine: from its root, as one word."""
    for value in values:
        if not isinstance(value, str) or not _PATH.fullmatch(value):
            yield f'{what} {value!r:.60} is no path from / on, without blanks'


def account(name: object, *, serves: bool) -> Iterator[str]:
    """Whose processes they are. *serves*: they are Apache's, which starts none as root."""
    if not isinstance(name, str) or not _ACCOUNT.fullmatch(name):
        yield f'user={name!r:.60} is no name of an account, such as my-api or www-data'
    elif serves and name == 'root':
        yield "user='root': Apache starts no process as root; take the packages' account, or www-data"


def word(what: str, value: object) -> Iterator[str]:
    """What files, processes or systemd units are named after."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        yield f'{what}={value!r:.60}: it has letters, digits, dots and dashes, such as my-api'
