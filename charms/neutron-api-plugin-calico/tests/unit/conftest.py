"""The charm, and the driver that is attached to it."""

from __future__ import annotations

import pathlib
from typing import Any

import driver_wheel
import pytest
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

from . import scenes, wheels


@pytest.fixture
def ctx(machine: machines.FakeMachine, monkeypatch: pytest.MonkeyPatch) -> testing.Context[Any]:
    monkeypatch.setattr(driver_wheel, 'PINNED', wheels.digest(wheels.released()))
    return testing.Context(shared.load('neutron-api-plugin-calico').NeutronApiPluginCalicoCharm)


@pytest.fixture
def attached(tmp_path: pathlib.Path) -> testing.Resource:
    return scenes.resource(tmp_path, wheels.released())
