"""Relations between two models: each side keeps its own half, and what was said is carried across.

The consuming model has the relation to the alias of the offer. The offering model gets a stand-in for the
consumer's application and a relation to that. Source: juju offer and consume, 3.6.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

from . import edit, relations, settle
from .model import Databag, Endpoint, Model, Relation, RemoteApplication, drop, put


def offerers(model: Model) -> frozenset[str]:
    """UUIDs of the models whose offers *model* consumes."""
    return frozenset(r.model for r in model.remotes.values() if r.url)


def consumers(model: Model) -> frozenset[str]:
    """UUIDs of the models that consume offers of *model* and are related."""
    return frozenset(r.model for r in model.remotes.values() if not r.url)


def stand_in(consumer: str, application: str) -> str:
    """Name under which an application of the model with UUID *consumer* is known to the offering model."""
    digest = hashlib.sha256(f'{consumer}/{application}'.encode()).hexdigest()
    return f'remote-{digest[:32]}'


def synchronise(consumer: Model, offerer: Model, now: float) -> tuple[Model, Model]:
    """Both models with what the other has said and done since; the same objects if nothing.

    To be called after a change of either. Each half ends when the other does.
    """
    for remote in list(consumer.remotes.values()):
        if not remote.url or remote.model != offerer.uuid:
            continue
        for relation in consumer.relations_of(remote.name):
            consumer, offerer = _one(consumer, offerer, remote, relation.id, now)
    offerer = _orphans(consumer, offerer)
    return settle.settle(consumer, now), settle.settle(offerer, now)


def without_offerer(consumer: Model, offerer: str, now: float) -> Model:
    """A consuming model once the model with UUID *offerer* is no more."""
    for remote in list(consumer.remotes.values()):
        if remote.url and remote.model == offerer:
            for relation in consumer.relations_of(remote.name):
                consumer = _dying(consumer, relation.id)
    return settle.settle(consumer, now)


def without_consumer(offerer: Model, consumer: str, now: float) -> Model:
    """An offering model once the model with UUID *consumer* is no more."""
    for remote in list(offerer.remotes.values()):
        if not remote.url and remote.model == consumer:
            for relation in offerer.relations_of(remote.name):
                offerer = _dying(offerer, relation.id)
    return settle.settle(offerer, now)


def _one(
    consumer: Model, offerer: Model, remote: RemoteApplication, rid: int, now: float
) -> tuple[Model, Model]:
    relation = consumer.relations[rid]
    other = _half(offerer, _mirrored(consumer, remote, relation))
    if not relation.linked:
        if relation.life != 'alive':
            return consumer, offerer
        if not _offered(offerer, remote, relations.own_side(relation, remote.name).name):
            return _dying(consumer, rid), offerer
        offerer, other = _link(consumer, offerer, remote, relation)
        consumer = edit.relation(consumer, rid, linked=True)
    elif other is None:
        return _dying(consumer, rid), offerer
    if other.suspended != relation.suspended:
        consumer = edit.relation(consumer, rid, suspended=other.suspended)
    if relation.life != 'alive' or other.life != 'alive':
        return _dying(consumer, rid), _dying(offerer, other.id)
    own = relations.other_side(relation, remote.name).application
    name = stand_in(consumer.uuid, own)
    consumer = _copied(offerer, other, remote.application, consumer, rid, remote.name)
    offerer = _copied(consumer, consumer.relations[rid], own, offerer, other.id, name)
    return consumer, offerer


def _mirrored(
    consumer: Model, remote: RemoteApplication, relation: Relation
) -> tuple[Endpoint, Endpoint]:
    """The relation's sides as the offering model has them: the offered one and the stand-in's."""
    theirs = relations.own_side(relation, remote.name)
    ours = relations.other_side(relation, remote.name)
    name = stand_in(consumer.uuid, ours.application)
    return (
        dataclasses.replace(theirs, application=remote.application),
        dataclasses.replace(ours, application=name),
    )


def _half(offerer: Model, sides: tuple[Endpoint, Endpoint]) -> Relation | None:
    wanted = {(e.application, e.name) for e in sides}
    for relation in offerer.relations_of(sides[1].application):
        if {(e.application, e.name) for e in relation.endpoints} == wanted:
            return relation
    return None


def _offered(offerer: Model, remote: RemoteApplication, endpoint: str) -> bool:
    application = offerer.applications.get(remote.application)
    if application is None or application.life != 'alive' or offerer.life != 'alive':
        return False
    return any(
        o.application == remote.application and endpoint in o.endpoints
        for o in offerer.offers.values()
    )


def _link(
    consumer: Model, offerer: Model, remote: RemoteApplication, relation: Relation
) -> tuple[Model, Relation]:
    offered, ours = _mirrored(consumer, remote, relation)
    known = offerer.remotes.get(ours.application)
    endpoints = {e.name: e for e in (*(known.endpoints if known else ()), ours)}
    value = RemoteApplication(
        name=ours.application,
        url='',
        endpoints=tuple(endpoints.values()),
        model=consumer.uuid,
        application=relations.other_side(relation, remote.name).application,
    )
    offerer = dataclasses.replace(offerer, remotes=put(offerer.remotes, value.name, value))
    offerer, number = edit.number(offerer, 'relation')
    sides = sorted((offered, ours), key=lambda e: e.role != 'provider')
    half = Relation(number, tuple(sides))
    return edit.put_relation(offerer, half), half


def _copied(
    source: Model, said: Relation, speaker: str, model: Model, rid: int, name: str
) -> Model:
    """*model* in whose relation *rid* the application *name* says what *speaker* says in *source*."""
    there = {
        f'{name}/{unit.rpartition("/")[2]}': bag
        for unit, bag in said.units.items()
        if unit.rpartition('/')[0] == speaker and _staying(source, unit)
    }
    if said.suspended:
        there = {}
    relation = model.relations[rid]
    before = {n: b for n, b in relation.units.items() if n.rpartition('/')[0] == name}
    if there != before:
        gone: Mapping[str, Databag] = {n: b for n, b in before.items() if n not in there}
        model = edit.relation(
            model,
            rid,
            units={**drop(relation.units, *before), **there},
            departed={**drop(relation.departed, *there), **gone},
        )
    bag = said.applications.get(speaker)
    if bag is not None and bag != relation.applications.get(name):
        model = edit.relation(model, rid, applications=put(relation.applications, name, bag))
    return model


def _staying(source: Model, unit: str) -> bool:
    return unit in source.units and source.units[unit].life == 'alive'


def _dying(model: Model, rid: int) -> Model:
    if rid not in model.relations or model.relations[rid].life != 'alive':
        return model
    return edit.relation(model, rid, life='dying')


def _orphans(consumer: Model, offerer: Model) -> Model:
    """*offerer* in which halves die whose other half is no more."""
    wanted = {
        frozenset((e.application, e.name) for e in _mirrored(consumer, remote, relation))
        for remote in consumer.remotes.values()
        if remote.url and remote.model == offerer.uuid
        for relation in consumer.relations_of(remote.name)
    }
    for remote in list(offerer.remotes.values()):
        if remote.url or remote.model != consumer.uuid:
            continue
        for relation in offerer.relations_of(remote.name):
            if frozenset((e.application, e.name) for e in relation.endpoints) not in wanted:
                offerer = _dying(offerer, relation.id)
    return offerer
