"""Makes ``simulation`` and ``order`` importable."""

from __future__ import annotations

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import simulation


@pytest.fixture
def world() -> simulation.World:
    return simulation.World()
