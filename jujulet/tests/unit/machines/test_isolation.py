"""The rules that keep spaces apart: every bridge against every other, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from jujulet.core import model, topology
from jujulet.machines import bridges, isolation, networks, protocol, tools


def test_a_bridge_reaches_itself_and_none_of_the_others():
    assert (
        isolation.rules([['podman2'], ['podman1', 'podman1']])
        == """\
table inet jujulet
delete table inet jujulet
table inet jujulet {
 chain others {
  oifname "podman1" drop
  oifname "podman2" drop
 }
 chain forward {
  type filter hook forward priority -5; policy accept;
  iifname "podman1" oifname != "podman1" jump others
  iifname "podman2" oifname != "podman2" jump others
 }
}
"""
    )


def test_bridges_of_one_space_reach_one_another_as_who_they_are():
    script = isolation.rules([['b2', 'b1'], ['b3']])
    forward = script[script.index('chain forward') : script.index('chain senders')].splitlines()
    assert forward[2:6] == [
        '  iifname { "b1", "b2" } oifname { "b1", "b2" } accept',
        '  iifname "b1" oifname != "b1" jump others',
        '  iifname "b2" oifname != "b2" jump others',
        '  iifname "b3" oifname != "b3" jump others',
    ]
    senders = script[script.index('chain senders') :]
    assert senders.count('iifname { "b1", "b2" } oifname { "b1", "b2" }') == 2
    assert 'snat ip to ip saddr' in senders
    assert 'snat ip6 to ip6 saddr' in senders


def test_without_spaces_there_are_no_rules():
    assert isolation.rules([]) == 'table inet jujulet\ndelete table inet jujulet\n'


def test_rules_that_somebody_flushed_are_noticed(monkeypatch: pytest.MonkeyPatch):
    table = isolation.rules([['podman1'], ['podman2']])

    async def listed(_argv: Sequence[str]) -> str:
        if not table:
            raise tools.Failed(['nft'], 1, '', 'No such file or directory')
        return table

    monkeypatch.setattr(isolation, 'run', listed)
    assert asyncio.run(isolation.in_force(['podman1', 'podman2']))
    assert not asyncio.run(isolation.in_force(['podman1', 'podman3']))
    table = ''
    assert not asyncio.run(isolation.in_force(['podman1']))


def test_they_are_back_before_the_next_machine_comes(monkeypatch: pytest.MonkeyPatch):
    force, did = [True], list[str]()

    async def run(argv: Sequence[str]) -> str:
        did.append(' '.join(argv[:3]))
        return 'netavark\n'

    async def renew() -> list[str]:
        did.append('renew')
        return ['podman1']

    async def in_force(_bridges: Sequence[str]) -> bool:
        return force[0]

    monkeypatch.setattr(networks, 'run', run)
    monkeypatch.setattr(networks, 'there', is_there)
    monkeypatch.setattr(isolation, 'renew', renew)
    monkeypatch.setattr(isolation, 'in_force', in_force)

    async def scenario() -> None:
        ours = networks.Networks('token')
        space = model.Space('alpha', '10.99.41.0/24', '')
        address = model.Address('alpha', '10.99.41.10')
        create = [
            'podman info --format={{.Host.NetworkBackend}}',
            'podman network create',
            'renew',
        ]
        await ours.ensure('u', {'alpha': space}, address)
        assert did == create
        await ours.ensure('u', {'alpha': space}, address)
        assert did == create
        force[0] = False
        await ours.ensure('u', {'alpha': space}, address)
        assert did == [*create, 'renew']
        ours.forget()
        await ours.ensure('u', {'alpha': space}, address)
        assert did == [*create, 'renew', *create]

    asyncio.run(scenario())


def test_a_subnet_that_is_taken_is_told_with_commands_that_work():
    failed = tools.Failed(
        ['podman'], 125, '', 'Error: subnet 10.1.0.0/24 is already used on the host'
    )
    space = model.Space('api', '10.1.0.0/24')
    said = networks._why(space, space.subnets[0], failed)  # pyright: ignore[reportPrivateUsage]
    assert 'juju retry-provisioning' in said
    # A space that is there cannot be added again.
    assert 'make the model anew with another one: juju add-space api CIDR' in said


def is_there(_program: str) -> bool:
    return True


@pytest.mark.parametrize(
    ('labels', 'did'),
    [
        ({}, ['create']),  # As it was made before networks said of which space they are.
        ({'jujulet.space': 'alpha'}, ['create']),
        ({'jujulet.space': 'db'}, ['create', 'rm', 'create']),
        ({'jujulet.state': 'of another'}, ['create']),
    ],
)
def test_an_empty_network_is_made_anew_in_the_space_to_which_it_was_moved(
    monkeypatch: pytest.MonkeyPatch, labels: dict[str, str], did: list[str]
):
    seen: dict[str, Any] = {
        'name': 'jujulet-abc-alpha',
        'subnets': [{'subnet': '10.1.0.0/24'}],
        'labels': {'jujulet.state': 'token', 'jujulet.model': 'abc', **labels},
    }
    made: list[str] = []

    async def run(argv: Sequence[str]) -> str:
        verb = argv[2]
        if verb == 'ls':
            ours = seen['labels']['jujulet.state'] == 'token'
            assert '--filter=label=jujulet.state=token' in argv
            return json.dumps([seen] if ours else [])
        if verb in ('create', 'rm'):
            made.append(verb)
        if verb == 'create' and 'rm' not in made:
            raise tools.Failed(argv, 125, '', 'Error: network name already exists')
        return ''

    async def renew() -> list[str]:
        return []

    monkeypatch.setattr(networks, 'run', run)
    monkeypatch.setattr(networks, 'there', is_there)
    monkeypatch.setattr(isolation, 'renew', renew)
    spaces = {'alpha': model.Space('alpha', '10.1.0.0/24')}
    ensured = networks.Networks('token').ensure('abc', spaces, model.Address('alpha', '10.1.0.9'))
    if labels.get('jujulet.state'):
        with pytest.raises(protocol.MachineError, match='already exists'):
            asyncio.run(ensured)
    else:
        asyncio.run(ensured)
    assert made == did


def test_a_subnet_that_moves_while_the_controller_runs_comes_to_its_new_space(
    monkeypatch: pytest.MonkeyPatch,
):
    there: dict[str, dict[str, Any]] = {}
    renewed: list[list[str]] = []

    async def run(argv: Sequence[str]) -> str:
        verb, name = argv[2], argv[-1]
        if verb == 'ls':
            return json.dumps([*there.values()])
        if verb == 'rm':
            del there[name]
        if verb == 'create':
            if name in there:
                raise tools.Failed(argv, 125, '', 'Error: network name already exists')
            given = [word.split('=', 2) for word in argv if word.startswith('--label=')]
            there[name] = {
                'name': name,
                'subnets': [{'subnet': '10.1.0.0/24'}],
                'labels': {label: value for _, label, value in given},
            }
        return ''

    async def renew() -> list[str]:
        renewed.append([bridges.space_of(network) for network in there.values()])
        return []

    async def in_force(_bridges: Sequence[str]) -> bool:
        return True

    monkeypatch.setattr(networks, 'run', run)
    monkeypatch.setattr(networks, 'there', is_there)
    monkeypatch.setattr(isolation, 'renew', renew)
    monkeypatch.setattr(isolation, 'in_force', in_force)
    subnet = model.Subnet('10.1.0.0/24', network='db')

    async def scenario() -> None:
        ours = networks.Networks('token')
        for name in ('db', 'alpha', 'alpha', 'db'):
            space = topology.with_subnets(model.Space(name, '', group=name), (subnet,))
            await ours.ensure('abc', {name: space}, model.Address(name, '10.1.0.9'))

    asyncio.run(scenario())
    assert renewed == [['db'], ['alpha'], ['db']]
