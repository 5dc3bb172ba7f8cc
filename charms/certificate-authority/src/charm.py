#!/usr/bin/env python3
"""Charm for a private certificate authority, over the interface tls-certificates."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import ca_options
import ca_run
import charmkit
import ops
from charmkit import options


class CertificateAuthorityCharm(charmkit.Charm):
    """Charm for a private certificate authority."""

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to say."""
        return ca_run.run(why, inputs)

    @classmethod
    def declared_options(cls, facts: charmkit.Facts | None = None) -> tuple[options.Option, ...]:
        """What it certifies, and for how long."""
        return ca_options.every()


if __name__ == '__main__':  # pragma: nocover
    ops.main(CertificateAuthorityCharm)
