"""Who hangs up an idle connection: never the service, whose load balancer may be about to ask."""

from __future__ import annotations

import re

from charmkit import apache
from charmkit.proxy import config, haproxy

PURGES = 5
"""haproxy closes connections that it needs no more, half of them each ``pool-purge-delay``: the last of eight after
five (haproxy 2.6, whether the clients kept theirs or not)."""


def seconds(pattern: str, text: str) -> int:
    (found,) = re.findall(pattern, text)
    return int(found)


def test_apache_keeps_an_idle_connection_longer_than_any_haproxy_before_it():
    text = haproxy.render(config.Config(unit='lb/0', ready=config.Ready(port=1))).text
    files = apache.desired((), running=True).files
    server = next(f.content for f in files if f.path.endswith('/openstack.conf'))
    apache_s = seconds(r'\nKeepAliveTimeout (\d+)\n', server)
    assert apache_s > seconds(r'timeout http-keep-alive (\d+)s', text)
    assert apache_s > PURGES * seconds(r'pool-purge-delay (\d+)s', text)
