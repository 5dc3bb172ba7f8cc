"""Registers over HTTP: endpoints that write, read and compare and set the same values, so that their history is judged.

Every value is written once, so that a read says whose it is. There are a few registers for each run: many clients meet
in each, and a history of one is still long enough to tell.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable, Sequence

from matrix.grammar import located
from matrix.load import client, load, spec

KEYS = 3
"""Registers of each name."""

_REFUSED = frozenset({409, 412})  # of a compare and set: it was another value
_NOT_THERE = frozenset({404, 410})

Ask = Callable[[spec.Endpoint, str, str | None], Awaitable[client.Response]]
"""Asks an endpoint about a key, with a body."""


def models(endpoints: Sequence[spec.Endpoint]) -> dict[str, located.Plain]:
    """What is said of the registers, as `judge.histories` reads it."""
    found: dict[str, located.Plain] = {}
    for one in endpoints:
        if one.register:
            held = found.setdefault(one.register, {'is': 'register', 'first': None})
            if isinstance(held, dict):
                held[one.does] = one.name
    return found


class Registers:
    """The registers of a run; `ask` asks an endpoint."""

    def __init__(self, run: str, ask: Ask):
        self._run = run
        self._ask = ask
        self._numbers = itertools.count(1)
        self._newest: dict[str, str] = {}  # what was last seen in each register, by its key

    def kind(self, endpoint: spec.Endpoint) -> load.Kind:
        """The kind of operation that an endpoint is."""

        async def do(value: located.Plain) -> load.Result:
            said = value if isinstance(value, dict) else {}
            return await self._do(endpoint, {name: str(one) for name, one in said.items()})

        return load.Kind(
            endpoint.name, do, lambda: self._asked(endpoint), endpoint.weight, endpoint.timeout
        )

    def _asked(self, endpoint: spec.Endpoint) -> located.Plain:
        number = next(self._numbers)
        key = f'{self._run}-{endpoint.register}-{number % KEYS}'
        value = f'{self._run}-{number}'
        match endpoint.does:
            case 'write':
                return {'key': key, 'value': value}
            case 'cas':
                old = self._newest.get(key)
                return None if old is None else {'key': key, 'old': old, 'new': value}
            case _:
                return {'key': key}

    async def _do(self, endpoint: spec.Endpoint, said: dict[str, str]) -> load.Result:
        body = endpoint.body or None
        for name in ('key', 'value', 'old', 'new'):
            if body is not None and name in said:
                body = body.replace(f'{{{name}}}', said[name])
        response = await self._ask(endpoint, said['key'], body)
        if endpoint.does == 'cas' and response.status in _REFUSED:
            return load.Result(False, request=response.request)
        if endpoint.does == 'read' and response.status in _NOT_THERE:
            return load.Result(None, request=response.request)
        client.check(endpoint.method, response.status, endpoint.expect)
        if endpoint.does == 'read':
            found = value_of(endpoint, response.body.decode(errors='replace'))
            if found is not None:
                self._newest[said['key']] = found
            return load.Result(found, request=response.request)
        self._newest[said['key']] = said.get('value') or said['new']
        return load.Result(True, request=response.request)


def value_of(endpoint: spec.Endpoint, text: str) -> str | None:
    """The value that an answer has: the first group of `says`, or all of it; None where there is none."""
    if not endpoint.says:
        return text.strip() or None
    found = re.search(endpoint.says, text)
    return None if found is None else found[1] or None
