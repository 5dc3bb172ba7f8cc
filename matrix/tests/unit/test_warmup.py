"""Warm-up is measured: how long answers take to be as quick as they get, and what it does to what is judged."""

from __future__ import annotations

import asyncio
import pathlib

import chronicle as c
import pytest
from enginestage import on_virtual_clock
from executionstage import Execution

from matrix.grammar import located
from matrix.history import journal
from matrix.judge import service, verdict, warmup
from matrix.load import record
from matrix.tasks import beside


def _measured(*parts: c.Line) -> warmup.Warmup:
    found = warmup.Warmup()
    for at, what in sorted((line for part in parts for line in part), key=lambda line: line[0]):
        found.take(at, what)
    return found


def test_it_is_warm_once_two_stretches_are_alike() -> None:
    same = _measured(c.ops(0, 30))
    assert same.until is not None
    assert 6 <= same.until < 7
    quicker = [c.ops(3 * n, 3 * n + 3, took=2 / 2**n) for n in range(11)]
    found = _measured(*quicker)
    assert found.until is not None
    assert found.until > 15
    assert found.medians[0] > 10 * found.medians[-1]


def test_too_few_answers_say_nothing() -> None:
    assert _measured(c.ops(0, 30, how='fail')).until is None
    assert _measured(c.op(0), c.op(9), c.op(18)).medians == []
    slow = [c.op(float(n)) for n in range(0, 40, 2)]
    assert _measured(*slow).until is not None


@pytest.mark.parametrize(
    ('medians', 'alike'),
    [
        ([0.1], False),
        ([0.1, 0.12], True),
        ([0.1, 0.126], True),
        ([0.1, 0.074], False),
        ([0.001, 0.005], True),
        ([9.0, 0.1, 0.1], True),
    ],
)
def test_what_is_alike(medians: list[float], alike: bool) -> None:
    assert warmup.settled(medians) == alike


def test_latency_before_faults_is_judged_from_when_it_was_warm() -> None:
    cold, warm = c.ops(0, 10, took=9.0), c.ops(10, 30)
    assert service.latency(c.trial_of(cold, warm)).outcome is verdict.Outcome.FAIL
    note = c.note(12, 'warmup', {'seconds': 10, 'settled': True, 'until': 10.0})
    assert service.latency(c.trial_of(cold, warm, note)).outcome is verdict.Outcome.PASS
    never = c.note(12, 'warmup', {'seconds': 70, 'settled': False, 'until': None})
    assert service.latency(c.trial_of(cold, warm, never)).outcome is verdict.Outcome.FAIL


def _warmed(folder: pathlib.Path, took: list[float]) -> tuple[float, list[located.Plain]]:
    """How long the chaos waits for a load whose answers take so long, two a second, and what it notes."""
    execution = Execution(folder)
    here = execution.execution
    said = record.Record(here.write)
    here.clients.append(said)

    async def go() -> float:
        loop = asyncio.get_running_loop()
        here.now = loop.time

        async def client() -> None:
            for n, one in enumerate(took):
                said.put(journal.Operation(str(n), 'get', 'invoke'))
                loop.call_later(one, said.put, journal.Operation(str(n), 'get', 'ok'))
                await asyncio.sleep(0.5)

        with beside.warming(here) as measured:
            going = asyncio.create_task(client())
            await asyncio.sleep(1)
            began = loop.time()
            await beside.warmed_up(here, 'chaos', measured, least=10)
            going.cancel()
        return loop.time() - began

    return on_virtual_clock(go())[0], execution.notes('warmup')


def test_faults_wait_until_it_is_warm_but_not_for_ever(tmp_path: pathlib.Path) -> None:
    seconds, notes = _warmed(tmp_path, [0.1] * 400)
    assert (seconds, len(notes)) == (pytest.approx(10), 1)
    assert isinstance(notes[0], dict)
    assert notes[0]['settled'] is True
    quicker = [0.8 * 0.6 ** (n // 6) for n in range(400)]
    seconds, notes = _warmed(tmp_path, quicker)
    assert 10 < seconds < 10 + beside.WARM
    assert isinstance(notes[0], dict)
    assert notes[0]['settled'] is True
    without_end = [2.4 * 0.7 ** (n // 6) for n in range(400)]
    seconds, notes = _warmed(tmp_path, without_end)
    assert seconds == pytest.approx(10 + beside.WARM)
    assert isinstance(notes[0], dict)
    assert (notes[0]['settled'], notes[0]['until']) == (False, None)
