"""Nova starts beside compute nodes of an older release than it takes, as long as one of them is there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from charmkit import testing as machines
from ops import testing

from charms import conftest as shared

NAME = 'nova-cloud-controller'
CONF = '/etc/nova/nova.conf'
FLAG = 'disable_compute_service_check_for_ffu = true'
SILENT = {'hostname': 'node-9'}


def conf(machine: machines.FakeMachine, *computes: dict[str, str], expanded_from: int = 0) -> str:
    """What nova.conf is with *computes*; *expanded_from*: the release that the schema still serves."""
    schema = {'release': 31, 'version': '1.0-1', 'databases': 'x', 'least': expanded_from}
    peers = {'schema': json.dumps(schema)} if expanded_from else {}
    relations = {
        shared.database(f'{NAME}/0', 'nova', 'novaapi', 'novacell0'),
        shared.broker(),
        shared.identity('nova'),
        testing.PeerRelation('peers', local_app_data=peers),
        testing.Relation('cloud-compute', remote_units_data=dict(enumerate(computes))),
    }
    ctx = testing.Context(shared.load(NAME).NovaCloudControllerCharm)
    given: dict[str, Any] = {'leader': True, 'networks': shared.networks()}
    ctx.run(ctx.on.config_changed(), testing.State(relations=relations, **given))
    return machine.file(CONF)


def node(release: str) -> dict[str, str]:
    return {'hostname': f'node-{release}', 'release': release, 'base': 'debian@12'}


@pytest.mark.parametrize(
    ('base', 'computes', 'expanded_from', 'wanted'),
    [
        ('debian@13', ['zed'], 0, True),
        ('debian@13', ['epoxy', 'zed'], 31, True),
        ('debian@13', ['epoxy'], 26, False),
        ('debian@13', ['caracal'], 0, False),
        ('debian@12', ['zed'], 0, False),
        ('ubuntu@24.04', ['zed'], 0, True),
        ('debian@13', ['flamingo'], 0, False),
    ],
)
def test_it_is_told_of_them_while_one_is_there(
    machine: machines.FakeMachine, base: str, computes: list[str], expanded_from: int, wanted: bool
):
    machine.base = base
    assert (FLAG in conf(machine, *map(node, computes), expanded_from=expanded_from)) == wanted


@pytest.mark.parametrize(('expanded_from', 'wanted'), [(26, True), (31, False), (0, False)])
def test_a_node_that_does_not_say_may_be_as_old_as_what_the_database_serves(
    machine: machines.FakeMachine, expanded_from: int, wanted: bool
):
    machine.base = 'debian@13'
    silent = [SILENT] if expanded_from else []
    assert (FLAG in conf(machine, *silent, expanded_from=expanded_from)) == wanted


def test_without_one_there_is_no_such_section(machine: machines.FakeMachine):
    machine.base = 'debian@13'
    assert '[workarounds]' not in conf(machine)
    assert '[workarounds]' in conf(machine, node('zed'))
