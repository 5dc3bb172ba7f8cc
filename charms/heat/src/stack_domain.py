"""The domain that heat keeps the users of stacks in, and its administrator: found, or made with heat's own account.

Source: heat's documentation, "Stack domain users"; names as in Charmed OpenStack's heat. Keystone's Identity API v3.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import charmkit
from charmkit import keystone
from charmkit.machine import HttpRequest, HttpResponse, Machine
from charmkit.relations import wire

DOMAIN = 'heat'
ADMIN = 'heat_domain_admin'
ROLE = 'heat_stack_user'
PASSWORD = 'heat-domain-admin-passwd'  # noqa: S105 -- its name.
NAME = 'stack domain'
"""Of the task."""

Json = Mapping[str, Any]


class _RefusedError(Exception):
    """Keystone does not do it; the message says what, and what it says."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Domain:
    """See to it that the administrator can log in to the domain. The result is '' when it can, else why not."""

    identity: keystone.Identity
    password: str = dataclasses.field(repr=False)
    name: str = NAME

    def carry_out(self, machine: Machine) -> str:
        """Log in, and where that is refused make what is missing, by *machine*."""
        user = {'name': ADMIN, 'domain': {'name': DOMAIN}, 'password': self.password}
        scope = {'domain': {'name': DOMAIN}}
        if _login(machine, self.identity.auth_url, user, scope).status == 201:
            return ''
        try:
            self._make(_Client.of(machine, self.identity))
        except _RefusedError as e:
            return str(e)
        return ''

    def _make(self, client: _Client) -> None:
        domain = client.found_or_made('domain', {'name': DOMAIN, 'description': 'Stacks of heat'})
        client.found_or_made('role', {'name': ROLE})
        wanted = {'name': ADMIN, 'domain_id': domain, 'description': "Heat's, for its stacks"}
        user = client.found_or_made('user', wanted, f'&domain_id={domain}')
        client.ask('PATCH', f'/users/{user}', {'user': {'password': self.password}})
        admin = client.find('role', 'admin')
        client.ask('PUT', f'/domains/{domain}/users/{user}/roles/{admin}')


@dataclasses.dataclass(frozen=True)
class _Client:
    machine: Machine
    url: str
    token: str = dataclasses.field(repr=False)

    @classmethod
    def of(cls, machine: Machine, account: keystone.Identity) -> _Client:
        domain = {'name': account.domain}
        user = {'name': account.username, 'domain': domain, 'password': account.password}
        scope = {'project': {'name': account.project, 'domain': domain}}
        response = _login(machine, account.auth_url, user, scope)
        token = response.headers.get('x-subject-token', '')
        if not token:
            raise _RefusedError(
                f'heat cannot log in to keystone: {response.status} {response.reason}'
            )
        return cls(machine, account.auth_url, token)

    def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        response = self.machine.http(
            HttpRequest(
                method=method,
                url=f'{self.url}{path}',
                headers={'X-Auth-Token': self.token, 'Content-Type': 'application/json'},
                body=json.dumps(body) if body is not None else '',
            )
        )
        if not 200 <= response.status < 300:
            raise _RefusedError(
                f'{method} {path}: keystone says {response.status} {response.reason}'
            )
        return wire.load_object(response.body)

    def find(self, kind: str, name: str, more: str = '') -> str:
        """The id of what is called *name*; '' when there is none."""
        found = wire.items(self.ask('GET', f'/{kind}s?name={quote(name)}{more}').get(f'{kind}s'))
        known = (cast('Json', f) for f in found if isinstance(f, Mapping))
        return next((str(f['id']) for f in known if f.get('id')), '')

    def found_or_made(self, kind: str, wanted: Json, more: str = '') -> str:
        if known := self.find(kind, str(wanted['name']), more):
            return known
        return str(self.ask('POST', f'/{kind}s', {kind: wanted})[kind]['id'])


def _login(machine: Machine, url: str, user: Json, scope: Json) -> HttpResponse:
    identity = {'methods': ['password'], 'password': {'user': user}}
    return machine.http(
        HttpRequest(
            method='POST',
            url=f'{url}/auth/tokens?nocatalog',
            headers={'Content-Type': 'application/json'},
            body=json.dumps({'auth': {'identity': identity, 'scope': scope}}),
        )
    )


def notes(ready: charmkit.Ready) -> tuple[charmkit.Status, ...]:
    """What came of it, where it did not succeed."""
    said = ready.inputs.seen.get(NAME)
    if not (isinstance(said, str) and said):
        return ()
    return (charmkit.Status('blocked', f'no domain for the users of stacks: {said}'),)
