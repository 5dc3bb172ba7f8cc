"""Whether a bundle fits its charms and its model: found before the first step, so that nothing is half made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import charm as charm_
from .. import findings, options, storage
from .. import model as model_
from . import relations
from .document import Invalid
from .nouns import Bundle, BundleApplication

Finding = tuple[str, str]
"""Key of the application that it is about, and the problem."""


def check(
    model: model_.Model, bundle: Bundle, charms: Mapping[str, charm_.Charm], *, trust: bool
) -> None:
    """Raises: Invalid, with all that does not fit, one problem a line with file and line."""
    problems: list[str] = []
    for name, app in bundle.applications.items():
        problems += _application(app, charms[name], model)
    problems += _offered_elsewhere(bundle, model)
    for relation in bundle.relations:
        try:
            relations.endpoints(relation, charms)
        except Invalid as error:
            problems.append(str(error))
    if problems:
        raise Invalid('\n'.join(problems))
    asking = [
        name
        for name, app in sorted(bundle.applications.items())
        if app.trust and not (name in model.applications and model.applications[name].trust)
    ]
    if asking and not trust:
        raise Invalid(
            'Bundle cannot be deployed without trusting applications with your cloud credentials.\n'
            'Please repeat the deploy command with the --trust argument if you consent to trust the following '
            'application(s):\n' + '\n'.join(f'  - {name}' for name in asking)
        )


def _application(
    app: BundleApplication, charm: charm_.Charm, model: model_.Model
) -> Iterator[str]:
    found = [*_subordinate(app, charm), *_options(app, charm), *_bindings(app, charm, model)]
    found += _declared('storage', app.storage, app, charm, charm.storage)
    found += [*_directives(app, charm, model), *_offers(app, charm)]
    found += _declared('resources', app.resources, app, charm, charm.resources)
    for name, value in app.resources.items():
        if isinstance(value, int) and app.local:
            text = f'resource "{name}": revision {value} is on Charmhub: give a path'
            found.append((f'resources.{name}', text))
    for key, text in found:
        yield f'{app.places.get(key, app.where)}: application "{app.name}": {text}'


def _subordinate(app: BundleApplication, charm: charm_.Charm) -> Iterator[Finding]:
    if charm.subordinate and app.num_units:
        yield 'num_units', f'charm "{charm.name}" is subordinate: it takes no num_units'
    if charm.subordinate and app.to:
        yield 'to', f'charm "{charm.name}" is subordinate: it takes no "to"'


def _options(app: BundleApplication, charm: charm_.Charm) -> Iterator[Finding]:
    for key, value in app.options.items():
        option = charm.options.get(key)
        if option is None:
            hint = findings.near(key, sorted(charm.options))
            yield f'options.{key}', f'charm "{charm.name}" has no option "{key}"{hint}'
            continue
        try:
            options.typed(option, value)
        except model_.Refused as refused:
            yield f'options.{key}', str(refused)


def _bindings(
    app: BundleApplication, charm: charm_.Charm, model: model_.Model
) -> Iterator[Finding]:
    known = [*charm.relations, *charm.extra_bindings, '']
    for endpoint, space in app.bindings.items():
        key = f'bindings.{endpoint}'
        if endpoint not in known:
            hint = findings.near(endpoint, known)
            yield key, f'charm "{charm.name}" has no endpoint "{endpoint}"{hint}'
        if space not in ('alpha', *model.spaces):
            yield key, f'space "{space}" not found: create it with "juju add-space {space}"'


def _directives(
    app: BundleApplication, charm: charm_.Charm, model: model_.Model
) -> Iterator[Finding]:
    """Source: ``verifyStorage`` of cmd/juju/application/deployer, which parses them before anything is deployed."""
    for name, text in app.storage.items():
        if name in charm.storage:
            try:
                storage.directive(charm.storage[name], text, storage.pools(model))
            except model_.Refused as refused:
                yield f'storage.{name}', str(refused)


def _offers(app: BundleApplication, charm: charm_.Charm) -> Iterator[Finding]:
    able = sorted(r.name for r in charm.relations.values() if r.role != 'peer')
    for offer, endpoints in app.offers.items():
        for endpoint in endpoints:
            if endpoint in able:
                continue
            if endpoint in charm.relations:
                hint = f' can be offered: {", ".join(able)}' if able else ' can be offered: none'
                text = f'"{endpoint}" is a peer relation of charm "{charm.name}";{hint}'
            else:
                hint = findings.near(endpoint, able)
                text = f'charm "{charm.name}" has no endpoint "{endpoint}"{hint}'
            yield f'offers.{offer}', f'offer "{offer}": {text}'


def _offered_elsewhere(bundle: Bundle, model: model_.Model) -> Iterator[str]:
    """An offer is of one application: its name says nothing else to who consumes it."""
    of = {name: offer.application for name, offer in model.offers.items()}
    for app in bundle.applications.values():
        for offer in app.offers:
            other = of.setdefault(offer, app.name)
            if other != app.name:
                where = app.places.get(f'offers.{offer}', app.where)
                yield f'{where}: application "{app.name}": offer "{offer}" is of application "{other}" already'


def _declared(
    section: str,
    given: Mapping[str, object],
    app: BundleApplication,
    charm: charm_.Charm,
    declared: Mapping[str, object],
) -> Iterator[Finding]:
    for name in given:
        if name not in declared:
            hint = findings.near(name, sorted(declared))
            yield f'{section}.{name}', f'charm "{charm.name}" has no {section} "{name}"{hint}'
