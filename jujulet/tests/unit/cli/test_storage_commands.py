"""Storage is attached and detached with Juju's words. Source: cmd/juju/storage/{attach,detach}.go of Juju 3.6."""

from __future__ import annotations

import pathlib

import fakes
import pytest


@pytest.fixture
def deployed(model: fakes.Juju, charm: pathlib.Path) -> fakes.Juju:
    model('deploy', str(charm), '--storage', 'files=2')
    return model


def test_what_is_detached_is_told_and_so_is_what_is_not(deployed: fakes.Juju):
    said = deployed.run('detach-storage', 'files/0', 'files/7')
    assert (said.code, said.out) == (1, '')
    assert said.err == (
        'detaching files/0\nfailed to detach files/7: storage instance "files/7" not found\n'
    )
    found = deployed('show-storage', 'files/0', '--format', 'json').json['files/0']
    assert found['status']['current'] == 'detached'
    assert deployed('detach-storage', 'files/0').err == 'detaching files/0\n'


def test_it_is_attached_again(deployed: fakes.Juju):
    deployed('detach-storage', 'files/0', 'files/1')
    said = deployed.run('attach-storage', 'tiny/0', 'files/1', 'files/7')
    assert said.code == 1
    assert said.err == (
        'attaching files/1 to tiny/0\n'
        'failed to attach files/7 to tiny/0: cannot attach storage files/7 to unit tiny/0: '
        'storage instance "files/7" not found\n'
    )
    storage = deployed('storage', '--format', 'json').json['storage']
    assert {k: v['status']['current'] for k, v in storage.items()} == {
        'files/0': 'detached',
        'files/1': 'attached',
    }
    assert 'files/0' in deployed('storage').out


def test_a_new_unit_begins_with_it(deployed: fakes.Juju):
    deployed('detach-storage', 'files/0')
    deployed('add-unit', 'tiny', '--to', '0', '--attach-storage', 'files/0')
    found = deployed('show-storage', 'files/0', '--format', 'json').json['files/0']
    assert set(found['attachments']['units']) == {'tiny/1'}


@pytest.mark.parametrize(
    ('words', 'code', 'said'),
    [
        (('detach-storage',), 2, 'detach-storage requires at least one storage ID'),
        (('detach-storage', 'files'), 1, 'storage ID "files" not valid'),
        (('detach-storage', 'files/0', '--no-wait'), 1, '--no-wait without --force not valid'),
        (
            ('attach-storage', 'tiny/0'),
            2,
            'attach-storage requires a unit ID and at least one storage ID',
        ),
        (('attach-storage', 'tiny', 'files/0'), 1, 'unit ID "tiny" not valid'),
        (('attach-storage', 'tiny/0', 'files'), 1, 'storage ID "files" not valid'),
        (
            ('add-unit', 'tiny', '-n', '2', '--attach-storage', 'files/0'),
            2,
            '--attach-storage cannot be used with -n',
        ),
    ],
)
def test_what_is_typed_wrongly(deployed: fakes.Juju, words: tuple[str, ...], code: int, said: str):
    refused = deployed.run(*words)
    assert (refused.code, refused.err) == (code, f'ERROR {said}\n')
