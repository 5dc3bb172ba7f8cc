"""Machines: added, shown, removed."""

from __future__ import annotations

from ..core import model as model_
from ..core import requests, tabular
from . import command
from .command import Call, Command, Flag


def _add(call: Call) -> None:
    if call.args:
        raise command.usage_error(
            f'cannot add machine "{call.args[0]}": jujulet makes its machines itself; '
            'leave the argument out'
        )
    count = call['n']
    if count < 1:
        raise command.usage_error('-n must be a positive integer')
    reply = call.change(
        requests.AddMachine(
            base=call['base'] or call['series'],
            constraints=command.constraints(call['constraints']),
            count=count,
        )
    )
    for id_ in reply['machines']:
        call.say(f'created machine {id_}')


def _remove(call: Call) -> None:
    if call['keep-instance']:
        raise model_.Refused('machines are made for their model here: --keep-instance cannot be')
    from ..core import removal

    model = call.fetch_model()
    lines = [line for id_ in call.args for line in removal.of_machine(model, id_)]
    if call['dry-run']:
        for id_ in call.args:
            if id_ not in model.machines:
                raise model_.Refused(f'machine {id_} not found')
        print(*lines, sep='\n')
        return
    call.remove(lines, model, requests.RemoveMachine(machines=call.args, force=call['force']))


def _retry(call: Call) -> None:
    if bool(call.args) == call['all']:
        raise command.usage_error('specify machines, or --all')
    reply = call.change(requests.RetryProvisioning(machines=call.args, all=call['all']))
    for id_ in reply['machines']:
        call.say(f'trying machine {id_} again')


def _upgrade(call: Call) -> None:
    raise model_.Refused(
        'upgrade-machine is not provided here: a machine keeps the base that it was made from; '
        'replace its units: juju set-application-base, add-unit, remove-unit'
    )


def _machines(call: Call) -> None:
    from ..core import listings

    value = listings.machines(call.fetch_model(), call.args)
    call.show(value, lambda colour: tabular.machines_table(value['machines'], colour))


_SHOWN = ('tabular', 'json', 'yaml')
_COLOUR = (
    Flag(('color',), 'bool', help='Accepted'),
    Flag(('utc',), 'bool', help='Times are in UTC (always so)'),
)

COMMANDS = (
    Command(
        'add-machine',
        _add,
        'Provision a new machine.',
        flags=(
            Flag(('n',), 'int', 1, help='The number of machines to add'),
            Flag(('base',), help='The operating system base to install'),
            Flag(('series',), help='The operating system series to install'),
            Flag(('constraints',), 'repeatable', help='Machine constraints'),
            Flag(('disks',), 'repeatable', help='Accepted: disks are folders here'),
            Flag(('private-key',), help='Accepted'),
            Flag(('public-key',), help='Accepted'),
        ),
        most=1,
    ),
    Command(
        'remove-machine',
        _remove,
        'Removes one or more machines from a model.',
        '<machine number> ...',
        flags=(
            command.NO_PROMPT,
            command.FORCE,
            Flag(('keep-instance',), 'bool', help='Refused: machines are made for their model'),
            Flag(('no-wait',), 'bool', help='Rush through without waiting for each step'),
            Flag(('dry-run',), 'bool', help='Only say what would be removed'),
        ),
        needs=('no machines specified',),
        most=None,
    ),
    Command(
        'retry-provisioning',
        _retry,
        'Retries provisioning for failed machines.',
        '<machine> [...]',
        flags=(Flag(('all',), 'bool', help='Retry all machines that could not be made'),),
        most=None,
    ),
    Command(
        'upgrade-machine',
        _upgrade,
        'Not provided here.',
        '<machine> <command> [args]',
        flags=(
            Flag(('force',), 'bool', help='Accepted'),
            Flag(('yes', 'y'), 'bool', help='Accepted'),
        ),
        most=None,
    ),
    Command('machines', _machines, 'Lists machines in a model.', flags=_COLOUR, formats=_SHOWN),
    Command(
        'show-machine',
        _machines,
        "Show a machine's status.",
        '<machineID> ...',
        flags=_COLOUR,
        most=None,
        formats=('yaml', 'json', 'tabular'),
    ),
)
