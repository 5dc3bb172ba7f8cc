"""haproxy by itself, with what the charm would write for it, in a folder of its own: no systemd, no charm's run."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator
from typing import Any

from charmkit.proxy import config, haproxy


class Service:
    """A unit behind: what it is asked, and by which headers. It replies with the status that ``want`` says."""

    def __init__(self, certificate: str = '') -> None:
        self.seen: list[str] = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get('content-length') or 0))
                seen.append(self.path)
                body = json.dumps(dict(self.headers.items())).encode()
                self.send_response(int(self.headers.get('want', '200')))
                self.send_header('Content-Length', str(len(body)))
                self.send_header('X-Openstack-Request-Id', 'req-"1"')
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def do_PUT(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- its name there
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # Clients that hang up are what this is about.

        self.server = Server(('127.0.0.1', 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server.server_port


class Balancer:
    """One haproxy."""

    def __init__(self, folder: str, name: str) -> None:
        self.name = name
        self.folder = pathlib.Path(folder, name)
        self.folder.mkdir()
        self.port, self.ready = free_port(), free_port()
        self.child: subprocess.Popen[bytes] | None = None

    def start(self, what: config.Config) -> None:
        found = haproxy.render(what)
        text = found.text
        for path, content in found.lists.items():
            here = self.folder / pathlib.Path(path).name
            here.write_text(content)
            text = text.replace(path, str(here))
        for before, after in (
            ('    chroot /var/lib/haproxy\n', ''),
            ('    user haproxy\n    group haproxy\n', ''),
            ('log /dev/log len 8192 local0', 'log stdout len 8192 format raw local0'),
            (haproxy.ADMIN_SOCKET, str(self.folder / 'admin.sock')),
            (haproxy.STATE_FILE, str(self.folder / 'state')),
        ):
            assert before in text or before == haproxy.STATE_FILE, before
            text = text.replace(before, after)
        (self.folder / 'cfg').write_text(text)
        with (self.folder / 'log').open('a') as log:
            self.child = subprocess.Popen(
                ('haproxy', '-W', '-f', self.folder / 'cfg'), stdout=log, stderr=log
            )
        until(lambda: self._listens())

    def _listens(self) -> bool:
        assert self.child
        assert self.child.poll() is None, (self.folder / 'log').read_text()
        with contextlib.suppress(OSError):
            socket.create_connection(('127.0.0.1', self.port), timeout=5).close()
            return bool(self.ask('show info\n'))
        return False

    def stop(self) -> None:
        if self.child:
            self.child.terminate()
            self.child.wait()

    def ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.folder / 'admin.sock'))
            s.sendall(command.encode())
            return b''.join(iter(lambda: s.recv(65536), b'')).decode()

    def request(
        self, method: str = 'GET', path: str = '/v3', body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], dict[str, str]]:
        """Status, headers, and the headers that the service has got."""
        client = http.client.HTTPConnection('127.0.0.1', self.port, timeout=20)
        with contextlib.closing(client):
            named = {k.replace('_', '-'): v for k, v in headers.items()}
            client.request(method, path, body, named)
            response = client.getresponse()
            text = response.read()
            got: dict[str, str] = json.loads(text) if text.startswith(b'{') else {}
            return response.status, {k.lower(): v for k, v in response.getheaders()}, got

    def log(self) -> list[dict[str, Any]]:
        """What was logged of requests."""
        lines = (self.folder / 'log').read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith('{')]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def until(what: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, 'it does not come about'
        time.sleep(0.1)


@contextlib.contextmanager
def balancers(*names: str) -> Generator[list[Balancer]]:
    with tempfile.TemporaryDirectory() as folder:
        found = [Balancer(folder, name) for name in names]
        try:
            yield found
        finally:
            for one in found:
                one.stop()
