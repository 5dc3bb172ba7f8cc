#!/usr/bin/env python3
"""Charm for RabbitMQ: accounts and virtual hosts for OpenStack's services, over the interface rabbitmq."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import node
import ops
import rabbit_run
from charmkit import host, options


class RabbitmqServerCharm(charmkit.Charm):
    """Charm for a member of a RabbitMQ cluster."""

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be."""
        return rabbit_run.run(why, inputs)

    @classmethod
    def declared_options(cls, facts: charmkit.Facts | None = None) -> tuple[options.Option, ...]:
        """When publishers have to wait, and how long notifications are kept."""
        return node.options()

    def written_to(self) -> tuple[str, ...]:
        """Where all do, and the broker."""
        return (*super().written_to(), '/var/lib/rabbitmq')

    def prepared(self, facts: charmkit.Facts) -> host.Host:
        """The server's package."""
        return node.prepared()


if __name__ == '__main__':  # pragma: nocover
    ops.main(RabbitmqServerCharm)
