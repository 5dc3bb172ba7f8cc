"""What passes the load balancer and what does not: headers, addresses, relations of all kinds."""

from __future__ import annotations

import base64
import dataclasses
import http.client
import json
import lzma
import pathlib
import re
import subprocess
import time
import urllib.request
from typing import Any

from charmkit.relations import Relation, loadbalancer
from unit import FRONT, PORT, load, result, serving


def headers() -> dict[str, Any]:
    """What reaches the service of the headers that a client forged."""
    forged = {
        'Host': f'{FRONT}:{PORT}', 'Forwarded': 'host=evil', 'X-Forwarded-For': '1.2.3.4',
        'X-Forwarded-Host': 'evil', 'X-Forwarded-Prefix': '/evil', 'X-Forwarded-Proto': 'https',
        'X-Forwarded-Port': '1', 'X_Forwarded_For': '1.2.3.4', 'X-Real-IP': '1.2.3.4',
        'Proxy': 'http://evil', 'X-Openstack-Request-Id': 'req-1',
    }  # fmt: skip
    with serving(1):
        out = {'arrived': json.loads(ask('/headers', forged)[1])}
        out['other host'] = ask('/', {'Host': 'evil'})[0]
        out['healthcheck'] = ask('/healthcheck', {'Host': FRONT})[0]
        out['spellings'] = {
            path: ask(path, {'Host': FRONT})[0]
            for name in ('healthcheck', 'server-status', 'server-info')
            for path in spellings(name)
        }
        out['double slash'] = ask('//headers', {'Host': FRONT})[0]
        out['trace'] = ask('/', {'Host': FRONT}, 'TRACE')[0]
        out['connect'] = ask(f'{FRONT}:{PORT}', {'Host': f'{FRONT}:{PORT}'}, 'CONNECT')[0]
        out['several hosts'] = {
            host: ask('/headers', {'Host': host})[0]
            for host in (f'{FRONT},evil', f'evil,{FRONT}', f'evil, {FRONT}:{PORT}')
        }
        out['links'] = {
            host: dict(json.loads(ask('/headers', {'Host': host})[1])).get('host')
            for host in (FRONT, f'{FRONT}:{PORT}')
        }
        out['ready in the DMZ'] = ask('/ready', {}, port=8405)[0]
        with urllib.request.urlopen('http://127.0.0.1:8405/ready', timeout=10) as got:
            out['ready on loopback'] = got.status
        out['stats'] = {
            path: ask(path, {}, port=8404)[0]
            for path in ('/stats', '/stats;csv', '/stats;json', '/metrics', '/statsx', '/')
        }
    return out


def spellings(name: str) -> list[str]:
    """Ways to write a path that a server takes for the same."""
    return [
        f'/{name}', f'//{name}', f'/./{name}', f'/%2f{name}', f'/%2F{name}', f'/.//./{name}',
        f'/%{ord(name[0]):x}{name[1:]}', f'/{name.upper()}', f'/{name}?auto', f'/{name};x',
        f'/x/../{name}', f'/x/%2e%2e/{name}', f'/%2e/{name}', f'http://{FRONT}:{PORT}/{name}',
        f'/{"./" * 3000}{name}', f'/{"/" * 6000}{name}', f'/%{ord(name[0]):x}{name[1:]}%zz',
        f'//{name}%', f'/%00/{name}', f'/.%2f{name}/', f'/%2f/./{name}%00',
    ]  # fmt: skip


def ask(
    path: str,
    head: dict[str, str],
    method: str = 'GET',
    port: int = PORT,
    *,
    source: str = FRONT,
    first: bytes = b'',
) -> tuple[int, str]:
    """Status and body of one request with exactly these headers; 0 when there was no answer.

    *first* is sent before the request, on a connection from the address *source*.
    """
    talk = http.client.HTTPConnection(FRONT, port, timeout=10, source_address=(source, 0))
    try:
        talk.connect()
        talk.sock.sendall(first)
        talk.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in head.items():
            talk.putheader(name, value)
        talk.endheaders()
        got = talk.getresponse()
        return got.status, got.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ''
    finally:
        talk.close()


def poisoned() -> dict[str, Any]:
    """Data that would add a directive is refused by name, and the others are served."""
    bad = [{'service-name': 'evil', 'frontend-port': '6000\n    stats admin if TRUE'}]
    with serving(1) as r:
        r.extra = [
            Relation(id=7, name='backend', app='evil', app_data={'endpoints': json.dumps(bad)})
        ]
        r.hook()
        r.hook()
        return {
            'status': json.loads(r.replies[7]['status']),
            'served': result(load(requests=100))['lost'],
            'config': pathlib.Path('/etc/haproxy/haproxy.cfg').read_text().count('stats admin'),
        }


OUTER = '10.66.3.1'
"""The site's load balancer, which stands in front of ours."""
CLIENT = '192.0.2.7'
_CONNECTIONS = loadbalancer.Api(
    name='keystone',
    type='identity',
    frontend_port=PORT,
    backend_port=9000,
    options={
        'protocol': 'tcp',
        'exposure': {'allowed-cidrs': {'public': [f'{CLIENT}/32']}},
    },
)
"""A service whose connections are passed on as they are, for one client."""


def client_seen(source: str, head: dict[str, str], first: bytes = b'') -> str:
    """Which client the service is told of; empty when the request did not get there."""
    status, body = ask('/headers', {'Host': FRONT, **head}, source=source, first=first)
    if status != 200:
        return ''
    return ', '.join(v for k, v in json.loads(body) if k.lower() == 'x-forwarded-for')


def behind_another() -> dict[str, Any]:
    """Who the client is, when a load balancer of the site stands in front; and who may say so."""
    subprocess.run(['ip', 'address', 'replace', f'{OUTER}/32', 'dev', 'lo'], check=True)
    said = {'X-Forwarded-For': f'203.0.113.9, {CLIENT}'}
    proxy = f'PROXY TCP4 {CLIENT} {FRONT} 40000 {PORT}\r\n'.encode()
    out: dict[str, Any] = {}
    with serving(1, options={'forwarded-from': f'{OUTER}/32'}):
        out['header from it'] = client_seen(OUTER, said)
        out['header from others'] = client_seen(FRONT, said)
    with serving(1, options={'proxy-protocol-from': f'{OUTER}/32'}):
        out['protocol from it'] = client_seen(OUTER, said, proxy)
        out['it without the protocol'] = client_seen(OUTER, said)
        out['protocol from others'] = client_seen(FRONT, said, proxy)
        out['others without it'] = client_seen(FRONT, said)
    with serving(1, options={'proxy-protocol-from': f'{OUTER}/32'}, service=_CONNECTIONS):
        for who, client in (('an allowed client', CLIENT), ('another', '198.51.100.7')):
            line = f'PROXY TCP4 {client} {FRONT} 40000 {PORT}\r\n'.encode()
            out[f'connection for {who}'] = ask('/', {'Host': 'x'}, source=OUTER, first=line)[0]
    with serving(1):
        out['nobody is believed'] = client_seen(OUTER, said)
        out['nobody may speak it'] = client_seen(OUTER, said, proxy)
    return out


def first_version() -> dict[str, Any]:
    """Existing consumers of upstream's interface: one asked for by HTTP check, one by TCP."""
    asked = [
        {'service-name': 'glance-api', 'frontend-port': 9292, 'check-type': 'http'},
        {'service-name': 'nfs-ganesha', 'frontend-port': 2049, 'check-type': 'tcp'},
    ]
    unit = [
        {'service-name': e['service-name'], 'backend-port': 9000, 'backend-ip': '10.66.1.1'}
        for e in asked
    ]
    with serving(1) as r:
        v1 = Relation(
            id=5,
            name='loadbalancer',
            app='old',
            app_data={'endpoints': json.dumps(asked)},
            units={'old/0': {'ingress-address': '10.66.1.1', 'endpoints': json.dumps(unit)}},
        )
        r.extra = [v1]
        r.hook()
        r.hook()
        out = {
            'frontends': json.loads(r.replies[5]['frontends']),
            'status': json.loads(r.replies[5]['status']),
            'http': settled_status(9292),
            'tcp': settled_status(2049),
            'modes': _modes(),
        }
        r.extra = [dataclasses.replace(v1, app_data={'endpoints': '[]'}, units={})]
        r.hook()
        out['after it asks for nothing'] = ask('/', {'Host': FRONT}, port=9292)[0]
    return out


def settled_status(port: int) -> int:
    """The status on *port* once the first checks are over."""
    end = time.monotonic() + 15
    while (status := ask('/', {'Host': FRONT}, port=port)[0]) in (0, 503):
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    return status


def _modes() -> dict[str, str]:
    """How each frontend treats its connections."""
    text = pathlib.Path('/etc/haproxy/haproxy.cfg').read_text()
    return dict(re.findall(r'^frontend (\S+) from (http|tcp)$', text, re.MULTILINE))


def seen() -> dict[str, Any]:
    """What Prometheus would find where it is told to look, and what rules and dashboard ask for."""
    with serving(1) as r:
        r.extra = [
            Relation(id=8, name='metrics-endpoint', app='prometheus', units={'prometheus/0': {}}),
            Relation(id=9, name='grafana-dashboard', app='grafana', units={'grafana/0': {}}),
        ]
        r.hook()
        bag, unit = r.replies[8], r.unit_replies[8]
        drawn = json.loads(r.replies[9]['dashboards'])['templates'].values()
    (job,) = json.loads(bag['scrape_jobs'])
    (target,) = job['static_configs'][0]['targets']
    where = target.replace('*', unit['prometheus_scrape_unit_address'])
    with urllib.request.urlopen(f'http://{where}{job["metrics_path"]}', timeout=10) as got:
        series = got.read().decode()
    dashboard = ''.join(lzma.decompress(base64.b64decode(d['content'])).decode() for d in drawn)
    return {
        'job': job,
        'unit': unit,
        'there': sorted({re.split(r'[{ ]', x)[0] for x in series.splitlines() if x[:1] != '#'}),
        'by rules': sorted(set(re.findall(r'haproxy_\w+', bag['alert_rules']))),
        'by dashboard': sorted(set(re.findall(r'haproxy_\w+', dashboard))),
        'states': sorted(set(re.findall(r'haproxy_server_status{.*?state="(\w+)"', series))),
    }
