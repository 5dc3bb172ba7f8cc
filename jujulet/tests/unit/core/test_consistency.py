"""The checker notices each kind of impossible state: every check has a sabotaged twin."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest
import simulation
from simulation import REL, World

from jujulet.core import charm, consistency, edit, model, requests

Check = Callable[[model.Model], Iterator[str]]
Sabotage = Callable[[model.Model], model.Model]


@pytest.fixture(scope='module')
def sound() -> model.Model:
    """A model with something of everything, at rest."""
    world = World()
    store = charm.StorageMeta('data')
    world.deploy(
        simulation.a_charm(
            'a', REL('p', 'peer', 'x'), REL('db', 'requirer', 'sql'), storage={'data': store},
            actions={'do': charm.Action('do')},
        ), num_units=2,
    )  # fmt: skip
    world.deploy(simulation.a_charm('b', REL('db', 'provider', 'sql')))
    world.deploy(
        simulation.a_charm(
            's', REL('host', 'requirer', 'juju-info', 'container'), subordinate=True
        )
    )
    world.integrate('a', 'b')
    world.integrate('s:host', 'a')
    world.ask(requests.AddSecret(name='n', content={'k': 'v'}))
    world.settle()
    world.ask(requests.AddOffer(application='b', endpoints=('db',)))
    world.ask(requests.Run(receivers=('a/0',), action='do'))
    world.settle()
    assert consistency.problems(world.model) == []
    return world.model


def _secret(m: model.Model, **changes: object) -> model.Model:
    secret = next(iter(m.secrets.values()))
    return edit.put_secret(m, dataclasses.replace(secret, **changes))  # pyright: ignore[reportArgumentType]


def _task(m: model.Model, **changes: object) -> model.Model:
    return edit.task(m, next(iter(m.tasks)), **changes)


def _agent_status(m: model.Model, current: str) -> model.Model:
    return edit.unit(m, 'a/0', agent_status=model.Status(current))


def _hook(m: model.Model) -> model.Model:
    return edit.agent(m, 'a/0', step='running', hook=model.Hook('start'))


def _twice_running(m: model.Model) -> model.Model:
    beside = next(u.name for u in m.subordinates_of('a/0'))
    for name in ('a/0', beside):
        m = edit.agent(m, name, step='running', hook=model.Hook('start'))
        m = edit.unit(m, name, agent_status=model.Status('executing'))
    return m


def _same_address(m: model.Model) -> model.Model:
    return edit.machine(m, '1', addresses=m.machines['0'].addresses)


def _twins(m: model.Model) -> model.Model:
    first = m.units['s/0']
    return edit.unit(m, 's/1', principal=first.principal, machine=first.machine)


def _over(m: model.Model) -> model.Model:
    return edit.agent(edit.unit(m, 'b/0', life='dying'), 'b/0', removed=True)


def _two_in_hand(m: model.Model) -> model.Model:
    return edit.agent(m, 'a/0', task='1', step='running', hook=model.Hook('start'))


def _follower(m: model.Model) -> str:
    return next(u.name for u in m.units_of('a') if u.name != m.applications['a'].leader)


def _same_relation(m: model.Model) -> model.Model:
    return edit.put_relation(m, dataclasses.replace(m.relations[1], id=9, units={}))


def _stranger(m: model.Model) -> model.Model:
    return edit.relation(m, 1, units={**m.relations[1].units, 'b/9': model.Databag()})


def _ownerless(m: model.Model) -> model.Model:
    return edit.put_storage(m, dataclasses.replace(m.storage['data/0'], owner=''))


CASES: list[tuple[Check, Sabotage, str]] = [
    (consistency.units, lambda m: edit.unit(m, 'a/0', machine='99'), 'machine 99'),
    (consistency.units, lambda m: edit.application(m, 'a', next_unit=1), 'yet to be given'),
    (consistency.units, lambda m: edit.without(m, 'applications', 'b'), 'has no application'),
    (consistency.units, lambda m: edit.application(m, 'b', life='dying'), 'lives on'),
    (consistency.units, _over, 'nothing left'),
    (consistency.subordinates, lambda m: edit.unit(m, 's/0', principal=''), 'subordinate is True'),
    (consistency.subordinates, lambda m: edit.unit(m, 's/0', principal='b/9'), 'outlived'),
    (consistency.subordinates, lambda m: edit.unit(m, 's/0', machine='2'), 'another machine'),
    (consistency.subordinates, lambda m: edit.unit(m, 'a/0', life='dying'), 'alive and its principal is not'),
    (consistency.subordinates, _twins, 'several'),
    (consistency.agents, lambda m: edit.agent(m, 'a/0', step='running'), 'step is running'),
    (consistency.agents, lambda m: edit.agent(m, 'a/0', installed=False), 'out of order'),
    (consistency.agents, lambda m: edit.agent(m, 'a/0', stopped=True), 'has run stop'),
    (consistency.agents, _two_in_hand, 'at once'),
    (consistency.agents, lambda m: edit.agent(m, 'a/0', hook=model.Hook('action'), step='queued'), 'in hand as a hook'),
    (consistency.agents, lambda m: edit.agent(m, 'a/0', then=model.Hook('start')), 'put off'),
    (consistency.agents, lambda m: edit.known(m, 'a/0', 99, created=True), 'relation 99'),
    (consistency.agents, lambda m: edit.known(m, 'a/0', 1, created=False), 'not notified'),
    (consistency.agents, lambda m: edit.without(m, 'storage', *m.storage), 'knows of storage'),
    (consistency.statuses_shown, lambda m: _agent_status(m, 'error'), 'shows error'),
    (consistency.statuses_shown, lambda m: _agent_status(m, 'allocating'), 'has its charm'),
    (consistency.statuses_shown, lambda m: edit.agent(m, 'a/0', config_seen=''), 'to do and shows idle'),
    (consistency.statuses_shown, lambda m: edit.agent(m, 'a/0', task='2'), 'runs a task'),
    (consistency.statuses_shown, _hook, 'runs Hook'),
    (consistency.locks, _twice_running, 'several things at once'),
    (consistency.applications, lambda m: edit.application(m, 'a', leader='b/0'), 'is led by b/0'),
    (consistency.applications, lambda m: edit.application(m, 'a', leader=''), 'no leader'),
    (consistency.applications, lambda m: edit.application(m, 'a', charm='zz'), 'has no charm'),
    (consistency.applications, lambda m: edit.agent(m, _follower(m), leader_seen=True), 'thinks that it leads'),
    (consistency.relations_known, lambda m: edit.relation(m, 1, endpoints=m.relations[1].endpoints * 2), 'roles'),
    (consistency.relations_known, _stranger, 'not there'),
    (consistency.relations_known, lambda m: edit.relation(m, 1, departed=m.relations[1].units), 'has left it'),
    (consistency.relations_known, lambda m: edit.relation(m, 1, life='dying', units={}), 'still there'),
    (consistency.relations_known, _same_relation, 'are the same'),
    (consistency.relations_known, lambda m: edit.agent(m, 'a/0', installed=False), 'before its install'),
    (consistency.relations_known, lambda m: edit.agent(m, 'a/0', relations={}), 'knows nothing of it'),
    (consistency.machines, _same_address, 'share 10.9.0.10'),
    (consistency.machines, lambda m: edit.without(m, 'spaces', 'alpha'), 'space alpha'),
    (consistency.machines, lambda m: edit.machine(m, '0', addresses=(model.Address('alpha', '8.8.8.8'),)), 'outside'),
    (consistency.storage, _ownerless, 'belongs to'),
    (consistency.secrets, lambda m: _secret(m, revisions={}), 'no revision'),
    (consistency.secrets, lambda m: _secret(m, owner='zz'), 'owner zz'),
    (consistency.secrets, lambda m: _secret(m, access=(model.SecretAccess('a', 99),)), 'rests on'),
    (consistency.secrets, lambda m: _secret(m, consumers={'a/9': model.SecretConsumer(1)}), 'follows it'),
    (consistency.tasks_held, lambda m: _task(m, operation='99'), 'no operation'),
    (consistency.tasks_held, lambda m: _task(m, status='pending', receiver='a/9'), 'waits for a/9'),
    (consistency.tasks_held, lambda m: _task(m, status='running'), 'no agent has it'),
    (consistency.tasks_held, lambda m: edit.agent(m, 'a/0', task=next(iter(m.tasks))), 'in hand, which is completed'),
    (consistency.tasks_held, lambda m: edit.without(m, 'tasks', *m.tasks), 'has lost tasks'),
    (consistency.models, lambda m: dataclasses.replace(m, life='dead'), 'not empty'),
    (consistency.models, lambda m: dataclasses.replace(m, offers={'o': model.Offer('o', 'zz', ())}), 'of zz'),
]  # fmt: skip


@pytest.mark.parametrize(
    ('check', 'sabotage', 'text'), CASES, ids=lambda v: v if isinstance(v, str) else ''
)
def test_a_state_that_cannot_be_is_noticed(
    sound: model.Model, check: Check, sabotage: Sabotage, text: str
):
    found = list(check(sabotage(sound)))
    assert any(text in sentence for sentence in found), found


def test_every_check_has_a_sabotaged_twin():
    assert {case[0] for case in CASES} == set(consistency.CHECKS)
