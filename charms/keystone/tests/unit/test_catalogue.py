"""The catalogue: what is wanted, what is there, and the requests in between."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import catalogue
from charmkit.relations import ENDPOINT_TYPES, EndpointType, keystone
from hypothesis import given
from hypothesis import strategies as st

SEED = 's' * 64
ADMIN = catalogue.Admin(user='admin-id', project='admin-project', domain='default')
TABLES = {'domains', 'projects', 'roles', 'users', 'services', 'endpoints'}


class FakeKeystone:
    """Does what the Identity API documents for the requests that a plan makes."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, dict[str, Any]]] = {t: {} for t in TABLES}
        self.regions: set[str] = set()
        self.assignments: set[tuple[str, str, str]] = set()
        self.passwords: dict[str, str] = {}
        self._ids = itertools.count(1)
        for name in ('admin', 'member', 'reader'):
            self.add('roles', name=name)

    def add(self, table: str, **values: Any) -> str:
        identity = f'{table}-{next(self._ids)}'
        if 'password' in values:
            self.passwords[identity] = values.pop('password')
        self.records[table][identity] = {'enabled': True, **values, 'id': identity}
        return identity

    def observe(self) -> catalogue.Observed:
        tables = {t: tuple(copy.deepcopy(list(r.values()))) for t, r in self.records.items()}
        return catalogue.Observed(
            admin=ADMIN,
            regions=frozenset(self.regions),
            assignments=frozenset(self.assignments),
            **tables,
        )

    def carry_out(self, step: catalogue.Step) -> None:
        parts = step.path.strip('/').split('/')
        body = dict(next(iter(step.body.values()))) if step.body else {}
        match step.method, parts:
            case 'POST', ['regions']:
                self.regions.add(body['id'])
            case 'POST', [table]:
                assert 'region_id' not in body or body['region_id'] in self.regions
                assert 'service_id' not in body or body['service_id'] in self.records['services']
                self.add(table, **body)
            case 'PATCH', [table, identity]:
                if 'password' in body:
                    self.passwords[identity] = body.pop('password')
                self.records[table][identity] |= body
            case 'DELETE', [table, identity]:
                del self.records[table][identity]
                endpoints = self.records['endpoints']
                for gone in [e for e, r in endpoints.items() if r['service_id'] == identity]:
                    del endpoints[gone]
                self.assignments = {a for a in self.assignments if a[0] != identity}
            case 'PUT', ['projects', project, 'users', user, 'roles', role]:
                assert user == ADMIN.user or user in self.records['users']
                assert role in self.records['roles']
                self.assignments.add((user, project, role))
            case _:
                raise AssertionError(step)

    def converge(self, want: catalogue.Desired, rounds: int = 4) -> list[catalogue.Step]:
        done: list[catalogue.Step] = []
        for _ in range(rounds):
            for step in catalogue.plan(want, self.observe()):
                self.carry_out(step)
                done.append(step)
        assert catalogue.plan(want, self.observe()) == ()
        return done

    def urls(self) -> set[tuple[str, str, str, str]]:
        services = self.records['services']
        return {
            (services[e['service_id']]['name'], e['region_id'], e['interface'], e['url'])
            for e in self.records['endpoints'].values()
        }


def service(name: str, host: str = '10.0.0.1', region: str = 'RegionOne') -> keystone.Service:
    urls: tuple[tuple[EndpointType, str], ...] = tuple(
        (t, f'http://{host}/{t}') for t in ENDPOINT_TYPES
    )
    return keystone.Service(name, keystone.TYPES[name], region, urls)


def asked(*services: keystone.Service, relation: int = 1, **more: Any) -> keystone.Request:
    return keystone.Request(relation=relation, app='app', services=services, **more)


services = st.builds(
    service,
    st.sampled_from(['glance', 'nova', 'placement', 'neutron']),
    st.sampled_from(['10.0.0.1', '10.0.0.2']),
    st.sampled_from(['RegionOne', 'RegionTwo']),
)


def _request(
    found: list[keystone.Service], roles: tuple[str, ...], admin: tuple[str, ...]
) -> keystone.Request:
    return asked(*found, roles=roles, admin_roles=admin)


def _without_rivals(found: list[keystone.Request]) -> catalogue.Desired:
    taken: set[tuple[str, str]] = set()
    kept: list[keystone.Request] = []
    for request in found:
        keys = {(s.name, s.region) for s in request.services}
        if not keys & taken:
            taken |= keys
            kept.append(request)
    return catalogue.desired(kept, [service('keystone')], SEED)


wanted = st.lists(
    st.builds(
        _request,
        st.lists(services, max_size=2, unique_by=lambda s: (s.name, s.region)),
        st.sampled_from([(), ('Extra',), ('Member',)]),
        st.sampled_from([(), ('Extra',)]),
    ),
    max_size=3,
    unique_by=lambda r: r.username,
).map(_without_rivals)


@given(wanted, wanted)
def test_it_settles_from_anything(before: catalogue.Desired, want: catalogue.Desired):
    server = FakeKeystone()
    server.converge(before)
    server.converge(want)
    assert server.urls() == {
        (s.name, s.region, kind, url) for s in want.services for kind, url in s.urls
    }
    assert {u['name'] for u in server.records['users'].values()} == {a.name for a in want.accounts}


@given(wanted, st.integers(0, 40))
def test_it_settles_after_a_hook_that_died_anywhere(want: catalogue.Desired, steps: int):
    server = FakeKeystone()
    for step in itertools.islice(catalogue.plan(want, server.observe()), steps):
        server.carry_out(step)
    server.converge(want)


def test_what_others_made_is_left_alone():
    server = FakeKeystone()
    theirs = server.add('services', name='glance', type='image', description='ours at home')
    server.add(
        'endpoints', service_id=theirs, region_id='X', interface='public', url='http://elsewhere'
    )
    server.converge(catalogue.desired([], [service('keystone')], SEED))
    assert theirs in server.records['services']
    assert ('glance', 'X', 'public', 'http://elsewhere') in server.urls()


def test_endpoints_follow_what_is_asked_for():
    server = FakeKeystone()
    server.converge(catalogue.desired([asked(service('glance'))], [], SEED))
    moved = catalogue.desired([asked(service('glance', '192.0.2.9'))], [], SEED)
    steps = server.converge(moved)
    assert {s.method for s in steps} == {'PATCH'}
    assert {url for *_, url in server.urls()} == {f'http://192.0.2.9/{t}' for t in ENDPOINT_TYPES}


def test_an_endpoint_that_is_there_twice_stays_once():
    server = FakeKeystone()
    want = catalogue.desired([asked(service('glance'))], [], SEED)
    server.converge(want)
    again = dict(next(iter(server.records['endpoints'].values())))
    del again['id']
    server.add('endpoints', **again)
    (step,) = server.converge(want)
    assert step.method == 'DELETE'


def test_an_account_serves_all_services_of_a_relation():
    server = FakeKeystone()
    want = catalogue.desired([asked(service('placement'), service('nova'))], [], SEED)
    server.converge(want)
    (account,) = want.accounts
    assert account.name == 'nova_placement'
    facts = catalogue.facts(account, server.observe())
    assert facts
    assert server.passwords[facts.user_id] == catalogue.password(SEED, 'nova_placement')
    assert facts.domain == 'service_domain'


def test_another_seed_sets_other_passwords():
    server = FakeKeystone()
    request = asked(service('glance'))
    server.converge(catalogue.desired([request], [], SEED))
    (step,) = server.converge(catalogue.desired([request], [], 't' * 64))
    assert step.summary == 'set password of glance'
    assert catalogue.password('t' * 64, 'glance') in server.passwords.values()


def test_a_disabled_account_is_enabled():
    server = FakeKeystone()
    want = catalogue.desired([asked(service('glance'))], [], SEED)
    server.converge(want)
    for user in server.records['users'].values():
        user['enabled'] = False
    (step,) = server.converge(want)
    assert step.summary == 'enable glance'


def test_roles_are_not_told_apart_by_case():
    server = FakeKeystone()
    server.converge(catalogue.desired([asked(service('glance'), roles=('Admin',))], [], SEED))
    assert sorted(r['name'] for r in server.records['roles'].values()) == [
        'admin', 'member', 'reader', 'service',
    ]  # fmt: skip


def test_the_admin_gets_the_roles_that_are_asked_for_it():
    server = FakeKeystone()
    request = asked(
        service('heat'), roles=('heat_stack_owner',), admin_roles=('heat_stack_owner',)
    )
    server.converge(catalogue.desired([request], [], SEED))
    (role,) = [r['id'] for r in server.records['roles'].values() if 'heat' in r['name']]
    assert (ADMIN.user, ADMIN.project, role) in server.assignments


def test_passwords_are_in_no_repr():
    want = catalogue.desired([asked(service('glance'))], [], SEED)
    steps = FakeKeystone().converge(want)
    assert catalogue.password(SEED, 'glance') not in repr((want, steps))


def test_a_plan_that_forgets_a_kind_of_request_is_caught():
    """The check's own check: a plan without its endpoints does not settle here."""
    server = FakeKeystone()
    want = catalogue.desired([asked(service('glance'))], [], SEED)
    for _ in range(4):
        for step in catalogue.plan(want, server.observe()):
            if not step.path.startswith('/endpoints'):
                server.carry_out(step)
    assert catalogue.plan(want, server.observe()) != ()
