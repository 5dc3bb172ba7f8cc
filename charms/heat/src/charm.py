#!/usr/bin/env python3
"""Charm for the OpenStack Orchestration APIs, and the engine that makes stacks."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import ops
import stack_domain
from charmkit import conf, keystone, mysql, rabbitmq

CFN = 'heat-cfn'
PATHS = {'heat': '/v1/%(tenant_id)s', CFN: '/v1'}
DB = mysql.need('heat')
AMQP = rabbitmq.need('heat')
IDENTITY = keystone.need('heat', PATHS['heat'], more={CFN: PATHS[CFN]})
ENCRYPTION = 'auth-encryption-key'


def heat_conf(ready: charmkit.Ready) -> conf.Ini:
    """What goes into heat.conf."""
    identity = ready[IDENTITY]
    account = conf.account(identity)
    cfn = ready.inputs.site.urls[CFN]['public']
    return conf.merge(
        conf.common('heat', debug=ready.debug),
        conf.database(ready[DB]),
        conf.messaging(ready[AMQP], ready.release),
        conf.keystone_authtoken(identity, secret=ready.unit_secret),
        {
            'DEFAULT': {
                # Servers come here to say how far they are.
                'heat_metadata_server_url': cfn,
                'heat_waitcondition_server_url': f'{cfn}/v1/waitcondition',
                'region_name_for_services': identity.region,
                'auth_encryption_key': ready.chosen[ENCRYPTION],
                'stack_user_domain_name': stack_domain.DOMAIN,
                'stack_domain_admin': stack_domain.ADMIN,
                'stack_domain_admin_password': ready.chosen[stack_domain.PASSWORD],
                'heat_stack_user_role': stack_domain.ROLE,
            },
            'trustee': {k: v for k, v in account.items() if not k.startswith('project_')},
            'clients': {'endpoint_type': 'internalURL'},
            'clients_keystone': {'auth_uri': identity.auth_url.removesuffix('/v3')},
            'ec2authtoken': {'auth_uri': identity.auth_url},
        },
    )


def tasks(ready: charmkit.Ready) -> tuple[charmkit.Task, ...]:
    """The leader sees to the domain of stacks' users."""
    password = ready.chosen[stack_domain.PASSWORD]
    domain = stack_domain.Domain(identity=ready[IDENTITY], password=password)
    return (domain,) if ready.inputs.site.leader else ()


class HeatCharm(charmkit.ApiCharm):
    """Charm for the Orchestration APIs."""

    spec = charmkit.ServiceSpec(
        name='heat',
        user='heat',
        packages=('heat-api', 'heat-api-cfn', 'heat-engine', 'python3-pymysql'),
        masked=('heat-api', 'heat-api-cfn'),
        needs=(DB, AMQP, IDENTITY),
        apps=(
            charmkit.WsgiApp(
                *('heat-api', '/usr/bin/heat-wsgi-api', 8004, 'orchestration', PATHS['heat'])
            ),
            charmkit.WsgiApp(
                *('heat-api-cfn', '/usr/bin/heat-wsgi-api-cfn', 8000, 'cloudformation'),
                *(PATHS[CFN], CFN),
            ),
        ),
        daemons=(charmkit.Daemon('heat-engine', consumes=True),),
        chosen=(stack_domain.PASSWORD, ENCRYPTION),
        config={'/etc/heat/heat.conf': heat_conf},
        tasks=tasks,
        notes=stack_domain.notes,
        lifecycle=charmkit.Declaration(
            after=('image', 'placement', 'volumev3', 'network', 'compute')
        ),
        migrations=charmkit.migration.Commands(sync=('heat-manage db_sync',)),
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(HeatCharm)
