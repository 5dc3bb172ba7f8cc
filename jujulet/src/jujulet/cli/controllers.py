"""The one controller, which is this machine, shown in the words of commands that know many."""

from __future__ import annotations

from typing import Any

from ..core import listings, table
from ..core import model as model_
from . import command, home, out
from .command import Call, Command, Flag

VERSION = '3.6.12-genericlinux-amd64'
"""Of Juju, whose behaviour this is."""


def _controllers(call: Call) -> None:
    names = home.controllers()
    value = {
        'controllers': {n: _controller() for n in names},
        'current-controller': home.CONTROLLER,
    }

    def as_table(colour: bool) -> str:
        header = ('Controller', 'Model', 'User', 'Access', 'Cloud/Region', 'Version')
        model = home.read().get('model', '-').rpartition('/')[2]
        rows = [
            (
                n + ('*' if n == home.CONTROLLER else ''),
                model,
                home.USER,
                'superuser',
                'localhost/localhost',
                VERSION.partition('-')[0],
            )
            for n in names
        ]
        return table.render(header, rows, colour=colour)

    call.show(value, as_table)


def _controller() -> dict[str, Any]:
    return {
        'current-model': home.read().get('model', ''),
        'user': home.USER,
        'access': 'superuser',
        'uuid': listings.CONTROLLER_UUID,
        'api-endpoints': ['127.0.0.1:17070'],
        'cloud': 'localhost',
        'region': 'localhost',
        'agent-version': VERSION.partition('-')[0],
    }


def _show(call: Call) -> None:
    names = call.args or (home.CONTROLLER,)
    for name in names:
        home.check_controller(name)
    value = {
        name: {
            'details': {
                'controller-uuid': listings.CONTROLLER_UUID,
                'api-endpoints': ['127.0.0.1:17070'],
                'cloud': 'localhost',
                'region': 'localhost',
                'agent-version': VERSION.partition('-')[0],
            },
            'current-model': home.read().get('model', ''),
            'account': {'user': home.USER, 'access': 'superuser'},
        }
        for name in names
    }
    call.show(value)


def _bootstrap(call: Call) -> None:
    """Nothing to make; the name given is remembered, so that ``name:model`` leads here."""
    if len(call.args) > 1:
        with home.editing() as memory:
            names: list[str] = memory.setdefault('controllers', [])
            if call.args[1] in (home.CONTROLLER, *names):
                raise model_.Refused(f'controller "{call.args[1]}" already exists')
            names.append(call.args[1])
    call.say(
        'jujulet needs no bootstrap: this machine is the controller. Go on with "juju add-model".'
    )


def _whoami(call: Call) -> None:
    model = home.read().get('model', '')
    value = {'controller': home.CONTROLLER, 'user': home.USER}
    if model:
        value['model'] = model
    text = f'Controller:  {home.CONTROLLER}\nModel:       {model or "<no-current-model>"}\nUser:        {home.USER}\n'  # fmt: skip  # noqa: E501
    call.show(value, lambda _: text)


def _users(call: Call) -> None:
    value = [{'user-name': home.USER, 'display-name': home.USER, 'access': 'superuser'}]
    rows = [(home.USER + '*', home.USER, 'superuser')]
    call.show(
        value,
        lambda colour: table.render(('Name', 'Display name', 'Access'), rows, colour=colour),
    )


def _login(call: Call) -> None:
    call.say(f'Welcome, {home.USER}. You are always logged in here.')


def _version(call: Call) -> None:
    if not call['all']:
        if call['format'] == 'json':
            out.show(VERSION, 'json', call['output'])
        else:
            out.show(None, 'text', call['output'], lambda _: VERSION + '\n')
        return
    value = {
        'version': VERSION,
        'git-commit': '0' * 40,
        'git-tree-state': 'clean',
        'compiler': 'jujulet',
    }
    out.show(value, call['format'] if call['format'] != 'smart' else 'yaml', call['output'])


_SHOWN = ('tabular', 'json', 'yaml')

COMMANDS = (
    Command(
        'controllers',
        _controllers,
        'Lists all controllers.',
        flags=(
            Flag(('refresh',), 'bool', help='Accepted'),
            Flag(('managed',), 'bool', help='Accepted'),
        ),
        formats=_SHOWN,
        model=False,
    ),
    Command(
        'show-controller',
        _show,
        'Shows detailed information of a controller.',
        '[<controller name> ...]',
        flags=(Flag(('show-password',), 'bool', help='Accepted: there is none'),),
        most=None,
        formats=('yaml', 'json'),
        model=False,
    ),
    Command(
        'bootstrap',
        _bootstrap,
        'Not needed here; remembers the controller name given.',
        '[<cloud name>[/region] [<controller name>]]',
        flags=(
            command.FORCE,
            Flag(('no-switch',), 'bool', help='Accepted'),
            Flag(('add-model',), help='Accepted'),
            Flag(('agent-version',), help='Accepted'),
            Flag(('auto-upgrade',), 'bool', help='Accepted'),
            Flag(('bootstrap-base', 'bootstrap-series'), help='Accepted'),
            Flag(('bootstrap-constraints',), 'repeatable', help='Accepted'),
            Flag(('bootstrap-image',), help='Accepted'),
            Flag(('build-agent',), 'bool', help='Accepted'),
            Flag(('config',), 'repeatable', help='Accepted'),
            Flag(('constraints',), 'repeatable', help='Accepted'),
            Flag(('credential',), help='Accepted'),
            Flag(('model-default',), 'repeatable', help='Accepted'),
            Flag(('metadata-source',), help='Accepted'),
            Flag(('storage-pool',), 'repeatable', help='Accepted'),
            Flag(('to',), 'repeatable', help='Accepted'),
        ),
        most=2,
        model=False,
    ),
    Command(
        'whoami',
        _whoami,
        'Print current controller, model and user.',
        formats=_SHOWN,
        model=False,
    ),
    Command(
        'users',
        _users,
        'Lists users of the controller.',
        flags=(command.CONTROLLER, Flag(('all',), 'bool', help='Accepted')),
        most=1,
        formats=_SHOWN,
        model=False,
    ),
    Command(
        'login',
        _login,
        'Accepted: the user is always logged in.',
        flags=(command.CONTROLLER, Flag(('user', 'u'), help='Accepted')),
        most=None,
        model=False,
    ),
    Command(
        'logout',
        _login,
        'Accepted: the user is always logged in.',
        flags=(command.CONTROLLER, command.FORCE),
        model=False,
    ),
    Command(
        'version',
        _version,
        'Print the Juju CLI client version.',
        flags=(Flag(('all',), 'bool', help='Prints all version information'),),
        formats=('smart', 'json', 'yaml'),
        model=False,
    ),
)
