"""Runs in the container: networking-calico's DHCP agent, with a bridge for its interface. Not a test.

It makes an interface of kind `dummy`, which the kernel of a test machine need not have; a bridge without ports will do.
"""

# pyright: basic, reportMissingImports=false
# It runs on the unit's own Python, with what neutron's package brings.
from __future__ import annotations

from typing import Any

from networking_calico.agent import dhcp_agent
from neutron.agent.linux import ip_lib
from neutron.privileged.agent.linux import ip_lib as privileged


def add_bridge(wrapper: Any, name: str) -> Any:
    """A bridge called *name*, as IPWrapper.add_dummy gives an interface."""
    privileged.create_interface(name, wrapper.namespace, 'bridge')
    return ip_lib.IPDevice(name, namespace=wrapper.namespace)


ip_lib.IPWrapper.add_dummy = add_bridge

if __name__ == '__main__':
    dhcp_agent.main()
