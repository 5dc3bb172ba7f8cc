"""Folders of machines and their run directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from jujulet.machines import protocol, state_folders

MODEL = '3f9a01d2-0000-4000-8000-000000000001'


def test_a_socket_in_a_run_directory_has_a_valid_address_however_deep_the_state_lies(
    tmp_path: Path,
) -> None:
    deep = tmp_path / ('x' * 90) / 'state'
    at = state_folders.StateFolders(deep)
    run = at.run_dir(MODEL, '12')
    assert len(str(run / 'unit-openstack-loadbalancer-10.socket')) < 107
    assert run.stat().st_mode & 0o777 == 0o700
    at.forget_run(MODEL, '12')
    assert not run.exists()


def test_two_state_directories_never_share_a_run_directory(tmp_path: Path) -> None:
    one, two = (state_folders.StateFolders(tmp_path / ('x' * 90) / name) for name in 'ab')
    runs = {at.run_dir(MODEL, '0') for at in (one, two)}
    assert len(runs) == 2
    for at in (one, two):
        at.forget_run(MODEL, '0')


@pytest.mark.parametrize('key', ['', '../../etc', 'a/b', '.', 'a b'])
def test_a_layer_key_is_no_path(key: str, tmp_path: Path) -> None:
    with pytest.raises(protocol.MachineError):
        state_folders.StateFolders(tmp_path).new_layer(key)
