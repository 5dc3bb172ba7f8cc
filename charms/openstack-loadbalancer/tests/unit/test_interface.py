"""What relations say: read where it is right, refused by name where it is not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from balancer import answer, behaviour, checked, haproxy_cfg, interface, layout, options
from charmkit.relations import Relation, loadbalancer
from hypothesis import given

PUBLIC = layout.Binding(addresses=('10.1.0.5', '2001:db8::5'), vips=('10.1.0.100',))
INTERNAL = layout.Binding(addresses=('10.2.0.5',))
ADMIN = layout.Binding(addresses=('10.3.0.5',))
BINDINGS = {'public': PUBLIC, 'internal': INTERNAL, 'admin': ADMIN}
KEYSTONE = loadbalancer.Service(
    name='keystone', type='identity', frontend_port=5000, backend_port=4990, path='/v3'
)
MACHINE = haproxy_cfg.Machine(unit='lb/0')


def relation(
    i: int = 1,
    app: str = 'keystone',
    service: loadbalancer.Service = KEYSTONE,
    t: Any = 'public',
    **changes: Any,
) -> Relation:
    ready = loadbalancer.Lifecycle(state='ready', token='t')
    app_data = dict(loadbalancer.app_request([service], t))
    if changes:
        app_data['endpoints'] = json.dumps([{**json.loads(app_data['endpoints'])[0], **changes}])
    return Relation(
        id=i,
        name='backend',
        app=app,
        app_data=app_data,
        units={
            f'{app}/{k}': loadbalancer.unit_request([service], t, [f'10.9.{i}.{k + 1}'], ready)
            for k in range(2)
        },
    )


def parsed(r: Relation) -> interface.Request:
    found = interface.parse(r)
    assert isinstance(found, interface.Request), found
    return found


def laid_out(*relations: Relation, **rules: Any) -> layout.Layout:
    return layout.lay_out([parsed(r) for r in relations], BINDINGS, layout.Rules(**rules))


def test_a_charm_is_read_as_it_wrote() -> None:
    got = parsed(relation())
    assert got.version == 2
    assert [(e.service, e.type, e.port, e.types) for e in got.endpoints] == [
        ('keystone', 'identity', 5000, ('public',))
    ]
    assert [(s.name, s.address, s.port) for s in got.servers] == [
        ('keystone-0', '10.9.1.1', 4990),
        ('keystone-1', '10.9.1.2', 4990),
    ]
    assert got.lifecycles['keystone/0'].state == 'ready'


def test_version_1_is_read_too() -> None:
    r = Relation(
        id=1,
        name='loadbalancer',
        app='ceph-dashboard',
        app_data={'endpoints': '[{"service-name": "ceph-dashboard", "frontend-port": 8443}]'},
        units={
            'ceph-dashboard/0': {
                'endpoints': '[{"service-name": "ceph-dashboard", "backend-port": 8443,'
                ' "backend-ip": "10.9.0.1"}]'
            }
        },
    )
    got = parsed(r)
    assert (got.version, got.endpoints[0].protocol) == (1, 'tcp')
    assert got.endpoints[0].behaviour.check.tls
    assert not got.lifecycles


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'frontend-port': '80\n    stats admin if TRUE'}, 'frontend-port is not a number'),
        ({'frontend-port': 0}, 'frontend-port'),
        ({'frontend-port': True}, 'frontend-port'),
        ({'service-name': 'a b'}, 'service-name is not allowed'),
        ({'service-name': 'a\nb'}, 'service-name is not allowed'),
        ({'service-type': 'identity}'}, 'service-type is not allowed'),
        ({'path': '/v3 if TRUE'}, 'path is not allowed'),
        ({'check': {'path': '/x\r\nHost: evil'}}, 'check path is not allowed'),
        ({'check': {'expect': ['200 or more']}}, 'check expect is not allowed'),
        ({'check': {'host': 'evil" }'}}, 'check host is not allowed'),
        ({'timeouts': {'server': '5 minutes'}}, 'timeouts server is not a time'),
        ({'timeouts': {'server': '100d'}}, 'longer than a day'),
        ({'balance': 'random(2)'}, 'balance is none of'),
        ({'retry': 'all'}, 'retry is none of'),
        ({'exposure': {'denied-paths': {'public': ['/a }']}}}, 'denied-paths'),
        ({'exposure': {'allowed-cidrs': {'public': ['any']}}}, 'is not a network'),
        ({'hostnames': {'public': 'a b'}}, 'hostnames is not allowed'),
        ({'endpoint-types': ['everything']}, 'endpoint-types is none of'),
        ({'min-ready': -1}, 'min-ready'),
        ({'maxconn': {'server': 10**9}}, 'maxconn server'),
        ({'protocol': 'udp'}, 'protocol is none of'),
    ],
)
def test_a_value_that_may_not_be_refuses_the_relation(
    changes: dict[str, Any], reason: str
) -> None:
    got = interface.parse(relation(**changes))
    assert isinstance(got, interface.Refusal)
    assert reason in got.reason
    assert '\n' not in got.reason


def test_the_data_of_one_unit_refuses_that_unit_alone() -> None:
    r = relation()
    bad = {'endpoints': '[{"service-name": "keystone", "backend-ip": "127.0.0.1"}]'}
    units = {**r.units, 'keystone/1': bad, 'keystone/2': {'lifecycle': '7'}}
    got = parsed(dataclasses.replace(r, units=units))
    assert [s.unit for s in got.servers] == ['keystone/0']
    assert 'cannot be the address of a machine' in got.refused_units['keystone/1']
    assert 'lifecycle' in got.refused_units['keystone/2']


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(sorted({
    'service-name', 'service-type', 'frontend-port', 'check-type', 'protocol', 'endpoint-types',
    'path', 'hostnames', 'check', 'balance', 'timeouts', 'maxconn', 'retry', 'exposure', 'min-ready',
}))  # fmt: skip


@given(st.dictionaries(KEYS, JSON, max_size=4), st.text(max_size=30))
def test_nothing_that_is_said_gets_a_directive_into_the_configuration(
    changes: dict[str, Any], text: str
) -> None:
    # Values that no form allows, put into every place that takes a text.
    nasty: dict[str, Any] = {**changes, 'path': text} if text else changes
    got = interface.parse(relation(**nasty))
    if isinstance(got, interface.Refusal):
        assert got.reason.isprintable()
        return
    what = layout.lay_out([got], BINDINGS, layout.Rules())
    config = haproxy_cfg.render(what, MACHINE)
    first = {line.split()[0] for line in config.splitlines() if line.strip()}
    assert first <= DIRECTIVES
    assert config.isascii()


DIRECTIVES = {
    '#', 'global', 'description', 'log', 'chroot', 'stats', 'user', 'group', 'fd-hard-limit', 'maxconn', 'nbthread',
    'hard-stop-after', 'mworker-max-reloads', 'server-state-file', 'localpeer', 'defaults', 'mode',
    'option', 'retries', 'timeout', 'load-server-state-from-file', 'default-server', 'frontend',
    'bind', 'monitor-uri', 'monitor', 'http-request', 'backend', 'server', 'default_backend',
    'balance', 'retry-on', 'http-check', 'hash-type', 'tcp-request',
}  # fmt: skip


@given(JSON | st.text(), JSON | st.text())
def test_no_databag_breaks_the_parser(endpoints: Any, unit: Any) -> None:
    r = Relation(
        id=1,
        name='backend',
        app='x',
        app_data={'endpoints': endpoints if isinstance(endpoints, str) else json.dumps(endpoints)},
        units={'x/0': {'endpoints': json.dumps(unit), 'lifecycle': json.dumps(unit)}},
    )
    assert isinstance(interface.parse(r), interface.Request | interface.Refusal)


def test_no_bind_is_a_wildcard_and_admin_is_not_on_a_public_address() -> None:
    what = laid_out(*(relation(i, t=t) for i, t in enumerate(BINDINGS, 1)))
    binds = {
        line.split()[1]
        for line in haproxy_cfg.render(what, MACHINE).splitlines()
        if line.strip().startswith('bind ')
    }
    assert binds == {
        '127.0.0.1:8405', '10.1.0.100:5000', '10.1.0.5:5000', '[2001:db8::5]:5000',
        '10.2.0.5:5000', '10.3.0.5:5000',
    }  # fmt: skip


def test_admin_in_the_public_space_is_refused_unless_it_is_allowed() -> None:
    both = {'public': PUBLIC, 'internal': PUBLIC, 'admin': PUBLIC}
    asked = [parsed(relation(i, t=t)) for i, t in enumerate(BINDINGS, 1)]
    what = layout.lay_out(asked, both, layout.Rules())
    assert [(r.relation, r.service) for r in what.refusals] == [(3, 'keystone')]
    assert 'public too' in what.refusals[0].reason
    # Public and internal share what they share: one frontend, with the rules of both.
    assert [f.types for f in what.frontends] == [('public', 'internal')]
    shared = layout.lay_out(asked, both, layout.Rules(allow_shared_spaces=True))
    assert not shared.refusals
    assert [f.types for f in shared.frontends] == [('public', 'internal', 'admin')]


def test_of_two_that_want_a_port_the_older_relation_gets_it() -> None:
    other = loadbalancer.Service(name='other', type='dns', frontend_port=5000, backend_port=1)
    what = laid_out(relation(2, app='late', service=other), relation(1))
    assert [f.name for f in what.frontends] == ['keystone.public']
    assert [(r.app, r.reason) for r in what.refusals] == [
        ('late', 'port 5000 is used by keystone of keystone')
    ]


def test_a_service_belongs_to_one_application() -> None:
    what = laid_out(relation(1), relation(2, app='second'))
    assert [r.app for r in what.refusals] == ['second']
    assert len(what.backends[0].servers) == 2


def test_placement_is_never_public_unless_the_operator_says_so() -> None:
    placement = loadbalancer.Service(
        name='placement', type='placement', frontend_port=8778, backend_port=1
    )
    r = relation(service=placement, app='placement', exposure={'public': True})
    assert not laid_out(r).frontends
    opened = laid_out(r, service_options={'placement': {'exposure': {'public': True}}})
    assert [f.types for f in opened.frontends] == [('public',)]


def test_the_operator_wins_over_the_relation_and_the_name_over_the_type() -> None:
    r = relation(timeouts={'server': '10s'}, balance='roundrobin')
    what = laid_out(
        r,
        service_options={
            'identity': {'timeouts': {'server': '20s', 'client': '21s'}},
            'keystone': {'timeouts': {'server': '30s'}},
        },
    )
    how = what.backends[0].behaviour
    assert (how.server_ms, how.client_ms, how.balance) == (30_000, 21_000, 'roundrobin')


def test_one_application_serves_only_its_endpoint_types() -> None:
    what = laid_out(relation(1), relation(2, t='internal'), types=('internal',))
    assert [f.name for f in what.frontends] == ['keystone.internal']
    assert [r.reason for r in what.refusals] == ['this load balancer serves internal only']


@pytest.mark.parametrize('families', ['ipv4', 'ipv6', 'dual', 'auto'])
def test_each_family_is_served_where_it_is_wanted(families: str) -> None:
    what = laid_out(relation(), families=families)
    found = set(what.frontends[0].addresses)
    four, six = {'10.1.0.100', '10.1.0.5'}, {'2001:db8::5'}
    assert found == {'ipv4': four, 'ipv6': six}.get(families, four | six)


def test_a_frontend_is_told_of_only_when_every_member_serves_it() -> None:
    r = parsed(relation())
    what = layout.lay_out([r], BINDINGS, layout.Rules())

    def told(*served: frozenset[str]) -> dict[str, Any]:
        members = {f'lb/{i}': answer.Member(served=s) for i, s in enumerate(served)}
        bag = answer.app_answer(r, what, BINDINGS, layout.Rules(), members, {})
        return json.loads(bag['frontends'])

    there = frozenset({'keystone.public'})
    assert not told(there, frozenset())
    assert told(there, there)['keystone']['public'] == {
        'ip': ['10.1.0.100'], 'port': 5000, 'protocol': 'http', 'hostname': '',
        'url': 'http://10.1.0.100:5000/v3', 'families': ['ipv4'], 'tls': 'none',
    }  # fmt: skip


@pytest.mark.parametrize(
    ('given', 'url'),
    [
        ({}, 'http://10.1.0.100:5000/v3'),
        ({'external_vips': {'public': ('2001:db8::9',)}}, 'http://[2001:db8::9]:5000/v3'),
        ({'hostnames': {'public': 'cloud.example'}}, 'http://cloud.example:5000/v3'),
    ],
)
def test_what_is_registered_is_name_outside_vip_or_vip(given: dict[str, Any], url: str) -> None:
    r, rules = parsed(relation()), layout.Rules(**given)
    what = layout.lay_out([r], BINDINGS, rules)
    members = {'lb/0': answer.Member(served=frozenset({'keystone.public'}))}
    bag = answer.app_answer(r, what, BINDINGS, rules, members, {})
    seen = Relation(id=1, name='public-backend', app='lb', app_data=bag)
    assert loadbalancer.urls([seen], 'keystone') == {'public': url}


def test_every_row_of_the_table_renders_to_one_check() -> None:
    for kind in behaviour.TABLE:
        one = loadbalancer.Service(name='x', type=kind, frontend_port=5000, backend_port=1)
        what = laid_out(relation(service=one, t='internal'))
        config = haproxy_cfg.render(what, MACHINE)
        assert config.count('option httpchk') == 1, kind


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('vip', '10.0.0.300'),
        ('vip', '127.0.0.1'),
        ('endpoint-types', 'public private'),
        ('service-options', 'image: {timeouts: {server: long}}'),
        ('service-options', '- a list'),
        ('service-options', '{'),
        ('external-vips', 'public:1.2.3.4'),
        ('hostnames', 'public=a_b'),
        ('forwarded-from', '10.0.0.1/8'),
        ('metrics-port', 8405),
    ],
)
def test_an_option_that_may_not_be_is_named(name: str, value: Any) -> None:
    with pytest.raises(checked.InvalidError, match=name):
        options.read({name: value})


def test_a_configuration_that_differs_in_disabled_servers_has_the_same_shape() -> None:
    what = laid_out(relation())
    plain = haproxy_cfg.render(what, MACHINE)
    away = haproxy_cfg.render(
        what, MACHINE, {'keystone.public': frozenset({'keystone-0'})}, in_service=False
    )
    assert plain != away
    assert haproxy_cfg.shape(plain) == haproxy_cfg.shape(away) == plain
    more = haproxy_cfg.render(laid_out(relation(timeouts={'server': '9s'})), MACHINE)
    assert haproxy_cfg.shape(more) != plain
