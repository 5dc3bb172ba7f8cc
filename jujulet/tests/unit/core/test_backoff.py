"""No step stays in hand: what this host cannot carry out ends, is told, is tried again, and passes with its cause.

Source: ``reportAgentError`` of worker/uniter/agent.go of Juju 3.6: an agent that errs shows ``failed``.
"""

from __future__ import annotations

import simulation

from jujulet.core import backoff, derived, lifecycle, operations, requests

FULL = 'no space is left on the disk'


def shown(world: simulation.World, unit: str = 'a/0') -> tuple[str, str]:
    status = derived.of_unit(world.model, world.model.units[unit], world.now)[1]
    return status.current, status.message


def begun(world: simulation.World) -> operations.Operation:
    """A unit of which the charm is unpacked and its install hook is due."""
    world.deploy(simulation.a_charm('a'))
    while not isinstance(operation := world.due()[0], operations.RunHook):
        world.start(operation)
    return operation


def stumble(world: simulation.World, operation: operations.Operation) -> None:
    if isinstance(operation, operations.RunHook):
        changed, _ = lifecycle.begin(world.model, operation, 'c', world.now)
        world.set(changed)
    world.set(backoff.met(world.model, operation, FULL, world.now))


def test_a_hook_that_cannot_be_carried_out_is_queued_again_and_told(world: simulation.World):
    operation = begun(world)
    stumble(world, operation)
    assert world.model.units['a/0'].agent.step == 'queued'
    assert shown(world) == ('failed', f'cannot run install: {FULL}')


def test_it_is_tried_again_after_pauses_that_grow(world: simulation.World):
    operation = begun(world)
    pauses: list[float] = []
    for _ in range(9):
        stumble(world, operation)
        assert world.due() == ()
        at = world.model.units['a/0'].agent.rests_until
        pauses.append(at - world.now)
        world.now = at
        assert world.due() == (operation,)
    assert [round(p) for p in pauses] == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_it_passes_with_its_cause(world: simulation.World):
    operation = begun(world)
    stumble(world, operation)
    world.now = world.model.units['a/0'].agent.rests_until
    world.start(operation)
    world.finish('0')
    world.set(backoff.over(world.model, operation))
    assert shown(world)[0] != 'failed'
    world.settle()
    assert shown(world) == ('idle', '')


def test_a_charm_that_cannot_be_unpacked_is_told(world: simulation.World):
    world.deploy(simulation.a_charm('a'))
    world.start(world.due()[0])
    (operation,) = world.due()
    stumble(world, operation)
    assert shown(world) == ('failed', f'cannot unpack the charm: {FULL}')
    assert world.due() == ()


def test_another_unit_of_the_machine_goes_on_meanwhile(world: simulation.World):
    operation = begun(world)
    stumble(world, operation)
    world.deploy(simulation.a_charm('b'), to=('0',))
    assert [getattr(o, 'unit', '') for o in world.due()] == ['b/0']


def test_a_command_has_failed_and_says_why_and_is_not_tried_again(world: simulation.World):
    world.deploy(simulation.a_charm('a'))
    world.settle()
    reply = world.ask(requests.Exec(command='true', units=('a/0',)))
    (operation,) = world.due()
    stumble(world, operation)
    (task,) = reply['tasks'].values()
    found = world.model.tasks[task]
    assert (found.status, found.message) == ('failed', FULL)
    assert shown(world) == ('idle', '')


def test_a_machine_that_cannot_be_started_says_why(world: simulation.World):
    world.deploy(simulation.a_charm('a'))
    (operation,) = world.due()
    stumble(world, operation)
    assert world.model.machines['0'].message == FULL
    assert world.due() == (operation,)
