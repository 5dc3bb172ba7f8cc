"""Spaces: networks of a model, isolated from one another."""

from __future__ import annotations

import re

from ..core import gnuflag, listings, requests
from ..core import model as model_
from . import command
from .command import Call, Command, Flag


def _spaces(call: Call) -> None:
    value = listings.spaces(call.fetch_model())
    call.show(value, lambda colour: listings.spaces_table(value, colour))


def _add(call: Call) -> None:
    name, *cidrs = call.args
    subnet4 = [c for c in cidrs if ':' not in c]
    subnet6 = [c for c in cidrs if ':' in c]
    if len(subnet4) > 1 or len(subnet6) > 1:
        raise command.usage_error('a space has at most one IPv4 and one IPv6 subnet here')
    call.change(requests.AddSpace(name=name, subnet4=''.join(subnet4), subnet6=''.join(subnet6)))
    call.say(f'added space "{name}" with {" and ".join(cidrs) or "a subnet of its own"}')


def _remove(call: Call) -> None:
    call.change(requests.RemoveSpace(name=call.args[0]))
    call.say(f'removed space "{call.args[0]}"')


def _rename(call: Call) -> None:
    old, new = call.args
    call.change(requests.RenameSpace(name=old, new=new))
    call.say(f'renamed space "{old}" to "{new}"')


def _subnets(call: Call) -> None:
    """Source: cmd/juju/subnet/list.go of Juju 3.6."""
    spaces = listings.spaces(call.fetch_model())['spaces']
    if call['space'] and not re.fullmatch(r'[a-z0-9]+(-[a-z0-9]+)*', call['space']):
        raise command.usage_error(f'{gnuflag.quote(call["space"])} is not a valid space name')
    value = {
        cidr: {
            'type': subnet['type'],
            'status': subnet['status'],
            'space': space['name'],
            'zones': subnet['zones'],
        }
        for space in spaces
        for cidr, subnet in space['subnets'].items()
        if call['space'] in ('', space['name']) and call['zone'] in ('', *subnet['zones'])
    }
    if not value:
        filtered = call['space'] or call['zone']
        call.say(
            'No subnets found matching requested criteria.'
            if filtered
            else 'No subnets to display.'
        )
        return
    call.show({'subnets': value})


def _reload(call: Call) -> None:
    call.say('nothing to reload: the networks here are those that add-space makes')


def _show(call: Call) -> None:
    model = call.fetch_model()
    name = call.args[0]
    if name not in model.spaces:
        raise model_.Refused(f'cannot retrieve space "{name}": space {name} not found')
    row = next(s for s in listings.spaces(model)['spaces'] if s['name'] == name)
    applications = sorted(
        app for app in model.applications if name in listings.status.bindings(model, app).values()
    )
    machines = sum(any(a.space == name for a in m.addresses) for m in model.machines.values())
    call.show({'space': row, 'applications': applications, 'machine-count': machines})


COMMANDS = (
    Command(
        'spaces',
        _spaces,
        'List known spaces, including associated subnets.',
        flags=(Flag(('short',), 'bool', help='Accepted'),),
        formats=('tabular', 'json', 'yaml'),
    ),
    Command(
        'add-space',
        _add,
        'Add a new network space.',
        '<name> [<CIDR> ...]',
        needs=('space name is required',),
        most=None,
    ),
    Command(
        'remove-space',
        _remove,
        'Remove a network space.',
        '<name>',
        flags=(command.FORCE, command.NO_PROMPT),
        needs=('space name is required',),
    ),
    Command(
        'rename-space',
        _rename,
        'Rename a network space.',
        '<old-name> <new-name>',
        needs=(
            'invalid arguments specified: old-name is required',
            'invalid arguments specified: new-name is required',
        ),
        details='What is bound to it goes on being so; its network and all addresses stay.\n',
    ),
    Command(
        'subnets',
        _subnets,
        'List subnets known to Juju.',
        flags=(
            Flag(('space',), help='Filter results by space name'),
            Flag(('zone',), help='Filter results by zone name'),
        ),
        formats=('yaml', 'json'),
    ),
    Command(
        'reload-spaces',
        _reload,
        'Accepted: the networks here are those that add-space makes.',
    ),
    Command(
        'show-space',
        _show,
        'Shows information about the network space.',
        '<name>',
        needs=('space name is required',),
        formats=('yaml', 'json'),
    ),
)
