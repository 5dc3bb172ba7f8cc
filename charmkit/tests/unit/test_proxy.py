"""haproxy's and keepalived's files, as goldens: everything that a configuration can say, once."""

from __future__ import annotations

import dataclasses

import pytest
from charmkit.proxy import config, haproxy, keepalived, programs
from syrupy.assertion import SnapshotAssertion

PLAIN = config.Frontend(name='plain', binds=(config.Bind('10.0.0.9', 80),), backend='plain')
RICH = config.Frontend(
    name='rich',
    binds=(config.Bind('203.0.113.9', 443), config.Bind('fd00::9', 443, moves=True)),
    backend='rich',
    client_ms=61_000,
    maxconn=500,
    hosts=(
        config.Host('cloud.example', 443, 'https'),
        config.Host('203.0.113.9', 8774),
        config.Host('fd00::9', 80),
    ),
    denied_paths=config.HIDDEN_PATHS,
    allowed=('10.0.0.0/8', 'fd00::/8'),
    keep_underscores=True,
    literal_paths=True,
    small_bodies=True,
    proxy_protocol_from=('192.0.2.0/24',),
    forwarded_from=('198.51.100.0/24',),
)
OPEN = dataclasses.replace(PLAIN, name='open', strict_hosts=False, allowed=())
TCP = config.Frontend(
    name='console', binds=(config.Bind('10.0.0.9', 6080),), backend='console', mode='tcp',
    client_ms=3_600_000, allowed=('10.0.0.0/8',),
)  # fmt: skip
SERVERS = (
    config.Server(name='demo-0', address='10.0.0.2', port=8774, maxconn=16),
    config.Server(name='demo-1', address='fd00::3', port=8774, weight=50, disabled=True),
    config.Server(name='demo-2', address='10.0.0.4', port=8774, backup=True),
)
BACKENDS = (
    config.Backend(name='plain', servers=SERVERS[:1]),
    config.Backend(
        name='rich', servers=SERVERS, host='cloud.example', balance='source-consistent', server_ms=60_000,
        queue_ms=7000, tunnel_ms=90_000, retry='none',
        check=config.Check(method='HEAD', path='/alive', expect=('200-299', '404'), port=9000, interval_ms=1000,
                           fall=4, rise=1, timeout_ms=900, tls=True),
    ),
    config.Backend(name='open', servers=(), balance='roundrobin', retry='conn',
                   check=config.Check(host='health.example')),
    config.Backend(name='console', servers=SERVERS[1:], mode='tcp', tunnel_ms=3_600_000,
                   check=config.Check(tcp=True)),
)  # fmt: skip
WHOLE = config.Config(
    unit='lb/3',
    ready=config.Ready(
        port=8799,
        addresses=('10.0.0.9',),
        guarded=('203.0.113.9',),
        sources=('203.0.113.1',),
        in_service=False,
    ),
    frontends=(PLAIN, RICH, OPEN, TCP),
    backends=BACKENDS,
    metrics=(config.Bind('10.0.0.9', 9100), config.Bind('fd00::9', 9100)),
    maxconn=1000,
    descriptors=5000,
    threads=3,
    log_requests=True,
    keep_states=True,
)


def text(what: config.Config) -> str:
    found = haproxy.render(what)
    lists = [f'==> {path}\n{items}' for path, items in sorted(found.lists.items())]
    return '\n'.join([found.text, *lists])


def test_everything_that_a_configuration_can_say(snapshot: SnapshotAssertion):
    assert text(WHOLE) == snapshot


def test_what_a_configuration_says_by_itself(snapshot: SnapshotAssertion):
    least = config.Config(unit='demo/0', ready=config.Ready(port=8799))
    assert text(least) == snapshot


INSTANCE = keepalived.Instance(
    unit='demo/2',
    vips=(
        keepalived.Vip(address='203.0.113.99', prefix=24, interface='eth1'),
        keepalived.Vip(address='10.0.0.99', prefix=24, interface='eth0'),
        keepalived.Vip(address='fd00::99', prefix=64, interface='eth0'),
    ),
    address='203.0.113.2',
    peers=('203.0.113.12', '10.0.0.12', '203.0.113.4', 'fd00::4', '203.0.113.12'),
    others=('demo/10', 'demo/1'),
    router_id=77,
)


def test_everything_that_it_can_say_of_tls(snapshot: SnapshotAssertion):
    tls = config.Tls(folders=('/certificates/public', '/certificates/admin'), minimum='1.3')
    ends = dataclasses.replace(RICH, tls=dataclasses.replace(tls, strict_transport_s=3600))
    both = dataclasses.replace(RICH, name='both', tls=dataclasses.replace(tls, plain_too=True))
    over = dataclasses.replace(PLAIN, name='over', tls=tls, changed_over=True)
    back = dataclasses.replace(PLAIN, name='back', changed_over=True)
    what = dataclasses.replace(WHOLE, frontends=(ends, both, over, back), ends=('public', 'admin'))
    assert text(what) == snapshot


def test_who_holds_the_vips(snapshot: SnapshotAssertion):
    assert keepalived.render(INSTANCE) == snapshot


def test_a_unit_advertises_from_its_own_address_to_the_others_in_that_network_alone():
    said = keepalived.render(INSTANCE)
    assert 'unicast_src_ip 203.0.113.2\n' in said
    peers = said.split('unicast_peer {')[1].split('}')[0].split()
    assert peers == ['203.0.113.12', '203.0.113.4']


@pytest.mark.parametrize(
    ('unit', 'priority'), [('demo/1', 200), ('demo/2', 199), ('demo/10', 198)]
)
def test_the_unit_with_the_lowest_number_comes_first(unit: str, priority: int):
    every = {'demo/1', 'demo/2', 'demo/10'}
    one = dataclasses.replace(INSTANCE, unit=unit, others=tuple(every - {unit}))
    assert f'priority {priority}\n' in keepalived.render(one)


def test_keepalived_takes_up_its_file_and_without_a_part_it_has_none():
    wanted = keepalived.desired(INSTANCE, 8799)
    (file,) = [f for f in wanted.files if f.path == keepalived.PATH]
    assert (file.notify, file.mode) == (('keepalived',), 0o640)
    assert {s.name: (s.state, s.on_change) for s in wanted.services}['keepalived'] == ('running', 'reload')  # fmt: skip
    assert keepalived.desired(None, 8799) == keepalived.ABSENT


def test_a_program_that_is_killed_is_started_again_at_once_and_as_often_as_that_may_be():
    written = {
        file.path: {*file.content.splitlines()}
        for wanted in (programs.beside_haproxy(), programs.beside_keepalived(8404))
        for file in wanted.files
    }
    assert {'Restart=always', 'RestartSec=100ms', 'StartLimitIntervalSec=0'} <= written[
        programs.HAPROXY_DROP_IN
    ]
    assert {'Restart=always', 'RestartSec=1', 'StartLimitIntervalSec=0'} <= written[
        programs.KEEPALIVED_DROP_IN
    ]
