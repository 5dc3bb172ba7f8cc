"""What the host writes of a unit stays in its machine, whatever links the machine has laid where it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jujulet.controller import hookrun, unitfolder
from jujulet.machines import directory_snapshot, files

AGENT = 'var/lib/juju/agents/unit-a-0'
WRITTEN = (
    *('var', 'var/lib', 'var/lib/juju', 'var/lib/juju/agents', 'var/lib/juju/tools', AGENT),
    *(f'{AGENT}/charm', f'{AGENT}/charm/src', f'{AGENT}/resources', f'{AGENT}/resources/r'),
    *('var/lib/juju/tools/unit-a-0', 'var/lib/juju/tools/machine-0', 'usr', 'usr/bin'),
    *(f'{AGENT}/charm/dispatch', f'{AGENT}/{unitfolder.MANIFEST}', f'{AGENT}/resources/r/file'),
    *('var/lib/juju/tools/unit-a-0/hooktool', 'var/lib/juju/tools/machine-0/jujud'),
    *('var/lib/juju/tools/machine-0/jujud-version', 'usr/bin/juju-exec'),
)
"""Every place that is written for a unit, and the folders above."""


@pytest.fixture
def charm(tmp_path: Path) -> Path:
    folder = tmp_path / 'source'
    (folder / 'src').mkdir(parents=True)
    (folder / 'src/charm.py').write_text('new')
    (folder / 'dispatch').write_text('#!/bin/sh')
    (folder / 'dispatch').chmod(0o755)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> unitfolder.UnitFolder:
    (tmp_path / 'root').mkdir()
    return unitfolder.UnitFolder(tmp_path / 'root', '', 'a/0', '0')


def everything(folder: unitfolder.UnitFolder, charm: Path) -> None:
    blob = charm.parent / 'blob'
    blob.write_text('resource')
    unitfolder.deploy(folder, charm, '3.6.12')
    unitfolder.resource(folder, blob, 'r', 'file')


@pytest.mark.parametrize('planted', WRITTEN)
@pytest.mark.parametrize('before', [False, True], ids=['first', 'refresh'])
def test_a_link_is_planted_at_a_place_that_is_written(
    folder: unitfolder.UnitFolder, charm: Path, tmp_path: Path, planted: str, before: bool
) -> None:
    if before:
        everything(folder, charm)
        files.remove(folder.root, planted)
    outside = tmp_path / 'outside'
    outside.mkdir()
    (folder.root / planted).parent.mkdir(parents=True, exist_ok=True)
    (folder.root / planted).symlink_to(outside)
    everything(folder, charm)
    assert os.listdir(outside) == []
    assert unitfolder.executable(folder, 'dispatch')
    assert files.read(folder.root, f'{AGENT}/charm/src/charm.py') == 'new'
    assert files.read(folder.root, f'{AGENT}/resources/r/file') == 'resource'


def test_everybody_on_the_machine_may_read_what_juju_lets_them(
    folder: unitfolder.UnitFolder, charm: Path
) -> None:
    """The controller keeps its own files to itself; that reached into the machines."""
    old = os.umask(0o077)
    try:
        everything(folder, charm)
    finally:
        os.umask(old)
    closed = [
        path
        for parent, folders, names in os.walk(folder.root)
        for name in (*folders, *names)
        if not (path := Path(parent, name)).is_symlink()
        and not path.stat().st_mode & 0o005
        and not path.is_relative_to(folder.root / folder.charm)  # The charm's own modes.
    ]
    assert [path.relative_to(folder.root) for path in closed] == []


def test_what_the_charm_brought_no_longer_goes_and_what_it_wrote_stays(
    folder: unitfolder.UnitFolder, charm: Path
) -> None:
    everything(folder, charm)
    (folder.root / folder.charm / '.unit-state.db').write_text('state')
    (charm / 'src/charm.py').rename(charm / 'src/other.py')
    everything(folder, charm)
    assert sorted(os.listdir(folder.root / folder.charm)) == ['.unit-state.db', 'dispatch', 'src']
    assert os.listdir(folder.root / folder.charm / 'src') == ['other.py']


def test_a_unit_is_adopted_from_the_layer_that_its_machine_stands_on(
    folder: unitfolder.UnitFolder, charm: Path
) -> None:
    old = unitfolder.UnitFolder(folder.root, '', 'a/7', '7')
    unitfolder.deploy(old, charm, '3.6.12')
    (folder.root / old.charm / '.unit-state.db').write_text('state')
    (folder.root / old.agent / '.layer').touch()
    unitfolder.deploy(folder, charm, '3.6.12')
    assert (folder.root / folder.charm / '.unit-state.db').read_text() == 'state'
    assert os.listdir(folder.root / 'var/lib/juju/agents') == ['unit-a-0']
    assert sorted(os.listdir(folder.root / 'var/lib/juju/tools')) == [
        'machine-0',
        'machine-7',
        'unit-a-0',
    ]


def test_a_subordinate_does_not_adopt_its_principal_whose_machine_stands_on_a_layer_of_its_own_name(
    folder: unitfolder.UnitFolder, charm: Path
) -> None:
    unitfolder.deploy(folder, charm, '3.6.12')
    (folder.root / folder.agent / '.layer').touch()  # As the layer has it.
    unitfolder.deploy(folder, charm, '3.6.12')
    beside = unitfolder.UnitFolder(folder.root, '', 'b/0', '0')
    unitfolder.deploy(beside, charm, '3.6.12')
    assert unitfolder.deployed(folder) and unitfolder.deployed(beside)
    assert sorted(os.listdir(folder.root / 'var/lib/juju/agents')) == ['unit-a-0', 'unit-b-0']
    assert {'unit-a-0', 'unit-b-0'} <= {*os.listdir(folder.root / 'var/lib/juju/tools')}


def test_a_hook_is_passed_over_where_the_charm_has_none_and_fails_where_there_is_no_charm(
    folder: unitfolder.UnitFolder, charm: Path
) -> None:
    lost = hookrun.without_program(folder)
    assert (lost.code, lost.missing) == (1, False)
    unitfolder.deploy(folder, charm, '3.6.12')
    passed_over = hookrun.without_program(folder)
    assert (passed_over.code, passed_over.missing) == (0, True)


def test_a_layer_whose_etc_leads_to_the_host_costs_the_host_nothing(tmp_path: Path) -> None:
    outside, root = tmp_path / 'outside', tmp_path / 'root'
    (outside / 'ssh').mkdir(parents=True)
    (outside / 'machine-id').write_text('')
    (outside / 'ssh/ssh_host_rsa_key').write_text('')
    root.mkdir()
    (root / 'etc').symlink_to(outside)
    directory_snapshot._strip(root)  # pyright: ignore[reportPrivateUsage]
    assert sorted(os.listdir(outside)) == ['machine-id', 'ssh']
    assert os.listdir(outside / 'ssh') == ['ssh_host_rsa_key']
