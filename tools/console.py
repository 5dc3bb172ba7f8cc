"""Proof that a server's console opens as in a browser: its page, and behind it VNC over a websocket.

Source: RFC 6455 for the handshake and the frames; RFC 6143, 7.1.1, for what a VNC server says first.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import time
from urllib.parse import parse_qs, urlsplit

import cloud as cloud_

_MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
_BINARY = 2
_LONGEST = 65536
BANNER = 'RFB '


def banner(url: str, seconds: float) -> str:
    """What the VNC server behind the console's page at *url* says first, such as ``RFB 003.008``.

    Raises:
        RuntimeError: the page is not there, the proxy does not open the websocket, or what speaks is no VNC server.
        OSError: nobody answers in time.
    """
    page = cloud_.page(url, seconds)
    if 'noVNC' not in page:
        raise RuntimeError(f'{url.partition("?")[0]} is no page of noVNC: {page[:80]!r}')
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    host, port = _place(url)
    end = time.monotonic() + seconds
    with socket.create_connection((host, port), seconds) as wire:
        wire.sendall(request(url, key))
        head, rest = _head(wire, end)
        if refused := _refused(head, key):
            raise RuntimeError(refused)
        while (said := payload(rest)) is None:
            rest += _more(wire, end)
    text = said.decode('ascii', 'replace').strip()
    if not text.startswith(BANNER):
        raise RuntimeError(f'what is behind the console is no VNC server: it says {text[:40]!r}')
    return text


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or '', parts.port or 80


def request(url: str, key: str) -> bytes:
    """The handshake that noVNC's page makes: its own origin, and the path that its address has in ``path``."""
    parts = urlsplit(url)
    (path,) = parse_qs(parts.query).get('path') or ['']
    lines = (
        f'GET /{path.lstrip("/")} HTTP/1.1',
        f'Host: {parts.netloc}',
        f'Origin: {parts.scheme}://{parts.netloc}',
        'Upgrade: websocket',
        'Connection: Upgrade',
        f'Sec-WebSocket-Key: {key}',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Protocol: binary',
    )
    return ('\r\n'.join(lines) + '\r\n\r\n').encode()


def answer_to(key: str) -> str:
    """What a server that understood the handshake with *key* says in ``Sec-WebSocket-Accept``."""
    digest = hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def _refused(head: bytes, key: str) -> str:
    status, *lines = head.decode('latin-1').split('\r\n')
    if status.split(' ')[1:2] != ['101']:
        return f'the console proxy does not open a websocket: {status!r}'
    fields = {n.strip().lower(): v.strip() for n, _, v in (line.partition(':') for line in lines)}
    if fields.get('sec-websocket-accept') != answer_to(key):
        return 'the console proxy answers another handshake than ours'
    return ''


def _head(wire: socket.socket, end: float) -> tuple[bytes, bytes]:
    got = b''
    while b'\r\n\r\n' not in got:
        got += _more(wire, end)
    head, _, rest = got.partition(b'\r\n\r\n')
    return head, rest


def _more(wire: socket.socket, end: float) -> bytes:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError('the console says nothing')
    wire.settimeout(left)
    got = wire.recv(_LONGEST)
    if not got:
        raise RuntimeError('the console proxy has hung up: it could not reach the server')
    return got


def payload(frames: bytes) -> bytes | None:
    """What is in the first binary frame; None while it is not there whole. Frames of control are passed over.

    Raises:
        RuntimeError: it is no frame that a server sends.
    """
    while len(frames) >= 2:
        kind, length, start = frames[0] & 0x0F, frames[1], 2
        if length > 127:
            raise RuntimeError('the console proxy sends a masked frame')
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(frames[2:start], 'big')
        if len(frames) < start + length:
            return None
        if kind == 8:
            said = frames[start + 2 : start + length].decode('utf-8', 'replace')
            raise RuntimeError(f'the console proxy closes: {said or "it gives no reason"}')
        if kind == _BINARY:
            return frames[start : start + length]
        frames = frames[start + length :]
    return None
