"""Whatever is typed ends in an exit code and, if it fails, in one error: never in a traceback."""

from __future__ import annotations

import pathlib

import fakes
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jujulet.cli import commands
from tests.examples import examples

# These leave the process, its folder or its time behind.
OUTSIDE = {'ssh', 'debug-hooks', 'debug-code', 'scp', 'pack', 'deploy', 'refresh', 'wait-for', 'export-bundle',
           'controller', 'image', 'doctor', 'cache', 'env', 'destroy-model'}  # fmt: skip
COMMANDS = sorted(set(commands.TABLE) - OUTSIDE)

WORDS = st.sampled_from(
    ['a', 'b', 'a/0', 'a/9', 'a/leader', '0', '9', 't', 'a:db', 'b:sink', 'do-thing', 'x=1', 'x.y=[', 'greet=z',
     'count=q', 'data/0', 'files=1', 'm.o', 'local:admin/t', '', '-', '--', 'é', '2026-11-22', 'when=2026-11-22',
     'mem=1G', 'alpha', 'ep=alpha', '2', 'list', '1s', 'json', 'k#base64=!', 'k#file=/nope', 'debian@13',
     'ubuntu@24.04', 'bookworm', 'key=v', 'x=!!binary aGk=']
)  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    found = commands.find(draw(st.sampled_from(COMMANDS)))
    assert found is not None
    argv = [found.name, *draw(st.lists(WORDS, max_size=4))]
    own = [
        f
        for f in found.all_flags
        if f.names[0] not in ('watch', 'tail', 'output', 'filename', 'model')
    ]
    for flag in draw(st.lists(st.sampled_from(own), max_size=3)):
        argv.append(f'--{flag.names[0]}' if len(flag.names[0]) > 1 else f'-{flag.names[0]}')
        if flag.kind != 'bool':
            argv.append(draw(WORDS))
    return argv


@pytest.fixture
def model(model: fakes.Juju, charm: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> fakes.Juju:
    monkeypatch.setattr('sys.stdin.readline', lambda: 'y\n', raising=False)
    monkeypatch.setattr('sys.stdin.read', lambda: 'a: 1', raising=False)
    model('deploy', str(charm), 'a')
    model('deploy', str(charm), 'b', '--storage', 'files=1M,1')
    model('integrate', 'a:db', 'b:sink')
    return model


@settings(
    max_examples=examples(300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(argv=lines())
def test_whatever_is_typed_ends_well(model: fakes.Juju, argv: list[str]):
    reply = model.run(*argv)
    assert reply.code in (0, 1, 2)
    if reply.code:
        assert 'ERROR ' in reply.err


def test_dates_are_text_and_what_json_cannot_say_is_refused(model: fakes.Juju):
    model('run', 'a/0', 'do-thing', 'name=2026-11-22')
    (task,) = model.world().model.tasks.values()
    assert task.parameters['name'] == '2026-11-22'
    reply = model.run('run', 'a/0', 'do-thing', 'name=!!binary aGk=')
    assert (reply.code, 'cannot parse value' in reply.err) == (2, True)


def test_secrets_of_credentials_are_shown_on_request_only(
    model: fakes.Juju, tmp_path: pathlib.Path
):
    file = tmp_path / 'c.yaml'
    file.write_text('credentials: {aws: {c: {auth-type: x, access-key: id, secret-key: hunter2}}}')
    model('add-credential', 'aws', '--file', str(file))
    assert 'hunter2' not in model('credentials', '--format', 'json').out
    assert 'hunter2' in model('credentials', '--format', 'json', '--show-secrets').out
