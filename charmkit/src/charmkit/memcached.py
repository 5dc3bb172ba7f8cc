"""The token cache on the unit's own machine, as files. Pure.

A dead memcached is silent: every request still succeeds, many times slower, because each token is
checked at keystone anew. So systemd brings it back at once, and the charm looks at its port in
every run and says so when it had to start it.
"""

from __future__ import annotations

from . import host

SERVICE = 'memcached'
ADDRESS = '127.0.0.1'
PORT = 11211
_MOST_MIB = 512


def desired(memory_mib: int) -> host.Host:
    """A memcached that listens on loopback alone, sized for a machine of *memory_mib* MiB."""
    notify = (SERVICE,)
    return host.Host(
        packages=frozenset({'memcached'}),
        files=(
            host.File(
                path='/etc/memcached.conf',
                content=_NOTE
                + f'-u memcache\n-l {ADDRESS}\n-p {PORT}\n-U 0\n-m {size_mib(memory_mib)}\n'
                + '-c 4096\n-P /var/run/memcached/memcached.pid\n',
                notify=notify,
            ),
            host.File(
                path='/etc/systemd/system/memcached.service.d/openstack.conf',
                content=_NOTE
                + '[Unit]\nStartLimitIntervalSec=0\n\n[Service]\nRestart=always\nRestartSec=1\n',
                notify=notify,
            ),
        ),
        services=(host.SystemdService(SERVICE, probe=f'{ADDRESS}:{PORT}'),),
    )


def size_mib(memory_mib: int) -> int:
    """How much it may hold: a token takes a few KiB, so a sixty-fourth of the memory is plenty."""
    return min(max(memory_mib // 64, 64), _MOST_MIB)


_NOTE = '# Written by the charm: local changes are overwritten.\n'
