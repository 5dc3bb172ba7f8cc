"""What a charm has asked of secrets in a hook becomes true: the part of the commit that is about secrets.

Source: worker/uniter/runner/context/secrets.go of Juju 3.6.
"""

from __future__ import annotations

import dataclasses

from . import edit, secrets
from .context import SecretWrite
from .model import Model, Secret, SecretAccess, SecretConsumer, SecretRevision, drop, put


def commit(model: Model, unit: str, writes: tuple[SecretWrite, ...], now: float) -> Model:
    """*model* after the wishes of a hook about secrets, in the order in which they were uttered.

    Several changes of content in one hook make one revision.
    """
    touched: dict[str, int] = {}
    for write in writes:
        if write.verb == 'add':
            model = _add(model, write, now)
            touched[write.secret] = 1
        elif write.secret in model.secrets:
            model = _VERBS[write.verb](model, unit, write, now, touched)
    return model


def _add(model: Model, write: SecretWrite, now: float) -> Model:
    revision = SecretRevision(1, write.content or {}, now, write.expires or 0.0)
    policy = write.rotate or 'never'
    return edit.put_secret(
        model,
        Secret(
            id=write.secret,
            owner=write.owner,
            revisions={1: revision},
            label=write.label or '',
            description=write.description or '',
            rotate=policy,
            rotate_at=secrets.next_rotation(policy, now),
            created=now,
            updated=now,
        ),
    )


def _set(
    model: Model, unit: str, write: SecretWrite, now: float, touched: dict[str, int]
) -> Model:
    secret = model.secrets[write.secret]
    if write.label is not None:
        secret = dataclasses.replace(secret, label=write.label, updated=now)
    if write.description is not None:
        secret = dataclasses.replace(secret, description=write.description, updated=now)
    if write.rotate is not None and write.rotate != secret.rotate:
        at = secrets.next_rotation(write.rotate, now)
        secret = dataclasses.replace(secret, rotate=write.rotate, rotate_at=at, updated=now)
    secret = _content(secret, write, now, touched)
    if write.expires is not None:
        newest = dataclasses.replace(
            secret.revisions[secret.latest], expires=write.expires, expiry_seen=0.0
        )
        revisions = put(secret.revisions, secret.latest, newest)
        secret = dataclasses.replace(secret, revisions=revisions, updated=now)
    return edit.put_secret(model, secret)


def _content(secret: Secret, write: SecretWrite, now: float, touched: dict[str, int]) -> Secret:
    newest = secret.revisions[secret.latest]
    if write.content is None or dict(write.content) == dict(newest.content):
        return secret
    number = touched.get(secret.id) or secret.latest + 1
    touched[secret.id] = number
    revision = SecretRevision(number, write.content, now)
    return dataclasses.replace(
        secret, revisions=put(secret.revisions, number, revision), updated=now
    )


def _remove(
    model: Model, _unit: str, write: SecretWrite, _now: float, _t: dict[str, int]
) -> Model:
    return removed(model, write.secret, write.revision)


def removed(model: Model, secret_id: str, revision: int = 0) -> Model:
    """*model* without a secret, or without one revision of it (all of it if that was the last)."""
    secret = model.secrets[secret_id]
    kept = drop(secret.revisions, revision)
    if not revision or not kept:
        return edit.without(model, 'secrets', secret_id)
    return edit.put_secret(model, dataclasses.replace(secret, revisions=kept))


def _grant(model: Model, _unit: str, write: SecretWrite, _now: float, _t: dict[str, int]) -> Model:
    secret = model.secrets[write.secret]
    application = write.target.partition('/')[0]
    held = {(a.target, a.relation) for a in secret.access}
    if {(write.target, write.relation), (application, write.relation)} & held:
        return model
    access = (*secret.access, SecretAccess(write.target, write.relation))
    return edit.put_secret(model, dataclasses.replace(secret, access=access))


def _revoke(
    model: Model, _unit: str, write: SecretWrite, _now: float, _t: dict[str, int]
) -> Model:
    secret = model.secrets[write.secret]

    def hit(access: SecretAccess) -> bool:
        mine = not write.target or access.target in (write.target,)
        application = '/' not in write.target and access.target.startswith(write.target + '/')
        return (mine or application) and (
            write.relation is None or access.relation == write.relation
        )

    access = tuple(a for a in secret.access if not hit(a))
    return edit.put_secret(model, dataclasses.replace(secret, access=access))


def _track(model: Model, unit: str, write: SecretWrite, _now: float, _t: dict[str, int]) -> Model:
    secret = model.secrets[write.secret]
    before = secret.consumers.get(unit, SecretConsumer(0))
    label = before.label if write.label is None else write.label
    after = SecretConsumer(write.revision or secret.latest, label)
    consumers = put(secret.consumers, unit, after)
    return secrets.prune(
        edit.put_secret(model, dataclasses.replace(secret, consumers=consumers)), secret.id
    )


_VERBS = {'set': _set, 'remove': _remove, 'grant': _grant, 'revoke': _revoke, 'track': _track}
