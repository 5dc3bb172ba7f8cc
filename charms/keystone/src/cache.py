"""Keystone's cache: what it may hold, for how long, and who can reach it. Pure.

Each unit has its own. What the validation of a token reads is cached: tokens, users, projects, roles and the catalogue;
what else people write and read back is not. What another unit changes is not found there any more
(:mod:`shared_regions`); where it cannot be told, or was not written through keystone's API, it is old for some seconds,
of roles for a minute.
Figures, and the other ways that were weighed: ``docs/adr/0018-what-keystone-caches.md``.

oslo.cache pickles its values: who can write one runs code as keystone. So it is a memcached of keystone's
own, on a Unix socket in a directory that nobody else may enter.
"""

from __future__ import annotations

from charmkit import conf, host

SERVICE = 'keystone-cache'
SOCKET = f'/run/{SERVICE}/socket'
CHANGES_S = 5
"""For how long something is cached, in seconds: what nobody tells the unit of is old for so long."""
ROLES_S = 60
"""The same, in seconds, of roles: keystone computes for 0.7 s on them, in each process at once when they expire."""
WRITTEN = (
    'application_credential',
    'credential',
    'domain_config',
    'trust',
    'unified_limit',
)
"""Sections of what people write and no validation of a token needs: each read asks the database."""
VALIDATED = {
    **dict.fromkeys(
        ('catalog', 'federation', 'identity', 'resource', 'revoke', 'token'), CHANGES_S
    ),
    'role': ROLES_S,
}
"""For how long, in seconds, each section of what a validation reads is cached. In 2025.1 `token` has which tokens are
not revoked, too."""
_MOST_MIB = 256

_UNIT = """\
# Written by the charm: local changes are overwritten.
[Unit]
Description=memcached of keystone alone
Before=apache2.service
StartLimitIntervalSec=0

[Service]
User=keystone
Group=keystone
RuntimeDirectory={name}
RuntimeDirectoryMode=0700
ExecStart=/usr/bin/memcached -s {socket} -a 0600 -m {mib} -c 4096
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def settings() -> conf.Ini:
    """What keystone.conf says of it."""
    return {
        'cache': {
            'enabled': True,
            'backend': 'dogpile.cache.memcached',
            'memcache_servers': f'unix:{SOCKET}',
            'memcache_dead_retry': 1,
            'memcache_socket_timeout': 1,
        },
        **{section: {'caching': False} for section in WRITTEN},
        **{section: {'cache_time': seconds} for section, seconds in VALIDATED.items()},
    }


def desired(memory_mib: int) -> host.Host:
    """The memcached, for a machine of *memory_mib* MiB."""
    unit = _UNIT.format(name=SERVICE, socket=SOCKET, mib=min(max(memory_mib // 64, 64), _MOST_MIB))
    return host.Host(
        files=(
            host.File(
                path=f'/etc/systemd/system/{SERVICE}.service', content=unit, notify=(SERVICE,)
            ),
        ),
        services=(host.SystemdService(SERVICE),),
    )
