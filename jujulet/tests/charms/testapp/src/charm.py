#!/usr/bin/env python3
"""An application for tests: blocked without a database, active with what the database told it."""

from __future__ import annotations

import ops


class TestApp(ops.CharmBase):
    """Shows what it was told."""

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        for event in (
            self.on.start,
            self.on.upgrade_charm,
            self.on.db_relation_changed,
            self.on.db_relation_departed,
            self.on.secret_changed,
        ):
            framework.observe(event, self._look)
        framework.observe(self.on.db_relation_broken, self._lost)
        framework.observe(self.on.show_action, self._show)
        framework.observe(self.on.show_file_action, self._show_file)

    def _look(self, event: ops.EventBase) -> None:
        told = self._told()
        if not told:
            self.unit.status = ops.BlockedStatus('missing relation: db')
            return
        self.unit.status = ops.ActiveStatus(f'{told["testoption"]} {told["password"]}')

    def _lost(self, event: ops.EventBase) -> None:
        self.unit.status = ops.BlockedStatus('missing relation: db')

    def _told(self) -> dict[str, str]:
        relation = self.model.get_relation('db')
        if relation is None or 'secret' not in relation.data[relation.app]:
            return {}
        data = relation.data[relation.app]
        return {
            'testoption': data['testoption'],
            'password': self._password(data['secret']),
            'units': ' '.join(sorted(u.name for u in relation.units)),
        }

    def _password(self, uri: str) -> str:
        try:
            return self.model.get_secret(id=uri).get_content(refresh=True)['password']
        except ops.SecretNotFoundError:
            return 'unreadable'

    def _show(self, event: ops.ActionEvent) -> None:
        event.set_results(self._told())

    def _show_file(self, event: ops.ActionEvent) -> None:
        path = self.model.resources.fetch('test-file')
        event.set_results({'name': path.name, 'content': path.read_text()})


if __name__ == '__main__':
    ops.main(TestApp)
