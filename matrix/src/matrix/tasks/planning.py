"""The plan of a chaos task: read from a file, or made from the seed. Files are read before anything runs."""

from __future__ import annotations

import dataclasses
import fnmatch
import pathlib
from collections.abc import Mapping, Sequence
from typing import cast

from matrix import model
from matrix.faults import facts, fault, inject
from matrix.grammar import located, problem
from matrix.plans import (
    chaosplan,
    covering,
    plan,
    planfile,
    selectors,
    snapshot,
    streams,
    translate,
)
from matrix.tasks import arguments


@dataclasses.dataclass(frozen=True)
class Strike:
    """Which faults (patterns of their names) may strike which applications; empty: all."""

    kinds: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()

    def has(self, fault_name: str) -> bool:
        """Whether it is one of these faults."""
        return not self.kinds or any(fnmatch.fnmatchcase(fault_name, glob) for glob in self.kinds)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a chaos task asks for. `old` is the plan of the first format that `full` was made from."""

    full: plan.Plan | None = None
    old: chaosplan.Plan | None = None
    count: int = 5
    gap: float = 30.0
    strikes: tuple[Strike, ...] = (Strike(),)
    hold: float | None = None
    redundant: bool = True
    cover: bool = True
    serial: bool = False

    @property
    def phases(self) -> tuple[covering.Phase, ...]:
        """The phases in which a fault of this chaos may strike."""
        return ('alone', 'after') if self.serial else covering.PHASES


def wanted(
    args: Mapping[str, located.Plain],
    *,
    chaos_plan: pathlib.Path | None,
    count: int,
    redundant: bool,
    folder: pathlib.Path,
    known: Mapping[str, fault.Fault],
    seed: int,
) -> Wanted:
    """What a chaos task asks for by its arguments; a plan of the command line stands before the suite's.

    Raises:
        problem.RefusedError: its plan cannot be used.
        model.InfraFailure: an argument is wrong.
    """
    task = model.Task('matrix.tasks.chaos', args, 'always')
    if chaos_plan is None and isinstance(args.get('plan'), str):
        chaos_plan = folder / str(args['plan']).replace('{bundle}', str(folder))
    if chaos_plan is not None:
        return read(chaos_plan, known, seed)
    return Wanted(
        count=arguments.integer(task, 'count', count),
        gap=arguments.seconds(task, 'gap', 30.0),
        strikes=_strikes(task, known),
        hold=arguments.seconds(task, 'hold', 0.0) if 'hold' in args else None,
        redundant=bool(args.get('redundant', redundant)),
        cover=bool(args.get('cover', True)),
        serial=bool(args.get('serial')),
    )


def _strikes(task: model.Task, known: Mapping[str, fault.Fault]) -> tuple[Strike, ...]:
    """What `strikes` says, each a mapping of `kinds` and `applications`; without it, what these say themselves."""
    said = task.args.get('strikes')
    if said is None:
        return (_strike(task),)
    if 'kinds' in task.args or 'applications' in task.args:
        raise model.InfraFailure(
            f"{task.name}: 'kinds' and 'applications' stand in each of 'strikes', or without them"
        )
    if not isinstance(said, list) or not said or not all(isinstance(one, dict) for one in said):
        raise model.InfraFailure(
            f"{task.name}: 'strikes' is a list of mappings with 'kinds' and 'applications', this is {said!r}"
        )
    found: list[Strike] = []
    for one in said:
        inner = cast('dict[str, located.Plain]', one)
        if wrong := sorted({*inner} - {'kinds', 'applications'}):
            near = problem.suggestion(wrong[0], ('kinds', 'applications'))
            raise model.InfraFailure(f"{task.name}: unknown key {wrong[0]!r} in 'strikes'{near}")
        strike = _strike(model.Task(task.name, inner, task.gating))
        for glob in strike.kinds:
            if not fnmatch.filter(known, glob):
                near = problem.suggestion(glob, known)
                raise model.InfraFailure(f'{task.name}: there is no fault {glob!r}{near}')
        found.append(strike)
    return tuple(found)


def _strike(task: model.Task) -> Strike:
    return Strike(arguments.words(task, 'kinds'), arguments.words(task, 'applications'))


def read(path: pathlib.Path, known: Mapping[str, fault.Fault], seed: int) -> Wanted:
    """A plan from a file of either format.

    Raises:
        problem.RefusedError: it is not a plan, or names a fault that nobody has.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else 'not UTF-8 text'
        where = problem.Where(str(path), 1)
        raise problem.RefusedError(
            [problem.Problem(where, f'the plan cannot be read: {reason}')]
        ) from error
    document = located.load(text, str(path))
    if not planfile.is_second_format(document):
        old = chaosplan.read(text, str(path))
        return Wanted(translate.events(old, seed), old)
    full = planfile.read(text, str(path))
    _check_faults(full, document, known)
    return Wanted(full)


def _check_faults(
    full: plan.Plan, document: located.Value, known: Mapping[str, fault.Fault]
) -> None:
    events = document.get('events') if isinstance(document, located.Mapping) else None
    lines = events.items if isinstance(events, located.Sequence) else ()
    problems = [
        problem.Problem(
            value.where,
            f'there is no fault {event.fault!r}{problem.suggestion(event.fault, known)}',
        )
        for event, value in zip(full.events, lines, strict=True)
        if event.fault not in known
    ]
    if problems:
        raise problem.RefusedError(problems)


def make(
    wanted: Wanted,
    known: Sequence[fault.Fault],
    model: snapshot.Model,
    machine_facts: facts.Facts,
    seed: int,
    bundle: str,
) -> plan.Plan:
    """A plan from the seed for this model. Pure.

    Only what can land somewhere and leaves enough units alone is part of it.
    """
    kinds, here = able(wanted, known, model, machine_facts)
    spare = {one.kind.name: one.spare for one in known}
    # More than are wanted, for those that cannot be: the first that can are taken.
    made = plan.generate(seed, kinds, here, count=wanted.count * 4, gap=wanted.gap, bundle=bundle)
    fitting = [one for one in made.events if _spares(one, model, spare[one.fault])]
    if not wanted.cover:
        return plan.Plan(seed, _closer(fitting[: wanted.count], wanted.gap), bundle)
    names = [one.name for one in here.applications]
    every = covering.rows(covering.places(kinds, names), wanted.count, phases=wanted.phases)
    rows = covering.chosen(every, seed, wanted.count)
    drawn = [
        one
        for one in covering.events(rows, kinds, here, seed, gap=wanted.gap)
        if _spares(one, model, spare[one.fault])
    ]
    missing = wanted.count - len(drawn)
    return plan.Plan(seed, (*drawn, *_later(fitting[:missing], drawn, wanted)), bundle)


def able(
    wanted: Wanted,
    known: Sequence[fault.Fault],
    model: snapshot.Model,
    machine_facts: facts.Facts,
) -> tuple[tuple[plan.Kind, ...], snapshot.Model]:
    """The kinds that can land somewhere, narrowed to where they can, and the part of the model that may be struck."""
    every = frozenset(one.name for one in model.applications)
    allowed = {
        one.kind.name: frozenset(
            name
            for strike in wanted.strikes
            if strike.has(one.kind.name) and (strike.kinds or not one.asked)
            for name in strike.applications or every
        )
        for one in known
    }
    chosen = [one for one in known if allowed[one.kind.name]]
    named = (strike.applications or every for strike in wanted.strikes)
    here = _only(model, frozenset(name for some in named for name in some))
    kinds = facts.suitable(
        chosen, here, machine_facts, redundant=wanted.redundant, allowed=allowed
    )
    if wanted.hold is not None:
        kinds = tuple(dataclasses.replace(one, hold=(wanted.hold, wanted.hold)) for one in kinds)
    return kinds, here


def _closer(events: Sequence[plan.FaultEvent], gap: float) -> tuple[plan.FaultEvent, ...]:
    return tuple(
        dataclasses.replace(one, at=round(one.at - _earlier(one, number, gap), 1))
        for number, one in enumerate(events)
    )


def _later(
    more: Sequence[plan.FaultEvent], drawn: Sequence[plan.FaultEvent], wanted: Wanted
) -> tuple[plan.FaultEvent, ...]:
    """Events in place of rows that could not be, after all the others and by names of their own."""
    over = max((one.at + one.hold for one in drawn), default=0.0)
    return tuple(
        dataclasses.replace(
            one, id=f'm{number}', at=round(over + number * max(wanted.gap, covering.TAIL), 1)
        )
        for number, one in enumerate(more, 1)
    )


def _earlier(event: plan.FaultEvent, number: int, gap: float) -> float:
    """Seconds that an event moves forward, so that those left out leave no holes."""
    return (int(event.id.removeprefix('e')) - 1 - number) * gap


def _only(model: snapshot.Model, applications: frozenset[str]) -> snapshot.Model:
    if applications >= {one.name for one in model.applications}:
        return model
    chosen = tuple(one for one in model.applications if one.name in applications)
    machines = {unit.machine for one in chosen for unit in one.units}
    return snapshot.Model(chosen, tuple(one for one in model.machines if one.id in machines))


def _spares(event: plan.FaultEvent, model: snapshot.Model, spare: int) -> bool:
    struck_machines = {*inject.machines(event.targets, model)}
    for one in model.applications:
        hit = [
            unit
            for unit in one.units
            if unit.name in event.targets or unit.machine in struck_machines
        ]
        # A fault of a whole application (one more unit) disturbs none of its units.
        full = one.name in event.targets
        if hit and not full and not one.subordinate and len(one.units) - len(hit) < spare:
            return False
    return True


def now(
    event: plan.FaultEvent, model: snapshot.Model, seed: int, *, strict_compat: bool
) -> plan.FaultEvent:
    """The event with whom it strikes in this model, when its turn has come. Pure.

    Raises:
        ValueError: its selectors do not fit together.
    """
    if strict_compat and not event.targets:
        stream = streams.stream(seed, event.id, 'targets')
        chosen = selectors.select(event.selectors, model, stream, strict_compat=True)
        return dataclasses.replace(event, targets=tuple(one.name for one in chosen))
    return plan.resolve(event, model, seed)
