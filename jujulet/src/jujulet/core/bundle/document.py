"""YAML that remembers where every value stands, so that an error can name its file and line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, cast

import yaml

from .. import charm as charm_

MOST_NODES = 200_000
"""More than any bundle has; anchors that unfold beyond it are an attack or an accident."""


class Invalid(charm_.Invalid):
    """A bundle that cannot be deployed: one line a problem, each with file, line, what, and what would be right."""


@dataclasses.dataclass(frozen=True)
class Node:
    """A value and where it was written."""

    value: Any
    """A scalar, ``list[Node]``, or ``dict[str, Node]``."""
    file: str
    line: int
    """Of the key, for an entry of a mapping."""

    def at(self, problem: str) -> str:
        """*problem* with the place in front."""
        return f'{self.file}:{self.line}: {problem}'

    @property
    def items(self) -> Mapping[str, Node]:
        """Entries of a mapping; empty for anything else."""
        value: Any = self.value
        return cast('dict[str, Node]', value) if isinstance(value, dict) else {}

    @property
    def elements(self) -> list[Node]:
        """Elements of a list; empty for anything else."""
        value: Any = self.value
        return cast('list[Node]', value) if isinstance(value, list) else []

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.items.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.elements]
        return self.value


def parse(text: str, file: str) -> list[Node]:
    """Every YAML document in *text* that is not empty.

    Raises:
        Invalid: not YAML, a key given twice, or a document that is no mapping.
    """
    try:
        loader = _Loader(text)
        roots: list[yaml.Node] = []
        while loader.check_node():
            roots.append(cast('yaml.Node', loader.get_node()))
        documents = [loader.node(root, file) for root in roots]
    except _Fault as fault:
        raise Invalid(f'{file}:{fault.line}: {fault}') from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Invalid(
            f'{file}:{mark.line + 1 if mark else 1}: not valid YAML: {error.problem}'
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid(f'{file}:1: not valid YAML: {_first_line(str(error))}') from None
    documents = [d for d in documents if d.value is not None]
    for document in documents:
        if not isinstance(document.value, dict):
            raise Invalid(
                document.at('a bundle is a mapping with "applications", not a list or a text')
            )
    return documents


def _first_line(text: str) -> str:
    return text.partition('\n')[0]


class _Fault(Exception):  # noqa: N818 -- becomes an Invalid before anyone sees it
    def __init__(self, node: yaml.Node, text: str):
        super().__init__(text)
        self.line = node.start_mark.line + 1


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, asked for nodes: it resolves scalars, we keep the places."""

    def __init__(self, text: str):
        super().__init__(text)
        self.made = 0
        self.open: set[int] = set()
        self.flat: set[int] = set()

    def node(self, node: yaml.Node, file: str) -> Node:
        self.made += 1
        if self.made > MOST_NODES:
            raise _Fault(node, f'more than {MOST_NODES} values: that is no bundle')
        if id(node) in self.open:
            raise _Fault(node, 'an anchor that holds itself')
        self.open.add(id(node))
        try:
            return Node(self._value(node, file), file, node.start_mark.line + 1)
        finally:
            self.open.discard(id(node))

    def _value(self, node: yaml.Node, file: str) -> Any:
        if isinstance(node, yaml.MappingNode):
            return {
                key: dataclasses.replace(self.node(value, file), line=line)
                for key, value, line in self._pairs(node)
            }
        if isinstance(node, yaml.SequenceNode):
            return [self.node(item, file) for item in cast('list[yaml.Node]', node.value)]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        return self.construct_object(node)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, int]]:
        if id(node) not in self.flat:
            self._refuse_twins(node)
            self.flatten_mapping(node)
            self.flat.add(id(node))
        for key, value in cast('list[tuple[yaml.Node, yaml.Node]]', node.value):
            yield _key(key), value, key.start_mark.line + 1

    def _refuse_twins(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in cast('list[tuple[yaml.Node, yaml.Node]]', node.value):
            if not isinstance(key, yaml.ScalarNode):
                raise _Fault(key, 'a key must be a text')
            name = str(key.value)
            if name in seen and name != '<<':
                raise _Fault(key, f'key "{name}" is given twice')
            seen.add(name)


def _key(node: yaml.Node) -> str:
    """A key as it is written: to a Go program it is text, so ``off`` is no truth value and ``0x10`` no number."""
    return '' if node.tag == 'tag:yaml.org,2002:null' else str(node.value)


# Dates stay text: to a Go program they are.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != 'tag:yaml.org,2002:timestamp']
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
