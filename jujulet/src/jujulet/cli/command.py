"""What a command of ``juju`` is, and what it is given when it runs.

Modules of commands are imported only when one of theirs is called: ``juju status`` must start fast.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import client
from ..core import gnuflag, refusal
from . import home, out

if TYPE_CHECKING:
    from ..core import model as model_

Flag = gnuflag.Flag

COMMON = (
    Flag(('debug',), 'bool', help='Equivalent to --show-log --logging-config=<root>=DEBUG'),
    Flag(('logging-config',), help='Specify log levels for modules'),
    Flag(('quiet', 'q'), 'bool', help='Show no informational output'),
    Flag(('show-log',), 'bool', help='If set, write the log file to stderr'),
    Flag(('verbose', 'v'), 'bool', help='Show more verbose output'),
    Flag(('no-browser-login', 'B'), 'bool', help='Accepted, there is no login'),
)
MODEL = Flag(
    ('model', 'm'),
    help='Model to operate in. Accepts [<controller name>:]<model name>|<model UUID>',
)
CONTROLLER = Flag(('controller', 'c'), help='Controller to operate in')
NO_PROMPT = Flag(('no-prompt', 'y'), 'bool', help='Do not ask for confirmation')
FORCE = Flag(('force',), 'bool', help='Do it although something stands against it')


@dataclasses.dataclass(frozen=True)
class Command:
    """One command: how it is typed, what it says of itself, and what it does."""

    name: str
    run: Callable[[Call], int | None]
    """Returns the exit code; None is 0. Raises ``model.Refused``."""
    summary: str
    usage: str = ''
    """Positional arguments, for ``--help``."""
    flags: tuple[Flag, ...] = ()
    needs: tuple[str, ...] = ()
    """What to say when the first, second, … positional argument is missing."""
    most: int | None = 0
    """How many positional arguments at most; None: any number. At least ``len(needs)``."""
    formats: tuple[str, ...] = ()
    """Values of ``--format``, the default first; empty: the command has no such flag."""
    model: bool = True
    """Whether it has ``--model``."""
    interspersed: bool = True
    """False: what follows the first positional argument is not ours to read."""
    details: str = ''

    @property
    def all_flags(self) -> tuple[Flag, ...]:
        """Its own flags, and those that it shares."""
        more: tuple[Flag, ...] = COMMON
        if self.model:
            more = (*more, MODEL)
        if self.formats:
            help_ = f'Specify output format ({"|".join(sorted(self.formats))})'
            more = (
                *more,
                Flag(('format',), default=self.formats[0], help=help_),
                Flag(('output', 'o'), help='Specify an output file'),
            )
        taken = {name for flag in self.flags for name in flag.names}
        rest: list[Flag] = []
        for flag in more:  # A command may give a short name another meaning.
            names = tuple(n for n in flag.names if n not in taken)
            if names and flag.names[0] in names:
                rest.append(dataclasses.replace(flag, names=names))
        return (*self.flags, *rest)


@dataclasses.dataclass
class Call:
    """One run of one command."""

    command: Command
    parsed: gnuflag.Parsed
    controller: client.Controller

    @property
    def args(self) -> tuple[str, ...]:
        """Positional arguments."""
        return self.parsed.positionals

    def __getitem__(self, flag: str) -> Any:
        return self.parsed[flag]

    def given(self, flag: str) -> bool:
        """Whether the user typed the flag."""
        return flag in self.parsed.given

    @property
    def model(self) -> str:
        """The model string to work on: the flag, ``$JUJU_MODEL``, or the one that was switched to."""
        return home.resolve_model(self['model'] or os.environ.get('JUJU_MODEL', ''))

    def ask(self, question: str, **args: Any) -> Any:
        """One question about the model."""
        return self.controller.ask(question, model=self.model, **args)

    def change(self, request: Any) -> dict[str, Any]:
        """Change the model. Raises ``model.Refused``."""
        return self.controller.change(self.model, request)

    def fetch_model(self) -> model_.Model:
        """All of the model, as a value."""
        from .. import codec  # Only some commands need it, and it costs.
        from ..core import model as model_

        return codec.decode(model_.Model, self.ask('whole-model'))

    def show(self, value: Any, table: Callable[[bool], str] | None = None) -> None:
        """Print *value* in the format asked for; *table* gives the tabular text, in colour or not."""
        out.show(value, self['format'], self['output'], table)

    def say(self, text: str) -> None:
        """Tell a person (standard error), unless ``--quiet``."""
        if not self['quiet']:
            print(text, file=sys.stderr)

    def remove(self, lines: Sequence[str], model: model_.Model, request: Any) -> None:
        """Carry out a removal, of which *lines* say what goes. Raises ``model.Refused``.

        They are shown before where the model's ``mode`` wants a question to be asked, else once it is done.
        """
        from ..core import modelconfig

        asked = not self['no-prompt'] and modelconfig.requires_prompts(model)
        if asked and lines:
            print(*lines, sep='\n', flush=True)
        if asked:
            self.confirm('\nContinue [y/N]? ')
        self.change(request)
        if not asked:
            print(*lines, sep='\n')

    def confirm(self, question: str, *, expected: str = 'y') -> None:
        """Go on only if the user agrees, or has said ``--no-prompt``. Raises ``model.Refused``."""
        if self['no-prompt']:
            return
        sys.stderr.write(question)
        sys.stderr.flush()
        reply = sys.stdin.readline().strip()
        if reply.lower() not in (
            expected.lower(),
            'yes' if expected == 'y' else expected.lower(),
        ):
            raise refusal.Refused('aborted')


def usage_error(message: str) -> refusal.Refused:
    """Bad arguments: exit code 2."""
    return refusal.Refused(message, code=2)


def commas(values: Iterable[str] | str) -> tuple[str, ...]:
    """Values of a flag that takes ``a,b`` and may be repeated."""
    texts = (values,) if isinstance(values, str) else values
    return tuple(v.strip() for text in texts for v in text.split(',') if v.strip())


def pairs(words: Sequence[str], *, what: str = 'key=value') -> dict[str, str]:
    """``k=v`` words as a mapping; values may hold anything. Raises ``model.Refused`` (exit code 2)."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition('=')
        if not equals or not key:
            raise usage_error(f'expected {what}, got {gnuflag.quote(word)}')
        if key in found:
            raise usage_error(f'key {gnuflag.quote(key)} specified more than once')
        found[key] = value
    return found


def constraints(words: Sequence[str]) -> Mapping[str, Any]:
    """Constraints as typed. Raises ``model.Refused``."""
    from ..core import constraints as constraints_

    try:
        return constraints_.parse(words)
    except constraints_.Invalid as error:
        raise usage_error(str(error)) from None
