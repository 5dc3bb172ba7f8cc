#!/usr/bin/env python3
"""Charm for MariaDB: databases for OpenStack's services, over the interface mysql-shared."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import mariadb
import mysql_run
import ops
from charmkit import host, options


class MysqlCharm(charmkit.Charm):
    """Charm for a MariaDB server."""

    def run(self, why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be."""
        return mysql_run.run(why, inputs)

    @classmethod
    def declared_options(cls, facts: charmkit.Facts | None = None) -> tuple[options.Option, ...]:
        """How large the server may be; its cache no larger than the machine's memory."""
        return mariadb.options(facts.memory_mib if facts else mariadb.MOST_MIB)

    def prepared(self, facts: charmkit.Facts) -> host.Host:
        """The server's package."""
        return mariadb.prepared()


if __name__ == '__main__':  # pragma: nocover
    ops.main(MysqlCharm)
