"""Changes a register by asking a majority of replicas, and who the replicas are, one more or one less at a time."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import Callable

import register
import wire

PORT = 7000
STABLE = '.stable'


@dataclasses.dataclass(frozen=True)
class Members:
    """Who has a vote, by unit and address. Each change has a higher epoch, and an older epoch is refused."""

    epoch: int = 0
    units: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def majority(self) -> int:
        """How many must agree."""
        return len(self.units) // 2 + 1

    def plain(self) -> dict[str, object]:
        """As JSON holds it."""
        return {'epoch': self.epoch, 'units': self.units}


class ConflictError(Exception):
    """The register has another version than the one that was to be changed."""

    def __init__(self, found: register.Record):
        super().__init__(found.version)
        self.found = found


class _OutdoneError(Exception):
    """Someone else's ballot, or a newer epoch, came between."""


class Proposer:
    """One replica's part in changing registers."""

    def __init__(self, name: str, members: Members, take_over: Callable[[Members], None]):
        self._name, self._counter, self._take_over = name, 0, take_over
        self.members = members

    async def read(self, key: str) -> register.Record:
        """What was chosen last. What a majority holds alike was chosen; else it is made so."""
        try:
            found = await self._gather('look', {'key': key})
        except _OutdoneError:
            found = []
        records = [register.record(one['record']) for one in found]
        newest = max(records, key=lambda one: one.accepted, default=register.Record())
        alike = [one for one in records if one.accepted == newest.accepted]
        if len(alike) >= self.members.majority:
            return newest
        return await self.change(key, lambda now: (now.version, now.value))

    async def change(
        self, key: str, to: Callable[[register.Record], tuple[int, object]], within: float = 2.5
    ) -> register.Record:
        """Change a register.

        Args:
            key: which one.
            to: version and value from those that were.
            within: seconds, in which it is tried again when others come between.

        Raises:
            ConflictError: what `to` raised.
            wire.NoAnswerError: no majority answered; it may have happened or not.
        """
        end = time.monotonic() + within
        tries = 0
        while True:
            try:
                return await self._round(key, to)
            except _OutdoneError:
                tries += 1
                await asyncio.sleep(random.uniform(0.005, 0.03) * min(tries, 10))  # noqa: S311
                if time.monotonic() > end:
                    raise wire.NoAnswerError('others came between, again and again') from None

    async def _round(
        self, key: str, to: Callable[[register.Record], tuple[int, object]]
    ) -> register.Record:
        self._counter += 1
        ballot = (self._counter, self._name)
        said = await self._gather('prepare', {'key': key, 'ballot': ballot})
        newest = max(
            (register.record(one['record']) for one in said), key=lambda one: one.accepted
        )
        version, value = to(newest)
        await self._gather(
            'accept', {'key': key, 'ballot': ballot, 'version': version, 'value': value}
        )
        return register.Record(ballot, ballot, version, value)

    async def _gather(self, what: str, body: dict, *, within: float = 1.0) -> list[dict]:
        """What a majority answers, as soon as it does."""
        members = self.members
        body = {**body, 'members': members.plain()}
        asked = [
            asyncio.create_task(
                wire.call(host, PORT, 'POST', f'/replica/{what}', body, within=within)
            )
            for host in members.units.values()
        ]
        good: list[dict] = []
        outdone = False
        try:
            for finished in asyncio.as_completed(asked):
                try:
                    status, said = await finished
                except wire.NoAnswerError:
                    continue
                if status == 200:
                    good.append(said)
                elif status == 409:
                    outdone = True
                    self._counter = max(self._counter, said.get('counter', 0))
                    self._learn(said)
                if len(good) >= members.majority:
                    return good
        finally:
            # Those who are late still get what they were sent; nobody waits for it.
            _left.update(task for task in asked if not task.done())
        if outdone:
            raise _OutdoneError
        raise wire.NoAnswerError(f'{len(good)} of {len(members.units)} replicas answered')

    def _learn(self, said: dict) -> None:
        told = said.get('members')
        if told and told['epoch'] > self.members.epoch:
            self._take_over(Members(told['epoch'], told['units']))

    async def settle(self, want: dict[str, str]) -> Members:
        """Make these units the members: one out or in at a time, each step finished before the next.

        Majorities of neighbouring epochs overlap, and before the next step everything is chosen in
        the newest: so no value is ever left with a minority.
        """
        try:
            return await self._settle(want)
        except _OutdoneError:
            raise wire.NoAnswerError('somebody else is changing the members') from None

    async def _settle(self, want: dict[str, str]) -> Members:
        while True:
            if (await self.read(STABLE)).version < self.members.epoch:
                await self._chosen_again()
            now = self.members
            gone = sorted(now.units.keys() - want.keys())
            more = sorted(want.keys() - now.units.keys())
            if gone and len(now.units) > 1:
                units = {name: host for name, host in now.units.items() if name != gone[0]}
            elif more:
                units = {**now.units, more[0]: want[more[0]]}
            else:
                return now
            new = Members(now.epoch + 1, units)
            # The old majority hears of it first: from then on nothing is chosen in the old epoch.
            for members in (now, new):
                self.members = members
                await self._gather('join', {'new': new.plain()}, within=3.0)
            self._take_over(new)

    async def _chosen_again(self) -> None:
        epoch = self.members.epoch
        dumps = await self._gather('dump', {}, within=10.0)
        merged: dict[str, list] = {}
        for dump in dumps:
            for key, plain in dump['records'].items():
                if key not in merged or tuple(plain[1]) > tuple(merged[key][1]):
                    merged[key] = plain
        answers = await self._gather('absorb', {'records': merged}, within=10.0)
        for key in {key for one in answers for key in one['refused']}:
            await self.change(key, lambda now: (now.version, now.value))
        await self.change(STABLE, lambda now: (max(now.version, epoch), None))


_left: set[asyncio.Task] = set()


def forget_the_late() -> None:
    """Let go of questions that nobody waits for any more."""
    for task in [one for one in _left if one.done()]:
        _left.discard(task)
        task.exception()
