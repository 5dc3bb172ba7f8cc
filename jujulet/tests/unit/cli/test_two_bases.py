"""`juju set-application-base`, and the charm being made ready for each base that it runs on."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil

import fakes
import pytest
import yaml

from jujulet import paths

WARNING = (
    'WARNING To ensure the correct charm binaries are installed when add-unit is next called, please first run '
    '`juju refresh` for this application and any related subordinates.\n'
)


@pytest.fixture
def tiny(model: fakes.Juju, charm: pathlib.Path) -> pathlib.Path:
    """The folder of a charm that is deployed on Debian 12 as ``tiny``."""
    model('deploy', str(charm), '--base', 'debian@12')
    return charm


def content(juju: fakes.Juju, application: str, base: str) -> dict[str, object]:
    """The manifest of what a machine of *base* gets."""
    found = juju.world().model.charm_of(application)
    file = paths.charms(paths.root()) / found.builds[base] / 'manifest.yaml'
    return yaml.safe_load(file.read_text())['bases'][0]


def made_for(juju: fakes.Juju, application: str = 'tiny') -> set[str]:
    return set(juju.world().model.charm_of(application).builds)


def test_new_units_are_of_the_new_base_and_get_a_charm_made_for_it(
    model: fakes.Juju, tiny: pathlib.Path
):
    reply = model('set-application-base', 'tiny', 'debian@13')
    assert (reply.out, reply.err) == ('', '')
    model('add-unit', 'tiny')
    shown = model('status', '--format', 'json').json
    assert shown['applications']['tiny']['base'] == {'name': 'debian', 'channel': '13'}
    assert {i: m['base']['channel'] for i, m in shown['machines'].items()} == {
        '0': '12',
        '1': '13',
    }
    assert [content(model, 'tiny', base)['channel'] for base in ('debian@12', 'debian@13')] == [
        '12',
        '13',
    ]
    assert shown['applications']['tiny']['charm'] == 'local:tiny-0'


def test_a_refresh_is_another_revision_even_of_the_same_content(
    model: fakes.Juju, tiny: pathlib.Path
):
    model('set-application-base', 'tiny', 'debian@13')
    model('add-unit', 'tiny')
    before = model.world().model.applications['tiny'].charm_modified
    for number in (1, 2):
        reply = model('refresh', 'tiny', '--path', str(tiny))
        assert reply.err == f'Added local charm "tiny", revision {number}, to the model\n'
        application = model.world().model.applications['tiny']
        assert application.charm == f'local:tiny-{number}'
        assert application.charm_modified == before + number  # Units run upgrade-charm.
    assert made_for(model) == {'debian@12', 'debian@13'}
    model('deploy', str(tiny), 'other', '--base', 'debian@12')
    assert model.world().model.applications['other'].charm == 'local:tiny-2'


def test_a_refresh_makes_the_charm_ready_for_every_base_in_use(
    model: fakes.Juju, tiny: pathlib.Path
):
    model('set-application-base', 'tiny', 'debian@13')
    model('add-unit', 'tiny')
    (tiny / 'version').write_text('2\n')
    model('refresh', 'tiny', '--path', str(tiny))
    found = model.world().model.charm_of('tiny')
    assert (found.url, found.version) == ('local:tiny-1', '2')
    assert made_for(model) == {'debian@12', 'debian@13'}


def test_a_charm_that_was_edited_is_refreshed_first(model: fakes.Juju, tiny: pathlib.Path):
    (tiny / 'version').write_text('2\n')
    reply = model.run('set-application-base', 'tiny', 'debian@13')
    assert reply.code == 1
    assert reply.err == (
        'ERROR cannot make charm "tiny" ready for debian@13: it has changed since it was deployed; '
        f'first run: juju refresh tiny --path {tiny}\n'
    )
    assert str(model.world().model.applications['tiny'].base) == 'debian@12'
    model('refresh', 'tiny', '--path', str(tiny))
    model('set-application-base', 'tiny', 'debian@13')


def test_a_charm_that_was_moved_is_asked_for(model: fakes.Juju, tiny: pathlib.Path):
    moved = tiny.with_name('elsewhere')
    tiny.rename(moved)
    reply = model.run('set-application-base', 'tiny', 'debian@13')
    assert reply.code == 1
    assert f'it is no longer at {tiny}, from where it was deployed; say where it is: ' in reply.err
    model('refresh', 'tiny', '--path', str(moved))
    model('set-application-base', 'tiny', 'debian@13')
    assert made_for(model) == {'debian@12', 'debian@13'}


def test_what_the_charm_does_not_support_makes_nothing(model: fakes.Juju, tiny: pathlib.Path):
    (tiny / 'metadata.yaml').write_text((tiny / 'metadata.yaml').read_text() + 'series: [jammy]\n')
    model('refresh', 'tiny', '--path', str(tiny))
    reply = model.run('set-application-base', 'tiny', 'ubuntu@24.04')
    assert (reply.code, reply.err) == (
        1,
        'ERROR base "ubuntu@24.04" not supported by charm "tiny", supported bases are: ubuntu@22.04\n',
    )
    assert made_for(model) == {'debian@12'}
    model('set-application-base', 'tiny', 'ubuntu@24.04', '--force')
    assert made_for(model) == {'debian@12', 'ubuntu@24.04'}


def test_of_a_charm_from_nobody_knows_where_juju_s_warning_is_said(
    model: fakes.Juju, tiny: pathlib.Path
):
    world = model.world()
    old = dataclasses.replace(world.model.charm_of('tiny'), source='', builds={})
    world.model = dataclasses.replace(world.model, charms={old.url: old})
    reply = model('set-application-base', 'tiny', 'debian@13')
    assert reply.err == WARNING
    assert str(world.model.applications['tiny'].base) == 'debian@13'


def test_a_series_is_taken_with_a_warning(model: fakes.Juju, tiny: pathlib.Path):
    reply = model('set-application-base', 'tiny', 'trixie')
    assert reply.err == 'WARNING series argument is deprecated, use base instead\n'
    assert str(model.world().model.applications['tiny'].base) == 'debian@13'


@pytest.mark.parametrize(
    ('words', 'code', 'text'),
    [
        ([], 2, 'application name and base required'),
        (['tiny'], 2, 'no base specified'),
        (['debian@13'], 2, 'no application name'),
        (['tiny', 'debian@13', 'something else'], 2, 'unrecognized args: ["something else"]'),
        (['Tiny', 'debian@13'], 2, 'invalid application name "Tiny"'),
        (['nope', 'debian@13'], 1, 'application "nope" not found'),
        (['tiny', 'utopic'], 1, 'series "utopic" not valid'),
    ],
)
def test_a_mistake_is_told_in_juju_s_words(
    model: fakes.Juju, tiny: pathlib.Path, words: list[str], code: int, text: str
):
    reply = model.run('set-application-base', *words)
    assert (reply.code, reply.err.splitlines()[-1]) == (code, f'ERROR {text}')


def subordinate(folder: pathlib.Path) -> pathlib.Path:
    fakes.charm_folder(folder, 'sub')
    (folder / 'metadata.yaml').write_text(
        'name: sub\nsummary: s\ndescription: d\nsubordinate: true\n'
        'requires: {host: {interface: juju-info, scope: container}}\n'
    )
    return folder


def test_subordinates_are_made_ready_with_their_principal(
    model: fakes.Juju, tiny: pathlib.Path, tmp_path: pathlib.Path
):
    model('deploy', str(subordinate(tmp_path / 'sub')), '--base', 'debian@12')
    model('integrate', 'sub:host', 'tiny')
    model('set-application-base', 'tiny', 'debian@13')
    model('add-unit', 'tiny')
    assert made_for(model, 'sub') == {'debian@12', 'debian@13'}
    assert model.world().model.units['sub/1'].machine == '1'


def test_a_subordinate_that_comes_later_is_made_ready_for_all_machines_of_its_principal(
    model: fakes.Juju, tiny: pathlib.Path, tmp_path: pathlib.Path
):
    model('set-application-base', 'tiny', 'debian@13')
    model('add-unit', 'tiny')
    model('deploy', str(subordinate(tmp_path / 'sub')), '--base', 'debian@13')
    model('integrate', 'sub:host', 'tiny')
    assert made_for(model, 'sub') == {'debian@12', 'debian@13'}


def test_a_bundle_that_is_deployed_again_changes_nothing(
    model: fakes.Juju, charm: pathlib.Path, tmp_path: pathlib.Path
):
    bundle = tmp_path / 'bundle.yaml'
    bundle.write_text(
        f'default-base: debian@12\napplications: {{tiny: {{charm: {charm}, num_units: 1}}}}\n'
    )
    model('deploy', str(bundle))
    model('set-application-base', 'tiny', 'debian@13')
    model('add-unit', 'tiny')
    assert model('deploy', str(bundle), '--dry-run').out == 'No changes to apply.\n'
    (charm / 'version').write_text('2\n')
    model('deploy', str(bundle))
    assert made_for(model) == {'debian@12', 'debian@13'}


def test_an_exported_bundle_of_two_bases_changes_nothing_where_it_came_from(
    model: fakes.Juju, tiny: pathlib.Path, tmp_path: pathlib.Path
):
    model('set-application-base', 'tiny', 'debian@13')
    model('add-unit', 'tiny')
    shown = yaml.safe_load(model('export-bundle').out)
    shown['applications']['tiny']['charm'] = str(tiny)
    bundle = tmp_path / 'bundle.yaml'
    bundle.write_text(yaml.safe_dump(shown))
    assert model('deploy', str(bundle), '--dry-run').out == 'No changes to apply.\n'


def test_the_folder_may_be_gone_where_nothing_is_to_be_made(model: fakes.Juju, tiny: pathlib.Path):
    model('set-application-base', 'tiny', 'debian@13')
    shutil.rmtree(tiny)
    model('set-application-base', 'tiny', 'debian@12')
