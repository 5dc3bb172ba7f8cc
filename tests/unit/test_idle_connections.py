"""Who hangs up an idle connection: never the service, whose load balancer may be about to ask."""

from __future__ import annotations

import pathlib
import re

import pytest
from charmkit import apache, vip

BALANCER = pathlib.Path(__file__).parents[2] / 'charms/openstack-loadbalancer/src/balancer'
HAPROXIES = {
    'load balancer': (BALANCER / 'haproxy_cfg.py').read_text(),
    "unit's own": vip.haproxy_cfg((), {}, {}),
}
PURGED_S = 30
"""haproxy closes connections that it needs no more, half of them every five seconds (``pool-purge-delay``): the last of
eight after 25 s (haproxy 2.6, whether the clients kept theirs or not). The load balancer's delay is two seconds."""


def seconds(pattern: str, text: str) -> int:
    (found,) = re.findall(pattern, text)
    return int(found)


@pytest.mark.parametrize('name', HAPROXIES)
def test_apache_keeps_an_idle_connection_longer_than_any_haproxy_before_it(name: str):
    files = apache.desired((), running=True).files
    server = next(f.content for f in files if f.path.endswith('/openstack.conf'))
    apache_s = seconds(r'\nKeepAliveTimeout (\d+)\n', server)
    assert apache_s > seconds(r'timeout http-keep-alive (\d+)s', HAPROXIES[name])
    assert apache_s > PURGED_S
