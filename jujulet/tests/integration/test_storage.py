"""Storage goes from one unit of a machine to another, with what is in it."""

from __future__ import annotations

import jubilant

from . import records, waiting
from .conftest import CHARMS


def test_storage_goes_from_one_unit_to_another_with_what_is_in_it(juju: jubilant.Juju):
    juju.deploy(CHARMS / 'recorder', 'one', storage={'data': 'rootfs,1G,2'})
    juju.deploy(CHARMS / 'recorder', 'two', to='0')
    waiting.settle(juju)
    place = juju.exec('storage-get -s data/0 location', unit='one/0').stdout.strip()
    juju.exec(f'echo kept > {place}/file', unit='one/0')
    juju.cli('detach-storage', 'data/0')
    waiting.settle(juju)
    assert records.hooks(records.read(juju, 'one/0'))[-1] == 'data-storage-detaching'
    assert juju.status().storage.storage['data/0'].status.current == 'detached'

    juju.cli('attach-storage', 'two/0', 'data/0')
    waiting.settle(juju)
    assert records.hooks(records.read(juju, 'two/0'))[-1] == 'data-storage-attached'
    place = juju.exec('storage-get -s data/0 location', unit='two/0').stdout.strip()
    assert juju.exec(f'cat {place}/file', unit='two/0').stdout == 'kept\n'

    juju.remove_unit('two/0')
    waiting.settle(juju, lambda status: not status.apps['two'].units)
    juju.add_unit('two', to='0', attach_storage='data/0')
    waiting.settle(juju)
    assert records.hooks(records.read(juju, 'two/1'))[:2] == ['data-storage-attached', 'install']
    assert juju.exec(f'cat {place}/file', unit='two/1').stdout == 'kept\n'
