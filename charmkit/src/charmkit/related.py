"""For the tests of charms: relations whose other side has done its part, as ``ops.testing`` has them.

::

    relations = {related.database('my-api/0'), related.identity('my-api'), testing.PeerRelation('peers')}
    ctx.run(ctx.on.config_changed(), testing.State(relations=relations, networks=related.networks()))
"""

from __future__ import annotations

from ops import testing


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
