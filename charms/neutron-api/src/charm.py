#!/usr/bin/env python3
"""Charm for the OpenStack Networking API, and the daemons that its agents talk to."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import dataclasses

import charmkit
import networks
import ops
import workers
from charmkit import (
    conf,
    keystone,
    mysql,
    neutron,
    neutron_plugins,
    rabbitmq,
    relations,
    subordinate,
)

DB = mysql.need('neutron')
AMQP = rabbitmq.need('neutron')
IDENTITY = keystone.need('neutron')
BACKEND = neutron_plugins.backend()
SECTIONS = subordinate.need(BACKEND.relation, neutron_plugins.SERVICE)
CONF, ML2 = workers.CONFIG
IN_USE = f'python3 {workers.IN_USE}'
MANAGE = f'neutron-db-manage --config-file {CONF} --config-file {ML2} upgrade'


def backend(ready: charmkit.Ready) -> neutron_plugins.Backend:
    """What a subordinate has chosen; nothing where there is none."""
    return ready[BACKEND] if ready.has(BACKEND) else neutron_plugins.Backend()


def neutron_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into neutron.conf."""
    chosen = ready.inputs.options
    domain = {'dns_domain': chosen['dns-domain']} if chosen['dns-domain'] else {}
    return conf.merge(
        conf.common('neutron', debug=ready.debug),
        conf.database(ready[DB]),
        conf.messaging(ready[AMQP], ready.release),
        conf.keystone_authtoken(ready[IDENTITY], secret=ready.unit_secret),
        networks.quotas(chosen),
        {
            'DEFAULT': {
                'core_plugin': backend(ready).core_plugin or 'ml2',
                'service_plugins': backend(ready).service_plugins or 'router',
                'state_path': workers.HOME,
                **workers.counts(ready),
                'global_physnet_mtu': chosen['global-physnet-mtu'],
                'dhcp_agents_per_network': chosen['dhcp-agents-per-network'],
                'allow_automatic_l3agent_failover': bool(chosen[networks.FAILOVER]),
                **domain,
            },
            # Where ports are up, nova is notified; it is found in the catalogue.
            'nova': {**conf.account(ready[IDENTITY]), 'endpoint_type': 'internal'},
            'oslo_concurrency': {'lock_path': f'{workers.HOME}/lock'},
        },
    )


def ml2_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into ml2_conf.ini."""
    return networks.ml2_conf(ready.inputs.options, backend(ready))


def nova_databag(ready: charmkit.Ready, _: relations.Relation) -> relations.Databag:
    """Where the API is, and what servers' ports are to be like."""
    chosen, site = ready.inputs.options, ready.inputs.site
    return neutron.api_databag(
        neutron.Api(
            url=site.urls['neutron']['internal'],
            plugin=backend(ready).name or 'ovs',
            security_groups=bool(chosen['neutron-security-groups']),
            dns_domain=str(chosen['dns-domain']),
        )
    )


def agents_databag(ready: charmkit.Ready, relation: relations.Relation) -> relations.Databag:
    """What they have in common with the API."""
    address = ready.inputs.site.address_on(relation.name)
    return neutron.settings_databag(networks.settings(ready.inputs.options), address)


def subordinates_databag(ready: charmkit.Ready, r: relations.Relation) -> relations.Databag:
    """What the API would have without them, and that the migration which one asked for is done."""
    facts = {**networks.own_choices(ready.inputs.options), 'service_plugins': ['router']}
    done = subordinate.migrated(r) if ready.migrated else {}
    return neutron_plugins.principal_databag(facts, **done)


def notes(ready: charmkit.Ready) -> tuple[charmkit.Status, ...]:
    """What is not done, though it is asked for."""
    if not ready.inputs.options[networks.FAILOVER] or ready.release.name not in workers.UNWATCHED:
        return ()
    said = f'routers of a dead agent stay there: nothing in {ready.release.name} moves them'
    return (charmkit.Status('active', said),)


RPC = charmkit.Daemon(workers.RPC, consumes=True)
APP = charmkit.WsgiApp('neutron-api', workers.NATIVE, neutron.API_PORT, type='network')
STOCK = dataclasses.replace(APP, script='/usr/bin/neutron-api')


class NeutronApiCharm(charmkit.ApiCharm):
    """Charm for the Networking API."""

    spec = charmkit.ServiceSpec(
        name='neutron',
        user='neutron',
        packages=('neutron-api', 'neutron-rpc-server', 'python3-pymysql'),
        masked=('neutron-api',),
        needs=(DB, AMQP, IDENTITY, BACKEND),
        sections=(SECTIONS,),
        apps=(APP,),
        daemons=(RPC,),
        options=networks.OPTIONS,
        config={CONF: neutron_conf, ML2: ml2_conf},
        offers=(
            charmkit.Offer('neutron-api', nova_databag, place=('neutron', 'internal')),
            charmkit.Offer('neutron-plugin-api', agents_databag),
            # Subordinates wait for it before they answer BACKEND.
            charmkit.Offer(BACKEND.relation, subordinates_databag, first=True),
        ),
        machine=workers.native,
        notes=notes,
        lifecycle=charmkit.Declaration(after=('image', 'placement', 'volumev3')),
        migrations=charmkit.migration.Commands(
            sync=(f'{MANAGE} head',),
            expand=(f'{IN_USE} expand {MANAGE} --expand',),
            contract=(f'{IN_USE} contract {MANAGE} --contract',),
        ),
        by_release={
            'caracal': {
                'packages': ('neutron-server', 'neutron-plugin-ml2', 'python3-pymysql'),
                'masked': ('neutron-server',),
                'machine': workers.native_and(workers.RPC),
            },
            'epoxy': {
                'apps': (STOCK,),
                'daemons': (RPC, charmkit.Daemon(workers.PERIODIC)),
                'machine': workers.unit_of(workers.PERIODIC),
            },
        },
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(NeutronApiCharm)
