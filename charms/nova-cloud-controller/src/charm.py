#!/usr/bin/env python3
"""Charm for the OpenStack Compute API and all that stands behind it, but for the compute nodes."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

from urllib.parse import urlsplit

import charmkit
import nova_actions
import nova_cells
import nova_control as control
import nova_hosts
import nova_paste
import ops
from charmkit import host, neutron, nova, relations

METADATA = 'nova-metadata'
PAGE = '/vnc_lite.html'
PACKAGES = ('nova-api', 'nova-conductor', 'nova-scheduler')


def consoles(ready: charmkit.Ready) -> bool:
    """Whether there are any."""
    return ready.inputs.options['console-access-protocol'] != 'none'


def computes(ready: charmkit.Ready) -> tuple[nova.Compute, ...]:
    """The nodes that have said who they are."""
    return ready[control.COMPUTES] if ready.has(control.COMPUTES) else ()


def compute_databag(ready: charmkit.Ready, _: relations.Relation) -> relations.Databag:
    """What is published to compute nodes."""
    found = computes(ready)
    network = ready[control.NETWORK] if ready.has(control.NETWORK) else neutron.Api(url='')
    page = ready.inputs.site.urls[control.CONSOLE]['public'] + PAGE
    controller = nova.Controller(
        identity=ready[control.IDENTITY],
        network_url=network.url,
        network_plugin=network.plugin,
        security_groups=network.security_groups,
        dns_domain=network.dns_domain,
        console=nova.Console(protocol='novnc', url=page) if consoles(ready) else None,
        cross_az_attach=control.is_on(ready, control.ACROSS),
        resize_to_same_host=control.is_on(ready, control.RESIZE),
        mapped=nova_hosts.mapped(ready.inputs, nova_hosts.registered(found)),
    )
    return nova.databag(nova.with_keys(controller, found))


def gateway_databag(ready: charmkit.Ready, _: relations.Relation) -> relations.Databag:
    """Where the metadata API is, for neutron's agents."""
    at = urlsplit(ready.inputs.site.urls[METADATA]['internal'])
    settings = neutron.Metadata(
        host=at.hostname or '',
        secret=ready.chosen[control.SHARED],
        port=at.port or {'https': 443}.get(at.scheme, 80),
        protocol='https' if at.scheme == 'https' else 'http',
    )
    return neutron.metadata_databag(settings, ready[control.IDENTITY].region)


def machine(ready: charmkit.Ready) -> host.Host:
    """The console proxy's kind, which the package has otherwise, and the program that maps cells."""
    kind = 'NOVA_CONSOLE_PROXY_TYPE=novnc\nNOVA_SERIAL_PROXY_START=false\n'
    return host.Host(
        files=(
            host.File(
                path='/etc/default/nova-consoleproxy',
                content=f'# Written by the charm.\n{kind}',
                notify=('nova-novncproxy',),
            ),
            nova_cells.script(),
        )
    )


def from_nothing(ready: charmkit.Ready) -> charmkit.migration.Steps:
    """All databases, and the cells, in nova's order."""
    cells = nova_cells.arguments(ready[control.BROKER], ready[control.DB])
    mapping = charmkit.migration.Migration(argv=cells)
    return ('nova-manage api_db sync', mapping, 'nova-manage db sync', ONLINE)


ONLINE = charmkit.migration.Migration(
    argv=('nova-manage', 'db', 'online_data_migrations'), repeat_on=(1,), timeout_s=3600
)


class NovaCloudControllerCharm(charmkit.ApiCharm):
    """Charm for the Compute API."""

    spec = charmkit.ServiceSpec(
        name='nova',
        user='nova',
        packages=(*PACKAGES, 'nova-consoleproxy', 'python3-pymysql'),
        masked=('nova-api', 'nova-api-metadata', 'nova-spicehtml5proxy', 'nova-serialproxy'),
        needs=(
            control.DB,
            control.API_DB,
            control.CELL0_DB,
            control.BROKER,
            control.IDENTITY,
            control.NETWORK,
            control.COMPUTES,
            control.VOLUMES,
        ),
        apps=(
            charmkit.WsgiApp(
                'nova-api',
                '/usr/bin/nova-api-wsgi',
                8774,
                type='compute',
                path='/v2.1',
                silence=charmkit.limits.SLOW,
                one_thread=True,
            ),
            charmkit.WsgiApp(
                METADATA,
                '/usr/bin/nova-metadata-wsgi',
                neutron.METADATA_PORT,
                type='compute-metadata',
                one_thread=True,
                types=('internal',),
            ),
        ),
        daemons=(
            charmkit.Daemon('nova-conductor', consumes=True),
            charmkit.Daemon('nova-scheduler', consumes=True),
            charmkit.Daemon(
                'nova-novncproxy',
                when=consoles,
                serves=charmkit.Served(
                    control.CONSOLE, 'novnc', control.CONSOLE_PORT, health=PAGE
                ),
            ),
        ),
        options=control.OPTIONS,
        config={'/etc/nova/nova.conf': control.nova_conf, nova_paste.PATH: nova_paste.paste},
        offers=(
            charmkit.Offer(
                control.COMPUTES.relation,
                compute_databag,
                place=(control.CONSOLE, 'public'),
                place_keys=('console_proxy_',),
            ),
            charmkit.Offer(
                'quantum-network-service', gateway_databag, place=(METADATA, 'internal')
            ),
        ),
        chosen=(control.SHARED,),
        machine=machine,
        tasks=lambda r: nova_hosts.tasks(r.inputs, nova_hosts.registered(computes(r))),
        memory=lambda r: nova_hosts.memory(r.inputs, nova_hosts.registered(computes(r))),
        notes=lambda r: nova_hosts.notes(r.inputs),
        lifecycle=charmkit.Declaration(after=('image', 'placement', 'volumev3', 'network')),
        migrations=charmkit.migration.Commands(
            sync=from_nothing,
            expand=('nova-manage api_db sync', 'nova-manage db sync'),
            online=(ONLINE,),
        ),
        by_release={'caracal': {'packages': (*PACKAGES, 'nova-novncproxy', 'python3-pymysql')}},
    )

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be, and what becomes of what nova keeps."""
        if not (isinstance(why, charmkit.Action) and why.name in nova_actions.ACTIONS):
            return super().run(why, inputs)
        if not any(charmkit.migration.KEY in bag for bag in (inputs.peers, inputs.my_peer_data)):
            return charmkit.Desired(failure='There are no tables of nova yet: see the status')
        identity = control.IDENTITY.read(inputs.of(control.IDENTITY.relation), inputs.site)
        computes = control.COMPUTES.read(inputs.of(control.COMPUTES.relation), inputs.site)
        return nova_actions.run_action(why, inputs, identity, computes or ())


if __name__ == '__main__':  # pragma: nocover
    ops.main(NovaCloudControllerCharm)
