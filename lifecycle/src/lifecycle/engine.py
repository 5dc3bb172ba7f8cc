"""A run: look, find the next step, carry it out, look again, until nothing is left. It may be killed anywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from lifecycle import done, look, preflight
from lifecycle import plan as plan_
from lifecycle import record as record_
from lifecycle.beginning import Known, Wish, survey
from lifecycle.declared import Declaration
from lifecycle.journal import Event
from lifecycle.keeping import Book
from lifecycle.observed import Observed
from lifecycle.problem import ProblemError
from lifecycle.step import ORIGIN, RUN_ONCE, Step
from lifecycle.world import World, WorldError

POLL_S = 3.0
RETRY_S = 10.0
"""Seconds until an action that failed is tried again."""
PATIENCE_S = 900.0
"""Seconds for which an action that fails, or a Juju that does not answer, is tried again."""
ERROR_S = 120.0
"""Seconds for which a unit may be in error: Juju runs its hook again."""
LIMITS_S = {
    'base': 120.0,
    'origin': 120.0,
    'add': 120.0,
    'expand': 3600.0,
    'admit': 3600.0,
    'drain': 3600.0,
    'remove': 1800.0,
    'upgrade': 3600.0,
    'resume': 1800.0,
    'online': 7200.0,
    'contract': 3600.0,
}
"""Seconds after which a step that is not done ends the run, by verb."""


class StoppedError(Exception):
    """The run ends before its target; the text says why, and what helps."""


@dataclasses.dataclass
class Run:
    """One run of the engine; `tell` hears of everything."""

    world: World
    book: Book
    wish: Wish
    tell: Callable[[Event], None]
    known: Known
    _issued: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    """When a step was carried out, by its id."""
    _failed: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    """When a step, a unit or Juju first failed, by its name; until it works."""
    _told: str = ''

    def whole(self) -> None:
        """Do all of it.

        Raises:
            ProblemError: it cannot be begun, or another run took over.
            StoppedError: something stands in its way; the same command goes on once it does not.
        """
        self._begin(self.known)
        while (before := self.known.plan.next) is not None:
            for application in self.known.plan.applications:
                if self._drive(application):
                    return
            self.known = survey(self.world, self.wish)
            if self.known.plan.next is not None and self.known.plan.next.id == before.id:
                raise StoppedError(
                    f'{before.id} was done and is not any more: look at it with juju status'
                )
        self._say('end', None, 'everything is done')

    def _begin(self, known: Known) -> None:
        # Written before anything is refused: what is skipped after that is skipped in this upgrade.
        record = known.seen.record
        self.book.change(lambda now: dataclasses.replace(record, holder=now.holder))
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

    def _drive(self, application: str) -> bool:
        """Move one application; True when the run is to end with the step that the user named."""
        before: frozenset[str] | None = None
        began: dict[str, float] = {}
        while True:
            seen = self._look(application)
            if application not in seen.applications:
                raise StoppedError(f'{application} is not in the model any more')
            plan = plan_.plan(seen, self.wish.target, [application])
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
            if (
                self.world.now() - began.setdefault(step.id, self.world.now())
                > LIMITS_S[step.verb]
            ):
                raise StoppedError(_overdue(step, seen))
            if step.note or not self._carry_out(step, seen):
                self._waits(step, step.note or _waiting_for(step, seen))
                self.world.sleep(POLL_S)

    def _look(self, application: str) -> Observed:
        while True:
            try:
                seen = look.observe(
                    self.world,
                    self.known.declarations,
                    self.book.read(),
                    [application],
                    origins=bool(self.wish.target.origin),
                )
                self._failed.pop('juju', None)
                return seen
            except WorldError as error:
                if self._patience('juju', PATIENCE_S):
                    raise StoppedError(
                        f'{error}: the same command goes on when it answers'
                    ) from None
                self._waits(None, str(error))
                self.world.sleep(POLL_S)

    def _patience(self, name: str, most: float) -> bool:
        """Whether what fails has failed for longer than so many seconds."""
        return self.world.now() - self._failed.setdefault(name, self.world.now()) > most

    def _check(self, seen: Observed, step: Step) -> None:
        """Whether some unit of the application has been in error for long.

        Raises:
            StoppedError: one has; says what helps.
        """
        for unit in seen.applications[step.application].units:
            if not unit.failed:
                self._failed.pop(unit.name, None)
            elif self._patience(unit.name, ERROR_S):
                raise StoppedError(
                    f'{unit.name} is in error: {unit.message or unit.agent}. See why with `juju debug-log --include '
                    f'{unit.name} --limit 50`; then `juju resolved {unit.name}`, or `juju remove-unit --no-prompt '
                    f'--force {unit.name}` if it is new; then the same command goes on with {step.id}'
                )

    def _carry_out(self, step: Step, seen: Observed) -> bool:
        """Carry *step* out unless that was done; whether the model is to be looked at at once."""
        if step.verb == 'admit' or step.id in self._issued:
            return False
        if step.application not in seen.record.started:
            standing = done.standing(seen.applications[step.application], seen.record, step.base)
            self.book.change(lambda r: record_.with_started(r, step.application, standing.started))
        since = self._failed.get(step.id)
        if since is not None and self.world.now() - self._failed[f'{step.id} last'] < RETRY_S:
            return False
        self._say('step', step, step.command)
        try:
            self._ask(step)
        except WorldError as error:
            self._failed[f'{step.id} last'] = self.world.now()
            if self._patience(step.id, PATIENCE_S):
                raise StoppedError(_refused(step, error)) from None
            self._say('failed', step, f'{error}; tried again in {RETRY_S:.0f} s')
            return False
        self._failed.pop(step.id, None)
        if step.verb in RUN_ONCE:
            ran = record_.Ran(verb=step.verb, unit=step.unit, at=int(self.world.now()))
            self.book.change(lambda r: record_.with_ran(r, step.application, ran))
        self._issued[step.id] = self.world.now()
        return True

    def _ask(self, step: Step) -> None:
        match step.verb:
            case 'base':
                known = self.known.declarations.get(step.application)
                declared = isinstance(known, Declaration) and step.base in known.releases
                self.world.set_base(step.application, step.base, declared=declared)
            case 'origin':
                self.world.set_option(step.application, ORIGIN, step.origin)
            case 'add':
                self.world.add_unit(step.application)
            case 'remove':
                self.world.remove_unit(step.unit)
            case 'expand' | 'online' | 'contract' | 'drain' | 'upgrade' | 'resume':
                self.world.run_action(step.unit, step.action, LIMITS_S[step.verb])
            case 'admit':
                pass

    def _waits(self, step: Step | None, why: str) -> None:
        if why and why != self._told:
            self._say('waits', step, why)
            self._told = why

    def _say(self, kind: str, step: Step | None, said: str) -> None:
        self._told = ''
        self.tell(
            Event(
                at=self.world.now(),
                kind=kind,
                step=step.id if step else '',
                application=step.application if step else '',
                said=said,
            )
        )


def run(world: World, wish: Wish, nonce: str, tell: Callable[[Event], None]) -> None:
    """Do what is wished for; *nonce* is of this run alone.

    Raises:
        ProblemError: it cannot be begun; says why, and what would help.
        StoppedError: something stands in its way; the same command goes on once it does not.
        WorldError: Juju does not answer.
    """
    book = Book(world, nonce)
    book.take()
    try:
        Run(world, book, wish, tell, survey(world, wish)).whole()
    except (ProblemError, StoppedError, WorldError, KeyboardInterrupt) as error:
        said = str(error) or 'interrupted'
        tell(Event(at=world.now(), kind='stop', said=said))
        raise
    finally:
        book.release()


def _waiting_for(step: Step, seen: Observed) -> str:
    """What is not there yet, so that *step* is not done."""
    app = seen.applications[step.application]
    for unit in app.units:
        of_it = unit.name == step.unit if step.unit else step.verb == 'admit' and not unit.ready
        if not of_it:
            continue
        if unit.workload != 'active' and step.verb == 'admit':
            return f'{unit.name} is {unit.workload}: {unit.message or "it does not say why"}'
        return unit.admission.why or f'{unit.name} is {unit.workload}: {unit.message}'
    return ''


def _overdue(step: Step, seen: Observed) -> str:
    why = step.note or _waiting_for(step, seen) or 'Juju does not say why'
    return (
        f'{step.id} was not done within {LIMITS_S[step.verb] / 60:.0f} minutes: {why}. Look at it with `juju status '
        f'{step.application}`; the same command goes on, or leaves it out after '
        f'`juju lifecycle skip {step.id} --reason WHY`'
    )


def _refused(step: Step, error: WorldError) -> str:
    return (
        f'{step.id} does not work: {error}. By hand: `{step.command}`; the same command goes on, or leaves it out '
        f'after `juju lifecycle skip {step.id} --reason WHY`'
    )
