"""The edge to keystone's REST interface: log in, look, and carry out a plan's requests."""

from __future__ import annotations

import dataclasses
import http.client
import json
import logging
import os
import pathlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any, cast

import catalogue
import charmkit

_log = logging.getLogger(__name__)

ROUNDS = 6
"""A catalogue from nothing takes four: each round makes what the next one refers to."""
_PATIENCE_S = 180.0
_TIMEOUT_S = 60.0


class KeystoneError(Exception):
    """Keystone refused a request or does not answer; the message says which request, and why."""

    def __init__(self, method: str, path: str, status: int, reason: str):
        self.status = status
        super().__init__(f'{method} {path}: {status or "no answer"} {reason}'.rstrip())


@dataclasses.dataclass(frozen=True)
class Session:
    """The admin, logged in."""

    url: str
    admin: catalogue.Admin
    token: str = dataclasses.field(repr=False)


CATALOGUE = 'catalogue'


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Bring the catalogue to *want*; the result is what is there then."""

    servers: tuple[str, ...]
    password: str = dataclasses.field(repr=False)
    want: catalogue.Desired
    memory: str
    name: str = CATALOGUE

    def carry_out(self, _: charmkit.Machine) -> catalogue.Observed:
        """Do it. Raises KeystoneError when none of the servers answers, or refuses."""
        return converge(self.servers, self.password, self.want, pathlib.Path(self.memory))[0]


def converge(
    urls: Iterable[str], password: str, want: catalogue.Desired, memory: pathlib.Path
) -> tuple[catalogue.Observed, list[catalogue.Step]]:
    """Bring the catalogue to *want*; what is there now, and what had to change.

    *urls* are keystone's units, ``http://127.0.0.1:5000``: the first that answers is asked.
    *memory* is where a token is kept until it expires, since a login costs much.

    Raises:
        KeystoneError: when none answers for three minutes, or a request is refused.
    """
    session = _session(list(urls), password, memory)
    done: list[catalogue.Step] = []
    for _ in range(ROUNDS):
        seen = observe(session)
        steps = catalogue.plan(want, seen)
        if not steps:
            return seen, done
        for step in steps:
            _log.info('%s', step.summary)
            _carry_out(session, step)
        done += steps
    left = ', '.join(s.summary for s in done[-3:])
    raise KeystoneError('GET', '/v3', 0, f'the catalogue does not settle: {left}')


def login(url: str, password: str) -> Session:
    """Log in as the admin.

    Raises:
        KeystoneError: when keystone refuses, or does not answer.
    """
    default = {'id': 'default'}
    user = {'name': 'admin', 'domain': default, 'password': password}
    body = {
        'auth': {
            'identity': {'methods': ['password'], 'password': {'user': user}},
            'scope': {'project': {'name': 'admin', 'domain': default}},
        }
    }
    answer, token = _request('POST', url, '/auth/tokens', body=body)
    return Session(url, _admin(answer), token)


def observe(session: Session) -> catalogue.Observed:
    """What keystone has of the things that a plan speaks about."""
    domains = _list(session, 'domains', f'?name={catalogue.DOMAIN}')
    projects: tuple[catalogue.Json, ...] = ()
    users: tuple[catalogue.Json, ...] = ()
    assignments = _assignments(session, session.admin.project)
    if domains:
        domain = domains[0]['id']
        projects = _list(session, 'projects', f'?domain_id={domain}&name={catalogue.PROJECT}')
        users = _list(session, 'users', f'?domain_id={domain}')
    for project in projects:
        assignments |= _assignments(session, str(project['id']))
    return catalogue.Observed(
        admin=session.admin,
        regions=frozenset(str(r['id']) for r in _list(session, 'regions')),
        domains=domains,
        projects=projects,
        roles=_list(session, 'roles'),
        users=users,
        services=_list(session, 'services'),
        endpoints=_list(session, 'endpoints'),
        assignments=assignments,
    )


def _session(urls: list[str], password: str, memory: pathlib.Path) -> Session:
    end = time.monotonic() + _PATIENCE_S
    while True:
        for url in urls:
            try:
                return _remembered(url, memory) or _remember(login(url, password), memory)
            except KeystoneError as e:
                # Not there yet, or its database is not: both pass.
                if e.status and e.status < http.client.INTERNAL_SERVER_ERROR:
                    raise
                if time.monotonic() > end and url == urls[-1]:
                    raise
        time.sleep(1)


def _remembered(url: str, memory: pathlib.Path) -> Session | None:
    try:
        token = memory.read_text()
        answer, _ = _request('GET', url, '/auth/tokens?nocatalog', token, subject=token)
    except FileNotFoundError:
        return None
    except KeystoneError as e:
        if e.status in (http.client.UNAUTHORIZED, http.client.NOT_FOUND):
            return None
        raise
    return Session(url, _admin(answer), token)


def _remember(session: Session, memory: pathlib.Path) -> Session:
    memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = memory.with_name(f'.{memory.name}.new')
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, 'w', encoding='ascii') as f:
        f.write(session.token)
    aside.replace(memory)
    return session


def _admin(answer: Any) -> catalogue.Admin:
    token = answer['token']
    user, project = token['user'], token['project']
    return catalogue.Admin(user=user['id'], project=project['id'], domain=user['domain']['id'])


def _assignments(session: Session, project: str) -> frozenset[tuple[str, str, str]]:
    found = _list(session, 'role_assignments', f'?scope.project.id={project}')
    return frozenset(
        (str(a['user']['id']), project, str(a['role']['id'])) for a in found if 'user' in a
    )


def _list(session: Session, kind: str, query: str = '') -> tuple[catalogue.Json, ...]:
    answer, _ = _request('GET', session.url, f'/{kind}{query}', session.token)
    return tuple(answer[kind])


def _carry_out(session: Session, step: catalogue.Step) -> None:
    try:
        _request(step.method, session.url, step.path, session.token, body=step.body)
    except KeystoneError as e:
        # Gone already, or made by a hook that died before it heard so: the next round looks.
        if e.status not in (http.client.NOT_FOUND, http.client.CONFLICT):
            raise


def _request(
    method: str,
    url: str,
    path: str,
    token: str = '',
    *,
    subject: str = '',
    body: catalogue.Json | None = None,
) -> tuple[Any, str]:
    """Make one request; the body of the answer, and the token in its headers."""
    headers = {'Content-Type': 'application/json', 'Accept': 'application/json'}
    if token:
        headers['X-Auth-Token'] = token
    if subject:
        headers['X-Subject-Token'] = subject
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 -- the address is keystone's own.
        f'{url}/v3{path}', data=data, headers=headers, method=method
    )
    # No proxy: the request may be to this machine, and carries a password.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            text = answer.read()
            return (json.loads(text) if text else None), str(
                answer.headers.get('X-Subject-Token') or ''
            )
    except urllib.error.HTTPError as e:
        raise KeystoneError(method, path, e.code, _reason(e)) from None
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise KeystoneError(method, path, 0, str(getattr(e, 'reason', e))) from None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        said = cast('dict[str, Any]', json.loads(error.read()))
        return str(said['error']['message'])[:500]
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)
