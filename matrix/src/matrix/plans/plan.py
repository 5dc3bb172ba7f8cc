"""Plans of the second format: what is done to whom and when, all of it data. Pure.

A plan holds for each event both the selectors and what they chose, so that the same model is struck
in the same places again, and another model of the same bundle in places like them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from matrix.plans import selectors, snapshot, streams


@dataclasses.dataclass(frozen=True)
class FaultEvent:
    """One fault. `at` is seconds after the bundle settled, `hold` seconds until it is healed."""

    id: str
    fault: str
    at: float
    hold: float
    selectors: tuple[selectors.Selector, ...]
    targets: tuple[str, ...] = ()
    parameters: tuple[tuple[str, float | int | str | bool], ...] = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """Events in the order of their ids; `bundle` is the digest of the bundle that it was made for."""

    seed: int
    events: tuple[FaultEvent, ...]
    bundle: str = ''


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a fault takes: its selectors, and the least and most of hold and of each parameter.

    `least` of a parameter is its mildest value: shrinking goes towards it.
    """

    name: str
    selectors: tuple[selectors.Selector, ...]
    hold: tuple[float, float] = (5.0, 30.0)
    parameters: tuple[tuple[str, int, int], ...] = ()


def generate(
    seed: int,
    kinds: Sequence[Kind],
    model: snapshot.Model,
    *,
    count: int,
    gap: float = 30.0,
    bundle: str = '',
) -> Plan:
    """A plan of `count` events, about `gap` seconds apart; the same for the same arguments.

    Each run uses a part of the kinds (swarm testing: what all runs do, no run can go without).
    An event for which the model has no target is left out.

    Raises:
        ValueError: two kinds share a name.
    """
    if len({kind.name for kind in kinds}) != len(kinds):
        raise ValueError('two kinds of fault share a name')
    if not kinds:
        return Plan(seed, (), bundle)
    ordered = sorted(kinds, key=lambda kind: kind.name)
    swarm = [kind for kind in ordered if streams.stream(seed, 'swarm', kind.name).random() < 0.5]
    events = [event(seed, n, swarm or ordered, gap) for n in range(1, count + 1)]
    found = (resolve(one, model, seed) for one in events)
    return Plan(seed, tuple(one for one in found if one.targets), bundle)


def resolve(event: FaultEvent, model: snapshot.Model, seed: int) -> FaultEvent:
    """The event with targets in this model: those it had, where all exist, else others like them.

    Who is struck for leading is whoever leads: what was deposed in one replay does not lead in the next.

    Raises:
        ValueError: a selector is not known or cannot follow the one before it.
    """
    there = {one.name for one in (*model.applications, *model.machines)}
    there |= {unit.name for one in model.applications for unit in one.units}
    if event.targets and there.issuperset(event.targets) and _lead_as_asked(event, model):
        return event
    stream = streams.stream(seed, event.id, 'targets')
    chosen = selectors.select(event.selectors, model, stream)
    return dataclasses.replace(event, targets=tuple(one.name for one in chosen))


def _lead_as_asked(event: FaultEvent, model: snapshot.Model) -> bool:
    leaders = {unit.name for one in model.applications for unit in one.units if unit.leader}
    asked = [bool(step.get('value', True)) for step in event.selectors if step.name == 'leader']
    return all((target in leaders) is wanted for target in event.targets for wanted in asked)


def without(plan: Plan, ids: frozenset[str]) -> Plan:
    """The plan without some events; every other stays exactly as it is."""
    return dataclasses.replace(plan, events=tuple(one for one in plan.events if one.id not in ids))


def renamed(plan: Plan, taken: Collection[str]) -> Plan:
    """The plan with other ids, where some are those of a plan before: `2-e1`. Else the plan itself."""
    number, found = 1, plan
    while any(one.id in taken for one in found.events):
        number += 1
        found = dataclasses.replace(
            plan,
            events=tuple(dataclasses.replace(one, id=f'{number}-{one.id}') for one in plan.events),
        )
    return found


def weaker(event: FaultEvent, kind: Kind) -> tuple[FaultEvent, ...]:
    """Milder forms of an event, the mildest first: the shortest hold, one target, least parameters."""
    least, _ = kind.hold
    holds = (least, round((event.hold + least) / 2, 1))
    found = [dataclasses.replace(event, hold=hold) for hold in holds if hold < event.hold]
    if len(event.targets) > 1:
        found.append(dataclasses.replace(event, targets=event.targets[:1]))
        found.append(dataclasses.replace(event, targets=event.targets[:-1]))
    for name, mildest, _ in kind.parameters:
        now = dict(event.parameters).get(name)
        if isinstance(now, int) and now != mildest:
            for value in dict.fromkeys((mildest, (now + mildest) // 2)):
                if abs(value - mildest) < abs(now - mildest):
                    parameters = tuple((k, value if k == name else v) for k, v in event.parameters)
                    found.append(dataclasses.replace(event, parameters=parameters))
    return tuple(dict.fromkeys(found))


def event(seed: int, number: int, kinds: Sequence[Kind], gap: float) -> FaultEvent:
    """The event of this number, of one of some kinds, without targets; about `gap` seconds after the one before."""
    name = f'e{number}'
    kind = streams.stream(seed, name, 'kind').choice(kinds)
    start = (number - 1 + streams.stream(seed, name, 'at').random()) * gap
    return FaultEvent(
        id=name,
        fault=kind.name,
        at=round(start, 1),
        hold=round(streams.stream(seed, name, 'hold').uniform(*kind.hold), 1),
        selectors=kind.selectors,
        parameters=tuple(
            (key, streams.stream(seed, name, 'parameter', key).randint(*sorted((low, high))))
            for key, low, high in kind.parameters
        ),
    )
