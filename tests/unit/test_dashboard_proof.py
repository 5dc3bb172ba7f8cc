"""The dashboard is proven by a log-in; whatever does not let one in, forgets it or lacks the server is told."""

from __future__ import annotations

import http.server
import pathlib
import ssl
import threading
from collections.abc import Callable, Generator
from urllib.parse import parse_qs

import pytest

from tests import certificates
from tools import dashboard

pytestmark = pytest.mark.timeout(60)

FORM = '<form><input type="hidden" name="csrfmiddlewaretoken" value="abc"><input name="username"></form>'


class Site(http.server.BaseHTTPRequestHandler):
    """A dashboard of three pages."""

    protocol_version = 'HTTP/1.1'
    login = FORM
    password = 'right'
    pages = 99  # that it gives to who is logged in, before it forgets them
    listed = '<a href="/project/instances/77/">the server</a>'
    status = 200

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
        """Say nothing."""

    def _say(self, status: int, text: str = '', **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """The log-in's page, or the list for who is logged in."""
        if self.path == '/auth/login/':
            self._say(200, self.login)
        elif 'sessionid=1' in self.headers.get('Cookie', '') and type(self).pages:
            type(self).pages -= 1
            self._say(self.status, self.listed)
        else:
            self._say(302, Location='/auth/login/')

    def do_POST(self) -> None:
        """Log in."""
        said = parse_qs(self.rfile.read(int(self.headers['Content-Length'])).decode())
        if said['password'] == [self.password] and said['csrfmiddlewaretoken'] == ['abc']:
            self._say(302, Location='/project/instances/', Set_Cookie='sessionid=1; Path=/')
        else:
            self._say(302, Location='/auth/login/')


@pytest.fixture
def site() -> Generator[Callable[..., str]]:
    """Serves one with other values; gives its address."""
    started: list[http.server.ThreadingHTTPServer] = []

    def serve(tls: ssl.SSLContext | None = None, **other: object) -> str:
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), type('Other', (Site,), other))
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return f'{"https" if tls else "http"}://127.0.0.1:{server.server_port}'

    yield serve
    for server in started:
        server.shutdown()
        server.server_close()


def test_one_who_logs_in_finds_the_server(site: Callable[..., str]):
    where = site()
    assert dashboard.lists(where, 'right', '77', 10) == f'logged in at {where}/, 77 is in its list'


def test_by_tls_it_is_verified(site: Callable[..., str], tmp_path: pathlib.Path):
    ca, tls = certificates.of_loopback(tmp_path)
    where = site(tls)
    assert dashboard.lists(where, 'right', '77', 10, ca).startswith(f'logged in at {where}/')
    with pytest.raises(OSError, match='CERTIFICATE_VERIFY_FAILED'):
        dashboard.lists(where, 'right', '77', 10)


@pytest.mark.parametrize(
    ('other', 'words'),
    [
        ({'password': 'another'}, 'does not let the administrator in'),
        ({'login': 'It works!'}, 'is no page to log in at'),
        ({'listed': 'Instances: none'}, 'does not list the server 77'),
        ({'status': 500}, '/project/instances/ of the dashboard answers 500'),
    ],
    ids=lambda v: '' if isinstance(v, str) else next(iter(v)),
)
def test_what_does_not_work_is_told(
    site: Callable[..., str], other: dict[str, object], words: str
):
    with pytest.raises(RuntimeError, match=words):
        dashboard.lists(site(**other), 'right', '77', 10)


def test_a_session_that_is_lost_between_two_units_is_told(site: Callable[..., str]):
    with pytest.raises(RuntimeError, match='has forgotten who has just logged in'):
        dashboard.lists(site(pages=1), 'right', '77', 10)
