"""The end of a hook that succeeded: all that it asked for becomes true at once, or none of it.

Source: ``Flush`` in worker/uniter/runner/context/context.go of Juju 3.6.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import edit, relations, secretwrites, storage
from .context import Context
from .model import Databag, Model, Refused, drop, put


class Failed(Exception):  # noqa: N818 -- it tells the hook's fate
    """What a hook asked for cannot be; the hook fails for it."""


def flush(model: Model, context: Context, now: float) -> Model:
    """*model* with the writes of *context*. Raises Failed, in which case nothing of them holds."""
    name, writes = context.unit, context.writes
    for rid, settings in writes.unit_settings.items():
        model = _unit_settings(model, name, rid, settings)
    for rid, settings in writes.application_settings.items():
        model = _application_settings(model, name, rid, settings)
    if writes.ports is not None and writes.ports != model.units[name].ports:
        model = edit.unit(model, name, ports=writes.ports)
    if writes.state:
        model = _state(model, name, writes.state)
    for kind, count in writes.storage.items():
        model = _storage(model, name, kind, count, now)
    model = secretwrites.commit(model, name, writes.secrets, now)
    if writes.reboot:
        model = edit.agent(model, name, reboot=writes.reboot)
    return model


def _changed(bag: Databag, settings: Mapping[str, str]) -> Databag:
    data = relations.merged(bag.data, settings)
    return bag if data == dict(bag.data) else Databag(data, bag.version + 1)


def _unit_settings(model: Model, name: str, rid: int, settings: Mapping[str, str]) -> Model:
    relation = model.relations.get(rid)
    if relation is None or name not in relation.units:
        return model
    bag = relation.units[name]
    after = _changed(bag, settings)
    return (
        model
        if after is bag
        else edit.relation(model, rid, units=put(relation.units, name, after))
    )


def _application_settings(model: Model, name: str, rid: int, settings: Mapping[str, str]) -> Model:
    relation = model.relations.get(rid)
    if relation is None or not settings:
        return model
    application = model.units[name].application
    if model.applications[application].leader != name:
        raise Failed(
            f'cannot write application settings: "{name}" is not leader of "{application}"'
        )
    bag = relation.applications.get(application, Databag())
    after = _changed(bag, settings)
    if after is bag:
        return model
    model = edit.relation(model, rid, applications=put(relation.applications, application, after))
    if relations.is_peer(relation) and rid in model.units[name].agent.relations:
        heard = relations.known(model.units[name], rid).applications
        model = edit.known(model, name, rid, applications=put(heard, application, after.version))
    return model


def _state(model: Model, name: str, writes: Mapping[str, str | None]) -> Model:
    state = model.units[name].state
    for key, value in writes.items():
        state = drop(state, key) if value is None else put(state, key, value)
    return edit.unit(model, name, state=state)


def _storage(model: Model, name: str, kind: str, count: int, now: float) -> Model:
    application = model.applications[model.units[name].application]
    meta = model.charms[application.charm].storage.get(kind)
    if meta is None:
        raise Failed(f'charm storage "{kind}" not found')
    have = sum(1 for s in storage.of_unit(model, name) if s.name == kind)
    if 0 <= meta.maximum < have + count:
        raise Failed(
            f'charm storage "{kind}": at most {meta.maximum} instances supported, {have + count} specified'
        )
    found = application.storage.get(kind) or storage.directive(meta, None, storage.pools(model))
    before = model
    for _ in range(count):
        model, _sid = storage.make(model, name, meta, found, now)
    try:
        storage.check_places(before, model, name)
    except Refused as refused:
        raise Failed(str(refused)) from None
    return model
