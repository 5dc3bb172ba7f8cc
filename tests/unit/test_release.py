"""How a release is made: versions, notes, SBOMs, pinned bundles, pages, and steps that can be done again."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import subprocess

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tools.release import __main__ as command
from tools.release import notes, pages, pinned, sbom, steps, version

ROOT = pathlib.Path(__file__).parents[2]
DAY = datetime.date(2027, 2, 18)
FIRST = version.read('27.02')

versions = st.builds(version.Version, st.integers(2024, 2090), st.sampled_from(version.MONTHS))


@given(versions)
def test_a_version_is_read_as_it_is_written_and_they_go_on_by_the_calendar(one: version.Version):
    assert version.read(str(one)) == one
    assert one < one.following
    assert 13 * 7 - 7 <= (one.following.day - one.day).days <= 13 * 7 + 7
    assert one.day.weekday() == 3
    assert 15 <= one.day.day <= 21
    assert one.supported_until == one.following.following.day


def test_every_second_release_is_the_first_for_an_openstack():
    four = version.upcoming(FIRST)
    assert [str(one) for one in four] == ['27.02', '27.05', '27.08', '27.11']
    assert [one.openstack for one in four] == ['', '2027.1', '', '2027.2']


@pytest.mark.parametrize(
    'text', ['', '27.03', '2027.02', '27.2', '0.1.0', 'v27.02', '27.02\n', '27.02.1']
)
def test_what_is_no_version_is_refused_with_what_would_be_right(text: str):
    with pytest.raises(
        ValueError, match=r'is not a version: YY\.MM with MM one of 02, 05, 08, 11'
    ):
        version.read(text)


UNRELEASED = (
    '# Changes\n\nW.\n\n## Unreleased\n\n### Charms\n\n- one\n- two\n\n### jujulet\n\n- three\n'
)
DRAFT = '\n### jujulet\n\n- four\n\n### juju matrix\n\n- five\n\n'


def test_what_was_unreleased_becomes_the_release_with_the_fragments_below_their_parts():
    text = notes.merged(UNRELEASED, DRAFT, '27.02', DAY)
    assert 'Unreleased' not in text
    assert notes.of_release(text, '27.02') == (
        '## 27.02 (2027-02-18)\n\n### Charms\n\n- one\n- two\n\n### jujulet\n\n- three\n- four\n\n'
        '### juju matrix\n\n- five\n'
    )
    following = notes.merged(text, '### Charms\n\n- six\n', '27.05', DAY)
    assert following.index('27.05') < following.index('27.02')
    assert notes.of_release(following, '27.05') == '## 27.05 (2027-02-18)\n\n### Charms\n\n- six\n'
    assert notes.of_release(following, '27.02') == notes.of_release(text, '27.02')
    assert following.count(notes.MARK) == 1


def test_notes_that_cannot_be_made_say_why():
    text = notes.merged(UNRELEASED, '', '27.02', DAY)
    with pytest.raises(ValueError, match=r'has 27\.02 already'):
        notes.merged(text, DRAFT, '27.02', DAY)
    with pytest.raises(ValueError, match='nothing to release'):
        notes.merged(text, '', '27.05', DAY)
    with pytest.raises(ValueError, match='neither a section Unreleased nor the line'):
        notes.merged('# Changes\n', DRAFT, '27.02', DAY)


METADATA = 'Metadata-Version: 2.4\nName: Web_Socket.Client\nVersion: 1.9.2\nLicense-Expression: Apache-2.0\n\nWords'


def test_an_sbom_is_valid_names_every_package_and_says_nothing_of_where_it_was_made():
    found = sbom.package(METADATA)
    assert found == sbom.Package('web-socket-client', '1.9.2', 'Apache-2.0')
    assert found is not None
    some = [found, sbom.Package('charmkit', '27.2'), found]
    text = sbom.document('placement', '27.02', 'a' * 64, some, {'charmkit': '27.02'})
    assert steps.invalid(text) == ''
    assert text == sbom.document(
        'placement', '27.02', 'a' * 64, reversed(some), {'charmkit': '27.02'}
    )
    said = json.loads(text)
    assert [one['purl'] for one in said['components']] == [
        'pkg:pypi/charmkit@27.02', 'pkg:pypi/web-socket-client@1.9.2',
    ]  # fmt: skip
    assert 'timestamp' not in text


def test_an_sbom_that_is_none_is_noticed():
    text = sbom.document('placement', '27.02', 'no digest', [], {})
    assert 'no digest' in steps.invalid(text)
    assert sbom.package('Name: x\n') is None
    assert sbom.is_metadata('venv/lib/x-1.dist-info/METADATA')
    assert not sbom.is_metadata('venv/lib/x-1.dist-info/RECORD')


def test_a_pinned_bundle_names_revisions_and_is_the_same_in_all_else():
    bundle = (ROOT / 'bundles/core.yaml').read_text()
    names = {
        pathlib.PurePath(one['charm']).name
        for one in yaml.safe_load(bundle)['applications'].values()
    }
    revisions = {name: number for number, name in enumerate(sorted(names), start=10)}
    text = pinned.text(bundle, revisions, '27.02/stable')
    said, before = yaml.safe_load(text), yaml.safe_load(bundle)
    assert said['relations'] == before['relations']
    for name, one in said['applications'].items():
        charm = pathlib.PurePath(before['applications'][name]['charm']).name
        assert (one['charm'], one['channel'], one['revision']) == (
            charm,
            '27.02/stable',
            revisions[charm],
        )
        rest = {
            key: value for key, value in one.items() if key not in {'charm', 'channel', 'revision'}
        }
        assert rest == {
            key: value for key, value in before['applications'][name].items() if key != 'charm'
        }
    with pytest.raises(ValueError, match='the charm glance has no revision'):
        pinned.text(bundle, {name: 1 for name in revisions if name != 'glance'}, 'x')


@pytest.mark.parametrize(
    'name',
    [path.name for path in (ROOT / 'bundles').glob('*.yaml') if '../charms/' in path.read_text()],
)
def test_every_charm_of_every_bundle_can_be_pinned(name: str):
    charms = {path.parent.name: 1 for path in ROOT.glob('charms/*/charmcraft.yaml')}
    text = pinned.text((ROOT / 'bundles' / name).read_text(), charms, '27.02/stable')
    assert '../charms' not in text
    yaml.safe_load(text)


def test_the_pages_of_releases_are_those_that_the_charms_make():
    for path, text in steps.written(ROOT).items():
        assert (ROOT / path).read_text() == text, f'{path} is not what it should be: make pages'


def test_the_support_page_names_every_charm_and_where_a_release_comes_from():
    declared = {'a': {'releases': {'debian@12': 'zed'}, 'ways': ['replace']}}
    bases = {'debian@12': 'zed', 'debian@13': 'epoxy', 'ubuntu@24.04': 'caracal'}
    made = [FIRST, FIRST.following]
    text = pages.support(made, FIRST.following.following, declared, bases)
    assert '| 27.08 | 2027-08-19 | 2028-02-17 | 27.05 |' in text
    assert '| [a](charms/a.md) | zed | — | — | unit after unit, by new ones |' in text
    assert '| debian@12, zed | debian@13, epoxy |' in text
    assert '| ubuntu@24.04, caracal |' not in text.rpartition('What upgrades')[2]
    assert '27.02 | nothing' not in text


def git(folder: pathlib.Path, *words: str) -> str:
    who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false']
    done = subprocess.run(
        ['git', *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> pathlib.Path:
    """A repository in small."""
    root = tmp_path / 'repository'
    for part in steps.PARTS:
        (root / part).mkdir(parents=True)
        (root / part / 'pyproject.toml').write_text('[project]\nname = "x"\nversion = "0.1.0"\n')
    (root / 'tools/release').mkdir(parents=True)
    (root / steps.RELEASES).write_text("# Releases.\nnext: '27.02'\nmade: []\n")
    (root / 'docs/reference').mkdir(parents=True)
    (root / 'CHANGES.md').write_text(UNRELEASED)
    (root / '.gitignore').write_text('/build/\n')
    git(root, 'init', '-q', '-b', 'main')
    git(root, 'add', '.')
    git(root, 'commit', '-qm', 'first')
    return root


def release(root: pathlib.Path, **more: pathlib.Path) -> steps.Release:
    return dataclasses.replace(steps.Release(FIRST, root, root / 'build/release/27.02'), **more)


def test_the_release_is_a_commit_in_a_clone_and_the_repository_is_as_it_was(
    repository: pathlib.Path,
):
    before = git(repository, 'rev-parse', 'HEAD')
    of = release(repository)
    steps.check(of)
    steps.tree(of)
    first = git(of.tree, 'rev-parse', 'HEAD')
    assert git(of.tree, 'rev-parse', 'HEAD^') == before
    assert 'version = "27.02"' in (of.tree / 'matrix/pyproject.toml').read_text()
    assert '## 27.02 (2027-02-18)' in (of.tree / 'CHANGES.md').read_text()
    assert steps.released((of.tree / steps.RELEASES).read_text()) == (FIRST.following, (FIRST,))
    steps.tree(of)  # Again, it is the same commit.
    assert git(of.tree, 'rev-parse', 'HEAD') == first
    assert git(repository, 'rev-parse', 'HEAD') == before
    assert git(repository, 'status', '--porcelain') == ''


def test_what_cannot_be_released_is_refused(repository: pathlib.Path):
    (repository / 'CHANGES.md').write_text('x')
    with pytest.raises(steps.FailedError, match='changes that are in no commit'):
        steps.check(release(repository))
    (repository / 'CHANGES.md').write_text(UNRELEASED)
    late = dataclasses.replace(release(repository), version=version.read('26.11'))
    with pytest.raises(steps.FailedError, match=r'the next is 27\.02'):
        steps.check(late)
    git(repository, 'tag', '27.02')
    with pytest.raises(steps.FailedError, match=r'there is a tag 27\.02 already'):
        steps.check(release(repository))


def test_a_step_that_fails_leaves_nothing_half_done_and_the_next_call_goes_on_there(
    repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    calls: list[str] = []
    broken = [True]

    def one(name: str) -> steps.Step:
        def does(of: steps.Release) -> str:
            calls.append(name)
            with steps.made(of.out / name) as aside:
                (aside / 'file').write_text(name)
                if name == 'second' and broken:
                    raise steps.FailedError('no disk')
            return 'made'

        return steps.Step(name, '', does)

    checked = steps.Step('check', '', steps.check, always=True)
    monkeypatch.setattr(steps, 'STEPS', (checked, one('first'), one('second'), one('third')))
    of = release(repository)
    assert command.make(of, (), tagged=False) == 1
    assert capsys.readouterr().err == 'ERROR second: no disk\n'
    assert [path.name for path in of.out.iterdir()] == ['first']
    broken.clear()
    assert command.make(of, (), tagged=False) == 0
    assert calls == ['first', 'second', 'second', 'third']
    assert 'first      made (done before)' in capsys.readouterr().out
    # Another commit is another release: all is made again.
    (repository / 'CHANGES.md').write_text(UNRELEASED + '- more\n')
    git(repository, 'commit', '-qam', 'more')
    assert command.make(of, (), tagged=False) == 0
    assert calls[4:] == ['first', 'second', 'third']


def test_a_tag_is_signed_and_names_the_releases_commit(
    repository: pathlib.Path, tmp_path: pathlib.Path
):
    key = tmp_path / 'key'
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(key)], check=True)
    of = release(repository, key=key)
    steps.tree(of)
    (of.out / 'x').mkdir(parents=True)
    (of.out / 'x/y').write_text('published')
    assert steps.checksums(of) == '1 files, signed'
    assert steps.checksums(of) == '1 files, signed'  # Again, without asking.
    sums = (of.out / 'SHA256SUMS').read_text()
    assert sums.endswith('  x/y\n')
    public = (tmp_path / 'key.pub').read_text()
    (tmp_path / 'allowed').write_text(f'release@rambla.invalid {public}')
    verify = [
        'ssh-keygen',
        '-Y',
        'verify',
        '-f',
        str(tmp_path / 'allowed'),
        '-I',
        'release@rambla.invalid',
    ]
    verify += ['-n', 'rambla-release', '-s', str(of.out / 'SHA256SUMS.sig')]
    assert (
        subprocess.run(verify, input=sums, text=True, check=False, capture_output=True).returncode
        == 0
    )
    assert subprocess.run(
        verify, input=sums + 'x', text=True, check=False, capture_output=True
    ).returncode
    steps.tag(of)
    assert git(repository, 'rev-parse', '27.02^{commit}') == git(of.tree, 'rev-parse', 'HEAD')
    assert 'BEGIN SSH SIGNATURE' in git(repository, 'cat-file', 'tag', '27.02')
    assert git(repository, 'branch', '--show-current') == 'main'


def test_without_a_key_nothing_is_signed_or_tagged(repository: pathlib.Path):
    of = release(repository)
    steps.tree(of)
    of.out.mkdir()
    (of.out / 'SHA256SUMS.sig').write_text('of an earlier one')
    assert steps.checksums(of) == '0 files, not signed: no key was given'
    assert not (of.out / 'SHA256SUMS.sig').exists()
    with pytest.raises(steps.FailedError, match='a release is signed'):
        steps.tag(of)


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        (['27.03'], "'27.03' is not a version"),
        (['27.02', '--tag'], 'a release is signed: name a key'),
        (['27.02', '--tag', '--without', 'upgrade'], 'what is tagged is the whole release'),
        (['27.02', '--without', 'nothing'], "there is no step 'nothing'"),
        (['27.02', '--key', 'nowhere'], 'there is no key'),
    ],
)
def test_what_was_not_understood_is_said_with_exit_code_two(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
):
    assert command.main(words) == 2
    assert sentence in capsys.readouterr().err


def test_a_fragment_is_of_a_part_that_towncrier_knows():
    import tomllib

    said = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']['towncrier']
    parts = {one['directory'] for one in said['type']}
    for path in (ROOT / 'changes').glob('*.md'):
        if path.name != 'README.md':
            assert path.name.split('.')[-2] in parts, path.name
