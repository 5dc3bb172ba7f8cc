"""The interface between glance and the services that read images, both sides of it."""

from __future__ import annotations

import pytest
from charmkit.relations import Databag, Relation, Site, glance

SITE = Site(unit='cinder/0', leader=True, address='10.0.0.9')


def heard(*bags: Databag) -> glance.Images | None:
    units = {f'glance/{n}': bag for n, bag in enumerate(bags)}
    return glance.need().read((Relation(id=1, name='x', app='glance', units=units),), SITE)


@pytest.mark.parametrize(
    'url', ['http://10.0.0.8:9292', 'https://images.example.com', 'http://[fd00::8]:9292']
)
def test_what_glance_tells_is_heard(url: str):
    assert heard(glance.databag(glance.Images(url))) == glance.Images(url)


def test_what_is_told_has_the_keys_of_charmed_openstack():
    told = glance.databag(glance.Images('http://10.0.0.8:9292'))
    assert told == {'glance-api-server': 'http://10.0.0.8:9292', 'glance-api-ready': 'yes'}


def test_one_that_does_not_serve_yet_is_waited_for_and_another_unit_heard():
    waits = {'glance-api-server': 'http://10.0.0.8:9292', 'glance-api-ready': 'no'}
    assert heard(waits) is None
    assert heard({}) is None
    assert heard(waits, {'glance-api-server': 'http://10.0.0.9:9292'}) == glance.Images(
        'http://10.0.0.9:9292'
    )


@pytest.mark.parametrize(
    'url',
    [
        'ftp://10.0.0.8', 'http://', 'http://10.0.0.8:0', 'http://10.0.0.8:99999', 'http://a b',
        'http://user@10.0.0.8:9292', 'http://10.0.0.8\nadmin = yes', f'http://{"a" * 400}',
        'http://10.0.0.8:9292/v2', 'http://10.0.0.8,evil', '10.0.0.8:9292',
    ],
)  # fmt: skip
def test_what_is_no_url_is_not_heard(url: str):
    assert heard({'glance-api-server': url, 'glance-api-ready': 'yes'}) is None
