"""A model as a bundle: ``juju export-bundle``. Deploying it again on the model changes nothing."""

from __future__ import annotations

from typing import Any

from . import constraints, display
from . import model as model_


def bundle(model: model_.Model) -> dict[str, Any]:
    """The bundle. Charms are named by the URL that they have in the model."""
    applications = {
        name: _application(model, model.applications[name]) for name in sorted(model.applications)
    }
    out: dict[str, Any] = {}
    if model.config.get('default-base'):
        out['default-base'] = model.config['default-base']
    saas = {name: {'url': r.url} for name, r in sorted(model.remotes.items()) if r.url}
    if saas:
        out['saas'] = saas
    out['applications'] = applications
    machines = {
        m.id: _machine(m)
        for m in sorted(model.machines.values(), key=lambda m: display.natural(m.id))
    }
    if machines:
        out['machines'] = machines
    relations = [
        [f'{e.application}:{e.name}' for e in reversed(relation.endpoints)]
        for _, relation in sorted(model.relations.items())
        if len(relation.endpoints) == 2
    ]
    if relations:
        out['relations'] = relations
    return out


def _machine(machine: model_.Machine) -> dict[str, Any]:
    out: dict[str, Any] = {'base': f'{machine.base}/stable'}
    if machine.constraints:
        out['constraints'] = constraints.render(machine.constraints)
    return out


def _application(model: model_.Model, app: model_.Application) -> dict[str, Any]:
    charm = model.charms[app.charm]
    out: dict[str, Any] = {'charm': app.charm, 'base': f'{app.base}/stable'}
    if not charm.subordinate:
        units = model.units_of(app.name)
        out['num_units'] = len(units)
        if units:
            out['to'] = [u.machine for u in units]
    if app.exposed:
        out['expose'] = True
    if app.options:
        out['options'] = {name: app.options[name] for name in sorted(app.options)}
    if app.constraints:
        out['constraints'] = constraints.render(app.constraints)
    if app.bindings:
        out['bindings'] = dict(sorted(app.bindings.items()))
    if app.trust:
        out['trust'] = True
    offers = {
        o.name: {'endpoints': list(o.endpoints)}
        for o in model.offers.values()
        if o.application == app.name
    }
    if offers:
        out['offers'] = offers
    if app.annotations:
        out['annotations'] = dict(app.annotations)
    return out
