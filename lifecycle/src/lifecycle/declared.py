"""What a charm declares of its upgrades: `lifecycle.yaml`, in the charm's folder beside `charmcraft.yaml`. Pure.

    version: 1
    provides: [identity]             # what others name in `after`
    after: [database]                # what is moved before this one, where it is in the model
    way: replace                     # replace, in-place, own, stay
    ways: [replace, in-place]        # all that it can
    releases: {debian@12: zed, debian@13: epoxy}
    actions: {expand: db-expand, contract: db-contract, drain: pause, admit: resume}
    behind: [public-backend]         # its relations to load balancers that admit and drain its units
    holds: {admit: 5, switch: 5}     # for how many seconds clients wait, at most, in what an action is for
    own-units: 1                     # of how many units at most the way `own` moves it
    own-shrinks: "…"                 # that more are removed before and added after; what it means meanwhile
    mix-needs: {shared-store: "…"}   # relations without which one unit cannot stand in for another, and why
    may-not-mix: []                  # what stops two releases or bases side by side, in words

It comes from a machine, so it is untrusted: bounded, and read without anything that runs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, cast

import yaml

from lifecycle.problem import ProblemError, clean

MOST_BYTES = 32 * 1024
"""A longer file is refused."""
WAYS = ('replace', 'in-place', 'own', 'stay')
_MOST = 64
_MOST_NUMBER = 86_400
_NAME = re.compile(r'[a-z][a-z0-9]*(?:-[a-z0-9]+)*')
_RELEASE = re.compile(r'[a-z0-9][a-z0-9.+~-]{0,39}')
BASE = re.compile(r'[a-z][a-z0-9-]*@[0-9][0-9a-z.]*')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Declaration:
    """What one charm says of itself."""

    provides: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    way: str = 'replace'
    ways: tuple[str, ...] = ('replace',)
    releases: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """By base; empty: it does not say which bases it supports."""
    actions: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The charm's actions by what they are for: expand, online, contract, drain, admit, upgrade, switch."""
    holds: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    """Seconds for which clients wait at most, by what is done; what is not named holds nobody."""
    own_units: int = 0
    """How many units it has at most where it is moved by the way `own`; 0: any number."""
    own_shrinks: str = ''
    """What it means that more are removed down to that before, and added after; empty: it cannot."""
    behind: tuple[str, ...] = ()
    """Its endpoints of relations to load balancers."""
    may_not_mix: tuple[str, ...] = ()
    mix_needs: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Its relations without which units must not stand side by side, nor stand in for one another; and why."""
    written: bool = True
    """Whether the charm has the file; else this is what holds for any charm."""


UNDECLARED = Declaration(written=False)


class _Loader(yaml.SafeLoader):
    """What a declaration needs of YAML: no aliases, which make much of little, and no key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Build the tree of a node."""
        event: object = self.peek_event()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:  # pyright: ignore[reportUnknownMemberType]
            raise yaml.YAMLError('anchors and aliases are not read')
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping."""
        pairs = cast('list[tuple[yaml.Node, yaml.Node]]', node.value)
        keys = [str(key.value) for key, _ in pairs if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f'{clean(twice, 40)}: stands there twice')
        return super().construct_mapping(node, deep)


def parse(text: str, where: str) -> Declaration:
    """The declaration that *text* is; *where* it comes from is named in errors.

    Raises:
        ProblemError: it is not of that shape; says what, where, and what would be right.
    """
    if len(text.encode(errors='replace')) > MOST_BYTES:
        raise ProblemError(f'{where}: longer than {MOST_BYTES} bytes; a declaration is some lines')
    try:
        data: Any = yaml.load(text, _Loader)  # noqa: S506  # It is a SafeLoader.
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ProblemError(f'{where}: no YAML: {clean(error)}') from None
    if not isinstance(data, dict):
        raise ProblemError(f'{where}: must be a mapping that begins with `version: 1`')
    fields = cast('dict[object, object]', data)
    if fields.get('version') != 1 or isinstance(fields['version'], (bool, float)):
        said = clean(fields.get('version'), 40)
        raise ProblemError(
            f'{where}: version: {said} is not known to this juju-lifecycle; it knows 1'
        )
    known = {'version', *_READ}
    unknown = sorted(clean(key, 40) for key in fields if key not in known)
    if unknown:
        raise ProblemError(
            f'{where}: {unknown[0]}: no such key; there are {", ".join(sorted(known))}'
        )
    read: dict[str, Any] = {
        key.replace('-', '_'): _READ[key](value, f'{where}: {key}')
        for key, value in cast('dict[str, object]', fields).items()
        if key != 'version'
    }
    if read.get('own_shrinks') and not read.get('own_units'):
        raise ProblemError(
            f'{where}: own-shrinks: wants own-units, the number that it is shrunk to'
        )
    way = read.get('way', 'replace')
    ways = read.setdefault('ways', (way,))
    if way not in ways:
        raise ProblemError(f'{where}: way: {way} is not among its ways: {", ".join(ways)}')
    return Declaration(**read)


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list) or len(cast('list[object]', value)) > _MOST:
        raise ProblemError(f'{where}: must be a list of at most {_MOST}')
    return cast('list[object]', value)


def _names(value: object, where: str) -> tuple[str, ...]:
    return tuple(_name(one, where) for one in _list(value, where))


def _name(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > _MOST or not _NAME.fullmatch(value):
        raise ProblemError(
            f'{where}: {clean(value, 40)}: must be of lower-case letters, digits and hyphens'
        )
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    found = _list(value, where)
    if not all(isinstance(one, str) for one in found):
        raise ProblemError(f'{where}: must be a list of texts')
    return tuple(clean(one) for one in found)


def _way(value: object, where: str) -> str:
    if value not in WAYS:
        raise ProblemError(f'{where}: {clean(value, 40)}: is none of {", ".join(WAYS)}')
    return str(value)


def _ways(value: object, where: str) -> tuple[str, ...]:
    found = tuple(_way(one, where) for one in _list(value, where))
    if not found:
        raise ProblemError(f'{where}: must name one of {", ".join(WAYS)} at least')
    return found


def _mapping(value: object, where: str) -> dict[object, object]:
    if not isinstance(value, dict) or len(cast('dict[object, object]', value)) > _MOST:
        raise ProblemError(f'{where}: must be a mapping of at most {_MOST} keys')
    return cast('dict[object, object]', value)


def _releases(value: object, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for base, release in _mapping(value, where).items():
        if not isinstance(base, str) or not BASE.fullmatch(base):
            raise ProblemError(f'{where}: {clean(base, 40)}: must be a base, such as debian@13')
        if not isinstance(release, str) or not _RELEASE.fullmatch(release):
            raise ProblemError(
                f'{where}: {base}: {clean(release, 40)}: must be the name of a release, such as epoxy'
            )
        found[base] = release
    return found


def _actions(value: object, where: str) -> dict[str, str]:
    return {
        _name(purpose, where): _name(action, f'{where}: {clean(purpose, 40)}')
        for purpose, action in _mapping(value, where).items()
    }


def _holds(value: object, where: str) -> dict[str, int]:
    return {
        _name(purpose, where): _number(seconds, f'{where}: {clean(purpose, 40)}')
        for purpose, seconds in _mapping(value, where).items()
    }


def _number(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_NUMBER:
        raise ProblemError(
            f'{where}: {clean(value, 40)}: must be a whole number from 1 to {_MOST_NUMBER}'
        )
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ProblemError(f'{where}: {clean(value, 40)}: must be a text that says what it means')
    return clean(value)


def _reasons(value: object, where: str) -> dict[str, str]:
    return {
        _name(name, where): _text(words, f'{where}: {clean(name, 40)}')
        for name, words in _mapping(value, where).items()
    }


_READ: Mapping[str, Any] = {
    'provides': _names,
    'after': _names,
    'way': _way,
    'ways': _ways,
    'releases': _releases,
    'actions': _actions,
    'behind': _names,
    'holds': _holds,
    'own-units': _number,
    'own-shrinks': _text,
    'mix-needs': _reasons,
    'may-not-mix': _texts,
}
