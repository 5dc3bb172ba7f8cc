"""What calls do: at once, or once the hook has succeeded; and what the hook itself sees of it meanwhile."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import toolworld

from jujulet.core import context as context_
from jujulet.core import lifecycle, model


def get(world: toolworld.World, *argv: str) -> Any:
    return json.loads(world.out(*argv, '--format=json'))


def fail(world: toolworld.World) -> None:
    """The hook exits 1."""
    world.model = lifecycle.finish(world.model, world.context, context_.Outcome(1), world.now)


def test_settings_are_the_hooks_own_until_it_succeeds(world: toolworld.World) -> None:
    world.out('relation-set', '-r', '1', 'user=', 'size=3')
    mine = {'ingress-address': '10.0.0.10', 'size': '3'}
    assert get(world, 'relation-get', '-r', '1', '-', 'app/0') == mine
    assert 'user' in world.model.relations[1].units['app/0'].data
    world.succeed()
    assert world.model.relations[1].units['app/0'].data == mine


def test_a_failed_hook_leaves_nothing_but_what_is_immediate(world: toolworld.World) -> None:
    world.out('relation-set', '-r', '1', 'a=b')
    world.out('relation-set', '-r', '1', '--app', 'a=b')
    world.out('state-set', 'a=b')
    world.out('open-port', '80/tcp')
    world.out('storage-add', 'cache=1')
    world.out('secret-add', 'key=value')
    world.out('status-set', 'blocked', 'why')
    world.out('application-version-set', '7')
    world.out('leader-set', 'a=b')
    before = toolworld.build()
    fail(world)
    after = world.model
    assert after.relations == before.relations
    assert (after.secrets, after.storage) == (before.secrets, before.storage)
    unit = after.units['app/0']
    assert (unit.state, unit.ports) == ({}, ())
    assert (unit.workload.current, unit.workload.message) == ('blocked', 'why')
    assert unit.workload_version == '7'
    assert after.applications['app'].leader_settings == {'a': 'b'}


def test_a_tool_that_wrote_at_once_would_be_caught(world: toolworld.World) -> None:
    """The twin of the test above: sabotage, and the same comparison fails."""
    world.out('relation-set', '-r', '1', 'a=b')
    world.model = lifecycle.finish(world.model, world.context, context_.Outcome(0), world.now)
    assert world.model.relations != toolworld.build().relations


def test_arguments_override_the_file_and_null_deletes(world: toolworld.World) -> None:
    yaml = b'user: null\nn: 1\nflag: true\nb: from file\n'
    world.out('relation-set', '-r', '1', 'b=from argument', '--file', '-', stdin=yaml)
    found = get(world, 'relation-get', '-r', '1', '-', 'app/0')
    assert found == {
        'ingress-address': '10.0.0.10',
        'n': '1',
        'flag': 'true',
        'b': 'from argument',
    }


@pytest.mark.parametrize('raw', [b'[1]', b'{"a": {}}', b'a: [b]', b'{', b'\xff', b'a: &x *x'])
def test_a_file_that_is_no_map_of_strings_is_refused(world: toolworld.World, raw: bytes) -> None:
    said = world.run('relation-set', '-r', '1', '--file', '-', stdin=raw)
    assert said.code == 1
    assert said.err.startswith('ERROR yaml: ')
    assert not world.context.writes.unit_settings


def test_a_remote_units_settings_stay_as_first_read(world: toolworld.World) -> None:
    assert get(world, 'relation-get', '-r', '1', 'host', 'mysql/0') == '10.0.0.20'
    relation = world.model.relations[1]
    bag = model.Databag({'host': 'other'}, 2)
    relation = dataclasses.replace(relation, units={**relation.units, 'mysql/0': bag})
    world.model = dataclasses.replace(
        world.model, relations={**world.model.relations, 1: relation}
    )
    assert get(world, 'relation-get', '-r', '1', 'host', 'mysql/0') == '10.0.0.20'
    world.relation_hook('changed')
    assert get(world, 'relation-get', 'host') == 'other'


def test_the_departing_unit_is_not_listed(world: toolworld.World) -> None:
    world.relation_hook('departed', 'mysql/1', departing_unit='mysql/1')
    assert get(world, 'relation-list') == ['mysql/0']
    assert get(world, 'relation-get', '-', 'mysql/1') == {'host': '10.0.0.21'}


def test_a_hook_of_a_relation_has_defaults(world: toolworld.World) -> None:
    world.relation_hook('changed')
    assert get(world, 'relation-ids') == ['db:1']
    assert get(world, 'relation-get') == {'host': '10.0.0.20', 'port': '3306'}
    assert get(world, 'relation-get', '--app') == {'version': '8'}
    world.relation_hook('changed', '')
    assert get(world, 'relation-get') == {'version': '8'}
    world.out('relation-set', 'x=y')
    assert world.context.writes.unit_settings == {1: {'x': 'y'}}


def test_a_unit_sees_only_its_own_principal(world: toolworld.World) -> None:
    world.hook(model.Hook('config-changed'), 'syslog/0')
    assert get(world, 'relation-list', '-r', '3') == ['app/0']
    assert get(world, 'relation-get', '-r', '3', '-', 'app/0') == {'n': '0'}
    assert world.run('relation-get', '-r', '3', '-', 'app/1').code == 1


def test_relations_of_others_do_not_exist(world: toolworld.World) -> None:
    world.hook(model.Hook('config-changed'), 'mysql/0')
    assert world.run('relation-list', '-r', '2').code == 2
    assert world.run('relation-get', '-r', '1', '-', 'mysql/1').err == 'ERROR permission denied\n'


def test_ports_are_seen_at_once_and_sorted(world: toolworld.World) -> None:
    for port in ('8000-8999/udp', '80/tcp', 'ICMP', '80/tcp'):
        world.out('open-port', port)
    assert get(world, 'opened-ports') == ['icmp', '80/tcp', '8000-8999/udp']
    assert world.model.units['app/0'].ports == ()
    world.out('open-port', '--endpoints', 'web,peers', '7766')
    world.out('close-port', 'icmp')
    listed = ['80/tcp (*)', '7766/tcp (peers, web)', '8000-8999/udp (*)']
    assert get(world, 'opened-ports', '--endpoints') == listed
    world.out('close-port', '--endpoints', 'web', '80')
    assert '80/tcp (db, juju-info, logs, peers, public)' in get(
        world, 'opened-ports', '--endpoints'
    )
    world.succeed()
    assert get(world, 'opened-ports') == ['80/tcp', '7766/tcp', '8000-8999/udp']


@pytest.mark.parametrize(
    ('port', 'text'),
    [
        ('0/tcp', 'port range bounds must be between 1 and 65535, got 0-0'),
        ('65536', 'port range bounds must be between 1 and 65535, got 65536-65536'),
        ('90-80/tcp', 'invalid port range 90-80/tcp'),
        ('80/sctp', 'invalid protocol "sctp", expected "tcp", "udp", or "icmp"'),
        ('http', 'invalid port "http"'),
        ('٣/tcp', 'invalid port'),
    ],
)
def test_a_port_that_cannot_be_is_refused(world: toolworld.World, port: str, text: str) -> None:
    said = world.run('open-port', port)
    assert said.code == 2
    assert text in said.err


def test_overlapping_ranges_conflict_on_one_machine(world: toolworld.World) -> None:
    world.out('open-port', '80-90/tcp')
    world.succeed()
    said = world.run('open-port', '85-95/tcp')
    assert said.err == (
        'ERROR cannot open 85-95/tcp (unit "app/0"): '
        'port range conflicts with 80-90/tcp (unit "app/0")\n'
    )
    world.out('open-port', '80-90/udp')
    world.hook(model.Hook('config-changed'), 'syslog/0')
    said = world.run('open-port', '80-90/tcp')
    assert 'port range conflicts with 80-90/tcp (unit "app/0")' in said.err
    world.hook(model.Hook('config-changed'), 'app/1')
    world.out('open-port', '80-90/tcp')


def test_state_is_kept_and_seen(world: toolworld.World) -> None:
    world.out('state-set', '--file', '-', 'b=2', stdin=b'{"a": "1"}')
    world.succeed()
    world.out('state-delete', 'a')
    world.out('state-set', 'c=3')
    assert get(world, 'state-get') == {'b': '2', 'c': '3'}
    assert get(world, 'state-get', 'c') == '3'
    assert world.run('state-get', '--strict', 'a').code == 1
    assert world.model.units['app/0'].state == {'a': '1', 'b': '2'}


def test_an_action_says_what_it_did(world: toolworld.World) -> None:
    world.hook(model.Hook('action', task='7'))
    assert get(world, 'action-get') == {'n': {'a': 1}, 'to': 'x'}
    assert get(world, 'action-get', 'n.a') == 1
    assert get(world, 'action-get', 'n.b.c') is None
    world.out('action-set', 'out.size=10', 'out.name.first=x', 'plain=a=b')
    world.out('action-set', 'out.size=11')
    world.out('action-log', '--', '-half-')
    assert world.model.tasks['7'].log == ((toolworld.NOW, '-half-'),)
    world.out('action-fail', 'no')
    assert world.context.action == context_.ActionResult(
        {'out': {'size': '11', 'name': {'first': 'x'}}, 'plain': 'a=b'}, True, 'no'
    )
    assert 'not supported when running an action' in world.run('juju-reboot').err
    for word in ('stdout=x', 'Upper=x', 'under_score=x', 'a..b=x', 'x'):
        assert world.run('action-set', word).code == 2
    world.out('action-fail')
    assert 'without reason given' in world.context.action.message


def test_reboot_is_left_to_the_controller(world: toolworld.World) -> None:
    world.out('juju-reboot')
    assert world.context.writes.reboot == 'after'
    world.out('juju-reboot', '--now')
    assert world.context.writes.reboot == 'now'


def test_storage_is_added_once_the_hook_has_succeeded(world: toolworld.World) -> None:
    world.out('storage-add', 'cache=2', 'cache')
    assert world.context.writes.storage == {'cache': 3}
    assert 'at most 3 instances supported, 4 specified' in world.run('storage-add', 'cache').err
    assert world.run('storage-add', 'nope').err == 'ERROR charm storage "nope" not found\n'
    assert world.run('storage-add', 'cache=-1').code == 2
    assert get(world, 'storage-list', 'cache') == []


def test_network_get_tells_addresses_of_the_bindings_space(world: toolworld.World) -> None:
    assert get(world, 'network-get', 'db') == {
        'bind-addresses': [
            {
                'mac-address': '00:16:3e:00:00:00',
                'interface-name': 'eth0',
                'addresses': [
                    {'hostname': '', 'value': '10.0.0.10', 'cidr': '10.0.0.0/24'},
                    {'hostname': '', 'value': 'fd00::10', 'cidr': 'fd00::/64'},
                ],
            }
        ],
        'egress-subnets': ['10.0.0.10/32'],
        'ingress-addresses': ['10.0.0.10', 'fd00::10'],
    }
    for binding in ('public', 'logs', 'juju-info', 'peers'):
        assert get(world, 'network-get', binding)['ingress-addresses']
    flags = ('--bind-address', '--egress-subnets')
    assert get(world, 'network-get', 'public', *flags) == {
        'bind-address': '10.1.0.10',
        'egress-subnets': ['10.1.0.10/32'],
    }
    yaml = world.out('network-get', 'public')
    for line in ('address: 10.1.0.10', 'macaddress: 00:16:3e', 'interfacename: eth1'):
        assert line in yaml


def test_goal_state_names_all_that_there_should_be(world: toolworld.World) -> None:
    found = get(world, 'goal-state')
    assert set(found['units']) == {'app/0', 'app/1'}
    goal = found['units']['app/0']
    assert goal == {'status': 'active', 'since': '2025-11-22 09:58:20Z'}
    assert set(found['relations']['db']) == {'mysql', 'mysql/0', 'mysql/1'}
    assert found['relations']['db']['mysql']['status'] == 'joined'
    assert set(found['relations']['peers']) == {'app/1'}


def test_trust_gives_a_credential(world: toolworld.World) -> None:
    application = dataclasses.replace(world.model.applications['app'], trust=True)
    applications = {**world.model.applications, 'app': application}
    world.model = dataclasses.replace(world.model, applications=applications)
    assert get(world, 'credential-get')['credential']['auth-type'] == 'empty'


def test_config_is_what_it_was_when_the_hook_began(world: toolworld.World) -> None:
    application = dataclasses.replace(
        world.model.applications['app'], options={'title': 'changed'}
    )
    applications = {**world.model.applications, 'app': application}
    world.model = dataclasses.replace(world.model, applications=applications)
    assert get(world, 'config-get', 'title') == 'hello'
    assert get(world, 'config-get', '--all')['unset'] is None
    world.hook(model.Hook('config-changed'))
    assert get(world, 'config-get', 'title') == 'changed'


def test_a_unit_that_is_gone_gets_one_clear_error(world: toolworld.World) -> None:
    world.model = dataclasses.replace(world.model, units={})
    assert world.run('is-leader').err == 'ERROR is-leader: there is no unit here\n'
