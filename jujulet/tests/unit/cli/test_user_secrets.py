"""Secrets of the user by their names, and what Juju does not take: texts and exit codes of 3.6."""

from __future__ import annotations

import pathlib

import fakes
import pytest

from jujulet.core import secretcontent


def test_a_name_stands_for_the_secret_in_every_command(model: fakes.Juju, charm: pathlib.Path):
    model('deploy', str(charm), 'app')
    uri = model('add-secret', 'lifecycle', 'record={"step": 1}').out.strip()
    model('update-secret', 'lifecycle', 'record={"step": 2}')
    shown = model('show-secret', 'lifecycle', '--reveal', '--format', 'json').json
    assert shown[uri.removeprefix('secret:')]['content'] == {'Data': {'record': '{"step": 2}'}}
    assert shown[uri.removeprefix('secret:')]['revision'] == 2
    model('grant-secret', 'lifecycle', 'app')
    model('revoke-secret', 'lifecycle', 'app')
    model('update-secret', 'lifecycle', '--name', 'other')
    assert 'ERROR secret "lifecycle" not found' in model.run('show-secret', 'lifecycle').err
    model('remove-secret', 'other', '--revision', '1')
    model('remove-secret', 'other')
    assert model('secrets', '--format', 'json').json == {}


def test_a_name_is_taken_once(model: fakes.Juju):
    """So whoever makes it knows that nobody else has."""
    model('add-secret', 'lifecycle', 'record=mine')
    for words in (('add-secret', 'lifecycle', 'record=yours'),):
        reply = model.run(*words)
        assert (reply.code, reply.err) == (
            1,
            'ERROR secret with name "lifecycle" already exists\n',
        )
    model('add-secret', 'second', 'record=x')
    assert model.run('update-secret', 'second', '--name', 'lifecycle').code == 1
    assert 'mine' in model('show-secret', 'lifecycle', '--reveal').out


def test_what_is_the_same_is_no_new_revision(model: fakes.Juju):
    model('add-secret', 'lifecycle', 'record=mine')
    before = model.world().model
    model.world().now += 100
    model('update-secret', 'lifecycle', 'record=mine')
    assert model.world().model.secrets == before.secrets


@pytest.mark.parametrize(
    ('words', 'code', 'text'),
    [
        (['add-secret'], 2, 'secret name needs to be supplied as the first argument'),
        (['add-secret', 'x'], 2, 'missing secret value or filename'),
        (['add-secret', 'x', 's3cret'], 2, 'key value "s3cret" not valid'),
        (['add-secret', 'x', 'key='], 2, 'key value "key=" not valid'),
        (['add-secret', 'x', 'k=v'], 2, 'key "k" not valid'),
        (['add-secret', 'x', 'Key=v'], 2, 'key "Key" not valid'),
        (['update-secret', 'there', 'k=v'], 2, 'key "k" not valid'),
        (['update-secret', 'there'], 1, 'at least one attribute to update must be specified'),
        (['update-secret', 'nope', 'key=v'], 1, 'secret "nope" not found'),
        (['remove-secret', 'nope'], 1, 'secret "nope" not found'),
        (['grant-secret', 'nope', 'app'], 1, 'secret "nope" not found'),
        (['show-secret', 'nope'], 1, 'secret "nope" not found'),
    ],
)
def test_a_mistake_is_told_in_juju_s_words(
    model: fakes.Juju, words: list[str], code: int, text: str
):
    model('add-secret', 'there', 'key=v')
    reply = model.run(*words)
    assert (reply.code, reply.err) == (code, f'ERROR {text}\n')


@pytest.mark.parametrize(('size', 'taken'), [(749_999, True), (750_000, True), (750_001, False)])
def test_a_value_may_be_a_million_bytes_in_base64(
    model: fakes.Juju, tmp_path: pathlib.Path, size: int, taken: bool
):
    file = tmp_path / 'value'
    file.write_bytes(b'x' * size)
    reply = model.run('add-secret', 'large', f'key#file={file}')
    assert (reply.code == 0) is taken
    if not taken:
        text = 'base64 encoded secret content for key "key" too large: 1000004 bytes'
        assert (reply.code, reply.err) == (2, f'ERROR {text}\n')
        assert model.world().model.secrets == {}


def test_so_may_all_of_them_together(model: fakes.Juju, tmp_path: pathlib.Path):
    file = tmp_path / 'value'
    file.write_bytes(b'x' * 600_000)
    reply = model.run('add-secret', 'large', f'one#file={file}', f'two#file={file}')
    assert (reply.code, reply.err) == (
        2, 'ERROR base64 encoded secret content too large: 1600000 bytes\n',
    )  # fmt: skip


def test_a_file_that_is_too_large_is_not_read(model: fakes.Juju, tmp_path: pathlib.Path):
    file = tmp_path / 'value'
    with file.open('wb') as f:
        f.truncate(secretcontent.LARGEST + 1)
    for words in ([f'key#file={file}'], ['--file', str(file)]):
        reply = model.run('add-secret', 'large', *words)
        assert (reply.code, reply.err) == (
            2, f'ERROR secret content in file "{file}" too large: 1000001 bytes\n',
        )  # fmt: skip


def test_a_file_has_the_last_word(model: fakes.Juju, tmp_path: pathlib.Path):
    file = tmp_path / 'content.yaml'
    file.write_text('key: of the file\n')
    model('add-secret', 'both', 'key=typed', 'other=typed', '--file', str(file))
    shown = model('show-secret', 'both', '--reveal').out
    assert 'key: of the file' in shown
    assert 'other: typed' in shown
