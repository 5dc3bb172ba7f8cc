"""Words that faults are declared with: whom they choose, and in which colours they are drawn."""

from __future__ import annotations

from matrix.plans import plan, selectors

UNITS = selectors.Selector('units')
ONE = selectors.Selector('one')
MINORITY = selectors.Selector('minority')
FOLLOWER = selectors.Selector('leader', (('value', False),))
LEADER = selectors.Selector('leader', (('value', True),))
MACHINES = selectors.Selector('machines')
APPLICATIONS = selectors.Selector('applications')

# One hue a family, told apart by lightness too, so that they differ for every eye and on paper.
PROCESS, MACHINE, MODEL, NETWORK, DATA, CLOCK = (
    '#a0b1e9', '#e58a6d', '#8fc7a1', '#d9b44a', '#b58fd1', '#7fb8c9',
)  # fmt: skip


def unit(
    name: str,
    *parameters: tuple[str, int, int],
    hold: tuple[float, float] = (5.0, 30.0),
    choose: tuple[selectors.Selector, ...] = (UNITS, ONE),
) -> plan.Kind:
    """A kind that strikes one unit, and so its machine."""
    return plan.Kind(name, choose, hold, parameters)
