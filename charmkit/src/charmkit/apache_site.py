"""One WSGI application as a site of Apache's: over HTTP, and over TLS for load balancers that verify. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from . import limits
from .proxy import tls
from .relations import host_in_url

NOTE = '# Written by the charm: local changes are overwritten.\n'
LOGS = '/var/log/openstack-apache'
DRAIN_FILE = '/run/openstack-drain'
"""While it exists every ``/healthcheck`` on the machine answers 503 to others; requests are still
served, and who asks on loopback hears whether the API lives."""
HEALTH_GROUP = 'openstack-health'
POLICY = '/usr/local/lib/charmkit/policy_wsgi.py'
"""What each process of an application runs before it loads it (:mod:`charmkit.policy_wsgi`), where it has threads."""
HEALTH = '/usr/local/lib/charmkit/health.wsgi'
"""What answers ``/healthcheck`` of all sites."""
TLS_OFFSET = 10_000
"""Between the port of an application and that on which it is served by TLS."""
NAME_SHOWN = 16
"""How much of a process group's name fits where a process shows it: in place of its command."""

_LOOPBACK = ('127.0.0.1', '::1')


@dataclasses.dataclass(frozen=True)
class Size:
    """How many processes, and threads in each."""

    processes: int
    threads: int

    @property
    def requests(self) -> int:
        """How many are served at a time."""
        return self.processes * self.threads


@dataclasses.dataclass(frozen=True, kw_only=True)
class VirtualHost:
    """One WSGI application, and how it is to be served."""

    name: str
    """Of the process group, the file and the logs."""
    script: str
    port: int
    addresses: tuple[str, ...]
    """Literal addresses to listen on."""
    user: str
    size: Size
    health: str = ''
    """The path that stands for ``/healthcheck`` where the application has none of its own."""
    silence: limits.Silence = limits.ORDINARY
    """How long nothing may cross a connection at the layer before this one."""
    trusted: tuple[str, ...] = ()
    """Addresses or networks (CIDR) of the load balancers whose ``X-Forwarded-For`` is believed."""
    body_limit: int = 0
    """The longest request body accepted, in bytes; 0 is no limit. (Apache's own is 1 GiB.)"""
    static: tuple[tuple[str, str], ...] = ()
    """Paths of URLs, and the directory whose files Apache hands out at each."""
    aliases: tuple[str, ...] = ()
    """Paths under which the application answers as it does at ``/``."""
    grace_s: int = 30
    """How long a process that is renewed may take to finish its requests."""
    plain: bool = True
    """HTTP is taken from others than the unit itself."""
    certificate: str = ''
    """The file of a certificate and its key: TLS is taken too, on a port of its own; '': it is not."""

    @property
    def home(self) -> str:
        """The directory that its processes work in: it must be there, or none of them ever starts."""
        return f'/var/lib/{self.user}'

    @property
    def listens(self) -> tuple[tuple[int, str], ...]:
        """Ports and addresses."""
        others = [a for a in self.addresses if a not in _LOOPBACK]
        plain = self.addresses if self.plain else [a for a in self.addresses if a in _LOOPBACK]
        secure = others if self.certificate else []
        return (
            *((self.port, a) for a in plain),
            *((self.port + TLS_OFFSET, a) for a in secure),
        )


def shown(name: str) -> str:
    """What a process of the application *name* shows in the place of its command."""
    return name[:NAME_SHOWN]


def site_file(site: VirtualHost, listen: Iterable[tuple[int, str]]) -> str:
    """The file of one application; *listen* are the ports and addresses of all."""
    own = {site.port, *((site.port + TLS_OFFSET,) if site.certificate else ())}
    listens = ''.join(f'Listen {host_in_url(a)}:{port}\n' for port, a in listen if port in own)
    process = _process(site)
    if not site.certificate:
        return f'{NOTE}{listens}\n{_vhost(site, site.port, process)}'
    # Of the whole server: two virtual hosts have it.
    shared = process.replace('\n    ', '\n').strip()
    plain = _vhost(site, site.port, '')
    secure = _vhost(site, site.port + TLS_OFFSET, _tls(site.certificate))
    return f'{NOTE}{listens}\n{shared}\n{plain}\n{secure}'


def _tls(certificate: str) -> str:
    """Mozilla's profile "intermediate" (Server Side TLS, version 5.7), towards load balancers."""
    return f"""    SSLEngine on
    SSLCertificateFile {certificate}
    SSLProtocol -all +TLSv1.2 +TLSv1.3
    SSLCipherSuite {tls.CIPHERS}
    SSLHonorCipherOrder off
    SSLSessionTickets off
"""


def _process(site: VirtualHost) -> str:
    name, size = site.name, site.size
    client_s, server_s = (limits.behind(s) for s in (site.silence.client_s, site.silence.server_s))
    # One that is patched by eventlet has one thread, and must load nothing before it patches.
    policy = f'    WSGIImportScript {POLICY} process-group={name} application-group=%{{GLOBAL}}\n'
    return f"""    WSGIDaemonProcess {name} {_account(site)} \\
        processes={size.processes} threads={size.threads} display-name={shown(name)} \\
        listen-backlog=512 queue-timeout={limits.behind(limits.QUEUE_S)} \\
        socket-timeout={max(client_s, server_s)} response-socket-timeout={client_s} \\
        request-timeout={_stuck_s(site.silence)} \\
        graceful-timeout={site.grace_s} shutdown-timeout={site.grace_s}
{policy if size.threads > 1 else ''}"""


def _vhost(site: VirtualHost, port: int, first: str) -> str:
    name = site.name
    client_s = limits.behind(site.silence.client_s)
    optional = ''.join(f'    RemoteIPInternalProxy {proxy}\n' for proxy in site.trusted)
    if optional:
        optional = '    RemoteIPHeader X-Forwarded-For\n' + optional
    return f"""<VirtualHost *:{port}>
{first}    WSGIScriptAlias /.health {HEALTH} process-group={HEALTH_GROUP} application-group=%{{GLOBAL}}
    WSGIScriptAlias / {site.script} process-group={name} application-group=%{{GLOBAL}}
    WSGIApplicationGroup %{{GLOBAL}}
    WSGIPassAuthorization On
    WSGIChunkedRequest On
    AllowEncodedSlashes On
    LimitRequestBody {site.body_limit}
    Timeout {client_s}
    RequestReadTimeout header={limits.behind(limits.REQUEST_HEADER_S)} {_body_time(site.silence)}
    RewriteEngine On
    RewriteCond %{{CONN_REMOTE_ADDR}} ^127\\.
    RewriteRule ^/\\.alive$ {site.health or '/healthcheck'} [PT,L,E=CHARM_QUIET:1]
    RewriteCond %{{CONN_REMOTE_ADDR}} !^127\\.
    RewriteCond {DRAIN_FILE} -f
    RewriteRule ^/healthcheck$ - [R=503,L]
    RewriteRule ^/healthcheck$ /.health [PT,L,E=CHARM_GROUP:{name},E=CHARM_PORT:{site.port}]
{_rewritten(site)}{optional}    CustomLog {LOGS}/{name}-access.log openstack env=!CHARM_QUIET
    ErrorLog {LOGS}/{name}-error.log
{_open(site.script.rpartition('/')[0])}{''.join(_open(d) for _, d in site.static)}</VirtualHost>
"""


def _open(directory: str) -> str:
    return f'    <Directory {directory}>\n        Require all granted\n    </Directory>\n'


def _rewritten(site: VirtualHost) -> str:
    # mod_alias is off: it would serve /icons. No path leads out of a directory.
    files = (f'^{path}/(?!.*\\.\\.)(.+)$ {directory}/$1 [L]' for path, directory in site.static)
    aliased = (f'^{path}(?:/(.*))?$ /$1 [PT,L]' for path in site.aliases)
    return ''.join(f'    RewriteRule {rule}\n' for rule in (*files, *aliased))


def _account(site: VirtualHost) -> str:
    return f'user={site.user} group={site.user} home={site.home} lang=C.UTF-8 locale=C.UTF-8'


def _stuck_s(silence: limits.Silence) -> int:
    """After how long, on average over its threads, a process is stuck and is started anew; 0 never.

    Whoever asked has got a 504 long before. A transfer may take hours, and is not stuck.
    """
    if silence.client_s >= limits.IDLE_S:
        return 0
    return limits.behind(limits.behind(silence.server_s))


def _body_time(silence: limits.Silence) -> str:
    """How long a body may take (mod_reqtimeout): its first part, and more for each kilobyte read.

    A transfer is bounded by its silence alone (``Timeout``).
    """
    if silence.client_s >= limits.IDLE_S:
        return 'body=0'
    return f'body={limits.behind(silence.client_s)},minrate={_SLOWEST_BYTES_S}'


_SLOWEST_BYTES_S = 4096
