"""JSON in databags: written in one stable spelling, and read with what is unreadable left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast


def dump(value: object) -> str:
    """*value* as JSON; equal values give equal text, so an unchanged databag stays unchanged."""
    return json.dumps(value, sort_keys=True)


def load_object(text: str) -> dict[str, Any]:
    """The JSON object in *text*; empty when there is none."""
    data = _load(text)
    return cast('dict[str, Any]', data) if isinstance(data, dict) else {}


def load_array(text: str) -> list[Any]:
    """The JSON array in *text*; empty when there is none."""
    data = _load(text)
    return cast('list[Any]', data) if isinstance(data, list) else []


def objects(data: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The members of *data* that are objects themselves, in order."""
    return [(k, cast('Mapping[str, Any]', v)) for k, v in data.items() if isinstance(v, Mapping)]


def number(value: object, otherwise: int = 0) -> int:
    """*value* if it is a whole number, else *otherwise*."""
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def text(value: object) -> str:
    """*value* if it is text, else nothing."""
    return value if isinstance(value, str) else ''


def items(value: object) -> tuple[object, ...]:
    """What is in *value* if it is a list, else nothing."""
    return tuple(cast('list[object]', value)) if isinstance(value, list) else ()


def texts(value: object) -> tuple[str, ...]:
    """The texts in *value* if it is a list, else nothing."""
    return tuple(item for item in items(value) if isinstance(item, str))


def one_line(text: str, most: int = 2000) -> bool:
    """Whether *text* can stand in any file and databag: one line that can be printed, not too long."""
    return len(text) <= most and text.isprintable()


def _load(text: str) -> object:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):  # The latter for what is nested thousands deep.
        return None
