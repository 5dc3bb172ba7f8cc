"""Spaces: networks of a model, isolated from one another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..core import gnuflag, listings, requests, table
from ..core import model as model_
from . import command, out
from .command import Call, Command, Flag

_NAME = re.compile(r'[a-z0-9]+(-[a-z0-9]+)*')


def _spaces(call: Call) -> None:
    value = listings.spaces(call.fetch_model())
    call.show(value, lambda colour: listings.spaces_table(value, colour))


def _add(call: Call) -> None:
    name, *cidrs = call.args
    call.change(requests.AddSpace(name=name, cidrs=tuple(cidrs)))
    call.say(f'added space "{name}" with {_subnets_text(cidrs)}')


def _subnets_text(cidrs: Sequence[str]) -> str:
    return f'subnets {", ".join(cidrs)}' if cidrs else 'a subnet of its own'


def _move(call: Call) -> None:
    """Source: cmd/juju/space/move.go of Juju 3.6."""
    name, *cidrs = call.args
    if not _NAME.fullmatch(name):
        raise command.usage_error(
            f'invalid arguments specified: {gnuflag.quote(name)} is not a valid space name'
        )
    request = requests.MoveSubnets(name=name, cidrs=tuple(cidrs), force=call['force'])
    moved: list[dict[str, str]] = call.change(request)['moved']
    if call['format'] == 'human':
        lines = [f'Subnet {m["cidr"]} moved from {m["from"]} to {m["to"]}\n' for m in moved]
        out.show(moved, 'human', call['output'], lambda _: ''.join(lines))
        return
    rows = [(m['from'], m['to'], m['cidr']) for m in moved]
    call.show(
        moved,
        lambda colour: table.render(('Space From', 'Space To', 'CIDR'), rows, colour=colour),
    )


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
    if call['space'] and not _NAME.fullmatch(call['space']):
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
        'move-to-space',
        _move,
        "Update a network space's CIDR.",
        '<name> <CIDR1> [ <CIDR2> ...]',
        flags=(
            Flag(
                ('force',),
                'bool',
                help='Allow to force a move of subnets to a space even if they are in use on another machine',
            ),
        ),
        needs=('invalid arguments specified: space name is required',),
        most=None,
        formats=('human', 'json', 'tabular', 'yaml'),
        details=(
            'The subnets leave the space that they are in. IPv4 and IPv6 subnets of one network go together. '
            'One in which a machine is stays where it is, with --force too.\n'
        ),
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
