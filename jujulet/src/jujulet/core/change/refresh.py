"""An application gets another revision of its charm, or another resource. Source: juju refresh, 3.6."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .. import addresses, bases, edit, lxdprofile, options, storage, storageupgrade
from .. import charm as charm_
from ..model import Application, Endpoint, Model, Refused
from ..requests import AttachResource, Refresh
from . import applications, found


def refresh(request: Refresh, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju refresh``: units run ``upgrade-charm`` if the charm or a resource is another."""
    application = found.alive(found.application(model, request.application))
    charm = model.charms.get(request.charm or application.charm)
    if charm is None:
        raise Refused(f'charm "{request.charm}" not found')
    old = model.charms[application.charm]
    _check(model, application, old, charm, request)
    lxdprofile.check(charm, force=request.force)
    kept = {k: v for k, v in application.options.items() if _same_type(old, charm, k)}
    resources = applications.resources(charm, request.resources, application.resources)
    changed = charm.url != application.charm or bool(request.resources)
    after = dataclasses.replace(
        application,
        charm=charm.url,
        options=options.chosen({**kept, **options.validated(charm, request.options)}),
        resources=resources,
        storage=_storage(charm, application, request, storage.pools(model)),
        base=_base(application, charm, request),
        trust=application.trust if request.trust is None else request.trust,
        charm_modified=application.charm_modified + (1 if changed else 0),
        force_charm=request.force_units,
    )
    if request.bindings:
        bound = applications.bindings(model, charm, request.bindings)
        bound = {**bound, **application.bindings, **request.bindings}
        after = dataclasses.replace(after, bindings=bound)
        model = addresses.rebound(model, after)
    model = applications.add_peers(edit.put_application(model, after), application.name)
    for unit in model.units_of(application.name):
        before, model = model, storage.provide(model, unit.name, now)
        storage.check_places(before, model, unit.name)
    return model, {'charm': charm.url, 'changed': changed}


def _base(application: Application, charm: charm_.Charm, request: Refresh) -> charm_.Base:
    """The base of units to come: ``--base`` is kept with the charm's origin."""
    if not request.base:
        return application.base
    try:
        wanted = bases.parse(request.base)
        bases.python_of(wanted)
    except charm_.Invalid as error:
        raise Refused(str(error)) from None
    if not bases.supported(charm, wanted) and not request.force_base:
        raise Refused(
            f'base "{wanted}" not supported by charm, the charm supported bases are: {bases.names(charm.bases)}'
        )
    return wanted


def _check(
    model: Model,
    application: Application,
    old: charm_.Charm,
    new: charm_.Charm,
    request: Refresh,
) -> None:
    why = f'cannot upgrade application "{application.name}" to charm "{new.url}": '
    if new.name != old.name:
        raise Refused(f'{why}would change the charm from "{old.name}" to "{new.name}"')
    if new.subordinate != old.subordinate:
        raise Refused(f"{why}cannot change an application's subordinacy")
    if not bases.supported(new, application.base) and not request.force_base:
        raise Refused(f'{why}base "{application.base}" not supported by charm')
    for relation in model.relations_of(application.name):
        for end in relation.endpoints:
            if end.application == application.name and not _implements(new, end):
                raise Refused(f'{why}would break relation "{_key(relation.endpoints)}"')
    if said := storageupgrade.problem(model, application.name, old, new):
        raise Refused(f'{why}{said}')


def _key(endpoints: Any) -> str:
    return ' '.join(f'{e.application}:{e.name}' for e in endpoints)


def _implements(charm: charm_.Charm, end: Endpoint) -> bool:
    """Source: ``ImplementedBy`` of meta.go of juju/charm: the role, too, and no relation narrows its scope."""
    meta = charm.relations.get(end.name)
    if meta is None:
        return end.name == 'juju-info'
    fits = end.scope == 'container' or meta.scope != 'container'
    return (meta.interface, meta.role) == (end.interface, end.role) and fits


def _same_type(old: charm_.Charm, new: charm_.Charm, name: str) -> bool:
    return (
        name in new.options
        and name in old.options
        and (new.options[name].type == old.options[name].type)
    )


def _storage(
    charm: charm_.Charm,
    application: Application,
    request: Refresh,
    pools: storage.Pools,
) -> dict[str, Mapping[str, Any]]:
    fresh = storage.directives(charm, request.storage, pools)
    kept = {
        name: directive
        for name, directive in application.storage.items()
        if name in charm.storage and name not in request.storage
    }
    return {**fresh, **kept}


def attach_resource(
    request: AttachResource, model: Model, _now: float
) -> tuple[Model, dict[str, Any]]:
    """``juju attach-resource``: units are notified by ``upgrade-charm``."""
    application = found.application(model, request.application)
    charm = model.charms[application.charm]
    name = request.resource.name
    if name not in charm.resources:
        raise Refused(f'resource "{name}" not found')
    before = application.resources
    after = applications.resources(charm, {name: request.resource}, before)
    modified = application.charm_modified + 1
    return edit.application(model, application.name, resources=after, charm_modified=modified), {}


VERBS: Mapping[type, Any] = {Refresh: refresh, AttachResource: attach_resource}
