"""The commands, each a module of `matrix.cli.commands`. One is added by its name here."""

from __future__ import annotations

import argparse
import importlib
from typing import Protocol, cast

COMMANDS: dict[str, str] = {
    'run': 'test a bundle; what `juju matrix` does without a command',
    'replay': 'run a plan again',
    'shrink': 'find the smallest plan with which a finished run still fails',
    'check': 'judge a finished run again, from its journal',
    'coverage': 'say what the runs of a bundle have tried, and what never was',
    'gate': 'say whether a bundle is worse with another charm in it',
    'compare': 'say what is other in one run than in another',
    'metrics': "print a run as Prometheus' text",
    'heal': 'undo every fault that a run left behind',
    'report': 'make the reports of a run again',
    'watch': 'see a run on the terminal, while it goes on or long after',
    'export': 'print a run as the journal of the Chaos Toolkit',
    'import-zaza': "make a suite from zaza's tests.yaml",
    'load': 'use what is deployed until Ctrl-C, and report each request; nothing is broken',
    'lint': 'say what is wrong with suites and plans',
}


class Command(Protocol):
    """What a module of a command has."""

    HELP: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add its arguments."""
        ...

    def run(self, call: argparse.Namespace) -> int:
        """Do it; returns the exit code.

        Raises:
            problem.RefusedError: what was asked for cannot be used.
        """
        ...


def load(name: str) -> Command:
    """A command's module."""
    module = importlib.import_module(f'matrix.cli.commands.{name.replace("-", "_")}')
    return cast('Command', module)


def overview() -> str:
    """All commands, one a line."""
    lines = [f'    juju matrix {name:14} {summary}' for name, summary in COMMANDS.items()]
    return '\n'.join(
        (
            'Test a Juju bundle while breaking it, and say what broke it.',
            '',
            '    juju matrix -p BUNDLE [options] [SUITE…]',
            *lines,
            '',
            '`juju matrix COMMAND --help` says more of one.',
        )
    )
