"""The rules that keep spaces apart: every bridge against every other, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from jujulet.core import model
from jujulet.machines import isolation, networks, tools


def test_a_bridge_reaches_itself_and_none_of_the_others():
    assert (
        isolation.rules(['podman2', 'podman1', 'podman2'])
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


def test_without_spaces_there_are_no_rules():
    assert isolation.rules([]) == 'table inet jujulet\ndelete table inet jujulet\n'


def test_rules_that_somebody_flushed_are_noticed(monkeypatch: pytest.MonkeyPatch):
    table = isolation.rules(['podman1', 'podman2'])

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
    monkeypatch.setattr(isolation, 'renew', renew)
    monkeypatch.setattr(isolation, 'in_force', in_force)

    async def scenario() -> None:
        ours = networks.Networks('token')
        space = model.Space('alpha', '10.99.41.0/24', '')
        create = [
            'podman info --format={{.Host.NetworkBackend}}',
            'podman network create',
            'renew',
        ]
        await ours.ensure('u', space)
        assert did == create
        await ours.ensure('u', space)
        assert did == create
        force[0] = False
        await ours.ensure('u', space)
        assert did == [*create, 'renew']
        ours.forget()
        await ours.ensure('u', space)
        assert did == [*create, 'renew', *create]

    asyncio.run(scenario())


def test_a_subnet_that_is_taken_is_told_with_commands_that_work():
    failed = tools.Failed(
        ['podman'], 125, '', 'Error: subnet 10.1.0.0/24 is already used on the host'
    )
    said = networks._why(model.Space('api', '10.1.0.0/24'), failed)  # pyright: ignore[reportPrivateUsage]
    assert 'juju retry-provisioning' in said
    # A space that is there cannot be added again.
    assert 'make the model anew with another one: juju add-space api CIDR' in said
