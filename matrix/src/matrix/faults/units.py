"""Units that come and go, as an operator scales: through Juju alone. What cannot be undone is made up for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from matrix.faults import fault, kinds
from matrix.plans import plan, snapshot

FOR_GOOD = 'for_good'
"""The parameter of a plan that wants no amends: Matrix's own plans never made any."""


def units(model: snapshot.Model, application: str) -> frozenset[str]:
    """The names of an application's units."""
    return frozenset(
        unit.name for one in model.applications if one.name == application for unit in one.units
    )


async def _nothing(_injection: fault.Injection) -> None:
    return None


async def _able(injection: fault.Injection) -> str:
    model = injection.link.now()
    known = {one.name for one in (*model.applications, *model.machines)}
    known |= {unit.name for one in model.applications for unit in one.units}
    unknown = [one for one in injection.targets if one not in known]
    return f'there is no {unknown[0]}' if unknown else ''


def _remember(injection: fault.Injection, model: snapshot.Model) -> None:
    for one in model.applications:
        injection.memory[one.name] = ' '.join(sorted(units(model, one.name)))


def _before(injection: fault.Injection, application: str) -> frozenset[str]:
    return frozenset(injection.memory.get(application, '').split())


async def _arm(injection: fault.Injection) -> None:
    _remember(injection, await injection.link.fresh())


def _kept(injection: fault.Injection) -> bool:
    return bool(injection.parameters.get(FOR_GOOD))


async def _add(injection: fault.Injection) -> None:
    for target in injection.targets:
        count = injection.parameters.get('count', 1)
        to = injection.parameters.get('to')
        await injection.link.add_unit(
            target.partition('/')[0], int(count), None if to is None else str(to)
        )


def _new(injection: fault.Injection, model: snapshot.Model) -> dict[str, frozenset[str]]:
    names = dict.fromkeys(one.partition('/')[0] for one in injection.targets)
    return {name: units(model, name) - _before(injection, name) for name in names}


async def _added(injection: fault.Injection) -> fault.Proof:
    new = _new(injection, await injection.link.fresh())
    if not all(new.values()):
        return ''
    return '; '.join(f'{", ".join(sorted(names))} joined {name}' for name, names in new.items())


async def _take_back(injection: fault.Injection) -> None:
    if not _kept(injection):
        for names in _new(injection, await injection.link.fresh()).values():
            for name in sorted(names):
                await injection.link.remove_unit(name)


async def _as_before(injection: fault.Injection) -> fault.Proof:
    model = await injection.link.fresh()
    if _kept(injection):
        return 'it stays so, as the plan has it'
    settled = [
        unit
        for one in model.applications
        for unit in one.units
        if one.name in {target.partition('/')[0] for target in injection.targets}
    ]
    _none_failed(injection.memory.get('leaving', '').split(), model)
    names = dict.fromkeys(one.partition('/')[0] for one in injection.targets)
    if any(len(units(model, name)) != len(_before(injection, name)) for name in names):
        return ''
    if any(unit.workload_status != 'active' or unit.agent_status != 'idle' for unit in settled):
        return ''
    return '; '.join(f'{name} has {len(_before(injection, name))} unit(s) again' for name in names)


async def _remove(injection: fault.Injection) -> None:
    for target in injection.targets:
        await injection.link.remove_unit(target)
        injection.memory['leaving'] = f'{injection.memory.get("leaving", "")} {target}'


async def _gone(injection: fault.Injection) -> fault.Proof:
    model = await injection.link.fresh()
    left = [one for one in injection.targets if one in units(model, one.partition('/')[0])]
    _none_failed(left, model)
    return '' if left else f'{", ".join(injection.targets)} gone from the model'


def _none_failed(departing: Iterable[str], model: snapshot.Model) -> None:
    """Nothing, where each unit that is removed can still go.

    Raises:
        fault.HopelessError: a hook of one failed: it stays until somebody resolves that.
    """
    for one in model.applications:
        for unit in one.units:
            if unit.name in departing and 'error' in {unit.agent_status, unit.workload_status}:
                said = unit.message or unit.agent_message or 'a hook failed'
                raise fault.HopelessError(f'{unit.name} is being removed and is in error: {said}')


async def _make_up(injection: fault.Injection) -> None:
    """As many units as there were, counted anew at each call, so that calling twice adds none too many."""
    if _kept(injection):
        return
    model = await injection.link.fresh()
    leaving = {*injection.memory.get('leaving', '').split()}
    for name in dict.fromkeys(one.partition('/')[0] for one in injection.targets):
        missing = len(_before(injection, name)) - len(units(model, name) - leaving)
        if missing > 0:
            await injection.link.add_unit(name, missing)


async def _idle(injection: fault.Injection) -> fault.Proof:
    return f'nothing was broken for {injection.event.hold:g} s, as the plan has it'


_LONG = (300.0, 900.0)

ADD = fault.Fault(
    kind=plan.Kind('add-unit', (kinds.APPLICATIONS, kinds.ONE), (5.0, 30.0)),
    sentence='{target} gets one more unit, and loses it again',
    colour=kinds.MODEL,
    unable=_able,
    arm=_arm,
    inject=_add,
    landed=_added,
    heal=_take_back,
    healed=_as_before,
    spare=0,
    exclusive='',
    reversible=False,
    within=_LONG,
)
REMOVE = dataclasses.replace(
    ADD,
    kind=plan.Kind('remove-unit', (kinds.UNITS, kinds.ONE), (5.0, 30.0)),
    sentence='{target} is removed, and another unit takes its place',
    inject=_remove,
    landed=_gone,
    heal=_make_up,
    spare=1,
)


async def _remember_all(injection: fault.Injection) -> None:
    await _arm(injection)
    on = [
        unit.name
        for one in injection.link.now().applications
        for unit in one.units
        if unit.machine in injection.targets
    ]
    injection.memory['units of these machines'] = ' '.join(on)


async def _remove_machine(injection: fault.Injection) -> None:
    for target in injection.targets:
        await injection.link.cli('remove-machine', '--force', '--no-prompt', target)
    injection.memory['leaving'] = injection.memory['units of these machines']


async def _machine_gone(injection: fault.Injection) -> fault.Proof:
    left = {one.id for one in (await injection.link.fresh()).machines} & {*injection.targets}
    return '' if left else f'machine {", ".join(injection.targets)} gone from the model'


def _of_machines(injection: fault.Injection) -> fault.Injection:
    lost = tuple(injection.memory.get('units of these machines', '').split())
    return dataclasses.replace(injection, targets=lost)


async def _replace_machine(injection: fault.Injection) -> None:
    await _make_up(_of_machines(injection))


async def _machine_replaced(injection: fault.Injection) -> fault.Proof:
    return await _as_before(_of_machines(injection)) or ''


REMOVE_MACHINE = dataclasses.replace(
    REMOVE,
    kind=plan.Kind('remove-machine', (kinds.MACHINES, kinds.ONE), (5.0, 30.0)),
    sentence='machine {target} is removed by force, and its units are made up for',
    arm=_remember_all,
    inject=_remove_machine,
    landed=_machine_gone,
    heal=_replace_machine,
    healed=_machine_replaced,
)
SLEEP = dataclasses.replace(
    ADD,
    kind=plan.Kind('sleep', (kinds.UNITS, kinds.ONE), (1.0, 10.0)),
    sentence='nothing is done to {target} for a while',
    arm=_nothing,
    inject=_nothing,
    landed=_idle,
    heal=_nothing,
    healed=_idle,
    reversible=True,
    within=(5.0, 5.0),
)

FAULTS: tuple[fault.Fault, ...] = (ADD, REMOVE)
ONLY_IN_PLANS: tuple[fault.Fault, ...] = (REMOVE_MACHINE, SLEEP)
"""Known by name, never chosen by chance."""
