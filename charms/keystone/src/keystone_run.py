"""One run of the charm: the service, then the catalogue, then the answers; and what the operator's actions do. Pure."""

from __future__ import annotations

import dataclasses
import time

import catalogue
import charmkit
import directories
import identity
import keys
import registration
import renewal
import stored_credentials
import tasks
from charmkit import apache, api, front, rehearsal
from charmkit.why import Action, Hook, action, secret_due

_ROTATE = 'rotate-password'


def run(
    spec: charmkit.ServiceSpec, why: charmkit.Why, inputs: charmkit.Inputs
) -> charmkit.Desired:
    """What follows from *why* this run is and from *inputs*."""
    if action(why, 'get-admin-password'):
        return _admin_password(inputs)
    if action(why, rehearsal.ACTION):
        return api.run(spec, why, inputs)
    if (
        isinstance(why, Action)
        and why.name in ('rotate-keys', _ROTATE, *stored_credentials.ACTIONS)
        and not inputs.site.leader
    ):
        return charmkit.Desired(
            failure=f'only the leader does {why.name}: see `juju status` for which unit it is'
        )
    if departs(why, inputs):
        inputs = dataclasses.replace(inputs, memory={**inputs.memory, registration.REMOVING: True})
    adopted = stored_credentials.adopted(why, inputs)
    if isinstance(adopted, str):
        return charmkit.Desired(failure=adopted)
    desired = identity.desired_state(spec, why, inputs, due(why), adopted)
    if desired.failure:
        return desired
    desired = _with_credentials(why, inputs, _with_catalogue(spec, why, inputs, desired))
    desired = directories.desired(why, inputs, desired)
    if action(why, 'rotate-keys'):
        waiting = desired.app_data['peers'].get('due', '')
        results = {'rotated': 'no' if waiting else 'yes', 'waiting': waiting or 'none'}
        desired = dataclasses.replace(desired, results=results)
    if inputs.memory.get(registration.REMOVING):
        memory = {**desired.memory, registration.REMOVING: True}
        desired = dataclasses.replace(desired, memory=memory)
    return desired


def departs(why: charmkit.Why, inputs: charmkit.Inputs) -> bool:
    """Whether it is this unit that departs: its relations are broken one by one, and live on without it."""
    return (
        isinstance(why, Hook)
        and why.name.endswith('-relation-departed')
        and why.subject == inputs.site.unit
    )


def due(why: charmkit.Why) -> tuple[str, ...]:
    """Labels of the secrets to rotate now: Juju's wish, or the operator's."""
    if rotate := action(why, 'rotate-keys'):
        kind = str(rotate.params.get('kind', keys.FERNET.name))
        return tuple(k.label for k in keys.KINDS if k.name == kind)
    return (label,) if (label := secret_due(why)) else ()


def _admin_password(inputs: charmkit.Inputs) -> charmkit.Desired:
    """Show the password, and whether keystone takes it: who changes it elsewhere does not tell the charm."""
    shared = identity.shared(inputs)
    if shared is None:
        return charmkit.Desired(failure='There is no password yet: keystone is still being set up')
    password = renewal.admin_password(shared.seed, shared.rotations)
    paused = bool(inputs.memory.get(front.PAUSED))
    servers = registration.servers(inputs, running=not paused, paused=paused)
    check = tasks.Check(servers, catalogue.ADMIN, catalogue.ADMIN_DOMAIN, password)
    valid = {
        'good': 'yes',
        'refused': 'no: it was changed elsewhere; the action rotate-password sets one that is known here',
    }.get(str(inputs.seen.get(check.name)), 'unknown: keystone does not answer')
    return charmkit.Desired(
        results={'username': catalogue.ADMIN, 'password': password, 'valid': valid},
        read_only=True,
        tasks=(check,),
    )


def _with_catalogue(
    spec: charmkit.ServiceSpec,
    why: charmkit.Why,
    inputs: charmkit.Inputs,
    desired: charmkit.Desired,
) -> charmkit.Desired:
    """Bring the catalogue to what is asked for, and only then answer."""
    shared = identity.shared(inputs)
    renew = action(why, _ROTATE)
    if shared is None or not inputs.of('shared-db') or inputs.failed:
        return _failed(desired, 'keystone does not run yet') if renew else desired
    place = identity.serving_state(spec, inputs)
    site, settled = place.site, place.settled
    now = registration.plan(inputs, shared, site, shared.rotations, settled=settled)
    user = ''
    if renew:
        user = str(renew.params.get('user') or catalogue.ADMIN)
        grace_s = float(renew.params.get('grace', renewal.GRACE_S))
        if reason := _refusal(user, grace_s, inputs, now):
            return _failed(desired, reason)
        rotations = renewal.renewed(shared.rotations, user, inputs.now, grace_s)
        now = registration.plan(inputs, shared, site, rotations, settled=settled)
    peers = desired.app_data.get('peers', {})
    status = registration.refusals(now.decision) if inputs.site.leader else []
    paused = bool(desired.memory.get(front.PAUSED))
    servers = registration.servers(inputs, running=_runs(desired), paused=paused)
    work: tuple[tasks.Catalogue, ...] = ()
    if inputs.site.leader and servers:
        doubted = _operator_acts(why) or registration.is_account_refused(inputs, now)
        verify = why.time_passes or bool(renew) or doubted or _unverified(inputs, now)
        task = registration.task(inputs, shared, now, servers, verify=verify, renew=user)
        work = (task,)
        outcome = inputs.seen.get(task.name)
        if isinstance(outcome, tasks.Outcome):
            status += registration.statuses(
                now, outcome, own_rules=bool(inputs.options.get('policy-overrides'))
            )
            peers = registration.published(inputs, now, outcome, peers)
            if complete(outcome):
                known = {registration.VERIFIED: registration.verified(now)}
                desired = dataclasses.replace(desired, memory={**desired.memory, **known})
            if renew:
                desired = _renewed(desired, user, now, outcome)
    elif renew:
        return _failed(desired, 'no unit of keystone serves that could be asked')
    responses: dict[str | int, charmkit.relations.Databag] = {}
    if settled:  # Else it is not published where keystone is: what was published stays.
        responses = registration.responses(inputs, shared.seed, peers, site, now.decision.refused)
    return dataclasses.replace(
        desired,
        unit_data={**desired.unit_data, **responses},
        app_data={**desired.app_data, 'peers': peers},
        status=(*desired.status, *status),
        tasks=(*desired.tasks, *work),
    )


def _with_credentials(
    why: charmkit.Why, inputs: charmkit.Inputs, desired: charmkit.Desired
) -> charmkit.Desired:
    """Have the leader encrypt stored credentials anew, once keystone has been asked whose database that is."""
    shared, catalogue_ = identity.shared(inputs), inputs.seen.get(tasks.CATALOGUE)
    asked = isinstance(why, Action) and why.name in stored_credentials.ACTIONS
    if not (shared and inputs.site.leader and isinstance(catalogue_, tasks.Outcome)):
        waits = any(task.name == tasks.CATALOGUE for task in desired.tasks)
        return _failed(desired, 'keystone does not run yet') if asked and not waits else desired
    if catalogue_.failure:
        return _failed(desired, catalogue_.failure) if asked else desired
    label = keys.CREDENTIAL.label
    kept = desired.secrets[label].content['ring'] if label in desired.secrets else ''
    ring = keys.load(kept) or shared.rings[keys.CREDENTIAL]
    peers = desired.app_data.get('peers', {})
    is_new = f'create user {catalogue.ADMIN}' in catalogue_.done
    task = stored_credentials.task(why, inputs, ring, registration.database(inputs))
    outcome = inputs.seen.get(task.name)
    if is_new and not asked:
        outcome, work = stored_credentials.Reencrypted(), ()
    else:
        work = (task,) if asked or stored_credentials.is_due(task, inputs.peers) else ()
    if isinstance(outcome, stored_credentials.Reencrypted):
        peers = stored_credentials.record(task.key, outcome, peers)
        status = (*desired.status, *stored_credentials.statuses(outcome))
        desired = dataclasses.replace(
            desired, app_data={**desired.app_data, 'peers': peers}, status=status
        )
        if asked and outcome.failure:
            return _failed(desired, outcome.failure)
        if asked:
            desired = dataclasses.replace(desired, results=stored_credentials.results(outcome))
    return dataclasses.replace(desired, tasks=(*desired.tasks, *work))


def _failed(desired: charmkit.Desired, reason: str) -> charmkit.Desired:
    return dataclasses.replace(desired, failure=reason)


def _runs(desired: charmkit.Desired) -> bool:
    return any(s.name == apache.SERVICE and s.state == 'running' for s in desired.host.services)


def _operator_acts(why: charmkit.Why) -> bool:
    """Whether it is somebody's doing, and no news of a relation: then a look that costs a login each does no harm."""
    return isinstance(why, Hook) and why.name in (
        'config-changed',
        'upgrade-charm',
        'leader-elected',
    )


def _unverified(inputs: charmkit.Inputs, now: registration.Plan) -> bool:
    return inputs.memory.get(registration.VERIFIED) != registration.verified(now)


def complete(outcome: tasks.Outcome) -> bool:
    """Whether all was done, so that the next runs need not try it out again."""
    return not (outcome.failure or outcome.refused or 'refused' in outcome.logins.values())


def _refusal(user: str, grace_s: float, inputs: charmkit.Inputs, now: registration.Plan) -> str:
    known = (catalogue.ADMIN, catalogue.CHARM, *sorted(now.accounts))
    if user not in known:
        return f'there is no account {user[:80]!r} to renew: it is one of {", ".join(known)}'
    return renewal.refusal(now.rotations, user, inputs.now, grace_s)


def _renewed(
    desired: charmkit.Desired, user: str, now: registration.Plan, outcome: tasks.Outcome
) -> charmkit.Desired:
    """What the action answers."""
    if outcome.failure:
        return _failed(desired, outcome.failure)
    if user in (catalogue.ADMIN, catalogue.CHARM):
        refused = outcome.logins.get(user) == 'refused'
        results = {'user': user}
    else:
        account = now.accounts[user].name
        refused = outcome.logins.get(account) == 'refused'
        until = time.gmtime(now.rotations[user].until)
        results = {
            'user': user,
            'account': account,
            'former-account-until': time.strftime('%Y-%m-%dT%H:%M:%SZ', until),
        }
    if refused:
        return _failed(desired, f'keystone refuses the new password of {user}')
    return dataclasses.replace(desired, results=results)
