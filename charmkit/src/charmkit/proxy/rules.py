"""What passes a frontend and what does not: the rules of haproxy.cfg that filter and rewrite."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator

from .. import limits
from . import config, edge, transfers

_INLINE = 20
"""A line of haproxy.cfg has room for 64 words; a longer list than this goes into a file."""


class Lists:
    """Lists of a configuration: short ones stay on their line, long ones become files."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.files: dict[str, str] = {}
        """Content by path."""

    def words(self, items: Iterable[str]) -> str:
        """*items* as the end of a condition: themselves, or ``-f`` and their file."""
        items = tuple(dict.fromkeys(items))
        if len(items) <= _INLINE:
            return ' '.join(items)
        content = ''.join(f'{item}\n' for item in items)
        return f'-f {self.file(content)}'

    def file(self, content: str) -> str:
        """The path of a file with *content*; '' for nothing."""
        if not content:
            return ''
        path = f'{self._folder}/{hashlib.sha256(content.encode()).hexdigest()[:16]}'
        self.files[path] = content
        return path


def bracketed(host: str) -> str:
    """*host* as it stands before a port: IPv6 addresses in brackets."""
    return f'[{host}]' if ':' in host else host


def connection(f: config.Frontend, lists: Lists) -> Iterator[str]:
    """The rules for connections, before anything is read from them."""
    if f.proxy_protocol_from:
        sources = lists.words(f.proxy_protocol_from)
        yield f'tcp-request connection expect-proxy layer4 if {{ src {sources} }}'
    if f.mode == 'tcp' and f.allowed is not None:
        # Of a session: only then is it known for whom the site's load balancer has connected.
        yield from _refuse('tcp-request session reject', f.allowed, lists)


def http(f: config.Frontend, lists: Lists) -> Iterator[str]:
    """The rules for requests."""
    if not f.keep_underscores:
        # X_Forwarded_For and X-Forwarded-For are one header to WSGI.
        yield 'option http-restrict-req-hdr-names delete'
    if f.forwarded_from:
        sources = lists.words(f.forwarded_from)
        yield f'http-request set-var(txn.trusted) bool(true) if {{ src {sources} }}'
        yield 'http-request set-src hdr_ip(x-forwarded-for,-1) if { var(txn.trusted) -m bool }'
    if f.allowed is not None:
        yield from _refuse('http-request deny deny_status 403', f.allowed, lists)
    yield 'http-request deny deny_status 405 if { method TRACE CONNECT }'
    yield from edge.requests(f)
    yield from _paths(f, lists)
    yield from _hosts(f, lists)
    if f.small_bodies:
        yield 'option http-buffer-request'
    else:
        # A body that is long, or whose length is not said, may come as slowly as it likes.
        small = f'{{ req.hdr_val(content-length) gt 0 }} {{ req.hdr_val(content-length) le {limits.SMALL_BODY_BYTES} }}'
        when = f'{small} or {transfers.unannounced()}'
        yield f'http-request wait-for-body time {limits.REQUEST_HEADER_S}s if {when}'


def _refuse(action: str, allowed: tuple[str, ...], lists: Lists) -> Iterator[str]:
    yield f'{action} unless {{ src {lists.words(allowed)} }}' if allowed else action


def _paths(f: config.Frontend, lists: Lists) -> Iterator[str]:
    if not f.denied_paths:
        return
    denied = lists.words(sorted(f.denied_paths))
    yield f'http-request deny deny_status 404 if {{ path -i -m beg {denied} }}'
    # What a server reads as the same path: it decodes, and leaves out empty and single-dot
    # segments. Few requests have any of it, so the others do not pay for that.
    odd = '{ path -m sub % // /. }'
    yield f'http-request set-var(txn.path) path,url_dec if {odd}'
    # What cannot be decoded, or ends early for a program in C, each server reads in its own way.
    yield f'http-request deny deny_status 400 if {odd} !{{ var(txn.path) -m found }}'
    yield 'http-request deny deny_status 400 if { path -m sub %00 }'
    if not f.literal_paths:
        # Clients resolve these themselves (RFC 3986, 5.2.4): who sends one goes round a filter.
        yield 'http-request deny deny_status 400 if { var(txn.path) -m sub /../ }'
        yield 'http-request deny deny_status 400 if { var(txn.path) -m end /.. }'
    # A class of characters and no group: a group that repeats runs out of stack in a long path,
    # and then nothing is replaced.
    yield (
        'http-request set-var(txn.path) var(txn.path),\'regsub("/[./]*/","/",g)\' '
        'if { var(txn.path) -m found }'
    )
    yield f'http-request deny deny_status 404 if {{ var(txn.path) -i -m beg {denied} }}'


def _hosts(f: config.Frontend, lists: Lists) -> Iterator[str]:
    """Who may be named; the port that links are to have; and what services learn of the client's way."""
    listening = f.binds[0].port
    # The whole of the header: a part between commas may name another host than the rest.
    if f.strict_hosts:
        named = [n for h in f.hosts for n in _spellings(h, listening)]
        yield f'http-request deny deny_status 421 unless {{ req.fhdr(host) -i {lists.words(named)} }}'
    secure = [n for h in f.hosts if h.scheme == 'https' for n in _spellings(h, listening)]
    if f.tls is not None:
        yield from _strict_transport(f.tls, f.hosts, lists)
    elif secure:
        yield (
            'http-request set-var(txn.secure) bool(true) '
            f'if {{ req.fhdr(host) -i {lists.words(secure)} }}'
        )
    if f.forwarded_from and f.tls is None:
        yield (
            'http-request set-var(txn.secure) bool(true) if { var(txn.trusted) -m bool } '
            '{ req.hdr(x-forwarded-proto) -i https }'
        )
    # Services make links of what the client named: without the port they would lead elsewhere.
    for port in dict.fromkeys(h.port for h in f.hosts if not h.is_default_port):
        bare = [bracketed(h.name) for h in f.hosts if h.port == port and not h.is_default_port]
        yield (
            f'http-request set-header Host %[req.fhdr(host)]:{port} '
            f'if {{ req.fhdr(host) -i {lists.words(bare)} }}'
        )
    yield 'http-request del-header Forwarded'
    yield 'http-request del-header X-Forwarded- -m beg'
    yield 'http-request del-header X-Real-IP'
    yield 'http-request del-header Proxy'
    # Nothing of the kind is left, so to add is to set, and takes less time. Host, with its port,
    # goes on as the client sent it: it needs no copy in X-Forwarded-Host.
    yield 'option forwardfor'
    if f.tls is not None:
        yield 'http-request add-header X-Forwarded-Proto https'
    elif secure or f.forwarded_from:
        yield 'http-request add-header X-Forwarded-Proto https if { var(txn.secure) -m bool }'
        yield 'http-request add-header X-Forwarded-Proto http unless { var(txn.secure) -m bool }'
    else:
        yield 'http-request add-header X-Forwarded-Proto http'


def _strict_transport(
    tls: config.Tls, hosts: Iterable[config.Host], lists: Lists
) -> Iterator[str]:
    """Browsers take it from names alone, and so does whoever reads it (RFC 6797, 8.1.1)."""
    names = [n for h in hosts if not _is_address(h.name) for n in _spellings(h, h.port)]
    if names and tls.strict_transport_s:
        yield f'http-request set-var(txn.named) bool(true) if {{ req.fhdr(host) -i {lists.words(names)} }}'
        yield (
            f'http-response set-header Strict-Transport-Security max-age={tls.strict_transport_s} '
            'if { var(txn.named) -m bool }'
        )


def _is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _spellings(h: config.Host, listening: int) -> Iterator[str]:
    name = bracketed(h.name)
    yield from dict.fromkeys((f'{name}:{h.port}', f'{name}:{listening}', name))
