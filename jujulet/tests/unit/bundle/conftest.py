"""Charms and models to plan bundles against, and a model that carries out requests as far as bundles see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from jujulet.core import bundle, charm, model, requests

REL = charm.RelationMeta
DEBIAN = charm.Base('debian', '12')


def make_charm(name: str, *relations: charm.RelationMeta, **more: Any) -> charm.Charm:
    options = {
        'port': charm.Option('port', 'int', 80),
        'debug': charm.Option('debug', 'boolean', default=False),
        'vip': charm.Option('vip', 'string'),
    }
    return charm.Charm(
        f'local:{name}-0', name, 0, f'digest-{name}', options=options,
        relations={r.name: r for r in relations}, **more,
    )  # fmt: skip


CHARMS = {
    'mysql': make_charm(
        'mysql',
        REL('shared-db', 'provider', 'mysql-shared'),
        REL('cluster', 'peer', 'mysql-cluster'),
    ),
    'keystone': make_charm(
        'keystone',
        REL('shared-db', 'requirer', 'mysql-shared'),
        REL('identity-service', 'provider', 'keystone'),
        REL('ha', 'requirer', 'hacluster', 'container'),
    ),
    'glance': make_charm(
        'glance',
        REL('shared-db', 'requirer', 'mysql-shared'),
        REL('identity', 'requirer', 'keystone'),
    ),
    'hacluster': make_charm(
        'hacluster', REL('ha', 'provider', 'hacluster', 'container'), subordinate=True
    ),
}


class Carrier:
    """Carries out the requests of a bundle on a model: only what planning looks at."""

    def __init__(
        self, start: model.Model | None = None, charms: Mapping[str, charm.Charm] = CHARMS
    ):
        self.model = start or model.Model(uuid='u', name='m')
        known = {c.url: c for c in charms.values()}
        self.model = dataclasses.replace(self.model, charms={**self.model.charms, **known})
        self.done: list[Any] = []

    def put(self, **fields: Any) -> None:
        self.model = dataclasses.replace(self.model, **fields)

    def app(self, name: str, **fields: Any) -> None:
        changed = dataclasses.replace(self.model.applications[name], **fields)
        self.put(applications=model.put(self.model.applications, name, changed))

    def carry_out(self, steps: Iterable[bundle.Step]) -> None:
        names: dict[str, str] = {}
        for step in steps:
            request = bundle.fill(step, names)
            self.done.append(request)
            reply = getattr(self, type(request).__name__.lower())(request)
            names = bundle.learn(step, reply or {}, names)

    def deploy(self, r: requests.Deploy) -> None:
        assert r.application not in self.model.applications
        app = model.Application(
            r.application, r.charm, DEBIAN, options=r.options, trust=r.trust,
            constraints=r.constraints, bindings=r.bindings, resources=r.resources,
        )  # fmt: skip
        self.put(applications=model.put(self.model.applications, r.application, app))

    def refresh(self, r: requests.Refresh) -> None:
        known = self.model.applications[r.application].resources
        self.app(r.application, charm=r.charm, resources={**known, **r.resources})

    def setconfig(self, r: requests.SetConfig) -> None:
        known = self.model.applications[r.application].options
        self.app(r.application, options={**known, **r.options})

    def setconstraints(self, r: requests.SetConstraints) -> None:
        self.app(r.application, constraints=r.constraints)

    def bind(self, r: requests.Bind) -> None:
        known = self.model.applications[r.application].bindings
        self.app(r.application, bindings={**known, **r.bindings})

    def trust(self, r: requests.Trust) -> None:
        self.app(r.application, trust=True)

    def expose(self, r: requests.Expose) -> None:
        self.app(r.application, exposed=True, exposed_endpoints=r.endpoints)

    def annotate(self, r: requests.Annotate) -> None:
        known = self.model.applications[r.application].annotations
        self.app(r.application, annotations={**known, **r.annotations})

    def addmachine(self, r: requests.AddMachine) -> dict[str, Any]:
        return {'machines': [self._machine()]}

    def _machine(self) -> str:
        number = self.model.sequences.get('machine', 0)
        self.put(
            sequences={**self.model.sequences, 'machine': number + 1},
            machines={**self.model.machines, str(number): model.Machine(str(number), DEBIAN)},
        )
        return str(number)

    def addunit(self, r: requests.AddUnit) -> dict[str, Any]:
        app = self.model.applications[r.application]
        to = r.to[0] if r.to else ''
        if not to or to.startswith('lxd'):
            machine = self._machine()
        elif '/' in to:
            machine = self.model.units[to].machine
        else:
            machine = to
            assert machine in self.model.machines
        name = f'{r.application}/{app.next_unit}'
        self.app(r.application, next_unit=app.next_unit + 1)
        self.put(units={**self.model.units, name: model.Unit(name, r.application, machine)})
        return {'units': [name]}

    def integrate(self, r: requests.Integrate) -> None:
        number = len(self.model.relations)
        sides = [side.partition(':') for side in (r.a, r.b)]
        ends = tuple(model.Endpoint(app, name, 'provider', 'x') for app, _, name in sides)
        relation = model.Relation(number, ends)
        self.put(relations={**self.model.relations, number: relation})

    def addoffer(self, r: requests.AddOffer) -> None:
        offer = model.Offer(r.name, r.application, r.endpoints)
        self.put(offers={**self.model.offers, r.name: offer})

    def consume(self, r: bundle.Consume) -> None:
        remote = model.RemoteApplication(r.name, r.url, (), 'other', r.name)
        self.put(remotes={**self.model.remotes, r.name: remote})


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()
