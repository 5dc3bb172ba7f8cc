"""The option service-options: what is there twice, and services that there are not, are told with their lines."""

from __future__ import annotations

from typing import Any

import pytest
from balancer import behaviour, interface, options
from charmkit import testing as machines
from charmkit.proxy import haproxy
from charmkit.relations import Relation
from ops import testing

from .test_charm import ctx, keystone, machine, state, told
from .test_ports import set_to

__all__ = ['ctx', 'machine']  # fixtures

GOOD = 'identity: {timeouts: {server: 7s}}\n'
STAYS = 'its last good value is in force'


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('image: {}\nidentity: {}\nimage: {}\n', "3: 'image' is in line 1 already"),
        ('image:\n  maxconn: {server: 1}\n  maxconn: {server: 2}\n', "3: 'maxconn' is in line 2 already"),
        ('image: {}\nidentitty: {}\n', "2: no service is called 'identitty': did you mean identity?"),
        ('keystne: {}\n', "1: no service is called 'keystne': did you mean keystone?"),
        ('qqq: {}\n', "1: no service is called 'qqq', nor is any of that type related"),
    ],
)  # fmt: skip
def test_what_will_not_do_is_named_with_its_line_and_the_last_good_value_stays(
    ctx: Any, machine: machines.FakeMachine, text: str, said: str
) -> None:
    r = keystone()
    first = ctx.run(ctx.on.config_changed(), state(r, config={'service-options': GOOD}))
    before = machine.file(haproxy.CONFIG)
    assert 'timeout server 7000ms' in before
    out = ctx.run(ctx.on.config_changed(), set_to(first, service_options=text))
    assert out.unit_status == testing.BlockedStatus(
        f'option service-options: line {said}; {STAYS}'
    )
    assert machine.file(haproxy.CONFIG) == before
    assert told(out, r, 'frontends')
    again = ctx.run(ctx.on.update_status(), out)
    assert again.unit_status == out.unit_status, 'it is told as long as it stands there'


def test_where_there_was_no_good_one_all_but_that_name_is_in_force(
    ctx: Any, machine: machines.FakeMachine
) -> None:
    both = f'{GOOD}qqq: {{}}\n'
    r = keystone()
    out = ctx.run(ctx.on.config_changed(), state(r, config={'service-options': both}))
    for now in (out, ctx.run(ctx.on.update_status(), out)):
        assert now.unit_status == testing.BlockedStatus(
            "option service-options: line 2: no service is called 'qqq', nor is any of that type related; "
            'all else of it is in force'
        )
        assert told(now, r, 'frontends')
    assert 'timeout server 7000ms' in machine.file(haproxy.CONFIG)


@pytest.mark.parametrize('name', ['mine', 'my-type'])
def test_a_service_that_is_related_is_known_by_its_name_and_by_its_type(
    ctx: Any, machine: machines.FakeMachine, name: str
) -> None:
    r = keystone(changes={'service-name': 'mine', 'service-type': 'my-type'})
    config = {'service-options': f'{name}: {{timeouts: {{server: 7s}}}}'}
    out = ctx.run(ctx.on.config_changed(), state(r, config=config))
    assert out.unit_status.name != 'blocked'
    assert 'timeout server 7000ms' in machine.file(haproxy.CONFIG)


def test_every_type_of_the_table_and_every_name_of_version_1_is_known() -> None:
    text = ''.join(f'{n}: {{}}\n' for n in {*behaviour.TABLE, *interface.V1_TYPES})
    assert options.read({'service-options': text}, {}).problems == ()


@pytest.mark.parametrize(
    ('said', 'names'),
    [
        ('', set[str]()),
        ('[{"service-name": "a", "service-type": "b"}, {"service-name": "c"}]', {'a', 'b', 'c'}),
        ('[7, "x", null, {"service-name": 7, "service-type": ""}]', set[str]()),
        ('{"service-name": "a"}', set[str]()),
    ],
)
def test_names_are_read_of_anything_that_a_relation_says(said: str, names: set[str]) -> None:
    r = Relation(id=1, name='backend', app='x', app_data={'endpoints': said})
    assert interface.names(r) == names
