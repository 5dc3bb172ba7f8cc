"""Whatever an operator types into an option of any charm: no charm fails, hangs or passes it into a line of its own.

What will not do is told by name and changes nothing: the files and what others are told are as with the default.
"""

from __future__ import annotations

from typing import Any

import pytest
from charmkit import drive, options
from charmkit import testing as machines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charms.tests.unit import sound
from charms.tests.unit import test_hostile_relations as hostile
from tests.examples import examples

pytestmark = pytest.mark.timeout(60)

NAMES = (*hostile.NAMES, 'cinder-nfs', 'cinder-lvm')
TEXTS = ('config-flags', 'policy-overrides', 'domain-config', 'openstack-origin-key')
"""Texts of many lines, which are an operator's own."""
typed = (
    st.sampled_from(hostile.BOMBS)
    | st.text(max_size=40)
    | st.lists(
        st.sampled_from(
            [
                'physnet1',
                'physnet1:br-ex',
                'br-int',
                'br-ex:eth1',
                'br-ex',
                'physnet1:1:9',
                '10.0.0.1',
                '::1',
                'fd00::1',
                '*',
                'vxlan',
                'gre',
                '1:9',
                'a.example',
                '-',
                ':',
                '9',
                '/dev/sdb',
                'sdb',
                'host:/share',
                'eth0',
                'vers=4',
            ]
        ),
        max_size=4,
    ).map(' '.join)
)


def declared(name: str) -> tuple[options.Option, ...]:
    return sound.charm(name).declared_options(machines.FakeMachine().facts())


def driven(name: str, read: options.Read) -> drive.Driven:
    return hostile.driven(name, {r.name: (r,) for r in sound.relations(name)}, read)


OPTIONS = [
    (name, option.name)
    for name in NAMES
    for option in declared(name)
    if option.kind.juju in ('string', 'int')
]


@pytest.mark.parametrize(('name', 'option'), OPTIONS)
@settings(deadline=None, max_examples=examples(10), suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_is_typed_is_refused_by_name_or_can_be_done(
    name: str, option: str, data: st.DataObject
):
    every = declared(name)
    (kind,) = (o.kind for o in every if o.name == option)
    value: Any = data.draw(typed if kind.juju == 'string' else st.integers())
    read = options.read(every, {option: value}, {})
    assert set(read.refused) <= {option}
    if read.refused:
        assert f'option {option}: ' in read.refused[option]
        assert '\n' not in read.refused[option]
        assert len(read.refused[option]) < 500
        return
    done = driven(name, read)
    if option not in TEXTS:
        hostile.judge(done)


@pytest.mark.parametrize(
    ('name', 'option', 'bad'),
    [
        ('nova-compute', 'default-availability-zone', ''),
        ('nova-compute', 'default-availability-zone', ' nova'),
        ('nova-compute', 'default-availability-zone', 'nova:compute-1'),
        ('nova-compute', 'default-availability-zone', 'z' * 256),
        ('cinder', 'default-volume-type', ' '),
        ('cinder', 'default-volume-type', 'fast\n'),
        ('glance', 'web-download-hosts', '127.0.0.1'),
        ('glance', 'web-download-hosts', 'images.example 1.5'),
        ('heat', 'openstack-origin', 'ppa:x/y'),
        ('heat', 'cors-allowed-origins', 'https://1.5'),
        ('placement', 'os-admin-hostname', '0.0.0.1'),
    ],
)
def test_what_looks_right_and_is_not_leaves_the_last_good_value(name: str, option: str, bad: str):
    every = declared(name)
    good = options.read(every, {}, {})
    after = options.read(every, {option: bad}, good.good)
    assert after.refused.keys() == {option}
    assert after.values == good.values
    assert driven(name, after).desired.host == driven(name, good).desired.host
