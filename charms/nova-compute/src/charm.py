#!/usr/bin/env python3
"""Charm for OpenStack's compute nodes: they run the servers."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import acceleration
import charmkit
import hypervisor
import migration_keys
import node_registration
import node_status
import ops
from charmkit import (
    cinder,
    compute_agent,
    conf,
    host,
    neutron,
    nova,
    options,
    rabbitmq,
    relations,
    subordinate,
    validators,
)
from charmkit.relations import running

BROKER = rabbitmq.need('nova')
CONTROLLER = nova.need()
NETWORK = neutron.plugin()
SECTIONS = subordinate.need(NETWORK.relation, 'nova-compute')
AGENTS = compute_agent.sections()
OPTIONS = (
    acceleration.OPTION,
    options.Option(
        'cpu-mode',
        options.one_of('auto', 'host-model', 'host-passthrough', 'maximum', 'none'),
        'auto',
        'Which processor guests see. `auto` is `host-model` with KVM, and what QEMU has without it.',
    ),
    options.Option(
        'default-availability-zone',
        options.Kind(
            'string',
            'a name of at most 255 characters, in one line, without a colon',
            lambda text: bool(text) and validators.is_line(text) and ':' not in text,
            longest=255,
        ),
        'nova',
        "The availability zone that is published to the controller for this application's nodes.",
    ),
    options.Option(
        'resume-guests-state-on-host-boot',
        options.SWITCH,
        True,
        'Servers that ran run again after a restart of their node.',
    ),
    options.Option(
        'reserved-host-memory',
        options.count(0, 1_048_576, 'MiB'),
        512,
        'Memory that is left to the node itself.',
    ),
)


def nova_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into nova.conf."""
    controller, site, chosen = ready[CONTROLLER], ready.inputs.site, ready.inputs.options
    own = {'host': name} if (name := ready[NETWORK].host) else {}
    return conf.merge(
        conf.common('nova', debug=ready.debug),
        conf.messaging(ready[BROKER], ready.release),
        conf.nova_clients(
            controller.identity,
            volumes=cinder.Volumes('volumev3::internalURL'),  # Whatever its name.
            cross_az_attach=controller.cross_az_attach,
        ),
        {
            'DEFAULT': {
                **own,
                'my_ip': site.address_on(nova.MIGRATION),
                'state_path': '/var/lib/nova',
                'compute_driver': 'libvirt.LibvirtDriver',
                'allow_resize_to_same_host': controller.resize_to_same_host,
                'resume_guests_state_on_host_boot': bool(
                    chosen['resume-guests-state-on-host-boot']
                ),
                'reserved_host_memory_mb': int(chosen['reserved-host-memory']),
            },
            'oslo_concurrency': {'lock_path': '/var/lib/nova/lock'},
        },
        console(controller.console, site.address_on(CONTROLLER.relation)),
    )


def console(reached: nova.Console | None, address: str) -> conf.Ini:
    """How consoles are reached: the controller's proxy comes to *address*, on the network that both are in."""
    if reached is None:
        return {'vnc': {'enabled': False}}
    return {
        'vnc': {
            'enabled': True,
            'server_listen': address,
            'server_proxyclient_address': address,
            'novncproxy_base_url': reached.url,
        }
    }


def driver_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into nova-compute.conf, which is read last."""
    virt_type = acceleration.virt_type(ready)
    mode = str(ready.inputs.options['cpu-mode'])
    if mode == 'auto':
        mode = 'host-model' if virt_type == 'kvm' else 'none'
    address = relations.host_in_url(ready.inputs.site.address_on(nova.MIGRATION))
    return {
        'DEFAULT': {'compute_driver': 'libvirt.LibvirtDriver'},
        'libvirt': {
            'virt_type': virt_type,
            'cpu_mode': mode,
            'live_migration_inbound_addr': address,
            'live_migration_uri': migration_keys.URI,
        },
    }


def machine(ready: charmkit.Ready) -> host.Host:
    """libvirt, the way to other nodes, and the trial of KVM."""
    return host.merge(
        hypervisor.desired(ready),
        migration_keys.desired(
            ready[CONTROLLER], ready.inputs.versions.get(hypervisor.COMPUTE, '')
        ),
        node_registration.machine(ready.inputs),
        host.Host(files=(acceleration.program(),)),
    )


def controller_databag(ready: charmkit.Ready, _: relations.Relation) -> relations.Databag:
    """Who this node is, and what it runs."""
    zone = str(ready.inputs.options['default-availability-zone'])
    runs = running.Running(ready.release.name, ready.inputs.facts.base)
    known = '' if node_registration.removed(ready.inputs) else node_status.service(ready.inputs)
    own = migration_keys.present(ready, node(ready.inputs).name, zone, known)
    return {**own, **running.write(runs)}


def node(inputs: charmkit.Inputs) -> node_registration.Node:
    """Who this node is to nova."""
    plugin = NETWORK.read(inputs.of(NETWORK.relation), inputs.site)
    controller = CONTROLLER.read(inputs.of(CONTROLLER.relation), inputs.site)
    return node_registration.Node(
        name=(plugin.host if plugin else '') or inputs.facts.hostname,
        identity=controller.identity if controller else None,
    )


def look(inputs: charmkit.Inputs) -> node_status.ProbeNode | None:
    """How nova is asked whether servers can be made here; None while nova has published no account."""
    own, controller = node(inputs), CONTROLLER.read(inputs.of(CONTROLLER.relation), inputs.site)
    if controller is None:
        return None
    hostname = inputs.facts.hostname or own.name
    return node_status.ProbeNode(own.name, hostname, controller.identity, controller.mapped)


def runs(ready: charmkit.Ready) -> bool:
    """Whether nova-compute is to run: it is known how guests do, and the unit is in the cloud."""
    return acceleration.decided(ready) and not node_registration.removed(ready.inputs)


def tasks(ready: charmkit.Ready) -> tuple[charmkit.Task, ...]:
    """What is to be found out on the machine, and of nova."""
    of_nova = node_registration.tasks(node(ready.inputs), ready.inputs)
    asked = look(ready.inputs) if runs(ready) else None
    stands = node_status.tasks(asked, ready.inputs, again=ready.time_passes)
    return (migration_keys.Keys(), *acceleration.tasks(ready), *of_nova, *stands)


def memory(ready: charmkit.Ready) -> Mapping[str, Any]:
    """What later runs are to know."""
    out = node_registration.removed(ready.inputs)
    stands = node_status.nothing() if out else node_status.memory(ready.inputs)
    return {**acceleration.memory(ready), **node_registration.memory(ready.inputs), **stands}


def notes(ready: charmkit.Ready) -> tuple[charmkit.Status, ...]:
    """What the operator should know."""
    waits = node_status.notes(ready.inputs) if runs(ready) else ()
    return (*node_registration.notes(ready.inputs), *waits, *acceleration.notes(ready))


class NovaComputeCharm(charmkit.AgentCharm):
    """Charm for a compute node."""

    spec = charmkit.ServiceSpec(
        name='nova',
        user='nova',
        packages=(
            'nova-compute',
            'nova-compute-qemu',
            'libvirt-daemon-system',
            'libvirt-clients',
            'qemu-system-x86',
            'qemu-utils',
            'genisoimage',  # Without it no server that wants a configuration drive is made.
            'openssh-server',
        ),
        needs=(BROKER, CONTROLLER, NETWORK),
        sections=(SECTIONS, AGENTS),
        daemons=(
            charmkit.Daemon(hypervisor.LIBVIRT, pauses=False),
            charmkit.Daemon(hypervisor.COMPUTE, consumes=True, when=runs),
        ),
        options=OPTIONS,
        config={
            '/etc/nova/nova.conf': nova_conf,
            '/etc/nova/nova-compute.conf': driver_conf,
        },
        offers=(charmkit.Offer(CONTROLLER.relation, controller_databag),),
        lifecycle=charmkit.Declaration(
            provides=('hypervisor',),
            after=('network', 'compute'),
            ways=('in-place',),  # Servers run here, and go with the unit.
        ),
        machine=machine,
        tasks=tasks,
        memory=memory,
        notes=notes,
    )

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be, and what becomes of its place in the cloud."""
        ordinary = functools.partial(super().run, why)
        if isinstance(why, charmkit.Action) and why.name in node_registration.ACTIONS:
            return node_registration.run_action(why, node(inputs), inputs, ordinary)
        desired = ordinary(inputs)
        if not node_status.serves(inputs):
            return desired
        others = frozenset({nova.MAPPED})  # That they are mapped is nothing to it.
        unheeded = {**desired.unheeded, CONTROLLER.relation: others}
        return dataclasses.replace(desired, unheeded=unheeded)


if __name__ == '__main__':  # pragma: nocover
    ops.main(NovaComputeCharm)
