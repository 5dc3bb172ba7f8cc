"""Runs in the container: as much of nova, neutron and glance, on one port, as a page with one server asks for.

Not those services: what they are tested for is elsewhere. Here a person is to see what they say.
"""

from __future__ import annotations

import http.server
import json

PORT = 9999
SERVER: dict[str, object] = {
    'id': '5e7f0000-0000-4000-8000-000000000001', 'name': 'web-1', 'status': 'ACTIVE',
    'tenant_id': 'p', 'user_id': 'u', 'created': '2026-11-29T05:00:00Z',
    'updated': '2026-11-29T05:00:00Z', 'hostId': 'h', 'key_name': None, 'progress': 0,
    'metadata': {}, 'links': [], 'config_drive': '', 'accessIPv4': '', 'accessIPv6': '',
    'image': {'id': 'i', 'links': []}, 'flavor': {'id': 'f', 'links': []}, 'locked': False,
    'OS-EXT-STS:power_state': 1, 'OS-EXT-STS:task_state': None, 'OS-EXT-STS:vm_state': 'active',
    'OS-EXT-AZ:availability_zone': 'nova', 'OS-DCF:diskConfig': 'AUTO',
    'os-extended-volumes:volumes_attached': [],
    'addresses': {'inside': [{'addr': '192.168.7.5', 'version': 4, 'OS-EXT-IPS:type': 'fixed',
                              'OS-EXT-IPS-MAC:mac_addr': 'fa:16:3e:00:00:01'}]},
}  # fmt: skip
FLAVOR: dict[str, object] = {
    'id': 'f', 'name': 'small', 'ram': 128, 'vcpus': 1, 'disk': 1, 'swap': '', 'links': [],
    'rxtx_factor': 1.0, 'OS-FLV-EXT-DATA:ephemeral': 0, 'OS-FLV-DISABLED:disabled': False,
    'os-flavor-access:is_public': True,
}  # fmt: skip
NOVA: dict[str, object] = {
    'version': {'id': 'v2.1', 'status': 'CURRENT', 'version': '2.60', 'min_version': '2.1',
                'updated': '2026-01-01T00:00:00Z', 'links': []},
}  # fmt: skip
LIMITS = {
    'maxTotalInstances': 10, 'totalInstancesUsed': 1, 'maxTotalCores': 20, 'totalCoresUsed': 1,
    'maxTotalRAMSize': 51200, 'totalRAMUsed': 128,
}  # fmt: skip
ANSWERS: dict[str, object] = {
    '/v2.1': NOVA,
    '/v2.1/servers/detail': {'servers': [SERVER]},
    '/v2.1/flavors/detail': {'flavors': [FLAVOR]},
    '/v2.1/flavors/f': {'flavor': FLAVOR},
    '/v2.1/limits': {'limits': {'rate': [], 'absolute': LIMITS}},
    '/v2.1/extensions': {'extensions': []},
    '/v2/images': {'images': []},
}


class Stub(http.server.BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        path = self.path.partition('?')[0].rstrip('/')
        kind = path.rpartition('/')[2].removesuffix('.json')
        neutron = {kind: list[object]()} if path.startswith('/v2.0/') else None
        answer = ANSWERS.get(path, neutron)
        body = json.dumps(answer or {}).encode()
        self.send_response(404 if answer is None else 200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == '__main__':
    http.server.ThreadingHTTPServer(('127.0.0.1', PORT), Stub).serve_forever()
