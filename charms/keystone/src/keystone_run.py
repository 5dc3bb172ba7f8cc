"""One run of the charm: the service, then the catalogue, then the answers; and what the operator's actions do. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import catalogue
import charmkit
import identity
import keys
import rest
from charmkit import apache, front
from charmkit.relations import keystone
from charmkit.why import action, secret_due

TOKEN = '/var/lib/charmkit/keystone/admin-token'  # noqa: S105 -- where one is kept.


def run(
    spec: charmkit.ServiceSpec, why: charmkit.Why, inputs: charmkit.Inputs
) -> charmkit.Desired:
    """What follows from *why* this run is and from *inputs*."""
    if action(why, 'get-admin-password'):
        return _admin_password(inputs)
    rotate = action(why, 'rotate-keys')
    if rotate and not inputs.site.leader:
        return charmkit.Desired(
            failure='Only the leader rotates keys: see `juju status` for which unit it is'
        )
    desired = _with_catalogue(spec, inputs, identity.desired_state(spec, why, inputs, due(why)))
    if rotate:
        waiting = desired.app_data['peers'].get('due', '')
        results = {'rotated': 'no' if waiting else 'yes', 'waiting': waiting or 'none'}
        return dataclasses.replace(desired, results=results)
    return desired


def due(why: charmkit.Why) -> tuple[str, ...]:
    """Labels of the secrets to rotate now: Juju's wish, or the operator's."""
    if rotate := action(why, 'rotate-keys'):
        kind = str(rotate.params.get('kind', keys.FERNET.name))
        return tuple(k.label for k in keys.KINDS if k.name == kind)
    return (label,) if (label := secret_due(why)) else ()


def _admin_password(inputs: charmkit.Inputs) -> charmkit.Desired:
    shared = identity.shared(inputs)
    if shared is None:
        return charmkit.Desired(failure='There is no password yet: keystone is still being set up')
    results = {'username': 'admin', 'password': shared.admin_password}
    return charmkit.Desired(results=results, read_only=True)


def _with_catalogue(
    spec: charmkit.ServiceSpec, inputs: charmkit.Inputs, desired: charmkit.Desired
) -> charmkit.Desired:
    """Bring the catalogue to what is asked for, and only then answer."""
    shared = identity.shared(inputs)
    if shared is None or not inputs.of('shared-db') or inputs.failed:
        return desired
    own = identity.urls(spec, inputs)
    requests, _ = identity.requests(inputs)
    accounts = identity.load_accounts(
        inputs.peers.get(identity.ACCOUNTS, ''),
        {r.username: catalogue.password(shared.seed, r.username) for r in requests},
    )
    peers: Mapping[str, str] = desired.app_data.get('peers', {})
    servers = _servers(inputs, desired)
    tasks = desired.tasks
    if inputs.site.leader and servers:
        want = catalogue.desired(
            requests, identity.own_services(own, inputs.site.region), shared.seed
        )
        tasks = (*tasks, rest.Catalogue(servers, shared.admin_password, want, TOKEN))
        seen = inputs.seen.get(rest.CATALOGUE)
        if not isinstance(seen, catalogue.Observed):
            return dataclasses.replace(desired, tasks=tasks)
        accounts = _accounts(requests, want, seen)
        peers = {**peers, identity.ACCOUNTS: identity.dump_accounts(accounts)}
    return dataclasses.replace(
        desired,
        unit_data={**desired.unit_data, **identity.answers(inputs, own, accounts)},
        app_data={**desired.app_data, 'peers': peers},
        tasks=tasks,
    )


def _servers(inputs: charmkit.Inputs, desired: charmkit.Desired) -> tuple[str, ...]:
    """Units to ask for the catalogue: this one, or while it does not serve, the others."""
    running = any(s.name == apache.SERVICE and s.state == 'running' for s in desired.host.services)
    if running:
        return (f'http://127.0.0.1:{identity.PORT}',)
    if not desired.memory.get(front.PAUSED):
        return ()
    others = (data.get('ingress-address') for data in inputs.peer_units.values())
    found = (charmkit.relations.host_in_url(a) for a in others if a)
    return tuple(f'http://{host}:{identity.PORT}' for host in found)


def _accounts(
    requests: tuple[keystone.Request, ...], want: catalogue.Desired, seen: catalogue.Observed
) -> dict[int, keystone.Account]:
    known = {a.name: a for a in want.accounts}
    found = {r.relation: catalogue.facts(known.get(r.username), seen) for r in requests}
    return {relation: account for relation, account in found.items() if account}
