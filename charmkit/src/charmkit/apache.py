"""Apache with mod_wsgi, as files: one virtual host for each WSGI application. Pure.

Sources: mod_wsgi's documentation of ``WSGIDaemonProcess``, Apache 2.4's of ``core``,
``mod_log_config`` and ``mod_rewrite``. The application is loaded when a process starts, because
``WSGIScriptAlias`` names the process group and the application group: no request waits for it.

``/healthcheck`` is answered by a small process of its own (:mod:`charmkit.health_wsgi`): however busy
an API is, its health is reported. All times follow from :class:`charmkit.limits.Silence` and its neighbours.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
from collections.abc import Iterable

from . import host, limits
from .apache_site import DRAIN_FILE as DRAIN_FILE
from .apache_site import HEALTH as HEALTH
from .apache_site import HEALTH_GROUP as HEALTH_GROUP
from .apache_site import LOGS as LOGS
from .apache_site import NAME_SHOWN as NAME_SHOWN
from .apache_site import NOTE, site_file
from .apache_site import POLICY as POLICY
from .apache_site import TLS_OFFSET as TLS_OFFSET
from .apache_site import Size as Size
from .apache_site import VirtualHost as VirtualHost
from .apache_site import shown as shown

SERVICE = 'apache2'
DROP_IN = '/etc/systemd/system/apache2.service.d/openstack.conf'
PACKAGES = ('apache2', 'libapache2-mod-wsgi-py3', 'logrotate')
CHECK = '/usr/local/lib/charmkit/apache-check'
"""Tests the whole configuration with one new file in it, in a copy."""
SERVER_LOG = '/var/log/apache2/error.log'
"""Apache's own: why a process does not get as far as loading its application."""
TRIAL = '/usr/local/lib/charmkit/trial_wsgi.py'
"""What loads an application once, before its processes take up a new configuration."""
MODULES = ('rewrite', 'remoteip', 'reqtimeout', 'wsgi')
"""What the sites need of Apache's modules, beside those built in."""
UNWANTED_MODULES = ('status', 'autoindex', 'alias', 'deflate', 'negotiation')
"""What the package enables and an API must not have: ``/server-status`` and ``/icons`` on each
port, directory listings, and answers whose length and ETag change on the way."""
UNWANTED_CONFS = (
    'charset', 'localized-error-pages', 'other-vhosts-access-log', 'security', 'serve-cgi-bin',
)  # fmt: skip
"""What the package enables and stands against :data:`_SERVER`, or serves files of its own."""

_TLS_MODULE = 'ssl'
_PROCESS_MIB = 140  # Measured: 85 to 150 MiB for each process, whatever the service.
_MOST_PROCESSES = 16
_THREADS = 8
_BULK_THREADS = 32
_HEALTH_THREADS = 8
_TRIAL_S = 60


def size(
    cpus: int,
    memory_mib: int,
    *,
    one_thread: bool,
    processes: int = 0,
    threads: int = 0,
    bulk: bool = False,
) -> Size:
    """As many processes as the machine can run; *processes* and *threads* override, 0 does not.

    Threads share Python's interpreter lock: they only bridge waits, for the database, and with
    *bulk* for clients whose transfers take minutes. An application patched by eventlet must have
    *one_thread*; it gets twice the processes instead.
    """
    wanted = cpus * (2 if one_thread else 1)
    fitting = max(1, memory_mib // 3 // _PROCESS_MIB)
    return Size(
        processes=processes or max(1, min(max(wanted, 2), fitting, _MOST_PROCESSES)),
        threads=1 if one_thread else threads or (_BULK_THREADS if bulk else _THREADS),
    )


def group(name: str) -> str:
    """The process group of the application *name*, as :class:`host.SystemdService` names it."""
    return f'wsgi:{name}'


def desired(
    sites: Iterable[VirtualHost],
    *,
    running: bool,
    version: str = '',
    linger_s: float = 0,
    held: bool = False,
    certificate: host.File | None = None,
) -> host.Host:
    """Apache serving *sites* and nothing else, or stopped.

    *version* is of what they run. Before it stops it goes on for *linger_s* seconds. *held*: while it runs, it keeps
    the configuration that it has. *certificate* is the file that sites name.
    """
    sites = tuple(sites)
    notify = (SERVICE,)
    listen = sorted({each for site in sites for each in site.listens})
    modules = (*MODULES, *((_TLS_MODULE,) if any(s.certificate for s in sites) else ()))
    return host.Host(
        packages=frozenset(PACKAGES),
        directories=(
            host.Directory(path=LOGS, group='adm', mode=0o750),
            *(
                host.Directory(path=home, owner=user, group=user, kept=True)
                for home, user in sorted({(site.home, site.user) for site in sites})
            ),
        ),
        files=(
            host.File(path=CHECK, content=_check_program(modules), mode=0o755),
            # Before the sites that name it.
            *((dataclasses.replace(certificate, notify=notify),) if certificate else ()),
            host.File(path=HEALTH, content=_source('health_wsgi.py'), notify=notify),
            host.File(path=POLICY, content=_source('policy_wsgi.py'), notify=notify),
            host.File(path=TRIAL, content=_source('trial_wsgi.py')),
            host.File(
                path='/etc/apache2/ports.conf',
                content=NOTE + '# Each site says for itself where it listens.\n',
                notify=notify,
            ),
            host.File(
                path=_SERVER_CONF, content=_SERVER, check=_check(_SERVER_CONF), notify=notify
            ),
            host.File(path='/etc/logrotate.d/openstack-apache', content=_LOGROTATE),
            host.File(path=DROP_IN, content=_DROP_IN),
            *(
                host.File(
                    path=path,
                    content=site_file(site, listen),
                    check=_check(path),
                    notify=notify,
                )
                for site in sites
                for path in (f'/etc/apache2/sites-enabled/{site.name}.conf',)
            ),
        ),
        links=tuple(
            host.Link(
                path=f'/etc/apache2/mods-enabled/{module}.load',
                target=f'../mods-available/{module}.load',
                notify=notify,
            )
            for module in modules
        ),
        absent=(
            # A conffile that is gone stays gone, and dpkg does not ask. It reloads Apache daily.
            host.Absent(path='/etc/logrotate.d/apache2'),
            *(host.Absent(path=path, notify=notify) for path in _unwanted()),
        ),
        services=(
            host.SystemdService(
                SERVICE,
                'running' if running else 'stopped',
                'hold' if held else 'reload',
                linger_s=linger_s,
                configured_by=DROP_IN,
            ),
            *(
                host.SystemdService(
                    group(site.name),
                    'running' if running else 'stopped',
                    part_of=SERVICE,
                    version=version,
                    trial=host.Command(
                        name=f'trial of {site.name}',
                        argv=(
                            'python3',
                            TRIAL,
                            site.script,
                            site.health or '/healthcheck',
                            site.home,
                        ),
                        key='',
                        user=site.user,
                        timeout_s=_TRIAL_S,
                    ),
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


@functools.cache
def _source(name: str) -> str:
    return importlib.resources.files('charmkit').joinpath(name).read_text()


def _unwanted() -> Iterable[str]:
    yield '/etc/apache2/sites-enabled/000-default.conf'
    yield from (f'/etc/apache2/conf-enabled/{name}.conf' for name in UNWANTED_CONFS)
    for name in UNWANTED_MODULES:
        yield from (f'/etc/apache2/mods-enabled/{name}.{kind}' for kind in ('conf', 'load'))
    yield '/etc/apache2/mods-enabled/reqtimeout.conf'  # Each site says its own.


def _check(path: str) -> tuple[str, ...]:
    return (CHECK, '{path}', path)


_SERVER_CONF = '/etc/apache2/conf-enabled/openstack.conf'

_SERVER = (
    NOTE
    + f"""ServerName localhost
ServerTokens Prod
ServerSignature Off
TraceEnable Off
KeepAlive On
# Longer than a load balancer keeps an idle connection: it is never the server that hangs up.
KeepAliveTimeout {limits.behind(limits.KEEP_ALIVE_S)}
MaxKeepAliveRequests 0
# A thread of Apache's own stands behind each request under way, also one that waits for its turn.
ThreadsPerChild 64
MaxRequestWorkers 1024
MinSpareThreads 64
MaxSpareThreads 256
WSGISocketPrefix /var/run/apache2/wsgi
WSGIRestrictEmbedded On
# A package that brings a new script does not renew processes: the charm does, half by half.
WSGIScriptReloading Off
WSGIDaemonProcess {HEALTH_GROUP} user=nobody group=nogroup home=/ processes=1 \\
    threads={_HEALTH_THREADS} display-name={HEALTH_GROUP} queue-timeout={limits.behind(limits.CHECK_S)} \\
    socket-timeout={limits.behind(limits.CHECK_S)} request-timeout={limits.behind(limits.CHECK_S)}
<Files {HEALTH.rpartition('/')[2]}>
    Require all granted
</Files>
"""
    + """LogFormat "%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t %a \\"%r\\" %>s %O %{us}T us %{X-Openstack-Request-Id}o %{X-Openstack-Request-Id}i \\"%{User-Agent}i\\"" openstack
ErrorLogFormat "%{cu}t %-m:%l [pid %P] [client %a] %M"
"""  # noqa: E501 -- a log format has no line breaks.
)

# Copied and truncated, since a reload would renew every process of every service.
_LOGROTATE = (
    NOTE
    + f"""{LOGS}/*.log /var/log/apache2/*.log {{
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
    NOTE
    + """[Unit]
Wants=network-online.target
After=network-online.target

[Service]
Restart=on-failure
RestartSec=2
"""
)


def _check_program(modules: Iterable[str]) -> str:
    return _CHECK.replace('@MODULES@', ' '.join(modules))


# The copy has what this configuration is about to have: modules on, the default site off.
_CHECK = """#!/bin/sh
# Written by the charm. apache-check NEW OLD: would Apache take the configuration with NEW in OLD's place?
set -eu
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cp -a /etc/apache2/. "$stage"
find "$stage" -name '.*.new' -delete
rm -f "$stage/sites-enabled/000-default.conf"
for module in @MODULES@; do
    ln -sf "../mods-available/$module.load" "$stage/mods-enabled/$module.load"
done
cp "$1" "$stage/${2#/etc/apache2/}"
export APACHE_CONFDIR="$stage" APACHE_ENVVARS="$stage/envvars"
if ! said=$(apache2ctl -t 2>&1); then
    echo "$said" | sed "s,$stage,/etc/apache2,g"
    exit 1
fi
"""
