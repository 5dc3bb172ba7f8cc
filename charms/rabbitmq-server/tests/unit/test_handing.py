"""The tasks of a hand-over: what RabbitMQ says is understood, and nonsense is no success."""

from __future__ import annotations

import json
from typing import cast

import charmkit
import handing
import pytest
import succession
from charmkit import testing
from charmkit.machine import Finished


def speaking(output: str, status: int = 0) -> testing.FakeMachine:
    def say(argv: tuple[str, ...], stdin: str) -> Finished:
        return Finished(status, output)

    return testing.FakeMachine(shell=say)


def saying(output: str, status: int = 0) -> charmkit.Machine:
    return cast('charmkit.Machine', speaking(output, status))


@pytest.mark.parametrize(
    ('output', 'status', 'said'),
    [
        ('at_rest\n', 0, ''),
        ('{left,7}\n', 0, '7 messages were not taken within 5 s'),
        ('{left,\n 12}\n', 0, '12 messages were not taken'),
        ('at_rest\n', 69, 'RabbitMQ refused: at_rest'),
        ('', -1, 'RabbitMQ refused: no answer in time'),
        ('{left,many}', 0, 'RabbitMQ refused: {left,many}'),
        ('hello', 0, 'RabbitMQ refused: hello'),
    ],
)
def test_only_a_server_at_rest_hands_over(output: str, status: int, said: str):
    found = handing.HandOver().carry_out(saying(output, status))
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_what_is_held_goes_on_by_itself_and_where_it_is_not_at_rest():
    """The expression itself is run on real brokers; here only that both ways back are in it."""
    fake = speaking('at_rest')
    handing.HandOver().carry_out(cast('charmkit.Machine', fake))
    ((*_, expression),) = fake.programs
    assert 'spawn(fun() -> timer:sleep(60000), Set(Old) end)' in expression
    assert 'Left -> Set(Old)' in expression


@pytest.mark.parametrize('output', ['', 'Error: no node', '{"queues": 5}'])
def test_what_cannot_be_exported_is_nothing(output: str):
    found = handing.Export().carry_out(saying(output, 0 if output.startswith('{') else 69))
    assert found is None or json.loads(found)['queues'] == []


def test_what_follows_takes_what_it_is_given():
    fake = testing.FakeMachine()
    task = handing.Import('{"queues": []}')
    assert task.carry_out(cast('charmkit.Machine', fake)) == ''
    assert task.digest != handing.Import('{"queues": [1]}').digest
    assert handing.Import('x').carry_out(saying('Error:\nit is no JSON', 70)) == 'it is no JSON'


def test_a_former_server_waits_until_nobody_comes():
    line = '  0: 0A01000A:1628 0B01000A:9C40 01'
    tables = iter([f'head\n{line}\n{line}', f'head\n{line}', 'head'])

    class Machine(testing.FakeMachine):
        def read(self, path: str) -> str | None:
            return next(tables, 'head') if path.endswith('/tcp') else None

    machine = Machine()
    began = machine.clock
    assert handing.Watch(60).carry_out(cast('charmkit.Machine', machine)) == 0
    assert machine.clock > began
    tables = iter([f'head\n{line}\n{line}'] * 9)
    assert handing.Watch(0).carry_out(cast('charmkit.Machine', machine)) == 2


def test_a_relay_that_is_not_there_is_not_taken_away():
    fake = testing.FakeMachine()
    machine = cast('charmkit.Machine', fake)
    assert not handing.Retire().carry_out(machine)
    assert fake.programs == []
    fake.kept[f'/etc/systemd/system/{succession.SOCKET}'] = 'here'
    assert handing.Retire().carry_out(machine)
    assert ('systemctl', 'disable', '--now', '--quiet', succession.SOCKET) in fake.programs
