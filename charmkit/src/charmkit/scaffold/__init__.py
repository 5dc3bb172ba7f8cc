"""``charmkit new``: a charm that works at once, by what kind of charm it is. Pure.

A template is a folder of ``templates/``: ``common`` has what every charm has, ``KIND`` what charms of that kind have.
A file's path may have the names of :attr:`Wanted.values` in it, as ``__module__``.
"""

from __future__ import annotations

import dataclasses
import keyword
import re
import sys
from collections.abc import Mapping

from ..apache import HEALTH_GROUP
from ..generate import LIBRARY

LONGEST_NAME = 30
"""Letters; the names of databases, accounts and processes are made of it, and MySQL has the shortest limit of those."""
_ON_UNITS = {
    *(
        'apache2',
        'apt',
        'dbus',
        'fonts',
        'haproxy',
        'keepalived',
        'ldap',
        'logrotate',
        'memcached',
    ),
    *('mysql', 'information-schema', 'performance-schema', 'root', 'systemd'),
}
"""A file ``/etc/NAME/NAME.conf``, a database or an account of these names is another's on each unit."""
_NO_TEXT = {'y', 'n', 'yes', 'no', 'on', 'off', 'true', 'false', 'null'}
"""What YAML takes for a truth value or for nothing: ``name: on`` in charmcraft.yaml is no name."""
_NAME = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*')


@dataclasses.dataclass(frozen=True)
class CharmKind:
    """One kind of charm that can be made."""

    name: str
    summary: str
    """What it is, for whoever chooses."""
    subordinate: bool = True


KINDS = {
    kind.name: kind
    for kind in (
        CharmKind('api', 'an API service, on Apache and behind load balancers', subordinate=False),
        CharmKind('neutron-plugin', "a plugin of neutron's API: a driver, or a service plugin"),
        CharmKind('cinder-backend', 'a kind of storage behind cinder'),
        CharmKind('compute-agent', 'an agent on each compute node'),
        CharmKind('monitoring', 'something that watches the machine of any charm'),
    )
}


@dataclasses.dataclass(frozen=True)
class Library:
    """Where the charm gets charmkit from."""

    version: str
    """The version that it is written for, ``0.1.0``."""
    source: str = ''
    """A path as ``tool.uv.sources`` has it, from the charm's folder; '' is a package index."""

    @property
    def requirement(self) -> str:
        """What the charm asks for: the public API stays as it is within the first two numbers of a version."""
        major, minor, *_ = [*self.version.split('.'), '0', '0']
        return f'charmkit>={self.version},<{major}.{_number(minor) + 1}'

    @property
    def of_repository(self) -> bool:
        """The charm is in charmkit's own repository: it is packed from there."""
        return self.source == LIBRARY


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The charm that is to be made."""

    name: str
    kind: CharmKind
    library: Library

    @property
    def values(self) -> Mapping[str, object]:
        """What templates may name."""
        words = self.name.split('-')
        return {
            'name': self.name,
            'title': ' '.join(word.capitalize() for word in words),
            'class_name': ''.join(word.capitalize() for word in words) + 'Charm',
            'module': '_'.join(words),
            'library': self.library,
            'kind': self.kind,
        }


def problem_of_name(name: str) -> str:
    """Why *name* cannot be a charm's, in one sentence; '' when it can."""
    shown = f'{name[:60]!r} cannot be the name of a charm'
    if not _NAME.fullmatch(name):
        return (
            f'{shown}: it has small letters, digits and single dashes, begins with a letter, and has a letter in '
            'each of its words, such as my-plugin'
        )
    if len(name) > LONGEST_NAME:
        return f'{shown}: it has {len(name)} letters, more than {LONGEST_NAME}'
    module = name.replace('-', '_')
    if keyword.iskeyword(module) or module in {
        *sys.stdlib_module_names,
        'charm',
        'charmkit',
        'ops',
    }:
        return f'{shown}: a module of Python would have the same name; put a word before it, as in my-{name}'
    if name in _NO_TEXT:
        return f'{shown}: it is no text in YAML; put a word before it, as in my-{name}'
    if name in _ON_UNITS or name.startswith(HEALTH_GROUP):
        return f'{shown}: something else has that name on each unit; put a word before it, as in my-{name}'
    return ''


def problem_of_kind(kind: str) -> str:
    """Why there is no charm of *kind*; '' when there is."""
    if kind in KINDS:
        return ''
    return f'{kind[:60]!r} is no kind of charm: take one of {", ".join(KINDS)}'


def _number(text: str) -> int:
    found = re.match(r'\d+', text)
    return int(found[0]) if found else 0
