"""Keystone's REST interface over a machine's HTTP: log in, look, and carry out a plan's requests."""

from __future__ import annotations

import dataclasses
import http
import json
from typing import Any, cast

import accounts
import catalogue
from charmkit.machine import HttpRequest, Machine

_TIMEOUT_S = 60.0


class KeystoneError(Exception):
    """Keystone refused a request or does not answer; the message says which request, and why."""

    def __init__(self, method: str, path: str, status: int, reason: str):
        self.method, self.status, self.reason = method, status, reason
        super().__init__(f'{method} {path}: {status or "no answer"} {reason}'.rstrip())


@dataclasses.dataclass(frozen=True)
class Client:
    """An account that has logged in at one of keystone's units."""

    machine: Machine
    url: str
    """``http://127.0.0.1:5000``, without a path."""
    session: catalogue.Session
    token: str = dataclasses.field(repr=False)


def login(machine: Machine, url: str, password: str) -> Client:
    """Log in as the charm's own account.

    Raises:
        KeystoneError: when keystone refuses, or does not answer.
    """
    default = {'id': 'default'}
    user = {'name': catalogue.CHARM, 'domain': default, 'password': password}
    scope = {'project': {'name': catalogue.ADMIN, 'domain': default}}
    response, token = request(machine, 'POST', url, '/auth/tokens', body=_auth(user, scope))
    return Client(machine, url, _session(response), token)


def accepts(machine: Machine, url: str, name: str, domain: str, password: str) -> bool:
    """Whether keystone lets the user *name* of the domain with the name *domain* in.

    Raises:
        KeystoneError: when it neither lets it in nor says 401.
    """
    user = {'name': name, 'domain': {'name': domain}, 'password': password}
    try:
        body = _auth(user, 'unscoped')
        request(machine, 'POST', url, '/auth/tokens?nocatalog', body=body)
    except KeystoneError as e:
        if e.status == http.HTTPStatus.UNAUTHORIZED:
            return False
        raise
    return True


def resume(machine: Machine, url: str, token: str) -> Client | None:
    """Go on with a *token* that was kept; None when it is good no longer.

    Raises:
        KeystoneError: when keystone does not answer.
    """
    try:
        response, _ = request(machine, 'GET', url, '/auth/tokens?nocatalog', token, subject=token)
    except KeystoneError as e:
        if e.status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.NOT_FOUND):
            return None
        raise
    return Client(machine, url, _session(response), token)


def observe(client: Client, *, thorough: bool = True) -> catalogue.Observed:
    """What keystone has of the things that a plan speaks about.

    *thorough* looks at the charm's own account too, and at the admin's roles everywhere.

    Raises:
        KeystoneError: when keystone refuses, or does not answer.
    """
    domains = _list(client, 'domains')
    admins = tuple(
        user
        for name in (catalogue.ADMIN, *([catalogue.CHARM] if thorough else []))
        for user in _list(client, 'users', f'?domain_id={client.session.domain}&name={name}')
    )
    projects: tuple[catalogue.Json, ...] = ()
    users: tuple[catalogue.Json, ...] = ()
    assignments = _assignments(client, f'?scope.project.id={client.session.project}')
    if domain := catalogue.record_id(domains, name=catalogue.DOMAIN):
        projects = _list(client, 'projects', f'?domain_id={domain}&name={catalogue.PROJECT}')
        users = _list(client, 'users', f'?domain_id={domain}')
    for project in projects:
        assignments |= _assignments(client, f'?scope.project.id={project["id"]}')
    admin = catalogue.record_id(admins, name=catalogue.ADMIN)
    if thorough and admin:
        assignments |= _assignments(client, f'?user.id={admin}')
    return catalogue.Observed(
        session=client.session,
        admins=admins,
        regions=frozenset(str(r['id']) for r in _list(client, 'regions')),
        domains=domains,
        projects=projects,
        roles=_list(client, 'roles'),
        users=users,
        services=_list(client, 'services'),
        endpoints=_list(client, 'endpoints'),
        assignments=assignments,
    )


def carry_out(client: Client, step: catalogue.Step) -> None:
    """Make the request of *step*. One that is overtaken by events is none: the next round looks.

    Raises:
        KeystoneError: when keystone refuses, or does not answer.
    """
    try:
        request(client.machine, step.method, client.url, step.path, client.token, body=step.body)
    except KeystoneError as e:
        # Gone already, or made by a hook that died before it heard so.
        if e.status not in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.CONFLICT):
            raise


def request(
    machine: Machine,
    method: str,
    url: str,
    path: str,
    token: str = '',
    *,
    subject: str = '',
    body: catalogue.Json | None = None,
) -> tuple[Any, str]:
    """Make one request; the body of the answer, and the token in its headers.

    Raises:
        KeystoneError: when keystone refuses, or does not answer.
    """
    headers = {'Content-Type': 'application/json', 'Accept': 'application/json'}
    if token:
        headers['X-Auth-Token'] = token
    if subject:
        headers['X-Subject-Token'] = subject
    text = '' if body is None else json.dumps(body)
    wanted = HttpRequest(
        method=method, url=f'{url}/v3{path}', headers=headers, body=text, timeout_s=_TIMEOUT_S
    )
    response = machine.http(wanted)
    shown = path.partition('?')[0]
    if not http.HTTPStatus.OK <= response.status < http.HTTPStatus.MULTIPLE_CHOICES:
        raise KeystoneError(
            method, shown, response.status, _reason(response.body) or response.reason
        )
    try:
        data = json.loads(response.body) if response.body else None
    except ValueError:
        raise KeystoneError(method, shown, response.status, 'this is no JSON') from None
    return data, response.headers.get('x-subject-token', '')


def _auth(user: catalogue.Json, scope: object) -> catalogue.Json:
    identity = {'methods': ['password'], 'password': {'user': user}}
    return {'auth': {'identity': identity, 'scope': scope}}


def _session(response: Any) -> catalogue.Session:
    token = response['token']
    user, project = token['user'], token['project']
    return catalogue.Session(user=user['id'], project=project['id'], domain=user['domain']['id'])


def _assignments(client: Client, query: str) -> frozenset[tuple[str, str, str]]:
    found: set[tuple[str, str, str]] = set()
    for record in _list(client, 'role_assignments', query):
        if 'user' not in record:
            continue
        scope = record['scope']
        where = accounts.SYSTEM if 'system' in scope else scope.get('project', {}).get('id', '')
        found.add((str(record['user']['id']), str(where), str(record['role']['id'])))
    return frozenset(found)


def _list(client: Client, kind: str, query: str = '') -> tuple[catalogue.Json, ...]:
    response, _ = request(client.machine, 'GET', client.url, f'/{kind}{query}', client.token)
    return tuple(response[kind])


def _reason(body: str) -> str:
    try:
        said = cast('dict[str, Any]', json.loads(body))
        return str(said['error']['message'])[:500]
    except (ValueError, KeyError, TypeError):
        return ''
