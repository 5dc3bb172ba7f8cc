#!/usr/bin/env python3
"""Charm for cinder's NFS driver: volumes are files in shares. A subordinate of cinder, and of its compute nodes."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import nfs_run
import ops
import volume_shares
from charmkit import options


class CinderNfsCharm(charmkit.Charm):
    """Charm for volumes in NFS shares, or in a directory of cinder's own machine."""

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be."""
        return nfs_run.run(why, inputs)

    @classmethod
    def declared_options(cls, facts: charmkit.Facts | None = None) -> tuple[options.Option, ...]:
        """Where volumes are."""
        return volume_shares.OPTIONS


if __name__ == '__main__':  # pragma: nocover
    ops.main(CinderNfsCharm)
