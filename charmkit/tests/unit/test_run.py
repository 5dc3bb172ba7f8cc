"""Programs that a charm runs have an environment that is the machine's, not the charm's."""

from __future__ import annotations

import getpass
import sys

import pytest
from charmkit import host, run


def test_a_program_does_not_find_the_modules_of_the_charm(monkeypatch: pytest.MonkeyPatch):
    """Its dispatch says where they are; a package whose scripts are Python would load them in place of its own."""
    monkeypatch.setenv('PYTHONPATH', '/charm/src')
    monkeypatch.setenv('JUJU_UNIT_NAME', 'demo/0')
    script = "import os, sys; print('/charm/src' in sys.path, os.environ['JUJU_UNIT_NAME'])"
    assert run.program(sys.executable, '-c', script).split() == ['False', 'demo/0']


def test_what_is_given_is_there_besides():
    script = "import os; print(os.environ['ASKED'])"
    assert run.program(sys.executable, '-c', script, environment={'ASKED': 'yes'}) == 'yes\n'


@pytest.mark.parametrize('may_fail', [True, False])
def test_what_a_command_says_is_shown_without_the_password_in_an_address(
    may_fail: bool, caplog: pytest.LogCaptureFixture
):
    """Also where the end that is shown begins within the address."""
    said = "'bad mysql+pymysql://demo:hush@db/' + 'x' * 1985"
    script = f'import sys; print({said}); sys.exit(1)'
    command = host.Command(
        name='demo',
        argv=(sys.executable, '-c', script),
        key='',
        user=getpass.getuser(),
        may_fail=may_fail,
    )
    try:
        run.command(command)
        shown = caplog.text
    except run.CommandError as e:
        shown = str(e)
    assert 'demo ended with 1' in shown
    assert 'hush' not in shown
