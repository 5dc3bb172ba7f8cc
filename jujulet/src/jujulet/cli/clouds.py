"""Clouds and credentials: kept for the client, as Juju keeps them; what runs here is this machine alone."""

from __future__ import annotations

import re
import sys
from typing import Any

from ..core import model as model_
from ..core import table
from . import command, home, models
from .command import Call, Command, Flag

_BUILT_IN: dict[str, Any] = {
    'localhost': {
        'type': 'local',
        'description': 'System containers on this machine',
        'auth-types': ['empty'],
        'regions': {'localhost': {}},
    },
    'processes': {
        'type': 'local',
        'description': 'Plain processes on this machine, for tests',
        'auth-types': ['empty'],
        'regions': {'localhost': {}},
    },
}


def _known() -> dict[str, Any]:
    return {**_BUILT_IN, **home.read().get('clouds', {})}


def _definition(call: Call, name: str) -> dict[str, Any]:
    path = call['file'] or (call.args[1] if len(call.args) > 1 else '')
    if not path:
        raise command.usage_error('--file is required: jujulet does not ask questions')
    clouds = models.read_mapping(path).get('clouds', {})
    if not isinstance(clouds, dict) or name not in clouds:
        raise model_.Refused(f'cloud "{name}" not found in file "{path}"')
    return clouds[name]  # pyright: ignore[reportUnknownVariableType]


def _store(name: str, definition: dict[str, Any] | None) -> None:
    with home.editing() as memory:
        kept: dict[str, Any] = {k: v for k, v in memory.get('clouds', {}).items() if k != name}
        if definition is not None:
            kept[name] = definition
        memory['clouds'] = kept


def _add(call: Call) -> None:
    home.check_controller(call['controller'])
    name = call.args[0]
    definition = _definition(call, name)
    if name in _known() and not call['force']:
        raise model_.Refused(
            f'"{name}" already exists; use `update-cloud` to update this existing cloud'
        )
    _store(name, definition)
    call.say(f'Cloud "{name}" successfully added to your local client.')


def _update(call: Call) -> None:
    home.check_controller(call['controller'])
    name = call.args[0]
    if name not in home.read().get('clouds', {}):
        raise model_.Refused(f'cloud {name} not found')
    _store(name, _definition(call, name))
    call.say(f'Cloud "{name}" updated on this client using provided file.')


def _remove(call: Call) -> None:
    home.check_controller(call['controller'])
    name = call.args[0]
    if name not in home.read().get('clouds', {}):
        raise model_.Refused(f'cloud {name} not found')
    _store(name, None)
    call.say(f'Removed details of cloud "{name}" from this client')


def _show(call: Call) -> None:
    home.check_controller(call['controller'])
    name = call.args[0]
    known = _known()
    if name not in known:
        raise model_.Refused(f'cloud {name} not found')
    call.show({'defined': 'local', **known[name], 'name': name})


def _clouds(call: Call) -> None:
    known = _known()
    rows = [
        (n, str(len(c.get('regions') or {})), next(iter(c.get('regions') or {}), ''), c['type'])
        for n, c in sorted(known.items())
    ]
    header = ('Cloud', 'Regions', 'Default', 'Type')
    call.show(known, lambda colour: table.render(header, rows, colour=colour))


def _regions(call: Call) -> None:
    known = _known()
    if call.args[0] not in known:
        raise model_.Refused(f'cloud {call.args[0]} not found')
    value: dict[str, Any] = known[call.args[0]].get('regions') or {}
    call.show(value, lambda _: ''.join(f'{name}\n' for name in value))


def _credentials(call: Call) -> None:
    kept: dict[str, Any] = home.read().get('credentials', {})
    value = {
        'client-credentials': {
            cloud: {
                'cloud-credentials': {
                    n: _credential(c, call['show-secrets']) for n, c in credentials.items()
                }
            }
            for cloud, credentials in kept.items()
            if not call.args or cloud in call.args
        }
    }
    rows = [(cloud, ', '.join(c)) for cloud, c in sorted(kept.items())]
    call.show(value, lambda colour: table.render(('Cloud', 'Credentials'), rows, colour=colour))


def _show_credential(call: Call) -> None:
    """Source: cmd/juju/cloud/showcredential.go of Juju 3.6."""
    home.check_controller(call['controller'])
    if len(call.args) == 1:
        raise command.usage_error('both cloud and credential name are needed')
    if len(call.args) > 2:
        raise command.usage_error('only cloud and credential names are supported')
    kept: dict[str, dict[str, Any]] = home.read().get('credentials', {})
    cloud, name = (*call.args, '', '')[:2]
    if cloud and cloud not in kept:
        call.say(
            f'client credential content lookup failed: client credentials for cloud "{cloud}" not found'
        )
    found = {
        c: {n: _content(v, call['show-secrets']) for n, v in names.items() if name in ('', n)}
        for c, names in sorted(kept.items())
        if cloud in ('', c)
    }
    found = {c: names for c, names in found.items() if names}
    if not found:
        call.say('No credentials from this client or from a controller to display.')
        return
    call.show({'client-credentials': found})


def _content(credential: dict[str, Any], secrets: bool) -> dict[str, Any]:
    value = _credential(credential, secrets)
    return {'content': {'auth-type': value['auth-type'], **value['details']}}


_SECRET = re.compile(r'password|secret|token|key$|credential|certificate|passphrase')
_NOT_SECRET = frozenset({'access-key'})


def _credential(credential: dict[str, Any], secrets: bool) -> dict[str, Any]:
    details = {
        k: v
        for k, v in credential.items()
        if k != 'auth-type' and (secrets or k in _NOT_SECRET or not _SECRET.search(k))
    }
    return {'auth-type': credential.get('auth-type', 'empty'), 'details': details}


def _add_credential(call: Call) -> None:
    home.check_controller(call['controller'])
    cloud = call.args[0]
    if not call['file']:
        raise command.usage_error('--file is required: jujulet does not ask questions')
    found = models.read_mapping(call['file']).get('credentials', {})
    if not isinstance(found, dict) or not isinstance(found.get(cloud), dict):  # pyright: ignore[reportUnknownMemberType]
        raise model_.Refused(f'credentials for cloud {cloud} not found in file {call["file"]}')
    with home.editing() as memory:
        kept: dict[str, Any] = memory.setdefault('credentials', {})
        kept[cloud] = {**kept.get(cloud, {}), **found[cloud]}
    for name in found[cloud]:  # pyright: ignore[reportUnknownVariableType]
        call.say(f'Credential "{name}" added locally for cloud "{cloud}".')


def _remove_credential(call: Call) -> None:
    cloud, name = call.args
    with home.editing() as memory:
        kept: dict[str, Any] = memory.setdefault('credentials', {})
        if name not in kept.get(cloud, {}):
            raise model_.Refused(f'credential "{name}" for cloud "{cloud}" not found')
        del kept[cloud][name]
        if not kept[cloud]:
            del kept[cloud]
    print(f'Credential "{name}" removed from this client.', file=sys.stderr)


def _default_credential(call: Call) -> None:
    call.say('Credentials are kept for the client only: nothing here asks for one.')


_WHERE = (
    Flag(('client',), 'bool', help='Client operation'),
    command.CONTROLLER,
)
_FILE = Flag(('file', 'f'), help='The path to a definition file')
_CLOUD = ('cloud name is required',)
_SHOWN = ('tabular', 'json', 'yaml')

COMMANDS = (
    Command(
        'clouds',
        _clouds,
        'Lists all clouds available to Juju.',
        flags=(*_WHERE, Flag(('all',), 'bool', help='Accepted')),
        formats=_SHOWN,
        model=False,
    ),
    Command(
        'show-cloud',
        _show,
        'Shows detailed information for a cloud.',
        '<cloud name>',
        flags=(*_WHERE, Flag(('include-config',), 'bool', help='Accepted')),
        needs=_CLOUD,
        formats=('display', 'json', 'yaml'),
        model=False,
    ),
    Command(
        'add-cloud',
        _add,
        'Add a cloud definition to Juju.',
        '<cloud name> [<cloud definition file>]',
        flags=(
            *_WHERE,
            _FILE,
            command.FORCE,
            Flag(('credential',), help='Accepted'),
            Flag(('target-controller',), help='Accepted'),
        ),
        needs=_CLOUD,
        most=2,
        model=False,
    ),
    Command(
        'update-cloud',
        _update,
        'Updates cloud information available to Juju.',
        '<cloud name>',
        flags=(*_WHERE, _FILE),
        needs=_CLOUD,
        most=2,
        model=False,
    ),
    Command(
        'remove-cloud',
        _remove,
        'Removes a cloud from Juju.',
        '<cloud name>',
        flags=(*_WHERE, Flag(('target-controller',), help='Accepted')),
        needs=_CLOUD,
        model=False,
    ),
    Command(
        'regions',
        _regions,
        'Lists regions for a given cloud.',
        '<cloud>',
        flags=_WHERE,
        needs=_CLOUD,
        formats=_SHOWN,
        model=False,
    ),
    Command(
        'credentials',
        _credentials,
        'Lists Juju credentials for a cloud.',
        '[<cloud name>]',
        flags=(*_WHERE, Flag(('show-secrets',), 'bool', help='Show secrets, for displaying them')),
        most=1,
        formats=_SHOWN,
        model=False,
    ),
    Command(
        'add-credential',
        _add_credential,
        'Adds a credential for a cloud to a local client.',
        '<cloud name>',
        flags=(*_WHERE, _FILE, Flag(('region',), help='Accepted')),
        needs=_CLOUD,
        model=False,
    ),
    Command(
        'update-credential',
        _add_credential,
        'Updates a credential for a cloud.',
        '<cloud name> [<credential name>]',
        flags=(*_WHERE, _FILE, command.FORCE, Flag(('region',), help='Accepted')),
        needs=_CLOUD,
        most=2,
        model=False,
    ),
    Command(
        'remove-credential',
        _remove_credential,
        'Removes Juju credentials for a cloud.',
        '<cloud name> <credential name>',
        flags=(*_WHERE, command.FORCE),
        needs=(*_CLOUD, 'credential name is required'),
        model=False,
    ),
    Command(
        'show-credential',
        _show_credential,
        'Shows credential information stored either on this client or on a controller.',
        '[<cloud name> <credential name>]',
        flags=(
            *_WHERE,
            Flag(('show-secrets',), 'bool', help='Display credential secret attributes'),
        ),
        most=None,
        formats=('yaml',),
        model=False,
    ),
    Command(
        'default-credential',
        _default_credential,
        'Accepted: nothing here asks for a credential.',
        '<cloud name> [<credential name>]',
        flags=(Flag(('reset',), 'bool', help='Accepted'),),
        most=2,
        model=False,
    ),
)
