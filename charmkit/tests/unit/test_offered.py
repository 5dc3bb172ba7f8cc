"""A daemon that listens by itself has its place at the load balancer, as applications of Apache's have."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit import api, conf, relations, service, state
from charmkit.relations import loadbalancer
from charmkit.why import Action, Hook

HOOK = Hook('config-changed')
SERVED = service.Served('console', 'novnc', 6080, health='/vnc.html')


def conf_file(ready: service.Ready) -> conf.Ini:
    site = ready.inputs.site
    return {'vnc': {'host': site.listening['console'], 'url': site.urls['console']['public']}}


SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api',),
    needs=(),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo'),),
    config={'/etc/demo/demo.conf': conf_file},
    daemons=(service.Daemon('consoled', serves=SERVED), service.Daemon('workerd')),
)
SITE = relations.Site(
    unit='demo/0',
    leader=True,
    address='10.0.0.2',
    addresses={'public': '203.0.113.2', 'internal': '10.0.0.2', 'public-backend': '10.7.0.2'},
)


def balancer(*frontends: str, id_: int = 5, name: str = 'public-backend') -> relations.Relation:
    found = {s: {'public': {'ip': ['198.51.100.9'], 'port': 6080}} for s in frontends}
    bag = {'interface-versions': '[1, 2]', 'frontends': json.dumps(found)}
    return relations.Relation(id=id_, name=name, app='lb', app_data=bag, units={'lb/0': {}})


ALONE = state.Inputs(site=SITE)
BALANCED = dataclasses.replace(ALONE, relations={'public-backend': (balancer('console'),)})


def rendered(inputs: state.Inputs) -> str:
    (file,) = [
        f for f in api.run(SPEC, HOOK, inputs).host.files if f.path == '/etc/demo/demo.conf'
    ]
    return file.content


def services(desired: state.Desired) -> dict[str, Any]:
    return {s.name: s for s in desired.host.services}


def test_a_load_balancer_is_told_of_the_daemon():
    desired = api.run(SPEC, HOOK, BALANCED)
    asked = {e['service-name']: e for e in json.loads(desired.app_data[5]['endpoints'])}
    assert asked['console']['service-type'] == 'novnc'
    assert asked['console']['frontend-port'] == 6080
    assert asked['console']['check']['path'] == '/vnc.html'
    mine = {e['service-name']: e for e in json.loads(desired.unit_data[5]['endpoints'])}
    assert mine['console']['backend-ip'] == '10.7.0.2'
    assert mine['console']['backend-port'] == 6080
    assert 'maxconn' not in mine['console']


def test_the_load_balancer_of_another_type_is_not():
    inner = balancer(id_=6, name='internal-backend')
    desired = api.run(
        SPEC, HOOK, dataclasses.replace(ALONE, relations={'internal-backend': (inner,)})
    )
    told = json.loads(desired.app_data[6]['endpoints'])
    assert [e['service-name'] for e in told] == ['demo']


def test_it_listens_where_its_load_balancer_asks_for_it():
    assert 'host = 10.7.0.2' in rendered(BALANCED)
    assert 'host = 203.0.113.2' in rendered(ALONE)
    assert services(api.run(SPEC, HOOK, BALANCED))['consoled'].probe == '10.7.0.2:6080'


def test_clients_find_it_at_the_load_balancer_or_else_at_the_unit():
    assert 'url = http://198.51.100.9:6080' in rendered(BALANCED)
    assert 'url = http://203.0.113.2:6080' in rendered(ALONE)


def test_a_vip_is_not_taken_for_it():
    with_vip = dataclasses.replace(
        ALONE,
        options={'vip': '203.0.113.99'},
        site=dataclasses.replace(
            SITE,
            networks={'public': (relations.Network('eth0', '203.0.113.2', '203.0.113.0/24'),)},
        ),
    )
    assert 'url = http://203.0.113.2:6080' in rendered(with_vip)


def test_its_port_is_opened():
    assert api.run(SPEC, HOOK, ALONE).ports == {8778, 6080}


def test_it_serves_until_it_is_drained_while_others_stop_at_once():
    draining = services(api.run(SPEC, Action('pause'), BALANCED))
    assert draining['consoled'].state == 'running'
    assert draining['workerd'].state == 'stopped'
    lifecycle = loadbalancer.Lifecycle(state='maintenance', token='t')
    said = {'lifecycle': loadbalancer.write_lifecycle(lifecycle)}
    drained = dataclasses.replace(
        BALANCED,
        relations={'public-backend': (dataclasses.replace(balancer('console'), my_data=said),)},
        memory={'paused': True},
    )
    assert services(api.run(SPEC, HOOK, drained))['consoled'].state == 'stopped'


@pytest.mark.parametrize(
    'twice', [service.Served('demo', 'novnc', 6080), service.Served('console', 'novnc', 8778)]
)
def test_a_service_or_port_that_is_taken_is_refused(twice: service.Served):
    with pytest.raises(ValueError, match='two applications'):
        dataclasses.replace(SPEC, daemons=(service.Daemon('consoled', serves=twice),))


def test_an_application_listens_only_where_it_has_endpoints():
    inner = service.WsgiApp('inner', '/usr/bin/inner', 8775, types=('internal',))
    spec = dataclasses.replace(SPEC, apps=(*SPEC.apps, inner))
    files = {f.path: f.content for f in api.run(spec, HOOK, BALANCED).host.files}

    def listens(name: str) -> set[str]:
        lines = files[f'/etc/apache2/sites-enabled/{name}.conf'].splitlines()
        return {x.split()[1] for x in lines if x.startswith('Listen ')}

    assert listens('inner') == {'127.0.0.1:8775', '10.0.0.2:8775'}
    everywhere = ('127.0.0.1', '10.0.0.2', '203.0.113.2', '10.7.0.2')
    assert listens('demo-api') == {f'{a}:8778' for a in everywhere}
