"""`juju show-application`: the fields of Juju 3.6, no other."""

from __future__ import annotations

import pathlib

import fakes
import pytest
import yaml

PLAIN = {
    'charm': 'tiny',
    'base': 'debian@12',
    'principal': True,
    'exposed': False,
    'remote': False,
    'life': 'alive',
    'endpoint-bindings': {'': 'alpha', 'db': 'alpha', 'sink': 'alpha'},
}


@pytest.fixture
def juju(model: fakes.Juju, charm: pathlib.Path) -> fakes.Juju:
    model('deploy', str(charm), '--base', 'debian@12')
    return model


def test_it_is_yaml_or_json(juju: fakes.Juju):
    assert juju('show-application', 'tiny', '--format', 'json').json == {'tiny': PLAIN}
    assert yaml.safe_load(juju('show-application', 'tiny').out) == {'tiny': PLAIN}


def test_base_and_constraints_are_those_of_units_to_come(juju: fakes.Juju):
    juju('set-application-base', 'tiny', 'debian@13')
    juju('set-constraints', 'tiny', 'mem=1G', 'spaces=alpha')
    found = juju('show-application', 'tiny', '--format', 'json').json['tiny']
    assert found == PLAIN | {
        'base': 'debian@13', 'constraints': {'mem': 1024, 'spaces': ['alpha']},
    }  # fmt: skip


def test_what_is_exposed_is_told_with_to_whom(juju: fakes.Juju):
    def exposed() -> object:
        found = juju('show-application', 'tiny', '--format', 'json').json['tiny']
        return found['exposed'], found.get('exposed-endpoints')

    everywhere = {'expose-to-cidrs': ['0.0.0.0/0', '::/0']}
    juju('expose', 'tiny')
    assert exposed() == (True, {'': everywhere})
    juju('expose', 'tiny', '--endpoints', 'db', '--to-spaces', 'alpha')
    juju('expose', 'tiny', '--endpoints', 'sink')
    assert exposed() == (True, {'db': {'expose-to-spaces': ['alpha']}, 'sink': everywhere})
    juju('unexpose', 'tiny')
    assert exposed() == (False, None)


@pytest.mark.parametrize(
    ('words', 'code', 'text'),
    [
        ([], 2, 'an application name must be supplied'),
        (['Tiny'], 2, 'application name Tiny not valid'),
        (['Tiny', 'tiny', 'x/0'], 2, 'application names Tiny, x/0 not valid'),
        (['nope'], 1, 'application "nope" not found'),
    ],
)
def test_a_mistake_is_told_in_juju_s_words(
    juju: fakes.Juju, words: list[str], code: int, text: str
):
    reply = juju.run('show-application', *words)
    assert (reply.code, reply.out, reply.err) == (code, '', f'ERROR {text}\n')


def test_trust_is_given_and_taken_and_told_to_the_charm(juju: fakes.Juju):
    def trusted() -> object:
        found = juju('config', 'tiny', '--format', 'json').json
        return found['application-config']['trust']['value']

    world = juju.world()
    for words, value in ((('tiny',), True), (('tiny', '--remove'), False)):
        world.trace.clear()
        assert juju('trust', *words).err == ''
        assert trusted() is value
        assert world.names('tiny/0') == ['config-changed']
    reply = juju.run('trust', 'nope')
    assert (reply.code, reply.err) == (1, 'ERROR application "nope" not found\n')
    assert juju.run('trust').code == 2
