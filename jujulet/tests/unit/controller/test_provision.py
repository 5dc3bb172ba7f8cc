"""What the controller does with machines as it starts."""

from __future__ import annotations

import asyncio
import types

import pytest

from jujulet.controller import provision
from jujulet.machines import tools


class _Kind:
    """Machines of one kind, as far as recovery goes."""

    def __init__(self, error: Exception | None = None):
        self.error, self.recovered = error, False

    async def recover(self, alive: set[tuple[str, str]]) -> None:
        self.recovered = True
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    'error', [tools.Failed(['podman', 'ps'], 125, '', 'no such runtime'), OSError('disk full')]
)
def test_what_cannot_be_recovered_is_told_and_keeps_nothing_else_waiting(error: Exception) -> None:
    broken, well = _Kind(error), _Kind()
    told: list[tuple[str, str, str]] = []

    def log(uuid: str, _entity: str, level: str, _module: str, message: str) -> None:
        told.append((uuid, level, message))

    engine = types.SimpleNamespace(
        machines={'containers': broken, 'processes': well},
        models={'u-u-i-d': types.SimpleNamespace(machines={})},
        log=log,
    )
    asyncio.run(provision.Provision(engine, types.SimpleNamespace()).recover())  # type: ignore[arg-type]
    assert well.recovered
    ((uuid, level, message),) = told
    assert (uuid, level) == ('u-u-i-d', 'ERROR')
    assert str(error) in message
