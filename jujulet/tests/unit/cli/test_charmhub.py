"""Charms and bundles by their names on Charmhub, against one of our own on loopback.

Source: internal/charmhub of Juju 3.6, cmd/juju/charmhub, cmd/juju/application.
"""

from __future__ import annotations

import io
import json
import pathlib
import zipfile
from collections.abc import Iterator

import charmhub_server
import fakes
import pytest

from jujulet import charmhub, paths
from jujulet.core import refusal


def packed(folder: pathlib.Path, **more: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, 'w') as archive:
        for path in sorted(folder.rglob('*')):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
        for name, text in more.items():
            archive.writestr(name.replace('_', '.'), text)
        archive.writestr(
            'manifest.yaml', 'bases: [{name: ubuntu, channel: "24.04", architectures: [amd64]}]\n'
        )
    return data.getvalue()


@pytest.fixture
def hub(
    model: fakes.Juju, charm: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[charmhub_server.Charmhub]:
    """One with the charm ``tiny``: revision 3 in stable, 5 in edge, and its resource."""
    with charmhub_server.served() as found:
        monkeypatch.setenv(charmhub.URL, found.url)
        monkeypatch.delenv(charmhub.OFFLINE, raising=False)
        found.publish('tiny', 3, packed(charm, version='three'), summary='A tiny charm')
        found.publish(
            'tiny', 5, packed(charm, version='five'), channel='latest/edge',
            resources={'data': (7, b'seven')},
        )  # fmt: skip
        yield found


def error(juju: fakes.Juju, *words: str) -> str:
    found = juju.run(*words)
    assert found.code == 1
    assert found.err.strip().count('\n') == 0 or 'Located' in found.err
    return found.err.strip().splitlines()[-1]


def test_a_charm_is_deployed_by_its_name(model: fakes.Juju, hub: charmhub_server.Charmhub):
    said = model('deploy', 'tiny').err
    assert 'Located charm "tiny" in charm-hub, revision 3' in said
    assert (
        'charm-hub charm "tiny", revision 3 in channel latest/stable on ubuntu@24.04/stable'
        in said
    )
    application = model.world().model.applications['tiny']
    assert model.world().model.charms[application.charm].version == 'three'
    assert application.resources['data'].size == len(b'seven')


def test_by_channel_and_by_revision(model: fakes.Juju, hub: charmhub_server.Charmhub):
    model('deploy', 'ch:tiny', 'e', '--channel', 'edge')
    model('deploy', 'tiny', 'r', '--revision', '3', '--channel', 'edge')
    versions = [
        model.world().model.charms[model.world().model.applications[name].charm].version
        for name in ('e', 'r')
    ]
    assert versions == ['five', 'three']
    assert error(model, 'deploy', 'tiny', '--channel', '9/stable').startswith(
        'ERROR Charmhub has no such "tiny": '
    )
    assert 'No revision was found' in error(
        model, 'deploy', 'tiny', '--revision', '99', '--channel', 'edge'
    )
    assert 'requires a channel' in error(model, 'deploy', 'tiny', '--revision', '3')
    model('refresh', 'r')
    world = model.world().model
    assert world.charms[world.applications['r'].charm].version == 'five'
    assert model.run('deploy', 'tiny', '--revision', 'x').code == 2


def test_charmhub_is_asked_for_no_debian(model: fakes.Juju, hub: charmhub_server.Charmhub):
    said = model('deploy', 'tiny', 'd', '--base', 'debian@12').err
    assert 'though only Ubuntu is named: tiny' in said
    assert str(model.world().model.applications['d'].base) == 'debian@12'
    model('refresh', 'd', '--channel', 'edge')
    model('deploy', 'tiny', 'u', '--base', 'ubuntu@24.04')
    assert 'Invalid charm base' in error(model, 'deploy', 'tiny', 'v', '--base', 'ubuntu@22.04')


def test_what_was_had_is_not_asked_for_again(model: fakes.Juju, hub: charmhub_server.Charmhub):
    model('deploy', 'tiny', 'a')
    model('deploy', 'tiny', 'b')
    assert sum(path.startswith('/api/v1/charm/') for path in hub.asked) == 1
    hub.asked.clear()
    model('deploy', 'tiny', 'c', '--offline')
    assert hub.asked == []
    assert error(model, 'deploy', 'tiny', 'd', '--channel', 'edge', '--offline') == (
        'ERROR "tiny" is not here: it was never asked for so, and Charmhub is not asked'
    )


def test_what_comes_damaged_is_refused_and_not_kept(
    model: fakes.Juju, hub: charmhub_server.Charmhub
):
    hub.spoilt = True
    assert 'came damaged: its sha256 is' in error(model, 'deploy', 'tiny')
    assert not model.world().model.applications
    hub.spoilt = False
    model('deploy', 'tiny')


def test_what_was_damaged_on_this_disk_is_had_again(
    model: fakes.Juju, hub: charmhub_server.Charmhub
):
    model('deploy', 'tiny', 'a')
    (kept,) = (paths.root() / 'charmhub').glob('*/tiny.charm')
    kept.write_bytes(b'rubbish')
    model('deploy', 'tiny', 'b')
    assert zipfile.is_zipfile(kept)


def test_a_refresh_asks_in_the_channel_that_it_came_from(
    model: fakes.Juju, hub: charmhub_server.Charmhub, charm: pathlib.Path
):
    model('deploy', 'tiny')
    assert 'charm "tiny": already up-to-date' in model('refresh', 'tiny').err
    hub.publish('tiny', 4, packed(charm, version='four'))
    model('refresh', 'tiny')
    world = model.world().model
    assert world.charms[world.applications['tiny'].charm].version == 'four'
    model('refresh', 'tiny', '--channel', 'edge')
    world = model.world().model
    assert world.charms[world.applications['tiny'].charm].version == 'five'


def test_an_alias_comes_first(
    model: fakes.Juju, hub: charmhub_server.Charmhub, charm: pathlib.Path
):
    model('alias', 'tiny', str(charm))
    model('deploy', 'tiny')
    assert hub.asked == []


def test_a_bundle_names_charms(
    model: fakes.Juju, hub: charmhub_server.Charmhub, tmp_path: pathlib.Path
):
    text = (
        'applications:\n'
        '  one: {charm: tiny, channel: edge, num_units: 1, resources: {data: 7}}\n'
        '  two: {charm: tiny, revision: 3, num_units: 1, base: ubuntu@24.04/stable}\n'
    )
    bundle = tmp_path / 'b.yaml'
    bundle.write_text(text)
    model('deploy', str(bundle))
    world = model.world().model
    assert [world.charms[world.applications[n].charm].version for n in ('one', 'two')] == [
        'five',
        'three',
    ]
    bundle.write_text(text.replace('data: 7', 'data: 6').replace('one:', 'three:'))
    assert 'resource "data": revision 6 is not what Charmhub gives' in error(
        model, 'deploy', str(bundle)
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, 'w') as archive:
        archive.writestr('bundle.yaml', text.replace('one:', 'five:').replace('two:', 'six:'))
    hub.publish('whole', 1, data.getvalue(), type='bundle')
    model('deploy', 'whole')
    assert {'five', 'six'} <= model.world().model.applications.keys()


def test_download_info_and_find(
    model: fakes.Juju,
    hub: charmhub_server.Charmhub,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
):
    monkeypatch.chdir(tmp_path)
    model('download', 'tiny', '--channel', 'edge', '--resources')
    assert zipfile.is_zipfile('tiny_r5.charm')
    assert pathlib.Path('data_r7').read_bytes() == b'seven'
    model('deploy', './tiny_r5.charm', 'p')
    shown = json.loads(model('info', 'tiny', '--format', 'json').out)
    assert shown['channels']['latest/edge'] == {
        'revision': 5,
        'version': '5',
        'bases': ['ubuntu@24.04'],
    }
    assert shown['summary'] == 'A tiny charm'
    assert 'A tiny charm' in model('find', 'tin').out
    assert model('find', 'zz').out == 'No matching charms or bundles\n'
    for words in (('info', 'zz'), ('download', 'zz'), ('deploy', 'zz')):
        assert error(model, *words) == 'ERROR charm or bundle "zz" not found on Charmhub'


def test_without_a_network_there_is_one_clear_error(
    model: fakes.Juju, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(charmhub.URL, 'http://127.0.0.1:9')
    for words in (('deploy', 'zz'), ('info', 'zz'), ('find', 'zz'), ('download', 'zz')):
        said = error(model, *words)
        assert said.startswith('ERROR Charmhub at http://127.0.0.1:9 cannot be reached (')
        assert 'by its path' in said


@pytest.mark.parametrize(
    'reply',
    [b'', b'<html>', b'[]', b'{}', b'[' * 100_000, b'{"results": [{"instance-key": "jujulet", "charm": 5}]}',
     b'{"results": [{"instance-key": "jujulet", "charm": {"revision": "x", "download": {"url": "u"}}}]}',
     b'{"results": 7, "error-list": [5, {"message": 9}]}', b'\xff\xfe'],
)  # fmt: skip
def test_what_is_no_charmhub_is_told(
    model: fakes.Juju, hub: charmhub_server.Charmhub, reply: bytes
):
    hub.reply = reply
    assert error(model, 'deploy', 'tiny').startswith('ERROR ')
    assert not model.world().model.applications


@pytest.mark.parametrize('url', ['file:///etc/passwd', 'ftp://x/y', '/etc/passwd', ''])
def test_only_addresses_of_the_web_are_followed(tmp_path: pathlib.Path, url: str):
    hub = charmhub.Hub(tmp_path / 'hub')
    with pytest.raises(refusal.Refused, match='no address of the web'):
        hub.fetch(charmhub.File('x', 1, url, f'sha256:{"0" * 64}'))


@pytest.mark.parametrize('name', ['../../x', 'x/y', '.x', 'x y', ''])
def test_names_of_resources_do_not_lead_elsewhere(
    model: fakes.Juju, hub: charmhub_server.Charmhub, name: str
):
    hub.charms['tiny']['resources'] = {name: (1, b'x')}
    assert error(model, 'deploy', 'tiny') == 'ERROR Charmhub says of "tiny" what is not understood'
