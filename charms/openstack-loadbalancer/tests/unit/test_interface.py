"""What relations say: read where it is right, refused by name where it is not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from balancer import (
    behaviour,
    configuration,
    exposure,
    interface,
    layout,
    options,
    reply,
)
from charmkit.proxy import haproxy
from charmkit.relations import Relation, loadbalancer
from hypothesis import given

PUBLIC = layout.Binding(addresses=('10.1.0.5', '2001:db8::5'), vips=('10.1.0.100',))
INTERNAL = layout.Binding(addresses=('10.2.0.5',))
ADMIN = layout.Binding(addresses=('10.3.0.5',))
BINDINGS = {'public': PUBLIC, 'internal': INTERNAL, 'admin': ADMIN}
KEYSTONE = loadbalancer.Api(
    name='keystone', type='identity', frontend_port=5000, backend_port=4990, path='/v3'
)
UNIT = configuration.Unit(name='lb/0')


def rendered(what: layout.Layout, *away: str, unit: configuration.Unit = UNIT) -> str:
    disabled = {'keystone.public': frozenset(away)}
    return haproxy.render(configuration.configuration(what, unit, disabled)).text


def around(**how: Any) -> layout.Surroundings:
    return layout.Surroundings(bindings=BINDINGS, exposure=exposure.Exposure(**how))


def relation(
    i: int = 1,
    app: str = 'keystone',
    service: loadbalancer.Api = KEYSTONE,
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
            f'{app}/{k}': {
                'ingress-address': f'10.9.{i}.{k + 1}',
                **loadbalancer.unit_request([service], t, [f'10.9.{i}.{k + 1}'], ready),
            }
            for k in range(2)
        },
    )


def parsed(r: Relation) -> interface.Request:
    found = interface.parse(r)
    assert isinstance(found, interface.Request), found
    return found


def laid_out(*relations: Relation, **rules: Any) -> layout.Layout:
    return layout.lay_out([parsed(r) for r in relations], around(**rules))


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
        ({'exposure': {'denied-paths': {'public': ['/a//b']}}}, 'an empty or a dot segment'),
        ({'exposure': {'allowed-cidrs': {'public': ['any']}}}, 'is not a network'),
        ({'hostnames': {'public': 'a b'}}, 'hostnames is not allowed'),
        ({'hostnames': {'public': '127.0.0.1'}}, 'hostnames cannot be the address of a machine'),
        ({'hostnames': {'public': '0x7f.0x1'}}, 'hostnames is not allowed'),
        ({'endpoint-types': []}, 'endpoint-types is empty'),
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
    what = layout.lay_out([got], around())
    config = rendered(what)
    first = {line.split()[0] for line in config.splitlines() if line.strip()}
    assert first <= DIRECTIVES
    assert config.isascii()


DIRECTIVES = {
    'stick-table',
    '#', 'global', 'description', 'log', 'chroot', 'stats', 'user', 'group', 'fd-hard-limit', 'maxconn', 'nbthread',
    'hard-stop-after', 'mworker-max-reloads', 'server-state-file', 'localpeer', 'defaults', 'mode',
    'option', 'retries', 'timeout', 'load-server-state-from-file', 'default-server', 'frontend',
    'bind', 'monitor-uri', 'monitor', 'http-request', 'http-response', 'log-format', 'backend',
    'server', 'default_backend',
    'balance', 'retry-on', 'http-check', 'hash-type', 'tcp-request', 'http-after-response',
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
        line.split()[1] for line in rendered(what).splitlines() if line.strip().startswith('bind ')
    }
    assert binds == {
        '127.0.0.1:8405', '10.1.0.100:5000', '10.1.0.5:5000', '[2001:db8::5]:5000',
        '10.2.0.5:5000', '10.3.0.5:5000',
    }  # fmt: skip


def test_admin_in_the_public_space_is_refused_unless_it_is_allowed() -> None:
    both = {'public': PUBLIC, 'internal': PUBLIC, 'admin': PUBLIC}
    asked = [parsed(relation(i, t=t)) for i, t in enumerate(BINDINGS, 1)]
    what = layout.lay_out(asked, layout.Surroundings(bindings=both))
    assert [(r.relation, r.service) for r in what.refusals] == [(3, 'keystone')]
    assert 'public too' in what.refusals[0].reason
    # Public and internal share what they share: one frontend, with the rules of both.
    assert [f.types for f in what.frontends] == [('public', 'internal')]
    allowed = exposure.Exposure(allow_shared_spaces=True)
    shared = layout.lay_out(asked, layout.Surroundings(bindings=both, exposure=allowed))
    assert not shared.refusals
    assert [f.types for f in shared.frontends] == [('public', 'internal', 'admin')]


def test_of_two_that_want_a_port_the_older_relation_gets_it() -> None:
    other = loadbalancer.Api(name='other', type='dns', frontend_port=5000, backend_port=1)
    what = laid_out(relation(2, app='late', service=other), relation(1))
    assert [f.name for f in what.frontends] == ['keystone.public']
    assert [(r.app, r.reason) for r in what.refusals] == [
        ('late', 'port 5000 is used by keystone of keystone')
    ]


ANOTHER_PORT: dict[str, Any] = {'frontend-port': 5001}


def test_a_service_has_one_port_whatever_a_second_relation_of_its_application_asks_for() -> None:
    other = relation(3, t='internal', **ANOTHER_PORT)
    what = laid_out(relation(1), relation(2, **ANOTHER_PORT), other)
    named = [line for line in rendered(what).splitlines() if line.startswith('frontend keystone')]
    assert named == [
        'frontend keystone.public from http',
        'frontend keystone.internal from http',
    ]
    assert [(r.relation, r.reason) for r in what.refusals] == [
        (2, 'keystone is served on port 5000 already, not 5001')
    ]


def test_a_port_that_was_refused_is_nobodys() -> None:
    dns = loadbalancer.Api(name='dns', type='dns', frontend_port=5000, backend_port=1)
    what = laid_out(
        relation(1, app='dns', service=dns),
        relation(2),
        relation(3, **ANOTHER_PORT),
    )
    assert [(f.name, f.port) for f in what.frontends] == [
        ('dns.public', 5000),
        ('keystone.public', 5001),
    ]


def test_a_service_belongs_to_one_application() -> None:
    what = laid_out(relation(1), relation(2, app='second'))
    assert [r.app for r in what.refusals] == ['second']
    assert len(what.backends[0].servers) == 2


def test_placement_is_never_public_unless_the_operator_says_so() -> None:
    placement = loadbalancer.Api(
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
    what = layout.lay_out([r], around())

    def told(*served: frozenset[str]) -> dict[str, Any]:
        members = {f'lb/{i}': reply.Member(served=s) for i, s in enumerate(served)}
        bag = reply.app_reply(r, context(what, members), {})
        return json.loads(bag['frontends'])

    there = frozenset({'keystone.public'})
    assert not told(there, frozenset())
    assert told(there, there)['keystone']['public'] == {
        'ip': ['10.1.0.100'], 'port': 5000, 'protocol': 'http', 'hostname': '',
        'url': 'http://10.1.0.100:5000/v3', 'families': ['ipv4'], 'tls': 'none',
    }  # fmt: skip


def context(what: layout.Layout, members: dict[str, reply.Member], **how: Any) -> reply.Context:
    return reply.Context(layout=what, around=around(**how), members=members, locks={})


def said(r: interface.Request, given: dict[str, Any]) -> dict[str, Any]:
    """What the leader says of keystone's public frontend with these options."""
    opts = options.read(given, {})
    assert not opts.problems
    surroundings = layout.Surroundings(bindings=BINDINGS, exposure=opts.options.exposure)
    members = {'lb/0': reply.Member(served=frozenset({'keystone.public'}))}
    what = layout.lay_out([r], surroundings)
    bag = reply.app_reply(
        r, reply.Context(layout=what, around=surroundings, members=members, locks={}), {}
    )
    return json.loads(bag['frontends'])['keystone']['public']


@pytest.mark.parametrize(
    ('given', 'url'),
    [
        ({}, 'http://10.1.0.100:5000/v3'),
        ({'external-vips': 'public=2001:db8::9'}, 'http://[2001:db8::9]:5000/v3'),
        ({'external-vips': 'public=https://203.0.113.9'}, 'https://203.0.113.9:5000/v3'),
        ({'external-vips': 'public=https://[2001:db8::9]:443'}, 'https://[2001:db8::9]/v3'),
        ({'hostnames': 'public=cloud.example'}, 'http://cloud.example:5000/v3'),
        ({'hostnames': 'public=https://cloud.example'}, 'https://cloud.example:5000/v3'),
        ({'hostnames': 'public=cloud.example:8080'}, 'http://cloud.example:8080/v3'),
        (
            {'service-options': 'identity: {urls: {public: "https://identity.example"}}'},
            'https://identity.example/v3',
        ),
    ],
)
def test_what_is_registered_is_name_outside_vip_or_vip(given: dict[str, Any], url: str) -> None:
    found = said(parsed(relation()), given)
    assert found['url'] == url
    assert found['protocol'] == url.partition(':')[0]
    bag = {'frontends': json.dumps({'keystone': {'public': found}})}
    seen = Relation(id=1, name='public-backend', app='lb', app_data=bag)
    assert loadbalancer.urls([seen]) == {'keystone': {'public': url}}


def test_services_are_told_of_the_scheme_and_links_keep_the_port() -> None:
    what = laid_out(
        relation(),
        hostnames={'public': exposure.Outside(name='cloud.example', scheme='https', port=443)},
    )
    config = rendered(what)
    assert 'set-header Host %[req.fhdr(host)]:5000 if { req.fhdr(host) -i 10.1.0.100 ' in config
    (bare,) = [x for x in config.splitlines() if 'set-header Host' in x]
    assert 'cloud.example' not in bare, 'its clients leave the port out'
    assert 'add-header X-Forwarded-Proto https if { var(txn.secure) -m bool }' in config
    assert 'if { req.fhdr(host) -i cloud.example:443 cloud.example:5000 cloud.example }' in config


def test_a_list_that_is_too_long_for_a_line_is_a_file_named_by_its_content() -> None:
    nets = [f'10.{i}.0.0/16' for i in range(100)]
    what = laid_out(relation(exposure={'allowed-cidrs': {'public': nets}}))
    found = haproxy.render(configuration.configuration(what, UNIT))
    (path,) = found.lists
    assert found.lists[path].splitlines() == sorted(nets)
    assert f'deny_status 403 unless {{ src -f {path} }}' in found.text
    assert all(len(line.split()) <= 64 for line in found.text.splitlines())


@pytest.mark.parametrize(
    ('allowed', 'rule'),
    [
        ({'public': []}, 'http-request deny deny_status 403'),
        ({'public': ['10.0.0.0/8']}, 'deny_status 403 unless { src 10.0.0.0/8 }'),
        ({'internal': []}, ''),
    ],
)
def test_an_empty_list_of_networks_lets_nobody_in(allowed: Any, rule: str) -> None:
    config = rendered(laid_out(relation(exposure={'allowed-cidrs': allowed})))
    rules = [x.strip() for x in config.splitlines() if 'deny_status 403' in x]
    assert rules == (
        [rule] if rule.startswith('http') else [f'http-request deny {rule}'] * bool(rule)
    )


def test_ready_is_asked_on_public_addresses_by_none_but_the_sites_own_load_balancer() -> None:
    unit = configuration.Unit(
        name='lb/0', inside=('10.2.0.5',), outside=('10.1.0.5',), ready_from=('192.0.2.0/24',)
    )
    what = layout.Layout()
    config = rendered(what, unit=unit)
    inner, outer = config.split('frontend ready.outside')
    assert 'bind 10.2.0.5:8405' in inner
    assert 'bind 10.1.0.5:8405' in outer
    assert 'connection reject unless { src 192.0.2.0/24 }' in outer
    nobody = rendered(what, unit=dataclasses.replace(unit, ready_from=()))
    assert '10.1.0.5' not in nobody


def test_who_may_connect_is_decided_when_it_is_known_who_connects() -> None:
    one = loadbalancer.Api(
        name='nfs', type='nfs', frontend_port=2049, backend_port=1,
        options={'protocol': 'tcp', 'exposure': {'allowed-cidrs': {'public': ['10.0.0.0/8']}}},
    )  # fmt: skip
    outer = dataclasses.replace(UNIT, proxy_protocol_from=('192.0.2.1/32',))
    config = rendered(laid_out(relation(service=one)), unit=outer)
    # Before the PROXY protocol was read it is the site's load balancer that connects.
    assert 'tcp-request session reject unless { src 10.0.0.0/8 }' in config


def test_a_request_names_one_host_and_a_path_that_can_be_read() -> None:
    config = rendered(laid_out(relation()))
    assert 'req.hdr(host)' not in config
    assert 'deny_status 421 unless { req.fhdr(host) -i ' in config
    lines = [x.strip() for x in config.splitlines() if 'txn.path' in x or '%00' in x]
    decoded, undecodable, nul, *_, collapsed, hidden = lines
    assert decoded.startswith('http-request set-var(txn.path) path,url_dec if ')
    assert undecodable.endswith('!{ var(txn.path) -m found }')
    assert 'deny_status 400' in nul
    # A group that repeats gives up in a long path, and what is hidden would be reached.
    assert 'regsub("/[./]*/","/",g)' in collapsed
    assert hidden.startswith('http-request deny deny_status 404 if { var(txn.path) -i -m beg ')


def test_connections_that_are_passed_on_may_be_silent_for_as_long_as_any() -> None:
    config = rendered(laid_out(relation(protocol='tcp')))
    assert 'timeout client 3600000ms' in config
    assert 'timeout server 3600000ms' in config
    assert config.count('clitcpka') == 1


def test_a_unit_gets_as_many_requests_at_once_as_it_says_that_it_can_take() -> None:
    small = dataclasses.replace(KEYSTONE, requests_at_once=16)
    assert rendered(laid_out(relation(service=small))).count('maxconn 16 ') == 2
    assert rendered(laid_out(relation())).count('maxconn 256 ') == 2
    told = {'keystone': {'maxconn': {'server': 55}}}
    assert (
        rendered(laid_out(relation(service=small), service_options=told)).count('maxconn 55 ') == 2
    )
    assert 'option http-buffer-request' in rendered(laid_out(relation()))


def with_address(address: Any, **bag: str) -> interface.Request:
    r = relation()
    unit = {
        'ingress-address': '10.9.0.7',
        'endpoints': json.dumps(
            [{'service-name': 'keystone', 'backend-ip': address, 'backend-port': 5000}]
        ),
        **bag,
    }
    return parsed(dataclasses.replace(r, units={'keystone/0': unit}))


@pytest.mark.parametrize(
    'address',
    [
        'fd00::1%eth0', 'fd00::1%0\n    stats', 'fe80::1', '::ffff:127.0.0.1', '::ffff:10.9.0.7',
        '127.0.0.1', '::1', '0.0.0.0', '0.1.2.3', '::', '224.0.0.1', 'ff02::1', '240.0.0.1',  # noqa: S104
        '255.255.255.255', '64:ff9b::a09:7', '2002:7f00:1::', '10.9.0.7 ', '010.9.0.7', 10, None,
    ],
)  # fmt: skip
def test_an_address_that_is_no_machines_refuses_the_unit(address: Any) -> None:
    got = with_address(address)
    assert not got.servers
    assert got.refused_units['keystone/0'].isprintable()


@pytest.mark.parametrize(
    ('bag', 'trusted', 'taken'),
    [
        ({}, (), True),
        ({'ingress-address': '10.9.0.8'}, (), False),
        ({'ingress-address': '10.9.0.8', 'egress-subnets': '10.8.0.0/24,10.9.0.0/24'}, (), True),
        ({'ingress-address': 'node7.maas', 'egress-subnets': '10.9.0.7/32'}, (), True),
        ({'ingress-address': ''}, (), False),
        ({'ingress-address': '', 'egress-subnets': ',' * 63 + '10.9.0.7/32'}, (), True),
        ({'ingress-address': '', 'egress-subnets': ',' * 64 + '10.9.0.7/32'}, (), False),
        ({'ingress-address': '10.9.0.8'}, ('10.9.0.0/16',), True),
    ],
)
def test_an_address_belongs_to_the_unit_that_names_it(
    bag: dict[str, str], trusted: tuple[str, ...], taken: bool
) -> None:
    service = {'service-name': 'keystone', 'backend-ip': '10.9.0.7', 'backend-port': 5000}
    unit = {'ingress-address': '10.9.0.7', 'endpoints': json.dumps([service]), **bag}
    r = dataclasses.replace(relation(), units={'keystone/0': unit})
    got = interface.parse(r, interface.Addresses(trusted=trusted))
    assert isinstance(got, interface.Request)
    assert bool(got.servers) is taken
    assert taken or 'backend-networks' in got.refused_units['keystone/0']


def test_the_load_balancers_own_addresses_are_nobodys() -> None:
    got = interface.parse(relation(), interface.Addresses(ours=frozenset({'10.9.1.2'})))
    assert isinstance(got, interface.Request)
    assert [s.unit for s in got.servers] == ['keystone/0']
    assert 'of the load balancer itself' in got.refused_units['keystone/1']


def test_every_row_of_the_table_renders_to_one_check() -> None:
    for kind in behaviour.TABLE:
        one = loadbalancer.Api(name='x', type=kind, frontend_port=5000, backend_port=1)
        what = laid_out(relation(service=one, t='internal'))
        config = rendered(what)
        assert config.count('option httpchk') == 1, kind


WRONG = [
    ('vip', '10.0.0.300'),
    ('vip', '127.0.0.1'),
    ('vip', '10.0.0.9 10.0.0.9'),
    ('hostnames', 'public=1.5'),
    ('vip', 'fd00::1%eth0'),
    ('endpoint-types', 'public private'),
    ('endpoint-types', ''),
    ('service-options', 'image: {timeouts: {server: long}}'),
    ('service-options', 'image: {expect: ["200"]}'),
    ('service-options', 'image: {check: {expect: ["500-200"]}}'),
    ('service-options', 'image: {check: {expects: ["200"]}}'),
    ('service-options', 'image: {timeouts: {sever: 5s}}'),
    ('service-options', 'image: {maxconn: 5}'),
    ('service-options', 'image: {exposure: {denied: []}}'),
    ('service-options', 'image: {maxconn: {server: 0x' + 'f' * 5000 + '}}'),
    ('service-options', 'image: {exposure: {allowed-cidrs: }}'),
    ('service-options', 'image: {exposure: {allowed-cidrs: {}}}'),
    ('service-options', 'image: {urls: {public: "ftp://x"}}'),
    ('service-options', 'image: {urls: {everyone: "http://x"}}'),
    ('service-options', '- a list'),
    ('service-options', '{'),
    ('service-options', 'a: &a [x]\nb: *a'),
    ('service-options', '[' * 5000),
    ('service-options', 'true: {}'),
    ('service-options', 'image: !!int ""'),
    ('service-options', 'image: !!bool x'),
    ('service-options', 'image: !!timestamp x'),
    ('service-options', 'image: {urls: {public: "https://[cloud.example]:443"}}'),
    ('service-options', 'x' * 100_000),
    ('external-vips', 'public:1.2.3.4'),
    ('external-vips', 'public=cloud.example'),
    ('external-vips', 'public=https://1.2.3.4:99999'),
    ('hostnames', 'public=a_b'),
    ('hostnames', 'public=' + 'a' * 60 + '_'),
    ('hostnames', 'public=https://[fd00::1]x'),
    ('hostnames', 'public=https://[fd00::1'),
    ('hostnames', 'public=cloud.example:'),
    ('hostnames', 'public=[fd00::1]:'),
    ('hostnames', 'public=a.example public=b.example'),
    ('hostnames', 'public=a.example,b.example'),
    ('forwarded-from', '10.0.0.1/8'),
    ('ready-from', 'anywhere'),
    ('backend-networks', 'all'),
    ('maxconn', -1),
    ('syslog-to', 'log.example:' + '9' * 5000),
    ('syslog-to', 'log.example:\u0663'),
    ('hostnames', 'public=https://cloud.example:' + '9' * 5000),
    ('external-vips', 'public=https://1.2.3.4:' + '9' * 5000),
]


@pytest.mark.parametrize(('name', 'value'), WRONG)
def test_an_option_that_may_not_be_is_named_and_its_last_good_value_is_in_force(
    name: str, value: Any
) -> None:
    plain = options.read({}, {})
    assert plain.complete
    assert not plain.problems
    held = options.read({name: value}, plain.raw)
    assert held.options == plain.options
    assert held.complete
    (problem,) = held.problems
    assert problem.startswith(f'option {name}')
    assert problem.isprintable()
    assert not options.read({name: value}, {}).complete


def test_two_ports_that_are_the_same_are_as_they_were() -> None:
    held = options.read({'metrics-port': 8405}, options.read({}, {}).raw)
    assert (held.options.ready_port, held.options.metrics_port) == (8405, 8404)
    assert held.problems == ('options ready-port and metrics-port are the same',)


def test_a_configuration_that_differs_in_disabled_servers_has_the_same_shape() -> None:
    what = laid_out(relation())
    plain = rendered(what)
    out = dataclasses.replace(UNIT, in_service=False)
    away = rendered(what, 'keystone-0', unit=out)
    assert plain != away
    assert haproxy.shape(plain) == haproxy.shape(away) == plain
    assert haproxy.mark(plain) == haproxy.mark(away)
    more = rendered(laid_out(relation(timeouts={'server': '9s'})))
    assert haproxy.mark(more) != haproxy.mark(plain)


@pytest.mark.parametrize(
    ('asked', 'given_'), [(0, 1), (-5, 1), (1, 1), (86_400, 86_400), (10**12, 86_400)]
)
def test_a_deadline_beyond_all_measure_is_the_nearest_that_there_is(asked: int, given_: int):
    """A unit that is refused is out of rotation at once, whatever else would be left."""
    drain = loadbalancer.Lifecycle(state='drain', token='t', deadline_s=asked)
    r = relation()
    bag = {
        **r.units['keystone/0'],
        **loadbalancer.unit_request([KEYSTONE], 'public', ['10.9.1.1'], drain),
    }
    got = parsed(dataclasses.replace(r, units={**r.units, 'keystone/0': bag}))
    assert not got.refused_units
    assert got.lifecycles['keystone/0'] == dataclasses.replace(drain, deadline_s=given_)
