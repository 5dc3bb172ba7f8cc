"""One charm, one event: as a real process on our tools and environment, and in ops-scenario. The ends compare equal.

Where the two are known to differ, what is compared leaves it out.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import subprocess
import sys
from typing import Any

import ops
import pytest
import scenario
import toolworld

from jujulet.core import context as context_
from jujulet.core import lifecycle, model

CHARM = pathlib.Path(__file__).parent / 'everything' / 'charm.py'
META: dict[str, Any] = {
    'name': 'app',
    'requires': {'db': {'interface': 'mysql'}},
    'provides': {'web': {'interface': 'http'}},
    'peers': {'peers': {'interface': 'app-peers'}},
    'storage': {
        'data': {'type': 'filesystem', 'location': '/srv/data'},
        'cache': {'type': 'filesystem', 'multiple': {'range': '0-3'}},
    },
}
CONFIG: dict[str, Any] = {'options': {'title': {'type': 'string', 'default': 'hello'}}}
ACTIONS: dict[str, Any] = {'backup': {'params': {'to': {'type': 'string'}}}}

EVENTS: dict[str, model.Hook] = {
    'start': model.Hook('start'),
    'config_changed': model.Hook('config-changed'),
    'db_relation_changed': model.Hook('relation-changed', 1, 'db', 'mysql', 'mysql/0'),
    'db_relation_departed': model.Hook(
        'relation-departed', 1, 'db', 'mysql', 'mysql/1', 'mysql/1'
    ),
    'data_storage_attached': model.Hook('storage-attached', storage='data/0'),
    'backup_action': model.Hook('action', task='7'),
}

CASES = [
    *((name, 'app/0') for name in EVENTS),
    ('config_changed', 'app/1'),
    ('db_relation_changed', 'app/1'),
]


def here(name: str, unit: str, folder: pathlib.Path) -> dict[str, Any]:
    """Dispatch as a process, and what the model is after the hook."""
    world = toolworld.World()
    world.hook(EVENTS[name], unit)
    charm = folder / 'charm'
    (charm / 'src').mkdir(parents=True)
    (charm / 'src' / 'charm.py').write_bytes(CHARM.read_bytes())
    for file, content in (('metadata', META), ('config', CONFIG), ('actions', ACTIONS)):
        (charm / f'{file}.yaml').write_text(json.dumps(content))
    with toolworld.served(world, folder) as env:
        env |= {'CHARM_DIR': str(charm), 'JUJU_CHARM_DIR': str(charm)}
        ended = subprocess.run(
            [sys.executable, 'src/charm.py'], cwd=charm, env=env, capture_output=True, text=True
        )
    assert ended.returncode == 0, world.log
    action = world.context.action
    task = world.model.tasks.get('7')
    after = lifecycle.finish(world.model, world.context, context_.Outcome(0), world.now)
    mine = after.units[unit]
    application = after.applications['app']
    return {
        'status': (mine.workload.current, mine.workload.message),
        'app status': application.status
        and (application.status.current, application.status.message),
        'version': mine.workload_version,
        'ports': {(p.protocol, p.first) for p in mine.ports},
        'unit data': {rid: dict(after.relations[rid].units[unit].data) for rid in (1, 2)},
        'app data': {rid: dict(after.relations[rid].applications['app'].data) for rid in (1, 2)},
        'secrets': {
            (s.label, s.description, s.rotate): (
                dict(s.revisions[1].content),
                sorted(a.target for a in s.access),
            )
            for s in after.secrets.values()
        },
        'storage': dict(world.context.writes.storage),
        'results': dict(action.results),
        'action log': [line for _, line in task.log] if task else [],
        'log': [line.rpartition(': ')[2] for level, line in world.log if level == 'INFO'],
    }


def there(name: str, unit: str) -> dict[str, Any]:
    """The same event in ops-scenario."""
    leader = unit == 'app/0'
    number = int(unit[-1])
    address = {'ingress-address': f'10.0.0.1{number}'}
    db = scenario.Relation(
        'db',
        id=1,
        remote_app_name='mysql',
        local_app_data={'want': 'db'},
        remote_app_data={'version': '8'},
        local_unit_data={**address, 'user': 'me'} if leader else address,
        remote_units_data={0: {'host': '10.0.0.20', 'port': '3306'}, 1: {'host': '10.0.0.21'}},
    )
    peers = scenario.PeerRelation(
        'peers',
        id=2,
        local_app_data={'shared': 'yes'},
        local_unit_data={'n': str(number)},
        peers_data={1 - number: {'n': str(1 - number)}},
    )
    storage = scenario.Storage('data', index=number)
    if (
        'departed' in name
    ):  # Scenario leaves it to us that the departing unit is not there any more.
        remaining = {0: {'host': '10.0.0.20', 'port': '3306'}}
        db = dataclasses.replace(db, remote_units_data=remaining)
    state = scenario.State(
        relations={db, peers}, leader=leader, planned_units=2, storages={storage}
    )
    context = scenario.Context(
        _charm(),
        meta=META,
        config=CONFIG,
        actions=ACTIONS,
        juju_version='3.6.12',
        unit_id=number,
    )
    on = context.on
    event: Any = {
        'start': on.start,
        'config_changed': on.config_changed,
        'db_relation_changed': lambda: on.relation_changed(db, remote_unit=0),
        'db_relation_departed': lambda: on.relation_departed(db, remote_unit=1, departing_unit=1),
        'data_storage_attached': lambda: on.storage_attached(storage),
        'backup_action': lambda: on.action('backup', id='7', params={'to': 'x'}),
    }[name]()
    out = context.run(event, state)
    return {
        'status': (out.unit_status.name, out.unit_status.message),
        'app status': (out.app_status.name, out.app_status.message) if leader else None,
        'version': out.workload_version,
        'ports': {(p.protocol, p.port or 0) for p in out.opened_ports},
        'unit data': {r: dict(out.get_relation(r).local_unit_data) for r in (1, 2)},
        'app data': {r: dict(out.get_relation(r).local_app_data) for r in (1, 2)},
        'secrets': {
            (s.label, s.description or '', s.rotate.value if s.rotate else 'never'): (
                dict(s.latest_content or {}),
                sorted(name for names in s.remote_grants.values() for name in names),
            )
            for s in out.secrets
        },
        'storage': context.requested_storages,
        'results': _nested(context.action_results or {}),
        'action log': context.action_logs,
        'log': [line.message for line in context.juju_log if line.level == 'INFO'],
    }


def _nested(results: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(results))


def _charm() -> type[ops.CharmBase]:
    spec = importlib.util.spec_from_file_location('everything_charm', CHARM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Everything


@pytest.mark.parametrize(('name', 'unit'), CASES)
def test_a_charm_ends_as_in_scenario(name: str, unit: str, tmp_path: pathlib.Path) -> None:
    ours, theirs = here(name, unit, tmp_path), there(name, unit)
    for what, value in theirs.items():
        assert ours[what] == value, what


def test_the_comparison_would_see_a_lost_write(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sabotaged twin: ports that are never committed."""
    from jujulet.core import commit

    flush = commit.flush

    def forgets(before: model.Model, context: context_.Context, now: float) -> model.Model:
        writes = dataclasses.replace(context.writes, ports=None)
        return flush(before, dataclasses.replace(context, writes=writes), now)

    monkeypatch.setattr(commit, 'flush', forgets)
    assert here('start', 'app/0', tmp_path)['ports'] != there('start', 'app/0')['ports']
