"""A release is a choice of archive on a base: what the option may say, and when a unit follows it."""

from __future__ import annotations

from typing import Any

import pytest
from charmkit import archive, host, origin, relations, releases, state
from charmkit.why import Action, Hook, Why

KEY = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxyz\n-----END PGP PUBLIC KEY BLOCK-----'
LINE = 'deb https://archive.example.org/debian trixie-epoxy main'
HOOK = Hook('config-changed')


def decide(
    options: dict[str, Any], memory: dict[str, Any] | None = None, why: Why = HOOK
) -> archive.Archive:
    inputs = state.Inputs(
        site=relations.Site(unit='glance/0', leader=True, address='10.0.0.2'),
        facts=state.Facts(base='debian@13'),
        options=options,
        memory=memory or {},
    )
    return archive.decide(('glance-api',), why, inputs)


def other(line: str = LINE) -> dict[str, Any]:
    return {origin.OPTION: line, origin.KEY_OPTION: KEY}


@pytest.mark.parametrize('text', ['', 'distro', ' distro '])
def test_the_base_has_an_archive_of_its_own(text: str):
    assert origin.read(text, '', 'debian@13').line == ''


def test_ubuntus_cloud_archive_is_trusted_by_its_own_key():
    found = origin.read('cloud:noble-epoxy', '', 'ubuntu@24.04')
    assert 'noble-updates/epoxy main' in found.line
    assert found.packages == {'ubuntu-cloud-keyring'}
    proposed = origin.read('cloud:noble-epoxy/proposed', '', 'ubuntu@24.04')
    assert 'noble-proposed/epoxy main' in proposed.line


def test_a_line_is_trusted_by_the_key_that_comes_with_it_and_by_no_other():
    found = origin.desired(origin.read(LINE, KEY, 'debian@13'))
    files = {f.path: f for f in found.files}
    assert (
        f'[signed-by={origin.KEYRING}] https://archive.example.org' in files[origin.LIST].content
    )
    assert files[origin.KEYRING].content.strip() == KEY


def test_a_password_in_an_archives_address_is_in_no_message():
    with pytest.raises(ValueError, match='is no archive') as refused:
        origin.read('deb https://me:s3cret@archive.example.org/x y main', KEY, 'debian@13')
    assert 's3cret' not in str(refused.value)
    assert 'archive.example.org' in str(refused.value)


@pytest.mark.parametrize(
    ('text', 'key', 'word'),
    [
        ('cloud:jammy-zed', '', 'is not for debian@13'),
        (LINE, '', origin.KEY_OPTION),
        (LINE, 'B1A2C3', origin.KEY_OPTION),
        ('ppa:somebody/openstack', KEY, 'is no archive'),
        ('deb [trusted=yes] https://x y main', KEY, 'is no archive'),
        (f'{LINE}\ndeb https://evil.example.org x main', KEY, 'is no archive'),
        ('deb file:///tmp x main', KEY, 'is no archive'),
    ],
)
def test_what_names_no_archive_is_refused_by_the_options_name(text: str, key: str, word: str):
    with pytest.raises(ValueError, match=word):
        origin.read(text, key, 'debian@13')


def test_a_new_unit_takes_the_release_of_the_archive_at_once():
    found = decide(other())
    assert found.host.upgrade == host.Upgrade(
        packages=('glance-api',), key=f'first {origin.read(LINE, KEY, "debian@13").digest}'
    )
    assert decide({}).host.upgrade is None


def test_the_archive_is_known_before_anything_is_installed_from_it():
    steps = host.plan(
        host.merge(decide(other()).host, host.Host(packages=frozenset({'glance-api'}))),
        host.Observed(),
    )
    verbs = [f'{s.verb} {s.target}' for s in steps]
    assert verbs.index(f'write {origin.LIST}') < verbs.index('install glance-api')
    assert verbs.index('install glance-api') < verbs.index('upgrade glance-api')
    assert verbs.count(f'write {origin.LIST}') == 1


def test_a_unit_that_serves_says_what_to_do_and_goes_on():
    served = dict(decide({}).memory)
    changed = decide(other(), served)
    assert changed.host.upgrade is None
    assert any('run pause, then openstack-upgrade' in s.message for s in changed.status)
    asked = decide(other(), {**served, **changed.memory}, Action('openstack-upgrade', {}, '7'))
    assert asked.host.upgrade is not None
    assert asked.status == ()
    assert decide(other(), {**served, **asked.memory}).status == ()


def test_a_bad_archive_keeps_the_last_good_one_and_is_told():
    good = decide(other())
    bad = decide({origin.OPTION: 'ppa:x/y'}, dict(good.memory))
    assert bad.host.files == good.host.files
    assert bad.memory == good.memory
    assert [s.kind for s in bad.status] == ['blocked']


@pytest.mark.parametrize(
    ('package', 'version', 'name'),
    [
        ('keystone', '2:22.0.0-2', 'zed'),
        ('glance-api', '2:30.0.0-3', 'epoxy'),
        ('placement-api', '13.0.0-1', 'epoxy'),
        ('nova-api', '2:29.0.1-0ubuntu1', 'caracal'),
        ('keystone', '', 'zed'),
        ('demo-api', '99.0', 'zed'),
        ('keystone', '2:9.0', 'zed'),
    ],
)
def test_the_release_is_that_of_the_package_which_is_installed(
    package: str, version: str, name: str
):
    assert releases.of_package('debian@12', package, version).name == name
