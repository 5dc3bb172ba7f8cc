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

    attached = calico_driver.Resource()
    """As Juju has it."""

    def inputs(self, why: charmkit.Why | None = None) -> charmkit.Inputs:
        """Everything that the desired state depends on, and the resource."""
        try:
            path = self.model.resources.fetch(calico_driver.RESOURCE)
            self.attached = calico_driver.Resource(path.read_bytes())
        except (NameError, ops.ModelError, OSError) as e:
            said = ' '.join(str(e).split())
            self.attached = calico_driver.Resource(failure=said[:200] or type(e).__name__)
        return super().inputs(why)

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What is installed, and published to neutron-api."""
        return calico_driver.run(why, inputs, self.attached)

    @classmethod
    def declared_options(cls, facts: charmkit.Facts | None = None) -> tuple[options.Option, ...]:
        """Where etcd is."""
        return calico_driver.OPTIONS


if __name__ == '__main__':  # pragma: nocover
    ops.main(NeutronApiPluginCalicoCharm)
