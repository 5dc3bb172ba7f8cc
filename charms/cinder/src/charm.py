#!/usr/bin/env python3
"""Charm for the OpenStack Block Storage API: volumes, by whatever storage its subordinates have."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import cinder_storage as storage
import ops
from charmkit import cinder, conf, glance, keystone, mysql, options, rabbitmq, validators

PATH = '/v3/%(tenant_id)s'
DB = mysql.need('cinder')
AMQP = rabbitmq.need('cinder')
IDENTITY = keystone.need(cinder.NAME, PATH)
IMAGES = glance.need(optional=True)
ONLINE = 'cinder-manage db online_data_migrations'
VOLUME_TYPE = options.Option(
    'default-volume-type',
    options.Kind('string', "a volume type's name, in one line", validators.is_line, longest=255),
    '',
    'The type of a volume for which none is given. It must be there: make it with `openstack volume '
    'type create`. Empty takes the one that cinder makes by itself.',
)


def cinder_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into cinder.conf."""
    account = conf.account(ready[IDENTITY])
    volume_type = ready.inputs.options.get(VOLUME_TYPE.name)
    return conf.merge(
        conf.common('cinder', debug=ready.debug),
        conf.database(ready[DB]),
        conf.messaging(ready[AMQP], ready.release),
        conf.keystone_authtoken(ready[IDENTITY], secret=ready.unit_secret),
        {
            'DEFAULT': {
                'auth_strategy': 'keystone',
                'my_ip': ready.inputs.site.address,
                'state_path': storage.HOME,
                'rootwrap_config': '/etc/cinder/rootwrap.conf',
                'enabled_backends': ','.join(storage.backends(ready)),
                'glance_catalog_info': 'image:glance:internalURL',
                **({'glance_api_servers': ready[IMAGES].url} if ready.has(IMAGES) else {}),
                **({'default_volume_type': str(volume_type)} if volume_type else {}),
            },
            # Of volumes that grow or are attached while servers run, nova is notified; it is found in the catalogue.
            'nova': {**account, 'interface': 'internal'},
            # What a user began goes on when his token has run out meanwhile.
            'service_user': {**account, 'send_service_user_token': True},
            'oslo_concurrency': {'lock_path': f'{storage.HOME}/lock'},
        },
        storage.backends(ready),
    )


class CinderCharm(charmkit.ApiCharm):
    """Charm for the Block Storage API."""

    spec = charmkit.ServiceSpec(
        name='cinder',
        user='cinder',
        packages=('cinder-api', 'cinder-scheduler', 'cinder-volume', 'python3-pymysql'),
        masked=('cinder-api',),
        needs=(DB, AMQP, IDENTITY, IMAGES, storage.BACKENDS),
        sections=(storage.SECTIONS,),
        apps=(
            charmkit.WsgiApp(
                'cinder-api',
                '/usr/bin/cinder-wsgi',
                8776,
                type=cinder.TYPE,
                path=PATH,
                service=cinder.NAME,
            ),
        ),
        daemons=(
            charmkit.Daemon('cinder-scheduler', consumes=True),
            charmkit.Daemon(
                storage.DAEMON, when=lambda ready: bool(storage.backends(ready)), consumes=True
            ),
        ),
        options=(VOLUME_TYPE,),
        config={cinder.CONF: cinder_conf},
        machine=storage.locks,
        tasks=lambda ready: storage.tasks(ready, ready[IDENTITY]),
        memory=storage.memory,
        notes=storage.notes,
        lifecycle=charmkit.Declaration(after=('image', 'placement')),
        migrations=charmkit.migration.Commands(
            sync=('cinder-manage db sync', ONLINE),
            expand=('cinder-manage db sync',),
            online=(ONLINE,),
        ),
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(CinderCharm)
