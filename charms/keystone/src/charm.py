#!/usr/bin/env python3
"""Charm for the OpenStack Identity API: users, tokens, and the catalogue of all services."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import identity
import keys
import keystone_options
import keystone_run
import ops
import settings
from charmkit import migration


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
                script=identity.SCRIPT,
                port=identity.PORT,
                type='identity',
                path='/v3',
                body_limit=114688,
            ),
        ),
        migrations=migration.Commands(
            sync=('keystone-manage db_sync', f'python3 {identity.WIDEN}'),
            expand=(settings.EXPAND,),
            contract=('keystone-manage db_sync --contract',),
        ),
        config={'/etc/keystone/keystone.conf': settings.keystone_conf},
        options=keystone_options.OPTIONS,
        machine=identity.machine,
        refusal=identity.refusal,
        lacking=identity.refusal,
    )

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What the service's spec says, with what the units share and the catalogue."""
        return keystone_run.run(self.spec, why, inputs)


if __name__ == '__main__':  # pragma: nocover
    ops.main(KeystoneCharm)
