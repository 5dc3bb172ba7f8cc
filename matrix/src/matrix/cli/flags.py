"""The flags of a run: those of juju-solutions/matrix 0.10 in both spellings, and ours."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import pathlib
import re
from typing import Any, cast

from matrix.grammar import located, problem
from matrix.run import options

DEFAULTS = options.Options()

_SECONDS = re.compile(r'(\d+(?:\.\d+)?)(s|m|h)?\Z')
_FACTORS = {'': 1.0, 's': 1.0, 'm': 60.0, 'h': 3600.0}


def seconds(text: str) -> float:
    """`90`, `90s`, `15m` or `1h` in seconds."""
    found = _SECONDS.match(text)
    if found is None:
        raise argparse.ArgumentTypeError(f'{text!r} is not a time such as 90, 90s or 15m')
    return float(found[1]) * _FACTORS[found[2] or '']


def positive(text: str) -> float:
    """A number above 0."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and found > 0):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number above 0')
    return found


def count(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 0')
    return int(text)


def seed(text: str) -> int:
    """A whole number, also as `0x` and hexadecimal digits."""
    try:
        return int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number') from None


def pair(text: str) -> tuple[str, str]:
    """`KEY=VALUE`."""
    key, found, value = text.partition('=')
    if not found or not key:
        raise argparse.ArgumentTypeError(f'{text!r} is not KEY=VALUE')
    return key, value


def some_time(text: str) -> float:
    """A time such as `90`, `90s` or `15m`, and not none."""
    found = seconds(text)
    if not found:
        raise argparse.ArgumentTypeError(f'{text!r} is no time at all')
    return found


def replacement(text: str) -> tuple[str, str]:
    """`APPLICATION=PATH`, its path whole."""
    name, path = pair(text)
    return name, str(pathlib.Path(path).resolve())


def configure(parser: argparse.ArgumentParser) -> None:
    """Add every flag. One that was not given leaves nothing behind, so that a bundle's own defaults can."""
    parser.argument_default = argparse.SUPPRESS
    _old(parser)
    ours = parser.add_argument_group('beyond juju-solutions/matrix')
    ours.add_argument(
        '--strict-compat',
        '--strict_compat',
        action='store_true',
        help='act as 0.10 did, where we differ',
    )
    ours.add_argument('--seed', type=seed, help='make the same plan and load again')
    ours.add_argument(
        '--seeds', type=count, metavar='N',
        help='so many runs, each with the seed after the one before; their plans cover more and more',
    )  # fmt: skip
    ours.add_argument(
        '--unknown-is',
        '--unknown_is',
        choices=('pass', 'fail'),
        help='what an unknown outcome counts as (fail)',
    )
    ours.add_argument('--rate', type=positive, help='operations a second of the load (10)')
    ours.add_argument(
        '--shrink-for', '--shrink_for', type=seconds, metavar='TIME',
        help='how long to look for the smallest plan that still fails (15m)',
    )  # fmt: skip
    ours.add_argument(
        '--no-shrink', '--no_shrink', dest='shrink_for', action='store_const', const=None,
        help='do not look for it',
    )  # fmt: skip
    ours.add_argument(
        '--shrink-bundle', '--shrink_bundle', action='store_true',
        help='then leave out applications too: each try deploys the bundle anew',
    )  # fmt: skip
    ours.add_argument(
        '--overlay',
        action='append',
        type=pathlib.Path,
        metavar='FILE',
        help='deploy with an overlay',
    )
    ours.add_argument(
        '--spaces',
        type=pathlib.Path,
        metavar='FILE',
        help='make these spaces in a new model first',
    )
    ours.add_argument(
        '--model-config', '--model_config', action='append', type=pair, metavar='KEY=VALUE',
        help='configure a new model',
    )  # fmt: skip
    ours.add_argument(
        '--replace', action='append', type=replacement, metavar='APPLICATION=PATH',
        help='the fault `refresh` goes to this charm, and back',
    )  # fmt: skip
    ours.add_argument(
        '--deadline', type=some_time, metavar='TIME', help='the longest that a test may take (1h)'
    )


def _old(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    path = pathlib.Path
    add('-c', '--controller', help='the controller to use')
    add('-m', '--model', help='use this model, and leave it there')
    add('-M', '--model-prefix', '--model_prefix', help='what names of models begin with (matrix)')
    add('-k', '--keep-models', '--keep_models', action='store_true', help='do not destroy models')
    add('-C', '--cloud', help='the cloud to make models on')
    add('-l', '--log-level', '--log_level', help='how much is logged (INFO)')
    add('-L', '--log-name', '--log_name', nargs='*', help='log only what is named so')
    add('-f', '--log-filter', '--log_filter', nargs='*', help='log only what holds this text')
    add('-d', '--output-dir', '--output_dir', type=path, help='where `matrix-runs` is made')
    add('-s', '--skin', choices=('tui', 'raw'), help='a full screen, or lines')
    add('-x', '--xunit', type=path, metavar='FILE', help='write JUnit XML here too')
    add(
        '-F',
        '--fail-fast',
        '--fail_fast',
        action='store_true',
        help='run no test after one that failed',
    )
    add(
        '-i',
        '--interval',
        type=positive,
        help='seconds between questions to Juju when all is quiet (5)',
    )
    add('-p', '--path', type=path, help='the bundle: its folder or file (here)')
    add(
        '-D',
        '--no-default-suite',
        '--no_default_suite',
        action='store_true',
        help='leave out the default suite',
    )
    add(
        '-B',
        '--no-bundle-suite',
        '--no_bundle_suite',
        action='store_true',
        help="leave out the bundle's suite",
    )
    add('-t', '--test_pattern', '--test-pattern', nargs='*', help='run only tests named so')
    add(
        '-g',
        '--chaos_plan',
        '--chaos-plan',
        type=path,
        metavar='FILE',
        help='the plan of the chaos',
    )
    add(
        '-n',
        '--chaos_num',
        '--chaos-num',
        type=count,
        help='how many faults a plan is made of (5)',
    )
    add(
        '-o',
        '--chaos_output',
        '--chaos-output',
        type=path,
        metavar='FILE',
        help='write the plan here too',
    )
    add(
        '-H',
        '--ha',
        action='store_true',
        help='the bundle is highly available: rules that are `ha_only` count',
    )
    add('suites', nargs='*', type=path, metavar='SUITE', default=[], help='more suites')


def gather(call: argparse.Namespace, said: dict[str, Any]) -> options.Options:
    """The options of a run: flags before what the bundle says, before the environment, before our own."""
    environment: dict[str, Any] = {}
    if folder := os.environ.get('MATRIX_OUTPUT_DIR'):
        environment['output_dir'] = pathlib.Path(folder)
    if prefix := os.environ.get('MATRIX_MODEL_PREFIX'):
        environment['model_prefix'] = prefix
    given = {**vars(call)}
    known = {field.name for field in dataclasses.fields(options.Options)}
    found = {key: value for key, value in {**environment, **said, **given}.items() if key in known}
    for key, value in found.items():
        if isinstance(value, list):
            found[key] = tuple(cast('list[Any]', value))
    return options.Options(**found)


_NOT_AGAIN = frozenset({'path', 'chaos_plan', 'chaos_output', 'seed', 'seeds', 'xunit', 'skin'})
"""What belongs to one run alone."""


def words(call: argparse.Namespace, bundle: pathlib.Path) -> tuple[str, ...]:
    """The words that say the same again, from any folder; `configure` reads them."""
    parser = argparse.ArgumentParser(add_help=False)
    configure(parser)
    found = ['-p', str(bundle)]
    last: list[str] = []
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage]
        if action.dest in _NOT_AGAIN or not hasattr(call, action.dest):
            continue
        value: Any = getattr(call, action.dest)
        several = isinstance(value, list | tuple) and action.nargs == '*'
        items = [_word(one) for one in cast('list[Any]', value)] if several else []
        if not action.option_strings:
            last = items
        elif action.nargs == 0:
            found += [action.option_strings[0]] if value == action.const else []
        elif several:
            found += [action.option_strings[0], *items]
        elif isinstance(value, list | tuple):
            for one in cast('list[Any]', value):
                found += [action.option_strings[0], _word(one)]
        elif value is not None:
            found += [action.option_strings[0], _word(value)]
    return (*last, *found)


def _word(value: Any) -> str:
    if isinstance(value, pathlib.Path):
        return str(value.resolve())
    return '='.join(cast('tuple[str, str]', value)) if isinstance(value, tuple) else str(value)


def of_bundle(value: located.Value | None, folder: pathlib.Path) -> dict[str, Any]:
    """What a bundle's tests/test.yaml says under `matrix`: the same names as flags, with `-` or `_`.

    Raises:
        problem.RefusedError: with every problem, each at its line.
    """
    if value is None or (isinstance(value, located.Scalar) and value.value is None):
        return {}
    if not isinstance(value, located.Mapping):
        message = f"'matrix' is a mapping of options, this is {located.kind(value)}"
        raise problem.RefusedError([problem.Problem(value.where, message)])
    parser = _Strict(argument_default=argparse.SUPPRESS, add_help=False)
    configure(parser)
    actions = {one.dest: one for one in parser._actions}  # pyright: ignore[reportPrivateUsage]
    actions.pop('path')
    found: dict[str, Any] = {}
    problems: list[problem.Problem] = []
    for entry in value.entries:
        key = entry.key.replace('-', '_')
        action = actions.get(key)
        if action is None:
            near = problem.suggestion(key, actions)
            problems.append(
                problem.Problem(entry.where, f'there is no option {entry.key!r}{near}')
            )
            continue
        try:
            found[key] = _value(action, located.plain(entry.value), folder)
        except (argparse.ArgumentTypeError, ValueError, TypeError) as error:
            problems.append(problem.Problem(entry.value.where, f'{entry.key}: {error}'))
    if problems:
        raise problem.RefusedError(problems)
    return found


class _Strict(argparse.ArgumentParser):
    """A parser of which only the table of options is used."""


def _value(action: argparse.Action, said: located.Plain, folder: pathlib.Path) -> Any:
    if action.nargs == 0:
        if not isinstance(said, bool):
            raise ValueError(f'it is true or false, this is {said!r}')
        return said
    convert: Any = action.type or str
    several = action.nargs == '*' or isinstance(action, argparse._AppendAction)  # pyright: ignore[reportPrivateUsage]
    if isinstance(said, dict) and action.dest == 'model_config':
        return tuple((key, str(value)) for key, value in said.items())
    items = said if isinstance(said, list) else [said]
    if not several and len(items) != 1:
        raise ValueError(f'it is one value, this is {said!r}')
    if any(isinstance(one, dict | list | None) for one in items):
        raise ValueError(f'it is a word or number, this is {said!r}')
    if convert is pathlib.Path:
        found = [folder / str(one).replace('{bundle}', str(folder)) for one in items]
    else:
        found = [convert(str(one)) for one in items]
    if action.choices is not None and found[0] not in action.choices:
        raise ValueError(f'it is {" or ".join(action.choices)}, this is {said!r}')
    return tuple(found) if several else found[0]
