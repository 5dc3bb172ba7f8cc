"""What can be asked for: a sub-command each."""

from __future__ import annotations

import argparse
import pathlib
from typing import cast

from lifecycle.declared import BASE
from lifecycle.problem import clean

SUMMARIES = {
    'plan': 'show what would be done, in order, and what stands in the way',
    'upgrade': 'do it; interrupted, the same command goes on where it was',
    'status': 'show where it is, and what it waits for',
    'rollback': 'go back, as long as no database was contracted',
    'report': 'make the page of a run from its journal',
    'skip': 'leave a step out, or accept a finding; the reason stays in the record',
}


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    return _made()[0]


def commands() -> dict[str, argparse.ArgumentParser]:
    """Each sub-command's own."""
    return _made()[1]


def _made() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    top = argparse.ArgumentParser(
        prog='juju lifecycle',
        description='Move a running cloud to the next base or release, or to other charms, unit after unit, behind '
        'its load balancers.',
    )
    below = top.add_subparsers(dest='command', required=True, metavar='COMMAND')
    each: dict[str, argparse.ArgumentParser] = {}
    for name, summary in SUMMARIES.items():
        one = below.add_parser(name, help=summary, description=f'{summary.capitalize()}.')
        what = 'the model; else the one that juju is switched to'
        one.add_argument('--model', '-m', type=_name, help=what)
        each[name] = one
    for name in ('plan', 'upgrade'):
        target = each[name]
        what = 'the base to go to, such as debian@13'
        target.add_argument('--to', metavar='BASE', type=_base, help=what)
        what = 'the archive to take another release from, such as cloud:noble-epoxy'
        target.add_argument('--origin', metavar='ARCHIVE', type=_origin, help=what)
        what = 'a folder with charms, packed or not: each application to the one of its name'
        target.add_argument('--charms', metavar='FOLDER', type=_folder, help=what)
        what = 'how to move an application: replace or in-place'
        each[name].add_argument(
            '--way', metavar='APP=WAY', action=_Ways, type=_way, default=[], help=what
        )
    for name in ('plan', 'upgrade', 'rollback'):
        what = 'the applications to move; else all that can be moved'
        each[name].add_argument('applications', nargs='*', metavar='APP', help=what)
    for name in ('plan', 'status'):
        each[name].add_argument('--format', choices=('table', 'json'), default='table')
    for name in ('upgrade', 'rollback'):
        _of_run(each[name])
    what = 'the journal of a run, as it said where that is'
    each['report'].add_argument('journal', type=pathlib.Path, metavar='JOURNAL', help=what)
    what = 'where the page is written; else beside the journal'
    each['report'].add_argument('--output', '-o', type=pathlib.Path, metavar='FILE', help=what)
    _of_load(each['report'])
    what = 'the id of a step or finding, as the plan shows it'
    each['skip'].add_argument('step', metavar='STEP', help=what)
    each['skip'].add_argument('--reason', required=True, help='why it may be left out')
    return top, each


def _of_run(one: argparse.ArgumentParser) -> None:
    one.add_argument('--yes', '-y', action='store_true', help='do not ask before beginning')
    one.add_argument('--dry-run', action='store_true', help='show the plan, change nothing')
    one.add_argument('--until', metavar='STEP', default='', help='stop after this step')
    _of_load(one)
    what = 'where the journal is written (JSON lines)'
    one.add_argument('--journal', type=pathlib.Path, metavar='FILE', help=what)


def _of_load(one: argparse.ArgumentParser) -> None:
    what = 'the file that a load writes each of its requests to (juju matrix load); a run stops when one is lost'
    one.add_argument('--load-journal', type=pathlib.Path, metavar='FILE', help=what)


class _Ways(argparse.Action):
    """One for each application."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Add one."""
        app, way = cast('tuple[str, str]', values)
        before: list[tuple[str, str]] = getattr(namespace, self.dest)
        other = dict(before).get(app, way)
        if other != way:
            parser.error(f'argument --way: {clean(app, 60)} cannot go both: {other} and {way}')
        setattr(namespace, self.dest, [*before, (app, way)])


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError('the name of a model is wanted')
    return text


def _folder(text: str) -> pathlib.Path:
    if not text.strip():
        raise argparse.ArgumentTypeError('a folder is wanted, such as ./charms')
    return pathlib.Path(text)


def _origin(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError('an archive is wanted, such as cloud:noble-epoxy')
    return text


def _way(text: str) -> tuple[str, str]:
    app, _, way = text.partition('=')
    if not app or way not in ('replace', 'in-place'):
        raise argparse.ArgumentTypeError(
            f'{clean(text, 60)}: wanted is APP=replace or APP=in-place'
        )
    return app, way


def _base(text: str) -> str:
    if not BASE.fullmatch(text):
        raise argparse.ArgumentTypeError(f'{clean(text, 40)} is no base; one is debian@13')
    return text
