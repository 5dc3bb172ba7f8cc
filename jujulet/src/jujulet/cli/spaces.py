"""Spaces: networks of a model, isolated from one another."""

from __future__ import annotations

from ..core import listings, requests
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
