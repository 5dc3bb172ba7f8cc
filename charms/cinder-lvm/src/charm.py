#!/usr/bin/env python3
"""Charm for cinder's LVM driver: volumes are logical volumes on disks of cinder's units. A subordinate of cinder."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import logical_volumes
import ops
from charmkit import host, options


class CinderLvmCharm(charmkit.Charm):
    """Charm for volumes on disks."""

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be."""
        return logical_volumes.run(why, inputs)

    @classmethod
    def declared_options(cls, facts: charmkit.Facts | None = None) -> tuple[options.Option, ...]:
        """Which disks, and how they are used."""
        return logical_volumes.OPTIONS

    def prepared(self, facts: charmkit.Facts) -> host.Host:
        """LVM's and tgt's packages."""
        return logical_volumes.PACKAGES


if __name__ == '__main__':  # pragma: nocover
    ops.main(CinderLvmCharm)
