"""Who can reach what keystone has cached."""

from __future__ import annotations

import pathlib
import re

import cache


def test_what_keystone_has_pickled_nobody_else_can_write():
    wanted = cache.desired(4096)
    (unit,) = wanted.files
    assert unit.path == f'/etc/systemd/system/{cache.SERVICE}.service'
    assert {'User=keystone', 'Group=keystone', 'RuntimeDirectoryMode=0700'} <= {
        *unit.content.splitlines()
    }
    (start,) = re.findall(r'ExecStart=(.*)', unit.content)
    words = start.split()
    folder = str(pathlib.PurePosixPath(cache.SOCKET).parent)
    assert folder == f'/run/{cache.SERVICE}'
    assert words[words.index('-s') + 1] == cache.SOCKET
    assert words[words.index('-a') + 1] == '0600'
    assert not {'-l', '-p', '-U'} & {*words}, 'it listens nowhere else'
    assert cache.settings()['cache']['memcache_servers'] == f'unix:{cache.SOCKET}'
