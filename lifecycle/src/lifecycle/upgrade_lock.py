"""The record's secret: taken by one run at a time, read at every look, written when something must be remembered.

A secret's revisions are in one order for everybody. Who finds nobody at work writes the next revision with a nonce, and
looks whose nonce that revision has: of two that write at once one has it, and the other is told.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

from lifecycle import record as record_
from lifecycle.problem import ProblemError
from lifecycle.world import World, WorldError

SETTLE_S = 3.0
"""Seconds until what somebody asked for who was killed has happened, or never will."""


def read(world: World) -> record_.Record:
    """The record as it is; the empty one when there is none."""
    kept = world.kept()
    return record_.EMPTY if kept is None else record_.load(kept.content)


@dataclasses.dataclass
class Book:
    """The record, held by this run."""

    world: World
    nonce: str

    def take(self) -> None:
        """Be the one at work.

        Raises:
            ProblemError: somebody else is; says who, and until when.
        """
        kept = self.world.kept()
        if kept is None:
            with contextlib.suppress(WorldError):
                self.world.keep(record_.dump(self._mine(record_.EMPTY)), first=True)
            self._seize(1)
            return
        record = record_.load(kept.content)
        other = record_.held_by_other(record, self.nonce, int(self.world.now()))
        if other is not None:
            if not self.world.is_gone(other.who):
                raise ProblemError(_at_work(other))
            self.world.sleep(SETTLE_S)
        self.world.keep(record_.dump(self._mine(record)), first=False)
        self._seize(kept.revision + 1)

    def _seize(self, revision: int) -> None:
        found = self.world.kept(revision)
        record = record_.EMPTY if found is None else record_.load(found.content)
        if record.holder is None or record.holder.nonce != self.nonce:
            raise ProblemError(
                _at_work(record.holder)
                if record.holder
                else f'juju has not kept the record: look at the secret {record_.NAME} (juju secrets), and whether you '
                'may write secrets in this model; nothing was begun'
            )
        newest = self.world.kept()
        if newest is not None and newest.revision != revision:
            self.world.keep(record_.dump(record), first=False)

    def _mine(self, record: record_.Record) -> record_.Record:
        until = int(self.world.now()) + record_.LEASE_S
        return record_.with_holder(
            record, record_.Holder(who=self.world.me, nonce=self.nonce, until=until)
        )

    def read(self) -> record_.Record:
        """The record as it is; it says anew that this run is at work, when it was long ago.

        Raises:
            ProblemError: another run took over.
        """
        kept = self.world.kept()
        record = record_.EMPTY if kept is None else record_.load(kept.content)
        if record.holder is None or record.holder.nonce != self.nonce:
            rightful = self._before(kept.revision) if kept and record.holder else None
            if rightful is None:
                who = record.holder.who if record.holder else 'somebody'
                raise ProblemError(f'{who} has taken over: this run ends here')
            self.world.keep(record_.dump(rightful), first=False)
            return rightful
        if record.holder.until - self.world.now() < record_.LEASE_S / 2:
            record = self._mine(record)
            self.world.keep(record_.dump(record), first=False)
        return record

    def alive(self) -> None:
        """Say anew that this run is at work, while something takes long; a Juju that does not answer is left alone.

        Raises:
            ProblemError: another run took over.
        """
        with contextlib.suppress(WorldError):
            self.read()

    def _before(self, revision: int) -> record_.Record | None:
        """The record of the revision before, if this run held it and still does: who wrote after it was told so."""
        found = self.world.kept(revision - 1) if revision > 1 else None
        record = record_.EMPTY if found is None else record_.load(found.content)
        holder = record.holder
        if holder is None or holder.nonce != self.nonce:
            return None
        return record if holder.until > self.world.now() else None

    def change(self, how: Callable[[record_.Record], record_.Record]) -> record_.Record:
        """Write what *how* makes of the record as it is."""
        record = self._mine(how(self.read()))
        self.world.keep(record_.dump(record), first=False)
        return record

    def release(self) -> None:
        """Be at work no more; where that cannot be said, it is known when the lease ends."""
        with contextlib.suppress(WorldError, ProblemError):
            record = read(self.world)
            if record.holder is not None and record.holder.nonce == self.nonce:
                self.world.keep(record_.dump(record_.with_holder(record, None)), first=False)


def _at_work(holder: record_.Holder) -> str:
    return (
        f'{holder.who} is at work on this model: wait until it is done. If it was killed on another machine, '
        f'the same command goes on after {record_.LEASE_S // 60} minutes'
    )
