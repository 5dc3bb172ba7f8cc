"""Sections that a subordinate contributes: what is taken, and what is refused in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from charmkit import api, service, state
from charmkit.relations import Relation, Site, subordinate
from charmkit.why import Hook

SITE = Site(unit='cinder/0', leader=True, address='10.0.0.7')
FILE = '/etc/cinder/cinder.conf'
ONE = '-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n'


def read(sections: Any) -> subordinate.Contribution:
    said = json.dumps({'cinder': {FILE: {'sections': sections}}})
    relation = Relation(
        id=1, name='storage-backend', app='lvm', units={'lvm/0': {subordinate.KEY: said}}
    )
    found = subordinate.need('storage-backend', 'cinder').read((relation,), SITE)
    assert found
    return found[0]


def test_what_is_right_is_taken():
    found = read({'lvm': [['volume_group', 'vg'], ['reserved', 5], ['thin', True]]})
    assert found.sections == {
        FILE: {'lvm': {'volume_group': 'vg', 'reserved': '5', 'thin': 'True'}}
    }
    assert not found.refused


@pytest.mark.parametrize(
    'options',
    [
        [['password', 's3cret', 'and more']],
        ['s3cret'],
        [['password', 's3cret\n[DEFAULT]']],
        [['password', 's3cret' * 1000]],
        [['password', None]],
        [['password', {'a': 's3cret'}]],
        [['password', ['s3cret']]],
    ],
)
def test_a_section_that_will_not_do_is_left_out_and_no_value_is_quoted(options: Any):
    found = read({'lvm': [['volume_group', 'vg']], 'san': options})
    assert found.sections == {FILE: {'lvm': {'volume_group': 'vg'}}}
    assert found.refused.startswith(f'{FILE}: section san: ')
    assert 's3cret' not in found.refused


def test_sections_that_are_too_much_together_are_refused_by_name():
    many = {f's{n}': [[f'o{m}', 'x' * 4000] for m in range(10)] for n in range(10)}
    found = read(many)
    assert found.sections == {}
    assert found.refused == 'subordinate_configuration: longer than 262144 characters'
    assert not read({'s0': many['s0']}).refused


@pytest.mark.parametrize(
    ('text', 'taken'),
    [(ONE, ONE), (f'Certificate:\n    Data:\n{ONE}', ONE), ('garbage', ''), (ONE[:-5], '')],
    ids=['bare', 'with words', 'none', 'cut off'],
)
def test_authorities_are_taken_whatever_stands_around_them_or_refused(text: str, taken: str):
    bag = {subordinate.CA: text}
    relation = Relation(id=1, name='storage-backend', app='lvm', units={'lvm/0': bag})
    every = subordinate.need('storage-backend', 'cinder').read((relation,), SITE)
    assert every
    found = every[0]
    assert found.ca == taken
    assert found.refused.startswith('ca: not certificates in PEM: ') is not bool(taken)


NEED = subordinate.need('storage-backend', 'cinder')
SPEC = service.ServiceSpec(
    name='cinder',
    user='cinder',
    packages=('cinder-api',),
    needs=(NEED,),
    apps=(service.WsgiApp('cinder-api', '/usr/bin/cinder', 8776, type='volumev3', path='/v3'),),
    config={FILE: lambda ready: {}},
    sections=(NEED,),
)


def run(**bags: dict[str, str]) -> state.Desired:
    """One run of a leader to which a subordinate of each name is related."""
    found = tuple(
        Relation(id=n, name='storage-backend', app=name, units={f'{name}/0': bag})
        for n, (name, bag) in enumerate(bags.items(), 1)
    )
    inputs = state.Inputs(
        site=SITE,
        relations={'storage-backend': found},
        versions={'cinder-api': '1'},
        fresh='f' * 64,
    )
    return api.run(SPEC, Hook('config-changed'), inputs)


def test_one_that_says_nothing_yet_stops_nobody_and_is_named():
    said = {subordinate.KEY: json.dumps({'cinder': {FILE: {'sections': {'lvm': [['a', 'b']]}}}})}
    for bags in ({'nfs': dict[str, str]()}, {'lvm': said, 'nfs': dict[str, str]()}):
        desired = run(**bags)
        (apache,) = (s for s in desired.host.services if s.name == 'apache2')
        assert apache.state == 'running'
        (file,) = (f for f in desired.host.files if f.path == FILE)
        assert ('[lvm]' in file.content) is ('lvm' in bags)
        waits = state.Status('waiting', 'storage-backend: nfs has said nothing yet')
        assert waits in desired.status
    assert waits not in run(lvm=said).status


def test_a_file_that_the_service_does_not_have_is_refused_by_name():
    sections = {'sections': {'lvm': [['a', 's3cret']]}}
    said = json.dumps({'cinder': {FILE: sections, '/etc/passwd': sections}})
    desired = run(lvm={subordinate.KEY: said})
    assert state.Status('blocked', "lvm: '/etc/passwd' is no file of cinder") in desired.status
    assert '/etc/passwd' not in {f.path for f in desired.host.files}
    assert 's3cret' in next(f.content for f in desired.host.files if f.path == FILE)
