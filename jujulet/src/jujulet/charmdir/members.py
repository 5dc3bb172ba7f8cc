"""What may be in a charm: names, kinds and links of its members, judged before any of them is written. Pure.

Source: Juju's archives of charms (internal/charm/charmarchive.go) hold files, folders and links that stay inside.
"""

from __future__ import annotations

import collections
import dataclasses
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Literal

MOST_NAME_BYTES = 255
MOST_PATH_BYTES = 1024
"""Of one part of a name, and of the whole: what file systems take, with room for the folder around it."""
MOST_HOPS = 40
"""Links that follow one another, as in Linux."""

_CONTROL = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')

Kind = Literal['file', 'folder', 'link', 'other']


@dataclasses.dataclass(frozen=True)
class Member:
    """One entry of an archive."""

    name: str
    kind: Kind
    target: str = ''
    """Of a link: where it points to."""


def problem(members: Iterable[Member]) -> str:
    """What speaks against unpacking *members*, the first thing found; empty if nothing does."""
    kinds: dict[str, Kind] = {}
    links: dict[str, str] = {}
    for member in members:
        if said := _alone(member):
            return f'entry {shown(member.name)} {said}'
        place = posixpath.normpath(member.name)
        if place in kinds and not kinds[place] == member.kind == 'folder':
            return f'entry {shown(member.name)} is in it twice'
        kinds[place] = member.kind
        if member.kind == 'link':
            links[place] = member.target
    return _together(kinds, links)


def _alone(member: Member) -> str:
    if not safe(member.name):
        return 'leads outside the charm'
    if _CONTROL.search(member.name):
        return 'has a control character in its name'
    parts = member.name.encode(errors='surrogateescape').split(b'/')
    if max(map(len, parts)) > MOST_NAME_BYTES or sum(map(len, parts)) > MOST_PATH_BYTES:
        return 'has too long a name'
    if member.kind == 'other':
        return 'is neither a file nor a folder nor a link'
    if posixpath.normpath(member.name) == '.' and member.kind != 'folder':
        return 'has no name'
    return ''


def _together(kinds: Mapping[str, Kind], links: Mapping[str, str]) -> str:
    for place, kind in kinds.items():
        for parent in _parents(place):
            if kinds.get(parent, 'folder') != 'folder':
                return f'entry {shown(place)} lies behind a {kinds[parent]}'
        if kind == 'link' and not stays_inside(place, links[place], links):
            return f'link {shown(place)} leads outside the charm, to {shown(links[place])}'
    return ''


def _parents(place: str) -> Iterable[str]:
    while place := posixpath.dirname(place):
        yield place


def safe(name: str) -> bool:
    """Whether a member's name stays inside the folder that it is unpacked into."""
    return (
        bool(name)
        and not name.startswith('/')
        and '..' not in name.split('/')
        and '\\' not in name
        and '\0' not in name
    )


def stays_inside(link: str, target: str, links: Mapping[str, str]) -> bool:
    """Whether a link at *link* to *target* leads to something inside the charm, by whatever other *links* it goes.

    One that goes round in a circle leads nowhere, and so nowhere outside.
    """
    here = [part for part in posixpath.dirname(link).split('/') if part]
    todo = collections.deque([target])
    hops = 0
    while todo:
        text = todo.popleft()
        if not text or text.startswith('/') or '\0' in text or len(text) > MOST_PATH_BYTES:
            return False
        head, slash, rest = text.partition('/')
        if slash and rest.strip('/'):
            todo.appendleft(rest.lstrip('/'))
        if head == '..':
            if not here:
                return False
            here.pop()
        elif head != '.':
            here.append(head)
            following = links.get('/'.join(here))
            if following is not None:
                hops += 1
                if hops > MOST_HOPS:
                    return True
                here.pop()
                todo.appendleft(following)
    return True


def shown(name: str) -> str:
    """A name in quotes, on one line, whatever is in it."""
    text = name if len(name) <= _SHOWN else f'{name[:_SHOWN]}...'
    return '"' + ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text) + '"'


_SHOWN = 200
"""Characters of a name that an error shows."""
