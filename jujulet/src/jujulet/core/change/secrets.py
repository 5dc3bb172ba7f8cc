"""Secrets of the user. Source: cmd/juju/secrets (add, update, grantrevoke, remove) of Juju 3.6."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from .. import edit, secretwrites
from .. import secrets as secrets_
from ..model import Model, Refused, Secret, SecretAccess, SecretRevision
from ..requests import AddSecret, GrantSecret, RemoveSecret, UpdateSecret
from . import found

_LETTERS = '0123456789abcdefghijklmnopqrstuv'


def make_id(model: Model, number: int, now: float) -> str:
    """A secret's id as an xid is made: 20 letters, the time first."""
    digest = hashlib.sha256(f'{model.uuid}:{number}'.encode()).digest()
    value = int.from_bytes(int(now).to_bytes(4, 'big', signed=False) + digest[:8], 'big') << 4
    return ''.join(_LETTERS[(value >> shift) & 31] for shift in range(95, -1, -5))


def find(model: Model, text: str) -> Secret:
    """The user's secret of that name, id or URI. Raises Refused."""
    sid = text.removeprefix('secret:').rpartition('/')[2]
    secret = model.secrets.get(sid)
    if secret is not None:
        return secret
    for each in model.secrets.values():
        if not each.owner and each.name == text:
            return each
    raise Refused(f'secret "{text}" not found')


def _own(model: Model, text: str) -> Secret:
    secret = find(model, text)
    if secret.owner:
        raise Refused('permission denied')
    return secret


def _check_name(model: Model, name: str, but: str = '') -> None:
    for each in model.secrets.values():
        if not each.owner and each.name == name and each.id != but:
            raise Refused(f'secret with name "{name}" already exists')


def add(request: AddSecret, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju add-secret``."""
    _check_name(model, request.name)
    if not request.content:
        raise Refused('missing secret value or filename', code=2)
    model, number = edit.number(model, 'secret')
    secret = Secret(
        id=make_id(model, number, now),
        owner='',
        revisions={1: SecretRevision(1, dict(request.content), now)},
        name=request.name,
        description=request.info,
        created=now,
        updated=now,
    )
    return edit.put_secret(model, secret), {'id': secret.id}


def update(request: UpdateSecret, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju update-secret``: other content is another revision."""
    secret = before = _own(model, request.id)
    if request.name:
        _check_name(model, request.name, secret.id)
        secret = dataclasses.replace(secret, name=request.name)
    if request.info is not None:
        secret = dataclasses.replace(secret, description=request.info)
    if request.auto_prune is not None:
        secret = dataclasses.replace(secret, auto_prune=request.auto_prune)
    newest = secret.revisions[secret.latest].content
    if request.content is not None and dict(request.content) != dict(newest):
        number = secret.latest + 1
        revision = SecretRevision(number, dict(request.content), now)
        secret = dataclasses.replace(secret, revisions={**secret.revisions, number: revision})
    if secret == before:
        return model, {'id': secret.id}
    model = edit.put_secret(model, dataclasses.replace(secret, updated=now))
    return secrets_.prune(model, secret.id), {'id': secret.id}


def remove(request: RemoveSecret, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju remove-secret``."""
    secret = _own(model, request.id)
    if request.revision and request.revision not in secret.revisions:
        raise Refused(f'secret revision {request.revision} not found')
    return secretwrites.removed(model, secret.id, request.revision), {}


def grant(request: GrantSecret, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju grant-secret`` and ``juju revoke-secret``."""
    secret = _own(model, request.id)
    access = secret.access
    for name in request.applications:
        found.application(model, name)
        access = tuple(a for a in access if a.target != name)
        if not request.revoke:
            access = (*access, SecretAccess(name))
    return edit.put_secret(model, dataclasses.replace(secret, access=access)), {}


VERBS: Mapping[type, Any] = {
    AddSecret: add,
    UpdateSecret: update,
    RemoveSecret: remove,
    GrantSecret: grant,
}
