"""The charm, and the agent that is attached to it."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from charmkit import testing as machines
from charmkit.calico import wheel
from ops import testing

from charms import conftest as shared
from charms.tests import wheels


@pytest.fixture
def ctx(machine: machines.FakeMachine, monkeypatch: pytest.MonkeyPatch) -> testing.Context[Any]:
    monkeypatch.setattr(wheel, 'PINNED', wheels.digest(wheels.released()))
    return testing.Context(shared.load('neutron-calico').NeutronCalicoCharm)


@pytest.fixture
def attached(tmp_path: pathlib.Path) -> testing.Resource:
    return wheels.resource(tmp_path, wheels.released())
