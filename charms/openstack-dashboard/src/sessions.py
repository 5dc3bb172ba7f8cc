"""Who is logged in: kept in a database that all units share, else in the memcached of the only unit. Pure.

Why so: docs/adr/0025. Sources: Django's documentation of sessions and of the setting ``DATABASES``.
"""

from __future__ import annotations

from collections.abc import Mapping

import charmkit
from charmkit import conf, host, mysql, relations

MANAGE = '/usr/share/openstack-dashboard/manage.py'
CLEAR = 'horizon-clear-sessions'
_UNITS = f'/etc/systemd/system/{CLEAR}'
_BACKENDS = 'django.contrib.sessions.backends'


def settings(db: mysql.Database | None) -> Mapping[str, object]:
    """Where sessions are, and whatever else may be forgotten."""
    cache = {
        'BACKEND': 'django.core.cache.backends.memcached.PyMemcacheCache',
        'LOCATION': conf.MEMCACHED,
    }
    if db is None:
        return {'CACHES': {'default': cache}, 'SESSION_ENGINE': f'{_BACKENDS}.cache'}
    server = {
        'ENGINE': 'django.db.backends.mysql',
        'HOST': db.host,
        'NAME': db.name,
        'USER': db.user,
        'PASSWORD': db.password,
        'OPTIONS': {'charset': 'utf8mb4', 'connect_timeout': 5},
    }
    return {
        'CACHES': {'default': cache},
        'DATABASES': {'default': server},
        'SESSION_ENGINE': f'{_BACKENDS}.db',
    }


def not_alone(inputs: charmkit.Inputs, relation: str) -> str:
    """Without a database the first unit alone may serve: what one memcached holds no other unit knows."""
    first = min((inputs.site.unit, *inputs.peer_units), key=relations.unit_order)
    if inputs.of(relation) or inputs.site.unit == first:
        return ''
    return f'sessions are in the memcached of {first}: more units need a database (relation {relation})'


def clearing(*, kept: bool) -> host.Host:
    """A timer that deletes from the database, once a day, the sessions that are over: nothing else does."""
    timer = f'{CLEAR}.timer'
    if not kept:
        gone = tuple(host.Absent(path=f'{_UNITS}.{kind}') for kind in ('service', 'timer'))
        return host.Host(absent=gone, services=(host.SystemdService(timer, 'stopped'),))
    return host.Host(
        files=(
            host.File(path=f'{_UNITS}.service', content=_SERVICE),
            host.File(path=f'{_UNITS}.timer', content=_TIMER, notify=(timer,)),
        ),
        services=(host.SystemdService(timer),),
    )


_NOTE = '# Written by the charm: local changes are overwritten.\n'
_SERVICE = f"""{_NOTE}[Unit]
Description=Delete sessions of the dashboard that are over

[Service]
Type=oneshot
User=horizon
ExecStart={MANAGE} clearsessions
"""
_TIMER = f"""{_NOTE}[Unit]
Description=Delete sessions of the dashboard that are over, daily

[Timer]
OnCalendar=daily
RandomizedDelaySec=3h
Persistent=true

[Install]
WantedBy=timers.target
"""
