"""The cache's charm: memcached, for other units."""

from __future__ import annotations

import pathlib

import hooktools

CONF = pathlib.Path('/etc/memcached.conf')
TEXT = '-m 64\n-p 11211\n-u memcache\n-l 0.0.0.0\n'
RESTART = '[Service]\nRestart=always\nRestartSec=1\n[Unit]\nStartLimitIntervalSec=0\n'


def main() -> None:
    """Any hook."""
    if hooktools.HOOK == 'stop':
        hooktools.run('systemctl', 'disable', '--now', '--quiet', 'memcached')
        return
    if hooktools.HOOK == 'install':
        hooktools.install('memcached', 'nftables', 'iptables', 'libfaketime')
    again = pathlib.Path('/etc/systemd/system/memcached.service.d/again.conf')
    if hooktools.put(CONF, TEXT) | hooktools.put(again, RESTART):
        CONF.chmod(0o644)
        hooktools.run('systemctl', 'daemon-reload')
        hooktools.run('systemctl', 'restart', 'memcached')
    hooktools.say('cache', address=hooktools.address())
    hooktools.status('active', '')


main()
