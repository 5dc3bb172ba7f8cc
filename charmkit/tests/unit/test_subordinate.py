"""Sections that a subordinate contributes: what is taken, and what is refused in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from charmkit.relations import Relation, Site, subordinate

SITE = Site(unit='cinder/0', leader=True, address='10.0.0.7')
FILE = '/etc/cinder/cinder.conf'


def read(sections: Any) -> subordinate.Contribution:
    said = json.dumps({'cinder': {FILE: {'sections': sections}}})
    relation = Relation(
        id=1, name='storage-backend', app='lvm', units={'lvm/0': {subordinate.KEY: said}}
    )
    found = subordinate.need('storage-backend', 'cinder').read((relation,), SITE)
    assert found
    return found[0]


def test_what_is_right_is_taken():
    found = read({'lvm': [['volume_group', 'vg'], ['reserved', 5]]})
    assert found.sections == {FILE: {'lvm': {'volume_group': 'vg', 'reserved': '5'}}}
    assert not found.refused


@pytest.mark.parametrize(
    'options',
    [
        [['password', 's3cret', 'and more']],
        ['s3cret'],
        [['password', 's3cret\n[DEFAULT]']],
        [['password', 's3cret' * 1000]],
    ],
)
def test_a_section_that_will_not_do_is_left_out_and_no_value_is_quoted(options: Any):
    found = read({'lvm': [['volume_group', 'vg']], 'san': options})
    assert found.sections == {FILE: {'lvm': {'volume_group': 'vg'}}}
    assert found.refused.startswith(f'{FILE}: section san: ')
    assert 's3cret' not in found.refused
