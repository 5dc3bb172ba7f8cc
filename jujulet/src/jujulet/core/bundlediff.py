"""``juju diff-bundle``: what a bundle says and a model does not, and the other way round. Pure.

Source: ``BuildDiff`` of cmd/juju/application/bundlediff.go of Juju 3.6. Charms are not compared: a folder has no URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import constraints, display
from . import model as model_
from .bundle import nouns


def diff(
    model: model_.Model, bundle: nouns.Bundle, *, annotations: bool = False
) -> dict[str, Any]:
    """What differs, as Juju prints it; empty if nothing does."""
    applications = {
        name: found
        for name in sorted(bundle.applications.keys() | model.applications.keys())
        if (found := _application(model, bundle, name, annotations=annotations))
    }
    parts = {
        'applications': applications,
        'machines': _machines(model, bundle),
        'relations': _relations(model, bundle),
    }
    return {name: part for name, part in parts.items() if part}


def _application(
    model: model_.Model, bundle: nouns.Bundle, name: str, *, annotations: bool
) -> dict[str, Any]:
    app, there = bundle.applications.get(name), model.applications.get(name)
    if app is None or there is None:
        return {'missing': 'bundle' if app is None else 'model'}
    base = bundle.base_of(name)
    pairs = {
        'base': (f'{base}/stable', f'{there.base}/stable') if base else (None, None),
        'num_units': _num_units(model, app, name),
        'expose': (app.expose or bool(app.exposed_endpoints), there.exposed),
    }
    out = {key: _pair(*pair) for key, pair in pairs.items() if pair[0] != pair[1]}
    if options := _each(app.options, there.options):
        out['options'] = options
    if annotations and (noted := _each(app.annotations, there.annotations)):
        out['annotations'] = noted
    wanted, has = constraints.render(app.constraints), constraints.render(there.constraints)
    if wanted != has:
        out['constraints'] = _pair(wanted, has)
    return out


def _num_units(
    model: model_.Model, app: nouns.BundleApplication, name: str
) -> tuple[int | None, int | None]:
    if model.charm_of(name).subordinate:
        return None, None
    return app.num_units, len(model.units_of(name))


def _each(wanted: Mapping[str, Any], has: Mapping[str, Any]) -> dict[str, Any]:
    names = sorted(wanted.keys() | has.keys())
    return {n: _pair(wanted.get(n), has.get(n)) for n in names if wanted.get(n) != has.get(n)}


def _pair(wanted: Any, has: Any) -> dict[str, Any]:
    return {'bundle': wanted, 'model': has}


def _machines(model: model_.Model, bundle: nouns.Bundle) -> dict[str, Any]:
    """Only for bundles that name machines: others take them as they come."""
    if not bundle.machines:
        return {}
    out: dict[str, Any] = {}
    for id_ in sorted(bundle.machines.keys() | model.machines.keys(), key=display.natural):
        wanted, there = bundle.machines.get(id_), model.machines.get(id_)
        if wanted is None or there is None:
            out[id_] = {'missing': 'bundle' if wanted is None else 'model'}
        elif wanted.base is not None and wanted.base != there.base:
            out[id_] = {'base': _pair(f'{wanted.base}/stable', f'{there.base}/stable')}
    return out


def _relations(model: model_.Model, bundle: nouns.Bundle) -> dict[str, Any]:
    there = [
        tuple(sorted(f'{e.application}:{e.name}' for e in relation.endpoints))
        for _, relation in sorted(model.relations.items())
        if len(relation.endpoints) == 2
    ]
    wanted = [tuple(sorted((r.a, r.b))) for r in bundle.relations]
    new = [list(w) for w in wanted if not any(_same(w, t) for t in there)]
    more = [list(t) for t in there if not any(_same(w, t) for w in wanted)]
    parts = {'bundle-additions': sorted(new), 'model-additions': sorted(more)}
    return {name: part for name, part in parts.items() if part}


def _same(wanted: tuple[str, ...], there: tuple[str, ...]) -> bool:
    """Whether a bundle's relation is one of the model's: an endpoint that it does not name may be any."""
    return any(
        all(
            w == t or (':' not in w and t.partition(':')[0] == w)
            for w, t in zip(order, there, strict=True)
        )
        for order in (wanted, wanted[::-1])
    )
