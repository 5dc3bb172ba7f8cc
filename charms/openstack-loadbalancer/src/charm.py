#!/usr/bin/env python3
"""Charm for the load balancer in front of OpenStack's APIs."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import ops
from balancer import files, run


class LoadBalancerCharm(charmkit.Charm):
    """Charm for haproxy and keepalived as OpenStack's load balancer."""

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be."""
        return run.run(why, inputs)

    def prepared(self, facts: charmkit.Facts) -> charmkit.host.Host:
        """haproxy, and keepalived for the case that there will be a VIP."""
        return files.PREPARED


if __name__ == '__main__':  # pragma: nocover
    ops.main(LoadBalancerCharm)
