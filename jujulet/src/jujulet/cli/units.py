"""Units: added, removed, shown, resolved."""

from __future__ import annotations

import re

from ..core import model as model_
from ..core import requests
from . import command
from .command import Call, Command, Flag

_UNIT = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*/[0-9]+')


def check_unit(name: str) -> str:
    """*name* if it is the name of a unit. Raises ``model.Refused`` (exit code 2)."""
    if not _UNIT.fullmatch(name):
        raise command.usage_error(f'invalid unit name "{name}"')
    return name


def _add_unit(call: Call) -> None:
    request = requests.AddUnit(
        application=call.args[0],
        num_units=call['num-units'],
        to=command.commas(call['to']),
        attach_storage=command.commas(call['attach-storage']),
    )
    if call['num-units'] < 1:
        raise command.usage_error('--num-units must be a positive integer')
    if call['attach-storage'] and call['num-units'] != 1:
        raise command.usage_error('--attach-storage cannot be used with -n')
    call.change(request)


def _remove_unit(call: Call) -> None:
    from ..core import removal

    names = list(call.args)
    if call.given('num-units'):
        names = _newest(call, names, call['num-units'])
    for name in names:
        check_unit(name)
    model = call.fetch_model()
    destroys = call['destroy-storage']
    lines = [
        line for name in names for line in removal.of_unit(model, name, destroy_storage=destroys)
    ]
    if call['dry-run']:
        for name in names:
            if name not in model.units:
                raise model_.Refused(f'unit "{name}" not found')
        print(*lines, sep='\n')
        return
    request = requests.RemoveUnit(
        units=tuple(names), destroy_storage=destroys, force=call['force']
    )
    call.remove(lines, model, request)


def _newest(call: Call, applications: list[str], count: int) -> list[str]:
    """``--num-units N``: the last N units of one application."""
    if len(applications) != 1 or '/' in applications[0] or count < 1:
        raise command.usage_error('--num-units needs one application and a positive number')
    from ..core import listings

    model = call.fetch_model()
    listings.found_application(model, applications[0])
    alive = [u.name for u in model.units_of(applications[0]) if u.life == 'alive']
    return alive[-count:]


def _show_unit(call: Call) -> None:
    from ..core import listings

    for name in call.args:
        check_unit(name)
    model = call.fetch_model()
    value: dict[str, object] = {}
    for name in call.args:
        value.update(
            listings.unit(
                model,
                name,
                endpoint=call['endpoint'],
                related=call['related-unit'],
                app_only=call['app'],
            )
        )
    call.show(value)


def _resolved(call: Call) -> None:
    if call['all'] and call.args:
        raise command.usage_error('specifying unit names(s) with --all not supported')
    if not call['all'] and not call.args:
        raise command.usage_error('no unit specified')
    for name in call.args:
        check_unit(name)
    call.change(requests.Resolved(units=call.args, all=call['all'], retry=not call['no-retry']))


COMMANDS = (
    Command(
        'add-unit',
        _add_unit,
        'Adds one or more units to a deployed application.',
        '<application name>',
        flags=(
            Flag(('num-units', 'n'), 'int', 1, help='Number of units to add'),
            Flag(('to',), 'repeatable', help='The machine to deploy the unit in'),
            Flag(('attach-storage',), 'repeatable', help='Existing storage to attach'),
        ),
        needs=('no application specified',),
    ),
    Command(
        'remove-unit',
        _remove_unit,
        'Remove application units from the model.',
        '<unit> [...] | <application>',
        flags=(
            command.NO_PROMPT,
            command.FORCE,
            Flag(('num-units',), 'int', help='Number of units to remove, the newest first'),
            Flag(('destroy-storage',), 'bool', help='Destroy storage attached to the unit'),
            Flag(('no-wait',), 'bool', help='Rush through without waiting for each step'),
            Flag(('dry-run',), 'bool', help='Only say what would be removed'),
        ),
        needs=('no units specified',),
        most=None,
    ),
    Command(
        'show-unit',
        _show_unit,
        'Displays information about a unit.',
        '<unit name> ...',
        flags=(
            Flag(('app',), 'bool', help='Only show application relation data'),
            Flag(('endpoint',), help='Only show relation data for the specified endpoint'),
            Flag(('related-unit',), help='Only show relation data for the specified unit'),
        ),
        needs=('an unit name must be supplied',),
        most=None,
        formats=('yaml', 'json', 'smart'),
    ),
    Command(
        'resolved',
        _resolved,
        'Marks unit errors resolved and re-executes failed hooks.',
        '[<unit> ...]',
        flags=(
            Flag(('all',), 'bool', help='Marks all units in error as resolved'),
            Flag(('no-retry',), 'bool', help='Do not re-execute failed hooks on the unit'),
        ),
        most=None,
    ),
)
