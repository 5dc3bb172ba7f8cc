"""The catalogue: what is wanted, what is there, and the requests in between."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import catalogue
import plan
import request_ledger
import rest
import tasks
from charmkit.relations import ENDPOINT_TYPES, EndpointType, keystone
from fake_keystone import FakeKeystone, Refusing
from hypothesis import given
from hypothesis import strategies as st

PASSWORD = 'p' * 32
URL = 'http://127.0.0.1:5000'
Kept = dict[int, request_ledger.Registered]


def service(
    name: str, host: str = '10.0.0.1', region: str = 'RegionOne'
) -> keystone.CatalogService:
    urls: tuple[tuple[EndpointType, str], ...] = tuple(
        (t, f'http://{host}/{t}') for t in ENDPOINT_TYPES
    )
    return keystone.CatalogService(name, keystone.type_of(name), region, urls)


def registered(
    *services: keystone.CatalogService, relation: int = 1, **more: Any
) -> request_ledger.Registered:
    request = keystone.Request(relation=relation, app='app', services=services, **more)
    return request_ledger.Registered(request, users=(request.username,) if services else ())


def account(name: str, *roles: str) -> catalogue.Account:
    return catalogue.Account(name, f'password of {name}', frozenset({'admin', 'service', *roles}))


def wanted(
    *now: request_ledger.Registered,
    before: tuple[request_ledger.Registered, ...] = (),
    own: tuple[keystone.CatalogService, ...] = (),
    **more: Any,
) -> catalogue.Desired:
    """What is wanted when *now* is in force and *before* was: relations that are not there now are broken."""
    in_force: Kept = {r.request.relation: r for r in now}
    kept: Kept = {r.request.relation: r for r in before}
    broken = {i: r for i, r in kept.items() if i not in in_force}
    accounts = {r.request.username: account(r.request.username, *r.request.roles) for r in now}
    decision = request_ledger.Decision(in_force=in_force, broken=broken)
    return dataclasses.replace(catalogue.desired(decision, kept, accounts, own), **more)


def converge(server: FakeKeystone, want: catalogue.Desired) -> tuple[str, ...]:
    """Bring *server* to *want*; what had to be done."""
    own = tasks.Account(catalogue.CHARM, catalogue.ADMIN_DOMAIN, PASSWORD)
    task = tasks.Catalogue(urls=(URL,), password=PASSWORD, want=want, logins=(own,))
    outcome = task.carry_out(server)  # pyright: ignore[reportArgumentType]
    assert outcome.failure == ''
    assert outcome.conflicts == ()
    return outcome.done


def observe(server: FakeKeystone) -> catalogue.Observed:
    server.bootstrap(PASSWORD)
    server.sleep(1)  # A token of the same second would be refused.
    return rest.observe(rest.login(server, URL, PASSWORD))  # pyright: ignore[reportArgumentType]


services = st.builds(
    service,
    st.sampled_from(['glance', 'nova', 'placement', 'neutron']),
    st.sampled_from(['10.0.0.1', '10.0.0.2']),
    st.sampled_from(['RegionOne', 'RegionTwo']),
)


def _without_rivals(found: list[list[keystone.CatalogService]]) -> list[request_ledger.Registered]:
    taken: set[tuple[str, str]] = set()
    kept: list[request_ledger.Registered] = []
    for number, group in enumerate(found):
        keys = {(s.name, s.region) for s in group}
        if not keys & taken:
            taken |= keys
            kept.append(registered(*group, relation=number, roles=('Extra',)))
    return kept


requests = st.lists(
    st.lists(services, max_size=2, unique_by=lambda s: (s.name, s.region)), max_size=3
).map(_without_rivals)


def renumbered(found: list[request_ledger.Registered]) -> list[request_ledger.Registered]:
    """The same of other relations."""
    return [
        dataclasses.replace(
            r, request=dataclasses.replace(r.request, relation=100 + r.request.relation)
        )
        for r in found
    ]


@given(requests, requests)
def test_relations_that_come_and_go_leave_what_is_asked_for(
    before: list[request_ledger.Registered], later: list[request_ledger.Registered]
):
    server = FakeKeystone()
    converge(server, wanted(*before, own=(service('keystone'),)))
    now = renumbered(later)
    converge(server, wanted(*now, before=tuple(before), own=(service('keystone'),)))
    asked_for = [service('keystone'), *(s for r in now for s in r.request.services)]
    assert server.urls() == {(s.name, s.region, k, url) for s in asked_for for k, url in s.urls}
    users = {u['name'] for u in server.records['users'].values()}
    assert users - {catalogue.CHARM} == {u for r in now for u in r.users}
    assert {s['name'] for s in server.records['services'].values()} == {s.name for s in asked_for}


@given(requests, st.integers(0, 40))
def test_it_settles_after_a_hook_that_died_anywhere(
    found: list[request_ledger.Registered], steps: int
):
    server = FakeKeystone()
    want = wanted(*found)
    seen = observe(server)
    client = rest.login(server, URL, PASSWORD)  # pyright: ignore[reportArgumentType]
    for step in itertools.islice(plan.plan(want, seen), steps):
        rest.carry_out(client, step)
    converge(server, want)
    assert plan.plan(want, observe(server)) == ()


def test_what_nobody_asks_for_any_more_is_not_gone():
    server = FakeKeystone()
    converge(server, wanted(registered(service('glance'))))
    assert converge(server, wanted()) == ()
    assert len(server.urls()) == 3


def test_what_the_operator_made_is_left_alone():
    server = FakeKeystone()
    glance = registered(service('glance'))
    converge(server, wanted(glance))
    theirs = server.add('services', name='swift', type='object-store', description='ours')
    ours = server.named('services', 'glance')['id']
    server.regions['Elsewhere'] = {'id': 'Elsewhere'}
    url = 'http://operator'
    for where, of in (('Elsewhere', ours), ('RegionOne', theirs), ('RegionOne', ours)):
        server.add('endpoints', service_id=of, region_id=where, interface='public', url=url)
    moved = registered(service('glance', '10.0.0.2'))
    converge(server, wanted(moved, before=(glance,)))
    made = {e['url'] for e in server.records['endpoints'].values() if e['url'] != url}
    assert made == {f'http://10.0.0.2/{t}' for t in ENDPOINT_TYPES}
    converge(server, wanted(before=(moved,)))
    assert server.urls() == {
        ('glance', 'Elsewhere', 'public', url),
        ('swift', 'RegionOne', 'public', url),
        ('glance', 'RegionOne', 'public', url),
    }
    assert server.regions['Elsewhere'] == {'id': 'Elsewhere'}
    assert server.user('glance') == ''


def test_a_service_that_the_operator_made_is_used_and_not_changed():
    server = FakeKeystone()
    theirs = server.add('services', name='glance', type='image', description='mine', enabled=False)
    server.regions['RegionOne'] = {'id': 'RegionOne'}
    url = 'http://operator'
    at = {'service_id': theirs, 'region_id': 'RegionOne', 'interface': 'public'}
    endpoint = server.add('endpoints', **at, url=url)
    glance = registered(service('glance'))
    task = tasks.Catalogue(urls=(URL,), password=PASSWORD, want=wanted(glance))
    outcome = task.carry_out(server)  # pyright: ignore[reportArgumentType]
    assert server.records['services'][theirs] == {
        'id': theirs, 'name': 'glance', 'type': 'image', 'description': 'mine', 'enabled': False,
    }  # fmt: skip
    assert server.records['endpoints'][endpoint]['url'] == url
    (conflict,) = outcome.conflicts
    assert conflict.startswith('glance public in RegionOne is http://operator')
    converge(server, wanted(before=(glance,)))
    assert endpoint in server.records['endpoints']


def test_an_account_that_the_operator_made_is_told_and_not_changed():
    server = FakeKeystone()
    converge(server, wanted())
    domain = server.named('domains', catalogue.DOMAIN)['id']
    theirs = server.add('users', name='glance', domain_id=domain, password='theirs')
    glance = registered(service('glance'))
    task = tasks.Catalogue(urls=(URL,), password=PASSWORD, want=wanted(glance))
    outcome = task.carry_out(server)  # pyright: ignore[reportArgumentType]
    assert outcome.conflicts == (
        'user glance in service_domain was not made by the charm: rename or delete it',
    )
    assert server.passwords[theirs] == 'theirs'
    assert not [a for a in server.assignments if a[0] == theirs]
    converge(server, wanted(before=(glance,)))
    assert theirs in server.records['users']


def test_endpoints_follow_what_is_asked_for():
    server = FakeKeystone()
    glance = registered(service('glance'))
    converge(server, wanted(glance))
    moved = registered(service('glance', '192.0.2.9'))
    done = converge(server, wanted(moved, before=(glance,)))
    assert len(done) == 3
    assert {url for *_, url in server.urls()} == {f'http://192.0.2.9/{t}' for t in ENDPOINT_TYPES}


def test_a_restored_database_is_brought_back():
    """Its endpoints are elsewhere, and nothing is known of what was registered there."""
    server = FakeKeystone()
    converge(server, wanted(registered(service('glance'))))
    converge(server, wanted(registered(service('glance', '192.0.2.9'))))
    assert {url for *_, url in server.urls()} == {f'http://192.0.2.9/{t}' for t in ENDPOINT_TYPES}


def test_an_endpoint_type_that_is_withdrawn_goes_alone():
    server = FakeKeystone()
    glance = registered(service('glance'))
    converge(server, wanted(glance))
    whole = glance.request.services[0]
    less = registered(dataclasses.replace(whole, urls=whole.urls[:2]))
    gone = frozenset({dataclasses.replace(whole, urls=whole.urls[2:])})
    assert converge(server, wanted(less, before=(glance,), gone=gone)) == (
        'delete glance admin http://10.0.0.1/admin',
    )


def test_an_account_is_shared_until_the_last_relation_with_it_is_broken():
    server = FakeKeystone()
    one, two = (
        registered(service('glance', region=region), relation=n)
        for n, region in enumerate(('RegionOne', 'RegionTwo'))
    )
    converge(server, wanted(one, two))
    converge(server, wanted(two, before=(one, two)))
    assert server.user('glance')
    assert {region for _, region, *_ in server.urls()} == {'RegionTwo'}
    converge(server, wanted(before=(two,)))
    assert not server.user('glance')
    assert not server.urls()


def test_an_account_serves_all_services_of_a_relation():
    server = FakeKeystone()
    want = wanted(registered(service('placement'), service('nova')))
    converge(server, want)
    (made,) = want.accounts
    assert made.name == 'nova_placement'
    facts = catalogue.facts(made, observe(server))
    assert facts
    assert server.passwords[facts.user_id] == made.password
    assert facts.domain == 'service_domain'


def test_a_disabled_account_is_enabled_and_a_retired_one_disabled():
    server = FakeKeystone()
    glance = registered(service('glance'))
    converge(server, wanted(glance))
    retired = frozenset({dataclasses.replace(account('glance'), password='nobodys')})
    done = converge(server, wanted(retired=retired))
    assert done == ('retire glance',)
    assert server.passwords[server.user('glance')] == 'nobodys'
    assert converge(server, wanted(retired=retired)) == ()
    assert converge(server, wanted(glance)) == ('enable glance',)
    assert server.passwords[server.user('glance')] == 'password of glance'


def test_roles_are_not_told_apart_by_case():
    server = FakeKeystone()
    converge(server, wanted(registered(service('glance'), roles=('Admin',))))
    assert sorted(r['name'] for r in server.records['roles'].values()) == [
        'admin', 'member', 'reader', 'service',
    ]  # fmt: skip


def test_the_admin_is_made_once_with_its_role_everywhere():
    server = FakeKeystone()
    converge(server, wanted(admin_password='secret'))
    admin, role = server.user('admin'), server.named('roles', 'admin')['id']
    assert server.passwords[admin] == 'secret'
    assert {(admin, server.project, role), (admin, 'system', role)} <= server.assignments
    assert converge(server, wanted(admin_password='another')) == ()
    server.records['users'].pop(admin)
    assert converge(server, wanted()) == ()


def test_the_admin_gets_the_roles_that_are_asked_for_it():
    server = FakeKeystone()
    heat = registered(
        service('heat'), roles=('heat_stack_owner',), admin_roles=('heat_stack_owner',)
    )
    converge(server, wanted(heat, admin_password='secret'))
    role = server.named('roles', 'heat_stack_owner')['id']
    assert (server.user('admin'), server.project, role) in server.assignments


def test_domains_of_directories_are_made_and_stay():
    server = FakeKeystone()
    assert 'create domain staff' in converge(server, wanted(domains=frozenset({'staff'})))
    converge(server, wanted())
    assert server.named('domains', 'staff')


def test_no_account_of_a_program_may_expire_or_be_locked_out():
    server = FakeKeystone()
    converge(server, wanted(registered(service('glance'))))
    for name in ('glance', catalogue.CHARM):
        assert server.named('users', name)['options'] == catalogue.OPTIONS


def test_passwords_are_in_no_repr():
    server = FakeKeystone()
    want = wanted(registered(service('glance')), admin_password='topsecret')
    steps = plan.plan(want, observe(server))
    assert 'password of' not in repr((want, steps))
    assert 'topsecret' not in repr((want, steps))


def test_a_plan_that_does_not_settle_is_caught():
    """The check's own check: a keystone that makes no endpoint."""
    server = Refusing(path='/endpoints')
    task = tasks.Catalogue(
        urls=(URL,), password=PASSWORD, want=wanted(registered(service('glance')))
    )
    assert 'does not settle: create glance' in task.carry_out(server).failure  # pyright: ignore[reportArgumentType]
