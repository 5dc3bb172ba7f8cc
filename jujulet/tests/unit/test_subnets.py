"""Spaces get subnets that are free, and none that another one has."""

from __future__ import annotations

import ipaddress

import pytest

from jujulet.controller import subnets
from jujulet.core import charm, model, placement


def test_the_first_free_subnets_are_chosen():
    first4, first6 = subnets.choose([])
    again4, again6 = subnets.choose([first4, first6])
    assert {first4, first6}.isdisjoint({again4, again6})


def test_two_controllers_that_choose_at_the_same_moment_choose_differently():
    chosen = [subnets.choose([], who=f'/home/user/{n}') for n in range(8)]
    assert len({four for four, _ in chosen}) == len({six for _, six in chosen}) == 8
    assert all(ipaddress.IPv4Network(four).subnet_of(subnets.POOL4) for four, _ in chosen)
    assert all(ipaddress.IPv6Network(six).subnet_of(subnets.POOL6) for _, six in chosen)


def test_whoever_chooses_finds_the_one_that_is_left():
    all_but_last = [str(n) for n in subnets.POOL4.subnets(new_prefix=24)][:-1]
    assert subnets.choose(all_but_last, who='anyone')[0] == '10.179.255.0/24'


def test_a_space_has_room_for_a_thousand_machines():
    found = with_a_thousand_machines(subnets.choose([])[0])
    assert len({a.ipv4 for m in found.machines.values() for a in m.addresses}) == 1000


def with_a_thousand_machines(subnet: str) -> model.Model:
    found = model.Model('u', 'm', spaces={'alpha': model.Space('alpha', subnet, '')})
    for _ in range(1000):
        found, _ = placement.add_machine(found, charm.Base('debian', '12'), {}, ('alpha',), 0.0)
    return found


def test_a_subnet_that_the_host_has_is_passed_over():
    taken = '10.176.0.0/16'
    found, _ = subnets.choose([taken])
    assert not ipaddress.ip_network(found).overlaps(ipaddress.ip_network(taken))


def test_when_none_is_left_it_says_what_to_do():
    with pytest.raises(RuntimeError, match='destroy a model'):
        subnets.choose([str(subnets.POOL4)])


@pytest.mark.parametrize(
    ('subnet', 'other'),
    [
        ('10.1.2.0/24', '10.1.0.0/16'),
        ('10.1.0.0/16', '10.1.2.0/24'),
        ('fd00::/64', 'fd00::/48'),
    ],
)
def test_an_overlap_is_found_both_ways_round(subnet: str, other: str):
    assert subnets.overlapped(subnet, ['192.168.0.0/24', other]) == other


def test_what_does_not_overlap_is_let_be():
    assert subnets.overlapped('10.1.2.0/24', ['10.1.3.0/24', 'fd00::/8']) == ''
    assert subnets.overlapped('nonsense', ['10.1.3.0/24']) == ''
