"""Clients that hold a place of a service for as long as they like, each kind in its own way; what others get then."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

import plain_haproxy as rig
from charmkit.proxy import config, transfers

PLACES = 32
CLIENTS = 44
_LONG = 8_000_000
_PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes.fromhex('000000040000000000')
_HEADERS, _DATA, _END_HEADERS = 1, 0, 4


class Patient(http.server.BaseHTTPRequestHandler):
    """A service that waits for the whole body, and answers as the path says."""

    protocol_version = 'HTTP/1.1'

    def do_POST(self) -> None:
        if self.headers.get('transfer-encoding'):
            while (size := int(self.rfile.readline() or b'0', 16)) and self.rfile.read(size + 2):
                pass
        self.rfile.read(int(self.headers.get('content-length') or 0))
        self.do_GET()

    def do_GET(self) -> None:
        kind, _, size = self.path.strip('/').partition('-')
        length = int(size or 0)
        self.send_response(200)
        if kind == 'chunked':
            self.send_header('Transfer-Encoding', 'chunked')
        elif kind == 'unsaid':
            self.close_connection = True
        else:
            self.send_header('Content-Length', str(length))
        self.end_headers()
        piece = b'x' * 65_536
        for sent in range(0, length, len(piece)):
            now = piece[: length - sent]
            self.wfile.write(b'%x\r\n%b\r\n' % (len(now), now) if kind == 'chunked' else now)
        if kind == 'chunked':
            self.wfile.write(b'0\r\n\r\n')

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- its name there
        pass


def _frame(kind: int, flags: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, 'big') + bytes((kind, flags)) + (1).to_bytes(4, 'big') + payload
    )


def _http2(method: int, body: int) -> bytes:
    """A request whose body has begun, without a length; *method* as HPACK's static table has it (RFC 7541, A)."""
    head = bytes((method, 0x86, 0x84, 0x01, 9)) + b'127.0.0.1'
    return _PREFACE + _frame(_HEADERS, _END_HEADERS, head) + _frame(_DATA, 0, b'x' * body)


def _http1(method: str, path: str, *fields: str, body: int = 0) -> bytes:
    lines = (f'{method} {path} HTTP/1.1', 'Host: 127.0.0.1', *fields, '', '')
    return '\r\n'.join(lines).encode() + b'x' * body


KINDS = {
    'length': _http1('POST', '/', 'Content-Length: 1000000'),
    'chunked': _http1('POST', '/', 'Transfer-Encoding: chunked'),
    'long header': _http1('POST', '/', 'Content-Length: 15000', f'X-Long: {"y" * 7000}', f'X-More: {"y" * 3000}',
                          body=9000),
    'http/2': _http2(0x83, 10),
    'http/2 get': _http2(0x82, 16_000),
    'download': _http1('GET', f'/length-{_LONG}'),
    'short download': _http1('GET', '/length-900000'),
    'chunked download': _http1('GET', f'/chunked-{_LONG}'),
    'download of unsaid length': _http1('GET', f'/unsaid-{_LONG}'),
}  # fmt: skip


def slow_transfers(
    kinds: Iterable[str] = tuple(KINDS), guarded: bool = True, clients: int = CLIENTS
) -> dict[str, Any]:
    """By kind: how many of *clients* were refused, and what a short request is answered beside them; 0: nothing."""
    rules = transfers.rules
    if not guarded:
        transfers.rules = lambda _: iter(())
    try:
        return {kind: _beside(KINDS[kind], clients) for kind in kinds}
    finally:
        transfers.rules = rules


def _beside(request: bytes, clients: int) -> dict[str, int]:
    with contextlib.ExitStack() as stack:
        service = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Patient)
        service.handle_error = _hang_up  # pyright: ignore[reportAttributeAccessIssue]
        threading.Thread(target=service.serve_forever, daemon=True).start()
        stack.callback(service.shutdown)
        (balancer,) = stack.enter_context(rig.balancers('lb-0'))
        balancer.start(_configuration(balancer, service.server_port))
        rig.until(lambda: _short(balancer) == 200)
        slow = [stack.enter_context(_slow(balancer.port, request)) for _ in range(clients)]
        time.sleep(2)
        others = [_short(balancer) for _ in range(3)]
        return {'refused': sum(map(_is_refused, slow)), 'others': min(others)}


def _hang_up(*_: Any) -> None:
    """Clients that go are what this is about."""


def _configuration(balancer: rig.Balancer, port: int) -> config.Config:
    server = config.Server(name='api-0', address='127.0.0.1', port=port, maxconn=PLACES)
    return config.Config(
        unit='lb/0', ready=config.Ready(port=balancer.ready),
        frontends=(
            config.Frontend(
                name='f', binds=(config.Bind('127.0.0.1', balancer.port),), backend='api',
                strict_hosts=False, client_ms=3_600_000,
            ),
        ),
        backends=(
            config.Backend(name='api', servers=(server,), server_ms=3_600_000, outsiders=True,
                           check=config.Check(tcp=True)),
        ),
    )  # fmt: skip


@contextlib.contextmanager
def _slow(port: int, request: bytes) -> Any:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536
        )  # Where loopback has 65 kB, and as much room for it.
        s.connect(('127.0.0.1', port))
        with contextlib.suppress(OSError):
            s.sendall(request)
        yield s


def _short(balancer: rig.Balancer) -> int:
    with contextlib.suppress(OSError):
        client = http.client.HTTPConnection('127.0.0.1', balancer.port, timeout=5)
        with contextlib.closing(client):
            client.request('GET', '/')
            return client.getresponse().status
    return 0


def _is_refused(s: socket.socket) -> bool:
    """It has been answered 503, in either protocol; the rest of a long answer is left where it is."""
    s.setblocking(False)
    with contextlib.suppress(OSError):
        head = s.recv(200, socket.MSG_PEEK)
        return b' 503 ' in head or b'\x03503' in head
    return False
