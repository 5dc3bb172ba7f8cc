"""Clients that change from HTTP to TLS and back, and certificates that change under them."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pki
from balancer import credentials, stats, tasks, tls
from charmkit import server_pair
from charmkit import x509 as certs
from charmkit.proxy import tls as profile
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from unit import FRONT, PORT, Rig, serving

SECRET = 'secret:edge'


class Clients:
    """Four of them, until they are stopped: kept connections and new ones, GET and POST."""

    def __init__(self, trusted: ssl.SSLContext | None) -> None:
        self.trusted = trusted
        self.sent, self.lost = 0, list[str]()
        self.serials: set[str] = set()
        self._stop = threading.Event()
        kinds = [(keep, method) for keep in (False, True) for method in ('GET', 'POST')]
        self._threads = [threading.Thread(target=self._ask, args=kind) for kind in kinds]
        for t in self._threads:
            t.start()

    def _ask(self, keep: bool, method: str) -> None:
        client = connection(self.trusted)
        while not self._stop.is_set():
            self.sent += 1
            try:
                client.request(method, '/', body=b'x' if method == 'POST' else None)
                if (answer := client.getresponse()).status != 200:
                    self.lost.append(f'{answer.status}')
                answer.read()
                given: Any = client.sock
                if self.trusted and given:
                    self.serials.add(given.getpeercert()['serialNumber'])
            except (OSError, http.client.HTTPException) as e:
                self.lost.append(f'{method} keep={keep} {time.strftime("%H:%M:%S")} {e!r}')
                client.close()
            if not keep:
                client.close()
            time.sleep(0.005)

    def stop(self) -> dict[str, Any]:
        self._stop.set()
        for t in self._threads:
            t.join()
        return {
            'sent': self.sent,
            'lost': len(self.lost),
            'how': self.lost[:5],
            'serials': len(self.serials),
        }


def connection(trusted: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if trusted:
        return http.client.HTTPSConnection(FRONT, PORT, timeout=20, context=trusted)
    return http.client.HTTPConnection(FRONT, PORT, timeout=20)


def _url(r: Rig) -> str:
    return json.loads(r.replies[1]['frontends'])['keystone']['public']['url']


def _workers(r: Rig) -> list[int]:
    found = stats.processes(r.machine.ask(tasks.MASTER, 'show proc\n'))
    return [p.pid for p in found if p.current]


def _is_served(client: http.client.HTTPConnection) -> bool:
    try:
        client.request('GET', '/')
        return client.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


class Held:
    """A client that has connected, and has said nothing yet."""

    def __init__(self) -> None:
        self.socket = socket.create_connection((FRONT, PORT), timeout=20)

    def asks(self, trusted: ssl.SSLContext | None) -> bool:
        """Whether it is served now."""
        client = connection(None)
        try:
            client.sock = (
                trusted.wrap_socket(self.socket, server_hostname=FRONT) if trusted else self.socket
            )
        except OSError:
            client.close()
            return False
        return _is_served(client)


def secured(transition_s: int = 6, forget: bool = False) -> dict[str, Any]:
    """From HTTP to TLS, three other certificates, and back; what clients of each kind have lost.

    *forget*: what a worker from before a reload has accepted, and not yet told apart, is forgotten.
    """
    if forget:
        tls.Tls.changed_over = lambda self, types: False
    ca = pki.Authority(now=time.time())
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.load_verify_locations(cadata=ca.root)
    out: dict[str, Any] = {}
    with serving(2, options={'tls-transition': transition_s}) as r:
        plain = Clients(None)
        time.sleep(1)
        r.secrets[SECRET] = ca.secret(FRONT, seed='0')
        r.options['tls-secret'] = SECRET
        r.hook()
        out['told'] = _url(r)
        r.hook()
        time.sleep(1)
        out['plain'] = plain.stop()
        secure = Clients(trusted)
        time.sleep(transition_s)
        held = Held()
        r.hook()
        out['held, secure'] = held.asks(trusted)
        time.sleep(1)
        # Nothing else changes by time any more: HTTP is refused already.
        before = _workers(r)
        for n in range(1, 4):
            r.secrets[SECRET] = ca.secret(FRONT, seed=f'{n}')
            r.hook()
            time.sleep(1)
        out['reloaded'] = _workers(r) != before
        out['plain is answered'] = _is_served(connection(None))
        out['a stranger is trusted'] = _is_served(connection(ssl.create_default_context()))
        out['mode'] = subprocess.run(
            ('stat', '-c', '%a:%U', '/etc/haproxy/certificates/public/certificate.pem'),
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        r.options['tls-secret'] = ''
        r.hook()
        out['told in the end'] = _url(r)
        time.sleep(1)
        out['secure'] = secure.stop()
        time.sleep(transition_s)
        held = Held()
        r.hook()
        out['held, plain'] = held.asks(None)
        out['TLS in the end'] = _is_served(connection(trusted))
        out['status'] = r.status
    return out


def _secure(r: Rig, secret: dict[str, str]) -> None:
    r.secrets[SECRET] = secret
    r.options['tls-secret'] = SECRET
    r.hook()


def offered(minimum: str = '1.2', suites: str = profile.CIPHERS) -> dict[str, Any]:
    """What the edge offers, with the *minimum* that the operator wants, and with other *suites* than ours."""
    sys.path.append('/rambla')
    from tools import tls_offers

    profile.CIPHERS = suites
    ca = pki.Authority(now=time.time())
    with serving(1, options={'tls-minimum': minimum}) as r:
        _secure(r, ca.secret(FRONT))
        time.sleep(1)
        return {**tls_offers.offered(FRONT, PORT), 'status': r.status}


def odd_certificates(check: bool = True) -> dict[str, Any]:
    """Certificates as people write them, and ones that haproxy takes for no reason; without a *check* of ours, too."""
    if not check:
        credentials.server_pair.read = _unread
        credentials.server_pair.private_key = str
    ca = pki.Authority(now=time.time())
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.load_verify_locations(cadata=ca.root)
    out: dict[str, Any] = {'shown': {}, 'status': {}}
    with serving(1) as r:
        for n, (how, spelt) in enumerate(_SPELLINGS.items()):
            good = ca.secret(FRONT, seed=f'{n}')
            _secure(r, {k: spelt(v) for k, v in good.items()})
            time.sleep(0.5)
            out['shown'][how] = _serial(trusted)
            out['status'][how] = r.status
        small = rsa.generate_private_key(65537, 1024)  # noqa: S505 -- to be refused
        own = ca.certify(small.public_key(), certs.Names.of([FRONT]))
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = small.private_bytes(serialization.Encoding.PEM, *form).decode()
        _secure(r, {'certificate': own, 'private-key': pem})
        r.options['maxconn'] = 12345
        r.hook()
        out['refused'] = r.status
        time.sleep(1)
        said = [r.machine.ask(tasks.MASTER, f'@!{pid} show info\n') for pid in _workers(r)]
        out['later changes'] = any('Maxconn: 12345' in text for text in said)
        out['served in the end'] = _is_served(connection(trusted))
    return out


def _serial(trusted: ssl.SSLContext) -> str:
    """Of the certificate that a client is shown; '' where it does not take it."""
    try:
        with (
            socket.create_connection((FRONT, PORT), timeout=20) as plain,
            trusted.wrap_socket(plain, server_hostname=FRONT) as secure,
        ):
            shown: Any = secure.getpeercert()
            return str(shown['serialNumber'])
    except OSError:
        return ''


def _unread(text: str, key: str) -> server_pair.Pair:
    return server_pair.Pair(certs.chain(text), key)


_SPELLINGS: dict[str, Callable[[str], str]] = {
    'as it is': str,
    'another system': lambda t: t.replace('\n', '\r\n'),
    'one line': lambda t: t.replace('\n', ' '),
    'indented': lambda t: t.replace('\n', '\n   '),
    'backwards': lambda t: '\n'.join(reversed(certs.blocks(t, 'CERTIFICATE'))) or t,
    'with words': lambda t: f'Bag Attributes\n    ö: x\n{t}',
}
