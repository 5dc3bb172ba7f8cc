"""Proof that a server's console opens as in a browser: its page, and behind it VNC over a websocket.

Source: RFC 6143, 7.1.1, for what a VNC server says first; nova's page of noVNC for the handshake.
"""

from __future__ import annotations

from typing import cast
from urllib.parse import parse_qs, urlsplit

import requests
import websocket

BANNER = 'RFB '
_CLOSES = 8
"""The frame with which a proxy that could not reach the server ends, and says why (RFC 6455, 5.5.1)."""


def banner(url: str, seconds: float, ca: str = '') -> str:
    """What the VNC server behind the console's page at *url* says first, such as ``RFB 003.008``.

    *ca*: the file with the authorities to be trusted; '': those of this machine.

    Raises:
        RuntimeError: the page is not there, the proxy does not open the websocket, or what speaks is no VNC server.
        OSError: nobody answers within *seconds*, or with no certificate that is to be trusted.
    """
    page = _page(url, seconds, ca)
    if 'noVNC' not in page:
        raise RuntimeError(f'{url.partition("?")[0]} is no page of noVNC: {page[:80]!r}')
    try:
        said = _first_words(url, seconds, ca)
    except websocket.WebSocketTimeoutException:
        raise TimeoutError('the console says nothing') from None
    except websocket.WebSocketBadStatusException as error:
        raise RuntimeError(
            f'the console proxy does not open a websocket: it answers {error.status_code}'
        ) from None
    except websocket.WebSocketConnectionClosedException:
        raise RuntimeError(
            'the console proxy has hung up: it could not reach the server'
        ) from None
    except websocket.WebSocketException as error:
        raise RuntimeError(f'what the console proxy speaks is no websocket: {error}') from None
    if not said.startswith(BANNER):
        raise RuntimeError(f'what is behind the console is no VNC server: it says {said[:40]!r}')
    return said


def _page(url: str, seconds: float, ca: str) -> str:
    with requests.Session() as session:
        session.trust_env = False  # No proxy, no account of ours from .netrc.
        answered = session.get(url, timeout=seconds, verify=ca or True)
    return answered.text if answered.ok else f'{answered.status_code} {answered.reason}'


def _first_words(url: str, seconds: float, ca: str) -> str:
    trust = {'ca_certs': ca} if ca else {}
    wire = websocket.create_connection(
        address(url), timeout=seconds, origin=_origin(url), subprotocols=['binary'],
        http_no_proxy=['*'], sslopt=trust,
    )  # fmt: skip
    try:
        kind, said = cast('tuple[int, bytes]', wire.recv_data())  # type: ignore[reportUnknownMemberType]
        if kind == _CLOSES:
            why = said[2:].decode('utf-8', 'replace') or 'it gives no reason'
            raise RuntimeError(f'the console proxy closes: {why}')
        return said.decode('ascii', 'replace').strip()
    finally:
        wire.shutdown()


def address(url: str) -> str:
    """Where the page at *url* opens its websocket: at its own place, with the path that its address has in ``path``."""
    parts = urlsplit(url)
    (path,) = parse_qs(parts.query).get('path') or ['']
    scheme = {'http': 'ws', 'https': 'wss'}[parts.scheme]
    return f'{scheme}://{parts.netloc}/{path.lstrip("/")}'


def _origin(url: str) -> str:
    """As a browser says it: nova's proxy refuses others."""
    parts = urlsplit(url)
    return f'{parts.scheme}://{parts.netloc}'
