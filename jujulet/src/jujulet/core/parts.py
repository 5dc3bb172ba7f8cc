"""What the parts of a model have in common: a life, and mappings that are never changed in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

K = TypeVar('K')
V = TypeVar('V')

Life = Literal['alive', 'dying', 'dead']


def frozen_map() -> dict[Any, Any]:
    """An empty mapping, for the default of a field."""
    return {}


def put(mapping: Mapping[K, V], key: K, value: V) -> dict[K, V]:
    """A copy of *mapping* in which *key* is *value*."""
    return {**mapping, key: value}


def drop(mapping: Mapping[K, V], *keys: K) -> dict[K, V]:
    """A copy of *mapping* without *keys*; a key that is absent is no error."""
    gone = set(keys)
    return {k: v for k, v in mapping.items() if k not in gone}


def unit_key(name: str) -> tuple[str, int]:
    """Sorts ``a/10`` behind ``a/9``."""
    application, _, number = name.rpartition('/')
    return application, int(number)
