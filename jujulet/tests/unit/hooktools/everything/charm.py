"""A charm that does a little of everything at each event, and writes down what it sees."""

from __future__ import annotations

import json
import logging

import ops

logger = logging.getLogger(__name__)


class Everything(ops.CharmBase):
    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        for name, event in self.on.events().items():
            if not name.startswith(('collect_', 'pre_', 'post_')):
                framework.observe(event, self._seen)

    def _seen(self, event: ops.EventBase) -> None:
        name = event.handle.kind
        logger.info('saw %s', name)
        self.unit.status = ops.MaintenanceStatus('at work')
        self._tell_relations(name)
        self._secrets(event)
        self.unit.set_workload_version('1.2')
        self.unit.open_port('tcp', 8080)
        self.unit.open_port('icmp')
        self.unit.close_port('icmp')
        if isinstance(event, ops.ActionEvent):
            event.set_results({'got': {'to': event.params['to']}, 'n': '1'})
            event.log('half-way')
        if isinstance(event, ops.StartEvent):
            self.model.storages.request('cache', 2)
        if self.unit.is_leader():
            self.app.status = ops.WaitingStatus(f'{self.app.planned_units()} planned')
        binding = self.model.get_binding('db')
        assert binding is not None
        assert binding.network.bind_address is not None
        self.unit.status = ops.ActiveStatus(f'{name} {self.config["title"]}')

    def _tell_relations(self, name: str) -> None:
        for endpoint in ('db', 'peers'):
            for relation in self.model.relations[endpoint]:
                mine = relation.data[self.unit]
                mine['event'] = name
                mine['gone'] = 'soon'
                del mine['gone']
                for unit in relation.units:
                    seen = json.dumps(dict(relation.data[unit]), sort_keys=True)
                    mine[f'saw-{unit.name.replace("/", "-")}'] = seen
                assert relation.app is not None
                if relation.app is not self.app:
                    mine['saw-app'] = json.dumps(dict(relation.data[relation.app]))
                if self.unit.is_leader():
                    relation.data[self.app]['leader'] = self.unit.name

    def _secrets(self, event: ops.EventBase) -> None:
        if not isinstance(event, ops.ConfigChangedEvent):
            return
        if self.unit.is_leader():
            secret = self.app.add_secret(
                {'password': 'one\ntwo'},
                label='of-app',
                description='for db',
                rotate=ops.SecretRotate.DAILY,
            )
            for relation in self.model.relations['db']:
                secret.grant(relation)
        self.unit.add_secret({'token': 'é'}, label='of-unit')


if __name__ == '__main__':
    ops.main(Everything)
