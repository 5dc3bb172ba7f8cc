"""What a member is told and told to do, at the limits: values in, values out."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import amqp_users
import charmkit
import membership
import node
import pytest
import rabbit_actions
import yaml
from charmkit.machine import Facts, Finished
from charmkit.relations import Site

HERE = Site(unit='rabbitmq-server/0', leader=True, address='10.0.0.2')


def inputs(
    options: dict[str, int] | None = None, *, units: int = 1, seen: dict[str, Any] | None = None
) -> charmkit.Inputs:
    return charmkit.Inputs(
        site=HERE,
        facts=Facts(base='debian@12', memory_mib=1000),
        peer_units={f'rabbitmq-server/{n}': {} for n in range(1, units)},
        options=options or {},
        seen=seen or {},
    )


@pytest.mark.parametrize(
    ('given', 'memory_mib', 'disk_mib'),
    [
        ({}, 400, 1024),
        ({'memory-watermark': 0, 'disk-free-limit': 0}, 400, 1024),
        ({'memory-watermark': 10, 'disk-free-limit': 50}, 100, 50),
    ],
)
def test_what_is_left_to_the_charm_has_its_own_value(
    given: dict[str, int], memory_mib: int, disk_mib: int
):
    found = node.settings(inputs(given))
    assert (found.memory_bytes, found.disk_bytes) == (memory_mib << 20, disk_mib << 20)


@pytest.mark.parametrize(
    ('units', 'partitions'),
    [(1, 'autoheal'), (2, 'autoheal'), (3, 'pause_minority'), (5, 'pause_minority')],
)
def test_a_minority_pauses_where_there_can_be_a_majority(units: int, partitions: str):
    assert node.settings(inputs(units=units)).partitions == partitions


def test_the_options_are_those_that_juju_is_told_of():
    charm = yaml.safe_load(
        (pathlib.Path(node.__file__).parents[1] / 'charmcraft.yaml').read_text()
    )
    declared = charm['config']['options']
    for option in node.options():
        assert declared[option.name]['default'] == option.default
        told = ' '.join(declared[option.name]['description'].split())
        assert told == f'{option.description} Wanted: {option.kind.wants}.'


def test_of_what_rabbitmq_says_when_it_fails_the_first_line_is_told_and_not_too_long():
    def told(output: str) -> str:
        failed = inputs(seen={'vhosts': Finished(1, output)})
        return rabbit_actions.unconsumed_queues(failed).failure

    assert told('\nError:\n  no such node \nmore') == 'no such node'
    assert told('\nError:\n') == 'rabbitmqctl said nothing'
    assert told('x' * 500) == 'x' * 400


def test_a_virtual_host_of_which_nothing_is_known_yet_hides_no_other():
    seen = {
        'vhosts': Finished(0, json.dumps([{'name': 'a'}, {'name': 'b'}, {'other': 'c'}])),
        'queues b': Finished(0, json.dumps([{'name': 'q', 'messages': 3, 'consumers': 0}])),
    }
    found = rabbit_actions.unconsumed_queues(inputs(seen=seen))
    assert found.results == {'unconsumed-queues': '{"b": {"q": 3}}'}
    assert [task.name for task in found.tasks] == ['vhosts', 'queues a', 'queues b']
    assert found.read_only


def test_forgetting_a_member_leaves_the_machine_alone():
    gone = membership.node('rabbitmq-server/3')
    found = rabbit_actions.forgotten(gone, inputs())
    assert found.read_only
    assert found.results == {'forgotten': gone}
    (task,) = found.tasks
    refused = rabbit_actions.forgotten(gone, inputs(seen={task.name: 'it runs'}))
    assert (refused.failure, refused.tasks) == ('it runs', ())


def test_members_are_those_with_a_disk_and_those_without():
    said = json.dumps({'disk_nodes': ['rabbit@a'], 'ram_nodes': ['rabbit@b']})
    assert membership.parse_status(said).members == {'rabbit@a', 'rabbit@b'}


def test_notifications_that_nobody_fetches_end():
    policy = amqp_users._policy('openstack', 5000)  # pyright: ignore[reportPrivateUsage]
    assert policy == {
        'vhost': 'openstack',
        'name': amqp_users.NOTIFICATIONS,
        'pattern': r'^(versioned_)?notifications\.',
        'apply-to': 'queues',
        'definition': {'message-ttl': 5000},
        'priority': 1,
    }
