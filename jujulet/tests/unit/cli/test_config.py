"""``juju config`` and ``--config`` take what Juju takes. Source: cmd/juju/config/config.go, cmd/juju/application."""

from __future__ import annotations

import os
import pathlib
import threading

import fakes
import pytest


@pytest.fixture
def tiny(model: fakes.Juju, charm: pathlib.Path) -> fakes.Juju:
    model('deploy', str(charm))
    return model


def error(juju: fakes.Juju, *words: str) -> tuple[int, str]:
    found = juju.run(*words)
    return found.code, found.err.strip()


def test_a_file_names_the_application(tiny: fakes.Juju, tmp_path: pathlib.Path):
    file = tmp_path / 'c.yaml'
    file.write_text('greet: flat\n')
    assert error(tiny, 'config', 'tiny', '--file', str(file)) == (
        1,
        'ERROR no settings found for "tiny"',
    )
    file.write_text('tiny: {greet: nested, count: "5"}\n')
    tiny('config', 'tiny', '--file', str(file))
    assert tiny('config', 'tiny', 'greet').out.strip() == 'nested'
    assert tiny('config', 'tiny', 'count').out.strip() == '5'


def test_a_number_in_a_file_is_no_text(tiny: fakes.Juju, tmp_path: pathlib.Path):
    """``1.10`` became ``1.1``: a bundle passed here and failed there."""
    file = tmp_path / 'c.yaml'
    file.write_text('tiny: {greet: 1.10}\n')
    assert error(tiny, 'config', 'tiny', '--file', str(file)) == (
        1,
        'ERROR option "greet" expected string, got 1.1',
    )
    tiny('config', 'tiny', 'greet=1.10')
    assert tiny('config', 'tiny', 'greet').out.strip() == '1.10'


def test_null_in_a_file_is_the_default(tiny: fakes.Juju, tmp_path: pathlib.Path):
    tiny('config', 'tiny', 'greet=hi')
    file = tmp_path / 'c.yaml'
    file.write_text('tiny: {greet: null}\n')
    tiny('config', 'tiny', '--file', str(file))
    assert tiny('config', 'tiny', 'greet').out.strip() == 'hello'


def test_one_key_is_not_set_and_reset(tiny: fakes.Juju):
    assert error(tiny, 'config', 'tiny', 'greet=hi', '--reset', 'greet') == (
        2,
        'ERROR cannot set and reset key "greet" simultaneously',
    )


def test_one_key_is_given_once(tiny: fakes.Juju):
    assert error(tiny, 'config', 'tiny', 'greet=a', 'greet=b') == (
        2,
        'ERROR key "greet" specified more than once',
    )


def test_the_file_of_a_value_has_a_bound(tiny: fakes.Juju, tmp_path: pathlib.Path):
    big = tmp_path / 'big'
    big.write_bytes(b'x' * ((5 << 20) + 1))
    assert error(tiny, 'config', 'tiny', f'greet=@{big}') == (
        1,
        'ERROR size of option file is larger than 5M',
    )


@pytest.mark.timeout(60)
def test_what_has_no_size_has_a_bound_too(
    tiny: fakes.Juju, tmp_path: pathlib.Path, charm: pathlib.Path
):
    larger = 'ERROR /dev/zero: larger than 16 MiB'
    assert error(tiny, 'config', 'tiny', 'greet=@/dev/zero') == (
        1,
        'ERROR size of option file is larger than 5M',
    )
    assert error(tiny, 'config', 'tiny', '--file', '/dev/zero') == (1, larger)
    assert error(tiny, 'run', 'tiny/0', 'act', '--params', '/dev/zero') == (1, larger)
    bundle = tmp_path / 'bundle.yaml'
    bundle.write_text(f'applications: {{a: {{charm: {charm}}}}}')
    assert error(tiny, 'deploy', str(bundle), '--overlay', '/dev/zero') == (1, larger)
    bundle.write_text(
        f'applications: {{a: {{charm: {charm}, options: {{greet: include-file:///dev/zero}}}}}}'
    )
    assert 'too large' in error(tiny, 'deploy', str(bundle))[1]
    assert 'too large' in error(tiny, 'add-secret', 's', 'key#file=/dev/zero')[1]


def test_a_file_that_is_no_text_is_told_by_its_name(tiny: fakes.Juju, tmp_path: pathlib.Path):
    file = tmp_path / 'f.yaml'
    file.write_bytes(b'\xff\xfe')
    assert error(tiny, 'config', 'tiny', '--file', str(file)) == (
        1,
        f'ERROR {file}: not text in UTF-8: invalid start byte',
    )


def test_a_pipe_is_a_file(tiny: fakes.Juju, tmp_path: pathlib.Path):
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=('greet: hi',))
    writer.start()
    tiny('config', 'tiny', f'greet=@{pipe}')
    writer.join()
    assert tiny('config', 'tiny', 'greet').out.strip() == 'greet: hi'


def test_trust_is_an_option_of_jujus_own(model: fakes.Juju, charm: pathlib.Path):
    model('deploy', str(charm), '--config', 'trust=true', '--config', 'greet=hi')
    assert model.world().model.applications['tiny'].trust
    model('config', 'tiny', 'trust=false')
    assert not model.world().model.applications['tiny'].trust
    assert error(model, 'config', 'tiny', 'trust=perhaps') == (
        1,
        'ERROR option "trust" expected boolean, got "perhaps"',
    )
