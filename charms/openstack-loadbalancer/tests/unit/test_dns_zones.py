"""In which zone each name is asked for of a DNS charm."""

from __future__ import annotations

from typing import Any

import pytest
from balancer import dns_zones
from charmkit import testing as machines
from hypothesis import given
from hypothesis import strategies as st

from .test_charm import charm, ctx, machine
from .test_dns_records import DNS, SERVES, asked, led_to, related

__all__ = ['charm', 'ctx', 'machine']  # fixtures


@pytest.mark.parametrize(
    ('names', 'listed', 'found'),
    [
        ('cloud.example.com', '', 'cloud in example.com'),
        ('cloud.example.com', 'cloud.example.com', '@ in cloud.example.com'),
        ('cloud.example.com', 'example.com', 'cloud in example.com'),
        ('cloud.example.com', 'other.example.com e.com', 'cloud in example.com'),
        # A zone of its own would hide the other's record.
        (
            'cloud.example.com internal.cloud.example.com',
            '',
            'cloud in example.com, internal.cloud in example.com',
        ),
        (
            'cloud.example.com internal.cloud.example.com',
            'cloud.example.com',
            '@ in cloud.example.com, internal in cloud.example.com',
        ),
        ('a.b.example.com', 'example.com b.example.com', 'a in b.example.com'),
        # Nobody is to serve all of com.
        ('example.com', '', '@ in example.com'),
        ('example.com cloud.example.com', '', '@ in example.com, cloud in example.com'),
        ('api.internal', 'internal', 'api in internal'),
    ],
)
def test_each_name_is_in_the_zone_that_is_listed_or_needed(names: str, listed: str, found: str):
    zones = dns_zones.zones(names.split(), listed.split())
    said = [f'{dns_zones.label(name, zone)} in {zone}' for name, zone in zones.items()]
    assert ', '.join(said) == found


_domains = st.lists(st.sampled_from('abc'), min_size=1, max_size=4).map('.'.join)


@given(st.sets(_domains.filter(lambda d: '.' in d), max_size=6), st.sets(_domains, max_size=3))
def test_no_zone_hides_a_name_of_another(names: set[str], listed: set[str]):
    zones = dns_zones.zones(names, listed)
    assert zones.keys() == names
    for name, zone in zones.items():
        deepest = max((z for z in zones.values() if dns_zones.within(name, z)), key=len)
        assert zone == deepest
        assert '.' in zone or zone in listed
        assert dns_zones.name(dns_zones.label(name, zone), zone) == name


def test_the_operator_says_the_zone_and_what_was_asked_for_in_another_moves_with_it(
    ctx: Any, machine: machines.FakeMachine
):
    dns = related(ctx, DNS, 'public', **{'dns-zones': ''})
    assert led_to(dns) == [('cloud.example.com', '10.1.0.5')]
    dns = related(ctx, dns, 'public', **{'dns-zones': 'Cloud.example.com'})
    assert led_to(dns) == [('@.cloud.example.com', '10.1.0.5')]
    assert led_to(related(ctx, dns, 'public')) == [('cloud.example.com', '10.1.0.5')]


@pytest.mark.parametrize(
    'wrong', ['a_b', '10.0.0.1', 'example.com.', ' '.join(f'z{n}' for n in range(17))]
)
def test_what_is_no_zone_is_named(ctx: Any, machine: machines.FakeMachine, wrong: str):
    out, found = asked(ctx, SERVES, dns_zones=wrong)
    assert 'option dns-zones' in out.unit_status.message
    assert found == {}
