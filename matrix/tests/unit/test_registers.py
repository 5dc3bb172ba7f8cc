# ruff: noqa: E501  # a table is read by its lines
"""Registers over HTTP: what endpoints are refused, and that the history of a server that lies is impossible."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import linked
import pytest
from aiohttp import web
from chronicle import Line, note, trial_of

from matrix.grammar import located, problem
from matrix.history import journal
from matrix.judge import histories, verdict
from matrix.load import asking, client, http, load, openloop, registers, spec
from matrix.plans import snapshot

WHERE = problem.Where('tests/test.yaml', 1)
Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]


def _endpoints(port: int = 80) -> located.Plain:
    url = f'http://{{web}}:{port}/{{key}}'
    return [
        {'name': 'set', 'url': url, 'method': 'PUT', 'body': '{"v": "{value}"}', 'register': 'kv'},
        {'name': 'swap', 'url': url, 'method': 'POST', 'body': '{old} {new}', 'register': 'kv', 'weight': 0.5},
        {'name': 'get', 'url': url, 'register': 'kv', 'says': '"v": "(.*?)"'},
    ]  # fmt: skip


@contextlib.asynccontextmanager
async def _serving(handler: Handler) -> AsyncGenerator[int]:
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    site = web.TCPSite(runner, '127.0.0.1', 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class Server:
    """A register for each path. `stale`: reads show what was there two writes before. `deaf`: swaps are only promised."""

    def __init__(self, *, stale: bool = False, deaf: bool = False):
        self.kept: dict[str, list[str]] = {}
        self.stale, self.deaf = stale, deaf

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        held = self.kept.setdefault(request.path, [])
        text = await request.text()
        if request.method == 'PUT':
            held.append(text.split('"')[3])
        elif request.method == 'POST':
            old, new = text.split()
            if held[-1:] != [old]:
                return web.Response(status=412)
            if not self.deaf:
                held.append(new)
        elif len(held) < 3:
            return web.Response(status=404) if not held else self.shown(held[-1])
        else:
            return self.shown(held[-3] if self.stale else held[-1])
        return web.Response(status=204)

    def shown(self, value: str) -> web.Response:
        return web.Response(text='{"v": "' + value + '"}')


async def _asked(port: int, operations: int) -> list[journal.What]:
    """What a load of three kinds writes of so many turns, of which some are of two operations at once."""
    at = linked.Linked(snapshot.Model((linked.one_unit('web', port, units=1),)))
    what = http.Http(spec.of_args({'http': _endpoints(port)}, WHERE).http, at, 'r1')
    plan: located.Plain = {'kinds': [], 'rate': 1, 'models': what.models}
    written: list[journal.What] = [journal.Note('load', plan)]
    turns = openloop.Turns(await what.prepare())
    for number in range(operations):
        taken = turns.take()
        assert taken is not None
        beside = turns.beside(*taken)
        some = [taken, *([] if beside is None else [beside])]
        for n, (kind, value) in enumerate(some):
            written.append(journal.Operation(f'{number}.{n}', kind.name, 'invoke', value=value))
        for n, (kind, value) in enumerate(some):
            did = await kind.do(value)
            written.append(journal.Operation(f'{number}.{n}', kind.name, 'ok', value=did.value))
    await what.close()
    return written


def _history(handler: Handler, operations: int) -> tuple[verdict.Verdict, set[str]]:
    """What is judged of so many operations, and the kinds of them."""

    async def go() -> list[journal.What]:
        async with _serving(handler) as port:
            return await _asked(port, operations)

    line: Line = [(n / 100, one) for n, one in enumerate(asyncio.run(go()))]
    of = trial_of(line)
    ((name, thing),) = histories.named(of).items()
    assert name == 'kv'
    return histories.history(of, name, thing), {one.invoke.kind for one in of.done}


def test_kinds_and_models_are_those_of_the_endpoints() -> None:
    said = spec.of_args({'http': _endpoints()}, WHERE).http
    assert registers.models(said) == {
        'kv': {'is': 'register', 'first': None, 'write': 'set', 'cas': 'swap', 'read': 'get'}
    }
    assert not histories.wrong(registers.models(said))


REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    'nothing that reads': ([{'method': 'PUT', 'body': '{value}'}], "no endpoint of the register 'kv' reads it"),
    'nothing that writes': ([{}], "no endpoint of the register 'kv' writes it"),
    'two that read': ([{'name': 'a'}, {'name': 'b'}, {'method': 'PUT', 'body': '{value}'}], 'do the same: read'),
    'half of a swap': ([{}, {'method': 'POST', 'body': '{new}'}], "has '{old}' and '{new}'"),
    'a write of nothing': ([{}, {'method': 'PUT', 'body': 'x'}], "has '{value}', or '{old}' and '{new}', in its 'body'"),
    'a value without a group': ([{'says': 'v'}, {'method': 'PUT', 'body': '{value}'}], 'has no group'),
    'a value that is no expression': ([{'says': '('}, {'method': 'PUT', 'body': '{value}'}], 'is no regular expression'),
    'a value of what writes': ([{}, {'method': 'PUT', 'body': '{value}', 'says': '(.)'}], "'says' is for what reads"),
    'one for all': ([{}, {'url': 'http://{web}/', 'method': 'PUT', 'body': '{value}'}], "'url' has no '{key}'"),
    'both sorts': ([{}, {'name': 'w', 'reads': 'w', 'method': 'PUT', 'body': '{value}{key}'}], 'do not go together'),
}  # fmt: skip


@pytest.mark.parametrize('name', REFUSED)
def test_what_would_compare_nothing_is_refused(name: str) -> None:
    some, said = REFUSED[name]
    http_said: located.Plain = [
        {'url': 'http://{web}/{key}', 'register': 'kv', **one} for one in some
    ]
    with pytest.raises(problem.RefusedError) as refused:
        spec.of_args({'http': http_said}, WHERE)
    assert said in str(refused.value)


def test_a_value_is_the_group_or_all_that_is_said() -> None:
    whole, part = spec.Endpoint('a', 'u'), spec.Endpoint('a', 'u', says='v=(\\w*)')
    assert [registers.value_of(whole, text) for text in (' x \n', '')] == ['x', None]
    assert [registers.value_of(part, text) for text in ('v=x;', 'v=;', 'w')] == ['x', None, None]


def test_a_server_that_keeps_what_it_is_given_passes() -> None:
    found, kinds = _history(Server(), 120)
    assert found.outcome is verdict.Outcome.PASS, found.sentence
    assert kinds == {'set', 'swap', 'get'}
    assert 'operations on 3 keys are those of a register' in found.sentence


@pytest.mark.parametrize('server', [Server(stale=True), Server(deaf=True)])
def test_one_that_does_not_has_an_impossible_history(server: Server) -> None:
    found, _ = _history(server, 120)
    assert found.outcome is verdict.Outcome.FAIL, found.sentence
    assert "no register of 'r1-kv-" in found.sentence


def _did(kind: load.Kind, said: located.Plain) -> load.Result:
    async def go() -> load.Result:
        return await kind.do(said)

    return asyncio.run(go())


@pytest.mark.parametrize(
    ('number', 'status', 'text', 'value'),
    [
        (1, 412, '', False),
        (1, 409, '', False),
        (1, 200, '', True),
        (2, 404, '', None),
        (2, 200, '{"v": "x"}', 'x'),
        (2, 200, 'nothing of it', None),
        (0, 201, '', True),
        (0, 412, '', 'raises'),
        (2, 500, '', 'raises'),
    ],
)
def test_what_is_told_of_each_operation(
    number: int, status: int, text: str, value: object
) -> None:
    bodies: list[str | None] = []

    async def ask(endpoint: spec.Endpoint, key: str, body: str | None) -> client.Response:
        bodies.append(body)
        return client.Response(status, {}, text.encode())

    endpoint = spec.of_args({'http': _endpoints()}, WHERE).http[number]
    kind = registers.Registers('r1', ask).kind(endpoint)
    said: located.Plain = {'key': 'k', 'value': 'a', 'old': 'b', 'new': 'c'}
    if value == 'raises':
        with pytest.raises((load.Refused, client.UnclearError)):
            _did(kind, said)
    else:
        assert _did(kind, said).value is value or value == 'x'
    assert bodies == [['{"v": "a"}', 'b c', None][number]]


def test_nothing_is_swapped_before_anything_is_known() -> None:
    async def ask(endpoint: spec.Endpoint, key: str, body: str | None) -> client.Response:
        return client.Response(204, {}, b'')

    write, swap, _ = spec.of_args({'http': _endpoints()}, WHERE).http
    held = registers.Registers('r1', ask)
    assert held.kind(swap).asked() is None
    keys: set[object] = set()
    for _ in range(asking.KEYS):
        said = held.kind(write).asked()
        assert isinstance(said, dict)
        keys.add(said['key'])
        _did(held.kind(write), said)
    assert len(keys) == asking.KEYS
    said = held.kind(swap).asked()
    assert isinstance(said, dict)
    assert said['new'] != said['old']


def test_what_a_load_of_registers_says_of_itself_is_in_its_note() -> None:
    said = note(0, 'load', {'kinds': [], 'rate': 1, 'models': registers.models(())})
    assert histories.named(trial_of(said)) == {}
