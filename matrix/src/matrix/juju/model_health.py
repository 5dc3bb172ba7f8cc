"""How a model is: what is still at work in it, and what is wrong. Pure."""

from __future__ import annotations

import dataclasses

from matrix.plans import snapshot

_AT_WORK = frozenset({'executing', 'allocating', 'rebooting'})
_ILL_AGENT = frozenset({'error', 'lost', 'failed'})
_ILL = frozenset({'error', 'blocked', 'lost', 'failed', 'unknown-error'})
_WELL = frozenset({'active', 'unknown', 'unset', ''})  # Some charms never set a status.
_ILL_MACHINE = frozenset({'down', 'error', 'stopped', 'provisioning error'})
_ROUTINE = 'update-status'  # A hook that comes by itself, and says nothing of how a unit is.


@dataclasses.dataclass(frozen=True)
class ModelHealth:
    """What was seen: `ill` is wrong, `at_work` goes on by itself, `unready` is neither and waits. Sentences."""

    ill: tuple[str, ...] = ()
    at_work: tuple[str, ...] = ()
    unready: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Nothing is wrong, and nothing is left to do."""
        return not (self.ill or self.at_work or self.unready)

    @property
    def sentence(self) -> str:
        """The worst of it, in one line."""
        found = (*self.ill, *self.unready, *self.at_work)
        more = f' (and {len(found) - 3} more)' if len(found) > 3 else ''
        return '; '.join(found[:3]) + more


def look(model: snapshot.Model) -> ModelHealth:
    """How a model is now. A model without units has nothing to be well."""
    ill: list[str] = []
    at_work: list[str] = []
    unready: list[str] = []
    units = [unit for one in model.applications for unit in one.units]
    for unit in units:
        said = f'{unit.name} is {unit.workload_status}' + (
            f': {unit.message}' if unit.message else ''
        )
        if unit.workload_status in _ILL or unit.agent_status in _ILL_AGENT:
            agent = unit.agent_status
            ill.append(
                said if unit.workload_status in _ILL else f'the agent of {unit.name} is {agent}'
            )
        if unit.agent_status in _AT_WORK and _ROUTINE not in unit.agent_message:
            doing = unit.agent_message or unit.agent_status
            at_work.append(f'{unit.name}: {doing}')
        elif unit.workload_status not in _ILL | _WELL:
            unready.append(said)
    at_work += [
        f'machine {one.id} is {one.status}' for one in model.machines if one.status == 'pending'
    ]
    ill += [_machine(one) for one in model.machines if one.status in _ILL_MACHINE]
    if not units:
        unready.append('there is no unit')
    unready += [
        f'{one.name} has no unit'
        for one in model.applications
        if units and not one.units and one.status not in _WELL
    ]
    return ModelHealth(tuple(ill), tuple(at_work), tuple(unready))


def _machine(one: snapshot.Machine) -> str:
    return f'machine {one.id} is {one.status}' + (f': {one.message}' if one.message else '')


def settled(model: snapshot.Model) -> tuple[object, ...]:
    """What must not change while a model settles: everything but hooks that come by themselves."""
    units = tuple(
        (
            unit.name,
            unit.workload_status,
            unit.message,
            unit.agent_status in _AT_WORK and _ROUTINE not in unit.agent_message,
        )
        for one in model.applications
        for unit in one.units
    )
    return (units, tuple((one.id, one.status) for one in model.machines))
