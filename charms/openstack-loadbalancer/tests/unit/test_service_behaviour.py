"""How a kind of service is checked, timed and balanced, and what a relation or the operator may change of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from balancer import behaviour, validation
from balancer.behaviour import Behaviour, overridden
from charmkit.proxy.config import Check

PLAIN = Behaviour()


def changed(
    data: dict[str, Any], base: Behaviour = PLAIN, *, operator: bool = False
) -> dict[str, Any]:
    """What *data* makes of *base*: the fields that differ, those of the check among them by their own names."""
    after = overridden(base, data, 'image', operator=operator)
    out = {
        f.name: getattr(after, f.name)
        for f in dataclasses.fields(base)
        if f.name != 'check' and getattr(after, f.name) != getattr(base, f.name)
    }
    checks = {
        f.name: getattr(after.check, f.name)
        for f in dataclasses.fields(base.check)
        if getattr(after.check, f.name) != getattr(base.check, f.name)
    }
    return {**out, **({'check': checks} if checks else {})}


def complaint(data: dict[str, Any], *, operator: bool = False) -> str:
    with pytest.raises(validation.InvalidError) as wrong:
        overridden(PLAIN, data, 'image', operator=operator)
    return str(wrong.value)


# The table.


@pytest.mark.parametrize(
    ('kind', 'check'),
    [
        ('identity', Check(path='/healthcheck', expect=('200',))),
        ('compute', Check(path='/', expect=('200', '300'))),
        ('placement', Check(path='/', expect=('200', '300'))),
        ('dashboard', Check(path='/auth/login/', expect=('200',))),
        ('reservation', Check(method='OPTIONS', path='/', expect=('401', '200'))),
        ('novnc', Check(path='/vnc.html', expect=('200',))),
        ('serial', Check(path='/', expect=('405', '200', '400'))),
        ('what nobody knows', Check(path='/', expect=('200-499',))),
    ],
)
def test_each_kind_is_well_when_it_answers_as_it_does_when_it_is_well(
    kind: str, check: Check
) -> None:
    assert behaviour.of_type(kind).check == check


def test_connections_that_are_passed_on_may_be_silent_and_are_only_connected_to() -> None:
    base = dataclasses.replace(behaviour.of_type('identity'), balance='roundrobin')
    assert behaviour.of_connections(base) == dataclasses.replace(
        base,
        check=Check(tcp=True),
        client_ms=3_600_000,
        server_ms=3_600_000,
        tunnel_ms=3_600_000,
        server_maxconn=0,
        small_bodies=False,
    )


# What may be said by either.

SAYS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({'balance': 'roundrobin'}, {'balance': 'roundrobin'}),
    ({'balance': 'source-consistent'}, {'balance': 'source-consistent'}),
    ({'retry': 'none'}, {'retry': 'none'}),
    ({'retry': 'conn'}, {'retry': 'conn'}),
    (
        {'timeouts': {'client': '1s', 'server': '2s', 'queue': '3s', 'tunnel': '4s'}},
        {'client_ms': 1000, 'server_ms': 2000, 'queue_ms': 3000, 'tunnel_ms': 4000},
    ),
    ({'timeouts': {'client': None, 'server': '2s'}}, {'server_ms': 2000}),
    ({'maxconn': {'frontend': 1}}, {'frontend_maxconn': 1}),
    ({'maxconn': {'frontend': 1_000_000, 'server': None}}, {'frontend_maxconn': 1_000_000}),
    (
        {'exposure': {'denied-paths': {'public': ['/a', '/b'], 'admin': ['/c']}}},
        {'denied_paths': {'public': ('/a', '/b'), 'admin': ('/c',)}},
    ),
    (
        {'exposure': {'allowed-cidrs': {'internal': ['10.0.0.0/8', '192.0.2.1'], 'public': []}}},
        {'allowed_cidrs': {'internal': ('10.0.0.0/8', '192.0.2.1/32'), 'public': ()}},
    ),
    ({'exposure': {'public': False}}, {'not_public': True}),
    ({'exposure': {'public': None}}, {}),
    ({'check': {'method': 'HEAD'}}, {'check': {'method': 'HEAD'}}),
    ({'check': {'method': 'OPTIONS'}}, {'check': {'method': 'OPTIONS'}}),
    ({'check': {'method': None, 'path': '/x'}}, {'check': {'path': '/x'}}),
    ({'check': {'expect': ['200-399', 404]}}, {'check': {'expect': ('200-399', '404')}}),
    ({'check': {'host': 'cloud.example'}}, {'check': {'host': 'cloud.example'}}),
    ({'check': {'port': 81}}, {'check': {'port': 81}}),
    (
        {'check': {'interval-ms': 100, 'timeout-ms': 100, 'fall': 1, 'rise': 1}},
        {'check': {'interval_ms': 100, 'timeout_ms': 100, 'fall': 1, 'rise': 1}},
    ),
    (
        {'check': {'interval-ms': 3_600_000, 'timeout-ms': 600_000, 'fall': 100, 'rise': 100}},
        {'check': {'interval_ms': 3_600_000, 'timeout_ms': 600_000, 'fall': 100, 'rise': 100}},
    ),
]


@pytest.mark.parametrize('operator', [False, True])
@pytest.mark.parametrize(('data', 'change'), SAYS)
def test_a_relation_and_the_operator_change_what_they_say_and_nothing_else(
    data: dict[str, Any], change: dict[str, Any], operator: bool
) -> None:
    assert changed(data, operator=operator) == change


def test_only_the_operators_own_limit_holds_against_a_units_word() -> None:
    data = {'maxconn': {'server': 7}}
    assert changed(data) == {'server_maxconn': 7}
    assert changed(data, operator=True) == {'server_maxconn': 7, 'maxconn_is_the_operators': True}


def test_what_is_denied_already_stays_denied_and_what_is_allowed_is_said_anew() -> None:
    base = dataclasses.replace(
        PLAIN,
        denied_paths={'public': ('/a',), 'admin': ('/z',)},
        allowed_cidrs={'public': ('10.0.0.0/8',), 'admin': ('10.1.0.0/16',)},
    )
    how = {'denied-paths': {'public': ['/b']}, 'allowed-cidrs': {'public': ['192.0.2.0/24']}}
    after = overridden(base, {'exposure': how}, 'image')
    assert after.denied_paths == {'public': ('/a', '/b'), 'admin': ('/z',)}
    assert after.allowed_cidrs == {'public': ('192.0.2.0/24',), 'admin': ('10.1.0.0/16',)}


@pytest.mark.parametrize(
    ('shut', 'public', 'operator', 'after'),
    [
        (False, False, False, True),
        (False, True, False, False),
        (True, True, False, True),  # Only the operator can open it.
        (True, True, True, False),
        (False, False, True, True),
        (True, None, True, True),
        (True, None, False, True),
    ],
)
def test_a_relation_can_shut_a_service_and_the_operator_can_open_it_too(
    shut: bool, public: bool | None, operator: bool, after: bool
) -> None:
    base = dataclasses.replace(PLAIN, not_public=shut)
    data = {'exposure': {'public': public}}
    assert overridden(base, data, 'image', operator=operator).not_public is after


@pytest.mark.parametrize(
    ('check', 'connects'),
    [
        ({'path': '/x'}, False),
        ({'method': 'HEAD'}, False),
        ({'expect': ['204']}, False),
        ({'port': 81}, True),
        ({'fall': 9}, True),
        ({}, True),
    ],
)
def test_who_says_what_is_asked_for_has_it_asked_where_there_was_only_a_connection(
    check: dict[str, Any], connects: bool
) -> None:
    base = behaviour.of_connections(PLAIN)
    assert overridden(base, {'check': check}, 'image').check.tcp is connects


# What may not be.

NO_NETWORK = 'is not a network such as 10.0.0.0/24'


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        ({'balance': 'first'}, "image balance is none of leastconn, roundrobin, source-consistent: 'first'"),
        ({'retry': 'all'}, "image retry is none of none, conn, safe: 'all'"),
        ({'timeouts': []}, 'image timeouts is not an object: []'),
        ({'timeouts': {'queue': '1'}}, "image timeouts queue is not a time such as 60s: '1'"),
        ({'maxconn': 5}, 'image maxconn is not an object: 5'),
        ({'maxconn': {'server': 0}}, 'image maxconn server is not a number from 1 to 1000000: 0'),
        ({'maxconn': {'frontend': 1_000_001}}, 'image maxconn frontend is not a number from 1 to 1000000: 1000001'),
        ({'exposure': 'none'}, "image exposure is not an object: 'none'"),
        ({'exposure': {'denied-paths': []}}, 'image exposure denied-paths is not an object: []'),
        ({'exposure': {'denied-paths': {'public': '/a'}}}, "image exposure denied-paths is not a list: '/a'"),
        ({'exposure': {'denied-paths': {'public': ['a']}}}, "image exposure denied-paths is not allowed: 'a'"),
        ({'exposure': {'denied-paths': {'all': ['/a']}}}, "image exposure is none of public, internal, admin: 'all'"),
        ({'exposure': {'allowed-cidrs': [1]}}, 'image exposure allowed-cidrs is not an object: [1]'),
        ({'exposure': {'allowed-cidrs': {'public': 'x'}}}, "image exposure allowed-cidrs is not a list: 'x'"),
        ({'exposure': {'allowed-cidrs': {'public': ['x']}}}, f"image exposure allowed-cidrs {NO_NETWORK}: 'x'"),
        ({'exposure': {'allowed-cidrs': {'all': []}}}, "image exposure is none of public, internal, admin: 'all'"),
        ({'exposure': {'public': 'yes'}}, "image exposure public is neither true nor false: 'yes'"),
        ({'check': '/x'}, "image check is not an object: '/x'"),
        ({'check': {'method': 'POST'}}, "image check method is none of GET, HEAD, OPTIONS: 'POST'"),
        ({'check': {'path': 'x'}}, "image check path is not allowed: 'x'"),
        ({'check': {'expect': '200'}}, "image check expect is not a list: '200'"),
        ({'check': {'expect': []}}, 'image check expect is empty'),
        ({'check': {'expect': ['600']}}, "image check expect is not allowed: '600'"),
        ({'check': {'expect': ['200'] * 17}}, 'image check expect has more than 16 items'),
        ({'check': {'host': 'a b'}}, "image check host is not allowed: 'a b'"),
        ({'check': {'port': 0}}, 'image check port is not a number from 1 to 65535: 0'),
        ({'check': {'interval-ms': 99}}, 'image check interval-ms is not a number from 100 to 3600000: 99'),
        ({'check': {'interval-ms': 3_600_001}}, 'image check interval-ms is not a number from 100 to 3600000: 3600001'),
        ({'check': {'timeout-ms': 99}}, 'image check timeout-ms is not a number from 100 to 600000: 99'),
        ({'check': {'timeout-ms': 600_001}}, 'image check timeout-ms is not a number from 100 to 600000: 600001'),
        ({'check': {'fall': 0}}, 'image check fall is not a number from 1 to 100: 0'),
        ({'check': {'fall': 101}}, 'image check fall is not a number from 1 to 100: 101'),
        ({'check': {'rise': 0}}, 'image check rise is not a number from 1 to 100: 0'),
        ({'check': {'rise': 101}}, 'image check rise is not a number from 1 to 100: 101'),
    ],
)  # fmt: skip
@pytest.mark.parametrize('operator', [False, True])
def test_what_may_not_be_is_named_where_it_stands(
    data: dict[str, Any], said: str, operator: bool
) -> None:
    assert complaint(data, operator=operator) == said


def test_sixteen_statuses_are_not_too_many() -> None:
    assert changed({'check': {'expect': ['201'] * 16}}) == {'check': {'expect': ('201',) * 16}}


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        (
            {'chek': {}},
            "image has no 'chek'; there are balance, check, exposure, maxconn, retry, timeouts, urls",
        ),
        (
            {'check': {'status': 200}},
            "image check has no 'status'; there are expect, fall, "
            'host, interval-ms, method, path, port, rise, timeout-ms',
        ),
        (
            {'timeouts': {'sever': '1s'}},
            "image timeouts has no 'sever'; there are client, queue, server, tunnel",
        ),
        ({'maxconn': {'unit': 1}}, "image maxconn has no 'unit'; there are frontend, server"),
        (
            {'exposure': {'denied': {}}},
            "image exposure has no 'denied'; there are allowed-cidrs, denied-methods, denied-paths, max-body, public",
        ),
    ],
)
def test_a_key_that_is_not_known_is_refused_of_an_operator_and_passed_over_of_a_relation(
    data: dict[str, Any], said: str
) -> None:
    assert complaint(data, operator=True) == said
    assert changed(data) == {}


@pytest.mark.parametrize('nothing', [None, {}, []])
def test_an_operator_who_allows_nothing_of_any_type_is_asked_what_is_meant(nothing: Any) -> None:
    data = {'exposure': {'allowed-cidrs': nothing}}
    assert complaint(data, operator=True) == (
        'image exposure allowed-cidrs says nothing of any endpoint type; wanted: `{public: []}`, '
        'which lets nobody in, or networks'
    )


def test_a_relation_that_allows_nothing_of_any_type_changes_nothing() -> None:
    assert changed({'exposure': {'allowed-cidrs': {}}}) == {}
