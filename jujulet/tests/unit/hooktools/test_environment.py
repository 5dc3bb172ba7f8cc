"""The environment of hooks: Juju's ``HookVars``, and ops-scenario's idea of it as an oracle."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

import ops
import pytest
import scenario
import toolworld
from ops.jujucontext import JujuContext
from scenario import _runtime

from jujulet.core import environment, lifecycle, model, operations

SECRET = 'c' * 20


def in_db(kind: str, remote_unit: str = '', departing_unit: str = '') -> model.Hook:
    return model.Hook(
        f'relation-{kind}',
        relation=1,
        endpoint='db',
        remote_app='mysql',
        remote_unit=remote_unit,
        departing_unit=departing_unit,
    )


EVENTS: dict[str, model.Hook] = {
    'install': model.Hook('install'),
    'start': model.Hook('start'),
    'config-changed': model.Hook('config-changed'),
    'db-relation-created': in_db('created'),
    'db-relation-joined': in_db('joined', remote_unit='mysql/0'),
    'db-relation-changed': in_db('changed', remote_unit='mysql/0'),
    'db-relation-departed': in_db('departed', remote_unit='mysql/0', departing_unit='mysql/0'),
    'db-relation-broken': in_db('broken'),
    'data-storage-attached': model.Hook('storage-attached', storage='data/0'),
    'secret-changed': model.Hook('secret-changed', secret=SECRET, secret_label='l'),
    'secret-expired': model.Hook(
        'secret-expired', secret=SECRET, secret_label='l', secret_revision=2
    ),
    'backup-action': model.Hook('action', task='7'),
}


def env_of(hook: model.Hook, **facts: Any) -> dict[str, str]:
    world = toolworld.World()
    context = world.hook(hook)
    return environment.hook_environment(world.model, context, environment.Facts(**facts))


def scenarios(name: str) -> dict[str, str]:
    """What ops-scenario sets for the same event."""
    relation = scenario.Relation('db', id=1, remote_app_name='mysql', remote_units_data={0: {}})
    secret = scenario.Secret({'a': 'b'}, id=f'secret:{SECRET}', label='l', owner='app')
    storage = scenario.Storage('data', index=0)
    meta = {
        'name': 'app',
        'requires': {'db': {'interface': 'mysql'}},
        'storage': {'data': {'type': 'filesystem'}},
    }
    context = scenario.Context(
        ops.CharmBase,
        meta=meta,
        actions={'backup': {}},
        juju_version='3.6.12',
        machine_id='0',
        principal_unit='',
        availability_zone='',
    )
    on = context.on
    event = {
        'install': on.install,
        'start': on.start,
        'config-changed': on.config_changed,
        'db-relation-created': lambda: on.relation_created(relation),
        'db-relation-joined': lambda: on.relation_joined(relation, remote_unit=0),
        'db-relation-changed': lambda: on.relation_changed(relation, remote_unit=0),
        'db-relation-departed': lambda: on.relation_departed(
            relation, remote_unit=0, departing_unit=0
        ),
        'db-relation-broken': lambda: on.relation_broken(relation),
        'data-storage-attached': lambda: on.storage_attached(storage),
        'secret-changed': lambda: on.secret_changed(
            scenario.Secret({'a': 'b'}, id=f'secret:{SECRET}', label='l')
        ),
        'secret-expired': lambda: on.secret_expired(secret, revision=2),
        'backup-action': lambda: on.action('backup', id='7'),
    }[name]()
    state = scenario.State(model=scenario.Model('test', uuid=toolworld.UUID))
    runtime = _runtime.Runtime(
        charm_spec=context._charm_spec,  # pyright: ignore[reportPrivateUsage]
        charm_root=None,
        juju_version='3.6.12',
        app_name='app',
        unit_id=0,
        machine_id='0',
        availability_zone='',
        principal_unit='',
    )
    return runtime._get_event_env(  # pyright: ignore[reportPrivateUsage]
        state, event, pathlib.Path('/var/lib/juju/agents/unit-app-0/charm')
    )


@pytest.mark.parametrize('name', EVENTS)
def test_all_that_scenario_sets_is_set_alike(name: str) -> None:
    ours, theirs = env_of(EVENTS[name]), scenarios(name)
    theirs.pop('_')  # The shell's own.
    different = {k: (v, ours.get(k)) for k, v in theirs.items() if ours.get(k) != v}
    assert different == {}


@pytest.mark.parametrize('name', EVENTS)
def test_ops_finds_all_that_it_requires(name: str) -> None:
    env = env_of(EVENTS[name])
    context = JujuContext.from_environ(env)
    assert context.unit_name == 'app/0'
    assert re.fullmatch(r'\d+\.\d+(\.|-\w+)\d+(\.\d+)?', env['JUJU_VERSION'])


def test_nothing_is_there_that_juju_does_not_set() -> None:
    env = env_of(EVENTS['install'])
    for name in ('HOME', 'USER', 'JUJU_DEBUG', 'JUJU_RELATION', 'JUJU_ACTION_NAME'):
        assert name not in env
    assert {'CLOUD_API_VERSION', 'JUJU_CHARM_HTTP_PROXY', 'JUJU_CHARM_NO_PROXY'} <= set(env)
    assert 'http_proxy' not in env
    assert env['PATH'].startswith('/var/lib/juju/tools/unit-app-0:/usr/local/sbin:')


def test_a_remote_unit_is_exported_empty_where_there_is_none() -> None:
    for name in ('db-relation-created', 'db-relation-broken'):
        assert env_of(EVENTS[name])['JUJU_REMOTE_UNIT'] == ''
        assert 'JUJU_DEPARTING_UNIT' not in env_of(EVENTS[name])
    app_changed = model.Hook('relation-changed', relation=1, endpoint='db', remote_app='mysql')
    assert env_of(app_changed)['JUJU_REMOTE_UNIT'] == ''


def test_storage_has_kind_and_location() -> None:
    env = env_of(EVENTS['data-storage-attached'], prefix='/m')
    assert env['JUJU_STORAGE_LOCATION'] == '/m/srv/data'
    assert env['JUJU_STORAGE_KIND'] == 'filesystem'
    assert env['CHARM_DIR'] == '/m/var/lib/juju/agents/unit-app-0/charm'


def test_proxies_come_from_the_models_configuration() -> None:
    world = toolworld.World()
    config = {'juju-http-proxy': 'http://p:1', 'https-proxy': 'http://p:2'}
    changed = dataclasses.replace(world.model, config=config)
    env = environment.hook_environment(changed, world.context, environment.Facts())
    assert env['JUJU_CHARM_HTTP_PROXY'] == 'http://p:1'
    assert env['https_proxy'] == env['HTTPS_PROXY'] == 'http://p:2'
    assert 'http_proxy' not in env


def test_a_subordinate_knows_its_principal() -> None:
    world = toolworld.World()
    context = world.hook(model.Hook('start'), 'syslog/1')
    env = environment.hook_environment(world.model, context, environment.Facts())
    assert (env['JUJU_PRINCIPAL_UNIT'], env['JUJU_MACHINE_ID']) == ('app/1', '1')


def test_a_change_of_base_says_which_it_goes_to():
    found = env_of(model.Hook('pre-series-upgrade', base='debian@13'))
    assert (found['JUJU_TARGET_BASE'], found['JUJU_TARGET_SERIES']) == ('debian@13', '')
    assert 'JUJU_TARGET_BASE' not in env_of(model.Hook('start'))


def test_a_command_on_a_machine_runs_as_no_unit_and_knows_its_machine():
    world = toolworld.World()
    machine = world.model.units['app/0'].machine
    task = model.Task('9', '1', machine, 'juju-exec')
    now = dataclasses.replace(world.model, tasks={'9': task})
    hook = model.Hook('exec', task='9')
    now, context = lifecycle.begin(now, operations.RunHook('', machine, hook), 'c', world.now)
    assert (context.hook, context.unit) == (hook, '')
    assert now.tasks['9'].status == 'running'
    found = environment.hook_environment(now, context, environment.Facts())
    assert found['JUJU_MACHINE_ID'] == machine
    assert 'JUJU_UNIT_NAME' not in found
