"""Registers over HTTP: endpoints that write, read and compare and set the same values, so that their history is judged.

What is asked of them `asking.py` decides.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from matrix.grammar import located
from matrix.load import asking, client, load, spec

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
        self._things: dict[str, asking.Thing] = {}
        self._names: dict[str, dict[str, str]] = {}  # of endpoints, by register and what they do

    def last_reads(self) -> list[tuple[str, located.Plain]]:
        """Every key that was changed, with the endpoint that reads it."""
        return [
            (self._names[name]['read'], one)
            for name, thing in self._things.items()
            for one in thing.last_reads()
            if 'read' in self._names[name]
        ]

    def kind(self, endpoint: spec.Endpoint) -> load.Kind:
        """The kind of operation that an endpoint is."""
        name = endpoint.register
        thing = self._things.setdefault(name, asking.Thing(f'{self._run}-{name}', 'register'))

        async def do(value: located.Plain) -> load.Result:
            said = value if isinstance(value, dict) else {}
            did = await self._do(endpoint, {name: str(one) for name, one in said.items()})
            thing.learn(endpoint.does, said, did.value)
            return did

        names = self._names.setdefault(name, {})
        names[endpoint.does] = endpoint.name

        def beside(value: located.Plain) -> tuple[str, located.Plain] | None:
            found = thing.beside(endpoint.does, value, names)
            return None if found is None else (names[found[0]], found[1])

        return load.Kind(
            endpoint.name,
            do,
            lambda: thing.asked(endpoint.does),
            endpoint.weight,
            endpoint.timeout,
            beside,
        )

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
            return load.Result(found, request=response.request)
        return load.Result(True, request=response.request)


def value_of(endpoint: spec.Endpoint, text: str) -> str | None:
    """The value that an answer has: the first group of `says`, or all of it; None where there is none."""
    if not endpoint.says:
        return text.strip() or None
    found = re.search(endpoint.says, text)
    return None if found is None else found[1] or None
