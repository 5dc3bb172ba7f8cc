"""What the tests of all API charms share: a remembered machine, and relations that answer."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from typing import Any

import charmkit
import pytest
from charmkit import testing as machines
from charmkit.related import broker as broker
from charmkit.related import database as database
from charmkit.related import identity as identity
from charmkit.related import networks as networks

from tests import quick_yaml

quick_yaml.quicken()

CHARMS = pathlib.Path(__file__).parent
BASES = ('debian@12', 'debian@13', 'ubuntu@24.04')


def load(name: str) -> Any:
    """The module ``src/charm.py`` of the charm *name*, under a name of its own."""
    module_name = f'{name.replace("-", "_")}_charm'
    if module_name not in sys.modules:
        path = CHARMS / name / 'src' / 'charm.py'
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise FileNotFoundError(path)
        module = importlib.util.module_from_spec(spec)
        # Its own modules are found there, as on a unit; what a test has put before them comes first.
        sys.path.append(str(path.parent))
        sys.modules[module_name] = module
        spec.loader.exec_module(module)
    return sys.modules[module_name]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> machines.FakeMachine:
    """The machine that every charm of the test runs on."""
    fake = machines.FakeMachine()
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return fake
