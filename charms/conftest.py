"""What the tests of all API charms share: a remembered machine, and relations that answer."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from typing import Any

import charmkit
import pytest
from charmkit import testing as machines
from ops import testing

from tests import quick_yaml

quick_yaml.quicken()

CHARMS = pathlib.Path(__file__).parent
BASES = ('debian@12', 'debian@13', 'ubuntu@24.04')


def load(name: str) -> Any:
    """The module ``src/charm.py`` of the charm *name*, under a name of its own."""
    module_name = f'{name.replace("-", "_")}_charm'
    if module_name not in sys.modules:
        path = CHARMS / name / 'src' / 'charm.py'
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise FileNotFoundError(path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        spec.loader.exec_module(module)
    return sys.modules[module_name]


def database(unit: str, *prefixes: str) -> testing.Relation:
    """A shared-db that has granted *unit* its database, or one for each of *prefixes*."""
    bag = {'db_host': '10.0.0.5'}
    for p in prefixes or ('',):
        start = f'{p}_' if p else ''
        bag |= {f'{start}password': 'db-pw', f'{start}allowed_units': unit}
    return testing.Relation('shared-db', remote_app_name='mysql', remote_units_data={0: bag})


def identity(service: str) -> testing.Relation:
    """An identity-service that has made an account for *service*."""
    bag = {
        'auth_host': '10.0.0.6',
        'auth_port': '35357',
        'auth_protocol': 'http',
        'internal_host': '10.0.0.6',
        'internal_port': '5000',
        'internal_protocol': 'http',
        'service_host': 'keystone.example.com',
        'service_port': '5000',
        'service_protocol': 'https',
        'service_username': service,
        'service_password': 'account-pw',
        'service_tenant': 'services',
        'service_domain': 'service_domain',
    }
    return testing.Relation(
        'identity-service', remote_app_name='keystone', remote_units_data={0: bag}
    )


def broker(*hosts: str) -> testing.Relation:
    """A message broker whose members are at *hosts*, and that has made an account."""
    bags = {n: {'hostname': h, 'password': 'mq-pw'} for n, h in enumerate(hosts or ('10.0.0.7',))}
    return testing.Relation('amqp', remote_app_name='rabbitmq-server', remote_units_data=bags)


def _subnet(address: str) -> str:
    return f'{address.rpartition(".")[0]}.0/24'


def networks() -> set[testing.Network]:
    """Every binding in a network of its own."""
    addresses = {'public': '203.0.113.2', 'internal': '10.0.0.2', 'admin': '10.9.0.2'}
    return {
        testing.Network(
            name,
            [testing.BindAddress([testing.Address(address, cidr=_subnet(address))])],
            ingress_addresses=[address],
        )
        for name, address in addresses.items()
    }


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> machines.FakeMachine:
    """The machine that every charm of the test runs on."""
    fake = machines.FakeMachine()
    monkeypatch.setattr(charmkit.Charm, 'machine', fake)
    return fake
