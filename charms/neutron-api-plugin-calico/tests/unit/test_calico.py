"""What of Calico's driver comes onto the machine, and what neutron-api is told, as it understands that itself."""

from __future__ import annotations

import dataclasses
import pathlib
import zipfile
from typing import Any

import ops
import pytest
import yaml
from charmkit import conf, neutron_plugins
from charmkit import testing as machines
from charmkit.calico import wheel
from hypothesis import given, settings
from hypothesis import strategies as st
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared
from charms.tests import wheels
from charms.tests.etcd_bags import PLAIN, TLS
from tests.examples import examples

from .scenes import POINTER, heard, run, told


def test_neutron_api_uses_calico_and_keeps_what_else_it_has(
    ctx: testing.Context[Any], attached: testing.Resource
):
    out = run(ctx, attached)
    assert out.unit_status == testing.ActiveStatus()
    backend, (found,) = heard(out)
    assert backend == neutron_plugins.Backend(
        name='calico',
        service_plugins='router,metering',
        mechanism_drivers='calico',
        extension_drivers='port_security',
        tenant_network_types='local',
    )
    assert found.packages == ('python3-etcd3gw', 'python3-keystoneclient')
    assert not found.refused


@pytest.mark.parametrize('etcd', [PLAIN, TLS], ids=['plain', 'tls'])
def test_its_sections_are_as_the_golden_has_them(
    ctx: testing.Context[Any],
    attached: testing.Resource,
    snapshot: SnapshotAssertion,
    etcd: dict[str, str],
):
    (found,) = heard(run(ctx, attached, etcd=etcd))[1]
    assert '\n'.join(f'==> {p}\n{conf.render(s)}' for p, s in found.sections.items()) == snapshot


def test_the_driver_is_in_a_folder_of_its_own_which_python_is_told_of(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    run(ctx, attached)
    folder = machine.file(POINTER).strip()
    assert folder.startswith('/usr/local/lib/networking-calico/3.12.0-')
    assert 'getfullargspec' in machine.file(f'{folder}/{wheels.DRIVER}')
    assert 'mechanism_drivers' in machine.file(
        f'{folder}/networking_calico-3.12.0.dist-info/entry_points.txt'
    )
    wanted = [path for path in machine.desired.paths() if path.startswith(folder)]
    assert not [path for path in wanted if '/tests/' in path or path.endswith('RECORD')]


def test_another_driver_has_neutron_api_start_anew(
    ctx: testing.Context[Any], tmp_path: pathlib.Path
):
    restarts = {
        heard(run(ctx, wheels.resource(tmp_path, wheels.newer(version))))[1][0].restart
        for version in ('3.29.0', '3.29.1')
    }
    assert len(restarts) == 2


def test_a_newer_driver_is_taken_as_it_is_on_a_newer_release(
    ctx: testing.Context[Any], tmp_path: pathlib.Path, machine: machines.FakeMachine
):
    machine.base = 'debian@13'
    out = run(ctx, wheels.resource(tmp_path, wheels.newer()))
    assert out.unit_status == testing.ActiveStatus()
    folder = machine.file(POINTER.replace('3.11', '3.13')).strip()
    assert machine.file(f'{folder}/{wheels.DRIVER}') == 'x.iteritems()\n'


def test_a_release_that_the_old_driver_is_not_for_is_told_and_neutron_api_goes_on_without(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    machine.base = 'debian@13'
    out = run(ctx, attached)
    assert out.unit_status.name == 'blocked'
    assert 'goes with neutron of zed, and here is epoxy' in out.unit_status.message
    assert heard(out)[0] is None
    assert not machine.steps


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'', 'is empty: juju attach-resource neutron-api-plugin-calico networking-calico='),
        (b'no archive', 'it is no wheel: File is not a zip file'),
        (wheels.packed({'x.py': ''}), 'it brings no driver of that name'),
        (
            wheels.packed({wheels.DRIVER: '', **wheels.described('3.12.0')}),
            'whose SHA-256 is',
        ),
        (
            wheels.packed({wheels.DRIVER: b'\xff', **wheels.described('3.29.0')}),
            'not text in UTF-8',
        ),
        (
            wheels.packed({wheels.DRIVER: 'x' * 8_000_001, **wheels.described('3.29.0')}),
            'more than 8000000 bytes',
        ),
        *(
            (wheels.newer(version), f'it is {version}: 3.12.0, as released, or a newer one')
            for version in ('1.4.3', '3.8.0', '3.12', '3.12.0rc1', 'v3', '3')
        ),
        (
            wheels.packed({wheels.DRIVER: 'x = 1\nprint x\n', **wheels.described('3.29.0')}),
            f'does not take it: {wheels.DRIVER}, line 2: Missing parentheses',
        ),
        (
            wheels.packed({wheels.DRIVER: 'x\0', **wheels.described('3.29.0')}),
            f'does not take it: {wheels.DRIVER}',
        ),
    ],
)
def test_a_resource_that_is_no_driver_is_refused_in_one_sentence(
    ctx: testing.Context[Any], tmp_path: pathlib.Path, content: bytes, said: str
):
    out = run(ctx, wheels.resource(tmp_path, content))
    assert out.unit_status.name == 'blocked'
    assert said in out.unit_status.message
    assert 'resource networking-calico' in out.unit_status.message
    assert heard(out)[0] is None


def test_a_resource_that_cannot_be_had_for_a_moment_is_no_empty_one(
    ctx: testing.Context[Any], attached: testing.Resource, monkeypatch: pytest.MonkeyPatch
):
    before = run(ctx, attached)

    def fetch(*_: object) -> pathlib.Path:
        raise ops.ModelError('ERROR could not download resource:\n HTTP request failed\n')

    monkeypatch.setattr(ops.Resources, 'fetch', fetch)
    out = ctx.run(ctx.on.config_changed(), before)
    assert out.unit_status.name == 'blocked'
    assert out.unit_status.message.startswith(
        'resource-get networking-calico: ERROR could not download resource: HTTP request failed; '
    )
    assert out.unit_status.message.endswith('; neutron-api goes on with http://10.0.0.5:2379')
    assert told(out) == told(before)


@settings(deadline=None, max_examples=examples(30))
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_wheel_that_is_broken_anywhere_is_read_or_refused(broken: list[tuple[int, int]]):
    for how in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        content = bytearray(wheels.newer(how=how))
        for at, byte in broken:
            content[at % len(content)] = byte
        try:
            assert wheel.read(bytes(content)).version
        except ValueError as e:
            assert str(e)


def test_a_newer_driver_is_compiled_once(
    ctx: testing.Context[Any], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    out = run(ctx, wheels.resource(tmp_path, wheels.newer()))

    def refuse(one: wheel.Wheel) -> None:
        raise ValueError(one.version)

    monkeypatch.setattr(wheel, 'compiled', refuse)
    again = ctx.run(ctx.on.config_changed(), out)
    assert again.unit_status == testing.ActiveStatus()
    another = dataclasses.replace(
        out, resources={wheels.resource(tmp_path, wheels.newer('3.29.2'))}
    )
    assert '3.29.2' in ctx.run(ctx.on.config_changed(), another).unit_status.message


def test_files_elsewhere_than_in_the_package_are_left_in_the_wheel():
    outside = dict.fromkeys(
        ('../evil.py', '/etc/evil.py', 'evil.pth', 'networking_calico/../evil.py', 'evil.py'), 'x'
    )
    content = wheels.packed({wheels.DRIVER: '', **outside, **wheels.described('3.29.0')})
    assert {path.partition('/')[0] for path in wheel.read(content).files} == {
        'networking_calico',
        'networking_calico-3.29.0.dist-info',
    }
    assert not [path for path in wheel.read(content).files if 'evil' in path]


def test_without_etcd_it_says_which_ways_there_are(
    ctx: testing.Context[Any], attached: testing.Resource
):
    out = run(ctx, attached, etcd=None)
    assert out.unit_status == testing.BlockedStatus(
        'relate etcd to a charm of etcd, or set etcd-endpoint'
    )
    out = run(ctx, attached, etcd={})
    assert out.unit_status == testing.WaitingStatus("waiting for etcd: etcd's members")
    assert heard(out)[0] is None


def test_it_waits_for_neutron_api_whose_group_its_files_have(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    out = run(ctx, attached, own=None)
    assert out.unit_status.name == 'waiting'
    assert not machine.steps


@pytest.mark.parametrize('base', shared.BASES)
def test_the_driver_is_taken_where_the_charm_says_that_it_is_supported(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine, base: str
):
    """By this `juju lifecycle` does not begin a move to a base whose neutron-api would be without Calico."""
    said = yaml.safe_load((pathlib.Path(__file__).parents[2] / 'lifecycle.yaml').read_text())
    machine.base = base
    taken = run(ctx, attached).unit_status == testing.ActiveStatus()
    assert taken is (base in said['releases'])
