"""haproxy.cfg, rendered from a layout; valid for haproxy 2.6 and 3.0."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from . import behaviour, layout

SELF = 'lb_self'
"""The backend whose one server says whether this unit wants clients (``/ready``)."""
CONFIG = '/etc/haproxy/haproxy.cfg'
STATE_FILE = '/var/lib/haproxy/server-state'
ADMIN_SOCKET = '/run/haproxy/admin.sock'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """What the configuration needs to know of the unit that it is for."""

    unit: str
    ready_addresses: tuple[str, ...] = ()
    """Where ``/ready`` is answered for an outside load balancer, beside loopback."""
    ready_port: int = 8405
    metrics_addresses: tuple[str, ...] = ()
    metrics_port: int = 8404
    maxconn: int = 0
    """Connections at once; 0: as many as descriptors and memory allow."""
    descriptors: int = 40_000
    """At most so many file descriptors, two for each connection."""
    threads: int = 0
    """0: as many as there are processors."""
    proxy_protocol_from: tuple[str, ...] = ()
    """Networks of an outside load balancer that begins each connection with the PROXY protocol."""
    forwarded_from: tuple[str, ...] = ()
    """Networks of an outside load balancer whose ``X-Forwarded-For`` is to be believed."""
    strict_hosts: bool = True
    log_requests: bool = False
    """Log every request, not only those that went wrong."""


def render(
    what: layout.Layout,
    machine: Machine,
    disabled: Mapping[str, frozenset[str]] | None = None,
    *,
    in_service: bool = True,
) -> str:
    """The file; *disabled* are servers by backend that a start must not bring into rotation.

    That they are disabled is only for a start from nothing: a running haproxy is told through
    its socket, so a file that differs in this alone needs no reload (:func:`shape`).
    """
    sections = [
        _global(machine),
        _defaults(machine),
        _ready(machine, in_service),
        *_metrics(machine),
        *(_frontend(f, machine) for f in what.frontends),
        *(_backend(b, (disabled or {}).get(b.name, frozenset())) for b in what.backends),
    ]
    text = '# Written by the charm: changes are lost.\n' + '\n'.join(sections)
    digest = hashlib.sha256(shape(text).encode()).hexdigest()[:16]
    return text.replace('global\n', f'global\n{_MARK}{digest}\n', 1)


def mark(text: str) -> str:
    """The digest of a configuration's :func:`shape`, by which its worker calls itself (``show info``)."""
    return next((x[len(_MARK) :] for x in text.splitlines() if x.startswith(_MARK)), '')


_MARK = '    description '


def shape(text: str) -> str:
    """The part of a configuration that a running haproxy can only be given by a reload."""
    return text.replace(' disabled\n', '\n')


_HARD_STOP = '2h'
# Longer than the longest inactivity of an upload, and short enough that workers do not pile up.


def _global(machine: Machine) -> str:
    threads = f'    nbthread {machine.threads}\n' if machine.threads else ''
    most = f'    maxconn {machine.maxconn}\n    no strict-limits\n' if machine.maxconn else ''
    return f"""\
global
    log /dev/log local0
    chroot /var/lib/haproxy
    stats socket {ADMIN_SOCKET} mode 600 level admin
    user haproxy
    group haproxy
    fd-hard-limit {max(machine.descriptors, 2 * machine.maxconn + 1000)}
{most}{threads}    hard-stop-after {_HARD_STOP}
    mworker-max-reloads 50
    server-state-file {STATE_FILE}
    localpeer {machine.unit.replace('/', '-')}
"""


def _defaults(machine: Machine) -> str:
    normal = '' if machine.log_requests else '    option dontlog-normal\n'
    return f"""\
defaults common
    mode http
    log global
    option dontlognull
    option log-health-checks
    option redispatch 1
    retries 3
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout queue 60s
    timeout http-request 10s
    timeout http-keep-alive 10s
    load-server-state-from-file global
    default-server pool-purge-delay 2s

defaults http from common
    mode http
    option httplog
{normal}    option idle-close-on-response
    option http-keep-alive

defaults tcp from common
    mode tcp
    option tcplog
{normal}"""


def _ready(machine: Machine, in_service: bool) -> str:
    where = ('127.0.0.1', *machine.ready_addresses)
    binds = ''.join(f'    {_bind(a, machine.ready_port)}\n' for a in dict.fromkeys(where))
    off = '' if in_service else ' disabled'
    return f"""\
frontend ready from http
{binds}    monitor-uri /ready
    monitor fail if {{ nbsrv({SELF}) lt 1 }}
    http-request set-log-level silent
    http-request return status 404

backend {SELF} from http
    server self 127.0.0.1:9{off}
"""


def _metrics(machine: Machine) -> Iterator[str]:
    if not machine.metrics_addresses:
        return
    port = machine.metrics_port
    binds = ''.join(f'    {_bind(a, port)}\n' for a in machine.metrics_addresses)
    yield f"""\
frontend metrics from http
{binds}    http-request set-log-level silent
    http-request use-service prometheus-exporter if {{ path /metrics }}
    stats enable
    stats uri /stats
    stats hide-version
    http-request return status 404 unless {{ path /stats;csv }}
"""


def _bind(address: str, port: int, *, vip: bool = False) -> str:
    # The unit that does not hold a VIP listens on it all the same, ready for the moment it does.
    moves = ' transparent' if vip else ''
    if ipaddress.ip_address(address).version == 6:
        return f'bind [{address}]:{port} v6only{moves}'
    return f'bind {address}:{port}{moves}'


def _frontend(f: layout.Frontend, machine: Machine) -> str:
    kind = 'http' if f.protocol == 'http' else 'tcp'
    lines = [f'frontend {f.name} from {kind}']
    lines += [_bind(a, f.port, vip=a in f.vips) for a in f.addresses]
    if f.behaviour.frontend_maxconn:
        lines.append(f'maxconn {f.behaviour.frontend_maxconn}')
    lines.append(f'timeout client {f.behaviour.client_ms}ms')
    if machine.proxy_protocol_from:
        nets = ' '.join(machine.proxy_protocol_from)
        lines.append(f'tcp-request connection expect-proxy layer4 if {{ src {nets} }}')
    allowed = _allowed(f)
    if kind == 'http':
        lines += _http_rules(f, machine, allowed)
    elif allowed:
        lines.append(f'tcp-request connection reject unless {{ src {" ".join(allowed)} }}')
    lines.append(f'default_backend {f.backend}')
    return lines[0] + '\n' + ''.join(f'    {line}\n' for line in lines[1:])


def _allowed(f: layout.Frontend) -> list[str]:
    """The networks that may come in: the union over the types, if each of them is limited."""
    each = [f.behaviour.allowed_cidrs.get(t) for t in f.types]
    if any(nets is None for nets in each):
        return []
    return sorted({net for nets in each for net in nets or ()})


def _http_rules(f: layout.Frontend, machine: Machine, allowed: Iterable[str]) -> Iterator[str]:
    if not f.behaviour.keep_underscores:
        # X_Forwarded_For and X-Forwarded-For are one header to WSGI.
        yield 'option http-restrict-req-hdr-names delete'
    if machine.forwarded_from:
        nets = ' '.join(machine.forwarded_from)
        yield f'http-request set-src hdr_ip(x-forwarded-for,-1) if {{ src {nets} }}'
    if allowed:
        yield f'http-request deny deny_status 403 unless {{ src {" ".join(allowed)} }}'
    if machine.strict_hosts:
        hosts = ' '.join(f'{_host(h)}:{f.port} {_host(h)}' for h in f.hosts)
        yield f'http-request deny deny_status 421 unless {{ req.hdr(host) -i {hosts} }}'
    yield 'http-request deny deny_status 405 if { method TRACE }'
    denied = {path for t in f.types for path in f.behaviour.denied_paths.get(t, ())}
    if 'public' in f.types:
        denied |= {'/server-status', '/server-info', '/healthcheck'}
    if denied:
        paths = ' '.join(sorted(denied))
        yield f'http-request deny deny_status 404 if {{ path,url_dec -i -m beg {paths} }}'
    yield 'http-request del-header Forwarded'
    yield 'http-request del-header X-Forwarded- -m beg'
    yield 'http-request del-header X-Real-IP'
    yield 'http-request del-header Proxy'
    # Nothing of the kind is left, so to add is to set, and takes less time. Host, with its port,
    # goes on as the client sent it: it needs no copy in X-Forwarded-Host.
    yield 'option forwardfor'
    yield 'http-request add-header X-Forwarded-Proto http'


def _host(host: str) -> str:
    return f'[{host}]' if ':' in host else host


def _backend(b: layout.Backend, disabled: frozenset[str]) -> str:
    how, check = b.behaviour, b.behaviour.check
    kind = 'http' if b.protocol == 'http' else 'tcp'
    lines = [f'balance {behaviour.BALANCES[how.balance]}']
    if how.balance == 'source-consistent':
        lines.append('hash-type consistent')
    lines.append(f'timeout server {how.server_ms}ms')
    lines.append(f'timeout queue {how.queue_ms}ms')
    if how.tunnel_ms:
        lines.append(f'timeout tunnel {how.tunnel_ms}ms')
    lines.append(f'timeout check {check.timeout_ms}ms')
    lines += _retry(how) if kind == 'http' else ()
    if not check.tcp:
        lines.append('option httpchk')
        host = _host(check.host) if check.host else b.service
        lines.append(
            f'http-check send meth {check.method} uri {check.path} ver HTTP/1.1 hdr Host {host}'
        )
        lines.append(f'http-check expect status {",".join(check.expect)}')
    for s in b.servers:
        lines.append(_server(s.name, s.address, s.port, s.weight, b, s.backup))
        if s.name in disabled:
            lines[-1] += ' disabled'
    return f'backend {b.name} from {kind}\n' + ''.join(f'    {line}\n' for line in lines)


def _retry(how: behaviour.Behaviour) -> Iterator[str]:
    if how.retry == 'none':
        yield 'retries 0'
    elif how.retry == 'safe':
        # A request that may have reached the server is repeated only if that changes nothing. It is
        # copied for that; at a rate that no API reaches, the time is better spent on other requests.
        yield 'retry-on conn-failure empty-response'
        yield (
            'http-request disable-l7-retry if !METH_GET or '
            f'{{ be_sess_rate gt {behaviour.REPEATED_UP_TO} }}'
        )


def _server(
    name: str, address: str, port: int, weight: int, b: layout.Backend, backup: bool
) -> str:
    check = b.behaviour.check
    out = f'server {name} {_host(address)}:{port} weight {weight}'
    if b.behaviour.server_maxconn:
        out += f' maxconn {b.behaviour.server_maxconn}'
    if backup:
        out += ' backup'
    fast = min(500, check.interval_ms)
    out += (
        f' check inter {check.interval_ms}ms fastinter {fast}ms'
        f' downinter {min(1000, check.interval_ms)}ms fall {check.fall} rise {check.rise}'
    )
    if check.port:
        out += f' port {check.port}'
    if check.tls:
        out += ' check-ssl verify none'
    if b.protocol == 'http' and not check.tcp:
        out += ' observe layer7 error-limit 10 on-error fastinter'
    return out
