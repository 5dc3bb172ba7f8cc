"""YAML as Juju's own parser takes it: keys are text as written, dates are text, and aliases do not make a flood of it.

Source: gopkg.in/yaml.v2, whose error for the last is ``document contains excessive aliasing``.
"""

from __future__ import annotations

import json
from typing import Any, cast

import yaml

MOST = 200_000
"""Values that a document may have once every alias is written out."""

MOST_LEVELS = 100
"""How deep the values of a document may lie in one another: the parsers that are written in C fall over 100,000."""

_BASE: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
_TEXT = 'tag:yaml.org,2002:str'
_MERGE = 'tag:yaml.org,2002:merge'


class _Loader(_BASE):
    """The safe loader; its keys are text: ``off: 1`` has the key ``off``."""

    def flatten_mapping(self, node: Any) -> None:
        _BASE.flatten_mapping(self, node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                key.tag = _TEXT


_Loader.yaml_implicit_resolvers = {
    first: [(tag, shape) for tag, shape in known if not tag.endswith(':timestamp')]
    for first, known in _BASE.yaml_implicit_resolvers.items()
}


def load(text: str | bytes) -> Any:
    """What *text* says: texts, numbers, booleans, None, lists and mappings.

    Raises:
        ValueError: it is no YAML, with the line of the mistake, or says something else than those.
    """
    try:
        shallow(text)
        loader: Any = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            bounded(root)
            value = loader.construct_document(root)
        finally:
            loader.dispose()
        json.dumps(value, allow_nan=True)
    except yaml.YAMLError as error:
        raise ValueError(' '.join(str(error).split())) from None
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, _Flood):
            raise ValueError(str(error)) from None
        raise ValueError(
            f'it holds what is neither text, number, list nor mapping ({error})'
        ) from None
    return value


class _Flood(ValueError):  # noqa: N818 -- what it would be
    pass


def shallow(text: str | bytes) -> None:
    """Refuse a document whose values lie too deep in one another, before anything goes down there.

    Raises:
        ValueError: they do.
        yaml.YAMLError: it is no YAML.
    """
    level = 0
    for event in cast('Any', yaml).parse(text, Loader=_BASE):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > MOST_LEVELS:
                raise _Flood(f'document has more than {MOST_LEVELS} levels')
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1


def bounded(root: Any) -> None:
    """Refuse a document, given as its composed root, that its aliases make too large. Raises ValueError."""
    sizes: dict[int, int] = {}
    if _size(root, sizes) > MOST:
        raise _Flood('document contains excessive aliasing')


def _size(node: Any, sizes: dict[int, int]) -> int:
    """How many values a node is when every alias in it is written out."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in sizes:
        if sizes[id(node)] < 0:
            raise _Flood('an anchor holds itself')
        return sizes[id(node)]
    sizes[id(node)] = -1
    parts: list[Any] = node.value
    if isinstance(node, yaml.MappingNode):
        parts = [part for pair in cast('list[tuple[Any, Any]]', node.value) for part in pair]
    sizes[id(node)] = 1 + sum(_size(part, sizes) for part in parts)
    return sizes[id(node)]
