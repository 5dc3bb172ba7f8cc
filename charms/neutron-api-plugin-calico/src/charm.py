#!/usr/bin/env python3
"""Charm for neutron's Calico driver: a subordinate of neutron-api that brings the driver, and tells it of etcd."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import calico_driver
import charmkit
import ops
from charmkit import options


class NeutronApiPluginCalicoCharm(charmkit.Charm):
    """Charm for neutron's Calico driver."""

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What is installed, and published to neutron-api."""
        return calico_driver.run(why, inputs)

    @classmethod
    def declared_options(cls, facts: charmkit.Facts | None = None) -> tuple[options.Option, ...]:
        """Where etcd is."""
        return calico_driver.OPTIONS


if __name__ == '__main__':  # pragma: nocover
    ops.main(NeutronApiPluginCalicoCharm)
