"""YAML and TOML of strangers: read within limits, or refused in one sentence. Pure.

What could hurt is counted on the parser's events, before anything is built of them: how deep it is nested, how much
there is, and how much its aliases stand for when they are followed ("billion laughs").
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any, cast

import yaml

MOST_BYTES = 512 * 1024
MOST_NODES = 20_000
"""Of a document, with each alias counted as what it stands for."""
DEEPEST = 40


class UnreadableError(Exception):
    """It cannot be read; the text says why."""


def load(data: bytes) -> Any:
    """What *data* says.

    Raises:
        UnreadableError: it is no YAML, or more than anybody writes by hand.
    """
    text = decode(data, MOST_BYTES)
    try:
        _measure(text)
        return yaml.load(text, _Loader)  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError as e:
        raise UnreadableError(f'not valid YAML: {_where(e)}') from None
    except (ValueError, TypeError, ArithmeticError, RecursionError, LookupError) as e:
        # A number or a date that is none, or a key that cannot be one: PyYAML lets Python say so.
        raise UnreadableError(f'not valid YAML: {str(e)[:100] or type(e).__name__}') from None


def load_toml(data: bytes) -> dict[str, Any]:
    """What *data* says as TOML.

    Raises:
        UnreadableError: it is no TOML, or more than anybody writes by hand.
    """
    text = decode(data, MOST_BYTES)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as e:
        raise UnreadableError(f'not valid TOML: {str(e)[:100] or type(e).__name__}') from None


def decode(data: bytes, most: int) -> str:
    """*data* as text.

    Raises:
        UnreadableError: it has more than *most* bytes, or is not UTF-8.
    """
    if len(data) > most:
        raise UnreadableError(f'it has {len(data)} bytes, more than {most}')
    try:
        return data.decode('utf-8')
    except UnicodeDecodeError as e:
        raise UnreadableError(f'not UTF-8: byte {e.start}') from None


class _Loader(yaml.SafeLoader):
    """Dates stay text, as Juju reads them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != 'tag:yaml.org,2002:timestamp']
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, 'problem_mark', None)
    problem = str(getattr(error, 'problem', None) or getattr(error, 'reason', None) or error)
    at = f'line {mark.line + 1}: ' if mark else ''
    return f'{at}{problem.splitlines()[0][:160] if problem else "?"}'


def _measure(text: str) -> None:
    sizes: dict[str, int] = {}
    stack: list[tuple[str | None, int]] = [(None, 0)]
    for size, event in _events(text):
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor, 1)
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append((event.anchor, 1))
            if len(stack) > DEEPEST:
                raise UnreadableError(f'it is nested more than {DEEPEST} deep')
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = stack.pop()
            if anchor:
                sizes[anchor] = size
        elif isinstance(event, yaml.ScalarEvent) and event.anchor:
            sizes[event.anchor] = 1
        outer, before = stack[-1]
        stack[-1] = (outer, before + size)
        if before + size > MOST_NODES:
            raise UnreadableError(
                f'it has more than {MOST_NODES} values, aliases counted as what they stand for'
            )


def _events(text: str) -> Iterator[tuple[int, yaml.Event]]:
    for event in cast('Iterator[yaml.Event]', yaml.parse(text, yaml.SafeLoader)):  # pyright: ignore[reportUnknownMemberType]
        is_node = isinstance(event, yaml.ScalarEvent | yaml.AliasEvent)
        yield (1 if is_node else 0), event
