"""What machines are made of, so that a plan strikes only where a fault can land: one script a machine, once."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from matrix.faults import fault, processes, shell
from matrix.juju import link
from matrix.plans import plan, selectors, snapshot

Facts = Mapping[str, frozenset[str]]
"""Words by machine; a machine that could not be asked has none."""


WITHIN = 240.0
"""Seconds that looking at a machine may take, installing what is missing with it."""


async def look(at: link.Link, *, install: bool = True, within: float = WITHIN) -> Facts:
    """The words of every machine of the model; small programs that faults need are installed where they are missing.

    Nothing is raised for a machine that cannot be asked: it has no words, so no plan strikes it.
    """
    model = at.now()
    text = f'{{\n{shell.read("common.sh")}\nset +e\n{shell.read("facts.sh")}\n}} </dev/null 2>/dev/null\n'

    async def one(machine: snapshot.Machine) -> frozenset[str]:
        others = (each for each in model.machines if each.id != machine.id)
        variables = {
            'PEERS': ' '.join(address for each in others for address in each.addresses),
            'PROBE': shell.read('probe.py'),
            'INSTALL': str(int(install)),
            **{name.upper(): pattern for name, pattern in processes.TRADES.items()},
        }
        try:
            ran = await at.script(machine.id, text, env=variables, within=within)
        except link.LinkError:
            return frozenset()
        return words(ran.output)

    found = await asyncio.gather(*(one(machine) for machine in model.machines))
    return {machine.id: said for machine, said in zip(model.machines, found, strict=True)}


def words(output: str) -> frozenset[str]:
    """The words in what the script printed. Pure."""
    return frozenset(
        line.removeprefix('fact ') for line in output.splitlines() if line.startswith('fact ')
    )


def suitable(
    faults: Iterable[fault.Fault],
    model: snapshot.Model,
    facts: Facts,
    *,
    redundant: bool = False,
    allowed: Mapping[str, frozenset[str]] | None = None,
) -> tuple[plan.Kind, ...]:
    """Kinds for `plan.generate` whose selectors choose only where the fault can land. Pure.

    A kind that can land nowhere is left out; one that strikes units is narrowed to applications on whose machines it
    can: by application, so that the plan holds for another model of the same bundle.

    Args:
        faults: what may be used.
        model: the model.
        facts: what `look` found.
        redundant: strike only applications that keep an undisturbed unit.
        allowed: the applications that each fault may strike, by its name; None: all.
    """
    found: list[plan.Kind] = []
    for one in faults:
        able = [
            name
            for name in _applications(one, model, facts, redundant=redundant)
            if allowed is None or name in allowed.get(one.kind.name, ())
        ]
        everywhere = {each.name for each in model.applications}
        if able and {*able} == everywhere:
            found.append(one.kind)
        elif able:
            found.append(
                dataclasses.replace(one.kind, selectors=_narrowed(one.kind.selectors, able))
            )
    return tuple(found)


def _applications(
    one: fault.Fault, model: snapshot.Model, facts: Facts, *, redundant: bool
) -> list[str]:
    least = max(one.spare + 1, 2 if redundant else 1)
    if any(step.name == 'minority' for step in one.kind.selectors):
        least = max(least, 3)
    return [
        each.name
        for each in model.applications
        if not each.subordinate
        and len(each.units) >= (least if one.kind.name != 'add-unit' else 1)
        and all(one.needs <= facts.get(unit.machine, frozenset()) for unit in each.units)
    ]


def _narrowed(
    steps: Sequence[selectors.Selector], able: Sequence[str]
) -> tuple[selectors.Selector, ...]:
    of = selectors.Selector('of', (('applications', ' '.join(sorted(able))),))
    return (steps[0], of, *steps[1:])
