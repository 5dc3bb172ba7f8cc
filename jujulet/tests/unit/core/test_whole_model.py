"""All that is shown of two models that have something of everything, as it was when people last looked at it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import simulation
from simulation import REL, Done, World
from syrupy.assertion import SnapshotAssertion

from jujulet.core import (
    charm,
    context,
    crossmodel,
    edit,
    export,
    listings,
    model,
    requests,
    secretshow,
    status,
    tabular,
    taskshow,
)

WEB = simulation.a_charm(
    'web',
    REL('db', 'requirer', 'sql'),
    REL('http', 'provider', 'http'),
    REL('admin', 'provider', 'http'),
    REL('cluster', 'peer', 'web-peers'),
    REL('logs', 'provider', 'logs', scope='container'),
    actions={
        'backup': charm.Action('backup', 'Copy it.'),
        'a': charm.Action('a', 'First line.\nSecond.', {'n': {'type': 'integer'}}, ('n',)),
    },
    storage={
        'data': charm.StorageMeta('data', location='/srv/data'),
        'many': charm.StorageMeta('many', minimum=0, maximum=3),
    },
    resources={'blob': charm.ResourceMeta('blob', filename='blob.bin')},
    extra_bindings=('public',),
)
SUB = simulation.a_charm(
    'log', REL('logs', 'requirer', 'logs', scope='container'), subordinate=True
)
SQL = simulation.a_charm('sql', REL('db', 'provider', 'sql'), REL('web', 'requirer', 'http'))


def _works(now: model.Model, found: context.Context) -> Done:
    """web/1 fails at an option; what web/0 does leaves something of each kind."""
    if found.unit == 'web/1' and found.hook.kind == 'config-changed':
        return simulation.FAIL
    ports = (model.Port('tcp', 80, 80), model.Port('tcp', 8000, 8010, 'admin'), model.Port('icmp'))
    mine = {rid: {'k': 'v'} for rid, r in now.relations.items() if found.unit in r.units}
    wanted = {'many': 1} if found.hook.kind == 'install' else {}
    results = {'size': '7', 'where': {'is': '/srv'}}
    return Done(
        context.Writes(unit_settings=mine, ports=ports, state={'a': 'b'}, storage=wanted),
        action=context.ActionResult(results),
    )


def whole() -> tuple[World, World]:
    """The model that offers, and the one that consumes."""
    there, here = World(), World(seed=1)
    here.model = dataclasses.replace(
        here.model, uuid='5a0c5a0c-0000-4000-8000-0000005a0c00', name='shop'
    )
    for n, name in enumerate(('dmz', 'admin'), 1):
        here.ask(requests.AddSpace(name=name, cidrs=(f'10.{n}.0.0/24', f'fd0{n}::/64')))
    there.deploy(SQL)
    there.ask(requests.AddOffer(application='sql', endpoints=('db',), name='o'))
    here.deploy(
        WEB,
        num_units=2,
        options={'level': 3},
        constraints={'mem': 2048, 'cores': 2},
        bindings={'': 'alpha', 'http': 'dmz', 'public': 'admin'},
        script=_works,
    )
    here.deploy(SQL, application='cache', num_units=1)
    here.deploy(SUB, num_units=0)
    here.deploy(SQL, application='idle', num_units=0)
    end = model.Endpoint('mine', 'db', 'provider', 'sql')
    remote = model.RemoteApplication('mine', 'admin/t.o', (end,), there.model.uuid, 'sql')
    here.ask(requests.AddRemote(remote=remote))
    here.ask(requests.Expose(application='web', endpoints={'http': {'expose-to-spaces': ['dmz']}}))
    here.ask(requests.Expose(application='cache'))
    here.integrate('web:db', 'mine')
    here.integrate('web:http', 'cache:web')
    here.integrate('web:logs', 'log:logs')
    here.ask(requests.AddSecret(name='s', content={'k': 'v'}, info='what for'))
    for _ in range(50):
        here.settle()
        there.settle()
        one, other = crossmodel.synchronise(here.model, there.model, here.now)
        if one is here.model and other is there.model:
            break
        here.set(one)
        there.set(other)
    here.ask(requests.Run(receivers=('web/0',), action='backup'))
    here.ask(requests.Exec(command='true', units=('web/0',)))
    here.settle()
    here.ask(requests.RemoveUnit(units=('web/1',)))
    return there, here


def _said(world: World) -> None:
    """Units have reported this and that, in the colours of it."""
    for name, word, message in (
        ('web/0', 'active', 'serves'),
        ('cache/0', 'blocked', 'option level: 3 is too much\nof it'),
    ):
        now = model.Status(word, message, world.now - 7)
        world.set(edit.unit(world.model, name, workload=now, workload_version='1.2'))


@pytest.fixture(scope='module')
def worlds() -> tuple[World, World]:
    found = whole()
    _said(found[1])
    return found


def _listed(m: model.Model, now: float) -> list[dict[str, Any]]:
    return [
        {'name': m.name, 'owner': m.owner, 'uuid': m.uuid, 'created': now},
        {'name': 'a', 'owner': 'admin', 'uuid': 'u-2', 'life': 'dying', 'cloud': 'processes'},
    ]


def test_as_structures(worlds: tuple[World, World], snapshot: SnapshotAssertion):
    there, here = worlds
    m = here.model
    others = {there.model.uuid: there.model}.get
    (secret,) = m.secrets.values()
    shown = {
        'status': status.status(m, here.now, others),
        'status of the offering': status.status(there.model, there.now, others),
        'models': listings.models(_listed(m, here.now), f'{m.owner}/{m.name}'),
        'model': listings.model(m, here.now),
        'config': listings.config(m, 'web'),
        'units': {name: listings.unit(m, name) for name in m.units},
        'unit and endpoint': listings.unit(m, 'web/0', endpoint='http'),
        'unit and related': listings.unit(m, 'web/0', related='cache/0'),
        'unit of the application': listings.unit(m, 'web/0', app_only=True),
        'applications': [listings.application(m, name) for name in m.applications],
        'machines': listings.machines(m),
        'spaces': listings.spaces(m),
        'offers': listings.offers(there.model),
        'resources': listings.resources(m, 'web'),
        'storage': status.storage(m),
        'relations': status.relations(m),
        'bundle': export.bundle(m),
        'secrets': secretshow.listing(m),
        'secret': secretshow.details(m, secret, reveal=True, revisions=False),
        'tasks': [taskshow.task(t) for t in m.tasks.values()],
        'operations': taskshow.operations(m),
        'actions': taskshow.actions(m, 'web', schema=True),
    }
    # What a program reads, and in which order.
    assert json.dumps(shown, indent=1) == snapshot


@pytest.mark.parametrize('colour', [False, True])
def test_as_people_see_it(worlds: tuple[World, World], snapshot: SnapshotAssertion, colour: bool):
    there, here = worlds
    m = here.model
    others = {there.model.uuid: there.model}.get
    shown = status.status(m, here.now, others)
    offering = status.status(there.model, there.now, others)
    models = listings.models(_listed(m, here.now), f'{m.owner}/{m.name}')
    pages = {
        'status': tabular.status_table(shown, colour, relations=True, storage=True),
        'status without relations': tabular.status_table(shown, colour),
        'status of the offering': tabular.status_table(offering, colour, relations=True),
        'machines': tabular.machines_table(shown['machines'], colour),
        'storage': tabular.storage_table(status.storage(m), colour),
        'one line each': tabular.oneline(shown),
        'summary': tabular.summary(shown),
        'models': listings.models_table(models, colour),
        'no models': listings.models_table(listings.models([], ''), colour),
        'spaces': listings.spaces_table(listings.spaces(m), colour),
        'offers': listings.offers_table(listings.offers(there.model), colour),
        'log': listings.status_log_table(listings.status_log(m, 'web/1'), colour),
        'secrets': secretshow.listing_table(secretshow.listing(m), colour),
        'operations': taskshow.operations_table(taskshow.operations(m), colour),
        'actions': taskshow.actions_table(taskshow.actions(m, 'web', schema=False), colour),
        'results': taskshow.plain(m.tasks.values()),
        'failures': taskshow.failures(m.tasks.values()),
    }
    text = '\n'.join(f'--- {name}\n{page}' for name, page in pages.items())
    assert text.replace('\x1b', '<ESC>') == snapshot
