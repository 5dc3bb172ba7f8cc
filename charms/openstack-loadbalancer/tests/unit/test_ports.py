"""Ports of the load balancer's own that another program on the unit holds: refused by name, and the last good stay."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from balancer import options
from charmkit import testing as machines
from charmkit.machine import Finished
from charmkit.proxy import haproxy
from ops import testing

from .test_charm import ctx, keystone, machine, state, told

__all__ = ['ctx', 'machine']  # fixtures


def listening(machine: machines.FakeMachine, *where: str, program: str = 'sshd') -> None:
    """Another *program* listens at each of *where*."""
    users = f'users:(("{program}",pid=7,fd=3))' if program else ''
    said = ''.join(f'LISTEN 0 128 {w} 0.0.0.0:* {users}\n' for w in where)
    machine.shell = lambda argv, _: Finished(0, said if argv[0] == 'ss' else '')


def set_to(before: testing.State, **config: Any) -> testing.State:
    return dataclasses.replace(before, config={k.replace('_', '-'): v for k, v in config.items()})


@pytest.mark.parametrize(
    ('where', 'option', 'address'),
    [
        ('0.0.0.0:2222', 'ready_port', '127.0.0.1'),
        ('10.3.0.5:2222', 'ready_port', '10.3.0.5'),
        ('127.0.0.1:2222', 'ready_port', '127.0.0.1'),
        ('*:2222', 'metrics_port', '10.2.0.5'),
        ('10.2.0.5:2222', 'metrics_port', '10.2.0.5'),
    ],
)
def test_a_port_that_another_program_has_is_refused_by_name_and_the_last_good_one_stays(
    ctx: Any, machine: machines.FakeMachine, where: str, option: str, address: str
) -> None:
    r = keystone()
    first = ctx.run(ctx.on.config_changed(), state(r))
    before = machine.file(haproxy.CONFIG)
    listening(machine, where)
    out = ctx.run(ctx.on.config_changed(), set_to(first, **{option: 2222}))
    name = option.replace('_', '-')
    assert out.unit_status == testing.BlockedStatus(
        f'option {name}: port 2222 is used by sshd on this unit ({address}); its last good value is in force'
    )
    assert machine.file(haproxy.CONFIG) == before
    assert told(out, r, 'frontends')
    # It has gone: what was set is in force, and nobody had to set it again.
    machine.shell = None
    later = ctx.run(ctx.on.update_status(), out)
    assert later.unit_status.name == 'active'
    assert ':2222' in machine.file(haproxy.CONFIG)


@pytest.mark.parametrize('where', ['10.2.0.5:2222', '127.0.0.1:2222', '10.1.0.5:9999'])
def test_where_haproxy_would_not_listen_nobody_is_in_its_way(
    ctx: Any, machine: machines.FakeMachine, where: str
) -> None:
    port = {'metrics_port': 2222} if where.startswith('127') else {'ready_port': 2223}
    first = ctx.run(ctx.on.config_changed(), state(keystone()))
    listening(machine, where)
    out = ctx.run(ctx.on.config_changed(), set_to(first, **port))
    assert out.unit_status.name == 'active'


def test_a_port_that_haproxy_has_is_its_own_whatever_else_shows_there(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    first = ctx.run(ctx.on.config_changed(), state(keystone()))
    listening(machine, '[::]:8405')  # Of IPv6 alone, as may be: that cannot be seen.
    out = ctx.run(ctx.on.update_status(), first)
    assert out.unit_status.name == 'active'
    assert told(out, next(r for r in out.relations if r.id == 10), 'frontends')


def test_a_new_unit_on_which_it_is_taken_serves_nothing_and_says_why(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    listening(machine, '0.0.0.0:8405', program='')
    out = ctx.run(ctx.on.config_changed(), state(keystone()))
    assert out.unit_status == testing.BlockedStatus(
        'option ready-port: port 8405 is used by another program on this unit (127.0.0.1); '
        'nothing is served until it is right'
    )


def test_only_ports_of_its_own_are_compared() -> None:
    asked: list[tuple[str, int]] = []

    def held(name: str, port: int) -> str:
        if name.endswith('-port'):
            asked.append((name, port))
        return ''

    assert options.read({'ready-port': 8500}, {}, held).problems == ()
    assert sorted(asked) == [('metrics-port', 8404), ('peers-port', 8406), ('ready-port', 8500)]


def test_a_last_good_port_that_is_held_too_is_no_way_out() -> None:
    def held(name: str, port: int) -> str:
        return f'{port} is held' if name == 'ready-port' else ''

    found = options.read({'ready-port': 8500}, {'ready-port': 8600}, held)
    assert not found.complete
    assert found.problems == (
        'option ready-port: 8500 is held; nothing is served until it is right',
    )
