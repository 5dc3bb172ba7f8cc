"""Secrets as a running hook sees them: what is in the model, with what the hook has asked for on top."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .. import context as context_
from .. import model as model_
from .tool import Ask


@dataclasses.dataclass(frozen=True)
class Seen:
    """One secret of which the hook's unit is an owner."""

    id: str
    owner: str
    """Application or unit."""
    label: str = ''
    description: str = ''
    rotate: str = 'never'
    expires: float = 0.0
    rotate_at: float = 0.0
    revision: int = 0
    """The newest that is committed; 0 while the secret is only asked for."""
    pending: Mapping[str, str] | None = dataclasses.field(default=None, repr=False)
    """Content that this hook has given it."""
    access: tuple[model_.SecretAccess, ...] = ()
    tracked: int = 0
    """Revision that this hook has moved to; 0: none."""

    @property
    def latest(self) -> int:
        """The newest revision, the one that is only asked for included."""
        return self.revision + (self.pending is not None)


def owned(ask: Ask, *, by_followers: bool = False) -> dict[str, Seen]:
    """Secrets that the unit may manage: its own and, for the leader, its application's.

    With ``by_followers`` its application's are there for every unit, as they are to read.
    """
    owners = {ask.unit.name}
    if ask.leads or by_followers:
        owners.add(ask.unit.application)
    out = {
        s.id: _committed(s) for s in ask.model.secrets.values() if s.owner and s.owner in owners
    }
    for write in ask.writes.secrets:
        if write.verb == 'add':
            out[write.secret] = _applied(Seen(write.secret, write.owner), write)
        elif write.secret in out:
            _apply(out, write)
    return out


def _committed(secret: model_.Secret) -> Seen:
    latest = secret.revisions[secret.latest]
    return Seen(
        secret.id,
        secret.owner,
        secret.label,
        secret.description,
        secret.rotate,
        latest.expires,
        secret.rotate_at,
        secret.latest,
        None,
        secret.access,
    )


def _apply(out: dict[str, Seen], write: context_.SecretWrite) -> None:
    seen = out[write.secret]
    if write.verb == 'remove':
        if not write.revision:
            del out[write.secret]
        return
    grant = model_.SecretAccess(write.target, write.relation)
    if write.verb == 'grant':
        out[seen.id] = dataclasses.replace(seen, access=(*seen.access, grant))
    elif write.verb == 'revoke':
        left = tuple(a for a in seen.access if not revoked(write, a))
        out[seen.id] = dataclasses.replace(seen, access=left)
    elif write.verb == 'track':
        out[seen.id] = dataclasses.replace(seen, tracked=write.revision)
    else:
        out[seen.id] = _applied(seen, write)


def revoked(write: context_.SecretWrite, access: model_.SecretAccess) -> bool:
    """Whether a ``revoke`` takes an access away. Revoking an application takes its units' with it."""
    if write.relation is not None and access.relation != write.relation:
        return False
    if not write.target:
        return True
    return access.target == write.target or access.target.startswith(f'{write.target}/')


def _applied(seen: Seen, write: context_.SecretWrite) -> Seen:
    wished: dict[str, Any] = {
        'label': write.label,
        'description': write.description,
        'rotate': write.rotate,
        'expires': write.expires,
        'pending': write.content,
    }
    return dataclasses.replace(seen, **{k: v for k, v in wished.items() if v is not None})


def may_read(ask: Ask, secret: model_.Secret) -> bool:
    """Whether the unit may read a secret's content."""
    names = (ask.unit.name, ask.unit.application)
    return secret.owner in names or any(a.target in names for a in secret.access)


def is_owner(ask: Ask, secret: model_.Secret) -> bool:
    """Whether the secret is the unit's own or its application's."""
    return secret.owner in (ask.unit.name, ask.unit.application)
