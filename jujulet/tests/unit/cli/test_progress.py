"""`deploy --wait` tells what lasts, says what it waits for, and knows units that wait from units that are stuck."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator
from typing import Any

import pytest

from jujulet.cli import progress
from jujulet.core import refusal


def unit(current: str, message: str = '', agent: str = 'idle') -> dict[str, Any]:
    return {
        'workload-status': {'current': current, 'message': message},
        'juju-status': {'current': agent},
    }


def status(**units: dict[str, Any]) -> dict[str, Any]:
    return {'machines': {}, 'applications': {'app': {'units': units}}}


@dataclasses.dataclass
class Call:
    """What is asked of a controller that answers the last of *replies* for good."""

    replies: list[dict[str, Any]]
    said: list[str] = dataclasses.field(default_factory=list[str])

    def ask(self, _: str) -> dict[str, Any]:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(
        progress, 'time', types.SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    )
    yield now


def settle(call: Any, timeout: float = 600.0) -> int:
    return progress.settle(call, timeout=timeout)


def test_a_status_that_lasts_is_told_once():
    teller = progress.Teller()
    said = [line for t in range(8) for line in teller.lines({'a/0': 'active'}, float(t))]
    assert said == ['a/0: active']


def test_a_status_that_is_soon_replaced_is_not_told():
    teller = progress.Teller()
    said = [
        line for t in range(10) for line in teller.lines({'a/0': f'waiting {t // 5}'}, t * 0.4)
    ]
    assert said == ['a/0: waiting 0', 'a/0: waiting 1']
    teller = progress.Teller()
    assert not [line for t in range(10) for line in teller.lines({'a/0': f'{t}'}, t * 0.4)]


def test_a_long_silence_ends_with_what_is_waited_for():
    teller = progress.Teller()
    now_is = {'a/0': 'active', 'b/0': 'waiting for machine', 'c/0': 'maintenance installing'}
    said = [line for t in range(20) for line in teller.lines(now_is, float(t))]
    assert said[-1] == '… c/0: maintenance installing (17 s); 1 more wait'
    assert len(said) == 4


def test_nothing_is_said_in_a_silence_that_waits_for_nobody():
    teller = progress.Teller()
    said = [line for t in range(40) for line in teller.lines({'a/0': 'active'}, float(t))]
    assert said == ['a/0: active']


def test_units_that_wait_for_one_another_are_waited_for(clock: list[float]):
    call = Call([status(lb=unit('waiting', 'no unit answers'))] * 20 + [status(lb=unit('active'))])
    assert settle(call) == 0


def test_waiting_for_good_is_refused_with_what_for(clock: list[float]):
    with pytest.raises(refusal.Refused, match=r'lb \(waiting no unit answers\)'):
        settle(Call([status(lb=unit('waiting', 'no unit answers'))]))
    assert progress.PATIENCE_S < clock[0] < progress.PATIENCE_S + 5


@pytest.mark.parametrize('current', ['blocked', 'error'])
def test_a_unit_that_waits_for_its_operator_is_refused_at_once(clock: list[float], current: str):
    with pytest.raises(refusal.Refused, match='not active: a'):
        settle(Call([status(a=unit(current), b=unit('active'))]))
    assert clock[0] < 2


def test_no_unit_is_called_well_while_a_hook_runs(clock: list[float]):
    call = Call([status(a=unit('active', agent='executing'))])
    with pytest.raises(refusal.Refused, match='timeout'):
        settle(call, timeout=30)


def test_a_word_is_not_said_twice_and_a_long_text_is_cut():
    assert progress.shown(unit('waiting', 'waiting for machine')) == 'waiting for machine'
    assert progress.shown(unit('active', '2 frontends')) == 'active 2 frontends'
    assert len(progress.shown(unit('waiting', 'x' * 300))) == 110
