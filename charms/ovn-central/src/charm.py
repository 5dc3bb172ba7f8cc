#!/usr/bin/env python3
"""Charm for OVN's databases and the daemon between them: what networks are to be, and what chassis do for it."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import ops
from charmkit import host, ovn, relations

NORTHBOUND, SOUTHBOUND = 'ovn-ovsdb-server-nb', 'ovn-ovsdb-server-sb'
NORTHD = 'ovn-northd'
FILE = '/etc/default/ovn-central'
BINDING = 'ovsdb'


def address(inputs: charmkit.Inputs) -> str:
    """Where the databases listen: one address, whoever asks."""
    return inputs.site.address_on(BINDING)


def machine(ready: charmkit.Ready) -> host.Host:
    """What the packages' units read."""
    at = relations.host_in_url(address(ready.inputs))
    words = [
        f'--db-{which}-create-insecure-remote=yes --db-{which}-addr={at}' for which in ('nb', 'sb')
    ]
    content = f'# Written by the charm: local changes are overwritten.\nOVN_CTL_OPTS="{" ".join(words)}"\n'
    return host.Host(
        files=(host.File(path=FILE, content=content, notify=(NORTHBOUND, SOUTHBOUND)),)
    )


def databag(ready: charmkit.Ready, _: relations.Relation) -> relations.Databag:
    """Where the databases are; nothing of a unit that has none."""
    return {} if refusal(ready.inputs) else ovn.databag(address(ready.inputs))


def refusal(inputs: charmkit.Inputs) -> str:
    """One unit has the databases: another one would have empty ones of its own."""
    others = sorted(inputs.peer_units, key=relations.unit_order)
    if others and relations.unit_order(others[0]) < relations.unit_order(inputs.site.unit):
        return (
            f'the databases are on {others[0]}, and are not made into a cluster: remove this unit'
        )
    return ''


class OvnCentralCharm(charmkit.AgentCharm):
    """Charm for OVN's databases."""

    spec = charmkit.ServiceSpec(
        name='ovn',
        user='root',
        packages=('ovn-central',),
        needs=(),
        daemons=(
            charmkit.Daemon(NORTHBOUND, pauses=False),
            charmkit.Daemon(SOUTHBOUND, pauses=False),
            charmkit.Daemon(NORTHD),
        ),
        offers=(charmkit.Offer('ovsdb', databag), charmkit.Offer('ovsdb-cms', databag)),
        lifecycle=charmkit.Declaration(provides=('ovn',), ways=('in-place',)),
        machine=machine,
        refusal=refusal,
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(OvnCentralCharm)
