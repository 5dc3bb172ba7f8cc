"""Plans of the first format as events of the second: the same is done to the same, and can be shrunk. Pure."""

from __future__ import annotations

from matrix.grammar import located
from matrix.plans import chaosplan, plan

GAP = 2.0
"""Seconds between two actions, as juju-solutions/matrix paused."""

_KINDS = {
    'reboot': 'reboot',
    'remove_unit': 'remove-unit',
    'add_unit': 'add-unit',
    'kill_juju_agent': 'kill-agent',
    'sleep': 'sleep',
    'destroy_machine': 'remove-machine',
}
_FOR_GOOD = frozenset({'remove_unit', 'add_unit', 'destroy_machine'})  # Matrix left the model so.
_NOT_PARAMETERS = frozenset({'inflight', 'interval', 'hold', 'seconds'})


def events(full: chaosplan.Plan, seed: int) -> plan.Plan:
    """One event for each action, in its order; whom it strikes is chosen when its turn comes.

    Of the documented wrapper, `interval` is the pause in seconds after an action; `inflight` says how many targets
    are struck at once, and here all that were chosen are.
    """
    found: list[plan.FaultEvent] = []
    at = 0.0
    for number, action in enumerate(full.actions, 1):
        arguments = dict(action.args)
        hold = _seconds(
            arguments.get('seconds', arguments.get('hold')), 1.0 if action.name == 'sleep' else 0.0
        )
        good = (('for_good', True),) if action.name in _FOR_GOOD else ()
        found.append(
            plan.FaultEvent(
                id=f'a{number}',
                fault=_KINDS[action.name],
                at=round(at, 1),
                hold=hold,
                selectors=action.selectors,
                parameters=(
                    *good,
                    *(
                        (key, value)
                        for key, value in action.args
                        if key not in _NOT_PARAMETERS
                        and isinstance(value, bool | int | float | str)
                    ),
                ),
            )
        )
        at += _seconds(arguments.get('interval'), GAP)
    return plan.Plan(seed, tuple(found))


def _seconds(said: located.Plain, otherwise: float) -> float:
    if isinstance(said, int | float) and not isinstance(said, bool) and said >= 0:
        return float(said)
    return otherwise
