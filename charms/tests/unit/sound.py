"""Sound databags of every interface that our charms speak, as the other side of a charm called *name* writes them."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from charmkit import testing as machines
from charmkit.machine import HttpRequest, HttpResponse
from charmkit.relations import Relation
from ops import testing

from charms import conftest as shared
from tests import quick_yaml

CHARMS = pathlib.Path(__file__).parents[2]
ENDPOINTS = ('public', 'internal', 'admin')
PREFIXES = {'nova-cloud-controller': ('nova', 'novaapi', 'novacell0')}
"""Of the databases of a charm that asks for several."""
Bag = dict[str, str]

KEY = f'ssh-ed25519 {"A" * 68}'
IDENTITY: Bag = dict(cast('Any', shared.identity('x').remote_units_data)[0])
ASKS_DATABASE: Bag = {
    'database': 'nova', 'username': 'nova', 'hostname': '10.0.0.7',
    'api_database': 'nova_api', 'api_username': 'nova', 'api_hostname': '["10.0.0.7"]',
}  # fmt: skip
ASKS_IDENTITY: Bag = {
    'service': 'glance', 'region': 'RegionOne', 'public_url': 'http://h:9292', 'internal_url': 'http://h:9292',
    'admin_url': 'http://h:9292', 'requested_roles': 'a,b', 'add_role_to_admin': 'a',
    'x_service': 'nova', 'x_region': 'R', 'x_public_url': 'http://h', 'x_internal_url': 'http://h',
    'x_admin_url': 'http://h',
}  # fmt: skip
ASKS_BROKER: Bag = {
    'username': 'nova', 'vhost': 'openstack', 'takes-username': 'true', 'x_username': 'x', 'x_vhost': 'x',
}  # fmt: skip
BROKER: Bag = {'hostname': '10.0.0.8', 'password': 'pw', 'username': 'x', 'turn': '1'}
NEUTRON: Bag = {
    'neutron-url': 'http://10.0.0.9:9696', 'neutron-plugin': 'ovs', 'neutron-security-groups': 'yes',
    'neutron-api-ready': 'yes', 'dns-domain': 'example.com.',
}  # fmt: skip
AGENTS: Bag = {
    'neutron-api-ready': 'yes', 'neutron-security-groups': 'True', 'l2-population': 'True', 'enable-dvr': 'False',
    'enable-l3ha': 'False', 'enable-qos': 'True', 'overlay-network-type': 'gre vxlan', 'polling-interval': '2',
    'report-interval': '30', 'rpc-response-timeout': '60', 'network-device-mtu': '1500',
    'dns-domain': 'example.com.', 'region': 'RegionOne', 'addr': '10.0.0.9',
}  # fmt: skip
METADATA: Bag = {
    'nova-metadata-host': '10.0.0.9', 'nova-metadata-port': '8775', 'nova-metadata-protocol': 'http',
    'shared-metadata-secret': 's3cret', 'region': 'RegionOne',
}  # fmt: skip
CONTROLLER: Bag = {
    'auth_protocol': 'http', 'auth_host': '10.0.0.6', 'auth_port': '5000', 'service_protocol': 'https',
    'service_host': 'keystone.example.com', 'service_port': '5000', 'service_username': 'nova',
    'service_password': 'account-pw', 'service_tenant_name': 'services', 'admin_domain_name': 'service_domain',
    'region': 'RegionOne', 'network_manager': 'neutron', 'volume_service': 'cinder', 'dns_domain': 'example.com',
    'quantum_url': 'http://10.0.0.9:9696', 'quantum_plugin': 'ovs', 'quantum_security_groups': 'yes',
    'console_access_protocol': 'novnc', 'console_keymap': 'en-us', 'cross_az_attach': 'True',
    'console_proxy_novnc_address': 'http://203.0.113.9:6080/vnc_lite.html', 'allow_resize_to_same_host': 'True',
    'nova_authorized_keys_0': f'{KEY} nova', 'nova_authorized_keys_max_index': '1',
    'nova_known_hosts_0': f'compute-7,10.0.0.7 {KEY}', 'nova_known_hosts_max_index': '1',
}  # fmt: skip
COMPUTE: Bag = {
    'hostname': 'compute-7', 'private-address': '10.0.0.7', 'availability_zone': 'nova',
    'migration_auth_type': 'ssh', 'nova_ssh_public_key': f'{KEY} nova', 'ssh_host_keys': KEY,
}  # fmt: skip
OVSDB: Bag = {'bound-address': '"10.0.0.5"', 'db-protocol': 'tcp'}
BACKEND: Bag = {
    'neutron-plugin': 'ovn', 'core-plugin': 'ml2', 'neutron-plugin-config': '/etc/neutron/x.ini',
    'service-plugins': 'router', 'mechanism-drivers': 'ovn', 'extension-drivers': 'dns',
    'tenant-network-types': 'geneve',
}  # fmt: skip

ROOT = """-----BEGIN CERTIFICATE-----
MIIBIjCByKADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHJvb3QwIBcN
MjQwMTAxMDAwMDAwWhgPMjEyNDAxMDEwMDAwMDBaMA8xDTALBgNVBAMMBHJvb3Qw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATESo3KNd+Te9LHCKditbPUEa2Q4/pa
z+YY/M1wY0Hs6Hz4AnRh5cF5yXpu9qLyvIlVqOgP7IGJ9poJR3bTuM3FoxMwETAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQCkK1EBB5H5MInPBCpX
nEAZibHPxREqIvrGt91XFP0ljgIhANEWuzxGdNWXQiVuGsBFYZMRBcPiGhB9c1Iu
0BCRp2l+
-----END CERTIFICATE-----"""
"""An authority's certificate, until 2124."""


def subordinate(service: str, path: str, section: str = 'lvm') -> Bag:
    """What has a section for a file of *service*."""
    sections = {service: {path: {'sections': {section: [['volume_group', 'vg']]}}}}
    return {'subordinate_configuration': json.dumps(sections)}


def load_balancer(name: str) -> tuple[Bag, Bag]:
    """What it writes for the application, and what each of its units does."""
    frontend = {
        'ip': ['203.0.113.9'],
        'port': 80,
        'url': 'http://203.0.113.9:80',
        'protocol': 'http',
    }
    return {
        'interface-versions': '[2]',
        'frontends': json.dumps({name: dict.fromkeys(ENDPOINTS, frontend)}),
        'status': json.dumps({name: {'state': 'accepted', 'reason': ''}}),
        'grants': json.dumps({f'{name}/0': {'token': 't', 'state': 'granted', 'position': 0}}),
        'lb-units': '["other/0"]',  # It verifies nobody, so that nobody waits for a certificate.
        'proxy': '{"trusted-cidrs": ["10.0.0.0/8"]}',
    }, {'acks': json.dumps({f'{name}/0': {'token': 't', 'state': 'drained', 'sessions': 0}})}


def database(name: str) -> Bag:
    """What a database server grants the unit 0 of *name*."""
    bag = {'db_host': '10.0.0.5', 'generation': 'g1'}
    for prefix in PREFIXES.get(name, ('',)):
        start = f'{prefix}_' if prefix else ''
        bag |= {f'{start}password': 'pw', f'{start}allowed_units': f'{name}/0'}
    return bag


def _meta(name: str) -> Mapping[str, Any]:
    """What the charm *name* declares. Read once for each text: hundreds of examples ask for it."""
    return quick_yaml.read((CHARMS / name / 'charmcraft.yaml').read_text())


def endpoints(name: str) -> dict[str, tuple[str, str]]:
    """The endpoints of the charm *name*: by each one's name, its role and its interface."""
    meta = _meta(name)
    return {
        endpoint: (role, declared['interface'])
        for role in ('requires', 'provides')
        for endpoint, declared in meta.get(role, {}).items()
    }


def is_within_machine(name: str, endpoint: str) -> bool:
    """Whether *endpoint* of the charm *name* is of the scope container: the other side is on the same machine."""
    meta = _meta(name)
    every = {**meta.get('requires', {}), **meta.get('provides', {})}
    return every[endpoint].get('scope') == 'container'


def charms() -> tuple[str, ...]:
    """The names of all of our charms."""
    return tuple(sorted(path.parent.name for path in CHARMS.glob('*/charmcraft.yaml')))


def subordinates() -> tuple[str, ...]:
    """The names of our charms that stand beside others."""
    return tuple(name for name in charms() if _meta(name).get('subordinate'))


def bindings(name: str) -> tuple[str, ...]:
    """The bindings of the charm *name* that are no endpoints."""
    meta = _meta(name)
    return tuple(meta.get('extra-bindings', {}))


def _unit_data(name: str, role: str, interface: str) -> Bag:
    """What a unit of the other side says. KeyError for an interface that is not known: give it one here."""
    known: dict[tuple[str, str], Bag] = {
        ('requires', 'mysql-shared'): database(name),
        ('provides', 'mysql-shared'): ASKS_DATABASE,
        ('requires', 'keystone'): IDENTITY,
        ('provides', 'keystone'): ASKS_IDENTITY,
        ('requires', 'rabbitmq'): BROKER,
        ('provides', 'rabbitmq'): ASKS_BROKER,
        ('provides', 'mount_info'): {'mounted': 'true'},
        ('provides', 'keystone-domain-backend'): subordinate(
            'keystone', '/etc/keystone/domains/x.conf'
        ),
        ('requires', 'neutron-api'): NEUTRON,
        ('provides', 'neutron-api'): {},
        ('requires', 'neutron-plugin-api'): AGENTS,
        ('provides', 'neutron-plugin-api'): {},
        ('requires', 'neutron-plugin-api-subordinate'): BACKEND
        | subordinate('neutron-api', '/etc/neutron/neutron.conf'),
        ('requires', 'neutron-plugin'): {'neutron-plugin': 'ovs', 'host': 'machine-0'}
        | subordinate('nova-compute', '/etc/nova/nova.conf'),
        ('provides', 'neutron-plugin'): {},
        ('requires', 'quantum'): {},
        ('provides', 'quantum'): METADATA,
        ('requires', 'nova-compute'): COMPUTE,
        ('provides', 'nova-compute'): CONTROLLER,
        ('requires', 'cinder-backend'): {'backend_name': 'lvm', 'stateless': 'True', 'active_active': 'False'}
        | subordinate('cinder', '/etc/cinder/cinder.conf'),
        ('provides', 'cinder-backend'): {},
        ('requires', 'cinder'): {},
        ('provides', 'cinder'): {},
        ('requires', 'glance'): {'glance-api-server': 'http://10.0.0.9:9292', 'glance-api-ready': 'yes'},
        ('provides', 'glance'): {},
        ('requires', 'placement'): {},
        ('provides', 'placement'): {},
        ('requires', 'ovsdb'): OVSDB,
        ('provides', 'ovsdb'): {},
        ('requires', 'ovsdb-cms'): OVSDB,
        ('provides', 'ovsdb-cms'): {},
        ('requires', 'etcd'): {'connection_string': 'http://10.0.0.5:2379'},
        ('provides', 'neutron-plugin-api-subordinate'): {
            'neutron-api-ready': 'yes',
            'neutron_config_data': '{"service_plugins": ["router"], "extension_drivers": ["dns"]}',
        },
        ('requires', 'juju-info'): {},
        ('requires', 'tls-certificates'): {},
        ('requires', 'nova-ceilometer'): subordinate('nova', '/etc/nova/nova.conf', 'DEFAULT'),
        ('requires', 'certificate_transfer'): {'ca': ROOT, 'certificate': '', 'chain': '[]'},
    }  # fmt: skip
    return known[role, interface]


def relations(name: str) -> Iterator[Relation]:
    """Sound ones, one of each endpoint that the charm has."""
    for number, (endpoint, (role, interface)) in enumerate(endpoints(name).items(), 1):
        app, unit = (
            load_balancer(name)
            if interface == 'openstack-api-endpoints'
            else ({}, _unit_data(name, role, interface))
        )
        yield Relation(
            id=number, name=endpoint, app='other', app_data=app, units={'other/0': unit}
        )


def charm(name: str) -> Any:
    """The class of the charm *name*."""
    import sys

    source = str(CHARMS / name / 'src')
    if source not in sys.path:
        sys.path.insert(0, source)
    return getattr(shared.load(name), ''.join(map(str.title, name.split('-'))) + 'Charm')


CARDS = {'10.0.0.2': 'eth0', '192.0.2.2': 'eth1', '10.8.0.2': 'eth2'}
ON = {'external': '192.0.2.2', 'data': '10.8.0.2'}
"""Where bindings are that want a network card of their own."""


def related(name: str) -> dict[str, testing.RelationBase]:
    """All relations of the charm *name*, sound, as ``ops.testing`` has them."""
    found: dict[str, testing.RelationBase] = {}
    for r in relations(name):
        _, interface = endpoints(name)[r.name]
        bag = dict(r.units['other/0'])
        # Certificates want an authority that signs what each unit asks for: test_both_sides.py has one.
        if interface in ('openstack-api-endpoints', 'juju-info', 'tls-certificates'):
            continue
        if is_within_machine(name, r.name):
            found[r.name] = testing.SubordinateRelation(r.name, remote_unit_data=bag)
        else:
            found[r.name] = testing.Relation(r.name, remote_units_data={0: bag})
    return found


def networks(name: str) -> set[testing.Network]:
    """Every binding of the charm *name* in a network of its own."""
    bound = {*endpoints(name), *bindings(name)}
    return {n for n in shared.networks() if n.binding_name in bound} | {
        testing.Network(b, [testing.BindAddress([testing.Address(a)])], ingress_addresses=[a])
        for b, a in ON.items()
        if b in bound
    }


def machine(cloud: Cloud | None = None) -> machines.FakeMachine:
    """One with a network card for each kind of network, from which the *cloud* is reached."""
    return machines.FakeMachine(
        interfaces=CARDS,
        links={c: f'02:00:00:00:00:0{c[-1]}' for c in CARDS.values()},
        web=cloud or Cloud(),
    )


class Cloud:
    """What answers over HTTP where all is well: APIs are healthy, and have all that a unit asks them for."""

    def __init__(self, *storage: str) -> None:
        self._host = ''
        self._storage = storage or ('cinder@lvm',)
        """The services of cinder-volume that are up."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.url.endswith('/healthcheck'):
            return HttpResponse(200)
        if request.url.endswith('/auth/tokens'):
            return self._token()
        if (host := re.search(r'binary=nova-compute&host=([^&]+)', request.url)) is not None:
            self._host = host[1]
        for end, found in self._answers().items():
            if end in request.url:
                return HttpResponse(200, body=json.dumps(found))
        return HttpResponse(0, 'Connection refused')

    def _answers(self) -> dict[str, Any]:
        nova = {'id': '1' * 8 + '-2222-4333-8444-555555555555', 'status': 'enabled'}
        node = {'id': 'a-node', 'state': 'up', 'service': {'host': self._host}}
        return {
            'binary=nova-compute': {'services': [nova]},
            'binary=cinder-volume': {
                'services': [{'host': h, 'state': 'up'} for h in self._storage]
            },
            '/os-hypervisors/detail': {'hypervisors': [node]},
            '/inventories': {'inventories': {'VCPU': {}}},
        }

    def _token(self) -> HttpResponse:
        endpoint = {'interface': 'internal', 'region_id': 'RegionOne', 'url': 'http://10.0.0.9'}
        types = ('compute', 'placement', 'volumev3')
        catalog = [{'type': each, 'endpoints': [endpoint]} for each in types]
        body = json.dumps({'token': {'catalog': catalog}})
        return HttpResponse(201, headers={'x-subject-token': 'a-token'}, body=body)
