"""Pools of storage. Source: storage/poolmanager/poolmanager.go of Juju 3.6, and its words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .. import modelconfig
from ..model import Model, Pool, Refused, drop, put
from ..requests import CreatePool, RemovePool, UpdatePool


def create(request: CreatePool, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju create-storage-pool``."""
    pool = _pool(request.provider, request.attributes)
    if not request.name:
        raise Refused('pool name is missing')
    if request.name in {**model.pools, **dict.fromkeys(modelconfig.POOLS)}:
        raise Refused(f'creating pool "{request.name}": cannot overwrite existing settings')
    return _with(model, request.name, pool), {}


def update(request: UpdatePool, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju update-storage-pool``: all attributes are replaced."""
    if request.name not in model.pools:
        raise Refused(f'pool "{request.name}" not found')
    provider = request.provider or model.pools[request.name].provider
    return _with(model, request.name, _pool(provider, request.attributes)), {}


def remove(request: RemovePool, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju remove-storage-pool``: of one that no application names."""
    name = request.name
    if name not in model.pools:
        raise Refused(f'removing storage pool {name} failed: storage pool "{name}" not found')
    named = {d.get('pool') for a in model.applications.values() for d in a.storage.values()}
    if name in named | {s.pool for s in model.storage.values()}:
        raise Refused(f'storage pool "{name}" in use')
    return dataclasses.replace(model, pools=drop(model.pools, name)), {}


def _pool(provider: str, attributes: Mapping[str, str]) -> Pool:
    if provider not in modelconfig.POOLS:
        raise Refused(f'storage provider "{provider}" not found')
    kept: dict[str, Any] = dict(attributes)
    if 'persistent' in kept:
        kept['persistent'] = _bool(kept['persistent'])
    return Pool(provider, kept)


def _bool(text: str) -> bool:
    known = {'1': True, 't': True, 'true': True, '0': False, 'f': False, 'false': False}
    if text.lower() not in known:
        raise Refused(
            f'invalid value for pool attribute "persistent": expected bool, got string("{text}")'
        )
    return known[text.lower()]


def _with(model: Model, name: str, pool: Pool) -> Model:
    return dataclasses.replace(model, pools=put(model.pools, name, pool))


VERBS: Mapping[type, Any] = {CreatePool: create, UpdatePool: update, RemovePool: remove}
