"""Makes ``toolworld`` importable, and a world of it a fixture."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import toolworld


@pytest.fixture
def world() -> toolworld.World:
    return toolworld.World()


@pytest.fixture
def served(
    world: toolworld.World, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[toolworld.World]:
    """The world's hook tools as real programs, first on the PATH of this process."""
    with toolworld.served(world, tmp_path) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        yield world
