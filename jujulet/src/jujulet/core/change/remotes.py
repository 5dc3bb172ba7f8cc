"""Offers, and applications of other models. Source: juju offer, consume and remove-saas, 3.6."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .. import edit
from ..model import Model, Offer, Refused
from ..requests import AddOffer, AddRemote, RemoveOffer, RemoveRemote
from . import found


def offer(request: AddOffer, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju offer``: the same name again changes its endpoints."""
    application = found.alive(found.application(model, request.application))
    name = request.name or application.name
    known = model.charms[application.charm].relations
    for endpoint in request.endpoints:
        if endpoint not in known or known[endpoint].role == 'peer':
            raise Refused(f'application "{application.name}" has no "{endpoint}" relation')
    before = model.offers.get(name)
    if before is not None and before.application != application.name:
        raise Refused(f'offer "{name}" already exists for application "{before.application}"')
    value = Offer(name, application.name, tuple(request.endpoints))
    return dataclasses.replace(model, offers={**model.offers, name: value}), {'offer': name}


def remove_offer(request: RemoveOffer, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju remove-offer``."""
    value = model.offers.get(request.name)
    if value is None:
        raise Refused(f'offer "{request.name}" not found')
    used = [
        r
        for r in model.relations_of(value.application)
        if any(e.application in model.remotes for e in r.endpoints)
        and any(
            e.name in value.endpoints for e in r.endpoints if e.application == value.application
        )
    ]
    if used and not request.force:
        raise Refused(
            f'cannot delete application offer "{request.name}": offer has {len(used)} '
            f'relation{"s" if len(used) > 1 else ""}'
        )
    for relation in used:
        model = edit.relation(model, relation.id, life='dying')
    return edit.without(model, 'offers', request.name), {}


def add_remote(request: AddRemote, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju consume``: what is offered elsewhere can be related to by its alias here."""
    remote = request.remote
    if remote.name in model.applications:
        raise Refused(
            f'cannot add saas application "{remote.name}": local application with same name already exists'
        )
    before = model.remotes.get(remote.name)
    if before is not None and before.url != remote.url:
        raise Refused(
            f'saas application called "{remote.name}" from a different offer already exists'
        )
    return dataclasses.replace(model, remotes={**model.remotes, remote.name: remote}), {
        'remote': remote.name
    }


def remove_remote(
    request: RemoveRemote, model: Model, _now: float
) -> tuple[Model, dict[str, Any]]:
    """``juju remove-saas``."""
    remote = model.remotes.get(request.name)
    if remote is None:
        raise Refused(f'saas application "{request.name}" not found')
    for relation in model.relations_of(request.name):
        model = edit.relation(model, relation.id, life='dying')
    dying = dataclasses.replace(remote, life='dying')
    return dataclasses.replace(model, remotes={**model.remotes, request.name: dying}), {}


VERBS: Mapping[type, Any] = {
    AddOffer: offer,
    RemoveOffer: remove_offer,
    AddRemote: add_remote,
    RemoveRemote: remove_remote,
}
