"""Machines with haproxy and keepalived, one a base, in containers that are removed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import lb_machine
import pytest

from tools import systems

Boot = Callable[..., lb_machine.Machine]


@pytest.fixture(scope='session')
def boot() -> Iterator[Boot]:
    """Boots machines, and removes them in the end."""
    names: list[str] = []

    def start(base: str, *options: str) -> lb_machine.Machine:
        names.append(lb_machine.fresh_name(len(names)))
        return lb_machine.boot(names[-1], base, *options)

    yield start
    for name in names:
        systems.remove(name)


@pytest.fixture(scope='session', params=systems.BASES)
def machine(request: pytest.FixtureRequest, boot: Boot) -> lb_machine.Machine:
    return boot(request.param)
