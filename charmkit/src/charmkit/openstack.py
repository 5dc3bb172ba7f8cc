"""OpenStack's APIs, asked with a service's own account over a machine's HTTP: for actions and tasks of charms.

Source: the Identity API v3 (tokens and their catalogue), as the API reference has it.
"""

from __future__ import annotations

import dataclasses
import http
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from .machine import HttpRequest, HttpResponse, Machine
from .relations import keystone

_TIMEOUT_S = 60.0
_SHOWN = 400
"""The most characters of what a service says that are passed on."""


class RefusedError(Exception):
    """A service refused a request, or does not answer; the message says which request, and why."""

    def __init__(self, asked: str, status: int, reason: str):
        self.status = status
        """HTTP's; 0 when nobody answered."""
        super().__init__(f'{asked}: {status or "no answer"} {reason}'.rstrip())


@dataclasses.dataclass(frozen=True)
class Client:
    """An account that has logged in, and one service that it asks, at its internal endpoint."""

    machine: Machine
    url: str
    """As the catalogue has it, with the API's version: ``http://10.0.0.9:8774/v2.1``."""
    token: str = dataclasses.field(repr=False)
    version: str = ''
    """The microversion, as its header wants it: ``compute 2.53``."""

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Make one request; what is in the JSON that comes back, None where nothing does.

        Raises:
            RefusedError: when the service refuses, or does not answer.
        """
        headers = {'X-Auth-Token': self.token}
        if self.version:
            headers['OpenStack-API-Version'] = self.version
        response = _request(self.machine, method, self.url + path, headers, body)
        return _json(f'{method} {path.partition("?")[0]}', response)


def login(
    machine: Machine, identity: keystone.Identity, service_type: str, version: str = ''
) -> Client:
    """Log in with the account of *identity*, to ask the service of that type in the account's region.

    Raises:
        RefusedError: when keystone refuses, or does not answer, or its catalogue has no such service.
    """
    response = _request(
        machine, 'POST', f'{identity.auth_url}/auth/tokens', {}, credentials(identity)
    )
    found = _json('POST /auth/tokens', response)
    token = response.headers.get('x-subject-token', '')
    url = next(_endpoints(found, service_type, identity.region), '')
    if not token or not url:
        missing = (
            f'an internal endpoint of {service_type} in {identity.region}' if token else 'a token'
        )
        raise RefusedError(
            'POST /auth/tokens', response.status, f'but {missing} is not in the answer'
        )
    return Client(machine, url.rstrip('/'), token, version)


def credentials(identity: keystone.Identity) -> dict[str, Any]:
    """The body of a request for a token."""
    domain = {'name': identity.domain}
    user = {'name': identity.username, 'domain': domain, 'password': identity.password}
    wanted = {
        'identity': {'methods': ['password'], 'password': {'user': user}},
        'scope': {'project': {'name': identity.project, 'domain': domain}},
    }
    return {'auth': wanted}


def _endpoints(response: Any, service_type: str, region: str) -> Iterator[str]:
    try:
        for service in response['token']['catalog']:
            for endpoint in service['endpoints'] if service['type'] == service_type else ():
                at = endpoint.get('region_id') or endpoint.get('region')
                if endpoint['interface'] == 'internal' and at == region:
                    yield str(endpoint['url'])
    except (KeyError, TypeError):
        return


def _request(
    machine: Machine,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: Mapping[str, Any] | None,
) -> HttpResponse:
    kinds = {'Content-Type': 'application/json', 'Accept': 'application/json'}
    text = '' if body is None else json.dumps(body)
    return machine.http(
        HttpRequest(
            method=method, url=url, headers={**kinds, **headers}, body=text, timeout_s=_TIMEOUT_S
        )
    )


def _json(asked: str, response: HttpResponse) -> Any:
    if not http.HTTPStatus.OK <= response.status < http.HTTPStatus.MULTIPLE_CHOICES:
        raise RefusedError(asked, response.status, _reason(response.body) or response.reason)
    try:
        return json.loads(response.body) if response.body else None
    except ValueError:
        raise RefusedError(asked, response.status, 'this is no JSON') from None


def _reason(body: str) -> str:
    """What a service says of its refusal: each wraps its words in one object, whose name is another each time."""
    try:
        said = cast('dict[str, Any]', json.loads(body))
        return ' '.join(str(next(iter(said.values()))['message']).split())[:_SHOWN]
    except (ValueError, KeyError, TypeError, StopIteration, AttributeError):
        return ''
