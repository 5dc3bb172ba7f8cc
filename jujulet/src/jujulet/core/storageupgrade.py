"""Whether a newer charm may have the storage that it declares, where units have storage by the older one.

Source: ``checkStorageUpgrade`` of state/application.go of Juju 3.6, and its words.
"""

from __future__ import annotations

from .charm import Charm, StorageMeta
from .model import Model


def problem(model: Model, application: str, old: Charm, new: Charm) -> str:
    """What speaks against it; empty if nothing does."""
    for name, before in old.storage.items():
        after = new.storage.get(name)
        said = _changed(before, after) if after else _removed(model, application, before)
        if said:
            return said
    return ''


def _removed(model: Model, application: str, before: StorageMeta) -> str:
    if before.minimum > 0:
        return f'required storage "{before.name}" removed'
    owners = (s.owner for s in model.storage.values() if s.name == before.name)
    if any(owner.partition('/')[0] == application for owner in owners):
        return f'in-use storage "{before.name}" removed'
    return ''


def _changed(before: StorageMeta, after: StorageMeta) -> str:
    which = f'existing storage "{before.name}"'
    if after.kind != before.kind:
        return f'{which} type changed from "{before.kind}" to "{after.kind}"'
    if after.shared != before.shared:
        return f'{which} shared changed from {_go(before.shared)} to {_go(after.shared)}'
    if after.read_only != before.read_only:
        return f'{which} read-only changed from {_go(before.read_only)} to {_go(after.read_only)}'
    if after.location != before.location:
        return f'{which} location changed from "{before.location}" to "{after.location}"'
    if after.maximum != -1 and (before.maximum == -1 or after.maximum < before.maximum):
        most = '<unbounded>' if before.maximum == -1 else before.maximum
        return f'{which} range contracted: max decreased from {most} to {after.maximum}'
    if before.location and before.maximum == 1 and after.maximum != 1:
        return f'{which} with location changed from single to multiple'
    return ''


def _go(value: bool) -> str:
    return 'true' if value else 'false'
