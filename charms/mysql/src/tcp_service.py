"""Clients that come through a load balancer: a TCP service that sends all of them to one member at a time. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable

import charmkit
import galera_node
import replicas
from charmkit.relations import Databag, drains, loadbalancer, mysql

ENDPOINT = 'internal-backend'


def service(inputs: charmkit.Inputs) -> loadbalancer.Api:
    """What a load balancer is asked for: connections are passed on as they are, health is asked for over HTTP."""
    return loadbalancer.Api(
        name=inputs.site.app,
        type='mysql',
        frontend_port=mysql.PORT,
        backend_port=mysql.PORT,
        types=('internal',),
        options={
            'protocol': 'tcp',
            'check': {
                'method': 'GET',
                'path': '/',
                'expect': ['200'],
                'port': galera_node.HEALTH_PORT,
                'interval-ms': 1000,
            },
        },
    )


def app_data(inputs: charmkit.Inputs) -> dict[str | int, Databag]:
    """What the leader asks for."""
    if not inputs.of(ENDPOINT):
        return {}
    return {ENDPOINT: loadbalancer.app_request((service(inputs),), 'internal')}


def unit_data(inputs: charmkit.Inputs, *, backup: bool) -> dict[str | int, Databag]:
    """Where this unit serves; a *backup* gets clients when the one that is none does not answer."""
    relations = inputs.of(ENDPOINT)
    if not relations:
        return {}
    last = drains.last_lifecycle(relations)
    ready = last or loadbalancer.Lifecycle(
        state='ready', token=charmkit.state.password(inputs, ENDPOINT)
    )
    address = inputs.site.address_on(ENDPOINT)
    return {
        ENDPOINT: loadbalancer.unit_request(
            (service(inputs),), 'internal', (address,), ready, backup=backup
        )
    }


def address(inputs: charmkit.Inputs) -> str:
    """Where clients reach the load balancer; '' while there is none, or it has not answered."""
    for relation in inputs.of(ENDPOINT):
        reply = loadbalancer.read(relation)
        frontend = reply.frontends.get(inputs.site.app, {}).get('internal') if reply else None
        if frontend and frontend.addresses:
            return frontend.hostname or frontend.addresses[0]
    return ''


def sources(inputs: charmkit.Inputs) -> tuple[str, ...]:
    """The addresses that a load balancer's connections come from."""
    found: set[str] = set()
    for relation in inputs.of(ENDPOINT):
        reply = loadbalancer.read(relation)
        for text in reply.trusted_cidrs if reply else ():
            try:
                network = ipaddress.ip_network(text)
            except ValueError:
                continue
            if network.num_addresses == 1:
                found.add(str(network.network_address))
    return tuple(sorted(found))


def through(
    inputs: charmkit.Inputs, requests: Iterable[mysql.Request]
) -> tuple[mysql.Request, ...]:
    """*requests*, each from the addresses of load balancers and relays too: the server sees these alone."""
    more = (*sources(inputs), *replicas.sources(inputs))
    return tuple(
        dataclasses.replace(r, hosts=tuple(sorted({*r.hosts, *more}))) if more else r
        for r in requests
    )


def complaints(inputs: charmkit.Inputs) -> tuple[charmkit.Status, ...]:
    """What a load balancer has against it."""
    said = loadbalancer.complaints(inputs.of(ENDPOINT))
    return tuple(charmkit.Status('blocked', words) for words in said)
