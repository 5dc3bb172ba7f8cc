"""A folder or an archive becomes a charm that runs, whole or not at all; hostile archives are refused."""

from __future__ import annotations

import os
import pathlib
import stat
import zipfile

import pytest

from jujulet import charmdir
from jujulet.charmdir import dependencies, tree
from jujulet.core import bases, charm

DEBIAN12 = bases.parse('debian@12')
DEBIAN13 = bases.parse('debian@13')


def write(folder: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def classic(folder: pathlib.Path) -> pathlib.Path:
    write(
        folder,
        {
            'metadata.yaml': 'name: old\nsummary: s\n',
            'config.yaml': 'options: {}\n',
            'hooks/common': '#!/bin/sh\necho $0\n',
            'version': 'v1.2-3\n',
            '.git/config': 'x',
            'lib/__pycache__/x.pyc': 'x',
        },
    )
    (folder / 'hooks/install').symlink_to('common')
    return folder


def stored(store: pathlib.Path, found: charm.Charm) -> pathlib.Path:
    return store / 'charms' / found.digest


def names(folder: pathlib.Path) -> set[str]:
    return {name for name, _ in tree.walk(folder)}


def test_a_profile_is_read_as_the_text_that_stands_there(tmp_path: pathlib.Path):
    folder = classic(tmp_path / 'c')
    text = 'config: {security.nesting: true}\ndevices: {tun: {type: unix-char, path: /dev/net/tun, mode: 0666}}\n'
    write(folder, {'lxd-profile.yaml': text})
    profile = charmdir.load(folder, DEBIAN12, tmp_path / 's').profile
    assert profile is not None
    assert profile.config == {'security.nesting': 'true'}
    assert profile.devices['tun']['mode'] == '0666'


def test_a_bad_profile_is_one_clear_error(tmp_path: pathlib.Path):
    folder = write(classic(tmp_path / 'c'), {'lxd-profile.yaml': 'devices: [x]\n'})
    with pytest.raises(charm.Invalid, match=r'lxd-profile.yaml: devices: must be a mapping'):
        charmdir.read(folder)


@pytest.mark.parametrize('shipped', [True, False])
def test_a_profile_counts_only_where_a_part_ships_it(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, shipped: bool
):
    craft = 'name: new\nparts:\n  files:\n   plugin: dump\n   source: .\n   prime: [hooks{}]\n'
    folder = write(
        tmp_path / 'c',
        {
            'charmcraft.yaml': craft.format(', lxd-profile.yaml' if shipped else ''),
            'hooks/install': '#!/bin/sh\n',
            'lxd-profile.yaml': 'config: {security.nesting: true}\n',
        },
    )
    found = charmdir.load(folder, DEBIAN12, tmp_path / 's')
    assert (found.profile is not None) == shipped
    assert ('is in no part of charmcraft.yaml' in caplog.text) != shipped


def test_a_classic_charm_is_taken_as_it_is(tmp_path: pathlib.Path):
    found = charmdir.load(classic(tmp_path / 'c'), DEBIAN12, tmp_path / 's')
    folder = stored(tmp_path / 's', found)
    assert names(folder) == {
        'metadata.yaml', 'config.yaml', 'hooks/common', 'hooks/install', 'version', 'manifest.yaml',
    }  # fmt: skip
    assert os.readlink(folder / 'hooks/install') == 'common'
    assert (folder / 'hooks/common').stat().st_mode & stat.S_IXUSR
    assert found.version == 'v1.2-3'


def test_the_same_folder_is_the_same_charm_and_an_edit_another(tmp_path: pathlib.Path):
    folder = classic(tmp_path / 'c')
    first = charmdir.load(folder, DEBIAN12, tmp_path / 's').digest
    assert charmdir.load(folder, DEBIAN12, tmp_path / 's').digest == first
    (folder / 'hooks/common').write_text('#!/bin/sh\nexit 1\n')
    assert charmdir.load(folder, DEBIAN12, tmp_path / 's').digest != first


def test_reading_makes_nothing(tmp_path: pathlib.Path):
    folder = classic(tmp_path / 'c')
    before = sorted(tmp_path.rglob('*'))
    assert charmdir.read(folder).name == 'old'
    assert sorted(tmp_path.rglob('*')) == before


def test_a_link_out_of_the_charm_is_refused(tmp_path: pathlib.Path):
    folder = classic(tmp_path / 'c')
    (folder / 'hooks/start').symlink_to('/etc/passwd')
    with pytest.raises(charm.Invalid, match='a link out of the charm'):
        charmdir.load(folder, DEBIAN12, tmp_path / 's')
    assert not list((tmp_path / 's').glob('charms/*'))


@pytest.mark.parametrize(
    ('files', 'says'),
    [
        ({}, 'neither charmcraft.yaml nor metadata.yaml'),
        ({'bundle.yaml': ''}, 'holds a bundle'),
        ({'metadata.yaml': 'name: [\n'}, 'metadata.yaml:2: not valid YAML'),
        ({'charmcraft.yaml': 'name: a\nparts: {charm: {plugin: uv}}'}, 'there is no src/charm.py'),
        (
            {'charmcraft.yaml': 'name: a\nparts: {charm: {plugin: uv}}', 'src/charm.py': ''},
            'plugin "uv" needs',
        ),
        (
            {'charmcraft.yaml': 'name: a\nparts: {charm: {plugin: charm, source: gone}}'},
            'is not a folder',
        ),
    ],
)
def test_what_is_no_charm_is_refused_and_leaves_nothing(
    tmp_path: pathlib.Path, files: dict[str, str], says: str
):
    folder = tmp_path / 'c'
    folder.mkdir()
    with pytest.raises(charm.Invalid) as caught:
        charmdir.load(write(folder, files), DEBIAN12, tmp_path / 's')
    assert says in str(caught.value)
    assert not list((tmp_path / 's').rglob('*'))


def test_a_path_where_nothing_is(tmp_path: pathlib.Path):
    with pytest.raises(charm.Invalid, match='no charm was found'):
        charmdir.read(tmp_path / 'gone')


def test_an_index_that_cannot_be_reached_is_said_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    files = {
        'charmcraft.yaml': 'name: app\nparts: {charm: {plugin: uv}}\n',
        'src/charm.py': '',
        'pyproject.toml': '[project]\nname = "a"\nversion = "0"\ndependencies = ["is-nowhere>=3"]\n',
    }
    folder = write(tmp_path / 'c', files)
    monkeypatch.setenv('UV_DEFAULT_INDEX', 'http://user:pa55word@127.0.0.1:9/simple')
    monkeypatch.setenv('UV_CACHE_DIR', str(tmp_path / 'cache'))
    monkeypatch.setenv('UV_HTTP_RETRIES', '0')
    monkeypatch.setenv('UV_NO_CONFIG', '1')
    with pytest.raises(charm.Invalid, match='cannot install the Python dependencies') as caught:
        charmdir.load(folder, DEBIAN12, tmp_path / 's')
    told = str(caught.value)
    assert 'charm "app" for debian@12 (Python 3.11)' in told
    assert 'index cannot be reached' in told
    assert 'pa55word' not in told
    assert not [p for p in (tmp_path / 's').rglob('*') if p.is_file()]


@pytest.mark.parametrize(
    ('there', 'said', 'certs'), [(True, None, '1'), (False, None, ''), (True, '0', '0')]
)
def test_uv_trusts_whom_the_system_trusts(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    there: bool,
    said: str | None,
    certs: str,
):
    program = tmp_path / 'bin' / 'uv'
    write(program.parent, {'uv': '#!/bin/sh\necho "certs=$UV_SYSTEM_CERTS." >&2\nexit 1\n'})
    program.chmod(0o755)
    monkeypatch.setenv('PATH', f'{program.parent}:/usr/bin:/bin')
    store = tmp_path / 'ca-certificates.crt'
    if there:
        store.write_text('a company')
    monkeypatch.setattr(dependencies, 'CERTIFICATES', store)
    monkeypatch.delenv('UV_SYSTEM_CERTS', raising=False)
    if said is not None:
        monkeypatch.setenv('UV_SYSTEM_CERTS', said)
    files = {
        'charmcraft.yaml': 'name: app\nparts: {charm: {plugin: uv}}\n',
        'src/charm.py': '',
        'pyproject.toml': '[project]\nname = "a"\nversion = "0"\ndependencies = ["is-nowhere>=3"]\n',
    }
    with pytest.raises(charm.Invalid) as caught:
        charmdir.load(write(tmp_path / 'c', files), DEBIAN12, tmp_path / 's')
    assert f'certs={certs}.' in str(caught.value)


def test_without_uv_it_says_how_to_get_it(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setattr('sys.executable', str(tmp_path / 'python'))
    with pytest.raises(charm.Invalid, match='pip install uv'):
        dependencies.uv()


def archive(path: pathlib.Path, entries: dict[str, tuple[int, str]]) -> pathlib.Path:
    with zipfile.ZipFile(path, 'w') as zipped:
        for name, (mode, text) in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            entry.external_attr = mode << 16
            zipped.writestr(entry, text)
    return path


FILE, EXECUTABLE, LINK = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755, stat.S_IFLNK | 0o777
GOOD = {
    'metadata.yaml': (FILE, 'name: z\nsummary: s\n'),
    'manifest.yaml': (FILE, 'bases: [{name: ubuntu, channel: "24.04"}]'),
    'dispatch': (EXECUTABLE, '#!/bin/sh\n'),
    'hooks/install': (LINK, '../dispatch'),
    'src/charm.py': (FILE, ''),
}


def test_an_archive_keeps_links_and_executable_bits(tmp_path: pathlib.Path):
    found = charmdir.load(
        archive(tmp_path / 'z.charm', GOOD), DEBIAN12, tmp_path / 's', force=True
    )
    folder = stored(tmp_path / 's', found)
    assert os.readlink(folder / 'hooks/install') == '../dispatch'
    assert os.access(folder / 'dispatch', os.X_OK)
    assert not (folder / 'src/charm.py').stat().st_mode & 0o111
    assert [str(b) for b in found.bases] == ['ubuntu@24.04']


@pytest.mark.parametrize(
    ('bad', 'says'),
    [
        ({'../evil': (FILE, 'x')}, 'leads outside'),
        ({'a/../../evil': (FILE, 'x')}, 'leads outside'),
        ({'/etc/evil': (FILE, 'x')}, 'leads outside'),
        ({'out': (LINK, '../../etc')}, 'link "out" leads outside'),
        ({'abs': (LINK, '/etc/passwd')}, 'link "abs" leads outside'),
        ({'d': (LINK, 'src'), 'd/evil': (FILE, 'x')}, 'behind a link'),
    ],
)
def test_a_hostile_archive_is_refused_whole(
    tmp_path: pathlib.Path, bad: dict[str, tuple[int, str]], says: str
):
    packed = archive(tmp_path / 'z.charm', {**GOOD, **bad})
    with pytest.raises(charm.Invalid, match='refused') as caught:
        charmdir.load(packed, DEBIAN12, tmp_path / 's')
    assert says in str(caught.value)
    assert {p.name for p in tmp_path.rglob('*')} <= {'z.charm', 's', 'charms'}


def test_what_is_no_archive_is_refused(tmp_path: pathlib.Path):
    (tmp_path / 'z.charm').write_text('hello')
    with pytest.raises(charm.Invalid, match='not a zip file'):
        charmdir.read(tmp_path / 'z.charm')
    with pytest.raises(charm.Invalid, match=r'no metadata\.yaml'):
        charmdir.read(archive(tmp_path / 'y.charm', {'a': (FILE, '')}))


SITE = 'venv/lib/python3.12/site-packages'


def test_modules_compiled_for_another_python_are_refused(tmp_path: pathlib.Path):
    compiled = {**GOOD, f'{SITE}/x/_c.cpython-312-x86_64-linux-gnu.so': (FILE, '')}
    packed = archive(tmp_path / 'z.charm', compiled)
    with pytest.raises(
        charm.Invalid, match=r'packed for Python 3\.12 .* debian@13 has Python 3\.13'
    ):
        charmdir.load(packed, DEBIAN13, tmp_path / 's')
    charmdir.load(packed, bases.parse('ubuntu@24.04'), tmp_path / 's')
    charmdir.load(packed, DEBIAN13, tmp_path / 's', force=True)


def test_plain_python_packed_for_another_version_is_found(tmp_path: pathlib.Path):
    plain = {**GOOD, f'{SITE}/x/__init__.py': (FILE, '')}
    found = charmdir.load(archive(tmp_path / 'z.charm', plain), DEBIAN13, tmp_path / 's')
    lib = stored(tmp_path / 's', found) / 'venv/lib'
    assert (lib / 'python3.13/site-packages/x/__init__.py').is_file()


def test_resources_are_kept_by_what_they_are(tmp_path: pathlib.Path):
    (tmp_path / 'r.txt').write_text('hello')
    declared = {
        'r': charm.ResourceMeta('r', filename='res.txt'),
        'i': charm.ResourceMeta('i', 'oci-image'),
    }
    found = charm.Charm('', 'c', 0, '', resources=declared)
    kept = charmdir.resources(found, {'r': tmp_path / 'r.txt'}, tmp_path / 's')['r']
    assert (kept.filename, kept.size) == ('res.txt', 5)
    assert (tmp_path / 's/blobs' / kept.digest).read_text() == 'hello'
    for given, says in (
        ({'x': 'r.txt'}, 'unrecognized resource "x"; charm "c" has: i, r'),
        ({'r': '/gone'}, 'is not a file'),
        ({'i': 'r.txt'}, 'only Kubernetes charms use'),
    ):
        with pytest.raises(charm.Invalid) as caught:
            charmdir.resources(found, given, tmp_path / 's')
        assert says in str(caught.value)


def test_a_folder_made_meanwhile_by_another_is_kept(tmp_path: pathlib.Path):
    final = tmp_path / 'f'
    with tree.making(final) as ours:
        (ours / 'x').write_text('ours')
        with tree.making(final) as theirs:
            (theirs / 'x').write_text('theirs')
    assert (final / 'x').read_text() == 'theirs'
    assert [p.name for p in tmp_path.iterdir()] == ['f']
