"""juju matrix: what its recording costs the load that it measures, and how long its report takes.

The overhead is measured against a service on loopback that answers in 5 ms, as quick as an API behind a load balancer
is. Rounds with the journal and rounds without it take turns, so that a change of the machine's speed meets both.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import multiprocessing
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from matrix.grammar import located, problem
from matrix.history import journal, journalfile, redact
from matrix.juju import link
from matrix.load import http, openloop, spec
from matrix.plans import snapshot
from matrix.report import write

from .figure import Figure, spread

_WORK_S = 0.005
_RATE = 100.0
_ROUND_S = 4.0
_ROUNDS = 8
_OPERATIONS = 100_000
_UNIT = pathlib.Path(__file__).parents[2] / 'matrix/tests/unit'


def overhead() -> Iterator[Figure]:
    """Latency and processor time with the journal and without it, and what a client beside the load is served."""
    with _served() as port:
        bare: list[tuple[float, float]] = []
        kept: list[tuple[float, float]] = []
        for _ in range(_ROUNDS):
            bare.append(asyncio.run(_round(port, None)))
            with tempfile.TemporaryDirectory() as folder:
                kept.append(asyncio.run(_round(port, pathlib.Path(folder) / 'journal.jsonl')))
        how = f'{_ROUNDS} rounds each of {_RATE:g} requests/s for {_ROUND_S:g} s, a service that answers in 5 ms; ms: '
        without, with_ = ([latency for latency, _ in some] for some in (bare, kept))
        added = statistics.median(with_) / statistics.median(without) - 1
        told = f'{spread(_ms(without), digits=2)} without, {spread(_ms(with_), digits=2)} with'
        yield Figure(
            'latency that the journal adds', max(0.0, added * 100), '%', 5, how=how + told
        )
        spent = statistics.median(cpu for _, cpu in kept) - statistics.median(
            cpu for _, cpu in bare
        )
        share = spent / (_RATE * _ROUND_S) * openloop.RATE * 100
        what = f'of a processor that the journal takes at {openloop.RATE:g} operations/s'
        yield Figure(what, max(0.0, share), '%', 5, how=f'{_ROUNDS} rounds each')
        yield _beside(port)


def _ms(values: Sequence[float]) -> list[float]:
    return [value * 1000 for value in values]


def _beside(port: int) -> Figure:
    """A plain client that asks on and on: how much fewer answers it gets while the load runs at its usual rate."""
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(_ROUNDS):
        alone.append(_closed_client(port))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'journal.jsonl'
            beside.append(_while_loaded(port, path, lambda: _closed_client(port)))
    lost = 1 - statistics.median(beside) / statistics.median(alone)
    how = (
        f'answers/s: {spread(alone)} alone, {spread(beside)} beside {openloop.RATE:g} operations/s'
    )
    return Figure(
        'answers that another client loses beside the load', max(0.0, lost * 100), '%', 5, how=how
    )


def _closed_client(port: int) -> float:
    """Answers a second of one client in a process of its own that waits for each."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context('fork').Process(target=_ask_on, args=(port, theirs))
    process.start()
    found: float = ours.recv()
    process.join()
    return found


def _ask_on(port: int, out: Connection) -> None:
    import http.client

    client = http.client.HTTPConnection('127.0.0.1', port)
    began, asked = time.monotonic(), 0
    while time.monotonic() - began < 2:
        client.request('GET', '/')
        client.getresponse().read()
        asked += 1
    out.send(asked / (time.monotonic() - began))


def _while_loaded(port: int, path: pathlib.Path, act: Callable[[], float]) -> float:
    async def go() -> float:
        with _journal(path) as said:
            async with openloop.clients(_load(port), write=said, seed=1) as them:
                task = asyncio.create_task(them.run(rate=openloop.RATE))
                found = await asyncio.to_thread(act)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                return found

    return asyncio.run(go())


async def _round(port: int, path: pathlib.Path | None) -> tuple[float, float]:
    """Median latency as the service's client sees it, and seconds of processor time; without a path nothing is kept."""
    taken: list[float] = []
    load = _load(port)

    async def prepare() -> Sequence[Any]:
        (kind,) = await http.Http.prepare(load)

        async def do(value: located.Plain) -> Any:
            began = time.perf_counter()
            did = await kind.do(value)
            taken.append(time.perf_counter() - began)
            return did

        return [type(kind)(kind.name, do, kind.asked)]

    load.prepare = prepare  # pyright: ignore[reportAttributeAccessIssue]
    with _journal(path) as said:
        began = time.process_time()
        async with openloop.clients(load, write=said, seed=1) as them:
            task = asyncio.create_task(them.run(rate=_RATE))
            await asyncio.sleep(_ROUND_S)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return statistics.median(taken), time.process_time() - began


@contextlib.contextmanager
def _journal(path: pathlib.Path | None) -> Generator[Callable[[journal.What], object]]:
    if path is None:
        yield lambda _: None
        return
    with journalfile.Writer(
        path,
        now=time.monotonic,
        wall=lambda: datetime.datetime.now(datetime.UTC).isoformat(),
        secrets=redact.secrets(['a-password']),
    ) as writer:
        yield writer.write


def _load(port: int) -> http.Http:
    where = problem.Where('bench', 1)
    said = spec.of_args({'http': [f'http://127.0.0.1:{port}/']}, where)
    nowhere: Any = _Nowhere()
    return http.Http(said.http, nowhere, 'bench')


class _Nowhere:
    """A link to no model: the load has its address."""

    model = 'bench'

    def now(self) -> snapshot.Model:
        return snapshot.Model()

    def __getattr__(self, name: str) -> Any:
        raise link.LinkError(f'no {name} here')


@contextlib.contextmanager
def _served() -> Generator[int]:
    """The service, in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context('fork').Process(
        target=_serve, args=(theirs,), daemon=True
    )
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(out: Connection) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b'\r\n\r\n')
                await asyncio.sleep(_WORK_S)
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
                if b'onnection: close' in head:
                    break
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, '127.0.0.1', 0)
        out.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def report() -> Iterator[Figure]:
    """A run of 100,000 operations, from its journal on the disk to its page on the disk."""
    sys.path.insert(0, str(_UNIT))
    import rehearsal  # pyright: ignore[reportMissingImports]

    sys.path.remove(str(_UNIT))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made: Any = rehearsal
        none = redact.secrets([])
        with open(folder / 'journal.jsonl', 'w') as out:
            out.writelines(journal.to_line(one, none) for one in made.run(_OPERATIONS).entries)
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context('fork')
        process = context.Process(target=_report, args=(folder, theirs))
        process.start()
        seconds: float = ours.recv()
        process.join()
        size = (folder / write.PAGE).stat().st_size / 1e6
    how = f'{_OPERATIONS} operations: read, judged, and every report written'
    yield Figure('report of a large run', seconds, 's', 10, how=how)
    yield Figure('its page', size, 'MB', 3)


def _report(folder: pathlib.Path, out: Connection) -> None:
    began = time.monotonic()
    read = journalfile.read(folder / 'journal.jsonl')
    write.everything(folder, write.rebuilt(read, str(folder)), environment={})
    out.send(time.monotonic() - began)
