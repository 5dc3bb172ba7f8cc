"""juju matrix: how long it takes to say whether a history of registers is possible, and which part of it is not.

The history is what registers really did for fifty clients at once, a part of it never answered, as the unit tests
make it.
"""

from __future__ import annotations

import importlib
import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from matrix.judge import linear, things

from .figure import Figure

_UNIT = pathlib.Path(__file__).parents[2] / 'matrix/tests/unit'
_OPERATIONS, _KEYS = 10_000, 100


def linearizable() -> Iterator[Figure]:
    """A history of 10,000 operations on 100 keys, as it was and with one lie on each key."""
    sys.path.insert(0, str(_UNIT))
    made: Any = importlib.import_module('test_linear')
    sys.path.remove(str(_UNIT))
    keys: list[list[linear.Call]] = made.by_key(made.served(_OPERATIONS, _KEYS, 1, clients=50))
    how = f'{_OPERATIONS} operations of 50 clients on {_KEYS} keys'
    began = time.monotonic()
    found = [linear.check(some, things.register(0)).how for some in keys]
    seconds = time.monotonic() - began
    if found != ['possible'] * _KEYS:
        raise RuntimeError('what really was is possible')
    yield Figure('a history that is possible', seconds, 's', 10, how=how)
    lying = [
        [*some, linear.Call(9_999, (end := max(one.start for one in some)) + 50, end + 51, 'read', None, 77)]
        for some in keys
    ]  # fmt: skip
    began = time.monotonic()
    found = [linear.check(some, things.register(0)).how for some in lying]
    seconds = time.monotonic() - began
    if found != ['impossible'] * _KEYS:
        raise RuntimeError('what nobody wrote cannot be read')
    what = 'a history with a lie on each key, and the smallest part of it that is impossible'
    yield Figure(what, seconds, 's', 10, how=how)
