"""Every field of the interface and every option, with texts made to hang a parser: each is looked at in bounded time.

The time limit is the test's own (``timeout``): a pattern that backtracks would take years here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import hypothesis.strategies as st
import pytest
from balancer import configuration, interface, layout, options, validation
from charmkit.proxy import haproxy
from charmkit.relations import Relation, loadbalancer
from hypothesis import HealthCheck, given, settings

from tests.examples import examples

CHUNKS = (
    'a', 'a.', '-', 'a-', '0', '9', '1.', '::', ':0', '%', '%2f', '/', './', '../', '//', ' ', '\n',
    '\\', '"', '{', '[', '&a ', 'é', '\u2028', '_', '10.0.0.0/8,', '200-', 'http://', '@',
)  # fmt: skip


def repeated(head: str, chunk: str, times: int, tail: str) -> str:
    return head + chunk * times + tail


EVIL: st.SearchStrategy[str] = st.builds(
    repeated,
    st.sampled_from(('', 'a', '/', '10.0.0.1', 'public=', '200')),
    st.sampled_from(CHUNKS),
    st.sampled_from((1, 3, 30, 60, 61, 250, 5000, 100_000)),
    st.sampled_from(('', '_', '!', '\n', 'a')),
)
ANYTHING: list[Any] = [['[' * 10_000], [{'a': [[[[]]]]}], list(range(2000)), {'x' * 70_000: 1}]
DEEP = st.sampled_from(ANYTHING)
ODD: st.SearchStrategy[Any] = EVIL | DEEP | st.integers() | st.floats() | st.booleans() | st.none()

FIELDS: tuple[tuple[str, ...], ...] = (
    ('service-name',), ('service-type',), ('frontend-port',), ('check-type',), ('protocol',),
    ('endpoint-types',), ('path',), ('hostnames',), ('hostnames', 'public'), ('check',),
    ('check', 'method'), ('check', 'path'), ('check', 'expect'), ('check', 'host'),
    ('check', 'port'), ('check', 'interval-ms'), ('check', 'fall'), ('check', 'rise'),
    ('check', 'timeout-ms'), ('balance',), ('timeouts',), ('timeouts', 'client'),
    ('timeouts', 'server'), ('timeouts', 'queue'), ('timeouts', 'tunnel'), ('maxconn',),
    ('maxconn', 'frontend'), ('maxconn', 'server'), ('retry',), ('exposure',),
    ('exposure', 'public'), ('exposure', 'denied-paths'), ('exposure', 'denied-paths', 'public'),
    ('exposure', 'allowed-cidrs'), ('exposure', 'allowed-cidrs', 'public'), ('min-ready',),
)  # fmt: skip
UNIT_FIELDS = (
    'service-name', 'backend-ip', 'backend-port', 'addresses', 'weight', 'zone', 'backup', 'tls',
    'maxconn',
)  # fmt: skip
LIFECYCLE_FIELDS = ('state', 'token', 'reason', 'deadline-s', 'on-deadline', 'force', 'beat')
KEYSTONE = loadbalancer.Api(
    name='keystone', type='identity', frontend_port=5000, backend_port=4990, path='/v3'
)
AROUND = layout.Surroundings(bindings={'public': layout.Binding(addresses=('10.1.0.5',))})

bounded = pytest.mark.timeout(60)
many = settings(
    max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    if len(path) == 1:
        return {**data, path[0]: value}
    inner: Any = data.get(path[0])
    return {**data, path[0]: put(inner if isinstance(inner, dict) else {}, path[1:], value)}  # pyright: ignore


def relation(app: Any = None, unit: Any = None, lifecycle: Any = None) -> Relation:
    ready = loadbalancer.Lifecycle(state='ready', token='t')
    app_data = dict(loadbalancer.app_request([KEYSTONE], 'public'))
    bag = {
        'ingress-address': '10.9.0.1',
        **loadbalancer.unit_request([KEYSTONE], 'public', ['10.9.0.1'], ready),
    }
    if app is not None:
        app_data['endpoints'] = json.dumps([put(json.loads(app_data['endpoints'])[0], *app)])
    if unit is not None:
        bag['endpoints'] = json.dumps([put(json.loads(bag['endpoints'])[0], *unit)])
    if lifecycle is not None:
        bag['lifecycle'] = json.dumps(put(json.loads(bag['lifecycle']), *lifecycle))
    return Relation(
        id=1, name='backend', app='keystone', app_data=app_data, units={'keystone/0': bag}
    )


def taken_or_refused(r: Relation) -> None:
    got = interface.parse(r)
    if isinstance(got, interface.Refusal):
        assert got.reason.isprintable()
        assert len(got.reason) < 500
        return
    assert all(why.isprintable() and len(why) < 500 for why in got.refused_units.values())
    what = layout.lay_out([got], AROUND)
    text = haproxy.render(configuration.configuration(what, configuration.Unit(name='lb/0')))
    assert text.text.isascii()
    assert all(len(line.split()) <= 64 for line in text.text.splitlines())
    assert not re.search(r'^\s*(stats admin|evil)', text.text, re.MULTILINE)


@bounded
@many
@given(st.sampled_from(FIELDS), ODD | st.lists(EVIL, max_size=3))
def test_each_field_of_an_application(field: tuple[str, ...], value: Any) -> None:
    taken_or_refused(relation(app=(field, value)))


@bounded
@many
@given(st.sampled_from(UNIT_FIELDS), ODD | st.lists(EVIL, max_size=3))
def test_each_field_of_a_unit(field: str, value: Any) -> None:
    taken_or_refused(relation(unit=((field,), value)))


@bounded
@many
@given(st.sampled_from(LIFECYCLE_FIELDS), ODD)
def test_each_field_of_a_lifecycle(field: str, value: Any) -> None:
    taken_or_refused(relation(lifecycle=((field,), value)))


@bounded
@many
@given(st.sampled_from(('endpoints', 'interface-versions')), EVIL)
def test_what_is_not_even_json(key: str, text: str) -> None:
    r = relation()
    bag = {**r.units['keystone/0'], key: text, 'lifecycle': text, 'egress-subnets': text}
    got = interface.parse(
        Relation(id=1, name='backend', app='x', app_data={key: text}, units={'x/0': bag})
    )
    assert isinstance(got, interface.Request | interface.Refusal)


@bounded
@many
@given(st.sampled_from(options.NAMES), ODD)
def test_each_option(name: str, value: Any) -> None:
    held = options.read({name: value}, options.read({}, {}).raw)
    assert held.complete
    assert all(p.isprintable() and len(p) < 600 for p in held.problems)


@bounded
@many
@given(st.text(alphabet=''.join(sorted({c for x in CHUNKS for c in x})), max_size=200))
def test_service_options_of_any_text(text: str) -> None:
    assert options.read({'service-options': text}, options.read({}, {}).raw).complete


BACKTRACKS = r'(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?)+'
"""What the host names of relations were once read with."""


def test_the_pattern_that_hung_is_caught_by_a_time_limit() -> None:
    look = 'import re, sys; re.fullmatch(sys.argv[1], sys.argv[2])'
    argv = (sys.executable, '-c', look, BACKTRACKS, 'a' * 60 + '_')
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(argv, timeout=3, check=False)
    with pytest.raises(validation.InvalidError):
        validation.hostname('a' * 60 + '_', 'x')
