"""Charms and applications come into a model. Source: juju deploy, 3.6."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from .. import (
    addresses,
    bases,
    edit,
    findings,
    lxdprofile,
    modelconfig,
    options,
    placement,
    relations,
    storage,
)
from .. import charm as charm_
from ..model import Application, Endpoint, Model, Refused, Relation, Resource
from ..requests import AddCharm, Annotate, Deploy

_NAME = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*')


def add_charm(request: AddCharm, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """Register a charm; the same content gets its newest URL again, unless a *fresh* one is asked for."""
    charm = request.charm
    newest = sorted(model.charms.values(), key=lambda known: -known.revision)
    for known in () if request.fresh else newest:
        if known.name == charm.name and charm.digest in known.digests:
            return _again(model, known.url, charm), {'url': known.url}
    model, revision = edit.number(model, f'charm:{charm.name}')
    url = f'local:{charm.name}-{revision}'
    charm = dataclasses.replace(charm, url=url, revision=revision)
    return dataclasses.replace(model, charms={**model.charms, url: charm}), {'url': url}


def _again(model: Model, url: str, given: charm_.Charm) -> Model:
    """*model* whose charm *url* is ready for more bases, and now lies elsewhere."""
    before = model.charms[url]
    after = dataclasses.replace(
        before, builds={**before.builds, **given.builds}, source=given.source or before.source
    )
    if after == before:
        return model
    return dataclasses.replace(model, charms={**model.charms, url: after})


def deploy(request: Deploy, model: Model, now: float) -> tuple[Model, dict[str, Any]]:
    """``juju deploy`` of a charm that is registered."""
    charm = model.charms.get(request.charm)
    if charm is None:
        raise Refused(f'charm "{request.charm}" not found')
    name = request.application or charm.name
    _check_name(model, name)
    _check_count(charm, request)
    lxdprofile.check(charm, force=request.force)
    given = dict(request.options)
    trusted = options.trusted(charm, given)
    application = Application(
        name=name,
        charm=charm.url,
        base=_base(model, charm, request),
        options=options.chosen(options.validated(charm, given)),
        trust=request.trust if trusted is None else trusted,
        constraints=dict(request.constraints),
        bindings=bindings(model, charm, request.bindings),
        storage=storage.directives(charm, request.storage, storage.pools(model)),
        resources=resources(charm, request.resources, {}),
    )
    if request.attach_storage and charm.subordinate:
        raise Refused('cannot use --attach-storage with a subordinate application')
    for space in addresses.spaces_in(application.constraints):
        _check_space(model, space)
    model = edit.put_application(model, application)
    model = add_peers(model, name)
    units: list[str] = []
    if not charm.subordinate:
        model, units = placement.add_units(
            model, name, request.num_units, request.to, now, request.attach_storage
        )
    return model, {'application': name, 'units': units}


def _check_name(model: Model, name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > findings.MOST_LETTERS:
        raise Refused(f'invalid application name "{name[: findings.MOST_LETTERS]}"', code=2)
    if name in model.applications:
        raise Refused(f'cannot add application "{name}": application "{name}" already exists')
    if name in model.remotes:
        raise Refused(
            f'cannot add application "{name}": saas application with same name already exists'
        )


def _check_count(charm: charm_.Charm, request: Deploy) -> None:
    if charm.subordinate:
        if request.to:
            raise Refused('cannot use --to with a subordinate application')
        if request.num_units > 1:
            raise Refused('cannot use --num-units with a subordinate application')
        if request.constraints:
            raise Refused('cannot use --constraints with subordinate application')
    elif request.num_units < 0:
        raise Refused('--num-units must be a positive integer', code=2)


def _base(model: Model, charm: charm_.Charm, request: Deploy) -> charm_.Base:
    try:
        wanted = bases.parse(request.base) if request.base else None
        return bases.choose(charm, wanted, modelconfig.default_base(model), force=request.force)
    except charm_.Invalid as error:
        raise Refused(str(error)) from None


def _check_space(model: Model, space: str) -> None:
    if space not in model.spaces:
        raise Refused(f'space "{space}" not found')


def bindings(model: Model, charm: charm_.Charm, given: Mapping[str, str]) -> dict[str, str]:
    """Bindings as given, the rest of a charm's endpoints following the default. Raises Refused."""
    known = {'', *charm.relations, *charm.extra_bindings, relations.IMPLICIT}
    for endpoint, space in given.items():
        if endpoint not in known:
            raise Refused(f'endpoint "{endpoint}" not found')
        _check_space(model, space)
    default = str(modelconfig.get(model, 'default-space')) or addresses.DEFAULT_SPACE
    if given or default != addresses.DEFAULT_SPACE:
        return {'': default, **given}
    return {}


def resources(
    charm: charm_.Charm, given: Mapping[str, Resource], before: Mapping[str, Resource]
) -> dict[str, Resource]:
    """Resources of an application after new ones were given. Raises Refused for one that the charm lacks."""
    out = {k: v for k, v in before.items() if k in charm.resources}
    for name, resource in given.items():
        meta = charm.resources.get(name)
        if meta is None:
            raise Refused(f'unrecognized resource "{name}"')
        old = before.get(name)
        revision = old.revision + 1 if old else 1
        out[name] = dataclasses.replace(
            resource, name=name, filename=meta.filename or resource.filename, revision=revision
        )
    return out


def add_peers(model: Model, name: str) -> Model:
    """*model* with a relation for every peer endpoint that an application has and is not yet related by."""
    charm = model.charm_of(name)
    have = {e.name for r in model.relations_of(name) for e in r.endpoints if e.role == 'peer'}
    for meta in charm.relations.values():
        if meta.role != 'peer' or meta.name in have:
            continue
        model, rid = edit.number(model, 'relation')
        peer = Endpoint(name, meta.name, 'peer', meta.interface, meta.scope)
        model = edit.put_relation(model, Relation(rid, (peer,)))
    return model


def annotate(request: Annotate, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """Annotations; an empty value deletes."""
    if request.application not in model.applications:
        raise Refused(f'application "{request.application}" not found')
    before = model.applications[request.application].annotations
    after = relations.merged(before, request.annotations)
    return edit.application(model, request.application, annotations=after), {}


VERBS: Mapping[type, Any] = {AddCharm: add_charm, Deploy: deploy, Annotate: annotate}
