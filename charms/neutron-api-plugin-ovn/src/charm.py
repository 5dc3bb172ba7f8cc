#!/usr/bin/env python3
"""Charm for neutron's OVN driver: a subordinate of neutron-api that tells it of OVN's databases."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import ops
import ovn_driver
from charmkit import options


class NeutronApiPluginOvnCharm(charmkit.Charm):
    """Charm for neutron's OVN driver."""

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What is published to neutron-api."""
        return ovn_driver.run(why, inputs)

    @classmethod
    def declared_options(cls, facts: charmkit.Facts | None = None) -> tuple[options.Option, ...]:
        """How networks are made."""
        return ovn_driver.OPTIONS


if __name__ == '__main__':  # pragma: nocover
    ops.main(NeutronApiPluginOvnCharm)
