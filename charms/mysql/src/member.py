"""What the machine of a member of the cluster must look like, from what Juju says. Pure."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import charmkit
import galera_node
import mariadb
import own_accounts
import replicas
import server_tls
import tcp_service
from charmkit import host, rolling, shared_secrets
from charmkit.relations import host_in_url, mysql, unit_order

SST = 'sst-password'
"""The Juju secret: what a member copies the data of another one with."""
PACKAGES = frozenset({'mariadb-server', 'mariadb-backup', 'socat'})
REPLICATION_PORT, IST_PORT, SST_PORT = 4567, 4568, 4444
HEALTH = '/usr/local/lib/mysql-charm/member_health.py'
HEALTH_SERVICE = 'mysql-health'
HEALTH_UNIT = f'/etc/systemd/system/{HEALTH_SERVICE}.service'
_NOTE = '# Written by the charm: local changes are overwritten.'


def passwords(inputs: charmkit.Inputs) -> shared_secrets.Chosen:
    """The password of the copies, chosen by the leader once."""
    return shared_secrets.decide((SST,), inputs)


def address(inputs: charmkit.Inputs) -> str:
    """Where the other members reach this one."""
    return inputs.site.address_on('peers')


def others(inputs: charmkit.Inputs) -> dict[str, str]:
    """Where the other units are."""
    return rolling.addresses(inputs.peer_units)


def wanted(inputs: charmkit.Inputs) -> dict[str, str]:
    """The server's variables that only a restart changes."""
    here = host_in_url(address(inputs))
    return {
        'bind_address': mariadb.bind_address(inputs),
        'wsrep_node_address': here,
        **server_tls.wanted(inputs),
    }


def desired(inputs: charmkit.Inputs, *, admitted: bool) -> host.Host:
    """The files of a member; before it is *admitted* its server must not know of the cluster, lest it join by itself.

    One that is, and whose secret cannot be read for a while, keeps what it has: without it, it would stand alone.
    The server is no service here: it starts and stops as :mod:`galera` says.
    """
    files = [
        mariadb.config_file(inputs),
        mariadb.characters(three_byte=mariadb.three_byte(inputs)),
        mariadb.drop_in(),
    ]
    password = passwords(inputs).values.get(SST, '')
    if admitted and password:
        files.append(
            host.File(
                path=galera_node.CLUSTER,
                content=config(inputs, password),
                group='mysql',
                mode=0o640,
            )
        )
    return host.merge(
        host.Host(
            packages=PACKAGES,
            directories=(host.Directory(path=mariadb.BACKUPS, mode=0o700),),
            files=tuple(files),
            absent=(
                host.Absent(path=replicas.REPLICATION),  # Of a server that stood alone.
                *(() if admitted else (host.Absent(path=galera_node.CLUSTER),)),
            ),
        ),
        health_of(inputs),
    )


def gone() -> host.Host:
    """A member that is removed: the others go on without it."""
    halt = host.Command(name='halt', argv=('sh', '-c', galera_node.HALT), key='gone')
    return host.Host(
        commands=(halt,),
        services=(
            host.SystemdService(galera_node.SERVICE, 'stopped'),
            host.SystemdService(HEALTH_SERVICE, 'stopped'),
        ),
    )


def health_of(inputs: charmkit.Inputs) -> host.Host:
    """The program that tells load balancers and other members how this one is, and its service."""
    bindings = ('peers', 'shared-db', tcp_service.ENDPOINT)
    where = dict.fromkeys(inputs.site.address_on(binding) for binding in bindings)
    port = galera_node.HEALTH_PORT
    return host.Host(
        files=(
            host.File(path=HEALTH, content=_source(), mode=0o755, notify=(HEALTH_SERVICE,)),
            host.File(
                path=HEALTH_UNIT,
                content=_HEALTH_UNIT.format(port=port, addresses=' '.join(where)),
                notify=(HEALTH_SERVICE,),
            ),
        ),
        services=(host.SystemdService(HEALTH_SERVICE, probe=f'{address(inputs)}:{port}'),),
    )


def _source() -> str:
    return pathlib.Path(__file__).with_name('member_health.py').read_text()


_HEALTH_UNIT = f"""{_NOTE}
[Unit]
Description=Health of this unit's MariaDB, over HTTP
Wants=network-online.target
After=network-online.target

[Service]
User={own_accounts.HEALTH_USER}
ExecStart=/usr/bin/python3 -I {HEALTH} {{port}} {{addresses}}
Restart=always
RestartSec=1
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=true

[Install]
WantedBy=multi-user.target
"""


def config(inputs: charmkit.Inputs, password: str) -> str:
    """What makes the server a member. Which addresses others have it reads at its start only."""
    here = host_in_url(address(inputs))
    every = {inputs.site.unit: address(inputs), **others(inputs)}
    where = ','.join(host_in_url(every[u]) for u in sorted(every, key=unit_order))
    provider = {
        'gmcast.listen_addr': f'tcp://{here}:{REPLICATION_PORT}',
        'ist.recv_addr': f'{here}:{IST_PORT}',
        'gcache.size': '128M',
    }
    variables = {
        'binlog_format': 'ROW',
        'default_storage_engine': 'InnoDB',
        'innodb_autoinc_lock_mode': '2',
        'wsrep_on': 'ON',
        'wsrep_provider': '/usr/lib/galera/libgalera_smm.so',
        'wsrep_cluster_name': inputs.site.app,
        'wsrep_cluster_address': f'gcomm://{where}',
        'wsrep_node_name': galera_node.name(inputs.site.unit),
        'wsrep_node_address': here,
        'wsrep_sst_method': 'mariabackup',
        'wsrep_sst_receive_address': f'{here}:{SST_PORT}',
        'wsrep_sst_auth': f'{own_accounts.SST_USER}:{password}',
        'wsrep_slave_threads': '2',
        'wsrep_provider_options': '"' + ';'.join(f'{k}={v}' for k, v in provider.items()) + '"',
    }
    return '\n'.join((_NOTE, '[mariadbd]', *(f'{k} = {v}' for k, v in variables.items()), ''))


def settings(inputs: charmkit.Inputs) -> Mapping[str, int]:
    """The server's variables that are changed while it runs."""
    sizes = mariadb.sizes(inputs)
    return {
        'max_connections': sizes.connections,
        'innodb_buffer_pool_size': sizes.pool_mib << 20,
    }


PORTS = frozenset({mysql.PORT})
