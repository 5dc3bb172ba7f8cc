"""A nova that is only played, with keystone before it and placement beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from charmkit.machine import HttpRequest, HttpResponse

KEYSTONE, NOVA = 'http://10.0.0.6:5000/v3', 'http://10.0.0.9:8774/v2.1'
PLACEMENT = 'http://10.0.0.9:8778'
UUID = '11111111-2222-4333-8444-555555555555'
NODE = '99999999-2222-4333-8444-555555555555'


@dataclasses.dataclass
class Nova:
    """One that has a service for the node, with keystone before it."""

    status: str = 'enabled'
    reason: str | None = None
    services: bool = True
    servers: list[str] = dataclasses.field(default_factory=list[str])
    refuses: str = ''
    """The method that it answers with 409."""
    away: bool = False
    away_after: str = ''
    """The method after which it does not answer any more."""
    arrives: str = ''
    """The name of a server that is placed just before the node is disabled."""
    name: str = 'machine-0'
    """The host, as nova calls it."""
    uuid: str = UUID
    mapped: bool = True
    """Its host is mapped to a cell."""
    state: str = 'up'
    inventory: bool = True
    """Placement has what it offers."""
    before: Callable[[Nova], None] | None = None
    """What happens before each question of hypervisors."""
    asked: list[str] = dataclasses.field(default_factory=list[str])

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.url == f'{KEYSTONE}/auth/tokens':
            return self._token(request)
        assert request.headers['X-Auth-Token'] == 'a-token'
        if request.url.startswith(PLACEMENT):
            return self._placement(request)
        assert request.url.startswith(NOVA), request.url
        assert request.headers['OpenStack-API-Version'] == 'compute 2.53'
        self.asked.append(f'{request.method} {request.url.removeprefix(NOVA)}')
        before = [asked.partition(' ')[0] for asked in self.asked[:-1]]
        self.away = self.away or self.away_after in before
        if self.away:
            return HttpResponse(0, 'Connection refused')
        if request.method == self.refuses:
            return HttpResponse(409, body='{"conflictingRequest": {"message": "in use"}}')
        match request.method:
            case 'PUT':
                said = json.loads(request.body)
                self.servers += [self.arrives] if self.arrives else []
                self.status, self.reason = said['status'], said.get('disabled_reason')
                return HttpResponse(200, body='{}')
            case 'DELETE':
                self.services = self.mapped = False
                return HttpResponse(204)
            case _ if '/os-hypervisors/' in request.url:
                return self._hypervisors(request.url)
            case _:
                return HttpResponse(200, body=json.dumps(self._told(request.url)))

    def _hypervisors(self, url: str) -> HttpResponse:
        assert url.endswith('/detail?hypervisor_hostname_pattern=machine-0'), url
        if self.before:
            self.before(self)
        if not self.mapped:
            return HttpResponse(404, body='{"itemNotFound": {"message": "No hypervisor"}}')
        others = {'id': 'other', 'state': 'up', 'service': {'host': 'machine-00'}}
        own = {'id': NODE, 'state': self.state, 'service': {'host': self.name}}
        return HttpResponse(200, body=json.dumps({'hypervisors': [others, own]}))

    def _placement(self, request: HttpRequest) -> HttpResponse:
        assert request.url == f'{PLACEMENT}/resource_providers/{NODE}/inventories'
        if not self.inventory:
            return HttpResponse(404, body='{"errors": [{"title": "Not Found"}]}')
        return HttpResponse(200, body='{"inventories": {"VCPU": {"total": 2}}}')

    def _token(self, request: HttpRequest) -> HttpResponse:
        user = json.loads(request.body)['auth']['identity']['password']['user']
        if user['password'] != 'account-pw':
            return HttpResponse(401)
        endpoints = [
            {'interface': 'public', 'region_id': 'RegionOne', 'url': 'http://203.0.113.9:8774'},
            {'interface': 'internal', 'region_id': 'Elsewhere', 'url': 'http://10.8.0.9:8774'},
            {'interface': 'internal', 'region_id': 'RegionOne', 'url': NOVA},
        ]
        compute = {'type': 'compute', 'endpoints': endpoints}
        here = {'interface': 'internal', 'region_id': 'RegionOne', 'url': PLACEMENT}
        placement = {'type': 'placement', 'endpoints': [here]}
        catalog: list[dict[str, Any]] = [{'type': 'image', 'endpoints': []}, compute, placement]
        body = json.dumps({'token': {'catalog': catalog}})
        return HttpResponse(201, headers={'x-subject-token': 'a-token'}, body=body)

    def _told(self, url: str) -> dict[str, Any]:
        if '/servers?' in url:
            assert url.endswith('?all_tenants=1&host=machine-0'), url
            return {'servers': [{'name': name} for name in self.servers]}
        service = {'id': self.uuid, 'host': self.name, 'status': self.status}
        service['disabled_reason'] = self.reason or ''
        return {'services': [service] if self.services else []}
