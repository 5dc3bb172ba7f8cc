"""Storage of units that are there already. Source: juju add-storage and remove-storage, 3.6."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .. import edit
from .. import storage as storage_
from ..model import Model, Refused
from ..requests import AddStorage, AttachStorage, RemoveStorage
from . import found


def add(request: AddStorage, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju add-storage``: one or more instances for a unit."""
    unit = found.unit(model, request.unit)
    charm = model.charm_of(unit.application)
    meta = charm.storage.get(request.name)
    why = f'failed to add storage "{request.name}" to {unit.name}: '
    if meta is None:
        raise Refused(f'{why}charm storage "{request.name}" not found')
    loose = dataclasses.replace(meta, minimum=1)
    directive = storage_.directive(
        dataclasses.replace(loose, maximum=-1),
        request.directive,
        storage_.pools(model),
    )
    have = sum(1 for s in storage_.of_unit(model, unit.name) if s.name == meta.name)
    total = have + directive['count']
    if 0 <= meta.maximum < total:
        raise Refused(
            f'{why}charm "{charm.name}" store "{meta.name}": at most {meta.maximum} instances '
            f'supported, {total} specified'
        )
    before = model
    ids: list[str] = []
    for _ in range(directive['count']):
        model, sid = storage_.make(model, unit.name, meta, directive, now)
        ids.append(sid)
    storage_.check_places(before, model, unit.name)
    return model, {'storage': ids}


def remove(request: RemoveStorage, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju remove-storage`` and ``juju detach-storage``."""
    for sid in request.ids:
        model = _detached(model, sid) if request.detach else _removed(model, sid, request)
    return model, {'storage': list(request.ids)}


def _removed(model: Model, sid: str, request: RemoveStorage) -> Model:
    each = model.storage.get(sid)
    if each is None:
        raise Refused(f'failed to remove {sid}: storage "{sid}" not found')
    if each.owner and not request.force:
        raise Refused(
            f'failed to remove {sid}: storage is currently attached; use --force to detach and remove it'
        )
    if each.owner:
        unit = model.units[each.owner]
        meta = model.charm_of(unit.application).storage.get(each.name)
        have = sum(
            1
            for s in storage_.of_unit(model, unit.name)
            if s.name == each.name and s.life == 'alive'
        )
        if meta is not None and have <= meta.minimum:
            raise Refused(
                f'failed to remove {sid}: charm needs at least {meta.minimum} of "{each.name}"'
            )
    return edit.put_storage(model, dataclasses.replace(each, life='dying'))


def _detached(model: Model, sid: str) -> Model:
    """Source: ``DetachStorage`` of state/storage.go of Juju 3.6."""
    each = model.storage.get(sid)
    if each is None:
        raise Refused(f'storage instance "{sid}" not found')
    if not each.owner or each.detaching or each.life != 'alive':
        return model
    unit = model.units[each.owner]
    meta = model.charm_of(unit.application).storage.get(each.name)
    if meta is not None and unit.life == 'alive':
        why = f'cannot destroy storage attachment {sid}:{unit.name}: '
        storage_.check_change(model, unit.name, meta, -1, why)
    return edit.put_storage(model, dataclasses.replace(each, detaching=True))


def attach(request: AttachStorage, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju attach-storage``: of what is detached, on the unit's machine."""
    unit = found.unit(model, request.unit).name
    for sid in request.ids:
        model = storage_.give(model, unit, sid)
    return model, {'storage': list(request.ids)}


VERBS: Mapping[type, Any] = {AddStorage: add, RemoveStorage: remove, AttachStorage: attach}
