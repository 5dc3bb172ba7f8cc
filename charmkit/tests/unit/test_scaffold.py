"""`charmkit new`: each kind is a charm that lints and works as it comes; what cannot be made leaves nothing behind."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import pytest
import yaml
from charmkit import command, generate, scaffold
from charmkit.scaffold import creation, library, rendering
from hypothesis import given
from hypothesis import strategies as st

from . import new_charms

ROOT = pathlib.Path(__file__).parents[3]
LIBRARY = str(ROOT / 'charmkit')
LONGEST = 'a-name-as-long-as-one-may-be-x'
WHEEL = 'charmkit-0.1.0-py3-none-any.whl'


def files(folder: pathlib.Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob('*')}


@pytest.mark.parametrize('name', ['xy', LONGEST])
@pytest.mark.parametrize('kind', scaffold.KINDS)
def test_a_charm_lints_as_its_own_rules_say_whatever_its_name(
    kind: str, name: str, tmp_path: pathlib.Path
):
    assert (
        command.main(
            ['new', name, '--kind', kind, '--into', str(tmp_path), f'--library={LIBRARY}']
        )
        == 0
    )
    for argv in (['check'], ['format', '--check']):
        done = subprocess.run(
            [sys.executable, '-m', 'ruff', *argv, '--no-cache', '.'],
            cwd=tmp_path / name, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    'kind', [k if k == 'api' else pytest.param(k, marks=pytest.mark.slow) for k in scaffold.KINDS]
)
def test_its_unit_tests_pass(kind: str, tmp_path: pathlib.Path):
    charm = new_charms.copied(kind, tmp_path)
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-p', 'no:xdist', '.'],
        cwd=charm, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r'^\d+ passed', done.stdout, re.MULTILINE)


@pytest.mark.parametrize('kind', scaffold.KINDS)
def test_what_it_is_made_of(kind: str, tmp_path: pathlib.Path):
    charm = new_charms.copied(kind, tmp_path)
    found = files(charm)
    assert {'charmcraft.yaml', 'lifecycle.yaml', 'pyproject.toml', 'README.md', 'LICENSE', 'src/charm.py',
            'tests/unit/test_charm.py'} <= found  # fmt: skip
    assert not {f for f in found if '__' in f or f.endswith(('.j2', '.pyc'))}
    assert generate.stale([charm]) == {}
    assert files(charm) == found
    said = yaml.safe_load((charm / 'charmcraft.yaml').read_text())
    assert said['parts']['charm'] == {'plugin': 'uv', 'source': '.', 'build-snaps': ['astral-uv']}
    for path in charm.rglob('*'):
        if path.is_file():
            assert '{{' not in path.read_text()
            assert '{%' not in path.read_text()


def test_a_charm_is_a_page(tmp_path: pathlib.Path):
    charm = new_charms.copied('api', tmp_path)
    assert len((charm / 'src/charm.py').read_text().splitlines()) <= 70


def test_of_charmkits_own_repository_it_is_one_like_the_others(tmp_path: pathlib.Path):
    (tmp_path / 'charms').mkdir()
    (tmp_path / 'charmkit').mkdir()
    (tmp_path / 'charmkit/pyproject.toml').write_text('name = "charmkit"\n')
    argv = ['new', 'mine', '--into', str(tmp_path / 'charms'), f'--library={tmp_path}/charmkit']
    assert command.main(argv) == 0
    here = tmp_path / 'charms/mine'
    theirs = (ROOT / 'charms/placement/pyproject.toml').read_text()
    assert (here / 'pyproject.toml').read_text() == theirs.replace('placement', 'mine')
    part = yaml.safe_load((here / 'charmcraft.yaml').read_text())['parts']['charm']
    assert (part['source'], part['source-subdir']) == ('../..', 'charms/mine')


# What cannot be made.


@pytest.mark.parametrize(
    ('argv', 'said'),
    [
        (['My_Charm'], "'My_Charm' cannot be the name of a charm: it has small letters"),
        (['a--b'], 'cannot be the name of a charm'),
        (['-x'], 'cannot be the name of a charm'),
        (['../x'], 'cannot be the name of a charm'),
        (['x/y'], 'cannot be the name of a charm'),
        (['x\ny'], r"'x\ny' cannot be the name of a charm"),
        (['a-1'], 'cannot be the name of a charm'),
        (['ÿ'], 'cannot be the name of a charm'),
        (['x' * 31], 'it has 31 letters, more than 30'),
        (['json'], 'a module of Python would have the same name'),
        (['class'], 'a module of Python would have the same name'),
        (['charm'], 'a module of Python would have the same name'),
        (['apache2'], 'something else has that name on each unit'),
        (['performance-schema'], 'something else has that name on each unit'),
        (['mysql'], 'put a word before it, as in my-mysql'),
        (['true'], 'it is no text in YAML; put a word before it, as in my-true'),
        (['off'], 'it is no text in YAML'),
        (['null'], 'it is no text in YAML'),
        (['openstack-healthy'], 'something else has that name on each unit'),
        (['mine', '--kind', 'nova'], "'nova' is no kind of charm: take one of api, neutron-plugin, "),
        (['there'], 'there is there already: nothing of it was changed'),
        (['dangling'], 'dangling is there already: nothing of it was changed'),
        (['mine', '--into', 'no/such'], 'no/such is not a folder'),
        (['mine', '--into', 'a-file'], 'a-file is not a folder'),
        (['mine', '--library', 'nothing.whl'], 'nothing.whl: neither a wheel of charmkit'),
        (['mine', '--library', 'a-file'], 'a-file: neither a wheel of charmkit'),
        (['mine', '--library', 'charmkit-1e9-py3-none-any.whl'], 'neither a wheel of charmkit'),
    ],
)  # fmt: skip
def test_one_sentence_and_nothing_half_made(
    argv: list[str], said: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'there').mkdir()
    (tmp_path / 'there/mine').write_text('precious')
    (tmp_path / 'dangling').symlink_to('nowhere')
    (tmp_path / 'a-file').touch()
    (tmp_path / 'charmkit-1e9-py3-none-any.whl').touch()
    before = files(tmp_path)
    separate = ['--', argv[0]] if argv[0].startswith('-') else [argv[0]]
    assert command.main(['new', *argv[1:], *separate]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count('\n') == 1
    assert files(tmp_path) == before
    assert (tmp_path / 'there/mine').read_text() == 'precious'


def test_what_fails_in_the_middle_leaves_nothing(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def full(_: object) -> dict[pathlib.Path, str]:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(generate, 'stale', full)
    assert command.main(['new', 'mine', '--into', str(tmp_path), f'--library={LIBRARY}']) == 2
    assert capsys.readouterr().err.endswith('it cannot be written: No space left on device\n')
    assert files(tmp_path) == set()


def test_a_folder_that_comes_meanwhile_is_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    right = rendering.render

    def slow(wanted: scaffold.Wanted) -> dict[str, str]:
        (tmp_path / 'mine').mkdir()
        (tmp_path / 'mine/file').write_text('precious')
        return right(wanted)

    monkeypatch.setattr(rendering, 'render', slow)
    assert command.main(['new', 'mine', '--into', str(tmp_path), f'--library={LIBRARY}']) == 2
    assert 'mine is there already' in capsys.readouterr().err
    assert files(tmp_path) == {'mine', 'mine/file'}


def test_without_jinja_it_says_what_to_install(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in [m for m in sys.modules if m == 'jinja2' or m.startswith('charmkit.scaffold.')]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(scaffold, 'creation', raising=False)
    monkeypatch.delattr(scaffold, 'rendering', raising=False)
    monkeypatch.setitem(sys.modules, 'jinja2', None)
    assert command.main(['new', 'mine', '--into', str(tmp_path)]) == 2
    assert "pip install 'charmkit[author]'" in capsys.readouterr().err


@given(st.text(max_size=40))
def test_a_name_is_a_charms_or_a_sentence_says_why(name: str):
    problem = scaffold.problem_of_name(name)
    assert problem.isprintable()
    assert problem or (re.fullmatch(r'[a-z][a-z0-9-]{0,29}', name) and '--' not in name)


# The library of a charm.


def test_a_wheel_goes_with_the_charm(tmp_path: pathlib.Path):
    wheel = tmp_path / WHEEL
    wheel.write_bytes(b'a wheel')
    assert command.main(['new', 'mine', '--into', str(tmp_path), f'--library={wheel}']) == 0
    assert (tmp_path / 'mine/wheels' / WHEEL).read_bytes() == b'a wheel'
    project = (tmp_path / 'mine/pyproject.toml').read_text()
    assert f'charmkit = {{ path = "wheels/{WHEEL}" }}' in project
    assert '"charmkit>=0.1.0,<0.2"' in project


@pytest.mark.parametrize(
    ('origin', 'expected'),
    [
        ({}, ''),
        ({'url': 'https://example.com/charmkit-0.1.0-py3-none-any.whl'}, ''),
        ({'url': 'file:///gone/charmkit-0.1.0-py3-none-any.whl'}, ''),
        ({'url': 'file://WHEEL'}, f'wheels/{WHEEL}'),
    ],
)
def test_by_default_it_is_the_one_that_this_command_was_installed_from(
    origin: dict[str, str], expected: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / 'with space'
    folder.mkdir()
    (folder / WHEEL).touch()
    place = (folder / WHEEL).as_uri().removeprefix('file://')
    said = json.loads(json.dumps(origin).replace('WHEEL', place))
    monkeypatch.setattr(library, '_origin', lambda: said)
    found = library.at_work(tmp_path / 'mine')
    assert found.library.source == expected
    assert bool(found.wheel) is bool(expected)


@pytest.mark.parametrize(
    ('version', 'requirement'),
    [('0.1.0', 'charmkit>=0.1.0,<0.2'), ('1.12.3', 'charmkit>=1.12.3,<1.13'), ('26.10', 'charmkit>=26.10,<26.11')],
)  # fmt: skip
def test_a_charm_asks_for_a_library_whose_api_stays(version: str, requirement: str):
    assert scaffold.Library(version).requirement == requirement


def test_the_command_that_is_installed_is_this_one():
    project = (ROOT / 'charmkit/pyproject.toml').read_text()
    assert 'charmkit = "charmkit.command:main"' in project
    assert creation.RefusedError.__doc__


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        (None, 'has no src/charm.py'),
        ('def (', 'SyntaxError: '),
        ('import nothing_of_the_kind\n', "No module named 'nothing_of_the_kind'"),
        ('raise SystemExit("bye")\n', 'SystemExit: bye'),
        ('x = 1\n', 'has 0 charms, not one'),
    ],
)
def test_what_cannot_be_generated_is_said_in_a_sentence(
    text: str | None, said: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    charm = new_charms.copied('monitoring', tmp_path)
    (charm / 'src/charm.py').write_text(text) if text else (charm / 'src/charm.py').unlink()
    assert command.main(['generate', str(charm)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count('\n') == 1


@pytest.mark.parametrize(
    ('old', 'new', 'said'),
    [
        ('name: ', 'name: [', 'charmcraft.yaml: not valid YAML: '),
        ('name: ', '- name: ', 'charmcraft.yaml: not valid YAML: '),
        (None, '- a\n', 'charmcraft.yaml: it is no mapping of names to values'),
    ],
)
def test_nothing_is_written_into_what_cannot_be_read(
    old: str | None, new: str, said: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):  # fmt: skip
    charm = new_charms.copied('monitoring', tmp_path)
    path = charm / 'charmcraft.yaml'
    path.write_text(path.read_text().replace(old, new, 1) if old else new)
    before = path.read_bytes()
    assert command.main(['generate', str(charm)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count('\n') == 1
    assert path.read_bytes() == before


def test_a_declaration_that_cannot_be_is_said_by_its_folder(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    charm = new_charms.copied('api', tmp_path)
    path = charm / 'src/charm.py'
    path.write_text(path.read_text().replace('needs=(DB, IDENTITY)', 'needs=(DB)'))
    assert command.main(['generate', str(charm)]) == 2
    assert capsys.readouterr().err == (
        f'charmkit: {charm}: my-charm: needs holds several, and has one alone: write needs=(Need(…),)\n'
    )


def test_generating_what_is_up_to_date_changes_nothing(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    charm = new_charms.copied('api', tmp_path)
    assert command.main(['generate', '--check', str(charm)]) == 0
    (charm / 'lifecycle.yaml').write_text('version: 0\n')
    assert command.main(['generate', '--check', str(charm)]) == 1
    assert command.main(['generate', str(charm)]) == 0
    assert 'lifecycle.yaml' in capsys.readouterr().out
    assert command.main(['generate', '--check', str(charm)]) == 0
