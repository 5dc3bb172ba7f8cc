"""A test of rules on a clock that jumps: hours of test in milliseconds."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from matrix.engine import progress, rules, runner
from matrix.grammar import suite, suitefile
from matrix.judge import verdict

T = TypeVar('T')


class _Loop(asyncio.SelectorEventLoop):
    """A clock that jumps to the next timer: hours of test in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        inner: Any = self
        while inner._scheduled and inner._scheduled[0]._cancelled:
            # As the loop itself does; the clock must not jump to what will not happen.
            heapq.heappop(inner._scheduled)._scheduled = False
            inner._timer_cancelled_count -= 1
        if not inner._ready and inner._scheduled:
            self.now = max(self.now, inner._scheduled[0].when())
        super()._run_once()  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]


def on_virtual_clock(main: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """What a coroutine returns, and how many virtual seconds it took."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        result = runner.run(main)
        return result, runner.get_loop().time()


Tasks = dict[str, Callable[[runner.RuleActions], Awaitable[object]]]


async def sleep(seconds: float) -> bool:
    await asyncio.sleep(seconds)
    return True


def rules_test(text: str) -> suite.Test:
    lines = ''.join(f'  - {line}\n' for line in text.strip().splitlines())
    return suitefile.read(f'tests:\n- name: t\n  rules:\n{lines}', 'suite.yaml').tests[0]


class Ran:
    """A test that has been run on the virtual clock."""

    def __init__(
        self,
        text: str,
        tasks: Tasks | None = None,
        *,
        deadline: float | None = None,
        ha: bool = False,
        strict: bool = False,
    ):
        self.calls: list[str] = []
        self.events: list[progress.BusEvent] = []
        self.got: list[object] = []

        async def body(
            rule: suite.RuleSpec, event: progress.BusEvent | None, doings: runner.RuleActions
        ) -> object:
            self.calls.append(rule.state)
            if event is not None:
                self.got.append(event.payload)
            task = (tasks or {}).get(rule.state)
            return True if task is None else await task(doings)

        self.state, self.seconds = on_virtual_clock(
            runner.run(
                rules_test(text),
                body,
                policy=progress.Policy(ha=ha, strict_compat=strict),
                said=self.events.append,
                deadline=deadline,
            )
        )

    @property
    def phases(self) -> list[str]:
        return [run.phase for run in self.state.runs]

    @property
    def ending(self) -> verdict.Ending:
        return rules.ending(self.state)
