"""What holds for every bundle, by its being there; each rule has a twin that breaks it, and is caught."""

from __future__ import annotations

import copy
import functools
import ipaddress
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml
from charmkit import generate, options

ROOT = pathlib.Path(__file__).parents[2] / 'bundles'
BUNDLES = sorted(ROOT.glob('*.yaml'))
SUBNETS: dict[str, str] = yaml.safe_load((ROOT / 'spaces.yaml').read_text())
BY_ITSELF = {'juju-info': {'interface': 'juju-info'}}
APIS = frozenset(
    {'keystone', 'placement', 'neutron-api', 'nova-cloud-controller', 'cinder', 'heat'}
)
"""Those that two units of are all that it takes."""
LB = '../charms/openstack-loadbalancer'
Bundle = dict[str, Any]


@functools.cache
def charm(name: str) -> Mapping[str, Any]:
    """Its ``charmcraft.yaml``."""
    return yaml.safe_load((ROOT / name / 'charmcraft.yaml').read_text())


def entries(of: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What stands under *key*; nothing where it is not there, or empty."""
    found: dict[str, Any] | None = of.get(key)
    return found or {}


def endpoints(of: Mapping[str, Any], side: str) -> dict[str, dict[str, Any]]:
    return {**entries(of, side), **(BY_ITSELF if side == 'provides' else {})}


def related(bundle: Bundle) -> list[list[tuple[str, str]]]:
    """Each relation as its two ends."""
    ends = [[end.partition(':') for end in pair] for pair in bundle['relations']]
    return [[(app, endpoint) for app, _, endpoint in pair] for pair in ends]


def options_are_good(bundle: Bundle) -> Iterator[str]:
    """Each option is one of the charm's, with a value that it takes."""
    for name, app in bundle['applications'].items():
        given = entries(app, 'options')
        there = entries(entries(charm(app['charm']), 'config'), 'options')
        yield from (f'{name} has no option {o}' for o in given if o not in there)
        declared = generate.load(ROOT / app['charm']).declared_options()
        refused = options.read(
            tuple(o for o in declared if o.name in given), {**given}, {}
        ).refused
        yield from (f'{name}: {words}' for words in refused.values())


def relations_fit(bundle: Bundle) -> Iterator[str]:
    """Each end is there, one side provides what the other requires, and none is there twice."""
    pairs = [' '.join(sorted(map(':'.join, ends))) for ends in related(bundle)]
    yield from (
        f'{pair} is there twice' for pair in sorted({p for p in pairs if pairs.count(p) > 1})
    )
    for (one, here), (other, there) in related(bundle):
        apps = bundle['applications']
        if missing := {one, other} - apps.keys():
            yield f'there is no {", ".join(missing)}'
            continue
        mine, theirs = charm(apps[one]['charm']), charm(apps[other]['charm'])
        fits = [
            (endpoints(a, 'requires').get(x), endpoints(b, 'provides').get(y))
            for a, x, b, y in ((mine, here, theirs, there), (theirs, there, mine, here))
        ]
        if not any(r and p and r['interface'] == p['interface'] for r, p in fits):
            yield f'{one}:{here} and {other}:{there} do not fit'


def nothing_is_missing(bundle: Bundle) -> Iterator[str]:
    """Each endpoint that a charm cannot do without is related."""
    ends = {end for pair in related(bundle) for end in pair}
    for name, app in bundle['applications'].items():
        for endpoint, said in endpoints(charm(app['charm']), 'requires').items():
            if not said.get('optional') and (name, endpoint) not in ends:
                yield f'{name}:{endpoint} is not related'


def bindings_are_there(bundle: Bundle) -> Iterator[str]:
    """Each binding is one of the charm's, and each space one whose subnet is known."""
    sides = ('requires', 'provides', 'peers', 'extra-bindings')
    for name, app in bundle['applications'].items():
        of = charm(app['charm'])
        known = {'', *(key for side in sides for key in entries(of, side))}
        bindings = entries(app, 'bindings')
        yield from (f'{name} has no binding {b}' for b in bindings if b not in known)
        unknown = {*bindings.values()} - SUBNETS.keys() - {'alpha'}
        yield from (f'{name}: no subnet for the space {s}' for s in unknown)


def vips_are_in_their_networks(bundle: Bundle) -> Iterator[str]:
    """Each virtual address lies in a network that its application serves, and is one's alone."""
    seen: set[str] = set()
    for name, app in bundle['applications'].items():
        served = {SUBNETS.get(space, '0.0.0.0/32') for space in _served(app).values()}
        for vip in str(entries(app, 'options').get('vip', '')).split():
            if not any(ipaddress.ip_address(vip) in ipaddress.ip_network(net) for net in served):
                yield f'{name}: {vip} is in no network that it serves'
            if vip in seen:
                yield f'{name}: {vip} is there twice'
            seen.add(vip)


def admin_is_apart(bundle: Bundle) -> Iterator[str]:
    """Admin endpoints are not on a public network, unless that is said."""
    for name, app in bundle['applications'].items():
        spaces = _served(app)
        shared = 'public' in spaces and spaces.get('admin') == spaces['public']
        if shared and not entries(app, 'options').get('allow-shared-spaces'):
            yield f'{name}: admin endpoints would be public'


def _served(app: Mapping[str, Any]) -> dict[str, str]:
    """The space of each endpoint type that a load balancer serves."""
    if app['charm'] != LB:
        return {}
    kinds = str(entries(app, 'options').get('endpoint-types', 'public internal admin')).split()
    bindings = entries(app, 'bindings')
    return {kind: str(bindings.get(kind, bindings.get('', 'alpha'))) for kind in kinds}


RULES: list[tuple[Callable[[Bundle], Iterator[str]], tuple[Any, ...], Any]] = [
    (options_are_good, ('applications', 'keystone', 'options'), {'workers': 99}),
    (options_are_good, ('applications', 'glance', 'options'), {'no-such': 1}),
    (relations_fit, ('relations', 0), ['keystone:shared-db', 'glance:public-backend']),
    (relations_fit, ('relations', 0), ['keystone:shared-db', 'nobody:shared-db']),
    (relations_fit, ('relations', 2), ['keystone:shared-db', 'mysql:shared-db']),
    (nothing_is_missing, ('relations',), []),
    (bindings_are_there, ('applications', 'neutron-gateway', 'bindings'), {'outside': 'dmz'}),
    (bindings_are_there, ('applications', 'neutron-gateway', 'bindings'), {'': 'elsewhere'}),
    (
        vips_are_in_their_networks,
        ('applications', 'lb-public', 'options'),
        {'endpoint-types': 'public', 'vip': '10.180.20.9'},
    ),
    (
        vips_are_in_their_networks,
        ('applications', 'lb-internal', 'options'),
        {'vip': '10.180.30.250 10.180.30.250'},
    ),
    (admin_is_apart, ('applications', 'lb-public'), {'charm': LB, 'bindings': {'': 'dmz'}}),
]  # fmt: skip


@pytest.fixture(
    params=[p for p in BUNDLES if 'applications:' in p.read_text()], ids=lambda p: p.stem
)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return yaml.safe_load(request.param.read_text())


@pytest.mark.parametrize(
    'rule', dict.fromkeys(rule for rule, _, _ in RULES), ids=lambda r: r.__name__
)
def test_every_bundle_keeps_every_rule(bundle: Bundle, rule: Callable[[Bundle], Iterator[str]]):
    assert [*rule(bundle)] == []


@pytest.mark.parametrize(('rule', 'path', 'value'), RULES)
def test_a_bundle_that_breaks_a_rule_is_caught(
    rule: Callable[[Bundle], Iterator[str]], path: tuple[Any, ...], value: Any
):
    broken = copy.deepcopy(cloud())
    at = broken
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert [*rule(broken)] != []


def cloud() -> Bundle:
    return yaml.safe_load((ROOT / 'cloud.yaml').read_text())


def test_in_the_large_cloud_no_machine_of_the_control_plane_stands_alone():
    units = {name: app.get('num_units', 0) for name, app in cloud()['applications'].items()}
    assert units['mysql'] == units['rabbitmq-server'] == 3
    doubled = {
        *APIS,
        'openstack-dashboard',
        'lb-public',
        'lb-internal',
        'nova-compute',
        'neutron-gateway',
    }
    assert {name for name, count in units.items() if count == 2} == doubled
    assert {name for name, count in units.items() if count == 1} == {'glance'}
    assert sum(units.values()) == 29


def test_the_large_cloud_has_all_that_the_small_one_has():
    small = yaml.safe_load((ROOT / 'small-cloud.yaml').read_text())
    large = {frozenset(pair) for pair in cloud()['relations']}
    for pair in small['relations']:
        if 'lb:backend' not in pair:
            assert frozenset(pair) in large


def test_endpoints_of_each_type_are_behind_the_load_balancer_of_that_type():
    bundle = cloud()
    served = {
        name: str(app['options']['endpoint-types']).split()
        for name, app in bundle['applications'].items()
        if name.startswith('lb-')
    }
    for pair in related(bundle):
        for (app, endpoint), (other, _) in (pair, pair[::-1]):
            kind = endpoint.removesuffix('-backend')
            if kind != endpoint and app not in served:
                assert kind in served.get(other, [kind]), f'{app}:{endpoint} is behind {other}'


def test_processes_of_the_large_cloud_are_counted_where_its_machine_would_be():
    """By themselves charms size to a machine, and here 29 of them are one."""
    apps = cloud()['applications']
    assert {name for name, a in apps.items() if 'workers' in entries(a, 'options')} == {
        *APIS,
        'glance',
        'openstack-dashboard',
    }
