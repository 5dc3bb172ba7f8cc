"""TLS that ends at haproxy's frontends, and both schemes on one port while clients change over. Pure.

The profile is Mozilla's "intermediate" (Server Side TLS, version 5.7): TLS 1.2 and up, forward secrecy, no session
tickets (their key would outlive the certificate). Whoever speaks HTTP to a port of TLS is refused, not redirected: a
client that sends a token in clear text has sent it already, and should notice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from .. import limits
from . import config

PLAIN = '.plain'
"""At the end of the name of the frontend that takes HTTP beside TLS: it counts who still does."""
SECURE = '.tls'
"""At the end of the name of the way by which those come who speak TLS, while both are taken."""
HERE = 'here'
"""The server that is haproxy itself."""
_BOTH = '.any'
CIPHERS = (
    'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:'
    'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305'
)
"""Of TLS 1.2, as OpenSSL calls them."""
SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256'
"""Of TLS 1.3."""
_HANDSHAKE = '16'
"""The first byte of a connection of TLS, in hexadecimal digits (RFC 8446, 5.1): no request of HTTP begins so."""
_FIRST_BYTE_S = 10
SILENT_S = 2 * limits.IDLE_S
"""For how long a connection that is only passed on may be silent: the frontends behind know better, and end it."""


def defaults(frontends: Iterable[config.Frontend]) -> str:
    """Lines of the section ``global``; none where nothing ends TLS."""
    if not any(f.tls for f in frontends):
        return ''
    return (
        f'    ssl-default-bind-ciphers {CIPHERS}\n'
        f'    ssl-default-bind-ciphersuites {SUITES}\n'
        '    ssl-default-bind-options prefer-client-ciphers no-tls-tickets\n'
    )


def server_defaults(backends: Iterable[config.Backend]) -> str:
    """The same where a server is spoken to by TLS."""
    if not any(s.server_name for b in backends for s in b.servers):
        return ''
    return (
        f'    ssl-default-server-ciphers {CIPHERS}\n'
        f'    ssl-default-server-ciphersuites {SUITES}\n'
        '    ssl-default-server-options ssl-min-ver TLSv1.2\n'
    )


def verified(name: str, authorities: str) -> str:
    """What follows the address of a server that is to show a certificate for *name*, in checks as in requests."""
    return (
        f'ssl verify required ca-file {authorities} verifyhost {name} sni str({name})'
        f' check-ssl check-sni {name}'
    )


def ending(tls: config.Tls) -> str:
    """What follows an address that ends TLS."""
    certificates = ' '.join(f'crt {folder}' for folder in tls.folders)
    return f'ssl {certificates} alpn h2,http/1.1 ssl-min-ver TLSv{tls.minimum}'


def without(f: config.Frontend) -> config.Frontend:
    """The frontend that takes HTTP beside *f*."""
    hosts = tuple(
        dataclasses.replace(h, scheme='http') if h.port == f.binds[0].port else h for h in f.hosts
    )
    return dataclasses.replace(f, name=f'{f.name}{PLAIN}', tls=None, hosts=hosts)


def inner(name: str, ends: str = '') -> str:
    """Where the frontend *name* is reached from within haproxy, which says who the client is."""
    return f'bind abns@{name} accept-proxy{f" {ends}" if ends else ""}'


def way(end: str) -> str:
    """What a frontend's name is followed by in that of the backend by which those come of an *end*."""
    return f'{_BOTH}{end}'


def sniffing(f: config.Frontend, first: Iterable[str]) -> Iterator[str]:
    """The frontend that looks at the first byte, and the ways to the two that serve. *first*: its first lines."""
    lines = (
        *first,
        'option dontlog-normal',
        f'tcp-request inspect-delay {_FIRST_BYTE_S}s',
        'tcp-request content accept if { req.len gt 0 }',
        f'use_backend {f.name}{way(SECURE)} if {{ req.payload(0,1),hex {_HANDSHAKE} }}',
        f'default_backend {f.name}{way(PLAIN)}',
    )
    yield f'frontend {f.name}{_BOTH} from tcp\n' + ''.join(f'    {line}\n' for line in lines)
    for end, name in ((SECURE, f.name), (PLAIN, f'{f.name}{PLAIN}')):
        yield (
            f'backend {f.name}{way(end)} from tcp\n'
            f'    timeout server {SILENT_S}s\n'
            f'    server {HERE} abns@{name} send-proxy-v2\n'
        )
