"""What a service may not be declared as."""

from __future__ import annotations

import pytest
from charmkit import service


def declared(*apps: service.WsgiApp) -> service.ServiceSpec:
    return service.ServiceSpec(
        name='demo', user='demo', packages=('demo-api',), needs=(), apps=apps, config={}
    )


def app(name: str, port: int, of: str = '') -> service.WsgiApp:
    return service.WsgiApp(name, f'/usr/bin/{name}', port, service=of)


@pytest.mark.parametrize(
    ('apps', 'words'),
    [
        ((app('a', 1), app('a', 2)), 'same name'),
        ((app('a', 1), app('b', 1)), 'same port'),
        ((app('a', 1), app('b', 2, of='demo')), 'same service'),
        ((app('demo-api-metadata', 1), app('demo-api-metadat', 2)), 'first 16 letters'),
        ((app('openstack-health', 1),), 'first 16 letters'),
        ((app('openstack-healthy', 1),), 'first 16 letters'),
    ],
)
def test_what_could_not_be_told_apart(apps: tuple[service.WsgiApp, ...], words: str):
    with pytest.raises(ValueError, match=f'demo: .*{words}'):
        declared(*apps)


def test_names_that_differ_soon_enough():
    assert len(declared(app('demo-api', 1), app('demo-api-metadata', 2)).apps) == 2
