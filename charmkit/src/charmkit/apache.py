"""Apache with mod_wsgi, as files: one virtual host for each WSGI application. Pure.

Sources: mod_wsgi's documentation of ``WSGIDaemonProcess``, Apache 2.4's of ``core``,
``mod_log_config`` and ``mod_rewrite``. The application is loaded when a process starts, because
``WSGIScriptAlias`` names the process group and the application group: no request waits for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from . import host
from .relations import host_in_url

SERVICE = 'apache2'
DROP_IN = '/etc/systemd/system/apache2.service.d/openstack.conf'
PACKAGES = ('apache2', 'libapache2-mod-wsgi-py3')
LOGS = '/var/log/openstack-apache'
DRAIN_FILE = '/run/openstack-drain'
"""While it exists every ``/healthcheck`` on the machine answers 503; requests are still served."""

NAME_SHOWN = 16
"""How much of a process group's name fits where a process shows it: in place of its command."""

_PROCESS_MIB = 140  # Measured: 85 to 150 MiB for each process, whatever the service.
_MOST_PROCESSES = 16


@dataclasses.dataclass(frozen=True)
class Size:
    """How many processes, and threads in each."""

    processes: int
    threads: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
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
    chunked: bool = False
    """Whether request bodies may come in chunks, as image uploads do."""
    body_limit: int = 0
    """The longest request body accepted, in bytes; 0 is Apache's own limit."""
    grace_s: int = 30
    """How long a process that is renewed may take to finish its requests."""


def size(
    cpus: int, memory_mib: int, *, one_thread: bool, processes: int = 0, threads: int = 0
) -> Size:
    """As many processes as the machine can run; *processes* and *threads* override, 0 does not.

    Threads share Python's interpreter lock: they only bridge waits for the database. An
    application patched by eventlet must have *one_thread*; it gets twice the processes instead.
    """
    wanted = cpus * (2 if one_thread else 1)
    fitting = max(1, memory_mib // 3 // _PROCESS_MIB)
    return Size(
        processes=processes or max(1, min(max(wanted, 2), fitting, _MOST_PROCESSES)),
        threads=1 if one_thread else threads or 8,
    )


def group(name: str) -> str:
    """The process group of the application *name*, as :class:`host.Service` names it."""
    return f'wsgi:{name}'


def desired(
    sites: Iterable[Site], *, running: bool, version: str = '', linger_s: float = 0
) -> host.Host:
    """Apache serving *sites* and nothing else, or stopped.

    *version* is of what they run. Before it stops it goes on for *linger_s* seconds.
    """
    sites = tuple(sites)
    notify = (SERVICE,)
    listen = sorted({(site.port, address) for site in sites for address in site.addresses})
    return host.Host(
        packages=frozenset(PACKAGES),
        directories=(host.Directory(path=LOGS, group='adm', mode=0o750),),
        files=(
            host.File(
                path='/etc/apache2/ports.conf',
                content=_NOTE + '# Each site says for itself where it listens.\n',
                notify=notify,
            ),
            host.File(
                path='/etc/apache2/conf-enabled/openstack.conf', content=_SERVER, notify=notify
            ),
            host.File(path='/etc/logrotate.d/openstack-apache', content=_LOGROTATE),
            host.File(path=DROP_IN, content=_DROP_IN),
            *(
                host.File(
                    path=f'/etc/apache2/sites-enabled/{site.name}.conf',
                    content=_vhost(site, [a for port, a in listen if port == site.port]),
                    notify=notify,
                )
                for site in sites
            ),
        ),
        links=(
            host.Link(
                path='/etc/apache2/mods-enabled/rewrite.load',
                target='../mods-available/rewrite.load',
                notify=notify,
            ),
        ),
        absent=(host.Absent(path='/etc/apache2/sites-enabled/000-default.conf', notify=notify),),
        services=(
            host.Service(
                SERVICE,
                'running' if running else 'stopped',
                'reload',
                linger_s=linger_s,
                configured_by=DROP_IN,
            ),
            *(
                host.Service(
                    group(site.name),
                    'running' if running else 'stopped',
                    part_of=SERVICE,
                    version=version,
                )
                for site in sites
            ),
        ),
    )


def drain(on: bool) -> host.Host:
    """Make every ``/healthcheck`` on the machine fail, or not."""
    if on:
        return host.Host(files=(host.File(path=DRAIN_FILE, content='going out of service\n'),))
    return host.Host(absent=(host.Absent(path=DRAIN_FILE),))


_NOTE = '# Written by the charm: local changes are overwritten.\n'

_SERVER = (
    _NOTE
    + """ServerName localhost
ServerTokens Prod
ServerSignature Off
TraceEnable Off
KeepAlive On
# Longer than a load balancer keeps an idle connection: it is never the server that hangs up.
KeepAliveTimeout 75
MaxKeepAliveRequests 0
WSGISocketPrefix /var/run/apache2/wsgi
LogFormat "%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t %a \\"%r\\" %>s %O %{us}T us %{X-Openstack-Request-Id}o %{X-Openstack-Request-Id}i \\"%{User-Agent}i\\"" openstack
ErrorLogFormat "%{cu}t %-m:%l [pid %P] %M"
"""  # noqa: E501 -- a log format has no line breaks.
)

# Copied and truncated, since a reload would renew every process of every service.
_LOGROTATE = (
    _NOTE
    + f"""{LOGS}/*.log {{
    daily
    maxsize 256M
    rotate 14
    missingok
    notifempty
    compress
    delaycompress
    copytruncate
    su root adm
}}
"""
)

_DROP_IN = (
    _NOTE
    + """[Unit]
Wants=network-online.target
After=network-online.target

[Service]
Restart=on-failure
RestartSec=2
"""
)


def _vhost(site: Site, addresses: Iterable[str]) -> str:
    listens = ''.join(f'Listen {host_in_url(a)}:{site.port}\n' for a in addresses)
    name, size = site.name, site.size
    optional = ''
    if site.chunked:
        optional += '    WSGIChunkedRequest On\n'
    if site.body_limit:
        optional += f'    LimitRequestBody {site.body_limit}\n'
    if site.health:
        optional += f'    RewriteRule ^/healthcheck$ {site.health} [PT,L]\n'
    directory = site.script.rpartition('/')[0]
    return f"""{_NOTE}{listens}
<VirtualHost *:{site.port}>
    WSGIDaemonProcess {name} user={site.user} group={site.user} \\
        processes={size.processes} threads={size.threads} \\
        display-name={name[:NAME_SHOWN]} lang=C.UTF-8 locale=C.UTF-8 home=/var/lib/{site.user} \\
        listen-backlog=512 queue-timeout=45 socket-timeout=60 \\
        graceful-timeout={site.grace_s} shutdown-timeout={site.grace_s}
    WSGIProcessGroup {name}
    WSGIApplicationGroup %{{GLOBAL}}
    WSGIScriptAlias / {site.script} process-group={name} application-group=%{{GLOBAL}}
    WSGIPassAuthorization On
    AllowEncodedSlashes On
    RewriteEngine On
    RewriteCond {DRAIN_FILE} -f
    RewriteRule ^/healthcheck$ - [R=503,L]
{optional}    CustomLog {LOGS}/{name}-access.log openstack
    ErrorLog {LOGS}/{name}-error.log
    <Directory {directory}>
        Require all granted
    </Directory>
</VirtualHost>
"""
