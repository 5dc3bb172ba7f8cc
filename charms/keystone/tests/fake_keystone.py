"""A keystone for tests: what the Identity API documents for what the charm asks, as a machine."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import catalogue
import directories
import stored_credentials
from charmkit.machine import Finished, HttpRequest, HttpResponse

TABLES = ('domains', 'projects', 'roles', 'users', 'services', 'endpoints')
DEFAULT = 'default'


class FakeKeystone:
    """Keystone and its database; it also is the machine that the charm works on."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, dict[str, Any]]] = {t: {} for t in TABLES}
        self.regions: dict[str, dict[str, Any]] = {}
        self.assignments: set[tuple[str, str, str]] = set()
        self.passwords: dict[str, str] = {}
        self.unreadable: tuple[str, ...] = ()
        """Passwords that stand for a hash of no kind that keystone knows."""
        self.tokens: dict[str, str] = {}
        self.issued: dict[str, int] = {}
        self.revoked: dict[str, int] = {}
        self.takes_tokens = True
        self.files: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self.bootstraps = 0
        self.reencrypts = True
        self.credentials = {'anew': 0, 'unreadable': 0}
        """What the program that encrypts credentials anew finds."""
        self.directories: dict[str, Any] | None = {}
        """What is wrong with directories of domains, by domain; None: their program fails."""
        self.down = False
        self.time = 0.0
        self._ids = itertools.count(1)
        self.records['domains'][DEFAULT] = {'id': DEFAULT, 'name': 'Default', 'enabled': True}
        for name in ('admin', 'member', 'reader'):
            self.add('roles', name=name)
        self.project = self.add('projects', name='admin', domain_id=DEFAULT)

    def add(self, table: str, **values: Any) -> str:
        """A record that is simply there."""
        identity = f'{table}-{next(self._ids)}'
        if 'password' in values:
            self.passwords[identity] = values.pop('password')
        self.records[table][identity] = {'enabled': True, **values, 'id': identity}
        return identity

    def named(self, table: str, name: str) -> dict[str, Any]:
        """The record of that name."""
        return next(r for r in self.records[table].values() if r['name'] == name)

    def user(self, name: str) -> str:
        """Its id; '' when there is none."""
        return next((i for i, r in self.records['users'].items() if r['name'] == name), '')

    def bootstrap(self, password: str) -> None:
        """What ``keystone-manage bootstrap`` does for the charm's account."""
        self.bootstraps += 1
        user = self.user(catalogue.CHARM) or self.add(
            'users', name=catalogue.CHARM, domain_id=DEFAULT
        )
        self.set_password(user, password)
        self.records['users'][user]['enabled'] = True
        self.assignments |= {
            (user, where, self.named('roles', 'admin')['id']) for where in (self.project, 'system')
        }

    def set_password(self, user: str, password: str) -> None:
        """As a password is changed: tokens that the user is issued until then, to the second, are good no longer."""
        self.passwords[user] = password
        self.revoked[user] = int(self.time)

    def owner(self, token: str) -> str:
        """Whose *token* that is; '' when it is good no longer, or never was."""
        user = self.tokens.get(token, '')
        late = user and self.takes_tokens and self.issued[token] > self.revoked.get(user, -1)
        return user if late else ''

    def urls(self) -> set[tuple[str, str, str, str]]:
        """What clients see."""
        services = self.records['services']
        return {
            (services[e['service_id']]['name'], e['region_id'], e['interface'], e['url'])
            for e in self.records['endpoints'].values()
        }

    # The machine.

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        assert mode == 0o600
        self.files[path] = text

    def program(
        self,
        *argv: str,
        stdin: str = '',
        environment: Any = None,
        user: str = 'root',
        timeout_s: float = 60.0,
    ) -> Finished:
        if argv[:2] == ('python3', stored_credentials.PROGRAM):
            return self._reencrypt(remove='--remove' in argv)
        if argv[:2] == ('python3', directories.PROGRAM):
            if self.directories is None:
                return Finished(1, 'Traceback\nno module named ldap\n')
            return Finished(0, json.dumps(self.directories))
        assert argv == ('keystone-manage', 'bootstrap', '--bootstrap-username', catalogue.CHARM)
        if self.down:
            return Finished(1, f'no database\n{environment}')
        self.bootstrap(environment['OS_BOOTSTRAP_PASSWORD'])
        return Finished(0)

    def _reencrypt(self, *, remove: bool) -> Finished:
        if not self.reencrypts:
            return Finished(1, 'Traceback\nthe table is locked\n')
        removed = self.credentials['unreadable'] if remove else 0
        self.credentials['unreadable'] -= removed
        said = {**self.credentials, 'removed': removed}
        self.credentials['anew'] = 0
        return Finished(0, f'a warning\n{json.dumps(said)}\n')

    def http(self, request: HttpRequest) -> HttpResponse:
        parts = urlsplit(request.url)
        path = parts.path.removeprefix('/v3')
        self.asked.append((request.method, path))
        if self.down:
            return HttpResponse(0, 'connection refused')
        body: dict[str, Any] = json.loads(request.body) if request.body else {}
        if path == '/auth/tokens':
            return self._tokens(request, body)
        if not self.owner(request.headers.get('X-Auth-Token', '')):
            return _refusal(401, 'who are you')
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        return self._serve(request.method, path.strip('/').split('/'), query, body)

    def _tokens(self, request: HttpRequest, body: Any) -> HttpResponse:
        if request.method == 'GET':
            user = self.owner(request.headers['X-Subject-Token'])
            return self._token(user, 200) if user else _refusal(404, 'no such token')
        asked = body['auth']['identity']['password']['user']
        domain = asked['domain'].get('id') or self.named('domains', asked['domain']['name'])['id']
        for user, record in self.records['users'].items():
            if (record['name'], record['domain_id']) == (asked['name'], domain):
                if self.passwords.get(user) in self.unreadable:
                    return _refusal(500, 'Internal Server Error')
                good = self.passwords.get(user) == asked['password'] and record['enabled']
                return self._token(user, 201) if good else _refusal(401, 'not you')
        return _refusal(401, 'not you')

    def _token(self, user: str, status: int) -> HttpResponse:
        token = f'token-{next(self._ids)}'
        self.tokens[token], self.issued[token] = user, int(self.time)
        domain = {'id': self.records['users'][user]['domain_id']}
        said = {'token': {'user': {'id': user, 'domain': domain}, 'project': {'id': self.project}}}
        return HttpResponse(status, headers={'x-subject-token': token}, body=json.dumps(said))

    def _serve(  # noqa: C901 -- one case a request.
        self, method: str, parts: list[str], query: dict[str, str], body: dict[str, Any]
    ) -> HttpResponse:
        values = dict(next(iter(body.values()))) if body else {}
        match method, parts:
            case 'GET', ['regions']:
                return _answer({'regions': list(self.regions.values())})
            case 'GET', ['role_assignments']:
                return _answer({'role_assignments': list(self._assignments(query))})
            case 'GET', [table]:
                found = [
                    r
                    for r in self.records[table].values()
                    if all(str(r.get(k)) == v for k, v in query.items())
                ]
                return _answer({table: copy.deepcopy(found)})
            case 'POST', ['regions']:
                if values['id'].lower() in {r.lower() for r in self.regions}:
                    return _refusal(409, 'there is one')
                self.regions[values['id']] = values
            case 'POST', [table]:
                assert 'region_id' not in values or values['region_id'] in self.regions
                assert (
                    'service_id' not in values or values['service_id'] in self.records['services']
                )
                if table in ('users', 'roles', 'domains') and self._is_there(table, values):
                    return _refusal(409, 'there is one')
                self.add(table, **values)
            case 'PATCH', [table, identity]:
                if 'password' in values:
                    self.set_password(identity, values.pop('password'))
                self.records[table][identity] |= values
            case 'DELETE', [table, identity]:
                del self.records[table][identity]
                endpoints = self.records['endpoints']
                for gone in [e for e, r in endpoints.items() if r['service_id'] == identity]:
                    del endpoints[gone]
                self.assignments = {a for a in self.assignments if a[0] != identity}
            case 'PUT', ['projects', project, 'users', user, 'roles', role]:
                assert user in self.records['users']
                assert role in self.records['roles']
                self.assignments.add((user, project, role))
            case 'PUT', ['system', 'users', user, 'roles', role]:
                self.assignments.add((user, 'system', role))
            case _:
                raise AssertionError((method, parts))
        return HttpResponse(200)

    def _is_there(self, table: str, values: dict[str, Any]) -> bool:
        """As the database compares names (utf8mb4_unicode_520_ci): not by case."""
        key = ('name', 'domain_id')
        return any(
            all(str(r.get(k)).lower() == str(values.get(k)).lower() for k in key)
            for r in self.records[table].values()
        )

    def _assignments(self, query: dict[str, str]) -> Any:
        for user, where, role in sorted(self.assignments):
            if (
                query.get('scope.project.id', where) == where
                and query.get('user.id', user) == user
            ):
                scope = (
                    {'system': {'all': True}} if where == 'system' else {'project': {'id': where}}
                )
                yield {'user': {'id': user}, 'scope': scope, 'role': {'id': role}}


@dataclasses.dataclass
class Refusing(FakeKeystone):
    """A keystone that takes no request of a kind: the check's own check."""

    path: str = ''

    def __post_init__(self) -> None:
        FakeKeystone.__init__(self)

    def http(self, request: HttpRequest) -> HttpResponse:
        if request.method != 'GET' and urlsplit(request.url).path.startswith(f'/v3{self.path}'):
            return HttpResponse(200)
        return super().http(request)


def _answer(data: Any) -> HttpResponse:
    return HttpResponse(200, body=json.dumps(data))


def _refusal(status: int, reason: str) -> HttpResponse:
    return HttpResponse(status, body=json.dumps({'error': {'message': reason}}))
