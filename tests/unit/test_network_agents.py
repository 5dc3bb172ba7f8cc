"""Where a cloud's network outside is, and which agents must live, with neutron's own agents and with OVN."""

from __future__ import annotations

import types
from typing import Any, cast

import jubilant
import pytest

from tools import network_agents

OVN = ('OVN Controller Gateway agent', 'OVN Metadata agent')
OVS = ('DHCP agent', 'L3 agent', 'Metadata agent', 'Open vSwitch agent', 'Open vSwitch agent')


def status(**applications: dict[str, str]) -> jubilant.Status:
    """A model with these applications, each with the spaces that it is bound to."""
    apps: dict[str, Any] = {
        name.replace('_', '-'): types.SimpleNamespace(endpoint_bindings=bindings)
        for name, bindings in applications.items()
    }
    return cast('jubilant.Status', types.SimpleNamespace(apps=apps))


@pytest.mark.parametrize('application', ['neutron_gateway', 'ovn_chassis'])
def test_the_network_outside_is_where_the_binding_is_or_all_is(application: str):
    bound = status(**{application: {'': 'alpha', 'external': 'dmz'}})
    assert network_agents.outside(bound) == 'dmz'
    assert network_agents.outside(status(**{application: {'': 'alpha'}})) == 'alpha'


def test_every_compute_node_has_a_controller_and_a_metadata_agent_with_ovn():
    with_ovn = status(ovn_chassis={})
    assert network_agents.complete(with_ovn, OVN * 2, 2)
    assert not network_agents.complete(with_ovn, (*OVN, OVN[0]), 2)
    assert not network_agents.complete(with_ovn, OVS * 2, 2)


def test_without_it_a_gateway_has_three_agents_and_each_node_has_one():
    without = status(neutron_gateway={})
    assert network_agents.complete(without, OVS, 1)
    assert not network_agents.complete(without, OVS[1:], 1)
    assert not network_agents.complete(without, OVS[:-1], 1)
    assert not network_agents.complete(without, OVN * 2, 1)


def test_who_carries_the_networks_is_to_blame_for_them():
    assert network_agents.blamed(status(ovn_chassis={})) == 'ovn'
    assert network_agents.blamed(status(neutron_gateway={})) == 'agents'
