"""What people check first: licence, authors, conduct, where to report, and who keeps what."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tomllib
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest
import yaml

from tools import charm_icons, charm_store

ROOT = pathlib.Path(__file__).parents[2]
CHARMS = sorted(one.parent for one in ROOT.glob('charms/*/charmcraft.yaml'))
REUSE = pathlib.Path(sys.executable).with_name('reuse')


def lint(folder: pathlib.Path) -> int:
    """The exit code of `reuse lint` in a folder."""
    return subprocess.run([REUSE, '--root', folder, 'lint', '-q'], check=False).returncode


def test_every_file_says_whose_it_is_and_under_which_licence() -> None:
    found = tomllib.loads((ROOT / 'REUSE.toml').read_text())['annotations']
    assert found[0]['path'] == '**'
    assert found[0]['SPDX-License-Identifier'] == 'Apache-2.0'
    assert (ROOT / 'LICENSES/Apache-2.0.txt').read_bytes() == (ROOT / 'LICENSE').read_bytes()


def test_a_tree_of_such_files_passes_reuse_and_one_without_the_annotation_does_not(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'LICENSES').mkdir()
    for name in ('REUSE.toml', 'LICENSES/Apache-2.0.txt', 'tools/site.py', 'docs/dmz.svg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    assert lint(tmp_path) == 0
    (tmp_path / 'REUSE.toml').write_text('version = 1\n')
    assert lint(tmp_path) != 0


def test_no_file_of_ours_names_another_licence() -> None:
    said = subprocess.run(
        ['git', 'grep', '-lE', 'SPDX-License-[I]dentifier: (GPL|LGPL|AGPL|MPL)'],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.stdout == ''


@pytest.mark.parametrize('part', ['charmkit', 'jujulet', 'lifecycle', 'matrix'])
def test_each_wheel_names_its_licence(part: str) -> None:
    said: dict[str, Any] = tomllib.loads((ROOT / part / 'pyproject.toml').read_text())
    assert said['project']['license'] == 'Apache-2.0'


def test_a_reader_finds_how_to_take_part_and_where_to_report() -> None:
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    for words in (
        '--signoff',
        'Developer Certificate of Origin',
        'SECURITY.md',
        'CODE_OF_CONDUCT.md',
        'GOVERNANCE.md',
        'AUTHORS',
    ):
        assert words in text
    for name in ('NOTICE', 'AUTHORS', 'SECURITY.md', 'CODE_OF_CONDUCT.md', 'GOVERNANCE.md'):
        assert (ROOT / name).is_file()
    assert 'in private' in (ROOT / 'SECURITY.md').read_text()


STATUSES = charm_store.STATUSES


def wrong(text: str, *, charm: bool = True) -> list[str]:
    """What is wrong with a file of maintainers."""
    read: object = yaml.safe_load(text)
    if not isinstance(read, dict):
        return ['it is a mapping']
    said = cast('dict[str, Any]', read)
    some: list[dict[str, Any]] = said.get('maintainers') or []
    problems = [] if some else ['maintainers: one at least']
    problems += [
        'each has a name and a contact: https://… or mailto:…'
        for one in some
        if not one.get('name') or not re.match('https://|mailto:', str(one.get('contact', '')))
    ]
    if charm and said.get('status') not in STATUSES:
        problems.append(f'status: one of {", ".join(STATUSES)}')
    return problems


@pytest.mark.parametrize('charm', CHARMS, ids=lambda one: one.name)
def test_each_charm_says_who_keeps_it_and_what_it_is(charm: pathlib.Path) -> None:
    path = charm / 'MAINTAINERS.yaml'
    assert path.is_file(), (
        f'{charm.name} has no MAINTAINERS.yaml: GOVERNANCE.md, or `make pages` for a beginning'
    )
    assert wrong(path.read_text()) == []


def test_the_whole_has_maintainers_and_what_is_wrong_is_noticed() -> None:
    assert wrong((ROOT / 'MAINTAINERS.yaml').read_text(), charm=False) == []
    assert wrong('[]') == ['it is a mapping']
    assert len(wrong('maintainers: []')) == 2
    assert wrong('{maintainers: [{name: a, contact: somewhere}], status: core}') == [
        'each has a name and a contact: https://… or mailto:…'
    ]
    assert set(STATUSES) <= {
        word.strip('| `')
        for word in (ROOT / 'GOVERNANCE.md').read_text().replace(' | ', '\n').splitlines()
    }


def test_what_charmhub_shows_of_each_charm_is_there_and_packed() -> None:
    found = [str(one.relative_to(ROOT)) for one in charm_store.stale(ROOT)]
    assert found == [], 'not as it should be: make pages'


@pytest.mark.parametrize('charm', CHARMS, ids=lambda one: one.name)
def test_each_icon_is_a_picture_of_its_own_as_charmhub_takes_them(charm: pathlib.Path) -> None:
    root = ET.parse(charm / 'icon.svg').getroot()  # noqa: S314
    assert (root.attrib['width'], root.attrib['height']) == ('100', '100')
    text = (charm / 'icon.svg').read_text()
    assert 'http' not in text.replace('http://www.w3.org/2000/svg', '')
    others = [one / 'icon.svg' for one in CHARMS if one != charm and (one / 'icon.svg').exists()]
    if text != charm_icons.icon('one without a drawing'):
        assert text not in [one.read_text() for one in others]


def test_what_somebody_wrote_by_hand_is_left_as_it_is(tmp_path: pathlib.Path) -> None:
    charm = tmp_path / 'charms/x'
    charm.mkdir(parents=True)
    (tmp_path / 'LICENSE').write_text('licence')
    (charm / 'charmcraft.yaml').write_text(
        'name: x\nlinks:\n  issues: https://a\nparts:\n  charm:\n    plugin: uv\nconfig: {}\n'
    )
    (charm / 'README.md').write_text('# By hand\n')
    for path, text in charm_store.stale(tmp_path).items():
        path.write_text(text)
    assert (charm / 'README.md').read_text() == '# By hand\n'
    said = yaml.safe_load((charm / 'charmcraft.yaml').read_text())
    assert said['links']['issues'] == 'https://a'
    assert said['links']['source'] == charm_store.REPOSITORY
    assert said['parts']['charm'] == {'plugin': 'uv'}
    assert said['parts']['store']['prime'] == ['LICENSE', 'README.md', 'icon.svg']
    assert charm_store.stale(tmp_path) == {}
    (charm / 'icon.svg').unlink()
    assert [one.name for one in charm_store.stale(tmp_path)] == ['icon.svg']
