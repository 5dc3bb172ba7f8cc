"""What removal says that it takes with it, and when it asks first: Juju's words, and the model's `mode`."""

from __future__ import annotations

import io
import pathlib

import fakes
import pytest

STORED = """\
name: stored
summary: a charm with storage
description: a charm with storage
base: debian@12
build-base: debian@12
platforms: {amd64: {}}
parts: {charm: {plugin: dump, source: .}}
storage:
  data: {type: filesystem, location: /srv/data}
"""
GONE = 'will remove application a\n- will remove unit a/0\n- will detach storage data/0\n'


@pytest.fixture
def stored(model: fakes.Juju, tmp_path: pathlib.Path) -> fakes.Juju:
    """A model with one unit that has storage."""
    folder = tmp_path / 'stored'
    folder.mkdir()
    (folder / 'charmcraft.yaml').write_text(STORED)
    (folder / 'dispatch').write_text('#!/bin/sh\n')
    model('deploy', str(folder), 'a')
    return model


@pytest.mark.parametrize(
    ('argv', 'said'),
    [
        (('remove-application', 'a'), GONE),
        (('remove-application', 'a', '--destroy-storage'), GONE.replace('detach', 'remove')),
        (('remove-unit', 'a/0'), 'will remove unit a/0\n- will detach storage data/0\n'),
        (('remove-unit', 'a/0', '--destroy-storage'), 'will remove unit a/0\n- will remove storage data/0\n'),
        (('remove-machine', '0', '--force'), GONE.replace('application a', 'machine 0')),
    ],
)  # fmt: skip
def test_what_goes_is_said_alike_before_it_after_it_and_in_a_dry_run(
    stored: fakes.Juju, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], said: str
) -> None:
    before = stored.world().model
    assert stored(*argv, '--dry-run').out == said
    monkeypatch.setattr('sys.stdin', io.StringIO('n\n'))
    refused = stored.run(*argv)
    assert (refused.code, refused.out) == (1, said)
    assert refused.err == '\nContinue [y/N]? ERROR aborted\n'
    assert stored.world().model is before
    assert stored(*argv, '--no-prompt').out == said
    assert stored.world().model is not before


@pytest.mark.parametrize('mode', ['', 'strict', ' '])
def test_a_model_may_want_no_question(stored: fakes.Juju, mode: str) -> None:
    stored('model-config', f'mode={mode}')
    assert stored('remove-application', 'a').out == GONE


@pytest.mark.parametrize('mode', ['requires-prompts', 'strict, requires-prompts'])
def test_by_default_and_by_its_mode_it_wants_one(
    stored: fakes.Juju, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr('sys.stdin', io.StringIO('\n'))
    assert stored('model-config', 'mode').out == 'requires-prompts\n'
    stored('model-config', f'mode={mode}')
    assert stored.run('remove-application', 'a').err.endswith('ERROR aborted\n')


def test_a_mode_that_is_none_is_refused(stored: fakes.Juju) -> None:
    said = stored.run('model-config', 'mode=requires-prompts,lax,brave')
    assert said.code == 1
    assert 'mode(s) "brave, lax" not valid' in said.err
    assert stored('model-config', 'mode').out == 'requires-prompts\n'


def test_what_is_not_there_is_refused_in_one_sentence(stored: fakes.Juju) -> None:
    assert 'unit "a/7" not found' in stored.run('remove-unit', 'a/7', '--dry-run').err
    assert 'machine 7 not found' in stored.run('remove-machine', '7', '--dry-run').err
    said = stored.run('remove-unit', 'a/7', '--no-prompt')
    assert (said.code, said.out) == (1, '')


def test_an_offer_that_nobody_uses_has_no_counts(model: fakes.Juju, charm: pathlib.Path) -> None:
    model('deploy', str(charm), 'a')
    model('offer', 'a:db')
    (offer,) = model('status', '--format', 'json').json['offers'].values()
    assert {'total-connected-count', 'active-connected-count'}.isdisjoint(offer)
    assert ' 0/0 ' in model('status').out
