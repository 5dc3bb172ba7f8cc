"""The console of a server is opened as a browser does it; whatever is no console is told apart from one."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import pathlib
import socket
import sys
import threading
from collections.abc import Generator

import pytest

sys.path.insert(
    0, str(pathlib.Path(__file__).parents[2] / 'tools')
)  # Its modules import each other so.

from tests import certificates
from tools import console

pytestmark = pytest.mark.timeout(60)

FRAME = b'\x82\x0cRFB 003.008\n'
PAGE = '<title>noVNC</title>'


@dataclasses.dataclass
class Proxy:
    """One that answers a handshake once."""

    listening: socket.socket
    monkeypatch: pytest.MonkeyPatch
    asked: list[str] = dataclasses.field(default_factory=list[str])
    silent: threading.Event = dataclasses.field(default_factory=threading.Event)

    def url(self, *frames: bytes, refuses: bytes = b'', key: str = '', page: str = PAGE) -> str:
        """The console's address at one that sends *frames*, or *refuses*, or answers to another *key*."""

        def serve() -> None:
            try:
                wire, _ = self.listening.accept()
            except OSError:  # Nobody came.
                return
            with wire, contextlib.suppress(OSError):
                said = wire.recv(65536).decode()
                self.asked.append(said)
                theirs = key or said.split('Sec-WebSocket-Key: ')[1].split('\r\n')[0]
                whole = refuses or accepting(theirs) + b''.join(frames)
                for start in range(0, len(whole), 7):
                    wire.sendall(whole[start : start + 7])
                if frames == (b'',):
                    self.silent.wait(30)

        def shown(*_: object) -> str:
            return page

        self.monkeypatch.setattr(console, '_page', shown)
        threading.Thread(target=serve, daemon=True).start()
        port = self.listening.getsockname()[1]
        return f'http://127.0.0.1:{port}/vnc_lite.html?path=%3Ftoken%3Dabc'


def accepting(key: str) -> bytes:
    """A proxy's answer to a handshake with *key* (RFC 6455, 4.2.2)."""
    whole = f'{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11'.encode()
    digest = hashlib.sha1(whole, usedforsecurity=False).digest()
    head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
    chosen = 'Sec-WebSocket-Protocol: binary\r\n'
    said = base64.b64encode(digest).decode()
    return f'{head}{chosen}Sec-WebSocket-Accept: {said}\r\n\r\n'.encode()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Generator[Proxy]:
    with socket.create_server(('127.0.0.1', 0)) as listening:
        yield (one := Proxy(listening, monkeypatch))
        one.silent.set()
        one.listening.close()


@pytest.mark.parametrize(
    ('page', 'opens'),
    [
        (
            'http://10.0.0.1:6080/vnc_lite.html?path=%3Ftoken%3Dabc',
            'ws://10.0.0.1:6080/?token=abc',
        ),
        ('https://cloud.example/vnc_lite.html?path=%3Ftoken%3Da', 'wss://cloud.example/?token=a'),
        ('http://[fd00::1]:6080/vnc_auto.html?path=%2Fws', 'ws://[fd00::1]:6080/ws'),
        ('http://10.0.0.1/vnc_lite.html', 'ws://10.0.0.1/'),
    ],
)
def test_the_websocket_is_where_the_page_opens_it(page: str, opens: str):
    assert console.address(page) == opens


def test_the_first_words_of_the_vnc_server_come_through_and_the_handshake_is_a_browsers(
    proxy: Proxy,
):
    url = proxy.url(FRAME)
    assert console.banner(url, 10) == 'RFB 003.008'
    place = url.split('/')[2]
    lines = proxy.asked[0].split('\r\n')
    assert lines[0] == 'GET /?token=abc HTTP/1.1'
    assert f'Host: {place}' in lines
    assert f'Origin: http://{place}' in lines
    assert 'Sec-WebSocket-Protocol: binary' in lines
    assert lines[-2:] == ['', '']


def test_by_tls_page_and_console_are_verified(proxy: Proxy, tmp_path: pathlib.Path):
    ca, tls = certificates.of_loopback(tmp_path)
    proxy.listening = tls.wrap_socket(proxy.listening, server_side=True)
    page = console._page  # pyright: ignore[reportPrivateUsage]
    url = proxy.url(FRAME).replace('http:', 'https:')
    assert console.banner(url, 10, ca) == 'RFB 003.008'
    url = proxy.url(FRAME).replace('http:', 'https:')
    with pytest.raises(OSError, match='CERTIFICATE_VERIFY_FAILED'):
        console.banner(url, 10)
    proxy.url(FRAME)
    with pytest.raises(OSError, match='CERTIFICATE_VERIFY_FAILED'):
        page(url, 10, '')


def test_words_behind_a_ping_are_found(proxy: Proxy):
    assert console.banner(proxy.url(b'\x89\x02hi', FRAME), 10) == 'RFB 003.008'


@pytest.mark.parametrize(
    ('frames', 'words'),
    [
        ((), 'has hung up'),
        ((b'\x82\x08SSH-2.0\n',), "no VNC server: it says 'SSH-2.0'"),
        ((b'\x88\x06\x03\xf1gone',), 'closes: gone'),
        ((b'\x88\x00',), 'closes: it gives no reason'),
    ],
)
def test_what_is_no_console_is_told(proxy: Proxy, frames: tuple[bytes, ...], words: str):
    with pytest.raises(RuntimeError, match=words):
        console.banner(proxy.url(*frames), 10)


def test_a_proxy_that_refuses_is_told_with_its_answer(proxy: Proxy):
    url = proxy.url(refuses=b'HTTP/1.1 403 Forbidden\r\n\r\n')
    with pytest.raises(RuntimeError, match='does not open a websocket: it answers 403'):
        console.banner(url, 10)


def test_an_answer_that_somebody_else_was_given_is_none(proxy: Proxy):
    with pytest.raises(RuntimeError, match='is no websocket'):
        console.banner(proxy.url(FRAME, key='dGhlIHNhbXBsZSBub25jZQ=='), 10)


def test_a_page_of_something_else_is_told_without_its_token(proxy: Proxy):
    with pytest.raises(RuntimeError, match=r'vnc_lite.html is no page of noVNC') as caught:
        console.banner(proxy.url(page='<h1>Not found</h1>'), 10)
    assert 'abc' not in str(caught.value)


def test_a_proxy_that_says_nothing_is_not_waited_for_without_end(proxy: Proxy):
    with pytest.raises(OSError, match=r'timed out|says nothing'):
        console.banner(proxy.url(b''), 0.2)
