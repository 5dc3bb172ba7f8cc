"""Finds the smallest plan that still fails in the same way, by running parts of it on the real model.

Every replay has a folder of its own below the run's, with its journal; what it came to stands there too, so that a
search that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import json
import pathlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import panel, verdict
from matrix.plans import compact, plan, planfile, shrink

RESULT = 'result.json'

Replay = Callable[[plan.Plan, pathlib.Path], Awaitable[panel.Judged]]


@dataclasses.dataclass(frozen=True)
class Found:
    """The smallest plan, and what is known of it.

    `control` says that the test fails without any fault; `in_time` that nothing was left out for want of time;
    `necessary` names the events without each of which it was seen not to fail. `shown`, `dead` and `broken` count
    replays: that could have shown the failure, in which the service did not work before any fault, and that could not
    be carried out, the last for this `reason`.
    """

    plan: plan.Plan
    replays: int
    reproduced: bool
    in_time: bool
    necessary: tuple[str, ...] = ()
    shown: int = 0
    dead: int = 0
    broken: int = 0
    reason: str = ''

    @property
    def control(self) -> bool:
        """Whether it fails without a fault."""
        return self.reproduced and not self.plan.events

    @property
    def minimal(self) -> bool:
        """Whether each of its events was seen to be needed."""
        return len(self.necessary) == len(self.plan.events)


@dataclasses.dataclass
class Search:
    """One search. `replay` runs a plan and writes its journal into a folder; `now` is in seconds."""

    replay: Replay
    folder: pathlib.Path
    signature: verdict.Signature
    write: Callable[[journal.What], object]
    until: float
    now: Callable[[], float] = time.monotonic
    out_of_time: bool = False
    number: int = 0
    shown: int = 0
    dead: int = 0
    broken: int = 0
    reason: str = ''

    async def smallest(
        self, full: plan.Plan, suspects: tuple[str, ...], kinds: dict[str, plan.Kind]
    ) -> Found:
        """Search until it is found, or time is over. A cancelled search ends the replay that runs."""
        loop = asyncio.get_running_loop()
        known = self._known()
        self.shown = len(known)
        self.unsure: set[str] = set()
        running: list[concurrent.futures.Future[verdict.Signature | None]] = []

        def run(candidate: plan.Plan) -> verdict.Signature | None:
            key = text_of(compact.compact(candidate))
            if key in known:
                return known[key]
            if self.out_of_time:
                self.unsure.add(key)
                return None
            broken = self.broken
            future = asyncio.run_coroutine_threadsafe(self._once(compact.compact(candidate)), loop)
            running[:] = [future]
            known[key] = future.result()
            if self.out_of_time or self.broken > broken:
                self.unsure.add(key)
            return known[key]

        searching = loop.run_in_executor(
            None,
            lambda: shrink.shrink(
                full, run, signature=self.signature, suspects=suspects, kinds=kinds, budget=200
            ),
        )
        try:
            found = await asyncio.shield(searching)
        except asyncio.CancelledError:
            self.out_of_time = True
            for future in running:
                future.cancel()
            await asyncio.gather(searching, return_exceptions=True)
            raise
        return Found(
            compact.compact(found.plan) if found.reproduced else full,
            self.number,
            found.reproduced,
            not self.out_of_time,
            self._needed(found.plan, known) if found.reproduced else (),
            self.shown,
            self.dead,
            self.broken,
            self.reason,
        )

    def _needed(
        self, smallest: plan.Plan, known: dict[str, verdict.Signature | None]
    ) -> tuple[str, ...]:
        """The events without which it was seen not to fail alike: what could not be carried out showed nothing."""
        found: list[str] = []
        for event in smallest.events:
            key = text_of(compact.compact(plan.without(smallest, frozenset({event.id}))))
            if key in known and key not in self.unsure and known[key] != self.signature:
                found.append(event.id)
        return tuple(found)

    async def alike(self, candidate: plan.Plan, setting: str) -> bool:
        """Whether a plan fails alike in another setting, which the replay knows of; `setting` is its words."""
        known = self._known()
        key = text_of(candidate) + setting
        found = known[key] if key in known else await self._once(candidate, setting)
        return found == self.signature

    async def _once(self, candidate: plan.Plan, setting: str = '') -> verdict.Signature | None:
        left = self.until - self.now()
        if left <= 0:
            self.out_of_time = True
            return None
        self.number += 1
        folder = self.folder / f'{self.number:02}'
        folder.mkdir(mode=0o700, parents=True)
        (folder / 'plan.yaml').write_text(planfile.write(candidate))
        began = self.now()
        try:
            async with asyncio.timeout(left):
                judged = await self.replay(candidate, folder)
        except TimeoutError:
            self.out_of_time = True
            return None
        alike = self.signature in judged.signatures
        self._count(judged, alike)
        self._keep(folder, text_of(candidate) + setting, alike, judged)
        self._say(candidate, setting, alike, judged, self.now() - began)
        return self.signature if alike else judged.signature

    def _count(self, judged: panel.Judged, alike: bool) -> None:
        if judged.ending in {'infrastructure', 'no-model'}:
            self.broken += 1
            self.reason = judged.sentence
        elif not alike and was_dead(judged):
            self.dead += 1
        else:
            self.shown += 1

    def _say(
        self,
        candidate: plan.Plan,
        setting: str,
        alike: bool,
        judged: panel.Judged,
        seconds: float,
    ) -> None:
        value: dict[str, located.Plain] = {
            'number': self.number,
            'events': [one.id for one in candidate.events],
            'faults': [in_words(one) for one in candidate.events],
            'setting': setting,
            'how': 'fails alike' if alike else judged.ending,
            'sentence': judged.sentence,
            'seconds': round(seconds, 1),
        }
        self.write(journal.Note(notes.REPLAY, value))

    def _keep(self, folder: pathlib.Path, key: str, alike: bool, judged: panel.Judged) -> None:
        if judged.ending in {'infrastructure', 'no-model'}:
            return  # It says nothing of the plan: another search asks again.
        chosen = self.signature if alike else judged.signature
        value = {
            'plan': key,
            'signature': None if chosen is None else dataclasses.asdict(chosen),
            'sentence': judged.sentence,
        }
        aside = folder / f'.{RESULT}'
        aside.write_text(json.dumps(value))
        aside.replace(folder / RESULT)

    def _known(self) -> dict[str, verdict.Signature | None]:
        """What earlier replays of this run came to."""
        found: dict[str, verdict.Signature | None] = {}
        for folder in sorted(self.folder.glob('[0-9]*')):
            self.number = max(self.number, int(folder.name))
            try:
                value: dict[str, Any] = json.loads((folder / RESULT).read_text())
                said = value['signature']
                found[value['plan']] = None if said is None else verdict.Signature(**said)
            except (OSError, ValueError, KeyError, TypeError):
                continue  # It did not come to its end.
        return found


def was_dead(judged: panel.Judged) -> bool:
    """Whether the service failed before any fault of this replay: it says nothing of faults."""
    return any(
        one.outcome is verdict.Outcome.FAIL and 'before any fault' in one.sentence
        for one in judged.verdicts
    )


def text_of(one: plan.Plan) -> str:
    """What tells two plans apart."""
    return planfile.write(one)


def in_words(event: plan.FaultEvent) -> str:
    """An event for people: `freeze store/1 for 12 s`."""
    parameters = ', '.join(f'{key} {value}' for key, value in event.parameters)
    with_ = f' ({parameters})' if parameters else ''
    return f'{event.fault} {", ".join(event.targets)} for {event.hold:g} s{with_}'


def executed_plan(entries: tuple[journal.Entry, ...]) -> plan.Plan | None:
    """The plan of a test's journal, with those whom it struck; None when there was none, or more than one."""
    plans = [
        one.what.value
        for one in entries
        if isinstance(one.what, journal.Note) and one.what.kind == notes.PLAN
    ]
    if len(plans) != 1:
        return None
    full = planfile.from_plain(plans[0])
    targets = {
        one.what.id: one.what.targets
        for one in entries
        if isinstance(one.what, journal.Fault) and one.what.targets
    }
    events = tuple(
        dataclasses.replace(one, targets=targets.get(one.id, one.targets)) for one in full.events
    )
    return dataclasses.replace(full, events=events)
