"""A deployed bundle, as its clients see it: where its endpoints are, and how to speak to them.

Standard library and jubilant only. Everything is asked through the load balancers' addresses, as clients would.
"""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.error
import urllib.request
from typing import Any

import jubilant

TIMEOUT_S = 20.0
TYPES = ('public', 'internal', 'admin')


@dataclasses.dataclass(frozen=True)
class Cloud:
    """Endpoints by service and type, and who may do everything."""

    urls: dict[str, dict[str, str]]
    """Service name → endpoint type → URL."""
    password: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def find(juju: jubilant.Juju) -> Cloud:
    """The cloud that is deployed in a model. RuntimeError if an endpoint is not there yet."""
    status = juju.status()
    urls: dict[str, dict[str, str]] = {}
    for name, app in status.apps.items():
        if any(f'{kind}-backend' in app.relations for kind in TYPES):
            urls[name] = _frontends(juju, next(iter(app.units)), name)
    task = juju.run('keystone/leader', 'get-admin-password')
    return Cloud(urls, str(task.results['password']))


def _frontends(juju: jubilant.Juju, unit: str, service: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for relation in juju.show_unit(unit).relation_info:
        kind = relation.endpoint.removesuffix('-backend')
        if kind not in TYPES or kind == relation.endpoint:
            continue
        said = json.loads(relation.app_data.get('frontends', '{}'))
        for of_type in said.values():
            if kind in of_type:
                found[kind] = of_type[kind]['url']
    if not found:
        raise RuntimeError(f'{service} has no endpoint behind a load balancer yet')
    return found


def request(
    method: str, url: str, *, token: str = '', body: bytes = b'', kind: str = 'application/json'
) -> Answer:
    """One request. URLError when nobody answers; an error status is an answer."""
    headers = {'Content-Type': kind, **({'X-Auth-Token': token} if token else {})}
    asked = urllib.request.Request(url, data=body or None, method=method, headers=headers)  # noqa: S310 -- ours
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return Answer(answer.status, _lower(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, _lower(error.headers), error.read())


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def token(cloud: Cloud, *, endpoint: str = 'public') -> str:
    """A token of the administrator. RuntimeError if it is refused."""
    user = {'name': 'admin', 'domain': {'name': 'Default'}, 'password': cloud.password}
    project = {'name': 'admin', 'domain': {'name': 'Default'}}
    auth = {
        'auth': {
            'identity': {'methods': ['password'], 'password': {'user': user}},
            'scope': {'project': project},
        }
    }
    url = _versioned(cloud.urls['keystone'][endpoint], 'v3')
    answer = request('POST', f'{url}/auth/tokens', body=json.dumps(auth).encode())
    if answer.status != 201:
        raise RuntimeError(f'no token: keystone answered {answer.status} {answer.body[:200]!r}')
    return answer.headers['x-subject-token']


def _versioned(url: str, version: str) -> str:
    url = url.rstrip('/')
    return url if url.endswith(f'/{version}') else f'{url}/{version}'


def clouds_yaml(cloud: Cloud) -> str:
    """What openstacksdk and the ``openstack`` command read."""
    return (
        'clouds:\n'
        '  rambla:\n'
        '    auth:\n'
        f'      auth_url: {_versioned(cloud.urls["keystone"]["public"], "v3")}\n'
        '      username: admin\n'
        f'      password: {json.dumps(cloud.password)}\n'
        '      project_name: admin\n'
        '      user_domain_name: Default\n'
        '      project_domain_name: Default\n'
        '    region_name: RegionOne\n'
        '    identity_api_version: 3\n'
    )


@dataclasses.dataclass
class Tally:
    """What became of a stream of requests."""

    asked: int = 0
    lost: list[str] = dataclasses.field(default_factory=list[str])
    slowest_s: float = 0.0


def ask_until(stop: Any, cloud: Cloud, tally: Tally) -> None:
    """Validate a token through the public endpoint, over and over, until *stop* (a threading.Event) is set."""
    held = token(cloud)
    url = _versioned(cloud.urls['keystone']['public'], 'v3') + '/auth/tokens'
    while not stop.is_set():
        began = time.monotonic()
        tally.asked += 1
        try:
            asked = urllib.request.Request(  # noqa: S310
                url, headers={'X-Auth-Token': held, 'X-Subject-Token': held}
            )
            with urllib.request.urlopen(asked, timeout=TIMEOUT_S):  # noqa: S310
                pass
        except (OSError, ValueError) as error:
            tally.lost.append(str(error))
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)
        stop.wait(0.1)
