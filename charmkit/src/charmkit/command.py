"""The command ``charmkit``: make a charm, write what follows from its code, see whether it keeps the family's rules."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # It is what add_subparsers() gives; argparse has no public name for it.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage]

REFUSED = 2
"""Exit status: nothing was done, for the reason that is printed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; its exit status: 0, or 1 where something was found, or 2 where it could not be done."""
    parser = argparse.ArgumentParser(prog='charmkit', description=__doc__)
    parser.add_argument('--version', action=_Version, nargs=0, help='print it, and end')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    _add_new(commands)
    _add_check(commands)
    generate = commands.add_parser(
        'generate', help='write into charmcraft.yaml and lifecycle.yaml what follows from the code'
    )
    generate.add_argument('--check', action='store_true', help='only say which are not up to date')
    generate.add_argument('charms', nargs='+', metavar='FOLDER')
    asked = parser.parse_args(argv)
    run = {'new': _new, 'check': _check, 'generate': _generate}[asked.command]
    try:
        return run(asked)
    except BrokenPipeError:
        return REFUSED


class _Version(argparse.Action):
    """Looked up when it is asked for: it takes as long as all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from .scaffold import library

        parser.exit(message=f'charmkit {library.version()}\n')


def _add_new(commands: Commands) -> None:
    from . import scaffold

    kinds = '\n'.join(f'  {kind.name:15} {kind.summary}' for kind in scaffold.KINDS.values())
    new = commands.add_parser(
        'new',
        help='make a charm that works at once',
        description=f'Make a charm that works at once, in a folder of its name.\n\nkinds:\n{kinds}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument('name', metavar='NAME', help='small letters, digits and dashes')
    new.add_argument('--kind', default='api', metavar='KIND', help='what it is (default: api)')
    new.add_argument('--into', default='.', metavar='FOLDER', help='where its folder is made')
    new.add_argument(
        '--library',
        default='',
        metavar='PATH',
        help="charmkit's wheel or folder, for the charm (default: where this command was installed from)",
    )


def _add_check(commands: Commands) -> None:
    check = commands.add_parser('check', help='see whether a charm keeps the rules of the family')
    check.add_argument(
        'charms', nargs='*', metavar='CHARM', help="a charm's folder, or a packed .charm"
    )
    check.add_argument('--format', choices=('text', 'json', 'junit'), default='text')
    check.add_argument('--output', metavar='FILE', help='write the report there')
    check.add_argument('--strict', action='store_true', help='advice counts, too')
    check.add_argument(
        '--ignore', action='append', default=[], metavar='RULE', help='leave a rule out'
    )
    check.add_argument(
        '--run',
        action='store_true',
        help="run the charm's code too, on a machine that is only remembered: only for code that you trust",
    )
    check.add_argument('--rules', action='store_true', help='print the rules, and end')


def _new(asked: argparse.Namespace) -> int:
    from . import scaffold
    from .scaffold import library

    try:
        from .scaffold import creation
    except ModuleNotFoundError as e:
        return _refuse(f"{e.name} is missing: install it with pip install 'charmkit[author]'")
    folder = pathlib.Path(asked.into) / asked.name
    if problem := scaffold.problem_of_name(asked.name) or scaffold.problem_of_kind(asked.kind):
        return _refuse(problem)
    try:
        source = library.named(asked.library, folder) if asked.library else library.at_work(folder)
        wanted = scaffold.Wanted(asked.name, scaffold.KINDS[asked.kind], source.library)
        creation.create(wanted, folder, source.wheel)
    except (library.NotFoundError, creation.RefusedError) as e:
        return _refuse(str(e))
    print(f'{folder} is {wanted.kind.summary}; README.md says what to do next')
    return 0


def _check(asked: argparse.Namespace) -> int:
    from .conformance import check

    return check.main(asked)


def _generate(asked: argparse.Namespace) -> int:
    from . import generate

    for folder in asked.charms:
        if not pathlib.Path(folder, 'src/charm.py').is_file():
            return _refuse(f"{folder} has no src/charm.py: it is no charm of charmkit's")
    try:
        return generate.main([*(['--check'] if asked.check else []), '--', *asked.charms])
    except (Exception, SystemExit) as e:  # Whatever the charm raises while it is loaded.
        return _refuse(f'{", ".join(asked.charms)}: {type(e).__name__}: {str(e)[:200]}')


def _refuse(text: str) -> int:
    print(f'charmkit: {"".join(c if c.isprintable() else "?" for c in text)}', file=sys.stderr)
    return REFUSED


if __name__ == '__main__':
    sys.exit(main())
