"""Runs in the container: a keystone that knows one account, and shows every service the same token. Not a test."""

from __future__ import annotations

import http.server
import json
import pathlib
import sys
from typing import Any

TOKEN = 'admin:services'
"""Placement without a keystone (``noauth2``) reads user and project in it."""
PORT = 5000
OVERLOADED = pathlib.Path('/run/keystone-overloaded')
"""While it is there, every answer is 503."""
DOMAIN = {'id': 'default', 'name': 'service_domain'}


def catalog(address: str) -> list[dict[str, Any]]:
    """Where nova and placement are."""
    places = {
        'compute': f'http://{address}:8774/v2.1',
        'placement': f'http://{address}:8778',
        'identity': f'http://{address}:{PORT}/v3',
    }
    return [
        {
            'type': kind,
            'name': kind,
            'id': kind,
            'endpoints': [
                {'id': f'{kind}-{i}', 'interface': i, 'region': 'RegionOne', 'region_id': 'RegionOne', 'url': url}
                for i in ('public', 'internal', 'admin')
            ],
        }
        for kind, url in places.items()
    ]  # fmt: skip


def token(address: str) -> dict[str, Any]:
    """What is said of a token, whoever asks."""
    return {
        'token': {
            'methods': ['password'],
            'user': {'id': 'admin', 'name': 'nova', 'domain': DOMAIN},
            'project': {'id': 'services', 'name': 'services', 'domain': DOMAIN},
            'roles': [{'id': name, 'name': name} for name in ('admin', 'service')],
            'catalog': catalog(address),
            'issued_at': '2020-01-01T00:00:00.000000Z',
            'expires_at': '2099-01-01T00:00:00.000000Z',
            'audit_ids': ['one'],
        }
    }


class Keystone(http.server.BaseHTTPRequestHandler):
    """Version 3 of the API, as far as services ask it."""

    address = ''

    def _answer(self, status: int, body: Any, **headers: str) -> None:
        if OVERLOADED.exists():
            status, body = 503, {'error': {'code': 503, 'message': 'try again'}}
        sent = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {'Content-Type': 'application/json', **headers}.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def do_POST(self) -> None:
        """A token."""
        self.rfile.read(int(self.headers.get('Content-Length', 0)))
        self._answer(201, token(self.address), X_Subject_Token=TOKEN)

    def do_GET(self) -> None:
        """Who has a token, or which versions there are."""
        if self.path.startswith('/v3/auth/tokens'):
            self._answer(200, token(self.address), X_Subject_Token=TOKEN)
            return
        link = [{'rel': 'self', 'href': f'http://{self.address}:{PORT}/v3/'}]
        version = {'id': 'v3.14', 'status': 'stable', 'links': link, 'media-types': []}
        one = self.path.rstrip('/').endswith('/v3')
        self._answer(200, {'version': version} if one else {'versions': {'values': [version]}})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's
        """Nobody reads it."""


if __name__ == '__main__':
    Keystone.address = sys.argv[1]
    http.server.ThreadingHTTPServer(('', PORT), Keystone).serve_forever()
