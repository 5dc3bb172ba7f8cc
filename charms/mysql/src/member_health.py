#!/usr/bin/env python3
"""Says over HTTP whether the MariaDB of this machine takes reads and writes: 200 or 503, and how it is, in JSON.

A program of its own, with nothing but Python's standard library: ``member_health.py PORT ADDRESS...``. It logs in by
the system account that it runs as (``nobody``), which may see the server's status and nothing else.
"""

from __future__ import annotations

import http.server
import ipaddress
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping

DATA = '/var/lib/mysql'
FRESH_S = 0.5
"""How long an answer of the server counts: several load balancers ask, each every second or two."""
LEAST_BYTES = 64 << 20
"""With less than this left on the disk the next write may be refused."""
_ASK = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_cluster_state_uuid', "
    "'wsrep_local_state', 'wsrep_ready');"
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_desync', 'read_only', 'innodb_read_only');"
)
_OFF = ('OFF', '0', '')


def verdict(said: Mapping[str, str], left: int) -> dict[str, object]:
    """What is answered: ``ok`` is whether clients may be sent here, ``reason`` why not.

    *said* are the server's status and variables, empty where it does not answer; *left* is the room on the disk in
    bytes. A member that gives its data to another one (a donor, by mariadb-backup) goes on serving.
    """
    clustered = said.get('wsrep_on') == 'ON'
    primary = clustered and said.get('wsrep_cluster_status') == 'Primary'
    state = said.get('wsrep_local_state', '')
    reason = ''
    if not said:
        reason = 'the server does not answer'
    elif clustered and not (primary and said.get('wsrep_ready') == 'ON'):
        reason = 'it is in no component with a majority'
    elif clustered and state not in ('4', '2'):
        reason = 'it takes in what the cluster has'
    elif clustered and said.get('wsrep_desync', 'OFF') not in _OFF:
        reason = 'wsrep_desync is on'
    elif any(said.get(k, '') not in _OFF for k in ('read_only', 'innodb_read_only')):
        reason = 'it refuses all writes'
    elif left < LEAST_BYTES:
        reason = 'its disk is full'
    return {
        'ok': not reason,
        'primary': primary,
        'reason': reason,
        'uuid': said.get('wsrep_cluster_state_uuid', '') if primary else '',
    }


def _ask() -> dict[str, str]:
    argv = (
        'mariadb',
        '--protocol=socket',
        '--connect-timeout=3',
        '--batch',
        '--skip-column-names',
    )
    try:
        done = subprocess.run(
            (*argv, f'--execute={_ASK}'), capture_output=True, text=True, timeout=4, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    rows = (line.partition('\t') for line in done.stdout.splitlines())
    return {name: value for name, _, value in rows} if done.returncode == 0 else {}


def _left() -> int:
    try:
        found = os.statvfs(DATA)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


class _Last:
    """The last answer, and one question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at = float('-inf')
        self._answer: dict[str, object] = {}

    def get(self) -> dict[str, object]:
        with self._lock:
            if time.monotonic() - self._at > FRESH_S:
                self._answer = verdict(_ask(), _left())
                self._at = time.monotonic()
            return self._answer


_LAST = _Last()


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self) -> None:
        reply = _LAST.get()
        body = json.dumps(reply, sort_keys=True).encode() + b'\n'
        self.send_response(200 if reply['ok'] else 503)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Connection', 'close')
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    do_HEAD = do_OPTIONS = do_GET  # noqa: N815 -- http.server's own names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's own name
        """A check every second is nothing to keep."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str, port: int) -> None:
        six = ipaddress.ip_address(address).version == 6
        self.address_family = socket.AF_INET6 if six else socket.AF_INET
        super().__init__((address, port), _Handler)


def main(port: str, *addresses: str) -> None:
    """Serve on *port* of each of *addresses*, for good."""
    servers = [_Server(address, int(port)) for address in dict.fromkeys(addresses)]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == '__main__':  # pragma: nocover
    main(*sys.argv[1:])
