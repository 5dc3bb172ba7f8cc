"""What others are told while a load balancer has not said where they find it."""

from __future__ import annotations

import dataclasses

import pytest
from charmkit import relations, releases, spec, state

PLACED = relations.Site(
    unit='demo/0', leader=True, address='10.0.0.2', urls={'demo': {'internal': 'http://new'}}
)
AWAITED = dataclasses.replace(PLACED, awaited={'demo': frozenset({'internal'})})
OF_ANOTHER = dataclasses.replace(
    PLACED, awaited={'demo': frozenset({'public'}), 'other': frozenset({'internal'})}
)


def databag(ready: spec.Ready, _: relations.Relation) -> relations.Databag:
    return {'url': ready.inputs.site.urls['demo']['internal'], 'region': 'new'}


def said(offer: spec.Offer, site: relations.Site, before: relations.Databag) -> relations.Databag:
    relation = relations.Relation(
        id=1, name='demo', app='client', my_data={**before, 'ingress-address': '10.0.0.2'}
    )
    ready = spec.Ready(state.Inputs(site=site), {}, releases.of_base('debian@12'))
    return offer.said(ready, relation)


WHOLE = spec.Offer('demo', databag, place=('demo', 'internal'))
KEYS = dataclasses.replace(WHOLE, place_keys=('url',))
NEW = {'url': 'http://new', 'region': 'new'}
OLD = {'url': 'http://old', 'region': 'old', 'gone': 'old'}


@pytest.mark.parametrize(
    ('offer', 'site', 'before', 'after'),
    [
        (WHOLE, PLACED, OLD, NEW),
        (WHOLE, OF_ANOTHER, {}, NEW),
        (WHOLE, AWAITED, {}, {}),
        (WHOLE, AWAITED, OLD, OLD),
        (KEYS, PLACED, OLD, NEW),
        (KEYS, AWAITED, {}, {}),
        (KEYS, AWAITED, OLD, {'url': 'http://old', 'region': 'new'}),
        (KEYS, AWAITED, {'region': 'old'}, {'region': 'new'}),
        (dataclasses.replace(WHOLE, place_keys=('other',)), AWAITED, {}, NEW),
        (spec.Offer('demo', databag), AWAITED, OLD, NEW),
    ],
)
def test_a_place_is_said_once_it_is_known(
    offer: spec.Offer,
    site: relations.Site,
    before: relations.Databag,
    after: relations.Databag,
):
    assert said(offer, site, before) == after
