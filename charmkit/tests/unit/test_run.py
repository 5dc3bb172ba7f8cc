"""Programs that a charm runs have an environment that is the machine's, not the charm's."""

from __future__ import annotations

import sys

import pytest
from charmkit import run


def test_a_program_does_not_find_the_modules_of_the_charm(monkeypatch: pytest.MonkeyPatch):
    """Its dispatch says where they are; a package whose scripts are Python would load them in place of its own."""
    monkeypatch.setenv('PYTHONPATH', '/charm/src')
    monkeypatch.setenv('JUJU_UNIT_NAME', 'demo/0')
    script = "import os, sys; print('/charm/src' in sys.path, os.environ['JUJU_UNIT_NAME'])"
    assert run.program(sys.executable, '-c', script).split() == ['False', 'demo/0']


def test_what_is_given_is_there_besides():
    script = "import os; print(os.environ['ASKED'])"
    assert run.program(sys.executable, '-c', script, environment={'ASKED': 'yes'}) == 'yes\n'
