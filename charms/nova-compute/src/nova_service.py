"""What nova has of a node, asked and changed with nova's own account: tasks, carried out by a machine."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from charmkit import keystone, openstack
from charmkit.machine import Machine

BINARY = 'nova-compute'
LOOK = 'service'
"""Of the task that asks nova."""
REASON = "disabled by the charm's action"
"""What nova keeps with it. It must not begin with AUTO: what does, nova-compute itself takes back."""
ENABLED, DISABLED, REMOVED = 'enabled', 'disabled', 'removed'
_API, _VERSION = 'compute', 'compute 2.53'
"""Since 2.53 services go by their UUID (nova's history of its REST API)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceState:
    """What nova has of it."""

    service: str = ''
    """The UUID of its service; '' when nova knows none."""
    enabled: bool = False
    """It takes new servers."""
    reason: str = ''
    """Why not, in the words of whoever disabled it."""
    servers: tuple[str, ...] = ()
    """The names of those that are on it, whatever their state."""
    refused: str = ''
    """Why nova does not say."""


@dataclasses.dataclass(frozen=True)
class ProbeService:
    """Ask nova; the result is a :class:`Seen`."""

    host: str
    identity: keystone.Identity
    name: str = LOOK

    def carry_out(self, machine: Machine) -> ServiceState:
        """Ask, by *machine*."""
        host = urllib.parse.quote(self.host, safe='')
        try:
            client = openstack.login(machine, self.identity, _API, _VERSION)
            found: Any = client.ask('GET', f'/os-services?binary={BINARY}&host={host}')
            there: Any = client.ask('GET', f'/servers?all_tenants=1&host={host}')
            service: Mapping[str, Any] = next(iter(found['services']), None) or {}
            return ServiceState(
                service=str(service.get('id', '')),
                enabled=service.get('status') == 'enabled',
                reason=str(service.get('disabled_reason') or ''),
                servers=tuple(sorted(str(s['name']) for s in there['servers'])),
            )
        except openstack.RefusedError as e:
            return ServiceState(refused=str(e))
        except (KeyError, TypeError, AttributeError):
            return ServiceState(refused='nova answers what nobody can read')


@dataclasses.dataclass(frozen=True)
class Change:
    """Have nova enable, disable or forget a *service*; the result is '', or why it does not."""

    identity: keystone.Identity
    service: str
    to: str
    """``enabled``, ``disabled``, or ``removed``."""

    @property
    def name(self) -> str:
        """One for each change."""
        return f'service {self.to}'

    def carry_out(self, machine: Machine) -> str:
        """Ask for it, by *machine*."""
        path = f'/os-services/{self.service}'
        reason = {'disabled_reason': REASON} if self.to == DISABLED else {}
        try:
            client = openstack.login(machine, self.identity, _API, _VERSION)
            if self.to == REMOVED:
                client.ask('DELETE', path)
            else:
                client.ask('PUT', path, {'status': self.to, **reason})
        except openstack.RefusedError as e:
            return str(e)
        return ''


@dataclasses.dataclass(frozen=True)
class List:
    """Ask nova for the services of all compute nodes; the result is JSON, or a :class:`Seen` that says why not."""

    identity: keystone.Identity
    name: str = 'nodes'

    def carry_out(self, machine: Machine) -> str | ServiceState:
        """Ask, by *machine*."""
        try:
            client = openstack.login(machine, self.identity, _API, _VERSION)
            found = client.ask('GET', f'/os-services?binary={BINARY}')
            return json.dumps(found['services'], sort_keys=True)
        except openstack.RefusedError as e:
            return ServiceState(refused=str(e))
        except (KeyError, TypeError):
            return ServiceState(refused='nova answers what nobody can read')
