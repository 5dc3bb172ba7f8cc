"""Spaces get subnets that are free, and none that another one has."""

from __future__ import annotations

import ipaddress

import pytest

from jujulet.controller import subnets


def test_the_first_free_subnets_are_chosen():
    first4, first6 = subnets.choose([])
    again4, again6 = subnets.choose([first4, first6])
    assert {first4, first6}.isdisjoint({again4, again6})


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
