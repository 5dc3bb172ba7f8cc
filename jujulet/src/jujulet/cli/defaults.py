"""``juju model-defaults``: what models begin with that are made from now on.

Source: cmd/juju/model/defaultscommand.go of Juju 3.6, with its words.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from ..core import model as model_
from ..core import modelconfig, modeldefaults, table
from . import command, home, models
from .command import Call, Command, Flag

KEY = 'model-defaults'
"""In what the command line remembers: ``modeldefaults.Kept``."""
_CLOUDS = ('localhost', 'processes')
_REGION = 'localhost'
_BOTH = 'cannot set and retrieve default values simultaneously'


def _run(call: Call) -> None:
    home.check_controller(call['controller'])
    reset = _reset(call)
    where, words = _place(call.args)
    last = words[-1] if words else ''
    if last and _sets(last):
        _set(where, words, reset)
        return
    if reset:
        _only_reset(where, words, reset)
        return
    if len(words) > 1:
        both = any(_sets(word) for word in words)
        raise model_.Refused(_BOTH if both else 'can only retrieve defaults for one key or all')
    _show(call, where, words[0] if words else '')


def _reset(call: Call) -> tuple[str, ...]:
    names = command.commas(call['reset'])
    for name in names:
        if name == 'agent-version':
            raise model_.Refused('"agent-version" cannot be reset')
        if '=' in name:
            raise model_.Refused(
                f'--reset accepts a comma delimited set of keys "a,b,c", received: "{name}"'
            )
    return names


def _sets(word: str) -> bool:
    return '=' in word or os.path.exists(word)


def _place(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Where the first word says that it holds, if it does: ``processes``, ``localhost/localhost``."""
    first = words[0] if words else ''
    if not first or '=' in first or os.path.isfile(first):
        return '', words
    cloud, slash, region = first.partition('/')
    if slash and region == _REGION and cloud in _CLOUDS:
        return first, words[1:]
    if slash and region and cloud and cloud not in _CLOUDS:
        raise model_.Refused(f'cloud "{cloud}" not found')
    return (first, words[1:]) if first in _CLOUDS else ('', words)


def _set(where: str, words: tuple[str, ...], reset: tuple[str, ...]) -> None:
    if not _sets(words[0]):
        raise model_.Refused(
            _BOTH if '/' in where else f'invalid cloud or region specified: "{words[0]}"'
        )
    if not all(_sets(word) for word in words):
        raise model_.Refused(_BOTH)
    options = models.config_values(words)
    if 'agent-version' in options:
        raise model_.Refused('"agent-version" must be set via "upgrade-model"')
    for name in reset:
        if name in options:
            raise model_.Refused(f'key "{name}" cannot be both set and unset in the same command')
    _keep(where, modeldefaults.check(options), reset)


def _only_reset(where: str, words: tuple[str, ...], reset: tuple[str, ...]) -> None:
    if len(words) == 1 and '/' in where:
        raise model_.Refused(
            'cannot retrieve defaults for a region and reset attributes at the same time'
        )
    if len(words) > 2:
        raise model_.Refused('invalid input')
    for word in words:
        raise model_.Refused(f'invalid region specified: "{word}"')
    _keep(where, {}, reset)


def _keep(where: str, options: dict[str, Any], reset: tuple[str, ...]) -> None:
    with home.editing() as memory:
        kept: modeldefaults.Kept = memory.get(KEY, {})
        known = {*modelconfig.DEFAULTS, *(name for values in kept.values() for name in values)}
        for name in (*reset, *options):
            if name not in known:
                print(
                    f'WARNING key "{name}" is not defined in the known model configuration: possible misspelling',
                    file=sys.stderr,
                )
        memory[KEY] = modeldefaults.changed(kept, where, options, reset)


def _show(call: Call, where: str, key: str) -> None:
    cloud, _, region = where.partition('/')
    found = modeldefaults.shown(home.read().get(KEY, {}), cloud)
    if region:
        found = {n: d for n, d in found.items() if region in d.regions}
    if key:
        if key not in found:
            of_region = f' in region "{region}"' if region else ''
            raise model_.Refused(f'there are no default model values for "{key}"{of_region}')
        found = {key: found[key]}
    if not found:
        raise model_.Refused(f'there are no default model values in region "{region}"')
    call.show({n: _value(d) for n, d in found.items()}, lambda colour: _table(found, colour))


def _value(found: modeldefaults.Default) -> dict[str, Any]:
    regions = [{'name': n, 'value': v} for n, v in sorted(found.regions.items())]
    all_ = {'default': found.default, 'controller': found.controller, 'regions': regions or None}
    return {name: value for name, value in all_.items() if value is not None}


def _table(found: dict[str, modeldefaults.Default], colour: bool) -> str:
    rows: list[tuple[str, str, str]] = []
    for name, each in found.items():
        rows.append((name, _text(each.default), _text(each.controller)))
        rows += [(f'  {n}', _text(v), '-') for n, v in sorted(each.regions.items())]
    return table.render(('Attribute', 'Default', 'Controller'), rows, colour=colour)


def _text(value: Any) -> str:
    if value is None:
        return '-'
    if value == '':
        return '""'
    return str(value).lower() if isinstance(value, bool) else str(value)


COMMANDS = (
    Command(
        'model-defaults',
        _run,
        'Displays or sets default configuration settings for a model.',
        '[[<cloud/>]<region> ]<model-key>[<=value>] ...]',
        flags=(
            command.CONTROLLER,
            Flag(('reset',), 'repeatable', help='Reset the provided comma delimited keys'),
        ),
        most=None,
        formats=('tabular', 'json', 'yaml'),
        model=False,
        details=(
            'Models that are made from now on begin with them; those that are there keep what they have. Clouds are\n'
            'localhost and processes, each with the region localhost; without one, for both.\n'
        ),
    ),
)
