"""All that a unit wants, as goldens: read them to see what a declaration becomes, as its life goes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from charmkit import api, front, host, limits, migration, relations, service, state
from charmkit.relations import keystone, mysql, rabbitmq
from charmkit.why import Action, Hook, Why
from syrupy.assertion import SnapshotAssertion

HOOK = Hook('config-changed')
DB = mysql.need('demo')
IDENTITY = keystone.need('demo')
BROKER = rabbitmq.need('demo')


def demo_conf(ready: service.Ready) -> dict[str, dict[str, Any]]:
    return {
        'database': {'connection': ready[DB].url},
        'DEFAULT': {'transport_url': ready[BROKER].transport_url, 'debug': ready.debug},
    }


def serving(_: service.Ready) -> dict[str, dict[str, Any]]:
    return {'console': {'port': 6080}}


SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api', 'python3-pymysql'),
    masked=('demo-api',),
    needs=(DB, IDENTITY, BROKER),
    apps=(
        service.WsgiApp(
            'demo-api', '/usr/bin/demo', 8778, type='demo', path='/v2', aliases=('/demo',)
        ),
        service.WsgiApp(
            'demo-data',
            '/usr/bin/demo-data',
            8779,
            silence=limits.BULK,
            health='/alive',
            body_limit=1000,
            grace_s=45,
            one_thread=True,
            static={'/static': '/usr/share/demo/static'},
        ),
    ),
    daemons=(
        service.Daemon('demo-worker', stop_s=90, consumes=True),
        service.Daemon('demo-cron', probe='127.0.0.1:9000'),
        service.Daemon(
            'demo-console',
            pauses=True,
            serves=service.Served('demo-console', 'novnc', 6080),
            config={'/etc/demo/console.conf': serving},
        ),
    ),
    migrations=migration.Commands(
        sync=('demo-manage db sync',), contract=('demo-manage db contract',)
    ),
    config={'/etc/demo/demo.conf': demo_conf},
)
NETWORKS = {
    'public': (relations.Network('eth0', '203.0.113.2', '203.0.113.0/24'),),
    'internal': (
        relations.Network('eth1', '10.0.0.2', '10.0.0.0/24'),
        relations.Network('eth1', 'fd00::2', 'fd00::/64'),
    ),
}
SITE = relations.Site(
    unit='demo/0',
    leader=True,
    address='10.0.0.2',
    addresses={'public': '203.0.113.2', 'internal': '10.0.0.2', 'admin': '10.0.0.2'},
    all_addresses={
        'public': ('203.0.113.2',),
        'internal': ('10.0.0.2', 'fd00::2'),
        'admin': ('10.0.0.2',),
    },
    networks=NETWORKS,
)


def related(id_: int, name: str, **said: str) -> tuple[relations.Relation, ...]:
    return (relations.Relation(id=id_, name=name, app=name, units={f'{name}/0': said}),)


RELATIONS = {
    **{
        'shared-db': related(
            1, 'shared-db', db_host='10.0.0.5', password='db-pw', allowed_units='demo/0'
        ),
        'amqp': related(3, 'amqp', hostname='10.0.0.8', password='amqp-pw'),
    },
    'identity-service': related(
        2,
        'identity-service',
        auth_protocol='http',
        auth_host='10.0.0.6',
        auth_port='5000',
        service_protocol='https',
        service_host='keystone.example.com',
        service_port='5000',
        internal_protocol='http',
        internal_host='10.0.0.6',
        internal_port='5000',
        service_username='demo',
        service_password='account-pw',
        service_tenant='services',
        service_domain='service_domain',
        api_version='3',
    ),
}
ALONE = state.Inputs(
    site=SITE,
    relations=RELATIONS,
    options={'debug': True},
    versions={'demo-api': '2:1.0.1-2+deb12u1'},
    unit_secret='of-the-unit',
    fresh='f' * 64,
    now=1_800_000_000.0,
)
ADDRESSES = json.dumps(['10.0.0.3', '203.0.113.3'])
PEERS = {'demo/1': {'addresses': ADDRESSES}, 'demo/10': {'addresses': '["10.0.0.12"]'}}


def shown(desired: state.Desired) -> str:
    """*desired* for people; the files of a unit alone are in the golden of that one."""
    return '\n'.join(_lines(desired, run(migrated()).host.files))


def _lines(desired: state.Desired, known: tuple[host.File, ...] = ()) -> Iterator[str]:
    want = desired.host
    yield f'packages: {" ".join(sorted(want.packages))}'
    for kind in (want.directories, want.links, want.absent, want.commands, want.services):
        yield from (str(_values(one)) for one in kind)
    yield from (f'databag of this unit, {k}: {dict(v)}' for k, v in desired.unit_data.items())
    yield from (f'databag of the application, {k}: {dict(v)}' for k, v in desired.app_data.items())
    yield f'ports: {sorted(desired.ports)}'
    yield from (str(one) for one in desired.status)
    yield from (str(one) for one in desired.tasks)
    yield f'heeds not: { {k: sorted(v) for k, v in sorted(desired.unheeded.items())} }'
    yield f'remembers: {dict(sorted(desired.memory.items()))}'
    yield f'version {desired.version!r}, answers {dict(desired.results)}, fails {desired.failure!r}'
    for file in sorted(want.files, key=lambda f: f.path):
        if file in known:
            yield f'==> {file.path} as that of a unit alone'
            continue
        values = {k: v for k, v in _values(file).items() if k not in ('content', 'path')}
        yield f'==> {file.path} {values}'
        yield 'a program of charmkit' if file.path.endswith('.py') else file.content


def _values(one: Any) -> Mapping[str, Any]:
    every = {f.name: getattr(one, f.name) for f in dataclasses.fields(one)}
    return {k: _values(v) if isinstance(v, host.Command) else v for k, v in every.items() if v}


def run(inputs: state.Inputs, why: Why = HOOK) -> state.Desired:
    return api.run(SPEC, why, inputs)


def migrated() -> state.Inputs:
    """Of a unit whose leader has migrated: what it then publishes is there."""
    peers = run(ALONE).app_data['peers']
    return dataclasses.replace(ALONE, peers=peers)


def test_a_unit_alone(snapshot: SnapshotAssertion):
    assert '\n'.join(_lines(run(migrated()))) == snapshot


def test_the_first_unit_migrates_the_databases(snapshot: SnapshotAssertion):
    assert shown(run(ALONE)) == snapshot


def test_units_behind_a_vip_of_their_own(snapshot: SnapshotAssertion):
    vips = {'vip': '203.0.113.99 10.0.0.99 fd00::99', 'os-public-hostname': 'cloud.example'}
    inputs = dataclasses.replace(
        migrated(), options=vips, peer_units=PEERS, memory={'joined': True}
    )
    assert shown(run(inputs)) == snapshot


def balanced(**more: str) -> state.Inputs:
    url = {'ip': ['198.51.100.9'], 'port': 443, 'url': 'https://api.example.com:443/v2'}
    bag = {
        'interface-versions': '[1, 2]',
        'frontends': json.dumps({'demo': {'public': url}}),
        'lb-units': '["lb/0"]',
        'proxy': json.dumps({'trusted-cidrs': ['10.0.0.0/24']}),
        **more,
    }
    relation = relations.Relation(
        id=5, name='public-backend', app='lb', app_data=bag, units={'lb/0': {}}
    )
    inputs = migrated()
    return dataclasses.replace(
        inputs, relations={**inputs.relations, 'public-backend': (relation,)}
    )


def test_a_unit_behind_a_load_balancer(snapshot: SnapshotAssertion):
    assert shown(run(balanced())) == snapshot


def test_a_unit_that_is_paused_behind_a_load_balancer(snapshot: SnapshotAssertion):
    assert shown(run(balanced(), Action('pause', {'reason': 'a test'}))) == snapshot


def test_a_unit_that_is_paused_and_has_none(snapshot: SnapshotAssertion):
    assert shown(run(dataclasses.replace(migrated(), memory={front.PAUSED: True}))) == snapshot


def test_a_unit_that_nobody_is_related_to(snapshot: SnapshotAssertion):
    assert shown(run(dataclasses.replace(ALONE, relations={}))) == snapshot


def test_a_unit_that_goes_on_although_its_database_says_nothing(snapshot: SnapshotAssertion):
    memory = run(migrated()).memory
    silent = {**RELATIONS, 'shared-db': related(1, 'shared-db')}
    inputs = dataclasses.replace(migrated(), relations=silent, memory=dict(memory))
    assert shown(run(inputs)) == snapshot


def test_a_follower_before_its_leader_has_migrated(snapshot: SnapshotAssertion):
    site = dataclasses.replace(SITE, unit='demo/1', leader=False)
    granted = {
        **RELATIONS,
        'shared-db': related(
            1, 'shared-db', db_host='10.0.0.5', password='db-pw', allowed_units='demo/1'
        ),
    }
    assert shown(run(dataclasses.replace(ALONE, site=site, relations=granted))) == snapshot


def test_the_same_inputs_give_the_same_again():
    assert shown(run(migrated())) == shown(run(migrated()))
