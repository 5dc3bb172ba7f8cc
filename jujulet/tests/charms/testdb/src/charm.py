#!/usr/bin/env python3
"""A database for tests: it serves nothing, and tells all that the model told it."""

from __future__ import annotations

import secrets
import time

import ops

PASSWORD = 'password'


class TestDb(ops.CharmBase):
    """Tells its clients the configuration, and each its password as a secret."""

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        for event in (self.on.config_changed, self.on.leader_elected, self.on.upgrade_charm):
            framework.observe(event, self._tell)
        framework.observe(self.on.db_relation_created, self._tell)
        framework.observe(self.on.do_thing_action, self._do_thing)
        framework.observe(self.on.show_account_action, self._show_account)
        framework.observe(self.on.new_password_action, self._new_password)
        framework.observe(self.on.show_state_action, self._show_state)

    def _tell(self, event: ops.EventBase) -> None:
        for relation in self.model.relations['db']:
            relation.data[self.unit]['unit'] = self.unit.name
            if self.unit.is_leader():
                relation.data[self.app]['testoption'] = str(self.config['testoption'])
                relation.data[self.app]['secret'] = str(self._secret(relation))
        if self.config['testoption']:
            self.unit.status = ops.ActiveStatus(str(self.config['testoption']))

    def _secret(self, relation: ops.Relation) -> str:
        try:
            secret = self.model.get_secret(label=PASSWORD)
            known = secret.get_info().id
        except ops.SecretNotFoundError:
            secret = self.app.add_secret({'password': secrets.token_hex(8)}, label=PASSWORD)
            known = secret.id or ''
        secret.grant(relation)
        return known

    def _do_thing(self, event: ops.ActionEvent) -> None:
        event.log(f'thinking of {event.params["param1"]}')
        time.sleep(event.params['sleep'])
        if event.params.get('exception'):
            raise RuntimeError(event.params['exception'])
        if event.params.get('error'):
            event.fail(event.params['error'])
            return
        event.set_results({'thing': 'done', 'config': {'testoption': self.config['testoption']}})
        event.set_results({'params': {'param1': event.params['param1']}})

    def _show_account(self, event: ops.ActionEvent) -> None:
        secret = self.model.get_secret(id=str(self.config['account']))
        event.set_results(secret.get_content(refresh=True))

    def _new_password(self, event: ops.ActionEvent) -> None:
        self.model.get_secret(label=PASSWORD).set_content({'password': secrets.token_hex(8)})

    def _show_state(self, event: ops.ActionEvent) -> None:
        ring = self.model.get_relation('ring')
        event.set_results(
            {
                'leader': self.unit.is_leader(),
                'peers': ' '.join(sorted(u.name for u in ring.units)) if ring else '',
                'planned': self.app.planned_units(),
            }
        )


if __name__ == '__main__':
    ops.main(TestDb)
