"""Pools of storage. Source: cmd/juju/storage/pool*.go of Juju 3.6, with their words."""

from __future__ import annotations

from typing import Any

from ..core import model as model_
from ..core import modelconfig, requests, table
from . import command
from .command import Call, Command, Flag

_PAIR = '"key=value"'


def _attributes(words: tuple[str, ...]) -> dict[str, str]:
    found = command.pairs(words, what=_PAIR)
    for key, value in found.items():
        if not value:
            raise command.usage_error(f'expected {_PAIR}, got "{key}="')
    return found


def _create(call: Call) -> None:
    if len(call.args) < 2:
        raise command.usage_error(
            'pool creation requires names, provider type and optional attributes for configuration'
        )
    name, provider, *words = call.args
    if '=' in name or '=' in provider:
        raise command.usage_error(
            'pool creation requires names and provider type before optional attributes for configuration'
        )
    attributes = _attributes(tuple(words))
    call.change(requests.CreatePool(name=name, provider=provider, attributes=attributes))


def _update(call: Call) -> None:
    if len(call.args) < 2:
        raise command.usage_error('pool update requires name and configuration attributes')
    attributes = _attributes(call.args[1:])
    provider = attributes.pop('type', '')
    request = requests.UpdatePool(name=call.args[0], provider=provider, attributes=attributes)
    call.change(request)


def _remove(call: Call) -> None:
    call.change(requests.RemovePool(name=call.args[0]))


def _list(call: Call) -> None:
    value = _shown(call.fetch_model())
    providers, names = command.commas(call['provider']), command.commas(call['name'])
    for provider in providers:
        if provider not in modelconfig.POOLS:
            raise model_.Refused(f'storage provider "{provider}" not found')
    value = {
        name: pool
        for name, pool in value.items()
        if (not names or name in names) and (not providers or pool['provider'] in providers)
    }
    if not value:
        call.say('No storage pools to display.')
        return
    rows = [(name, v['provider'], _words(v.get('attrs', {}))) for name, v in value.items()]
    header = ('Name', 'Provider', 'Attributes')
    call.show(value, lambda colour: table.render(header, rows, colour=colour))


def _shown(model: model_.Model) -> dict[str, Any]:
    """Every pool by name: the user's, and one of each provider."""
    found: dict[str, Any] = {name: {'provider': name} for name in modelconfig.POOLS}
    for name, pool in model.pools.items():
        attrs = {'attrs': dict(pool.attributes)} if pool.attributes else {}
        found[name] = {'provider': pool.provider, **attrs}
    return dict(sorted(found.items()))


def _words(attributes: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return ' '.join(f'{key}={text(value)}' for key, value in sorted(attributes.items()))


COMMANDS = (
    Command(
        'create-storage-pool',
        _create,
        'Create or define a storage pool.',
        '<name> <provider> [<key>=<value> [<key>=<value>...]]',
        most=None,
        details='Providers are rootfs, tmpfs and loop. Attributes are kept and shown; all pools here are folders.\n',
    ),
    Command(
        'update-storage-pool',
        _update,
        'Update storage pool attributes.',
        '<name> [<key>=<value> [<key>=<value>...]]',
        most=None,
        details="Replaces all attributes; type=PROVIDER is the pool's provider.\n",
    ),
    Command(
        'remove-storage-pool',
        _remove,
        'Remove an existing storage pool.',
        '<name>',
        needs=('pool removal requires storage pool name',),
    ),
    Command(
        'storage-pools',
        _list,
        'List storage pools.',
        most=None,
        flags=(
            Flag(('provider',), 'repeatable', help='Only show pools of these provider types'),
            Flag(('name',), 'repeatable', help='Only show pools with these names'),
        ),
        formats=('tabular', 'json', 'yaml'),
    ),
)
