"""Applications: configured, constrained, trusted, exposed, bound, shown, removed."""

from __future__ import annotations

import re
import time
from typing import Any

from ..core import model as model_
from ..core import requests
from . import command, out
from .command import Call, Command, Flag

_NAME = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*')


def _remove(call: Call) -> None:
    from ..core import listings, removal

    model = call.fetch_model()
    destroys = call['destroy-storage']
    lines = [
        line
        for name in call.args
        for line in removal.of_application(model, name, destroy_storage=destroys)
    ]
    if call['dry-run']:
        for name in call.args:
            listings.found_application(model, name)
        print(*lines, sep='\n')
        return
    request = requests.RemoveApplication(
        applications=call.args, destroy_storage=destroys, force=call['force']
    )
    call.remove(lines, model, request)


def _show(call: Call) -> None:
    from ..core import listings

    wrong = [name for name in call.args if not _NAME.fullmatch(name)]
    if wrong:
        plural = '' if len(wrong) == 1 else 's'
        raise command.usage_error(f'application name{plural} {", ".join(wrong)} not valid')
    model = call.fetch_model()
    value: dict[str, Any] = {}
    for name in call.args:
        value.update(listings.application(model, name))
    call.show(value)


def _config(call: Call) -> None:
    application, *words = call.args
    reset = command.commas(call['reset'])
    wanted = [w for w in words if '=' not in w]
    options: dict[str, Any] = {}
    if call['file']:
        options.update(config_file(call['file'], application))
    for name, value in command.pairs([w for w in words if '=' in w]).items():
        options[name] = from_file(value)
    if options or reset:
        for name in reset:
            if name in options:
                raise command.usage_error(f'cannot set and reset key "{name}" simultaneously')
        if wanted:
            raise command.usage_error('cannot set and retrieve values simultaneously')
        call.change(requests.SetConfig(application=application, options=options, reset=reset))
        return
    if len(wanted) > 1:
        raise command.usage_error('can only retrieve a single value, or all values')
    _show_config(call, application, wanted)


def _show_config(call: Call, application: str, wanted: list[str]) -> None:
    from ..core import listings

    value = listings.config(call.fetch_model(), application)
    if not wanted:
        call.show(value)
        return
    every = {**value['application-config'], **value['settings']}
    if wanted[0] not in every:
        raise model_.Refused(f'key "{wanted[0]}" not found in "{application}" application config or charm settings.')  # fmt: skip  # noqa: E501
    one = every[wanted[0]].get('value', '')
    text = str(one).lower() if isinstance(one, bool) else str(one)
    out.write(text + '\n')


MOST = 5 << 20
"""Bytes that the file of an option may have. Source: ``maxValueSize`` of cmd/juju/application/utils of Juju 3.6."""


def from_file(value: str) -> str:
    """A value as typed; ``@path`` stands for the contents of a file, read now. Raises ``model.Refused``."""
    if not value.startswith('@') or len(value) < 2:
        return value
    from . import given

    try:
        return given.content(value[1:], MOST).decode()
    except given.LargerError:
        raise model_.Refused('size of option file is larger than 5M') from None
    except UnicodeDecodeError:
        raise model_.Refused(
            f'value for option contains non-UTF-8 sequences: {value[1:]}'
        ) from None


def config_file(path: str, application: str) -> dict[str, Any]:
    """Options of *application* in a YAML file: under its name, or as ``juju config`` prints them.

    Source: ``parseCharmSettings`` of apiserver/facades/client/application/application.go. Raises ``model.Refused``.
    """
    from . import models

    values = models.read_mapping(path)
    section = values.get(application)
    if isinstance(section, dict):
        return section  # pyright: ignore[reportUnknownVariableType]
    if isinstance(values.get('settings'), dict):  # As `juju config APP` prints it.
        return {
            name: entry['value']
            for name, entry in values['settings'].items()
            if entry.get('source') == 'user'
        }
    raise model_.Refused(f'no settings found for "{application}"')


def _constraints(call: Call) -> None:
    from ..core import constraints, listings

    values = listings.found_application(call.fetch_model(), call.args[0]).constraints
    call.show(dict(values), lambda _: constraints.render(values) + '\n' if values else '')


def _set_constraints(call: Call) -> None:
    application, *words = call.args
    call.change(
        requests.SetConstraints(constraints=command.constraints(words), application=application)
    )


def _trust(call: Call) -> None:
    call.change(requests.Trust(application=call.args[0], remove=call['remove']))


def _set_base(call: Call) -> None:
    from ..core import bases, change
    from . import charms

    name, text = (*call.args, '')[:2]
    if not text:
        raise command.usage_error('no application name' if '@' in name else 'no base specified')
    if not _NAME.fullmatch(name):
        raise command.usage_error(f'invalid application name "{name}"')
    if '@' not in text:
        call.say('WARNING series argument is deprecated, use base instead')
        if text not in bases.SERIES:
            raise model_.Refused(f'series "{text}" not valid')
    base = bases.parse(text)
    request = requests.SetApplicationBase(application=name, base=str(base), force=call['force'])
    model = call.fetch_model()
    _, reply = change.apply(model, request, time.time())  # Refused before anything is made for it.
    ready = [
        charms.prepare(call, model, each, [base], force=call['force'])
        for each in reply['applications']
    ]
    call.change(request)
    if not all(ready):
        call.say(
            'WARNING To ensure the correct charm binaries are installed when add-unit is next called, '
            'please first run `juju refresh` for this application and any related subordinates.'
        )


def _expose(call: Call) -> None:
    endpoints: dict[str, Any] = {}
    spaces, cidrs = command.commas(call['to-spaces']), command.commas(call['to-cidrs'])
    for name in command.commas(call['endpoints']) or (('',) if spaces or cidrs else ()):
        endpoints[name] = {'expose-to-spaces': list(spaces), 'expose-to-cidrs': list(cidrs)}
    call.change(requests.Expose(application=call.args[0], endpoints=endpoints))


def _unexpose(call: Call) -> None:
    endpoints: dict[str, Any] = {name: {} for name in command.commas(call['endpoints'])}
    call.change(requests.Expose(application=call.args[0], endpoints=endpoints, undo=True))


def bindings(words: list[str]) -> dict[str, str]:
    """``space ep=space …`` → bindings; the bare space is the default. Raises ``model.Refused``."""
    found: dict[str, str] = {}
    for word in words:
        endpoint, equals, space = word.partition('=')
        if not equals:
            endpoint, space = '', word
        if not space or endpoint in found:
            raise command.usage_error(f'invalid binding "{word}": expected endpoint=space')
        found[endpoint] = space
    return found


def _bind(call: Call) -> None:
    application, *words = call.args
    call.change(requests.Bind(application=application, bindings=bindings(words)))


_APP = ('no application name specified',)

COMMANDS = (
    Command(
        'remove-application',
        _remove,
        'Remove applications from the model.',
        '<application> [<application>...]',
        flags=(
            command.NO_PROMPT,
            command.FORCE,
            Flag(('destroy-storage',), 'bool', help='Destroy storage attached to its units'),
            Flag(('no-wait',), 'bool', help='Rush through without waiting for each step'),
            Flag(('dry-run',), 'bool', help='Only say what would be removed'),
        ),
        needs=('no application specified',),
        most=None,
    ),
    Command(
        'show-application',
        _show,
        'Displays information about an application.',
        '<application name or alias>',
        needs=('an application name must be supplied',),
        most=None,
        formats=('yaml', 'json', 'smart'),
    ),
    Command(
        'config',
        _config,
        'Get, set, or reset configuration for a deployed application.',
        '<application name> [<key>[=<value>] ...]',
        flags=(
            Flag(('reset',), 'repeatable', help='Reset the provided comma delimited keys'),
            Flag(('file',), help='Path to a YAML file of values'),
            Flag(('color',), 'bool', help='Accepted'),
            Flag(('no-color',), 'bool', help='Accepted'),
        ),
        needs=_APP,
        most=None,
        formats=('yaml', 'json'),
    ),
    Command(
        'constraints',
        _constraints,
        'Displays machine constraints for an application.',
        '<application>',
        needs=_APP,
        formats=('constraints', 'json', 'yaml'),
    ),
    Command(
        'set-constraints',
        _set_constraints,
        'Sets machine constraints for an application.',
        '<application> <constraint>=<value> ...',
        needs=_APP,
        most=None,
    ),
    Command(
        'trust',
        _trust,
        'Sets the trust status of a deployed application to true.',
        '<application name>',
        flags=(
            Flag(('remove',), 'bool', help='Remove trusted access from a trusted application'),
            Flag(('scope',), help='Accepted: there is no cluster'),
        ),
        needs=_APP,
    ),
    Command(
        'set-application-base',
        _set_base,
        "Set an application's base.",
        '<application> <base>',
        flags=(
            Flag(('force',), 'bool', help="Although the charm does not name the base; not Juju's"),
        ),
        needs=('application name and base required',),
        most=2,
        details='Units that are there stay as they are; those that are added come on the new base. The subordinates '
        'of its units get it too.',
    ),
    Command(
        'expose',
        _expose,
        'Makes an application publicly available over the network.',
        '<application name>',
        flags=(
            Flag(('endpoints',), help='Expose only these endpoints, comma separated'),
            Flag(('to-spaces',), help='Expose to these spaces'),
            Flag(('to-cidrs',), help='Expose to these CIDRs'),
        ),
        needs=_APP,
    ),
    Command(
        'unexpose',
        _unexpose,
        'Removes public availability over the network for an application.',
        '<application name>',
        flags=(Flag(('endpoints',), help='Unexpose only these endpoints'),),
        needs=_APP,
    ),
    Command(
        'bind',
        _bind,
        'Change bindings for a deployed application.',
        '<application> [<default-space>] [<endpoint-name>=<space> ...]',
        flags=(command.FORCE,),
        needs=('no application specified', 'no bindings specified'),
        most=None,
    ),
)
