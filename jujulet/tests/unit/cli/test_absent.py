"""What is not here is told in one line; what is here is in no such list."""

from __future__ import annotations

import fakes
import pytest

from jujulet.cli import absent, commands


@pytest.mark.parametrize('name', sorted(absent.REASONS))
def test_a_command_of_jujus_that_is_not_here_says_why(juju: fakes.Juju, name: str):
    found = juju.run(name, '--some', 'words')
    assert found.code == 1
    assert found.err == f'ERROR juju {name} is not provided by jujulet: {absent.REASONS[name]}\n'


def test_what_is_here_is_not_said_to_be_absent():
    assert not absent.REASONS.keys() & (commands.TABLE.keys() | commands.ALIASES.keys())


def test_another_word_is_no_command_of_jujus(juju: fakes.Juju):
    assert 'is not a juju command' in juju.run('no-such-thing').err


def test_resolve_is_resolved():
    found = commands.find('resolve')
    assert found is not None
    assert found.name == 'resolved'
