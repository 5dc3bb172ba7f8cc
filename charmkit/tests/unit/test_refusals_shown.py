"""What is refused is shown to the operator, and never more than eighty characters of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from charmkit import state
from charmkit.relations import Databag, Relation, cinder, mysql, nova, rabbitmq

TOO_LONG = '!' + 'x' * 300
LESS = 'x' * 79


def related(name: str, bag: Databag) -> Relation:
    return Relation(id=1, name=name, app='other', units={'other/0': bag})


def of_cinder(bag: Databag) -> str:
    return cinder.known((related('storage-backend', {**cinder.present('x', {}), **bag}),))[1][
        0
    ].reason


def of_rabbitmq(bag: Databag) -> str:
    return rabbitmq.requests(related('amqp', {'username': 'x', 'vhost': 'x', **bag}))[1][0].reason


def of_mysql(bag: Databag) -> str:
    whole = {'database': 'x', 'username': 'x', 'hostname': '10.0.0.1', **bag}
    return mysql.requests(related('shared-db', whole))[1][0].reason


def of_nova(bag: Databag) -> str:
    whole = {'hostname': 'x', 'private-address': '10.0.0.1', **bag}
    return nova.known([related('cloud-compute', whole)])[1][0].reason


@pytest.mark.parametrize(
    ('refuses', 'key'),
    [
        (of_cinder, 'backend_name'),
        (of_rabbitmq, 'username'),
        (of_rabbitmq, 'vhost'),
        (of_mysql, 'database'),
        (of_mysql, 'username'),
        (of_mysql, 'hostname'),
        (of_nova, 'hostname'),
        (of_nova, 'private-address'),
    ],
)
def test_eighty_characters_and_no_more(refuses: Callable[[Databag], str], key: str):
    shown = refuses({key: TOO_LONG})
    assert f"'!{LESS}'" in shown
    assert refuses({key: f'!{LESS}'}) == shown


def test_what_is_worst_comes_first_and_hides_nothing_that_is_less_bad():
    said = [
        state.Status('active', '4 frontends'),
        state.Status('waiting', 'waiting for shared-db to grant demo'),
        state.Status('maintenance', 'paused'),
        state.Status('blocked', 'the disk is full'),
        state.Status('waiting', 'waiting for shared-db to grant demo'),
    ]
    everything = 'the disk is full; paused; waiting for shared-db to grant demo'
    assert state.summary(said) == state.Status('blocked', everything)
    assert state.summary(said[:3]).message == 'paused; waiting for shared-db to grant demo'
    assert state.summary(said[:1]) == said[0]
    assert state.summary(()) == state.Status('active')
