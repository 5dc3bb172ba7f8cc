"""A real DNS server (bind9) that takes updates of some names by a key."""

from __future__ import annotations

import base64
import contextlib
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Generator
from typing import Any, cast

import plain_haproxy as rig
from balancer import nsupdate
from charmkit import run
from charmkit.machine import Finished, Machine

NAME = 'lb.example.com'
CONFIGURATION = """\
options {{ directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session.key"; recursion no;
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; }};
controls {{ }};
key "{name}" {{ algorithm hmac-sha256; secret "{key}"; }};
zone "example.com" {{ type primary; file "example.com";
  update-policy {{ grant {name} name cloud.example.com A AAAA; }}; }};
zone "internal" {{ type primary; file "internal"; allow-update {{ key {name}; }}; }};
"""
ZONE = '$TTL 300\n@ SOA ns admin 1 60 60 600 60\n@ NS ns\nns A 127.0.0.1\n'


class Here:
    """The machine that this runs on."""

    def __init__(self) -> None:
        self.argvs: list[tuple[str, ...]] = []

    def program(self, *argv: str, stdin: str = '', timeout_s: float = 60.0) -> Finished:
        self.argvs.append(argv)
        return run.finished(argv, user='root', stdin=stdin, environment=None, timeout_s=timeout_s)


class Server:
    """The server, and who updates it."""

    def __init__(self, port: int, key: str):
        self.port, self.key, self.here = port, key, Here()

    def takes(self, *messages: str, **changed: Any) -> str:
        given: dict[str, Any] = {
            'server': '127.0.0.1', 'port': self.port, 'key_name': NAME, 'key': self.key,
            'algorithm': 'hmac-sha256', **changed,
        }  # fmt: skip
        return nsupdate.Update(messages=messages, **given).carry_out(cast('Machine', self.here))

    def ask(self, name: str, kind: str) -> list[str]:
        argv = ('dig', '@127.0.0.1', '-p', str(self.port), '+short', name, kind)
        return sorted(subprocess.run(argv, capture_output=True, text=True).stdout.split('\n')[:-1])


@contextlib.contextmanager
def server() -> Generator[Server]:
    key = base64.b64encode(os.urandom(32)).decode()
    with tempfile.TemporaryDirectory() as name:
        folder, port = pathlib.Path(name), rig.free_port()
        words = {'folder': folder, 'port': port, 'key': key, 'name': NAME}
        (folder / 'named.conf').write_text(CONFIGURATION.format(**words))
        for zone in ('example.com', 'internal'):
            (folder / zone).write_text(ZONE)
        with (folder / 'log').open('w') as log:
            argv = ('named', '-g', '-c', str(folder / 'named.conf'))
            with subprocess.Popen(argv, stdout=log, stderr=log) as named:
                found, end = Server(port, key), time.monotonic() + 30
                try:
                    while not found.ask('example.com', 'SOA'):
                        assert time.monotonic() < end, (folder / 'log').read_text()[-2000:]
                        time.sleep(0.1)
                    yield found
                finally:
                    named.terminate()


def _led(name: str, *addresses: str) -> str:
    lines = [f'update delete {name}. A', f'update delete {name}. AAAA']
    for address in addresses:
        kind = 'AAAA' if ':' in address else 'A'
        lines.append(f'update add {name}. 30 {kind} {address}')
    return '\n'.join(lines)


def dns_updates() -> dict[str, Any]:
    """What the server has after each update, and what it says against those that it does not take."""
    out: dict[str, Any] = {}
    both = _led('cloud.example.com', '10.1.0.5', '10.1.0.6', '2001:db8::6')
    with server() as dns:
        out['first'] = [dns.takes(both), dns.ask('cloud.example.com', 'A')]
        out['AAAA'] = dns.ask('cloud.example.com', 'AAAA')
        serial = dns.ask('example.com', 'SOA')
        dns.takes(f'zone example.com.\n{both}')
        out['the same again is no change'] = serial == dns.ask('example.com', 'SOA')
        one = _led('cloud.example.com', '10.1.0.6')
        out['one goes'] = [dns.takes(one), dns.ask('cloud.example.com', 'A')]
        out['its AAAA'] = dns.ask('cloud.example.com', 'AAAA')
        other = _led('other.example.com', '10.1.0.6')
        inside = _led('api.internal', '10.2.0.5')
        out['not granted'] = dns.takes(other, inside)
        out['and the next zone'] = dns.ask('api.internal', 'A')
        out['no such zone'] = dns.takes('zone example.org.\n' + _led('a.example.org', '10.1.0.6'))
        wrong = base64.b64encode(bytes(32)).decode()
        out['another key'] = dns.takes(one, key=wrong)
        out['unknown key'] = dns.takes(one, key_name='x.example.com')
        out['nobody there'] = dns.takes(one, port=rig.free_port())
        out['gone'] = [dns.takes(_led('cloud.example.com')), dns.ask('cloud.example.com', 'A')]
        out['key in arguments'] = any(dns.key in ' '.join(argv) for argv in dns.here.argvs)
    return out
