"""Loads against a real small server on loopback: what is asked, when, and what is written down of it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

import aiohttp
import enginestage
import linked
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from matrix.grammar import located, problem
from matrix.history import journal, notes, profile
from matrix.load import client, http, load, openloop, outcome, spec
from matrix.plans import snapshot, streams


def _run(coroutine: Awaitable[Any]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(20):
            return await coroutine

    return asyncio.run(main())


def _virtually(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """On a clock that jumps: nothing of it waits for a socket or a thread."""
    return enginestage.on_virtual_clock(coroutine)[0]


@dataclasses.dataclass
class Kinds:
    """A load of one kind that does what it is told."""

    do: Callable[[located.Plain], Awaitable[load.Result]]
    asked: Callable[[], located.Plain] = lambda: 'k'
    timeout: float = 0.3
    sentence: str = 'a load of a test'
    secrets: frozenset[str] = frozenset()
    writes: tuple[tuple[str, str], ...] = ()
    closed: bool = False

    async def prepare(self) -> Sequence[load.Kind]:
        return [load.Kind('get', self.do, self.asked, timeout=self.timeout)]

    async def close(self) -> None:
        self.closed = True


async def _load(what: load.Load, seconds: float, **more: Any) -> list[journal.What]:
    """What a load of so many seconds writes."""
    written: list[journal.What] = []
    async with openloop.clients(what, write=written.append, seed=1) as them:
        task = asyncio.create_task(them.run(**more))
        await asyncio.sleep(seconds)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return written


def _ops(written: Sequence[journal.What]) -> list[journal.Operation]:
    return [one for one in written if isinstance(one, journal.Operation)]


def _ends(written: Sequence[journal.What]) -> collections.Counter[tuple[str, str]]:
    return collections.Counter(
        (one.phase, one.error) for one in _ops(written) if one.phase != 'invoke'
    )


def _note(written: Sequence[journal.What], kind: str) -> Any:
    return next(one.value for one in written if isinstance(one, journal.Note) and one.kind == kind)


async def _at_once(_: located.Plain) -> load.Result:
    return load.Result('done')


async def _never(_: located.Plain) -> load.Result:
    await asyncio.Event().wait()
    raise AssertionError


def test_the_load_keeps_its_rate() -> None:
    written = _virtually(_load(Kinds(_at_once), 0.5, rate=100))
    invokes = [one for one in _ops(written) if one.phase == 'invoke']
    seconds = _note(written, notes.LOAD_END)['seconds']
    assert 90 * seconds - 5 <= len(invokes) <= 100 * seconds + 1
    assert _ends(written) == {('ok', ''): len(invokes)}
    assert len({one.id for one in invokes}) == len(invokes)
    assert _note(written, notes.LOAD)['rate'] == 100


def test_what_goes_beside_another_meets_it_in_place_of_the_next() -> None:
    """Both begin before either is answered, with connections of one habit, and the rate stays what it is."""
    habits: list[tuple[float, str, bool]] = []

    async def slowly(asked: located.Plain) -> load.Result:
        habits.append((asyncio.get_running_loop().time(), str(asked), client.keeps(0)))
        await asyncio.sleep(0.001)
        return load.Result('done')

    class Pairs(Kinds):
        async def prepare(self) -> Sequence[load.Kind]:
            beside = ('b', 'beside')
            kinds = [load.Kind('a', slowly, lambda: 'first', beside=lambda _: beside)]
            return [*kinds, load.Kind('b', slowly, lambda: None)]

    written = _virtually(_load(Pairs(_at_once), 2.0, rate=100))
    assert abs(len(habits) - 200) <= 4
    first, second = habits[::2], habits[1::2]
    for one, other in zip(first, second, strict=False):
        assert (one[1], other[1]) == ('first', 'beside')
        assert (one[0], one[2]) == (other[0], other[2])
    assert {kept for _, _, kept in habits} == {True, False}
    phases = [one.phase for one in _ops(written)]
    assert phases[:4] == ['invoke', 'invoke', 'ok', 'ok']
    assert len({one.id for one in _ops(written)}) == len(habits)


def test_the_load_does_not_wait_for_answers_and_a_timeout_is_unknown() -> None:
    written = _virtually(_load(Kinds(_never), 0.5, rate=100))
    assert len([one for one in _ops(written) if one.phase == 'invoke']) >= 45
    assert set(_ends(written)) == {('info', 'timeout')}


def test_what_is_in_flight_is_ended_within_a_bound_and_is_nobodys_fault() -> None:
    written = _virtually(_load(Kinds(_never, timeout=60), 0.2, rate=50, drain=0.1))
    assert set(_ends(written)) == {('info', outcome.STOPPED)}
    invoked, ended = (
        {one.id for one in _ops(written) if (one.phase == 'invoke') is begun}
        for begun in (True, False)
    )
    assert invoked == ended


def test_what_is_not_sent_is_said() -> None:
    written = _virtually(
        _load(Kinds(_never, timeout=60), 0.4, rate=50, most_in_flight=5, drain=0.1)
    )
    assert len([one for one in _ops(written) if one.phase == 'invoke']) == 5
    end = _note(written, notes.LOAD_END)
    assert end['not_sent'] >= 10
    late = [
        one for one in written if isinstance(one, journal.Note) and one.kind == notes.LOAD_LATE
    ]
    assert len(late) == end['not_sent']


def test_latency_counts_from_the_planned_moment() -> None:
    async def stalls(_: located.Plain) -> load.Result:
        import time

        time.sleep(0.15)  # The runner itself stands still: operations after this start late.
        return load.Result()

    written = _run(_load(Kinds(stalls, timeout=5), 0.5, rate=50))
    late = [one.late for one in _ops(written) if one.phase == 'invoke']
    assert max(late) > 0.1
    assert any(one.kind == notes.LOAD_LATE for one in written if isinstance(one, journal.Note))
    entries = [
        journal.Entry(1, 10.0, '', journal.Operation('a', 'get', 'invoke', late=0.5)),
        journal.Entry(2, 10.2, '', journal.Operation('a', 'get', 'ok')),
    ]
    assert journal.operations(entries)[0].latency == pytest.approx(0.7)  # pyright: ignore[reportUnknownMemberType]


def test_a_kind_that_has_nothing_to_do_gives_its_turn_away() -> None:
    async def prepare() -> Sequence[load.Kind]:
        return [
            load.Kind('read', _at_once, lambda: None),
            load.Kind('write', _at_once, weight=2),
            load.Kind('list', _at_once),
        ]

    what = Kinds(_at_once)
    what.prepare = prepare  # pyright: ignore[reportAttributeAccessIssue]
    written = _virtually(_load(what, 0.4, rate=100))
    kinds = collections.Counter(one.kind for one in _ops(written) if one.phase == 'invoke')
    assert kinds['read'] == 0
    assert _note(written, notes.LOAD_END)['gave_away'] == ['read']
    assert kinds['write'] == pytest.approx(2 * kinds['list'], rel=0.2)  # pyright: ignore[reportUnknownMemberType]


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=6), st.integers(1, 300))
def test_each_kind_has_its_share_at_every_moment(weights: list[float], turns: int) -> None:
    kinds = [load.Kind(str(n), _at_once, weight=weight) for n, weight in enumerate(weights)]
    taking = openloop.Turns(kinds)
    counts = collections.Counter(taken[0].name for _ in range(turns) if (taken := taking.take()))
    assert counts.total() == turns
    for kind in kinds:
        due = turns * kind.weight / sum(weights)
        assert abs(counts[kind.name] - due) < len(kinds)


def test_random_arrivals_are_those_of_the_seed() -> None:
    async def moments(seed: int) -> list[float]:
        stream = streams.stream(seed, 'load', 'arrivals')
        found = openloop.moments(profile.Profile(100), 'random', stream)
        return [next(found) for _ in range(50)]

    assert _run(moments(1)) == _run(moments(1)) != _run(moments(2))


def test_acknowledged_writes_are_read_back_again_until_someone_answers() -> None:
    tries: collections.Counter[str] = collections.Counter()

    async def get(value: located.Plain) -> load.Result:
        tries[str(value)] += 1
        if tries[str(value)] == 1:
            raise load.Refused('http 503')
        return load.Result(True)

    numbers = iter(range(1000))

    async def prepare() -> Sequence[load.Kind]:
        return [
            load.Kind('put', _echo, lambda: f'k{next(numbers)}'),
            load.Kind('get', get, lambda: None),
        ]

    what = Kinds(_at_once, writes=(('put', 'get'),))
    what.prepare = prepare  # pyright: ignore[reportAttributeAccessIssue]
    written: list[journal.What] = []

    async def go() -> int:
        async with openloop.clients(what, write=written.append, seed=1) as them:
            task = asyncio.create_task(them.run(rate=50))
            await asyncio.sleep(0.2)
            read = await them.read_back(within=5)
            task.cancel()
            return read

    read = _run(go())
    assert read >= 8
    acknowledged = {
        str(one.value) for one in _ops(written) if one.kind == 'put' and one.phase == 'ok'
    }
    found = {
        str(one.value) for one in _ops(written) if one.kind == 'get' and one.phase == 'invoke'
    }
    assert len(acknowledged & found) == read
    assert min(tries.values()) == 2


async def _echo(value: located.Plain) -> load.Result:
    return load.Result(value)


def test_what_the_load_made_is_removed_even_when_it_cannot_begin() -> None:
    what = Kinds(_at_once)

    async def refused() -> Sequence[load.Kind]:
        raise load.Refused('no password')

    what.prepare = refused  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(load.Refused):
        _virtually(_load(what, 0.1))
    assert what.closed


@pytest.mark.parametrize(
    ('error', 'phase', 'word'),
    [
        (load.Refused('http 503'), 'fail', 'http 503'),
        (client.UnclearError('http 502'), 'info', 'http 502'),
        (TimeoutError(), 'info', 'timeout'),
        (ConnectionRefusedError(), 'fail', 'refused'),
        (ConnectionResetError(), 'info', 'reset'),
        (aiohttp.ServerDisconnectedError(), 'info', 'reset'),
        (aiohttp.ClientPayloadError(), 'info', 'cut short'),
        (KeyError('x'), 'info', 'KeyError'),
    ],
)
def test_each_exception_has_its_word_and_only_what_certainly_did_not_happen_is_a_failure(
    error: Exception, phase: str, word: str
) -> None:
    found = outcome.ended(journal.Operation('1', 'get', 'invoke'), error)
    assert (found.phase, found.error) == (phase, word)


# A real server.


@contextlib.asynccontextmanager
async def _serving(
    handler: Callable[[web.BaseRequest], Awaitable[web.Response]],
) -> AsyncGenerator[int]:
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    injection = web.TCPSite(runner, '127.0.0.1', 0)
    await injection.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _model(port: int, units: int = 1) -> linked.Linked:
    return linked.Linked(snapshot.Model((linked.one_unit('web', port, units=units),)))


WHERE = problem.Where('tests/test.yaml', 1)


def _spec(said: located.Plain) -> spec.Spec:
    return spec.of_args({'http': said}, WHERE)


def test_what_is_written_over_http_is_read_back() -> None:
    kept: dict[str, bytes] = {}

    async def handler(request: web.BaseRequest) -> web.Response:
        if request.method == 'PUT':
            kept[request.path] = await request.read()
            return web.Response(status=201)
        if request.path not in kept:
            return web.Response(status=404)
        return web.Response(body=kept[request.path])

    async def liar(request: web.BaseRequest) -> web.Response:
        return web.Response(body=request.path.encode())

    async def go() -> list[journal.What]:
        async with _serving(handler) as port:
            said = _spec(
                [
                    {'name': 'put', 'url': f'http://{{web}}:{port}/{{key}}', 'method': 'PUT', 'body': '{key}'},
                    {'name': 'get', 'url': f'http://{{web/0}}:{port}/{{key}}', 'reads': 'put'},
                ]
            )  # fmt: skip
            what = http.Http(said.http, _model(port), 'r1')
            assert what.writes == (('put', 'get'),)
            written = await _load(what, 0.6, rate=50)
            kept.clear()  # And now everything is lost.
            return [*written, *await _load(what, 0.1, rate=50)]

    async def lied() -> list[journal.What]:
        async with _serving(liar) as port:
            said = _spec(
                [
                    {'name': 'put', 'url': f'http://{{web}}:{port}/{{key}}', 'method': 'PUT', 'body': '{key}'},
                    {'name': 'get', 'url': f'http://{{web/0}}:{port}/{{key}}', 'reads': 'put'},
                ]
            )  # fmt: skip
            return await _load(http.Http(said.http, _model(port), 'r1'), 0.6, rate=50)

    written = _run(go())
    ok = [one for one in _ops(written) if one.phase == 'ok']
    assert {one.kind for one in ok} == {'put', 'get', 'get of nothing'}
    assert all(one.value is True for one in ok if one.kind == 'get of nothing')
    lies = [one for one in _ops(_run(lied())) if one.kind == 'get of nothing']
    assert [one.value for one in lies if one.phase == 'ok']
    assert all(one.value is False for one in lies if one.phase == 'ok')
    answers = collections.Counter(one.value for one in ok if one.kind == 'get')
    assert answers[True] >= 5
    assert answers[False] >= 1
    assert not [one for one in _ops(written) if one.phase in {'fail', 'info'}]


def test_open_ports_that_speak_http_are_a_load_and_the_journal_shows_which_unit_was_asked() -> (
    None
):
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(status=401)

    async def go() -> list[journal.What]:
        async with _serving(handler) as port:
            model = _model(port, units=2)
            found = await http.discover(model)
            assert [one.name for one in found] == [f'get web:{port}']
            return await _load(http.Http(found, model, 'r1'), 0.3, rate=50)

    written = _run(go())
    asked = {str(one.value) for one in _ops(written) if one.phase == 'invoke'}
    assert asked == {'web/0', 'web/1'}
    assert set(_ends(written)) == {('ok', '')}


def test_a_port_that_does_not_speak_http_is_no_load() -> None:
    async def go() -> Any:
        async def shut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'5.5.5-10.11-MariaDB\n')
            writer.close()

        server = await asyncio.start_server(shut, '127.0.0.1', 0)
        async with server:
            return await http.discover(_model(server.sockets[0].getsockname()[1]))

    assert _run(go()) == ()


@pytest.mark.parametrize(
    ('method', 'status', 'phase'),
    [
        ('GET', 500, 'fail'),
        ('GET', 404, 'fail'),
        ('POST', 503, 'fail'),
        ('POST', 500, 'info'),
        ('PUT', 502, 'info'),
        ('PUT', 503, 'fail'),
        ('POST', 504, 'info'),
        ('POST', 409, 'fail'),
        ('GET', 302, 'ok'),
    ],
)
def test_a_status_says_what_became_of_the_request(method: str, status: int, phase: str) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(status=status)

    async def go() -> list[journal.What]:
        async with _serving(handler) as port:
            said = _spec([{'url': f'http://127.0.0.1:{port}/', 'method': method}])
            return await _load(http.Http(said.http, _model(port), 'r1'), 0.05, rate=100)

    ends = _ends(_run(go()))
    assert {how for how, _ in ends} == {phase}
    if phase != 'ok':
        assert {error for _, error in ends} == {f'http {status}'}


def test_nobody_there_is_refused_and_a_lost_connection_is_unknown_and_never_tried_again() -> None:
    requests = 0

    async def drops(request: web.BaseRequest) -> web.Response:
        nonlocal requests
        requests += 1
        if requests % 2 and requests > 2:
            assert request.transport is not None
            request.transport.abort()
        return web.Response()

    async def go() -> tuple[list[journal.What], list[journal.What]]:
        async with _serving(drops) as port:
            said = _spec([f'http://127.0.0.1:{port}/'])
            lost = await _load(http.Http(said.http, _model(port), 'r1'), 0.4, rate=50)
        return lost, await _load(http.Http(said.http, _model(port), 'r1'), 0.1, rate=50)

    lost, nobody = _run(go())
    assert ('info', 'reset') in _ends(lost)
    invoked = len([one for one in _ops(lost) if one.phase == 'invoke'])
    assert requests == invoked  # A client that tried again would have asked more often.
    assert set(_ends(nobody)) == {('fail', 'refused')}
    assert {one.endpoint for one in _ops(nobody) if one.phase == 'fail'} != {''}


def test_a_load_that_is_not_written_right_is_refused_at_its_line() -> None:
    text = (
        'load:\n  rate: fast\n  http:\n  - url: ftp://x/\n'
        '  - {name: get, url: http://x/, reads: putt}\n  usee: http\n'
    )
    document = located.load(text, 'tests/test.yaml')
    assert isinstance(document, located.Mapping)
    with pytest.raises(problem.RefusedError) as caught:
        spec.read(document.get('load'))
    assert [str(one.where) for one in caught.value.problems] == [
        'tests/test.yaml:2', 'tests/test.yaml:4', 'tests/test.yaml:5', 'tests/test.yaml:6',
    ]  # fmt: skip
    assert "did you mean 'use'" in str(caught.value)


def test_a_load_may_be_one_word_or_be_told_by_a_rule() -> None:
    assert spec.read(located.load('none', 't')).use == 'none'
    before = spec.Spec(rate=3)
    assert spec.of_args({'rate': 5, 'other': 1}, WHERE, otherwise=before) == spec.Spec(rate=5)
    assert spec.of_args({}, WHERE, otherwise=before) == before
    assert _spec(['http://x/']).use == 'http'
