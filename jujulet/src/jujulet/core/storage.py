"""Storage instances: making them by directives, and the hooks that tell of them.

Source: worker/uniter/storage of Juju 3.6, and documentation.ubuntu.com/juju/3.6/reference/storage.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from . import edit, modelconfig
from .charm import Charm, StorageMeta
from .model import Hook, Model, Refused, Storage, Unit

POOLS = modelconfig.POOLS
DEFAULT_SIZE = 1024
"""MiB."""

_SIZE = re.compile(r'(\d{1,12}(?:\.\d{1,12})?)([MGTPEZY])(i?B)?')
_POOL = re.compile(r'[a-zA-Z]+[-?a-zA-Z0-9]*')
MOST_AT_ONCE = 1000
"""Instances that one directive may ask for."""
_SCALE = {letter: 1024**power for power, letter in enumerate('MGTPEZY')}


@dataclasses.dataclass(frozen=True)
class Pools:
    """The pools that a model has, and which is taken by what names none."""

    defaults: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """By kind of storage."""
    names: Collection[str] = POOLS


def pools(model: Model) -> Pools:
    """Those of a model. Source: ``storage-default-*-source`` of environs/config."""
    named = {
        kind: str(modelconfig.get(model, f'storage-default-{source}-source'))
        for kind, source in (('filesystem', 'filesystem'), ('block', 'block'))
    }
    defaults = {kind: pool or POOLS[0] for kind, pool in named.items()}
    return Pools(defaults, {*POOLS, *model.pools})


def directive(meta: StorageMeta, text: str | None, pools: Pools | None = None) -> dict[str, Any]:
    """``pool,size,count`` in any order → all three; None is what nobody said anything of. Raises Refused.

    Without a count it is one, or what the charm needs where nothing is said; without a size what the charm needs, else
    1 GiB; without a pool the default of *pools*. Source: ``ParseConstraints`` of storage/constraints.go and
    ``storageConstraintsWithDefaults`` of state/storage.go.
    """
    pools = pools or Pools()
    out: dict[str, Any] = {
        'pool': pools.defaults.get(meta.kind, POOLS[0]),
        'size': meta.minimum_size or DEFAULT_SIZE,
        'count': meta.minimum if text is None else 1,
    }
    words = [word for word in (text or '').split(',') if word]
    if text is not None and not words:
        raise Refused(
            f'cannot parse constraints for storage "{meta.name}": storage constraints require at least one field to '
            'be specified'
        )
    named = ''
    for word in words:
        size = _SIZE.fullmatch(word)
        if re.fullmatch(r'-?\d+', word):
            if int(word[:12]) <= 0:
                raise Refused(f'cannot parse count: count must be greater than zero, got "{word}"')
            if int(word[:12]) > MOST_AT_ONCE:
                raise Refused(
                    f'cannot parse count: count must be at most {MOST_AT_ONCE}, got "{word[:12]}"'
                )
            out['count'] = int(word)
        elif size:
            out['size'] = int(float(size[1]) * _SCALE[size[2]])
        elif not _POOL.fullmatch(word):
            raise Refused(f'unrecognized storage constraint "{word[:200]}" not valid')
        elif named:
            raise Refused(
                f'pool name is already set to "{named}", new value "{word[:200]}" not valid'
            )
        elif word in pools.names:
            out['pool'] = named = word
        else:
            raise Refused(f'pool "{word}" not found')
    _check(meta, out)
    return out


def _check(meta: StorageMeta, found: Mapping[str, Any]) -> None:
    count, size = found['count'], found['size']
    if count < meta.minimum:
        raise Refused(
            f'charm storage "{meta.name}": minimum instances {meta.minimum}, {count} specified'
        )
    if 0 <= meta.maximum < count:
        raise Refused(
            f'charm storage "{meta.name}": at most {meta.maximum} instances supported, {count} specified'
        )
    if size < meta.minimum_size:
        raise Refused(
            f'charm storage "{meta.name}": minimum storage size is {meta.minimum_size}M, {size}M specified'
        )


def directives(
    charm: Charm, texts: Mapping[str, str], pools: Pools | None = None
) -> dict[str, dict[str, Any]]:
    """Directives of all storage of a charm, those of the user first. Raises Refused."""
    for name in texts:
        if name not in charm.storage:
            raise Refused(f'charm "{charm.name}" has no store called "{name}"')
    return {name: directive(meta, texts.get(name), pools) for name, meta in charm.storage.items()}


def make(
    model: Model, unit: str, meta: StorageMeta, found: Mapping[str, Any], now: float
) -> tuple[Model, str]:
    """One new instance for a unit; the answer is its id."""
    model, number = edit.number(model, 'storage')
    sid = f'{meta.name}/{number}'
    value = Storage(
        id=sid,
        name=meta.name,
        kind=meta.kind,
        owner=unit,
        location=location(meta, sid),
        pool=found['pool'],
        size=found['size'],
        since=now,
    )
    return edit.put_storage(model, value), sid


def location(meta: StorageMeta, sid: str) -> str:
    """Where on the machine an instance is."""
    single = meta.maximum == 1
    if not meta.location:
        return f'/var/lib/juju/storage/{sid}'
    return meta.location if single else f'{meta.location.rstrip("/")}/{sid}'


def provide(model: Model, unit: str, now: float) -> Model:
    """*model* with every instance that a new unit's application asks for."""
    application = model.applications[model.units[unit].application]
    charm = model.charms[application.charm]
    for name, found in application.storage.items():
        meta = charm.storage.get(name)
        have = sum(1 for s in of_unit(model, unit) if s.name == name)
        for _ in range(found['count'] - have if meta else 0):
            assert meta is not None  # noqa: S101 -- the range is empty without
            model, _sid = make(model, unit, meta, found, now)
    return model


def check_places(before: Model, after: Model, unit: str) -> None:
    """Raises Refused if an instance that a unit has got would be where another one stays without a unit."""
    for each in of_unit(after, unit):
        other = '' if each.id in before.storage else in_the_way(after, each)
        if other:
            give = f'juju attach-storage {unit}' if unit in before.units else '--attach-storage'
            raise Refused(
                f'cannot add storage "{each.name}" to unit {unit}: storage {other} stays at {each.location} on machine '
                f'{after.units[unit].machine}: {give} {other} gives it to the unit, '
                f'juju remove-storage {other} does away with it'
            )


def in_the_way(model: Model, each: Storage) -> str:
    """The older instance that has its folder where one of a unit is to have it, and is without a unit or about to be.

    Empty if there is none.
    """
    unit = model.units.get(each.owner)
    if unit is None:
        return ''
    left = [s for s in of_unit(model, '') if s.machine == unit.machine]
    for other in model.units_on(unit.machine):
        going = other.life != 'alive' and not other.destroy_storage
        left += [s for s in of_unit(model, other.name) if going or s.detaching]
    number = _number(each.id)
    return next(
        (
            s.id
            for s in left
            if s.location == each.location and s.life == 'alive' and _number(s.id) < number
        ),
        '',
    )


def _number(sid: str) -> int:
    return int(sid.rpartition('/')[2])


def of_unit(model: Model, unit: str) -> list[Storage]:
    """Instances of a unit, by id."""
    return [model.storage[sid] for sid in model.indexes.storage.find(model.storage, unit)]


def next_hook(model: Model, unit: Unit) -> Hook | None:
    """``storage-attached`` for one that is in place, ``storage-detaching`` for one that goes."""
    seen = unit.agent.storage_attached
    for each in of_unit(model, unit.name):
        ending = each.life != 'alive' or each.detaching or unit.life != 'alive'
        if ending and each.id in seen:
            return Hook('storage-detaching', storage=each.id)
        if not ending and each.attached and each.id not in seen:
            return Hook('storage-attached', storage=each.id)
    return None


def pending(model: Model, unit: Unit) -> list[Storage]:
    """Instances that are wanted and of which the charm has not yet been told: ``install`` waits for them."""
    seen = unit.agent.storage_attached
    return [
        s
        for s in of_unit(model, unit.name)
        if s.life == 'alive' and not s.detaching and s.id not in seen
    ]


def after_hook(model: Model, unit: str, hook: Hook, now: float) -> Model:
    """*model* once a storage hook has run."""
    before = model.units[unit].agent.storage_attached
    if hook.kind == 'storage-attached':
        return edit.agent(model, unit, storage_attached=before | {hook.storage})
    model = edit.agent(model, unit, storage_attached=before - {hook.storage})
    return _released(model, model.units[unit], hook.storage, now)


def _released(model: Model, unit: Unit, sid: str, now: float) -> Model:
    """*model* in which a unit has nothing to do with an instance any more: it goes, or it stays on its machine.

    Source: ``removeStorageAttachmentOps`` and ``detachStorageMachineAttachmentOps`` of state/storage.go of Juju 3.6.
    """
    each = model.storage.get(sid)
    if each is None:
        return model
    if each.life != 'alive' or (unit.destroy_storage and not each.detaching):
        return edit.without(model, 'storage', sid)
    after = dataclasses.replace(
        each, owner='', attached=False, detaching=False, machine=unit.machine, since=now
    )
    return edit.put_storage(model, after)


def without_owner(model: Model, unit: Unit, now: float) -> Model:
    """*model* in which a unit that goes has no storage any more."""
    for each in of_unit(model, unit.name):
        model = _released(model, unit, each.id, now)
    return model


def settle(model: Model, owners: Iterable[str], now: float) -> Model:
    """*model* in which what is going has gone as far as no charm was told of it, or is being told just now.

    Of *owners* are the units of which that may be true; an empty one stands for what has none.
    """
    for owner in owners if model.storage else ():
        unit = model.units.get(owner)
        for each in of_unit(model, owner):
            if unit is None:
                machine = model.machines.get(each.machine)
                if each.life != 'alive' or machine is None or machine.life != 'alive':
                    model = edit.without(model, 'storage', each.id)
            elif (each.life != 'alive' or each.detaching) and not _hook_ran(unit, each.id):
                model = _released(model, unit, each.id, now)
    return model


def give(model: Model, unit: str, sid: str, *, new: bool = False) -> Model:
    """*model* in which an instance that has no owner is a unit's. Raises Refused, with Juju's words.

    Those of a *new* unit are counted once it has all of its storage: see ``check_count``.
    Source: ``AttachStorage`` and ``attachStorageOps`` of state/storage.go of Juju 3.6.
    """
    why = f'cannot attach storage {sid} to unit {unit}: '
    owner = model.units[unit]
    each = model.storage.get(sid)
    if each is None:
        raise Refused(f'{why}storage instance "{sid}" not found')
    if owner.life != 'alive':
        raise Refused(f'{why}unit not alive')
    if each.life != 'alive' or each.detaching:
        raise Refused(f'{why}storage not alive')
    if each.owner == unit:
        return model
    if each.owner:
        raise Refused(f'{why}cannot attach storage owned by unit {each.owner} to unit {unit}')
    charm = model.charm_of(owner.application)
    meta = charm.storage.get(each.name)
    if meta is None:
        raise Refused(f'{why}charm {charm.name} has no storage called {each.name}')
    if meta.kind != each.kind:
        raise Refused(f'{why}it is a {each.kind}, and the charm wants a {meta.kind}')
    _check_machine(owner, each, location(meta, sid), charm.name, why)
    if not new:
        check_change(model, unit, meta, 1, why)
    return edit.put_storage(model, dataclasses.replace(each, owner=unit, machine=''))


def _check_machine(owner: Unit, each: Storage, wanted: str, charm: str, why: str) -> None:
    if owner.machine != each.machine:
        raise Refused(
            f'{why}it is on machine {each.machine}, which storage of pool "{each.pool}" cannot leave'
        )
    if wanted != each.location:
        raise Refused(
            f'{why}it is at {each.location}, charm {charm} wants it at {wanted}, and jujulet does not move it'
        )


def check_change(model: Model, unit: str, meta: StorageMeta, change: int, why: str) -> None:
    """Raises Refused if a unit would have too many or too few instances of one storage with *change* more.

    Source: ``validateCharmStorageCountChange`` of state/storage.go of Juju 3.6, and its words.
    """
    mine = [s for s in of_unit(model, unit) if s.name == meta.name and s.life == 'alive']
    _check_total(meta, sum(not s.detaching for s in mine) + change, change, why)


def check_count(model: Model, unit: str, given: Iterable[str]) -> None:
    """Raises Refused if a new unit that was *given* instances has too many or too few, with those made for it.

    Source: ``addUnitStorageOps`` of state/application.go of Juju 3.6.
    """
    charm = model.charm_of(model.units[unit].application)
    ids: dict[str, list[str]] = {}
    for sid in given:
        ids.setdefault(model.storage[sid].name, []).append(sid)
    for name, these in ids.items():
        total = sum(s.name == name for s in of_unit(model, unit))
        why = f'cannot attach storage {", ".join(these)} to unit {unit}: '
        _check_total(charm.storage[name], total, total, why)


def _check_total(meta: StorageMeta, total: int, change: int, why: str) -> None:
    verb = 'attach' if change > 0 else 'detach'
    if meta.minimum == meta.maximum == 1 and total != 1:
        raise Refused(f'{why}cannot {verb}, storage is singular')
    many = f'{verb}ing {abs(change)} storage instance{"s" * (abs(change) != 1)} brings the total to {total}'
    if total < meta.minimum:
        raise Refused(f'{why}{many}, which is less than the minimum of {meta.minimum}')
    if 0 <= meta.maximum < total:
        raise Refused(f'{why}{many}, exceeding the maximum of {meta.maximum}')


def _hook_ran(unit: Unit, sid: str) -> bool:
    agent = unit.agent
    telling = agent.step == 'running' and agent.hook == Hook('storage-attached', storage=sid)
    return telling or sid in agent.storage_attached


def attached(model: Model, unit: str, sid: str, now: float) -> Model:
    """*model* in which an instance is in place on the machine of a unit, if it is still that unit's."""
    found = model.storage.get(sid)
    if found is None or found.attached or found.owner != unit:
        return model
    return edit.put_storage(model, dataclasses.replace(found, attached=True, since=now))
