"""A run: look, find the next step, carry it out, look again, until nothing is left. It may be killed anywhere."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Sequence

from lifecycle import look, observed, preflight, progress, waiting
from lifecycle import plan as plan_
from lifecycle import record as record_
from lifecycle.carrying_out import carry_out
from lifecycle.journal import JournalEntry
from lifecycle.load import Request
from lifecycle.observed import Observed
from lifecycle.problem import ProblemError
from lifecycle.step import NO_WAY_BACK, RUN_ONCE, WAITS, Step
from lifecycle.upgrade_lock import Book
from lifecycle.upgrade_request import Survey, UpgradeRequest, survey
from lifecycle.world import NotYetError, UnchangedError, World, WorldError

POLL_S = 3.0
RETRY_S = 10.0
"""Seconds until an action that failed is tried again."""
PATIENCE_S = 900.0
"""Seconds for which an action that fails, or a Juju that does not answer, is tried again."""
ERROR_S = 120.0
"""Seconds for which a unit may be in error: Juju runs its hook again."""
APPEARS_S = 30.0
"""Seconds after which a unit that was added and is not there has been removed: Juju shows it at once."""
PASSES_S = 600.0
"""Seconds that hooks which are under way at the beginning are given."""


class StoppedError(Exception):
    """The run ends before its target; the text says why, and what helps."""


@dataclasses.dataclass
class UpgradeRun:
    """One run of the engine; `tell` hears of everything."""

    world: World
    book: Book
    wish: UpgradeRequest
    report: Callable[[JournalEntry], None]
    known: Survey
    watch: Callable[[], Sequence[Request]] = tuple
    """What a load on the cloud has said of its requests since it was asked last."""
    _issued: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    """When a step was carried out, by its id."""
    _there: dict[str, set[str]] = dataclasses.field(default_factory=dict[str, set[str]])
    """The units that there were when a step was carried out, by its id."""
    _failed: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    """When a step, a unit or Juju first failed, by its name; until it works."""
    _refused: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Why the charm refuses the action of a step until other units are as far, by the step's id."""
    _unchanged: set[str] = dataclasses.field(default_factory=set[str])
    """Steps whose action has last failed with the word of its charm that nothing was changed, by their ids."""
    _at_work: str = ''
    """The step that was carried out last."""
    _last_reported: str = ''

    def run_all(self) -> None:
        """Do all of it.

        Raises:
            ProblemError: it cannot be begun, or another run took over.
            StoppedError: something stands in its way; the same command goes on once it does not.
        """
        self._begin(self.known)
        again = 0
        while (before := self.known.plan.next) is not None:
            for application in self.known.plan.applications:
                if self._drive(application):
                    return
            self.known = self._survey()
            same = self.known.plan.next is not None and self.known.plan.next.id == before.id
            again = again + 1 if same else 0
            if again > 2:
                raise StoppedError(
                    f'{before.id} was done and is not any more: look at it with juju status'
                )
        self._say('end', None, 'everything is done')

    def _begin(self, known: Survey) -> None:
        # Written before anything is refused: what is skipped after that is skipped in this upgrade.
        record = known.seen.record
        self.book.change(lambda now: dataclasses.replace(record, holder=now.holder))
        known = self._passed(known)
        for one in (wrong := preflight.blocking(known.findings)):
            more = f' (and {len(wrong) - 1} more: juju lifecycle plan)' if len(wrong) > 1 else ''
            raise ProblemError(
                f'{one.sentence}: {one.cure}{more}. To go on nevertheless: '
                f'juju lifecycle skip {one.id} --reason WHY'
            )
        steps = {step.id for step in known.plan.steps}
        if self.wish.until and self.wish.until not in steps:
            raise ProblemError(
                f'--until {self.wish.until}: no such step; juju lifecycle plan shows them'
            )
        self._say('begin', None, f'{len(steps)} steps to {self.wish.target}')

    def _passed(self, known: Survey) -> Survey:
        """What is known once nothing stands in the way any more that goes by itself, or that has not gone for long."""
        ends = self.world.now() + PASSES_S
        while self.world.now() < ends:
            wrong = preflight.blocking(known.findings)
            if not wrong or not all(one.passes for one in wrong):
                break
            self._waits(None, wrong[0].sentence)
            self.world.sleep(POLL_S)
            known = self._survey()
        self.known = known
        return known

    def _drive(self, application: str) -> bool:
        """Move one application; True when the run is to end with the step that the user named."""
        before: frozenset[str] | None = None
        began: dict[str, float] = {}
        while True:
            seen = self._look(application)
            if application not in seen.applications:
                raise StoppedError(f'{application} is not in the model any more')
            plan = plan_.plan(seen, self.wish.target, [application])
            if plan.left and f'{application}.left' not in seen.record.skips:
                raise StoppedError(f'{application} cannot go on: {plan.left[0].why}')
            ended = frozenset(s.id for s in plan.steps if s.state in ('done', 'skipped'))
            for step in plan.steps:
                if before is not None and step.id in ended - before:
                    self._say('done', step, step.note)
            before = ended
            for name in ended:
                self._issued.pop(name, None)
                began.pop(name, None)
            step = plan.next
            if self.wish.until in ended:
                self._say('end', None, f'{self.wish.until} is done: stopped there, as asked')
                return True
            if step is None:
                return False
            self._check(seen, step)
            self._lost()
            self._in_time(step, began, seen)
            if step.note or not self._carry_out(step, seen):
                self._waits(step, step.note or waiting.waiting_for(step, seen))
                self.world.sleep(POLL_S)

    def _in_time(self, step: Step, began: dict[str, float], seen: Observed) -> None:
        limit = waiting.LIMITS_S[step.verb]
        if self.world.now() - began.setdefault(step.id, self.world.now()) > limit:
            raise StoppedError(waiting.overdue(step, self._refused.get(step.id, ''), seen))

    def _look(self, application: str) -> Observed:
        while True:
            try:
                seen = look.observe(
                    self.world,
                    self.known.declarations,
                    self.book.read(),
                    [application],
                    origins=bool(self.wish.target.origin or self.known.seen.record.origin),
                )
                self._failed.pop('juju', None)
                return seen
            except WorldError as error:
                self._unanswered(error)

    def _remember(self, how: Callable[[record_.Record], record_.Record]) -> None:
        while True:
            try:
                self.book.change(how)
                self._failed.pop('juju', None)
                return
            except WorldError as error:
                self._unanswered(error)

    def _unanswered(self, error: WorldError) -> None:
        """Wait until a Juju that does not answer may do so again.

        Raises:
            StoppedError: it has not for long.
        """
        if self._patience('juju', PATIENCE_S):
            raise StoppedError(f'{error}: the same command goes on when it answers') from None
        self._waits(None, str(error))
        self.world.sleep(POLL_S)

    def _survey(self) -> Survey:
        while True:
            try:
                return survey(self.world, self.wish)
            except WorldError as error:
                self._unanswered(error)

    def _patience(self, name: str, most: float) -> bool:
        """Whether what fails has failed for longer than so many seconds."""
        return self.world.now() - self._failed.setdefault(name, self.world.now()) > most

    def _check(self, seen: Observed, step: Step, only: str = '') -> None:
        """Whether some unit of the application, or that one *only*, has been in error for long.

        Raises:
            StoppedError: one has; says what helps.
        """
        app = seen.applications.get(step.application)
        for unit in app.units if app else ():
            if only not in ('', unit.name):
                continue
            if not unit.failed:
                self._failed.pop(unit.name, None)
            elif self._patience(unit.name, ERROR_S):
                raise StoppedError(
                    f'{unit.name} is in error: {unit.message or unit.agent}. See why with `juju debug-log --include '
                    f'{unit.name} --limit 50`; then `juju resolved {unit.name}`, or `juju remove-unit --no-prompt '
                    f'--force {unit.name}` if it is new or its machine is lost; then the same command goes on '
                    f'with {step.id}'
                )

    def _was_issued(self, step: Step, seen: Observed) -> bool:
        there = {unit.name for unit in seen.applications[step.application].units}
        if step.verb == 'add' and self._has_gone(step, there):
            self._issued.pop(step.id, None)
        self._there.setdefault(step.id, there)
        if step.id in self._issued:
            return True
        self._there[step.id] = there
        return False

    def _has_gone(self, step: Step, there: set[str]) -> bool:
        """Whether the unit that *step* added, or another meanwhile, was removed by somebody."""
        came = there - self._there.get(step.id, there)
        return bool(came) or self.world.now() - self._issued.get(step.id, math.inf) >= APPEARS_S

    def _carry_out(self, step: Step, seen: Observed) -> bool:
        """Carry *step* out unless that was done; whether the model is to be looked at at once."""
        if step.verb in WAITS or self._was_issued(step, seen):
            return False
        if step.application not in seen.record.started:
            standing = progress.progress_of(
                seen.applications[step.application], seen.record, step.base
            )
            self._remember(lambda r: record_.with_started(r, step.application, standing.started))
        since = self._failed.get(step.id)
        if since is not None and self.world.now() - self._failed[f'{step.id} last'] < RETRY_S:
            return False
        self._at_work = step.id
        if step.id not in self._refused:
            self._say('step', step, step.command)
        self._begin_to(step, seen)
        try:
            known = self.known.declarations.get(step.application)
            found = carry_out(self.world, step, known, lambda: self._meanwhile(step))
        except NotYetError as error:
            self._refused[step.id] = str(error)
            self._failed[step.id] = self._failed[f'{step.id} last'] = self.world.now()
            self._waits(step, str(error))
            return False
        except WorldError as error:
            self._failed[f'{step.id} last'] = self.world.now()
            self._unchanged.discard(step.id)
            if isinstance(error, UnchangedError):
                self._unchanged.add(step.id)
            if waiting.is_final(step, error) or self._patience(step.id, PATIENCE_S):
                raise StoppedError(waiting.refused(step, error)) from None
            self._say('failed', step, f'{error}; tried again in {RETRY_S:.0f} s')
            return False
        self._failed.pop(step.id, None)
        self._refused.pop(step.id, None)
        self._unchanged.discard(step.id)
        if step.verb in RUN_ONCE:
            ran = record_.Ran(verb=step.verb, unit=step.unit, at=int(self.world.now()), said=found)
            self._remember(lambda r: record_.with_ran(r, step.application, ran))
        self._issued[step.id] = self.world.now()
        return True

    def _begin_to(self, step: Step, seen: Observed) -> None:
        begun = seen.record.has_begun(step.application, step.verb, step.unit)
        if step.verb in NO_WAY_BACK and not begun:
            at = int(self.world.now())
            began = record_.Ran(verb=f'begin {step.verb}', unit=step.unit, at=at)
            self._remember(lambda r: record_.with_ran(r, step.application, began))

    def _lost(self) -> None:
        """Whether a request of the load was lost.

        Raises:
            StoppedError: one was; says during which step, and how to go on or back.
        """
        lost = [one for one in self.watch() if not one.ok]
        if not lost:
            return
        during = self._at_work or 'the beginning'
        said = (
            f'{len(lost)} {"request was" if len(lost) == 1 else "requests were"} lost: {lost[0]}'
        )
        self.report(JournalEntry(at=self.world.now(), kind='lost', step=self._at_work, said=said))
        kept = record_.Lost(
            step=self._at_work, requests=len(lost), said=str(lost[0]), at=int(self.world.now())
        )
        with contextlib.suppress(WorldError):  # It stops in any case.
            self.book.change(lambda r: record_.with_lost(r, kept))
        raise StoppedError(
            f'{said}, during {during}. The same command goes on; back: `juju lifecycle rollback`, as long as no '
            'database was contracted'
        )

    def _meanwhile(self, step: Step) -> None:
        """While an action is under way: say that this run is at work, and see whether its unit still is."""
        self.book.alive()
        self._lost()
        with contextlib.suppress(WorldError):
            self._check(observed.read(self.world.status()), step, step.unit)

    def unsay(self) -> None:
        """Where a charm has refused what shuts the way back, or has changed nothing, it is open."""
        for name in (*self._refused, *self._unchanged):
            app, verb = name.split('.')[:2]
            if verb in NO_WAY_BACK:
                with contextlib.suppress(WorldError, ProblemError):
                    self.book.change(lambda r: record_.without(r, app, f'begin {verb}'))  # noqa: B023  # Called at once.

    def _waits(self, step: Step | None, why: str) -> None:
        if why and why != self._last_reported:
            self._say('waits', step, why)
            self._last_reported = why

    def _say(self, kind: str, step: Step | None, said: str) -> None:
        self._last_reported = ''
        self.report(
            JournalEntry(
                at=self.world.now(),
                kind=kind,
                step=step.id if step else '',
                application=step.application if step else '',
                said=said,
            )
        )


def run(
    world: World,
    wish: UpgradeRequest,
    nonce: str,
    report: Callable[[JournalEntry], None],
    watch: Callable[[], Sequence[Request]] = tuple,
) -> None:
    """Do what is wished for; *nonce* is of this run alone, *watch* tells of a load's requests.

    Raises:
        ProblemError: it cannot be begun; says why, and what would help.
        StoppedError: something stands in its way; the same command goes on once it does not.
        WorldError: Juju does not answer.
    """
    book = Book(world, nonce)
    book.take()
    try:
        work = UpgradeRun(world, book, wish, report, survey(world, wish), watch)
        try:
            work.run_all()
        finally:
            work.unsay()
    except (ProblemError, StoppedError, WorldError, KeyboardInterrupt) as error:
        said = str(error) or 'interrupted'
        report(JournalEntry(at=world.now(), kind='stop', said=said))
        raise
    finally:
        book.release()
