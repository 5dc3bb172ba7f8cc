"""What a public edge needs beside TLS: limits for each client, headers that no client may send, its log. Pure.

A client is an IPv4 address, or an IPv6 network of 64 bits (RFC 6177: what one site is given). Counters are kept over
reloads, and are shared between units, by haproxy's peers (configuration guide, section 3.5).
"""

from __future__ import annotations

from collections.abc import Iterator

from . import config

REQUESTS, LOGINS = 'limits.requests', 'limits.logins'
"""The tables of counters."""
RATE_S, LOGIN_S = 10, 60
"""Over how many seconds requests, and wrong passwords, are counted."""
_PEERS = 'units'
_CLIENTS = 100_000
"""As many are told apart; the one that was seen longest ago is forgotten first."""
_CLIENT = 'src,ipmask(32,64)'
_LOGIN = '{ var(txn.login) -m bool }'
_IDENTITY = '|'.join(
    (
        'x-identity-status', 'x-service-identity-status', 'x-is-admin-project', 'x-service-catalog',
        'x-roles?', 'x-service-roles?', 'x-user', 'x-tenant', 'openstack-system-scope',
        'x-(?:service-)?(?:user|project|domain|tenant)-.*',
    )
)  # fmt: skip
"""What keystonemiddleware's ``auth_token`` tells services of whoever it has authenticated: without it in a service's
pipeline, a client could be anybody. Tokens stay: by these clients authenticate."""
_FIELDS = (
    ('time', '%Ts.%ms'), ('client', '"%ci"'), ('port', '%cp'), ('frontend', '"%f"'), ('backend', '"%b"'),
    ('server', '"%s"'), ('tls', '"%sslv"'), ('method', '"%[var(txn.log_method),json(utf8s)]"'),
    ('path', '"%[var(txn.log_path),json(utf8s)]"'), ('status', '%ST'), ('sent', '%B'), ('received', '%U'),
    ('queue_ms', '%Tw'), ('connect_ms', '%Tc'), ('response_ms', '%Tr'), ('total_ms', '%Ta'),
    ('end', '"%tsc"'), ('retries', '"%rc"'),
    ('request_id', '"%[var(txn.request_id),json(utf8s)]"'),
    ('global_request_id', '"%[var(txn.global_id),json(utf8s)]"'),
)  # fmt: skip
"""A path without its query, where consoles have their tokens."""


def log_format() -> str:
    """The value of ``log-format``: one object of JSON for each request."""
    fields = ','.join(f'"{name}":{value}' for name, value in _FIELDS)
    # In double quotes a comma, a bracket and a blank are themselves.
    return '"{' + fields.replace('"', '\\"') + '}"'


def logged(f: config.Frontend) -> Iterator[str]:
    """What the log says of a request is kept until its end."""
    yield 'http-request set-var(txn.log_method) method'
    yield 'http-request set-var(txn.log_path) path'
    yield 'http-request set-var(txn.global_id) req.hdr(x-openstack-request-id)'
    yield 'http-response set-var(txn.request_id) res.hdr(x-openstack-request-id)'


def requests(f: config.Frontend) -> Iterator[str]:
    """The rules for requests, once it is known whose they are."""
    if f.denied_methods:
        methods = ' '.join(f.denied_methods)
        yield f'http-request deny deny_status 405 if {{ method {methods} }}'
    if f.max_body:
        yield f'http-request deny deny_status 413 if {{ req.hdr_val(content-length) gt {f.max_body} }}'
    if f.requests_limit:
        yield f'http-request track-sc0 {_CLIENT} table {REQUESTS}'
        yield (
            f'http-request deny deny_status 429 hdr Retry-After {RATE_S} '
            f'if {{ sc_http_req_rate(0) gt {f.requests_limit} }}'
        )
    if f.logins_limit:
        # However it is spelt: a server decodes it, and leaves out what is empty.
        yield 'http-request set-var(txn.login) bool(true) if METH_POST { path,url_dec -m sub auth/tokens }'
        yield f'http-request track-sc1 {_CLIENT} table {LOGINS} if {_LOGIN}'
        yield (
            f'http-request deny deny_status 429 hdr Retry-After {LOGIN_S} '
            f'if {_LOGIN} {{ sc_gpc0_rate(1) ge {f.logins_limit} }}'
        )
        yield f'http-response sc-inc-gpc0(1) if {_LOGIN} {{ status 401 }}'
    if f.public:
        yield f"http-request del-header '^(?:{_IDENTITY}|x-auth-(?!{_own(f)}).*)$' -m reg"
        yield 'http-response del-header Server'
        yield 'http-after-response set-header X-Content-Type-Options nosniff'


def _own(f: config.Frontend) -> str:
    """What of ``X-Auth-`` clients are to send; those of object stores log in by a user and a key."""
    return 'token$|user$|key$' if f.keep_underscores else 'token$'


def sections(what: config.Config) -> Iterator[str]:
    """Tables of counters, and the other units that share them."""
    limited = {
        REQUESTS: (any(f.requests_limit for f in what.frontends), f'http_req_rate({RATE_S}s)', RATE_S),
        LOGINS: (any(f.logins_limit for f in what.frontends), f'gpc0,gpc0_rate({LOGIN_S}s)', LOGIN_S),
    }  # fmt: skip
    wanted = {name: found for name, found in limited.items() if found[0]}
    if not wanted:
        return
    shared = f' peers {_PEERS}' if what.peers else ''
    if what.peers:
        rows = (f'    peer {p.name} {_at(p)}\n' for p in what.peers)
        yield f'peers {_PEERS}\n{"".join(rows)}'
    for name, (_, store, seconds) in wanted.items():
        yield (
            f'backend {name} from http\n'
            f'    stick-table type ipv6 size {_CLIENTS} expire {2 * seconds}s store {store}{shared}\n'
        )


def _at(peer: config.Peer) -> str:
    address = f'[{peer.address}]' if ':' in peer.address else peer.address
    return f'{address}:{peer.port}'


def syslog(what: config.Config) -> str:
    """Lines of the section ``global``."""
    rows = (f'    log {place} len 8192 format rfc5424 local0\n' for place in what.syslog)
    return ''.join(rows)
