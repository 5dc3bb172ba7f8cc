"""How a server's clients are held, without an error, while it is restarted or hands over. An edge.

Connections that are made from now on are redirected to a relay on the same machine, which lets them wait. Those that
there are end as soon as they are at rest: a client that finds its pooled connection closed makes another one, and
waits.
So nothing that is under way is cut off, and nothing new begins.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import pathlib
from collections.abc import Iterable

import charmkit
import replicas
import server
from charmkit import host
from charmkit.relations import mysql

PORT = 3307
PROGRAM = '/usr/local/lib/mysql-charm/relay.py'
SERVICE = 'mysql-relay'
UNIT = f'/etc/systemd/system/{SERVICE}.service'
FOLDER = '/var/lib/mysql-charm'
STATE = f'{FOLDER}/relay'
RULES = f'{FOLDER}/relay.nft'
_TABLE = 'charm_mysql'
_NOTE = '# Written by the charm: local changes are overwritten.'
LOOK_S = 0.15
"""InnoDB shows of transactions what it has gathered within the last 0.1 s."""
RESTED_MS = 250
"""A connection that has done nothing for so long, and is in no transaction, is at rest. A shorter pause may be that of
a client that has just asked whether its connection is there, and is about to use it."""
LEFT_OPEN_MS = 2500
"""One that has done nothing for so long in the middle of a transaction was left behind, as keystone does it (upstream's
bug 2152932): nobody waits for it."""
MOST_S = 3.0
"""Seconds that what is under way is given to end."""


def desired() -> host.Host:
    """The relay; it stays until the unit goes: connections that it has passed on last."""
    return host.Host(
        packages=frozenset({'nftables'}),
        directories=(host.Directory(path=FOLDER, mode=0o755),),
        files=(
            host.File(
                path=PROGRAM,
                content=pathlib.Path(__file__).with_name('relay.py').read_text(),
                mode=0o755,
            ),
            host.File(path=UNIT, content=_UNIT),
        ),
        services=(host.SystemdService(SERVICE),),
    )


# Its rules are put in force anew after the machine was started anew; they are there only after a hand-over.
_UNIT = f"""{_NOTE}
[Unit]
Description=Relay for the clients of this unit's MariaDB while they are moved
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
User=nobody
ExecStart=/usr/bin/python3 -I {PROGRAM} {PORT}
ExecStartPost=+/bin/sh -c 'if [ -e {RULES} ]; then nft -f {RULES}; fi'
Restart=always
RestartSec=1
LimitNOFILE=65536
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=true

[Install]
WantedBy=multi-user.target
"""


def rules(beside: Iterable[str]) -> str:
    """What redirects new connections to the relay, but those from the addresses *beside*, in nftables' words.

    Only the first packet of a connection is looked at: those that there are go on as they were.
    """
    syn = 'tcp flags & (fin|syn|rst|ack) == syn'
    redirect = f'fib daddr type local tcp dport {mysql.PORT} {syn} redirect to :{PORT}'
    past = (
        f'{"ip6" if ipaddress.ip_address(a).version == 6 else "ip"} saddr {a} accept'
        for a in sorted(beside)
    )
    return _chain(*past, redirect)


_TRACKED = 'ct status dnat accept'
"""Changes nothing: no first packet of a connection is so. But as long as one rule asks for it the kernel tracks
connections, and without tracking those that were redirected are cut off."""


def _chain(*lines: str) -> str:
    """A chain with these rules; it stays when nobody is redirected any more, for the sake of those that were."""
    where = f'inet {_TABLE} clients'
    return '\n'.join(
        (
            f'add table inet {_TABLE}',
            f'add chain {where} {{ type nat hook prerouting priority dstnat; policy accept; }}',
            f'flush chain {where}',
            *(f'add rule {where} {line}' for line in (_TRACKED, *lines)),
            '',
        )
    )


OURS = ', '.join(f"'{u}'" for u in (*server.OURS, replicas.USER))
"""Users of the server itself and of the charm, as SQL has them in a list."""
_SESSIONS = (
    'information_schema.processlist AS p '
    'LEFT JOIN information_schema.innodb_trx AS t ON t.trx_mysql_thread_id = p.id '
    f'WHERE p.user NOT IN ({OURS})'
)


def end_at_rest(least_ms: int) -> str:
    """Statements that end the sessions that are at rest for so long, and list those that are left.

    To look and to end are one statement: what a program had seen a moment before would be another thing by now.
    """
    rests = (
        "p.command = 'Sleep' AND "
        f'(t.trx_id IS NULL AND p.time_ms >= {least_ms} OR p.time_ms >= {LEFT_OPEN_MS})'
    )
    return f"""DELIMITER //
BEGIN NOT ATOMIC
  DECLARE CONTINUE HANDLER FOR 1094 BEGIN END;
  FOR resting IN (SELECT p.id FROM {_SESSIONS} AND {rests}) DO
    KILL CONNECTION resting.id;
  END FOR;
END //
DELIMITER ;
SELECT p.id, p.command, t.trx_id IS NOT NULL AS in_trx FROM {_SESSIONS} AND p.command <> 'Killed';
"""  # noqa: S608 -- our own names and figures


class RelayError(Exception):
    """Clients cannot be held; the message says why."""


def hold(machine: charmkit.Machine, here: str, beside: Iterable[str], most_s: int) -> None:
    """Let new clients of the server at *here* wait, but those at the addresses *beside*.

    If nobody says otherwise within *most_s* seconds, they go on to *here*.

    Raises:
        RelayError: when they cannot be held; nothing was changed.
    """
    if machine.program('systemctl', 'is-active', '--quiet', SERVICE).status:
        raise RelayError(f'{SERVICE} does not run: see journalctl -u {SERVICE}')
    _say(machine, f'hold {int(machine.now()) + most_s} {here} {mysql.PORT}')
    done = machine.program('nft', '-f', '-', stdin=rules(beside))
    if done.status:
        release(machine, here)
        raise RelayError(f'nft: {" ".join(done.output.split())[:300]}')


def close(machine: charmkit.Machine) -> None:
    """Go on holding clients, whatever becomes of this program."""
    _say(machine, 'hold')


def release(machine: charmkit.Machine, here: str) -> None:
    """Clients come to the server at *here* as before; those that wait too."""
    _say(machine, f'open {here} {mysql.PORT}')
    machine.program('rm', '-f', RULES)
    machine.program('nft', '-f', '-', stdin=_chain())


def hand_on(machine: charmkit.Machine, there: str, beside: Iterable[str]) -> None:
    """Clients that come here are passed on to the server at *there*, from now on and after a restart."""
    machine.write(RULES, rules(beside), 0o644)
    _say(machine, f'open {there} {mysql.PORT}')
    machine.program('nft', '-f', RULES)


def is_open(machine: charmkit.Machine, here: str) -> bool:
    """Whether clients come to the server at *here*, as far as the relay knows."""
    told = (machine.read(STATE) or '').strip()
    return told in ('', f'open {here} {mysql.PORT}') and machine.read(RULES) is None


def _say(machine: charmkit.Machine, line: str) -> None:
    machine.write(STATE, f'{line}\n', 0o644)


def empty(machine: charmkit.Machine, ends: float) -> int:
    """End clients' sessions, each when it is at rest, until *ends*; how many were cut off since they were not by then.

    Raises:
        server.ServerError: when the server does not answer.
    """
    while True:
        left_s = ends - machine.now()
        # Towards the end a short pause is taken for rest.
        sql = end_at_rest(RESTED_MS if left_s > 1 else 0)
        left = server.query(machine, sql, timeout_s=max(1.0, left_s))
        if not left:
            return 0
        if left_s < 0:
            server.end(machine, (int(row['id']) for row in left))
            return sum(row['command'] != 'Sleep' or row['in_trx'] == '1' for row in left)
        machine.sleep(LOOK_S)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retire:
    """Be rid of the relay of a server at *here* that nobody follows any more; the result is whether it is gone.

    Clients that came by it stay with it for as long as their connections last.
    """

    here: str
    name: str = 'retire-relay'

    def carry_out(self, machine: charmkit.Machine) -> bool:
        """Do it, if nobody comes by it."""
        if machine.read(UNIT) is None:
            return True
        by_relay = f"SELECT COUNT(*) AS coming FROM {_SESSIONS} AND p.host LIKE '{self.here}:%';"  # noqa: S608 -- our own address
        try:
            rows = server.query(machine, by_relay)
        except server.ServerError:
            return False
        if not rows or rows[0].get('coming') != '0' or not is_open(machine, self.here):
            return False
        machine.program('systemctl', 'disable', '--now', SERVICE)
        machine.program('nft', 'delete', 'table', 'inet', _TABLE)
        machine.program('rm', '-f', UNIT, PROGRAM, STATE)
        machine.program('systemctl', 'daemon-reload')
        return True
