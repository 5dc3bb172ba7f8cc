"""What the machine of a MariaDB server must look like, from what Juju says. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import charmkit
from charmkit import host, state
from charmkit.relations import mysql

CONFIG = '/etc/mysql/mariadb.conf.d/90-charm.cnf'
DROP_IN = '/etc/systemd/system/mariadb.service.d/charm.conf'
BACKUPS = '/var/backups/mysql-charm'
SEED = 'seed'
SERVER = 'server'
PACKAGES = frozenset({'mariadb-server'})


_NOTE = '# Written by the charm: local changes are overwritten.'

# The server listens on a literal address, which must be there when the machine starts.
_DROP_IN = f"""{_NOTE}
[Unit]
Wants=network-online.target
After=network-online.target

[Service]
Restart=on-failure
RestartSec=3
"""


class InvalidOptionError(ValueError):
    """An option has a value that cannot be used; the message names it."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """All that is asked over ``shared-db``: by relation id, and what was refused."""

    requests: Mapping[int, tuple[mysql.Request, ...]]
    refusals: tuple[mysql.Refusal, ...]


def asked(inputs: charmkit.Inputs) -> Asked:
    """Read every relation on ``shared-db``; one that asks for nonsense hurts no other."""
    by_relation: dict[int, tuple[mysql.Request, ...]] = {}
    refusals: list[mysql.Refusal] = []
    for relation in inputs.of('shared-db'):
        by_relation[relation.id], refused = mysql.requests(relation)
        refusals += refused
    return Asked(by_relation, tuple(refusals))


def seed(inputs: charmkit.Inputs) -> str:
    """What every password is derived from; '' until the leader has made it."""
    return inputs.secrets.get(inputs.peers.get(SEED, ''), {}).get('seed', '')


def server_unit(inputs: charmkit.Inputs, *, take_over: bool = False) -> str:
    """The one unit that holds the databases; the first leader decides, and it stays."""
    recorded = inputs.peers.get(SERVER, '')
    return inputs.site.unit if inputs.site.leader and (take_over or not recorded) else recorded


def prepared() -> host.Host:
    """What a machine needs before it is known whether the databases are to be on it."""
    return host.Host(packages=PACKAGES)


def desired_state(inputs: charmkit.Inputs, *, take_over: bool = False) -> charmkit.Desired:
    """Everything but the grants, which are brought about when the server runs."""
    server = server_unit(inputs, take_over=take_over)
    base = charmkit.Desired(app_data={'peers': _peers(inputs, server)}, secrets=_secrets(inputs))
    if server != inputs.site.unit:
        return dataclasses.replace(base, status=(_not_the_server(inputs, server),))
    try:
        config = _config(inputs)
    except InvalidOptionError as e:
        return dataclasses.replace(base, status=(state.Status('blocked', str(e)),))
    return dataclasses.replace(
        base,
        host=host.Host(
            packages=PACKAGES,
            directories=(host.Directory(path=BACKUPS, mode=0o700),),
            files=(
                host.File(path=CONFIG, content=config, notify=('mariadb',)),
                host.File(path=DROP_IN, content=_DROP_IN),
            ),
            services=(host.Service('mariadb', probe=f'{_address(inputs)}:{mysql.PORT}'),),
        ),
        ports=frozenset({mysql.PORT}),
        version=_version(inputs),
        status=_status(inputs),
    )


def _peers(inputs: charmkit.Inputs, server: str) -> dict[str, str]:
    return {SERVER: server, SEED: inputs.peers.get(SEED) or state.secret_uri(SEED)}


def _secrets(inputs: charmkit.Inputs) -> dict[str, state.Secret]:
    # Before there is a peer relation its URI could not be kept.
    if inputs.peers.get(SEED) or not inputs.my_peer_data:
        return {}
    content = {'seed': state.password(inputs, SEED, 64)}
    return {SEED: state.Secret(content=content, description='what passwords are derived from')}


def _not_the_server(inputs: charmkit.Inputs, server: str) -> state.Status:
    me = inputs.site.unit
    if not server:
        return state.Status('waiting', 'waiting for the leader to choose the database server')
    if server in inputs.peer_units or not inputs.site.leader:
        return state.Status(
            'blocked', f'the databases are on {server}: remove this unit (juju remove-unit {me})'
        )
    return state.Status(
        'blocked',
        f'{server} holds the databases and is not here: if it is gone for good, '
        f'run take-over on this unit and restore a backup',
    )


def _status(inputs: charmkit.Inputs) -> tuple[state.Status, ...]:
    refused = tuple(
        state.Status('blocked', f'refused {r.unit}: {r.reason}') for r in asked(inputs).refusals
    )
    others = tuple(
        state.Status('blocked', f'runs on one unit: remove {name} (juju remove-unit {name})')
        for name in sorted(inputs.peer_units)
    )
    if not seed(inputs):
        return (*refused, state.Status('waiting', 'waiting for the secret of the passwords'))
    return (*refused, *others)


def _version(inputs: charmkit.Inputs) -> str:
    # 1:10.11.6-0+deb12u1 is 10.11.6 to its users.
    return inputs.versions.get('mariadb-server', '').rpartition(':')[2].partition('-')[0]


def _address(inputs: charmkit.Inputs) -> str:
    return inputs.site.address_on('shared-db')


def _config(inputs: charmkit.Inputs) -> str:
    lines = [f'{k} = {v}' if v else k for k, v in _settings(inputs).items()]
    return '\n'.join([_NOTE, '[mariadbd]', *lines, ''])


def _settings(inputs: charmkit.Inputs) -> dict[str, str]:
    return {
        'bind-address': f'127.0.0.1,{_address(inputs)}',
        'skip-name-resolve': '',
        'max_connections': str(max_connections(inputs)),
        'max_allowed_packet': '64M',
        'innodb_buffer_pool_size': f'{buffer_pool_mib(inputs)}M',
        'innodb_log_file_size': f'{_within(96, buffer_pool_mib(inputs) // 8, 256)}M',
        'innodb_flush_log_at_trx_commit': '1',
        'innodb_file_per_table': 'ON',
    }


def buffer_pool_mib(inputs: charmkit.Inputs) -> int:
    """InnoDB's cache: what the option says, or a quarter of the memory, 128 MiB to 8 GiB.

    An OpenStack database is small and hot, and the machine is often shared with the APIs.
    """
    option = _number(inputs, 'buffer-pool-mib', least=32, most=inputs.facts.memory_mib)
    return option or _within(128, inputs.facts.memory_mib // 4 // 128 * 128, 8192)


def max_connections(inputs: charmkit.Inputs) -> int:
    """What the option says, or one for every 4 MiB of memory, from 256 to 4000.

    A connection takes up to 3 MiB when it sorts; an API process keeps up to 50 of them.
    """
    option = _number(inputs, 'max-connections', least=10, most=100_000)
    return option or _within(256, inputs.facts.memory_mib // 4, 4000)


def _number(inputs: charmkit.Inputs, name: str, *, least: int, most: int) -> int:
    value = int(inputs.options.get(name, 0))
    if value and not least <= value <= most:
        raise InvalidOptionError(
            f'{name} is {value}: set it from {least} to {most}, or 0 for automatic'
        )
    return value


def _within(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))
