"""From a bundle and a model to the steps that make the model match: additive, and none where it matches already.

Source: Juju's bundle change planner. Order: charms and applications, machines, relations, units, offers; so every
relation is there before the first unit installs. Nothing is ever removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import charm as charm_
from .. import model as model_
from .. import options, requests
from . import check, placement, relations
from .document import Invalid
from .nouns import Bundle, BundleApplication, Placement
from .steps import Consume, Step

Resources = Mapping[str, Mapping[str, model_.Resource]]


def plan(
    model: model_.Model,
    bundle: Bundle,
    charms: Mapping[str, charm_.Charm],
    *,
    bases: Mapping[str, charm_.Base] | None = None,
    resources: Resources | None = None,
    trust: bool = False,
    force: bool = False,
    machines: str | Mapping[str, str] | None = None,
) -> tuple[Step, ...]:
    """Steps in the order in which they must be carried out.

    Args:
        model: the model as it is.
        bundle: what it should hold.
        charms: the charm of each application of the bundle, with ``url`` from AddCharm (may be '' for a dry run).
        bases: the base of each application, as ``bases.choose`` gave it.
        resources: files kept by ``charmdir.resources``, by application and name.
        trust: ``--trust`` was given.
        force: ``--force`` was given.
        machines: ``--map-machines``, as typed (``existing,3=5``) or as a mapping with a key ``existing``.

    Raises:
        Invalid: the bundle does not fit its charms or the model; nothing has been done.
    """
    check.check(model, bundle, charms, trust=trust)
    given, by_id = _machine_flag(machines)
    planned = _Plan(model, bundle, charms, bases or {}, resources or {}, force)
    names = sorted(bundle.applications, key=placement.natural)
    steps: list[Step] = []
    for name in names:
        steps += planned.application(bundle.applications[name])
    units = placement.new_units(bundle, model)
    known = placement.machine_map(bundle, model, given, by_id=by_id)
    steps += planned.machines(units, known)
    steps += planned.remotes()
    steps += planned.relations()
    steps += planned.units(units, known)
    for name in names:
        steps += planned.offers(bundle.applications[name])
    return tuple(steps)


def _machine_flag(given: str | Mapping[str, str] | None) -> tuple[dict[str, str], bool]:
    """``existing,3=5`` → ({'3': '5'}, True).

    Raises:
        Invalid: neither ``existing`` nor a pair of machines.
    """
    found: dict[str, str] = {}
    if isinstance(given, str):
        for word in (w.strip() for w in given.split(',') if w.strip()):
            inside, _, outside = word.partition('=')
            found[inside] = outside
    else:
        found.update(given or {})
    by_id = found.pop('existing', None) is not None
    for inside, outside in found.items():
        if not inside.isdigit() or not outside:
            raise Invalid(
                'expected "existing" or "<bundle-id>=<machine-id>" for --map-machines, got '
                f'"{inside}={outside}"'
            )
    return found, by_id


class _Plan:
    """The inputs of one planning; every method gives steps and changes nothing but the count of new machines."""

    def __init__(
        self,
        model: model_.Model,
        bundle: Bundle,
        charms: Mapping[str, charm_.Charm],
        bases: Mapping[str, charm_.Base],
        resources: Resources,
        force: bool,
    ):
        self.model = model
        self.bundle = bundle
        self.charms = charms
        self.bases = bases
        self.resources = resources
        self.force = force
        self.next_machine = model.sequences.get('machine', 0)
        self.described: dict[str, str] = {}
        """Words for the machine behind each gap."""

    def application(self, app: BundleApplication) -> Iterator[Step]:
        """Deploy it, or bring what is there up to date."""
        if app.name in self.model.applications:
            yield from self._update(app, self.model.applications[app.name])
        else:
            yield self._deploy(app)
        yield from self._exposure(app)
        known = self.model.applications.get(app.name)
        seen: Mapping[str, str] = known.annotations if known else {}
        notes = {k: v for k, v in app.annotations.items() if seen.get(k) != v}
        if notes:
            yield Step(
                requests.Annotate(application=app.name, annotations=notes),
                f'set annotations for {app.name}',
            )

    def _deploy(self, app: BundleApplication) -> Step:
        charm = self.charms[app.name]
        base = self.bases.get(app.name)
        on = f' on {base}/stable' if base else ''
        return Step(
            requests.Deploy(
                charm=charm.url,
                application=app.name,
                base=str(base) if base else '',
                num_units=0,
                options=self._options(app),
                constraints=app.constraints,
                bindings=app.bindings,
                storage=app.storage,
                resources=self.resources.get(app.name, {}),
                trust=app.trust,
                force=self.force,
            ),
            f'deploy application {app.name}{on}'
            + (f' using {charm.name}' if charm.name != app.name else ''),
        )

    def _options(self, app: BundleApplication) -> dict[str, Any]:
        return options.validated(self.charms[app.name], app.options)

    def _update(self, app: BundleApplication, known: model_.Application) -> Iterator[Step]:
        charm = self.charms[app.name]
        if charm.digest not in self.model.charms[known.charm].digests:
            yield Step(
                requests.Refresh(
                    application=app.name,
                    charm=charm.url,
                    resources=self._new_resources(app, known),
                    force=self.force,
                ),
                f'upgrade {app.name} using charm {charm.url or charm.name}',
            )
        else:
            for name, resource in self._new_resources(app, known).items():
                yield Step(
                    requests.AttachResource(application=app.name, resource=resource),
                    f'attach resource {name} to {app.name}',
                )
        changed = {
            key: value
            for key, value in self._options(app).items()
            if known.options.get(key, charm.options[key].default)
            != (charm.options[key].default if value is None else value)
        }
        if changed:
            yield Step(
                requests.SetConfig(application=app.name, options=changed),
                f'set application options for {app.name}',
            )
        if app.constraints and dict(known.constraints) != dict(app.constraints):
            yield Step(
                requests.SetConstraints(application=app.name, constraints=app.constraints),
                f'set constraints for {app.name}',
            )
        default = known.bindings.get('', 'alpha')
        bindings = {
            endpoint: space
            for endpoint, space in app.bindings.items()
            if known.bindings.get(endpoint, default) != space
        }
        if bindings:
            yield Step(
                requests.Bind(application=app.name, bindings=bindings),
                f'set bindings for {app.name}',
            )
        if app.trust and not known.trust:
            yield Step(requests.Trust(application=app.name), f'trust {app.name}')

    def _new_resources(
        self, app: BundleApplication, known: model_.Application
    ) -> dict[str, model_.Resource]:
        def seen(name: str) -> str:
            return known.resources[name].digest if name in known.resources else ''

        given = self.resources.get(app.name, {})
        return {name: r for name, r in given.items() if seen(name) != r.digest}

    def _exposure(self, app: BundleApplication) -> Iterator[Step]:
        known = self.model.applications.get(app.name)
        wanted = dict(app.exposed_endpoints)
        if not (app.expose or wanted):
            return
        if known and known.exposed and (not wanted or dict(known.exposed_endpoints) == wanted):
            return
        yield Step(
            requests.Expose(application=app.name, endpoints=wanted),
            f'expose all endpoints of {app.name} and allow access from CIDRs 0.0.0.0/0 and ::/0'
            if not wanted
            else f'expose endpoints of {app.name}: {", ".join(sorted(wanted))}',
        )

    def machines(self, units: list[placement.NewUnit], known: Mapping[str, str]) -> Iterator[Step]:
        """The bundle's machines that new units need and that are not there."""
        needed = {u.placement.target for u in units if u.placement.kind == 'machine'}
        for id_ in sorted(needed, key=placement.natural):
            gap = _machine_gap(id_)
            if id_ in known:
                self.described[gap] = f'existing machine {known[id_]}'
                continue
            machine = self.bundle.machines[id_]
            tenants = [u.application for u in units if u.placement.target == id_]
            base = machine.base or self.bases.get(tenants[0]) or self.bundle.base
            number = self._number()
            self.described[gap] = f'new machine {number}'
            alias = f' (bundle machine {id_})' if number != id_ else ''
            yield Step(
                requests.AddMachine(
                    base=str(base) if base else '',
                    constraints=self._machine_constraints(id_, tenants),
                ),
                f'add new machine {number}{alias}',
                learns=gap,
            )

    def _machine_constraints(self, id_: str, tenants: list[str]) -> dict[str, Any]:
        """The machine's own, and the spaces that its applications are bound to: it needs an address in each."""
        constraints = dict(self.bundle.machines[id_].constraints)
        spaces = list(constraints.get('spaces', []))
        for name in tenants:
            spaces += sorted({s for s in self.bundle.applications[name].bindings.values()})
        if spaces:
            constraints['spaces'] = list(dict.fromkeys(spaces))
        return constraints

    def remotes(self) -> Iterator[Step]:
        """Offers of other models that the bundle consumes."""
        for name, url in sorted(self.bundle.saas.items()):
            if name not in self.model.remotes:
                yield Step(Consume(url, name), f'consume offer {name} at {url}')

    def relations(self) -> Iterator[Step]:
        """Relations that are not there."""
        seen: set[frozenset[str]] = set()
        for relation in self.bundle.relations:
            a, b = relations.endpoints(relation, self.charms)
            if frozenset((a, b)) in seen or relations.exists(self.model, a, b):
                continue
            seen.add(frozenset((a, b)))
            yield Step(requests.Integrate(a=a, b=b), f'add relation {a} - {b}')

    def units(self, units: list[placement.NewUnit], known: Mapping[str, str]) -> Iterator[Step]:
        """Units that are missing, each where the bundle puts it."""
        names = self._unit_names(units)
        for unit in units:
            gap = _unit_gap(unit.application, unit.index)
            to, words = self._place(unit.placement, known, names)
            self.described[gap] = words
            by_name = unit.placement.kind == 'unit' or unit.placement.container
            why = f' to satisfy [{unit.placement.text}]' if by_name else ''
            yield Step(
                requests.AddUnit(application=unit.application, to=(to,) if to else ()),
                f'add unit {names[gap]} to {words}{why}',
                learns=gap,
            )

    def _unit_names(self, units: list[placement.NewUnit]) -> dict[str, str]:
        """The name of every unit of the bundle's applications, there or to come."""
        found: dict[str, str] = {}
        for name in self.bundle.applications:
            for index, unit in enumerate(placement.existing(self.model, name)):
                gap = _unit_gap(name, index)
                found[gap] = unit.name
                self.described.setdefault(gap, f'existing machine {unit.machine}')
        following = {
            name: self.model.applications[name].next_unit if name in self.model.applications else 0
            for name in self.bundle.applications
        }
        for unit in units:
            found[_unit_gap(unit.application, unit.index)] = (
                f'{unit.application}/{following[unit.application]}'
            )
            following[unit.application] += 1
        return found

    def _place(
        self, place: Placement, known: Mapping[str, str], names: Mapping[str, str]
    ) -> tuple[str, str]:
        """(``to`` of the request, words for where that is)."""
        if place.kind == 'new':
            return place.container, f'new machine {self._number()}'
        if place.kind == 'machine':
            gap = _machine_gap(place.target)
            return known.get(place.target, gap), self.described[gap]
        index = place.unit or 0
        gap = _unit_gap(place.target, index)
        there = index < len(placement.existing(self.model, place.target))
        return names[gap] if there else gap, self.described[gap]

    def _number(self) -> str:
        self.next_machine += 1
        return str(self.next_machine - 1)

    def offers(self, app: BundleApplication) -> Iterator[Step]:
        """Offers that are not there."""
        for name, endpoints in sorted(app.offers.items()):
            known = self.model.offers.get(name)
            if known and known.application == app.name and known.endpoints == endpoints:
                continue
            yield Step(
                requests.AddOffer(application=app.name, endpoints=endpoints, name=name),
                f'create offer {name} using {app.name}:{",".join(endpoints)}',
            )


def _machine_gap(id_: str) -> str:
    return f'{{machine:{id_}}}'


def _unit_gap(application: str, index: int) -> str:
    return f'{{unit:{application}/{index}}}'
