"""The list of others' bundles: what it may say, and what is run for each."""

from __future__ import annotations

import pathlib

import pytest

from matrix.cli import flags
from tools import ecosystem

GOOD = {
    'name': 'calico',
    'owner': 'somebody',
    'contact': 'mailto:a@example.org',
    'source': 'https://example.org/calico.git',
    'ref': 'main',
    'bundle': 'bundle.yaml',
    'replaces': ['neutron-api'],
    'verdict': 'tells',
}


def text(**changed: object) -> str:
    import yaml

    one = {key: value for key, value in {**GOOD, **changed}.items() if value is not None}
    return yaml.safe_dump({'format': 1, 'bundles': [one]})


def test_the_file_says_what_it_may_and_names_what_is_there() -> None:
    entries, problems = ecosystem.read(ecosystem.FILE.read_text())
    assert problems == ()
    assert ecosystem.missing(entries, ecosystem.ROOT) == ()
    assert entries


@pytest.mark.parametrize(
    ('changed', 'sentence'),
    [
        ({'name': 'Calico 1'}, 'name is a name of small letters'),
        ({'owner': None}, 'owner is who keeps it, this is None'),
        ({'contact': 'somebody'}, 'contact is https://… or mailto:…'),
        ({'source': 'http://example.org'}, 'source is . (this repository) or the https://'),
        ({'ref': None}, 'a source elsewhere needs a ref'),
        ({'bundle': '../../etc/passwd'}, "bundle is the bundle's path in its source"),
        ({'bundle': '/etc/passwd'}, "bundle is the bundle's path in its source"),
        ({'replaces': []}, 'replaces is a list of applications'),
        ({'replaces': 'keystone'}, 'replaces is a list of applications'),
        ({'verdict': 'maybe'}, 'verdict is blocks or tells'),
        ({'owners': 'x'}, "there is no key 'owners'"),
    ],
)
def test_what_is_wrong_is_said_by_name(changed: dict[str, object], sentence: str) -> None:
    entries, problems = ecosystem.read(text(**changed))
    assert entries == ()
    assert any(sentence in one for one in problems), problems


@pytest.mark.parametrize(
    'broken', ['', '[]', 'format: 2\nbundles: []', 'bundles: {', 'format: 1\nbundles: [1]']
)
def test_a_file_that_is_none_is_refused_in_a_sentence(broken: str) -> None:
    assert len(ecosystem.read(broken)[1]) == 1


def test_what_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    (entry,), _ = ecosystem.read(text(source='.', ref=None))
    assert ecosystem.missing([entry], tmp_path) == ('calico: there is no bundle.yaml',)
    (tmp_path / 'bundle.yaml').write_text('applications: {keystone: {charm: keystone}}\n')
    assert ecosystem.missing([entry], tmp_path) == (
        'calico: bundle.yaml has no application neutron-api',
    )


def test_the_command_of_an_entry_is_one_that_the_gate_takes(tmp_path: pathlib.Path) -> None:
    import argparse

    from matrix.cli.commands import gate

    (entry,), _ = ecosystem.read(text())
    words = ecosystem.command(entry, tmp_path, {'neutron-api': tmp_path / 'n.charm'}, tmp_path)
    parser = argparse.ArgumentParser()
    gate.configure(parser)
    call = parser.parse_args(words[3:])
    assert call.candidates == [('neutron-api', str(tmp_path / 'n.charm'))]
    assert flags.DEFAULTS.path != call.path


def test_a_candidate_is_the_packed_charm_of_an_application(tmp_path: pathlib.Path) -> None:
    bundle = tmp_path / 'bundle.yaml'
    bundle.write_text(
        'applications: {ks: {charm: keystone}, own: {charm: ./own}, else: {charm: x}}\n'
    )
    packed = tmp_path / 'charms'
    packed.mkdir()
    (packed / 'keystone_r1.charm').touch()
    (tmp_path / 'own').mkdir()
    assert ecosystem.candidate('ks', bundle, packed) == packed / 'keystone_r1.charm'
    assert ecosystem.candidate('own', bundle, packed) == tmp_path / 'own'
    assert ecosystem.candidate('else', bundle, packed) is None
