#!/usr/bin/env python3
"""Charm for the OpenStack Identity API: users, tokens, and the catalogue of all services."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

import catalogue
import charmkit
import identity
import keys
import ops
import rest
from charmkit import apache, migration
from charmkit.relations import keystone

PORT = 5000
TOKEN = pathlib.Path('/var/lib/charmkit/keystone/admin-token')


class KeystoneCharm(charmkit.ApiCharm):
    """Charm for keystone: an API like the others, that also keeps the catalogue for them."""

    spec = charmkit.ServiceSpec(
        name='keystone',
        user=keys.USER,
        packages=('keystone', 'python3-pymysql'),
        masked=('keystone',),  # The package's own uWSGI unit: Apache serves the API here.
        needs=(identity.DB,),
        apps=(
            charmkit.WsgiApp(
                'keystone',
                script='/usr/bin/keystone-wsgi-public',
                port=PORT,
                type='identity',
                path='/v3',
                body_limit=114688,
            ),
        ),
        migrations=migration.Commands(
            sync=('keystone-manage db_sync',),
            expand=('keystone-manage db_sync --expand',),
            contract=('keystone-manage db_sync --contract',),
        ),
        config={'/etc/keystone/keystone.conf': identity.keystone_conf},
        also=identity.machine,
        objection=identity.objection,
    )

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self._due: tuple[str, ...] = ()
        framework.observe(self.on.secret_rotate, self._on_secret_rotate)
        framework.observe(self.on['get-admin-password'].action, self._on_get_admin_password)
        framework.observe(self.on['rotate-keys'].action, self._on_rotate_keys)

    def desired_state(self, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What the service's spec says, with what the units share."""
        return identity.desired_state(self.spec, inputs, self._due)

    def converge(self, inputs: charmkit.Inputs, desired: charmkit.Desired) -> charmkit.Desired:
        """Bring the catalogue to what is asked for, and only then answer."""
        desired = super().converge(inputs, desired)
        shared = identity.shared(inputs)
        if shared is None or not inputs.of('shared-db'):
            return desired
        own = identity.urls(self.spec, inputs)
        requests, _ = identity.requests(inputs)
        accounts = identity.load_accounts(
            inputs.peers.get(identity.ACCOUNTS, ''),
            {r.username: catalogue.password(shared.seed, r.username) for r in requests},
        )
        peers: Mapping[str, str] = desired.app_data.get('peers', {})
        servers = _servers(inputs, desired)
        if inputs.site.leader and servers:
            want = catalogue.desired(
                requests, identity.own_services(own, inputs.site.region), shared.seed
            )
            seen, _ = rest.converge(servers, shared.admin_password, want, TOKEN)
            accounts = _accounts(requests, want, seen)
            peers = {**peers, identity.ACCOUNTS: identity.dump_accounts(accounts)}
        return dataclasses.replace(
            desired,
            unit_data={**desired.unit_data, **identity.answers(inputs, own, accounts)},
            app_data={**desired.app_data, 'peers': peers},
        )

    def _on_secret_rotate(self, event: ops.SecretRotateEvent) -> None:
        self._due = (event.secret.label or '',)
        self.reconcile()

    def _on_rotate_keys(self, event: ops.ActionEvent) -> None:
        if not self.unit.is_leader():
            event.fail('Only the leader rotates keys: see `juju status` for which unit it is')
            return
        kind = str(event.params.get('kind', keys.FERNET.name))
        self._due = tuple(k.label for k in keys.KINDS if k.name == kind)
        desired = self.reconcile()
        waiting = desired.app_data['peers'].get('due', '')
        event.set_results({'rotated': 'no' if waiting else 'yes', 'waiting': waiting or 'none'})

    def _on_get_admin_password(self, event: ops.ActionEvent) -> None:
        shared = identity.shared(self.inputs())
        if shared is None:
            event.fail('There is no password yet: keystone is still being set up')
            return
        event.set_results({'username': 'admin', 'password': shared.admin_password})


def _servers(inputs: charmkit.Inputs, desired: charmkit.Desired) -> list[str]:
    """Units to ask for the catalogue: this one, or while it does not serve, the others."""
    running = any(s.name == apache.SERVICE and s.state == 'running' for s in desired.host.services)
    if running:
        return [f'http://127.0.0.1:{PORT}']
    if not inputs.paused:
        return []
    others = (data.get('ingress-address') for data in inputs.peer_units.values())
    return [f'http://{charmkit.relations.host_in_url(a)}:{PORT}' for a in others if a]


def _accounts(
    requests: tuple[keystone.Request, ...], want: catalogue.Desired, seen: catalogue.Observed
) -> dict[int, keystone.Account]:
    known = {a.name: a for a in want.accounts}
    found = {r.relation: catalogue.facts(known.get(r.username), seen) for r in requests}
    return {relation: account for relation, account in found.items() if account}


if __name__ == '__main__':  # pragma: nocover
    ops.main(KeystoneCharm)
