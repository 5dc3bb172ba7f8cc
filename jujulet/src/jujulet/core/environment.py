"""The environment of a hook, built from scratch: what Juju sets, and nothing that anyone inherits.

Source: ``HookVars`` in worker/uniter/runner/context/context.go and env.go of Juju 3.6.
``HOME`` and ``USER`` are not set, ``JUJU_DEBUG`` never is. Also where things are on a machine.
"""

from __future__ import annotations

import dataclasses

from . import addresses, hooks, relations
from . import context as context_
from . import model as model_

AGENT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin'

_PROXIES = ('http', 'https', 'ftp', 'no')


@dataclasses.dataclass(frozen=True)
class Facts:
    """What only the edge knows."""

    prefix: str = ''
    """Put before every path on the machine; empty but for process machines."""
    path: str = AGENT_PATH
    """``PATH`` of the machine's agent."""
    api_addresses: tuple[str, ...] = ('127.0.0.1:17070',)
    zone: str = ''
    """Availability zone."""


def tag(entity: str) -> str:
    """``unit-mysql-0`` for ``mysql/0``."""
    return f'unit-{entity.replace("/", "-")}'


def agent_dir(unit: str) -> str:
    """The folder of a unit's agent, from within its machine."""
    return f'/var/lib/juju/agents/{tag(unit)}'


def charm_dir(unit: str) -> str:
    """Where a unit's charm is unpacked."""
    return f'{agent_dir(unit)}/charm'


def tools_dir(unit: str) -> str:
    """Where a unit finds its hook tools."""
    return f'/var/lib/juju/tools/{tag(unit)}'


def machine_tools_dir(machine: str) -> str:
    """Where charmhelpers looks for ``jujud``."""
    return f'/var/lib/juju/tools/machine-{machine}'


def resource_path(unit: str, name: str, filename: str) -> str:
    """Where ``resource-get`` says that a resource is."""
    return f'{agent_dir(unit)}/resources/{name}/{filename}'


def socket_path(unit: str) -> str:
    """Where a unit's hook tools reach the controller."""
    return f'/var/lib/juju/run/{tag(unit)}.socket'


def version_text(juju_version: str) -> str:
    """What ``jujud version`` prints: ``3.6.12-ubuntu-amd64``."""
    return f'{juju_version}-ubuntu-amd64'


def hook_environment(
    model: model_.Model, context: context_.Context, facts: Facts
) -> dict[str, str]:
    """Every variable of one run of one hook, action or command."""
    env = {
        'APT_LISTCHANGES_FRONTEND': 'none',
        'CLOUD_API_VERSION': '',
        'DEBIAN_FRONTEND': 'noninteractive',
        'JUJU_API_ADDRESSES': ' '.join(facts.api_addresses),
        'JUJU_AVAILABILITY_ZONE': facts.zone,
        'JUJU_CONTEXT_ID': context.id,
        'JUJU_MODEL_NAME': model.name,
        'JUJU_MODEL_UUID': model.uuid,
        'JUJU_VERSION': model.juju_version,
        'LANG': 'C.UTF-8',
        'PATH': facts.path,
        'PERL_BADLANG': '0',  # The hook tools' client is perl: a charm's odd locale is none of its business.
        'TERM': 'tmux-256color',
    }
    env |= _proxies(model)
    if not context.unit:
        env['JUJU_MACHINE_ID'] = _machine(model, context)
        return env
    unit = model.units[context.unit]
    home = facts.prefix + charm_dir(unit.name)
    env |= {
        'CHARM_DIR': home,
        'JUJU_AGENT_SOCKET_ADDRESS': facts.prefix + socket_path(unit.name),
        'JUJU_AGENT_SOCKET_NETWORK': 'unix',
        'JUJU_CHARM_DIR': home,
        'JUJU_MACHINE_ID': unit.machine,
        'JUJU_PRINCIPAL_UNIT': unit.principal,
        'JUJU_UNIT_NAME': unit.name,
        'PATH': f'{facts.prefix}{tools_dir(unit.name)}:{facts.path}',
    }
    return env | _event(model, context, facts)


def _machine(model: model_.Model, context: context_.Context) -> str:
    task = model.tasks.get(context.hook.task)
    return task.receiver if task else ''


def _event(model: model_.Model, context: context_.Context, facts: Facts) -> dict[str, str]:
    hook = context.hook
    name = hooks.name(hook)
    if hook.kind == 'action':
        return _action(model, hook)
    if hook.kind == 'exec':
        return {'JUJU_DISPATCH_PATH': '', 'JUJU_HOOK_NAME': ''}
    env = {'JUJU_DISPATCH_PATH': f'hooks/{name}', 'JUJU_HOOK_NAME': name}
    if hook.relation is not None and hook.kind.startswith('relation-'):
        env |= _relation(model, context)
    if hook.storage:
        env |= _storage(model, hook, facts)
    if hook.secret:
        env |= _secret(model, context)
    if hook.base:
        env |= {'JUJU_TARGET_BASE': hook.base, 'JUJU_TARGET_SERIES': ''}
    return env


def _action(model: model_.Model, hook: model_.Hook) -> dict[str, str]:
    name = model.tasks[hook.task].name
    return {
        'JUJU_ACTION_NAME': name,
        'JUJU_ACTION_TAG': f'action-{hook.task}',
        'JUJU_ACTION_UUID': hook.task,
        'JUJU_DISPATCH_PATH': f'actions/{name}',
        'JUJU_HOOK_NAME': '',
    }


def _relation(model: model_.Model, context: context_.Context) -> dict[str, str]:
    hook = context.hook
    remote = hook.remote_app
    relation = model.relations.get(-1 if hook.relation is None else hook.relation)
    if not remote and relation:
        remote = relations.other_side(relation, model.units[context.unit].application).application
    env = {
        'JUJU_RELATION': hook.endpoint,
        'JUJU_RELATION_ID': f'{hook.endpoint}:{hook.relation}',
        'JUJU_REMOTE_APP': remote,
        'JUJU_REMOTE_UNIT': hook.remote_unit,
    }
    if hook.kind == 'relation-departed':
        env['JUJU_DEPARTING_UNIT'] = hook.departing_unit or hook.remote_unit
    return env


def _storage(model: model_.Model, hook: model_.Hook, facts: Facts) -> dict[str, str]:
    found = model.storage.get(hook.storage)
    return {
        'JUJU_STORAGE_ID': hook.storage,
        'JUJU_STORAGE_KIND': found.kind if found else '',
        'JUJU_STORAGE_LOCATION': facts.prefix + found.location if found else '',
    }


def _secret(model: model_.Model, context: context_.Context) -> dict[str, str]:
    hook = context.hook
    secret = model.secrets.get(hook.secret)
    label = hook.secret_label
    if not label and secret:
        mine = secret.consumers.get(context.unit)
        label = (mine.label if mine else '') or secret.label
    env = {'JUJU_SECRET_ID': f'secret:{hook.secret}', 'JUJU_SECRET_LABEL': label}
    if hook.kind in ('secret-expired', 'secret-remove'):
        env['JUJU_SECRET_REVISION'] = str(hook.secret_revision)
    return env


def _proxies(model: model_.Model) -> dict[str, str]:
    """``juju-*-proxy`` for charms to use as they like; the legacy options for every program that a hook runs."""
    env: dict[str, str] = {}
    for kind in _PROXIES:
        env[f'JUJU_CHARM_{kind.upper()}_PROXY'] = str(model.config.get(f'juju-{kind}-proxy', ''))
        legacy = str(model.config.get(f'{kind}-proxy', ''))
        if legacy:
            env |= {f'{kind}_proxy': legacy, f'{kind.upper()}_PROXY': legacy}
    return env


def address_of(model: model_.Model, unit: str) -> str:
    """The address of a unit's default binding; empty while it has none."""
    found = addresses.address(model, unit)
    return addresses.host(found) if found else ''
