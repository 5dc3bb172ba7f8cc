"""Whatever the other side of a relation writes: no charm fails, hangs or passes it into a file.

Each example is a sound databag in which some values are replaced by hostile ones. What must hold: the run ends
without an exception, no text from outside begins a line of its own in a file, all that is written can be written (it
is UTF-8), and a long text takes no time that grows faster than it: the tests' time limit would end an exponential one.
The load balancer's charm has a test of its own.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from typing import Any

import charmkit
import pytest
from charmkit import drive, options, state
from charmkit import testing as machines
from charmkit.relations import Network, Relation, Site, keystone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charms.tests.unit import sound
from tests.examples import examples

pytestmark = pytest.mark.timeout(60)

MARK = 'intruder'
SEED = 's' * 64


def _nested(depth: int, opening: str = '[', closing: str = ']') -> str:
    return opening * depth + closing * depth


BOMBS = (
    '',
    ' ',
    'None',
    'null',
    'true',
    '-1',
    '0',
    '1e999',
    'NaN',
    '[NaN, Infinity, -Infinity]',
    '9' * 5000,
    f'[{"9" * 5000}]',
    '\x00',
    'a\x00b',
    '\ud800',
    '{"a": "\\ud800"}',
    '\u2028',
    f'x\n{MARK} = 1',
    f'x\r\n{MARK} = 1',
    f'x\u2028{MARK} = 1',
    f'\n[{MARK}]\n{MARK} = 1\n',
    f'"; \n{MARK} = 1',
    '<VirtualHost *:80>',
    '%(x)s',
    '$x ${x} $$',
    '{secret:admin}',
    'secret:nothing',
    '../../etc/passwd',
    "'; DROP DATABASE mysql; --",
    '`x`',
    'a' * 60 + '_',
    'a' * 50_000,
    'a.' * 20_000,
    'a-' * 20_000 + '_',
    '1.' * 20_000,
    'a/' * 20_000,
    ' ' * 50_000 + 'x',
    ',' * 50_000,
    ':' * 50_000,
    'http://' + 'a.' * 20_000,
    'http://[::1',
    'http://[' + ':' * 200 + ']:1',
    'http://h:99999',
    'http://h:x/',
    'http://h\n:1/',
    'fd00::1%x',
    'fd00::1%\n',
    '::ffff:127.0.0.1',
    '999.1.1.1',
    '10.0.0.0/99',
    _nested(100_000),
    _nested(900),
    _nested(20_000, '{"a":', ''),
    '{"a": ' * 500 + '1' + '}' * 500,
    '[[]]',
    '{}',
    '{"": {"": ""}}',
    '[1, "x", null, {"a": []}]',
    json.dumps(dict.fromkeys(map(str, range(3000)), 'x')),
)
words = st.sampled_from(
    [
        'state', 'token', 'reason', 'ip', 'port', 'url', 'hostname', 'protocol', 'sessions', 'position', 'public',
        'internal', 'admin', 'keystone', 'glance', 'placement', 'lb/0', 'keystone/0', 'glance/0', 'sections',
        '/etc/keystone/keystone.conf', 'turn', 'until', 'trusted-cidrs', 'seed', 'release', 'version', 'databases',
    ]
)  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([b for b in BOMBS if len(b) < 200])
    | words
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(words | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=12,
)
hostile = (
    st.sampled_from(BOMBS)
    | trees.map(json.dumps)
    | st.text(max_size=40)
    | st.text(st.characters(), max_size=20)
)

NAMES = (
    'keystone', 'glance', 'placement', 'mysql', 'neutron-api', 'neutron-gateway', 'neutron-openvswitch',
    'nova-cloud-controller', 'nova-compute', 'cinder', 'heat', 'rabbitmq-server', 'ovn-central', 'ovn-chassis',
    'neutron-api-plugin-ovn',
)  # fmt: skip


def _inputs(
    name: str, relations: Mapping[str, tuple[Relation, ...]], read: options.Read
) -> charmkit.Inputs:
    addresses = {
        'public': '203.0.113.2',
        'internal': '10.0.0.2',
        'admin': '10.9.0.2',
        'shared-db': '10.0.0.2',
    }
    return charmkit.Inputs(
        site=Site(
            unit=f'{name}/0',
            leader=True,
            address='10.0.0.2',
            addresses=addresses,
            all_addresses={k: (v,) for k, v in addresses.items()},
            networks={k: (Network('eth0', v, ''),) for k, v in addresses.items()},
        ),
        relations=relations,
        peers={
            'seed': 'secret:seed',
            'keys': 'secret:seed',
            'server': f'{name}/0',
            **dict.fromkeys(
                getattr(getattr(sound.charm(name), 'spec', None), 'chosen', ()), 'secret:x'
            ),
        },
        options=read.values,
        refused_options=read.refused,
        unsettled=read.unsettled,
        my_peer_data={'ingress-address': '10.0.0.2'},
        secrets={'secret:seed': {'seed': SEED}, 'secret:x': {'value': 'v' * 64}},
        fresh='f' * 64,
        unit_secret='u' * 64,
        now=1_800_000_000.0,
        facts=state.Facts(base='debian@13' if 'ovn' in name else 'debian@12'),
    )


def driven(
    name: str,
    relations: Mapping[str, tuple[Relation, ...]],
    read: options.Read | None = None,
    failing: frozenset[str] = frozenset(),
) -> drive.Driven:
    """A config-changed of the charm *name*; with its options at their defaults, if not as *read*.

    *failing*: services that do not come up.
    """
    charm = sound.charm(name)
    machine = machines.FakeMachine(shell=_shell(name), failing=failing)
    return drive.drive(
        machine,
        object.__new__(charm).run,  # As pure as it is, it needs no Juju.
        charmkit.Hook('config-changed'),
        _inputs(name, relations, read or options.read(charm.declared_options(), {}, {})),
    )


def _shell(name: str) -> Any:
    """What the programs of the charm's server say."""
    beside = {'mysql': 'sql', 'rabbitmq-server': 'cluster'}.get(name)
    if beside is None:
        return None
    sound.charm(name)  # Its modules are what that one imports.
    path = sound.CHARMS / name / 'tests/unit' / f'{beside}.py'
    spec = importlib.util.spec_from_file_location(f'hostile_{beside}', path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[f'hostile_{beside}'] = module
    spec.loader.exec_module(module)
    return module.Server() if name == 'mysql' else module.Cluster().of(f'rabbit@{name}-0')


def _spoilt(relation: Relation, changes: list[tuple[int, str]], key: str) -> Relation:
    """*relation* with the values at some of its keys replaced, and one at a *key* of anybody's."""
    app, unit = dict(relation.app_data), dict(relation.units['other/0'])
    places = [(bag, k) for bag in (app, unit) for k in sorted(bag)] or [(unit, key)]
    for at, value in changes:
        bag, k = places[at % len(places)]
        bag[k] = value
    unit.setdefault(key, changes[0][1])
    return Relation(
        id=relation.id,
        name=relation.name,
        app='other',
        app_data=app,
        units={'other/0': unit, 'other/1': dict(relation.units['other/0'])},
    )


@pytest.mark.parametrize(
    ('name', 'endpoint'),
    [(name, endpoint) for name in NAMES for endpoint in sound.endpoints(name)],
)
@settings(deadline=None, max_examples=examples(15), suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_nothing_that_the_other_side_writes_fails_a_hook_or_comes_into_a_file(
    name: str, endpoint: str, data: st.DataObject
):
    changes = data.draw(st.lists(st.tuples(st.integers(0, 40), hostile), min_size=1, max_size=3))
    key = data.draw(
        st.sampled_from(['database', '_database', 'service', '_service', 'x'])
        | st.text(max_size=9)
    )
    relations = {r.name: (r,) for r in sound.relations(name)}
    relations[endpoint] = (_spoilt(relations[endpoint][0], changes, key),)
    judge(driven(name, relations))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ('name', 'endpoint'),
    [(name, endpoint) for name in NAMES for endpoint in sound.endpoints(name)],
)
def test_every_key_holds_every_bomb(name: str, endpoint: str):
    every = {r.name: (r,) for r in sound.relations(name)}
    relation = every[endpoint][0]
    places = len(relation.app_data) + len(relation.units['other/0'])
    for at in range(max(places, 1)):
        for bomb in BOMBS:
            spoilt = _spoilt(relation, [(at, bomb)], 'x')
            try:
                judge(driven(name, {**every, endpoint: (spoilt,)}))
            except Exception as e:
                raise AssertionError(f'key {at} of {endpoint} with {bomb[:60]!r}') from e


def judge(done: drive.Driven) -> None:
    """What must hold, whatever was said."""
    desired = done.desired
    for file in desired.host.files:
        file.content.encode()
        intruders = [li for li in file.content.splitlines() if li.strip(' [').startswith(MARK)]
        assert intruders == [], file.path
    bags = [*desired.unit_data.values(), *desired.app_data.values()]
    for value in (v for bag in bags for v in bag.values()):
        value.encode()
    for status in desired.status:
        assert '\n' not in status.message
        status.message.encode()
        assert len(status.message) < 5000


def test_sound_relations_bring_everything_about():
    """The twin: what is spoilt above is what a charm reads."""
    for name in NAMES:
        done = driven(name, {r.name: (r,) for r in sound.relations(name)})
        judge(done)
        assert not [s for s in done.desired.status if 'missing' in s.message], name
        assert done.desired.host.services


def test_without_the_parsers_care_it_would_fail(monkeypatch: pytest.MonkeyPatch):
    """The twin: a line break in what keystone answers would end a hook of placement."""
    relations = {r.name: (r,) for r in sound.relations('placement')}
    at = sorted(sound.IDENTITY).index('service_username')
    spoilt = _spoilt(relations['identity-service'][0], [(at, f'x\n{MARK} = 1')], 'x')
    relations['identity-service'] = (spoilt,)
    judge(driven('placement', relations))

    def careless(*_: object) -> bool:
        return True

    monkeypatch.setattr(keystone.wire, 'one_line', careless)
    with pytest.raises(ValueError, match='holds a line break'):
        driven('placement', relations)
