"""YAML in which every value knows its line. Reads text, touches no file.

Booleans are YAML 1.2's (`true`, `false`), so the rule key `on` is a word; dates stay text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, TypeAlias, cast

import yaml

from matrix.grammar import problem

Plain: TypeAlias = 'bool | int | float | str | list[Plain] | dict[str, Plain] | None'

_MOST_NODES = 100_000  # A few nested aliases can stand for more than any memory holds.


@dataclasses.dataclass(frozen=True)
class Scalar:
    """A word, number, truth value or nothing."""

    where: problem.Where
    value: bool | int | float | str | None


@dataclasses.dataclass(frozen=True)
class Sequence:
    """A list."""

    where: problem.Where
    items: tuple[Value, ...]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A key of a mapping, with the line of the key itself."""

    where: problem.Where
    key: str
    value: Value


@dataclasses.dataclass(frozen=True)
class Mapping:
    """Keys and values in the order of the file; no key twice."""

    where: problem.Where
    entries: tuple[Entry, ...]

    def get(self, key: str) -> Value | None:
        """The value of a key, or None where there is no such key."""
        return next((entry.value for entry in self.entries if entry.key == key), None)


Value: TypeAlias = Scalar | Sequence | Mapping


def load(text: str, source: str) -> Value:
    """Read one YAML document.

    Raises:
        problem.RefusedError: it is not YAML, repeats a key, or expands without end.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Scalar(problem.Where(source, 1), None)
        return _Reading(loader, source).value(node, ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _refused(source, line, f'not YAML: {error.problem}') from error
    except yaml.YAMLError as error:
        raise _refused(source, 1, f'not YAML: {" ".join(str(error).split())}') from error
    except RecursionError as error:
        raise _refused(source, 1, 'nested too deeply') from error


def plain(value: Value) -> Plain:
    """The same value as ordinary lists, dicts and scalars."""
    match value:
        case Scalar():
            return value.value
        case Sequence():
            return [plain(item) for item in value.items]
        case Mapping():
            return {entry.key: plain(entry.value) for entry in value.entries}


def kind(value: Value) -> str:
    """What a value is, in the words of an error message."""
    match value:
        case Scalar(value=None):
            return 'nothing'
        case Scalar():
            return repr(value.value)
        case Sequence():
            return 'a list'
        case Mapping():
            return 'a mapping'


def walk(value: Value) -> Iterator[Value]:
    """A value and everything in it."""
    yield value
    match value:
        case Sequence():
            for item in value.items:
                yield from walk(item)
        case Mapping():
            for entry in value.entries:
                yield from walk(entry.value)
        case Scalar():
            pass


def _refused(source: str, line: int, message: str) -> problem.RefusedError:
    return problem.RefusedError([problem.Problem(problem.Where(source, line), message)])


class _Loader(yaml.SafeLoader):
    pass


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    kept = {'tag:yaml.org,2002:bool', 'tag:yaml.org,2002:timestamp'}
    old = cast(
        'dict[str, list[tuple[str, re.Pattern[str]]]]',
        cast('Any', yaml.SafeLoader).yaml_implicit_resolvers,
    )
    new = {first: [pair for pair in pairs if pair[0] not in kept] for first, pairs in old.items()}
    truth = re.compile(r'^(?:true|True|TRUE|false|False|FALSE)$')
    for first in 'tTfF':
        new.setdefault(first, []).append(('tag:yaml.org,2002:bool', truth))
    return new


_Loader.yaml_implicit_resolvers = _resolvers()


@dataclasses.dataclass
class _Reading:
    loader: _Loader
    source: str
    nodes: int = 0

    def value(self, node: yaml.Node, inside: tuple[int, ...]) -> Value:
        where = self.where(node)
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            raise _refused(self.source, where.line, f'more than {_MOST_NODES} values')
        if id(node) in inside:
            raise _refused(self.source, where.line, 'an alias stands inside what it names')
        inside = (*inside, id(node))
        if isinstance(node, yaml.MappingNode):
            return Mapping(where, self.entries(node, inside))
        if isinstance(node, yaml.SequenceNode):
            return Sequence(where, tuple(self.value(item, inside) for item in node.value))
        return Scalar(where, self.scalar(node, where))

    def where(self, node: yaml.Node) -> problem.Where:
        return problem.Where(self.source, node.start_mark.line + 1)

    def scalar(self, node: yaml.Node, where: problem.Where) -> bool | int | float | str | None:
        try:
            value: object = cast('Any', self.loader).construct_object(node)
        except ValueError as error:
            raise _refused(self.source, where.line, f'not YAML: {error}') from error
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise _refused(self.source, where.line, f'{node.tag!r} is not a kind of value used here')

    def entries(self, node: yaml.MappingNode, inside: tuple[int, ...]) -> tuple[Entry, ...]:
        own = [self.key(key) for key, _ in node.value]
        for index, (key, _) in enumerate(node.value):
            if own[index] in own[:index] and own[index] != '<<':
                first = node.value[own.index(own[index])][0].start_mark.line + 1
                line = self.where(key).line
                raise _refused(
                    self.source, line, f'{own[index]!r} stands here and in line {first}'
                )
        if '<<' in own:
            cast('Any', self.loader).flatten_mapping(node)
        found: dict[str, Entry] = {}
        for key, value in node.value:  # What a merge key brings stands before the mapping's own.
            name = self.key(key)
            found[name] = Entry(self.where(key), name, self.value(value, inside))
        return tuple(found.values())

    def key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _refused(self.source, self.where(node).line, 'a key must be a word')
        return 'on' if self.scalar_is_true(node) else str(node.value)

    @staticmethod
    def scalar_is_true(node: yaml.ScalarNode) -> bool:
        # YAML 1.1 turned the key `on` into true; files written back by such a reader hold it.
        return node.tag == 'tag:yaml.org,2002:bool' and node.value.lower() == 'true'
