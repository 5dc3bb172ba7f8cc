"""How long a test may take before it is ended as failed, by its kind.

A limit is no promise: it is there so that a test that hangs does not hold all others.

A test that needs more says so itself with ``pytest.mark.timeout(seconds)``, and must be ``slow`` beyond LONGEST_S.
"""

from __future__ import annotations

import os

import pytest

SECONDS = {'integration': 1800.0, 'functional': 900.0}
"""By marker. Without one of them a test is a unit test."""
UNIT_S = 60.0
OFF = 'TEST_LIMITS'
"""An environment variable: with the value `off` no test has a limit. Whoever sets it watches over the tests itself: to
`make mutants` a test that is slow on a busy machine must not look like one that has noticed a mutant."""
LONGEST_S = 1800.0
"""The most that a test of `make test` may ask for."""


def kind(item: pytest.Item) -> str:
    """``integration``, ``functional`` or ``unit``."""
    return next((name for name in SECONDS if item.get_closest_marker(name)), 'unit')


def give(item: pytest.Item) -> None:
    """Give a test that has no limit of its own the limit of its kind."""
    if os.environ.get(OFF) == 'off':
        item.add_marker(pytest.mark.timeout(0), append=False)
        return
    if item.get_closest_marker('timeout') is None:
        item.add_marker(pytest.mark.timeout(SECONDS.get(kind(item), UNIT_S)))


def of(item: pytest.Item) -> float:
    """A test's limit in seconds; 0: it has none."""
    mark = item.get_closest_marker('timeout')
    if mark is None:
        return 0
    return float(mark.args[0] if mark.args else mark.kwargs.get('timeout', 0))
