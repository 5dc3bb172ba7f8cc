"""A Charmhub on loopback that answers as its documentation and Juju's client say, with what a test puts there."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
NOBLE = {'name': 'ubuntu', 'channel': '24.04', 'architecture': 'amd64'}


class Charmhub:
    """What is published, and what was asked."""

    def __init__(self) -> None:
        self.url = ''
        self.charms: dict[str, Json] = {}
        """By name: ``type``, ``summary``, ``channels`` (channel → revision), ``revisions`` (number → bytes),
        ``resources`` (name → (revision, bytes)), ``bases``."""
        self.asked: list[str] = []
        self.spoilt = False
        """Files come with one byte changed."""
        self.reply: bytes | None = None
        """Said to everything, in place of an answer."""

    def publish(
        self, name: str, revision: int, content: bytes, channel: str = 'latest/stable', **more: Any
    ) -> None:
        """A revision of a charm, in a channel."""
        entry = self.charms.setdefault(
            name,
            {'type': 'charm', 'channels': {}, 'revisions': {}, 'resources': {}, 'bases': [NOBLE]},
        )
        entry['revisions'][revision] = content
        entry['channels'][channel] = revision
        entry.update(more)

    def file(self, path: str) -> bytes:
        _, kind, name, number = path.split('/')[-4:]
        entry = self.charms[name.partition(':')[0]]
        content: bytes = (
            entry['revisions'][int(number)]
            if kind == 'charm'
            else entry['resources'][name.partition(':')[2]][1]
        )
        return content[:-1] + bytes([content[-1] ^ 1]) if self.spoilt else content

    def download(self, kind: str, name: str, number: int, content: bytes) -> Json:
        return {
            'url': f'{self.url}/api/v1/{kind}/{name}/{number}',
            'size': len(content),
            'hash-sha-256': hashlib.sha256(content).hexdigest() if kind == 'charm' else '',
            'hash-sha-384': hashlib.sha384(content).hexdigest(),
        }

    def refresh(self, body: Json) -> Json:
        assert body['context'] == []
        return {'results': [self.install(action) for action in body['actions']], 'error-list': []}

    def install(self, action: Json) -> Json:
        assert action['action'] == 'install'
        out: Json = {
            'instance-key': action['instance-key'],
            'name': action['name'],
            'result': 'install',
        }
        entry = self.charms.get(action['name'])
        if entry is None:
            return out | _error('name-not-found', 'Name not found')
        if 'revision' in action:
            number = action['revision']
            if number not in entry['revisions']:
                return out | _error('revision-not-found', 'No revision was found in the Store.')
        else:
            if action['base'] not in entry['bases']:
                return out | _error(
                    'invalid-charm-base', 'Invalid charm base.', {'default-bases': entry['bases']}
                )
            channel = (
                action['channel'] if '/' in action['channel'] else f'latest/{action["channel"]}'
            )
            if channel not in entry['channels']:
                return out | _error('revision-not-found', 'No revision was found in the Store.')
            number = entry['channels'][channel]
            out['effective-channel'] = channel
        content = entry['revisions'][number]
        resources = [
            {
                'name': each, 'type': 'file', 'revision': revision,
                'download': self.download('resource', f'{action["name"]}:{each}', revision, data),
            }
            for each, (revision, data) in entry['resources'].items()
        ]  # fmt: skip
        return out | {
            'id': f'id-{action["name"]}',
            'charm': {
                'type': entry['type'], 'id': f'id-{action["name"]}', 'name': action['name'], 'revision': number,
                'bases': entry['bases'], 'resources': resources,
                'download': self.download('charm', action['name'], number, content),
            },
        }  # fmt: skip

    def info(self, name: str) -> tuple[int, Json]:
        entry = self.charms.get(name)
        if entry is None:
            return 404, {
                'error-list': [{'code': 'resource-not-found', 'message': f'No charm {name}'}]
            }
        channels: list[Json] = []
        for channel, number in entry['channels'].items():
            track, risk = channel.split('/')
            revision = {'revision': number, 'version': str(number), 'bases': entry['bases']}
            channels.append({'channel': {'track': track, 'risk': risk}, 'revision': revision})
        result = {'summary': entry.get('summary', ''), 'publisher': {'display-name': 'Somebody'}}
        return 200, {
            'name': name,
            'type': entry['type'],
            'id': f'id-{name}',
            'result': result,
            'channel-map': channels,
        }

    def find(self, text: str) -> Json:
        results: list[Json] = []
        for name, entry in self.charms.items():
            if text in name:
                result = {'summary': entry.get('summary', '')}
                release = {'revision': {'version': '1'}}
                found = {'name': name, 'type': entry['type'], 'id': f'id-{name}'}
                results.append({**found, 'result': result, 'default-release': release})
        return {'results': results}


def _error(code: str, message: str, extra: Mapping[str, Any] | None = None) -> Json:
    return {'result': 'error', 'error': {'code': code, 'message': message, 'extra': extra or {}}}


@contextlib.contextmanager
def served() -> Generator[Charmhub]:
    """One that listens until the block ends."""
    hub = Charmhub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_request(self, *_: object, **__: object) -> None:
            pass

        def do_POST(self) -> None:
            self.answer(json.loads(self.rfile.read(int(self.headers['Content-Length']))))

        def do_GET(self) -> None:
            self.answer(None)

        def answer(self, body: Json | None) -> None:
            hub.asked.append(self.path)
            code, said = self.said(body)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(said)

        def said(self, body: Json | None) -> tuple[int, bytes]:
            if hub.reply is not None:
                return 200, hub.reply
            found = urlsplit(self.path)
            if found.path.startswith('/api/v1/'):
                return 200, hub.file(found.path)
            if found.path == '/v2/charms/refresh':
                assert body is not None
                return 200, json.dumps(hub.refresh(body)).encode()
            if found.path.startswith('/v2/charms/info/'):
                code, value = hub.info(found.path.rpartition('/')[2])
                return code, json.dumps(value).encode()
            assert found.path == '/v2/charms/find'
            return 200, json.dumps(hub.find(parse_qs(found.query)['q'][0])).encode()

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    hub.url = f'http://127.0.0.1:{server.server_address[1]}'
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
