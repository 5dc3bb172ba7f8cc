"""From what units know to what the catalogue is to be, and from what it is to what is answered. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import catalogue
import charmkit
import domains
import renewal
import request_ledger
import settings
import tasks
from charmkit import front, host, state
from charmkit.relations import ENDPOINT_TYPES, Databag, EndpointType, Site, keystone, wire
from identity import DB, PORT, Shared

RELATION = keystone.RELATION
ACCOUNTS = 'accounts'
OWN = 'own'
ADMIN_MADE = 'bootstrap'
"""The database in which the leader has seen to it that there is an admin."""
REMOVING = 'leaving'
"""Under which a unit remembers that it is being removed: the relations that it loses live on."""
VERIFIED = 'verified'
"""Under which the leader remembers the accounts that it has seen log in: it saves work, and proves nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be registered now."""

    decision: request_ledger.Decision
    before: Mapping[int, request_ledger.Registered]
    accounts: Mapping[str, catalogue.Account]
    """By the user name that a request builds."""
    rotations: renewal.Rotations
    own: tuple[keystone.CatalogService, ...]
    own_before: tuple[keystone.CatalogService, ...]
    database: str
    """Stands for the database, and for the data in it."""


def plan(
    inputs: charmkit.Inputs,
    shared: Shared,
    site: Site,
    rotations: renewal.Rotations,
    *,
    settled: bool = True,
) -> Plan:
    """Weigh what is asked for now against what was registered.

    While it is not *settled* what to tell of keystone's own URLs, those stay that were registered.
    """
    own_before = request_ledger.load_services(inputs.peers.get(OWN, ''))
    before = request_ledger.load(inputs.peers.get(request_ledger.KEY, ''))
    decision = request_ledger.decide(inputs.of(RELATION), before)
    if inputs.memory.get(REMOVING):
        decision = dataclasses.replace(
            decision, in_force={**before, **decision.in_force}, broken={}
        )
    return Plan(
        decision=decision,
        before=before,
        accounts=renewal.accounts(shared.seed, rotations, decision.requests),
        rotations=rotations,
        own=own_services(site, settings.regions(inputs), own_before) if settled else own_before,
        own_before=own_before,
        database=database(inputs),
    )


def own_services(
    site: Site, regions: Iterable[str], before: Iterable[keystone.CatalogService] = ()
) -> tuple[keystone.CatalogService, ...]:
    """Keystone's own place in the catalogue.

    While a load balancer has not said where an endpoint type is, that stays which was registered *before*, or none.
    """
    there = {service.region: service.urls for service in before}
    wait = site.awaited.get('keystone', frozenset())
    found: list[keystone.CatalogService] = []
    for region in regions:
        urls = {t: f'{site.urls["keystone"][t]}/v3' for t in site.registered('keystone')}
        urls |= {t: u for t, u in there.get(region, ()) if t in wait}
        where: tuple[tuple[EndpointType, str], ...] = tuple(
            (t, urls[t]) for t in ENDPOINT_TYPES if t in urls
        )
        found.append(keystone.CatalogService('keystone', 'identity', region, where))
    return tuple(found)


def task(
    inputs: charmkit.Inputs,
    shared: Shared,
    now: Plan,
    servers: tuple[str, ...],
    *,
    verify: bool,
    renew: str = '',
) -> tasks.Catalogue:
    """The leader's work on keystone; *renew* is an account whose password is a new one."""
    want = catalogue.desired(now.decision, now.before, now.accounts, now.own, now.own_before)
    users = {user for r in now.decision.in_force.values() for user in r.users}
    admin = renewal.admin_password(shared.seed, now.rotations)
    want = dataclasses.replace(
        want,
        admin_password='' if inputs.peers.get(ADMIN_MADE) == now.database else admin,
        domains=frozenset({*settings.directories(inputs), *settings.brought(inputs)}),
        retired=renewal.retired(shared.seed, now.rotations, users, inputs.now),
    )
    logins = [
        tasks.Account(a.name, catalogue.DOMAIN, a.password)
        for a in now.accounts.values()
        if verify
    ]
    if renew == catalogue.ADMIN:
        logins.append(tasks.Account(renew, catalogue.ADMIN_DOMAIN, admin))
    return tasks.Catalogue(
        urls=servers,
        password=renewal.charm_password(shared.seed, now.rotations),
        want=want,
        logins=tuple(sorted(logins, key=lambda a: a.name)),
        patience_s=tasks.PATIENCE_S if inputs.peers.get(ACCOUNTS) else tasks.FIRST_PATIENCE_S,
    )


def verified(now: Plan) -> str:
    """Stands for accounts, their passwords, and the data that they are in."""
    every = sorted((a.name, a.password) for a in now.accounts.values())
    return host.digest(f'{now.database} {every}')


def is_account_refused(inputs: charmkit.Inputs, now: Plan) -> bool:
    """Whether a service says that keystone does not take its account, with the password that it should have."""
    said = {
        bag.get(keystone.ACCOUNT_REFUSED)
        for relation in inputs.of(RELATION)
        for bag in relation.units.values()
    }
    return any(keystone.account_mark(a.name, a.password) in said for a in now.accounts.values())


def statuses(
    now: Plan, outcome: tasks.Outcome, *, own_rules: bool = False
) -> Iterable[state.Status]:
    """What the operator should know of it; *own_rules*: the operator has changed keystone's policy."""
    if outcome.failure:
        # Nothing but a rule forbids the charm's own account anything.
        rules = own_rules and ': 403 ' in outcome.failure
        which = ' (see option policy-overrides)' if rules else ''
        yield state.Status('blocked', f'the catalogue is as it was: {outcome.failure}{which}')
    for problem in (*outcome.conflicts, *outcome.refused):
        yield state.Status('blocked', problem)
    for name, login in sorted(outcome.logins.items()):
        if login == 'mended':
            yield state.Status('active', f'the password of {name} had been changed: set it again')
        elif login == 'refused':
            yield state.Status('blocked', f'keystone refuses {name} with the password just set')


def refusals(now: request_ledger.Decision) -> list[state.Status]:
    """Requests that are not met, by name, and what earlier ones left."""
    out: list[state.Status] = []
    for relation, refused in sorted(now.refused.items()):
        kept = '; what it asked for before is in force' if relation in now.in_force else ''
        out.append(state.Status('blocked', f'refused {refused.app}: {refused.reason}{kept}'))
    for registered in now.in_force.values():
        if registered.left:
            places = ', '.join(sorted({f'{s.name} in {s.region}' for s in registered.left}))
            app = registered.request.app
            out.append(state.Status('active', f'{places} stays until {app} is no longer related'))
    return out


def published(
    inputs: charmkit.Inputs, now: Plan, outcome: tasks.Outcome, peers: Databag
) -> Databag:
    """What the leader keeps once all is registered."""
    seen = outcome.seen
    if seen is None:
        return peers
    known = {
        r.relation: catalogue.facts(now.accounts.get(r.username), seen)
        for r in now.decision.requests
    }
    accounts = {relation: account for relation, account in known.items() if account}
    return {
        **peers,
        request_ledger.KEY: request_ledger.dump(now.decision.in_force),
        ACCOUNTS: dump_accounts(accounts),
        renewal.KEY: renewal.dump(now.rotations),
        OWN: request_ledger.dump_services(now.own),
        ADMIN_MADE: now.database,
        domains.KEY: ' '.join(sorted(settings.made_domains(inputs))),
    }


def responses(
    inputs: charmkit.Inputs,
    seed: str,
    peers: Databag,
    site: Site,
    refused: Mapping[int, keystone.Refusal],
) -> dict[str | int, Databag]:
    """What this unit says on each relation, from what the leader has registered: every unit says the same."""
    in_force = request_ledger.load(peers.get(request_ledger.KEY, ''))
    requests = [r.request for r in in_force.values()]
    accounts = renewal.accounts(seed, renewal.load(peers.get(renewal.KEY, '')), requests)
    known = load_accounts(peers.get(ACCOUNTS, ''), {a.name: a.password for a in accounts.values()})
    region = settings.regions(inputs)[0]
    urls = {
        t: site.urls['keystone'][t if site.is_placed('keystone', t) else 'internal']
        for t in ENDPOINT_TYPES
    }
    out: dict[str | int, Databag] = {}
    for relation in inputs.of(RELATION):
        said: dict[str, str] = {}
        # A unit that comes waits for the load balancer: others would go to its own address, and back a moment later.
        placed = site.is_placed('keystone', 'internal') or 'internal_host' in relation.my_data
        if relation.id in in_force and relation.id in known and placed:
            request = in_force[relation.id].request
            said |= keystone.response(request, urls, region, known[relation.id])
        if relation.id in refused:
            said[keystone.REFUSED] = refused[relation.id].reason
        out[relation.id] = said
    return out


def dump_accounts(accounts: Mapping[int, keystone.Account]) -> str:
    """For the other units, without passwords: those can be derived."""
    return wire.dump(
        {
            str(relation): {**dataclasses.asdict(account), 'password': ''}
            for relation, account in sorted(accounts.items())
        }
    )


def load_accounts(text: str, password_of: Mapping[str, str]) -> dict[int, keystone.Account]:
    """What :func:`dump_accounts` wrote, with passwords by the name of the account."""
    out: dict[int, keystone.Account] = {}
    for relation, fields in wire.objects(wire.load_object(text)):
        values = {str(k): wire.text(v) for k, v in fields.items()}
        values['password'] = password_of.get(values.get('username', ''), '')
        out[int(relation)] = keystone.Account(**values)
    return out


def database(inputs: charmkit.Inputs) -> str:
    """Stands for the database, and for the data in it; '' while there is none."""
    relations = inputs.of(DB.relation)
    found = DB.read(relations, inputs.site) if relations else None
    return f'{host.digest(found.url)} {found.generation}' if found else ''


def servers(inputs: charmkit.Inputs, *, running: bool, paused: bool) -> tuple[str, ...]:
    """Where to ask for the catalogue: this unit, or while it does not serve, the load balancer, or the others.

    Units that serve load balancers by TLS take HTTP from nobody else.
    """
    if running:
        return (f'http://127.0.0.1:{PORT}',)
    if not paused:
        return ()
    balanced = urlsplit(front.given(inputs, 'keystone').get('internal', ''))
    behind = (f'{balanced.scheme}://{balanced.netloc}',) if balanced.netloc else ()
    others = (data.get('ingress-address') for data in inputs.peer_units.values())
    found = (charmkit.relations.host_in_url(a) for a in others if a)
    return (*behind, *(f'http://{address}:{PORT}' for address in found))
