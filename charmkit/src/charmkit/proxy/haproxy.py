"""haproxy.cfg, written from a :class:`config.Config`; valid for haproxy 2.6 and 3.0."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
from collections.abc import Iterator, Mapping

from .. import limits
from . import config, edge, rules, tls, transfers

SELF = 'lb_self'
"""The backend whose one server says whether this unit wants clients (``/ready``)."""
CONFIG = '/etc/haproxy/haproxy.cfg'
LISTS = '/etc/haproxy/lists'
"""The folder of lists that are too long for a line. A file's name is made of its content: what
one configuration refers to is never changed by the next."""
ENDS = '/etc/haproxy/certificate-ends.map'
"""When certificates end: what they are for, and seconds since the epoch, a line each. Changes go to haproxy."""
STATE_FILE = '/var/lib/haproxy/server-state'
ADMIN_SOCKET = '/run/haproxy/admin.sock'
MOST_THREADS = 64
"""In one group of threads; haproxy refuses a configuration that asks for more."""
REPEATED_UP_TO = 10_000
"""Requests a second to one backend above which reads that die are no longer repeated."""

_HARD_STOP_S = 2 * limits.IDLE_S
# Longer than the longest silence of a transfer, and short enough that workers do not pile up.
_BALANCES: Mapping[config.Balance, str] = {
    'leastconn': 'leastconn',
    'roundrobin': 'roundrobin',
    # Consistent: a server can leave and come back, and a weight can change, at run time.
    'source-consistent': 'source',
}
_MARK = '    description '


@dataclasses.dataclass(frozen=True)
class Rendered:
    """The files that say what a configuration says."""

    text: str
    """haproxy.cfg."""
    lists: Mapping[str, str]
    """Lists beside it: content by path. They must be in place before the text is read."""


def render(what: config.Config) -> Rendered:
    """The files of *what*.

    That a server is disabled matters only for a start from nothing: a running haproxy is told
    through its socket, so files that differ in this alone need no reload (:func:`shape`).
    """
    lists = rules.Lists(LISTS)
    authorities = lists.file(''.join(f'{pem.strip()}\n' for pem in what.authorities))
    sections = [
        _global(what),
        _defaults(what),
        _ready(what.ready, lists),
        *_metrics(what.metrics, what.ends),
        *edge.sections(what),
        *(section for f in what.frontends for section in _frontends(f, lists)),
        *(_backend(b, authorities) for b in what.backends),
    ]
    text = '# Written by the charm: changes are lost.\n' + '\n'.join(sections)
    digest = hashlib.sha256(shape(text).encode()).hexdigest()[:16]
    return Rendered(text.replace('global\n', f'global\n{_MARK}{digest}\n', 1), lists.files)


def mark(text: str) -> str:
    """The digest of a configuration's :func:`shape`, by which its worker calls itself (``show info``)."""
    return next((x[len(_MARK) :] for x in text.splitlines() if x.startswith(_MARK)), '')


def shape(text: str) -> str:
    """The part of a configuration that a running haproxy can only be given by a reload."""
    return text.replace(' disabled\n', '\n')


def _global(what: config.Config) -> str:
    threads = f'    nbthread {what.threads}\n' if what.threads else ''
    most = f'    maxconn {what.maxconn}\n    no strict-limits\n' if what.maxconn else ''
    states = f'    server-state-file {STATE_FILE}\n' if what.keep_states else ''
    return f"""\
global
    log /dev/log len 8192 local0
{edge.syslog(what)}    chroot /var/lib/haproxy
    stats socket {ADMIN_SOCKET} mode 600 level admin
    user haproxy
    group haproxy
    fd-hard-limit {max(what.descriptors, 2 * what.maxconn + 1000)}
{most}{threads}    hard-stop-after {_HARD_STOP_S}s
    mworker-max-reloads 50
{states}    localpeer {what.unit.replace('/', '-')}
{tls.defaults(what.frontends)}{tls.server_defaults(what.backends)}"""


def _defaults(what: config.Config) -> str:
    normal = '' if what.log_requests else '    option dontlog-normal\n'
    states = '    load-server-state-from-file global\n' if what.keep_states else ''
    return f"""\
defaults common
    mode http
    log global
    option dontlognull
    option log-health-checks
    option redispatch 1
    retries 3
    timeout connect {limits.CONNECT_S}s
    timeout client {limits.ORDINARY.client_s}s
    timeout server {limits.ORDINARY.server_s}s
    timeout queue {limits.QUEUE_S}s
    timeout http-request {limits.REQUEST_HEADER_S}s
    timeout http-keep-alive {limits.KEEP_ALIVE_S}s
{states}    default-server pool-purge-delay 2s

defaults http from common
    mode http
    log-format {edge.log_format()}
{normal}    option idle-close-on-response
    option http-keep-alive

defaults tcp from common
    mode tcp
    option tcplog
{normal}    option clitcpka
    option srvtcpka
"""


def _ready(ready: config.Ready, lists: rules.Lists) -> str:
    inside = dict.fromkeys(('127.0.0.1', *ready.addresses))
    off = '' if ready.in_service else ' disabled'
    out = f"""\
frontend ready from http
{_binds(config.Bind(a, ready.port) for a in inside)}    monitor-uri /ready
    monitor fail if {{ nbsrv({SELF}) lt 1 }}
    http-request set-log-level silent
    http-request return status 404

backend {SELF} from http
    server self 127.0.0.1:9{off}
"""
    guarded = [a for a in dict.fromkeys(ready.guarded) if a not in inside]
    if guarded and ready.sources:
        out += f"""
frontend ready.outside from http
{_binds(config.Bind(a, ready.port) for a in guarded)}\
    tcp-request connection reject unless {{ src {lists.words(ready.sources)} }}
    monitor-uri /ready
    monitor fail if {{ nbsrv({SELF}) lt 1 }}
    http-request set-log-level silent
    http-request return status 404
"""
    return out


def _metrics(binds: tuple[config.Bind, ...], ends: tuple[str, ...]) -> Iterator[str]:
    if binds:
        yield f"""\
frontend metrics from http
{_binds(binds)}    http-request set-log-level silent
    http-request use-service prometheus-exporter if {{ path /metrics }}
{_ends(ends)}    stats enable
    stats uri /stats
    stats hide-version
    http-request return status 404 unless {{ path /stats }} or {{ path -m beg /stats; }}
"""


def _ends(ends: tuple[str, ...]) -> str:
    """What haproxy's own exporter has none of it. Source of the form: Prometheus' text format, 0.0.4."""
    if not ends:
        return ''
    head = '# TYPE loadbalancer_certificate_not_after_seconds gauge\\n'
    rows = ''.join(
        f'loadbalancer_certificate_not_after_seconds{{type=\\"{t}\\"}} %[str({t}),map({ENDS},0)]\\n'
        for t in ends
    )
    return (
        '    http-request return status 200 content-type "text/plain; version=0.0.4" '
        f'lf-string "{head}{rows}" if {{ path /certificates }}\n'
    )


def _binds(binds: Iterator[config.Bind] | tuple[config.Bind, ...]) -> str:
    return ''.join(f'    {_bind(b)}\n' for b in binds)


def _bind(b: config.Bind) -> str:
    moves = ' transparent' if b.moves else ''
    if ipaddress.ip_address(b.address).version == 6:
        return f'bind [{b.address}]:{b.port} v6only{moves}'
    return f'bind {b.address}:{b.port}{moves}'


def _frontends(f: config.Frontend, lists: rules.Lists) -> Iterator[str]:
    """One section; three and two backends where both schemes are taken on its port."""
    binds = [_bind(b) for b in f.binds]
    limits_ = (f'maxconn {f.maxconn}',) if f.maxconn else ()
    timeout = f'timeout client {f.client_ms}ms'
    connection = (*limits_, timeout, *rules.connection(f, lists))
    if f.tls is None:
        late = (tls.inner(f'{f.name}{tls.PLAIN}'),) if f.changed_over else ()
        yield _frontend(f, (*binds, *late, *connection), lists)
    elif not f.tls.plain_too:
        ends = tls.ending(f.tls)
        late = (tls.inner(f.name, ends),) if f.changed_over else ()
        yield _frontend(f, (*(f'{b} {ends}' for b in binds), *late, *connection), lists)
    else:
        plain = tls.without(f)
        silent = f'timeout client {tls.SILENT_S}s'
        yield from tls.sniffing(f, (*binds, *limits_, silent, *rules.connection(f, lists)))
        yield _frontend(f, (tls.inner(f.name, tls.ending(f.tls)), *limits_, timeout), lists)
        yield _frontend(plain, (tls.inner(plain.name), *limits_, timeout), lists)


def _frontend(f: config.Frontend, first: tuple[str, ...], lists: rules.Lists) -> str:
    lines = [*first]
    if f.mode == 'http':
        lines += (*edge.logged(f), *rules.http(f, lists))
        # A unit that gives its VIPs away: a client whose connection ends makes the next one elsewhere.
        when = '' if f.closing else f' if {{ nbsrv({SELF}) lt 1 }}'
        lines.append(f'http-after-response set-header connection close{when}')
    lines.append(f'default_backend {f.backend}')
    return f'frontend {f.name} from {f.mode}\n' + ''.join(f'    {line}\n' for line in lines)


def _backend(b: config.Backend, authorities: str) -> str:
    check = b.check
    lines = [f'balance {_BALANCES[b.balance]}']
    if b.balance == 'source-consistent':
        lines.append('hash-type consistent')
    lines.append(f'timeout server {b.server_ms}ms')
    lines.append(f'timeout queue {b.queue_ms}ms')
    if b.tunnel_ms:
        lines.append(f'timeout tunnel {b.tunnel_ms}ms')
    lines.append(f'timeout check {check.timeout_ms}ms')
    lines += _retry(b.retry) if b.mode == 'http' else ()
    lines += transfers.rules(b) if b.outsiders else ()
    if not check.tcp:
        lines.append('option httpchk')
        host = rules.bracketed(check.host or b.host or b.name)
        lines.append(
            f'http-check send meth {check.method} uri {check.path} ver HTTP/1.1 hdr Host {host}'
        )
        lines.append(f'http-check expect status {",".join(check.expect)}')
    lines += [_server(s, b, authorities) for s in b.servers]
    return f'backend {b.name} from {b.mode}\n' + ''.join(f'    {line}\n' for line in lines)


def _retry(how: config.Retry) -> Iterator[str]:
    if how == 'none':
        yield 'retries 0'
    elif how == 'safe':
        # A request that may have reached the server is repeated only if that changes nothing. It is
        # copied for that; at a rate that no API reaches, the time is better spent on other requests.
        yield 'retry-on conn-failure empty-response'
        yield (
            f'http-request disable-l7-retry if !METH_GET or {{ be_sess_rate gt {REPEATED_UP_TO} }}'
        )


def _server(s: config.Server, b: config.Backend, authorities: str) -> str:
    check = b.check
    out = f'server {s.name} {rules.bracketed(s.address)}:{s.port} weight {s.weight}'
    if s.maxconn:
        out += f' maxconn {s.maxconn}'
    if s.backup:
        out += ' backup'
    if s.server_name:
        out += f' {tls.verified(s.server_name, authorities)}'
    fast = min(500, check.interval_ms)
    out += (
        f' check inter {check.interval_ms}ms fastinter {fast}ms'
        f' downinter {min(1000, check.interval_ms)}ms fall {check.fall} rise {check.rise}'
    )
    if check.port:
        out += f' port {check.port}'
    if check.tls:
        out += ' check-ssl verify none'
    if b.mode == 'http' and not check.tcp:
        out += ' observe layer7 error-limit 10 on-error fastinter'
    return f'{out} disabled' if s.disabled else out
