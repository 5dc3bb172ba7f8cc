"""The cells of the cloud: ``cell0`` for servers that found no host, and ``cell1`` for all others. Pure.

A cell is mapped by templates (nova's documentation, *Template URLs in Cell Mappings*): each process fills in account,
password and hosts from its own ``nova.conf``. So no secret is in nova's database or on a command line, and a rotated
password, another database host or another broker needs no command at all.

A template cannot say "as many hosts as there are". So every process has at least as many as the template names
(:func:`padded`): a broker of one host is listed several times.
"""

from __future__ import annotations

import dataclasses
import itertools

from charmkit import host, mysql, rabbitmq

CELL0 = 'nova_cell0'
"""The database of cell0, on the server of ``cell1``'s and with its account."""
SCRIPT = '/usr/local/sbin/nova-map-cells'
_MEMBERS = 3
"""How many members of the broker's cluster a cell's URL names: one that is lost leaves others."""
_SCRIPT_TEXT = """#!/bin/sh
# Written by the charm. nova-map-cells TRANSPORT DATABASE CELL0: map the cells, or bring their mappings up to date.
set -eu
zero=00000000-0000-0000-0000-000000000000
nova-manage cell_v2 map_cell0 --database_connection "$3"
nova-manage cell_v2 update_cell --cell_uuid $zero --transport-url none:/// --database_connection "$3"
cells=$(nova-manage cell_v2 list_cells)
one=$(printf '%s\\n' "$cells" |
  awk -F '|' '{ gsub(/ /, "", $2); gsub(/ /, "", $3) } $2 == "cell1" { print $3; exit }')
if [ -n "$one" ]; then
  nova-manage cell_v2 update_cell --cell_uuid "$one" --transport-url "$1" --database_connection "$2"
else
  nova-manage cell_v2 create_cell --name cell1 --transport-url "$1" --database_connection "$2"
fi
"""


def padded(broker: rabbitmq.Broker) -> rabbitmq.Broker:
    """*broker* with as many hosts as the cells' template names, if need be the same ones again."""
    missing = max(_MEMBERS - len(broker.hosts), 0)
    again = itertools.islice(itertools.cycle(broker.hosts), missing)
    return dataclasses.replace(broker, hosts=(*broker.hosts, *again))


def transport(broker: rabbitmq.Broker) -> str:
    """The template of cell1's message queue."""
    # nova takes the brackets off an IPv6 address, and leaves the colon at its port.
    place = '[{hostname%d}]{port%d}' if ':' in broker.hosts[0] else '{hostname%d}:{port%d}'
    members = (f'{{username{n}}}:{{password{n}}}@{place % (n, n)}' for n in range(1, _MEMBERS + 1))
    return f'{{scheme}}://{",".join(members)}/{{path}}'


def database(db: mysql.Database, name: str = '{path}') -> str:
    """The template of a cell's database, called *name*."""
    place = '[{hostname}]' if ':' in db.host else '{hostname}'
    return f'{{scheme}}://{{username}}:{{password}}@{place}/{name}?{{query}}'


def arguments(broker: rabbitmq.Broker, db: mysql.Database) -> tuple[str, ...]:
    """The command that maps the cells. It may be run again at any time."""
    return (SCRIPT, transport(broker), database(db), database(db, CELL0))


def script() -> host.File:
    """The program of :func:`arguments`."""
    return host.File(path=SCRIPT, content=_SCRIPT_TEXT, mode=0o755)
