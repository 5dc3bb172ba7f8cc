"""Frozen dataclasses to JSON and back, by their own type hints.

A field that has its default is left out, so that what is stored stays small and a field added later reads as its
default from older rows. One that is not compared is no part of the value, and is left out too. A field that was renamed
names the old one in its metadata (``was``), under which older rows hold it. Mappings may have ``int`` keys; tuples and
frozen sets become lists.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import types
import typing
from typing import Any, TypeVar

T = TypeVar('T')


class Unknown(ValueError):  # noqa: N818 -- what the key is
    """A key that its kind does not have: what was said would be lost."""


def encode(value: Any) -> Any:
    """*value* as what ``json.dumps`` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encode_dataclass(value)
    many = typing.cast('Any', value)
    if isinstance(value, collections.abc.Mapping):
        return {k if isinstance(k, str) else str(k): encode(v) for k, v in many.items()}
    if isinstance(value, list | tuple):
        return [encode(v) for v in many]
    if isinstance(value, set | frozenset):
        return sorted(encode(v) for v in many)
    return value


def _encode_dataclass(value: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    kind: type = value.__class__
    for name, default in _fields(kind):
        item = getattr(value, name)
        if default is not _REQUIRED and item == default:
            continue
        out[name] = encode(item)
    return out


_REQUIRED = object()


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, Any], ...]:
    out: list[tuple[str, Any]] = []
    for field in dataclasses.fields(kind):
        if not field.compare:
            continue
        default: Any = _REQUIRED
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        out.append((field.name, default))
    return tuple(out)


def decode(kind: type[T], data: Any) -> T:
    """*data*, as ``encode`` made it, as a value of *kind*. TypeError or ValueError if it is no such thing.

    Raises:
        Unknown: it says something that *kind* has no field for.
    """
    return typing.cast('T', _decoder(kind)(data))


@functools.cache
def _decoder(kind: Any) -> collections.abc.Callable[[Any], Any]:
    if kind is Any:
        return _same
    if dataclasses.is_dataclass(kind):
        return _dataclass_decoder(typing.cast('type', kind))
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _optional_decoder(args)
    if origin is typing.Literal or origin is None:
        return _same
    return _collection_decoder(origin, args)


def _same(data: Any) -> Any:
    return data


def _optional_decoder(args: tuple[Any, ...]) -> collections.abc.Callable[[Any], Any]:
    rest = [a for a in args if a is not type(None)]
    if len(rest) != 1:
        return _same  # A union of plain JSON types.
    inner = _decoder(rest[0])
    return lambda data: None if data is None else inner(data)


def _collection_decoder(
    origin: Any, args: tuple[Any, ...]
) -> collections.abc.Callable[[Any], Any]:
    if issubclass(origin, collections.abc.Mapping):
        key = int if args[0] is int else _same
        item = _decoder(args[1])
        return lambda data: {key(k): item(v) for k, v in data.items()}
    if origin is tuple and (len(args) != 2 or args[1] is not Ellipsis):
        items = [_decoder(a) for a in args]

        def decode_tuple(data: Any) -> tuple[Any, ...]:
            return tuple(decoder(v) for decoder, v in zip(items, data, strict=True))

        return decode_tuple
    item = _decoder(args[0])

    def decode_items(data: Any) -> Any:
        return typing.cast('Any', origin(item(v) for v in data))

    return decode_items


def _dataclass_decoder(kind: type) -> collections.abc.Callable[[Any], Any]:
    decoders: dict[str, collections.abc.Callable[[Any], Any]] = {}
    renamed: dict[str, str] = {
        field.metadata['was']: field.name
        for field in dataclasses.fields(kind)
        if 'was' in field.metadata
    }

    def decode_dataclass(data: collections.abc.Mapping[str, Any]) -> Any:
        if not decoders:  # Late, so that a class may hold itself.
            hints = typing.get_type_hints(kind)
            decoders.update({f.name: _decoder(hints[f.name]) for f in dataclasses.fields(kind)})
        named: dict[str, Any] = {renamed.get(key, key): value for key, value in data.items()}
        for key in named.keys() - decoders.keys():
            raise Unknown(f'{kind.__name__} has no "{key}"')
        return kind(**{k: decoders[k](v) for k, v in named.items()})

    return decode_dataclass
