"""What a model says by another key than its own: units of a machine, relations of an application.

Kept with the model, and brought up to date by what differs between two models, not made anew: values are immutable, so
what is the same object has not changed. That saves time and changes nothing: ``core.indexcheck`` compares each with
what the model itself says, after every change in tests.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .parts import unit_key

if TYPE_CHECKING:
    from .agenda import Agenda
    from .model import Model, Relation, Secret, Storage, Task, Unit

K = TypeVar('K')
V = TypeVar('V')

_NOTHING = object()


def changed(before: Mapping[K, V], after: Mapping[K, V]) -> tuple[list[K], list[K]]:
    """Keys of *after* whose values are other objects than in *before* or new, and keys that are gone.

    Cheap where little differs: mappings keep their order, so most values stand where they stood.
    """
    if before is after:
        return [], []
    was: Iterable[Any] = itertools.chain(before.values(), itertools.repeat(_NOTHING))
    moved = itertools.compress(after, map(operator.is_not, after.values(), was))
    keys = [key for key in moved if before.get(key, _NOTHING) is not after[key]]
    new = sum(key not in before for key in keys)
    gone = [] if len(after) == len(before) + new else [k for k in before if k not in after]
    return keys, gone


class Index(Generic[K, V]):
    """The keys of a mapping by something that its values say."""

    def __init__(self, keys: Callable[[V], Iterable[Hashable]], order: Callable[[K], Any]):
        self._keys, self._order = keys, order
        self._of: Mapping[K, V] = {}
        self._groups: dict[Hashable, set[K]] = {}
        self._sorted: dict[Hashable, tuple[K, ...]] = {}

    def find(self, mapping: Mapping[K, V], key: Hashable) -> tuple[K, ...]:
        """Keys of the values of *mapping* that say *key*, in order."""
        self._follow(mapping)
        found = self._sorted.get(key)
        if found is None:
            found = tuple(sorted(self._groups.get(key, ()), key=self._order))
            self._sorted[key] = found
        return found

    def groups(self, mapping: Mapping[K, V]) -> Mapping[Hashable, set[K]]:
        """All of it. Not to be changed."""
        self._follow(mapping)
        return self._groups

    def _follow(self, mapping: Mapping[K, V]) -> None:
        if mapping is self._of:
            return
        before = self._of
        keys, gone = changed(before, mapping)
        for key in keys:
            old = before.get(key)
            was = () if old is None else tuple(self._keys(old))
            said = tuple(self._keys(mapping[key]))
            if was != said:
                self._remove(key, was)
                self._add(key, said)
        for key in gone:
            self._remove(key, self._keys(before[key]))
        self._of = mapping

    def _add(self, key: K, groups: Iterable[Hashable]) -> None:
        for group in groups:
            self._groups.setdefault(group, set()).add(key)
            self._sorted.pop(group, None)

    def _remove(self, key: K, groups: Iterable[Hashable]) -> None:
        for group in groups:
            self._sorted.pop(group, None)
            members = self._groups.get(group, set())
            members.discard(key)
            if not members:
                self._groups.pop(group, None)


class Scope:
    """Who is in a relation's scope, by application: in order, and the versions of their databags."""

    def __init__(self, relation: Relation):
        self.relation = relation
        self.versions: dict[str, dict[str, int]] = {}
        for name in sorted(relation.units, key=unit_key):
            self._of(name)[name] = relation.units[name].version

    def _of(self, name: str) -> dict[str, int]:
        return self.versions.setdefault(name.rpartition('/')[0], {})

    def follow(self, relation: Relation) -> None:
        """Bring it up to date."""
        if relation.units is not self.relation.units:
            self._follow(relation)
        self.relation = relation

    def _follow(self, relation: Relation) -> None:
        keys, gone = changed(self.relation.units, relation.units)
        for name in gone:
            del self._of(name)[name]
        for name in keys:
            mine = self._of(name)
            last = next(reversed(mine), name)
            in_order = name in mine or unit_key(last) <= unit_key(name)
            mine[name] = relation.units[name].version
            if not in_order:
                application = name.rpartition('/')[0]
                self.versions[application] = dict(
                    sorted(mine.items(), key=lambda pair: unit_key(pair[0]))
                )


def _application(unit: Unit) -> tuple[str, ...]:
    return (unit.application,)


def _machine(unit: Unit) -> tuple[str, ...]:
    return (unit.machine,)


def _principal(unit: Unit) -> tuple[str, ...]:
    return (unit.principal,) if unit.principal else ()


def _going(unit: Unit) -> tuple[str, ...]:
    return (unit.application,) if unit.life != 'alive' else ()


def _sides(relation: Relation) -> tuple[str, ...]:
    return tuple({end.application: None for end in relation.endpoints})


def _owner(storage: Storage) -> tuple[str, ...]:
    return (storage.owner,)


def _receiver(task: Task) -> tuple[str, ...]:
    return (task.receiver,) if task.status == 'pending' else ()


def _secret_owner(secret: Secret) -> tuple[str, ...]:
    return (secret.owner,) if secret.owner else ()


def _consumers(secret: Secret) -> tuple[str, ...]:
    return tuple(secret.consumers)


def _timed(secret: Secret) -> tuple[bool, ...]:
    timed = secret.rotate_at or any(r.expires for r in secret.revisions.values())
    return (True,) if timed else ()


class Indexes:
    """Every index of one model and of those that came of it. One thread at a time."""

    def __init__(self) -> None:
        self.units_by_application: Index[str, Unit] = Index(_application, unit_key)
        self.units_by_machine: Index[str, Unit] = Index(_machine, unit_key)
        self.subordinates: Index[str, Unit] = Index(_principal, unit_key)
        """By principal."""
        self.going: Index[str, Unit] = Index(_going, unit_key)
        """Units that are not alive, by application."""
        self.relations: Index[int, Relation] = Index(_sides, int)
        """By application."""
        self.storage: Index[str, Storage] = Index(_owner, str)
        self.pending_tasks: Index[str, Task] = Index(_receiver, int)
        self.secrets_owned: Index[str, Secret] = Index(_secret_owner, str)
        self.secrets_followed: Index[str, Secret] = Index(_consumers, str)
        self.timed_secrets: Index[str, Secret] = Index(_timed, str)
        self.settled: Model | None = None
        """The last model from which nothing more followed."""
        self.agenda: Agenda | None = None
        self._scopes: dict[int, Scope] = {}

    def scope(self, relation: Relation) -> Scope:
        """Who is in the scope of *relation*."""
        found = self._scopes.get(relation.id)
        if found is None:
            found = self._scopes[relation.id] = Scope(relation)
        elif found.relation is not relation:
            found.follow(relation)
        return found

    def forget(self, relation: int) -> None:
        """A relation is gone."""
        self._scopes.pop(relation, None)
