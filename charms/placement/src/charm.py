#!/usr/bin/env python3
"""Charm for the OpenStack Placement API: it tracks which host has room for what."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import ops
from charmkit import conf, keystone, mysql

DB = mysql.need('placement')
IDENTITY = keystone.need('placement')


def placement_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into placement.conf."""
    return conf.merge(
        conf.common('placement', debug=ready.debug),
        conf.database(ready[DB], section='placement_database'),
        conf.keystone_authtoken(ready[IDENTITY], secret=ready.unit_secret),
        {'api': {'auth_strategy': 'keystone'}},
    )


class PlacementCharm(charmkit.ApiCharm):
    """Charm for the Placement API."""

    spec = charmkit.ServiceSpec(
        name='placement',
        user='placement',
        packages=('placement-api', 'python3-pymysql'),
        masked=('placement-api',),
        needs=(DB, IDENTITY),
        apps=(
            charmkit.WsgiApp(
                'placement-api', '/usr/bin/placement-api', 8778, type='placement', health='/'
            ),
        ),
        config={'/etc/placement/placement.conf': placement_conf},
        lifecycle=charmkit.Declaration(after=('image',)),
        migrations=charmkit.migration.Commands(sync=('placement-manage db sync',)),
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(PlacementCharm)
