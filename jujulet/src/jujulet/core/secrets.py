"""Secrets as time goes by: who manages and who follows one, rotation, expiry, and the hooks that tell of them.

Source: worker/uniter/secrets/resolver.go of Juju 3.6; its order: expired, rotate, changed, remove.
"""

from __future__ import annotations

import calendar
import dataclasses
import datetime
from collections.abc import Iterable

from . import edit
from .model import Hook, Model, Secret, Unit, drop, put

EXPIRY_REPEAT = 300.0
"""Seconds until ``secret-expired`` comes again for a revision that is still there."""

_HOURS = {'hourly': 1, 'daily': 24, 'weekly': 168}
_MONTHS = {'monthly': 1, 'quarterly': 3, 'yearly': 12}
POLICIES = ('never', *_HOURS, *_MONTHS)


def next_rotation(policy: str, now: float) -> float:
    """When a secret rotates next; 0: never. ValueError for a policy that there is not."""
    if policy in _HOURS:
        return now + _HOURS[policy] * 3600
    if policy in _MONTHS:
        return _months_later(now, _MONTHS[policy])
    if policy in ('never', ''):
        return 0.0
    raise ValueError(f'rotate policy "{policy}" not valid')


def _months_later(now: float, months: int) -> float:
    then = datetime.datetime.fromtimestamp(now, datetime.UTC)
    total = then.year * 12 + then.month - 1 + months
    year, month = divmod(total, 12)
    day = min(then.day, calendar.monthrange(year, month + 1)[1])
    return then.replace(year=year, month=month + 1, day=day).timestamp()


def manages(model: Model, unit: Unit, secret: Secret) -> bool:
    """Whether the hooks for a secret's owner go to this unit: itself, or the leader of its application."""
    if secret.owner == unit.name:
        return True
    return (
        secret.owner == unit.application
        and model.applications[unit.application].leader == unit.name
    )


def managers(model: Model, owner: str) -> Iterable[str]:
    """Units that may run the hooks of what *owner* owns: it alone, or the leader of an application."""
    application = model.applications.get(owner)
    return (owner,) if application is None else (application.leader,)


def next_hook(model: Model, unit: Unit, now: float) -> Hook | None:
    """The secret hook that is due."""
    if unit.life != 'alive' or not unit.agent.started or unit.agent.stopped or not model.secrets:
        return None
    owned = _managed(model, unit)
    return (
        _expired(owned, now)
        or _rotate(owned, now)
        or _changed(model, unit)
        or _remove(unit, owned)
    )


def _managed(model: Model, unit: Unit) -> list[Secret]:
    """Secrets whose owner's hooks go to this unit, by id."""
    find = model.indexes.secrets_owned.find
    ids = [*find(model.secrets, unit.name), *find(model.secrets, unit.application)]
    return [s for sid in sorted(ids) if manages(model, unit, s := model.secrets[sid])]


def whose_time_has_come(model: Model, now: float) -> set[str]:
    """Units that manage a secret which is to rotate, or of which a revision has expired."""
    found: set[str] = set()
    for sid in model.indexes.timed_secrets.find(model.secrets, True) if model.secrets else ():
        secret = model.secrets[sid]
        if any(when <= now for when in _times(secret)):
            found.update(managers(model, secret.owner))
    return found


def _times(secret: Secret) -> list[float]:
    """When a secret rotates and its revisions expire."""
    out = [secret.rotate_at] if secret.rotate_at else []
    for revision in secret.revisions.values():
        when = _expires_at(revision.expires, revision.expiry_seen)
        if when != float('inf'):
            out.append(when)
    return out


def _expired(owned: list[Secret], now: float) -> Hook | None:
    for secret in owned:
        for number, revision in sorted(secret.revisions.items()):
            if _expires_at(revision.expires, revision.expiry_seen) <= now:
                return _hook('secret-expired', secret, number)
    return None


def _expires_at(expires: float, last_seen: float) -> float:
    if not expires:
        return float('inf')
    return last_seen + EXPIRY_REPEAT if last_seen else expires


def _rotate(owned: list[Secret], now: float) -> Hook | None:
    for secret in owned:
        if secret.rotate_at and secret.rotate_at <= now:
            return _hook('secret-rotate', secret)
    return None


def _changed(model: Model, unit: Unit) -> Hook | None:
    for sid in model.indexes.secrets_followed.find(model.secrets, unit.name):
        secret = model.secrets[sid]
        consumer = secret.consumers.get(unit.name)
        if consumer is None or manages(model, unit, secret):
            continue
        seen = max(unit.agent.secrets_seen.get(secret.id, 0), consumer.revision)
        if secret.latest > seen:
            label = consumer.label or secret.label
            return Hook(
                'secret-changed', secret=secret.id, secret_label=label, version=secret.latest
            )
    return None


def _remove(unit: Unit, owned: list[Secret]) -> Hook | None:
    for secret in owned:
        for number in obsolete(secret):
            if (secret.id, number) not in unit.agent.revisions_seen:
                return _hook('secret-remove', secret, number)
    return None


def _hook(kind: str, secret: Secret, revision: int = 0) -> Hook:
    return Hook(kind, secret=secret.id, secret_revision=revision, secret_label=secret.label)


def obsolete(secret: Secret) -> list[int]:
    """Revisions, other than the newest, that nobody follows."""
    followed = {c.revision for c in secret.consumers.values()}
    return [n for n in sorted(secret.revisions) if n != secret.latest and n not in followed]


def after_hook(model: Model, unit: str, hook: Hook, now: float) -> Model:
    """*model* once a secret hook has run: a rotation counts as done only then."""
    secret = model.secrets.get(hook.secret)
    if secret is None:
        return model
    agent = model.units[unit].agent
    if hook.kind == 'secret-rotate':
        return edit.put_secret(
            model,
            dataclasses.replace(
                secret, rotate_at=next_rotation(secret.rotate, now), rotate_done=secret.latest
            ),
        )
    if hook.kind == 'secret-changed':
        heard = put(agent.secrets_seen, secret.id, hook.version)
        return edit.agent(model, unit, secrets_seen=heard)
    if hook.kind == 'secret-remove':
        pair = (secret.id, hook.secret_revision)
        return edit.agent(model, unit, revisions_seen=agent.revisions_seen | {pair})
    revision = secret.revisions.get(hook.secret_revision)
    if revision is None:
        return model
    later = dataclasses.replace(revision, expiry_seen=now)
    revisions = put(secret.revisions, hook.secret_revision, later)
    return edit.put_secret(model, dataclasses.replace(secret, revisions=revisions))


def prune(model: Model, secret_id: str) -> Model:
    """*model* in which a user secret with ``auto_prune`` keeps no revision that nobody follows."""
    secret = model.secrets.get(secret_id)
    if secret is None or not secret.auto_prune or secret.owner:
        return model
    gone = obsolete(secret)
    if not gone:
        return model
    return edit.put_secret(
        model, dataclasses.replace(secret, revisions=drop(secret.revisions, *gone))
    )


def relation_gone(model: Model, relation_id: int) -> Model:
    """*model* without the grants that rested on a relation."""
    for secret in list(model.secrets.values()):
        kept = tuple(a for a in secret.access if a.relation != relation_id)
        if len(kept) != len(secret.access):
            model = edit.put_secret(model, dataclasses.replace(secret, access=kept))
    return model


def owner_gone(model: Model, name: str) -> Model:
    """*model* without the secrets of an application or unit, and without what it followed or was granted."""
    owned = [s.id for s in model.secrets.values() if s.owner == name]
    if owned:
        model = edit.without(model, 'secrets', *owned)
    for secret in list(model.secrets.values()):
        access = tuple(a for a in secret.access if a.target != name)
        if name in secret.consumers or len(access) != len(secret.access):
            consumers = drop(secret.consumers, name)
            after = dataclasses.replace(secret, access=access, consumers=consumers)
            model = prune(edit.put_secret(model, after), secret.id)
    return model


def wake_at(model: Model) -> list[float]:
    """When secrets rotate and revisions expire."""
    timed = model.indexes.timed_secrets.find(model.secrets, True)
    return [when for sid in timed for when in _times(model.secrets[sid])]
