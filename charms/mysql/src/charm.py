#!/usr/bin/env python3
"""Charm for MariaDB: databases for OpenStack's services, over the interface mysql-shared."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib

import backups
import charmkit
import grants
import mariadb
import ops
import server
from charmkit import host
from charmkit.relations import mysql


class MysqlCharm(charmkit.Charm):
    """Charm for a MariaDB server."""

    _take_over = False

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        framework.observe(self.on['backup'].action, self._on_backup)
        framework.observe(self.on['restore'].action, self._on_restore)
        framework.observe(self.on['list-backups'].action, self._on_list_backups)
        framework.observe(self.on['take-over'].action, self._on_take_over)

    def desired_state(self, inputs: charmkit.Inputs) -> charmkit.Desired:
        """What this unit is to be."""
        return mariadb.desired_state(inputs, take_over=self._take_over)

    def prepared(self, facts: charmkit.Facts) -> host.Host:
        """The server's package."""
        return mariadb.prepared()

    def converge(self, inputs: charmkit.Inputs, desired: charmkit.Desired) -> charmkit.Desired:
        """Bring grants to what is asked for, and only then answer."""
        seed = mariadb.seed(inputs)
        if not desired.host.services or not seed:
            return desired
        asked = mariadb.asked(inputs).requests
        every = [request for requests in asked.values() for request in requests]
        server.converge(
            grants.desired(every), lambda user: grants.hashed(grants.password(seed, user))
        )
        passwords = {r.user: grants.password(seed, r.user) for r in every}
        db_host = inputs.site.address_on('shared-db')
        answers = {
            relation: mysql.answer(db_host, requests, passwords)
            for relation, requests in asked.items()
        }
        return dataclasses.replace(desired, unit_data={**desired.unit_data, **answers})

    def _on_backup(self, event: ops.ActionEvent) -> None:
        now = datetime.datetime.now(datetime.UTC)
        try:
            made = backups.make(pathlib.Path(mariadb.BACKUPS), now, event.log)
        except (backups.BackupError, server.ServerError) as e:
            event.fail(f'No backup was made: {e}')
            return
        event.set_results(made.results())

    def _on_restore(self, event: ops.ActionEvent) -> None:
        path = pathlib.Path(mariadb.BACKUPS) / str(event.params['file'])
        try:
            backups.restore(path, event.log)
        except (backups.BackupError, server.ServerError) as e:
            event.fail(str(e))
            return
        self.reconcile()
        event.set_results({'restored': str(path)})

    def _on_list_backups(self, event: ops.ActionEvent) -> None:
        found = backups.found(pathlib.Path(mariadb.BACKUPS))
        event.set_results({'backups': '\n'.join(found)})

    def _on_take_over(self, event: ops.ActionEvent) -> None:
        if not self.unit.is_leader():
            event.fail('Only the leader can take over: see `juju status` for which unit it is')
            return
        self._take_over = True
        self.reconcile()
        event.set_results({'server': self.unit.name})


if __name__ == '__main__':  # pragma: nocover
    ops.main(MysqlCharm)
