"""The Block Storage API of the distribution under Apache, with a real database, a real queue, and files for volumes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from .conftest import NO_TOKENS, SHARES, Cloud

pytestmark = [pytest.mark.functional, pytest.mark.slow, pytest.mark.timeout(2400)]
ROOT = '/srv/cinder-nfs/volumes'


@pytest.fixture(scope='module')
def alone(cloud: Cloud) -> dict[str, Any]:
    """What runs of cinder came to, with no storage: a busy machine may take longer to load the API than one waits."""
    end = time.monotonic() + 600
    while (found := cloud.cinder())['status'] and time.monotonic() < end:
        time.sleep(5)
    return found


@pytest.fixture(scope='module')
def storage(cloud: Cloud, alone: dict[str, Any]) -> dict[str, Any]:
    """What the run of cinder-nfs did, once cinder is there."""
    return cloud.bring('cinder-nfs', {'storage-backend': {}}, **SHARES)


@pytest.fixture(scope='module')
def stored(cloud: Cloud, storage: dict[str, Any]) -> dict[str, Any]:
    """What cinder did when it heard of its storage, and whoever asks is let in."""
    return cloud.cinder(storage['told'], **NO_TOKENS)


def settled(cloud: Cloud, volume: str) -> dict[str, Any]:
    """*volume* once cinder has done with it."""
    end = time.monotonic() + 300
    while True:
        found = cloud.ask(f'/volumes/{volume}')['volume']
        if found['status'] in ('available', 'error'):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.5)


def gone(cloud: Cloud, path: str) -> None:
    """Wait until nobody finds *path* any more."""
    end = time.monotonic() + 300
    while 'itemNotFound' not in cloud.ask(path):
        assert time.monotonic() < end
        time.sleep(0.5)


def create(cloud: Cloud, **more: Any) -> dict[str, Any]:
    """A volume of 1 GiB, or what *more* says."""
    made = cloud.ask('/volumes', {'volume': {'size': 1, **more}})
    return settled(cloud, made['volume']['id'])


def test_it_serves_without_storage(cloud: Cloud, alone: dict[str, Any]):
    assert alone['failed'] == {}
    assert alone['status'] == []
    assert cloud.code('/healthcheck') == '200'
    assert cloud.code('/') in ('200', '300')
    assert cloud.code('/v3/p/volumes') in ('401', '503')  # There is no keystone to ask.
    assert cloud.sh('systemctl is-active cinder-volume', check=False) == 'inactive'


def test_a_volume_is_a_file_that_takes_no_room_until_it_is_written(
    cloud: Cloud, stored: dict[str, Any]
):
    volume = create(cloud)
    assert volume['status'] == 'available'
    path = f'{ROOT}/volume-{volume["id"]}'
    size, blocks = map(int, cloud.sh(f"stat -c '%s %b' {path}").split())
    assert size == 1 << 30
    assert blocks * 512 < 1 << 20
    cloud.ask(f'/volumes/{volume["id"]}', method='DELETE')
    gone(cloud, f'/volumes/{volume["id"]}')
    assert cloud.sh(f'test -e {path} || echo gone') == 'gone'
