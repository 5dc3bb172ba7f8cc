"""Models: made, listed, switched to, configured, destroyed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from ..core import model as model_
from ..core import requests
from . import command, home
from .command import Call, Command, Flag


def _add_model(call: Call) -> None:
    from ..core import modeldefaults

    home.check_controller(call['controller'])
    name = call.args[0]
    # The user's environment, not that of the daemon, which may have been started long ago.
    given = call.args[1] if len(call.args) > 1 else os.environ.get('JUJULET_CLOUD', '')
    cloud = given.partition('/')[0]
    defaults = home.read().get('model-defaults', {})
    config = {
        **modeldefaults.inherited(defaults, cloud or 'localhost'),
        **config_values(call['config']),
    }
    made = call.controller.ask('add-model', name=name, cloud=cloud, config=config)
    if not call['no-switch']:
        home.remember('model', f'{home.USER}/{made["name"]}')
    call.say(
        f"Added '{name}' model on {made['cloud']}/localhost with credential 'localhost' "
        f"for user '{home.USER}'"
    )


def config_values(words: tuple[str, ...]) -> dict[str, Any]:
    """``--config``: ``k=v``, or a YAML file of such."""
    values: dict[str, Any] = {}
    for word in words:
        if '=' in word:
            values.update(command.pairs([word]))
        else:
            values.update(read_mapping(word))
    return values


def read_mapping(path: str) -> dict[str, Any]:
    """A YAML file that holds a mapping; ``-`` is standard input. Raises ``model.Refused``."""
    from . import given, out

    try:
        value = out.load_yaml(given.text(path))
    except ValueError as error:
        raise model_.Refused(f'cannot parse {path}: {error}') from None
    if not isinstance(value, dict):
        raise model_.Refused(f'{path}: expected a mapping of names to values')
    return value  # pyright: ignore[reportUnknownVariableType]


def _models(call: Call) -> None:
    from ..core import listings

    home.check_controller(call['controller'])
    models = call.controller.ask('models')
    current = home.read().get('model', '')
    value = listings.models(models, current)
    call.show(value, lambda colour: listings.models_table(value, colour))


def _switch(call: Call) -> None:
    memory = home.read()
    current = memory.get('model', '')
    if not call.args:
        if not current:
            raise model_.Refused('no model in focus')
        print(f'{home.CONTROLLER}:{current}')
        return
    target = call.args[0]
    if target == '-':
        target = memory.get('previous', '')
    name = home.resolve_model(target.removesuffix(':')) if ':' in target else target
    if target.endswith(':') or name in home.controllers():
        call.say(f'{home.CONTROLLER} (controller)')
        return
    found = find(call, name)
    focus = f'{found["owner"]}/{found["name"]}'
    with home.editing() as kept:
        kept.update(previous=current, model=focus)
    call.say(
        f'{home.CONTROLLER}:{current} -> {home.CONTROLLER}:{focus}'
        if current != focus
        else f'{home.CONTROLLER}:{focus} (no change)'
    )


def find(call: Call, text: str) -> dict[str, Any]:
    """The model that ``[user/]name`` or a UUID means. Raises ``model.Refused``."""
    owner, _, name = text.rpartition('/')
    for candidate in call.controller.ask('models'):
        if candidate['uuid'] == text or (
            candidate['name'] == name and candidate['owner'] == (owner or home.USER)
        ):
            return candidate
    raise model_.Refused(f'model {home.CONTROLLER}:{owner or home.USER}/{name} not found')


def _show_model(call: Call) -> None:
    from .. import codec
    from ..core import listings

    names = call.args or (call.model,)
    value: dict[str, Any] = {}
    for name in names:
        target = home.resolve_model(name)
        encoded = call.controller.ask('whole-model', model=target)
        value.update(listings.model(codec.decode(model_.Model, encoded), time.time()))
    call.show(value)


def _destroy_model(call: Call) -> None:
    name = home.resolve_model(call.args[0])
    if call['destroy-storage'] and call['release-storage']:
        raise command.usage_error(
            '--destroy-storage and --release-storage cannot both be specified'
        )
    found = find(call, name)
    call.confirm(
        f'This will destroy the model {found["name"]} and all that is in it.\n'
        f'To continue, enter the name of the model to be destroyed: ',
        expected=found['name'],
    )
    call.say('Destroying model')
    # By UUID, so that a model of the same name made meanwhile is left alone.
    printed = ''
    for left in call.controller.follow(
        'destroy-model',
        model=found['uuid'],
        force=call['force'],
        destroy_storage=call['destroy-storage'] or call['force'],
        timeout=call['timeout'],
    ):
        text = f'{left["machines"]} machine(s), {left["applications"]} application(s)'
        if printed != text and (left['machines'] or left['applications']):
            call.say(f'Waiting for model to be removed, {text}...')
        printed = text
    memory = home.read()
    if memory.get('model') == f'{found["owner"]}/{found["name"]}':
        home.remember('model', None)
    call.say('Model destroyed.')


def _model_config(call: Call) -> None:
    from ..core import modelconfig, modelsettings

    reset = command.commas(call['reset'])
    options: dict[str, Any] = {}
    wanted: list[str] = []
    if call['file']:
        options.update(read_mapping(call['file']))
    for word in call.args:
        if '=' in word:
            options.update(command.pairs([word]))
        elif word.endswith(('.yaml', '.yml')):
            options.update(read_mapping(word))
        else:
            wanted.append(word)
    if call['ignore-agent-version'] or call['ignore-read-only-fields']:
        for name in modelconfig.FIXED if call['ignore-read-only-fields'] else ('agent-version',):
            options.pop(name, None)
        if not options and not reset and not wanted:
            return
    if options or reset:
        if wanted:
            raise command.usage_error('cannot set and retrieve model values simultaneously')
        call.change(_settings(call, options, reset))
        return
    values = _with_sources(modelsettings.shown(model := call.fetch_model()), model)
    _show_settings(call, values, wanted)


def _settings(
    call: Call, options: dict[str, Any], reset: tuple[str, ...]
) -> requests.SetModelConfig:
    """What is reset goes back to the default that ``juju model-defaults`` has, if it has one."""
    from ..core import modeldefaults

    kept = home.read().get('model-defaults', {})
    if kept and reset:
        inherited = modeldefaults.inherited(kept, _cloud(call.fetch_model()))
        back = {name: inherited[name] for name in reset if name in inherited}
        options = {**back, **options}
        reset = tuple(name for name in reset if name not in back)
    return requests.SetModelConfig(options=options, reset=reset)


def _with_sources(values: dict[str, Any], model: model_.Model) -> dict[str, Any]:
    from ..core import modeldefaults

    kept = home.read().get('model-defaults', {})
    cloud = _cloud(model)
    return {
        name: {**v, 'Source': modeldefaults.source(kept, cloud, name, v['Value'])}
        if v['Source'] == 'model'
        else v
        for name, v in values.items()
    }


def _cloud(model: model_.Model) -> str:
    return 'processes' if model.machines_kind == 'process' else 'localhost'


def _show_settings(call: Call, values: Mapping[str, Any], wanted: list[str]) -> None:

    from ..core import modelsettings

    if len(wanted) > 1:
        raise command.usage_error('can only retrieve a single value, or all values')
    if wanted:
        if wanted[0] not in values:
            raise model_.Refused(f'key "{wanted[0]}" not found in "{call.model}" model')
        value = values[wanted[0]]['Value']
        text = json.dumps(value) if isinstance(value, (bool, dict, list)) else str(value)
        call.show(value, lambda _: text + '\n')
        return
    call.show(values, lambda colour: modelsettings.as_table(values, colour))


def _model_constraints(call: Call) -> None:
    from ..core import constraints

    values = call.fetch_model().constraints
    call.show(dict(values), lambda _: constraints.render(values) + '\n' if values else '')


def _set_model_constraints(call: Call) -> None:
    call.change(requests.SetConstraints(constraints=command.constraints(call.args)))


_TABLE = ('tabular', 'json', 'yaml')

COMMANDS = (
    Command(
        'add-model',
        _add_model,
        'Add a model.',
        '<model name> [cloud|region|(cloud/region)]',
        flags=(
            command.CONTROLLER,
            Flag(('config',), 'repeatable', help='Options of the model, k=v or a YAML file'),
            Flag(('credential',), help='Accepted; this machine asks for none'),
            Flag(('no-switch',), 'bool', help='Do not switch to the newly created model'),
            Flag(('owner',), help='Accepted; there is one user'),
        ),
        needs=('model name is required',),
        most=2,
        formats=('yaml', 'json'),
        model=False,
    ),
    Command(
        'models',
        _models,
        'List models.',
        flags=(
            command.CONTROLLER,
            Flag(('all',), 'bool', help='List all models'),
            Flag(('user',), help='Accepted; there is one user'),
            Flag(('uuid',), 'bool', help='Display UUID for models'),
            Flag(('exact-time',), 'bool', help='Use full timestamps'),
        ),
        formats=_TABLE,
        model=False,
    ),
    Command(
        'switch',
        _switch,
        'Select or identify the current model.',
        '[<controller>:][<model>]',
        most=1,
        model=False,
    ),
    Command(
        'show-model',
        _show_model,
        'Show information about the current or a specified model.',
        '[<model name> ...]',
        most=None,
        formats=('yaml', 'json'),
    ),
    Command(
        'destroy-model',
        _destroy_model,
        'Terminate all machines and units of a model, and the model itself.',
        '[<controller name>:]<model name>',
        flags=(
            command.NO_PROMPT,
            command.FORCE,
            Flag(('destroy-storage',), 'bool', help='Destroy all storage in the model'),
            Flag(('release-storage',), 'bool', help='Accepted: storage is in the machines'),
            Flag(('no-wait',), 'bool', help='Rush through model destruction'),
            Flag(('timeout', 't'), 'duration', help='How long to wait at most'),
        ),
        needs=('no model specified',),
        model=False,
    ),
    Command(
        'model-config',
        _model_config,
        'Display or set configuration values of a model.',
        '[<model-key>[=<value>] ...]',
        flags=(
            Flag(('reset',), 'repeatable', help='Reset the provided comma delimited keys'),
            Flag(('file',), help='Path to a YAML file of values'),
            Flag(
                ('ignore-agent-version',), 'bool', help='Pass over an agent version in what is set'
            ),
            Flag(
                ('ignore-read-only-fields',),
                'bool',
                help='Pass over what cannot be set in what is set',
            ),
            Flag(('color',), 'bool', help='Accepted'),
            Flag(('no-color',), 'bool', help='Accepted'),
        ),
        most=None,
        formats=_TABLE,
    ),
    Command(
        'model-constraints',
        _model_constraints,
        'Display machine constraints of a model.',
        formats=('constraints', 'json', 'yaml'),
    ),
    Command(
        'set-model-constraints',
        _set_model_constraints,
        'Set machine constraints of a model.',
        '<constraint>=<value> ...',
        most=None,
    ),
)
