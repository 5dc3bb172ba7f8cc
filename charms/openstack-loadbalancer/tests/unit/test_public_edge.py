"""What an operator says of a public edge, and where in haproxy's configuration it gets to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from balancer import behaviour, configuration, layout, options, validation
from charmkit.proxy import config, edge, haproxy

UNIT = configuration.Unit(
    name='lb/0', requests_limit=50, logins_limit=5, peers={'lb/1': 'fd00::2', 'lb/0': '10.0.0.1'}
)
FRONTEND = layout.Frontend(
    name='keystone.public', service='keystone', types=('public',), addresses=('10.0.0.1',),
    vips=frozenset(), port=5000, protocol='http', behaviour=behaviour.TABLE['identity'], hosts=(),
    type='identity', backend='keystone.public',
)  # fmt: skip


def made(unit: configuration.Unit = UNIT, **change: Any) -> config.Config:
    frontend = dataclasses.replace(FRONTEND, **change)
    return configuration.configuration(layout.Layout(frontends=(frontend,)), unit)


def text(unit: configuration.Unit = UNIT, **change: Any) -> str:
    return haproxy.render(made(unit, **change)).text


def test_limits_hold_on_public_endpoints_and_those_of_passwords_where_one_logs_in():
    (public,) = made().frontends
    assert (public.requests_limit, public.logins_limit, public.public) == (50, 5, True)
    (internal,) = made(types=('internal', 'admin')).frontends
    assert (internal.requests_limit, internal.logins_limit, internal.public) == (0, 0, False)
    (other,) = made(type='image').frontends
    assert (other.requests_limit, other.logins_limit) == (50, 0)
    (shared,) = made(types=('public', 'internal')).frontends
    assert shared.requests_limit == 50


def test_units_share_what_they_count_and_only_then_listen_for_it():
    found = text()
    assert 'peers units\n    peer lb-0 10.0.0.1:8406\n    peer lb-1 [fd00::2]:8406\n' in found
    assert 'localpeer lb-0\n' in found
    assert found.count('expire 20s store http_req_rate(10s) peers units\n') == 1
    assert found.count('expire 120s store gpc0,gpc0_rate(60s) peers units\n') == 1
    none = text(dataclasses.replace(UNIT, requests_limit=0, logins_limit=0))
    assert '8406' not in none and 'stick-table' not in none and 'track-sc' not in none
    alone = text(dataclasses.replace(UNIT, peers={}))
    assert 'peers units' not in alone and alone.count('stick-table') == 2
    one = text(dataclasses.replace(UNIT, logins_limit=0))
    assert edge.REQUESTS in one and edge.LOGINS not in one


def test_a_client_is_counted_by_the_address_that_the_outside_load_balancer_says():
    lines = text(dataclasses.replace(UNIT, forwarded_from=('10.9.0.0/24',))).splitlines()
    real = next(n for n, x in enumerate(lines) if 'set-src hdr_ip' in x)
    counted = next(n for n, x in enumerate(lines) if 'track-sc0' in x)
    assert real < counted


def test_object_stores_log_in_by_user_and_key():
    usual, objects = text(), text(behaviour=behaviour.TABLE['object-store'], type='object-store')
    assert 'x-auth-(?!token$).*' in usual and 'x-auth-(?!token$|user$|key$).*' in objects


def test_the_log_goes_to_the_journal_and_where_the_operator_says():
    found = text(dataclasses.replace(UNIT, syslog=('192.0.2.7:514', '[2001:db8::7]:514')))
    assert '    log /dev/log len 8192 local0\n' in found
    assert '    log 192.0.2.7:514 len 8192 format rfc5424 local0\n' in found
    assert '    log [2001:db8::7]:514 len 8192 format rfc5424 local0\n' in found


def exposed(**exposure: Any) -> behaviour.Behaviour:
    data = {'exposure': exposure}
    return behaviour.overridden(behaviour.TABLE['identity'], data, 'identity', operator=True)


def test_methods_and_bodies_are_limited_by_type():
    found = exposed(
        **{'denied-methods': {'public': ['DELETE', 'PUT', 'DELETE']}, 'max-body': 4096}
    )
    assert '    http-request deny deny_status 405 if { method DELETE PUT }\n' in text(
        behaviour=found
    )
    assert 'content-length) gt 4096 }' in text(behaviour=found)
    inside = text(behaviour=found, types=('internal',))
    assert 'method DELETE' not in inside and 'content-length) gt 4096 }' in inside
    assert 'content-length' not in text()


@pytest.mark.parametrize(
    ('exposure', 'why'),
    [
        ({'denied-methods': {'public': ['delete']}}, 'denied-methods'),
        ({'denied-methods': {'outside': ['GET']}}, 'exposure'),
        ({'denied-methods': ['GET']}, 'denied-methods'),
        ({'denied-methods': {'public': ['GET }\n stats enable']}}, 'denied-methods'),
        ({'max-body': 0}, 'max-body'),
        ({'max-body': '1M'}, 'max-body'),
        ({'max-body': True}, 'max-body'),
    ],
)
def test_what_is_wrong_in_service_options_is_named(exposure: Any, why: str):
    with pytest.raises(validation.InvalidError, match=why):
        exposed(**exposure)


@pytest.mark.parametrize(
    ('name', 'value', 'good'),
    [
        ('rate-limit', 100, 0), ('rate-limit', 1_000_000, 0), ('login-limit', 100_000, 0),
        ('peers-port', 65535, 8406), ('syslog-to', '192.0.2.7:514 [2001:db8::7]:514 log.example.com:1', ''),
    ],
)  # fmt: skip
def test_good_values_are_taken(name: str, value: Any, good: Any):
    found = options.read({name: value}, {})
    assert found.problems == () and found.raw[name] == value != good


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('rate-limit', -1), ('rate-limit', 1_000_001), ('login-limit', -1),
        ('login-limit', 100_001), ('peers-port', 0), ('peers-port', 65536), ('syslog-to', '192.0.2.7'),
        ('syslog-to', '192.0.2.7:0'), ('syslog-to', ':514'), ('syslog-to', '192.0.2.7:x'),
        ('syslog-to', 'tcp@192.0.2.7:514'), ('syslog-to', ' '.join(['192.0.2.7:514'] * 5)),
        ('syslog-to', '[192.0.2.7:514'), ('syslog-to', '2001:db8::7:514'),
    ],
)  # fmt: skip
def test_bad_values_are_named_and_the_last_good_ones_stay(name: str, value: Any):
    good = {'rate-limit': 7, 'login-limit': 3, 'peers-port': 9999, 'syslog-to': '192.0.2.9:514'}
    found = options.read({name: value}, good)
    (problem,) = found.problems
    assert name in problem and 'its last good value is in force' in problem
    assert found.raw[name] == good[name]


def test_no_service_gets_the_port_on_which_counters_are_shared():
    for given in (
        {'rate-limit': 1},
        {},
    ):  # A limit that is set later takes no port from a service.
        assert options.read(given, {}).options.exposure.reserved_ports[8406] == 'peers-port'
