"""Which command lives in which module. The modules are imported only when needed."""

from __future__ import annotations

import importlib

from . import command

_MODULES = {
    'models': (
        'add-model models switch show-model destroy-model model-config model-constraints '
        'set-model-constraints'
    ),
    'statuses': 'status show-status-log',
    'deploying': 'deploy refresh attach-resource resources export-bundle diff-bundle',
    'applications': (
        'remove-application show-application config constraints set-constraints trust '
        'set-application-base expose unexpose bind'
    ),
    'units': 'add-unit remove-unit show-unit resolved',
    'relations': 'integrate remove-relation suspend-relation resume-relation',
    'machines': (
        'add-machine remove-machine machines show-machine retry-provisioning upgrade-machine'
    ),
    'running': 'run exec',
    'tasks': 'actions show-action operations show-operation show-task cancel-task',
    'shells': 'ssh debug-hooks debug-code',
    'copying': 'scp',
    'logs': 'debug-log',
    'secrets': (
        'secrets add-secret show-secret update-secret remove-secret grant-secret revoke-secret'
    ),
    'storage': ('storage show-storage add-storage attach-storage detach-storage remove-storage'),
    'pools': 'create-storage-pool update-storage-pool remove-storage-pool storage-pools',
    'blocking': 'disable-command enable-command disabled-commands',
    'defaults': 'model-defaults',
    'access': 'grant revoke',
    'spaces': 'spaces add-space remove-space show-space rename-space move-to-space subnets reload-spaces',
    'offers': 'offer offers find-offers show-offer remove-offer consume remove-saas',
    'clouds': (
        'clouds show-cloud add-cloud update-cloud remove-cloud credentials add-credential '
        'update-credential remove-credential show-credential default-credential regions'
    ),
    'controllers': 'controllers show-controller bootstrap whoami users login logout version',
    'keys': 'ssh-keys add-ssh-key remove-ssh-key',
    'waiting': 'wait-for',
    'local': 'env doctor cache image controller alias pack',
    'hub': 'download find info',
    'hookhelp': 'help-hook-commands help-action-commands',
    'stored': 'backup restore recover',
}

TABLE: dict[str, str] = {
    name: module for module, names in _MODULES.items() for name in names.split()
}

ALIASES = {
    'relate': 'integrate',
    'add-relation': 'integrate',
    'run-action': 'run',
    'upgrade-charm': 'refresh',
    'resolve': 'resolved',
    'list-models': 'models',
    'list-machines': 'machines',
    'list-actions': 'actions',
    'list-operations': 'operations',
    'list-secrets': 'secrets',
    'list-subnets': 'subnets',
    'list-disabled-commands': 'disabled-commands',
    'model-default': 'model-defaults',
    'show-credentials': 'show-credential',
    'list-storage': 'storage',
    'list-storage-pools': 'storage-pools',
    'list-spaces': 'spaces',
    'list-offers': 'offers',
    'list-clouds': 'clouds',
    'list-credentials': 'credentials',
    'list-controllers': 'controllers',
    'list-users': 'users',
    'list-ssh-keys': 'ssh-keys',
    'list-resources': 'resources',
    'list-regions': 'regions',
    'consume-offer': 'consume',
    'debug-hook': 'debug-hooks',
    'hook-tool': 'help-hook-commands',
    'help-tool': 'help-hook-commands',
    'hook-tools': 'help-hook-commands',
}


def find(name: str) -> command.Command | None:
    """The command called *name*, by alias too."""
    name = ALIASES.get(name, name)
    module = TABLE.get(name)
    if module is None:
        return None
    for found in importlib.import_module(f'.{module}', __package__).COMMANDS:
        if found.name == name:
            return found
    return None


def listing() -> str:
    """``juju help commands``: every command with its summary, aliases too."""
    rows = {name: found.summary for name in TABLE if (found := find(name)) is not None}
    rows |= {alias: f"Alias for '{name}'." for alias, name in ALIASES.items()}
    width = max(map(len, rows))
    return ''.join(f'{name:<{width}}  {rows[name]}\n' for name in sorted(rows))
