"""What of Calico's driver comes onto the machine, and what neutron-api is told, as it understands that itself."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import calico_driver
import driver_wheel
import etcd_store
import pytest
from charmkit import conf, neutron_plugins, relations, subordinate
from charmkit import testing as machines
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared

from . import wheels

PEM = '-----BEGIN {0}-----\nTUlJQg==\n-----END {0}-----\n'
TLS = {
    'connection_string': 'https://10.0.0.5:2379,https://10.0.0.6:2379',
    'client_ca': PEM.format('CERTIFICATE'),
    'client_cert': PEM.format('CERTIFICATE'),
    'client_key': PEM.format('RSA PRIVATE KEY'),
}
PLAIN = {'connection_string': 'http://10.0.0.5:2379'}
OWN = {
    'extension_drivers': ['port_security'],
    'tenant_network_types': ['vlan'],
    'service_plugins': ['router', 'metering'],
}
POINTER = '/usr/local/lib/python3.11/dist-packages/networking-calico.pth'
KEY = '/etc/neutron/calico-etcd-key.pem'


@pytest.fixture
def ctx(machine: machines.FakeMachine, monkeypatch: pytest.MonkeyPatch) -> testing.Context[Any]:
    monkeypatch.setattr(driver_wheel, 'PINNED', wheels.digest(wheels.released()))
    return testing.Context(shared.load('neutron-api-plugin-calico').NeutronApiPluginCalicoCharm)


@pytest.fixture
def attached(tmp_path: pathlib.Path) -> testing.Resource:
    return resource(tmp_path, wheels.released())


def resource(folder: pathlib.Path, content: bytes) -> testing.Resource:
    path = folder / 'networking-calico.whl'
    path.write_bytes(content)
    return testing.Resource(name='networking-calico', path=path)


def run(
    ctx: testing.Context[Any],
    *resources: testing.Resource,
    etcd: Mapping[str, str] | None = PLAIN,
    own: Mapping[str, Any] | None = OWN,
    **options: Any,
) -> testing.State:
    more = [] if etcd is None else [testing.Relation('etcd', remote_units_data={0: dict(etcd)})]
    said = neutron_plugins.principal_databag(own) if own else {}
    principal = testing.SubordinateRelation(
        'neutron-plugin', remote_app_name='neutron-api', remote_unit_data=said
    )
    state = testing.State(
        relations={principal, testing.PeerRelation('peers'), *more},
        config={name.replace('_', '-'): value for name, value in options.items()},
        resources=set(resources),
    )
    return ctx.run(ctx.on.config_changed(), state)


def heard(
    out: testing.State,
) -> tuple[neutron_plugins.Backend | None, tuple[subordinate.Contribution, ...]]:
    """What neutron-api understands."""
    (said,) = out.get_relations('neutron-plugin')
    need = neutron_plugins.backend()
    units = {'calico/0': dict(said.local_unit_data)}
    found = (relations.Relation(id=1, name=need.relation, app='calico', units=units),)
    site = relations.Site(unit='neutron-api/0', leader=True, address='10.0.0.9')
    sections = subordinate.need(need.relation, 'neutron-api').read(found, site)
    return need.read(found, site), sections or ()


def section(out: testing.State) -> Mapping[str, str]:
    """What neutron-api is to write for the driver."""
    (found,) = heard(out)[1]
    return found.sections[calico_driver.ML2]['calico']


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
        heard(run(ctx, resource(tmp_path, wheels.newer(version))))[1][0].restart
        for version in ('3.29.0', '3.29.1')
    }
    assert len(restarts) == 2


def test_a_newer_driver_is_taken_as_it_is_on_a_newer_release(
    ctx: testing.Context[Any], tmp_path: pathlib.Path, machine: machines.FakeMachine
):
    machine.base = 'debian@13'
    out = run(ctx, resource(tmp_path, wheels.newer()))
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
    ],
    ids=['empty', 'text', 'another', 'forged', 'bytes', 'large'],
)
def test_a_resource_that_is_no_driver_is_refused_in_one_sentence(
    ctx: testing.Context[Any], tmp_path: pathlib.Path, content: bytes, said: str
):
    out = run(ctx, resource(tmp_path, content))
    assert out.unit_status.name == 'blocked'
    assert said in out.unit_status.message
    assert 'resource networking-calico' in out.unit_status.message
    assert heard(out)[0] is None


def test_files_elsewhere_than_in_the_package_are_left_in_the_wheel():
    outside = dict.fromkeys(
        ('../evil.py', '/etc/evil.py', 'evil.pth', 'networking_calico/../evil.py', 'evil.py'), 'x'
    )
    content = wheels.packed({wheels.DRIVER: '', **outside, **wheels.described('3.29.0')})
    assert {path.partition('/')[0] for path in driver_wheel.read(content).files} == {
        'networking_calico',
        'networking_calico-3.29.0.dist-info',
    }
    assert not [path for path in driver_wheel.read(content).files if 'evil' in path]


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


def test_the_operators_address_goes_before_what_is_related(
    ctx: testing.Context[Any], attached: testing.Resource
):
    out = run(ctx, attached, etcd_endpoint='http://etcd.example.com:2380')
    assert dict(section(out)) == {'etcd_host': 'etcd.example.com', 'etcd_port': '2380'}
    out = run(ctx, attached, etcd_endpoint='http://127.0.0.1:2379')
    assert dict(section(out)) == {'etcd_host': '127.0.0.1', 'etcd_port': '2379'}
    out = run(ctx, attached, etcd_endpoint='http://[2001:db8::5]:2379')
    assert section(out)['etcd_host'] == '2001:db8::5'
    out = run(ctx, attached, etcd=None, etcd_endpoint='https://etcd.example.com')
    assert dict(section(out)) == {
        'etcd_host': 'etcd.example.com',
        'etcd_port': '2379',
        'etcd_ca_cert_file': '/etc/ssl/certs/ca-certificates.crt',
    }


@pytest.mark.parametrize(
    'text',
    ['10.0.0.5:2379', 'ftp://10.0.0.5', 'http://', 'http://u:p@10.0.0.5', 'http://10.0.0.5/v3', 'http://h:99999'],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_in_one_sentence(
    ctx: testing.Context[Any], attached: testing.Resource, text: str
):
    out = run(ctx, attached, etcd_endpoint=text)
    assert out.unit_status.name == 'blocked'
    assert 'etcd-endpoint' in out.unit_status.message


def test_what_shows_etcd_who_asks_is_for_neutron_alone_to_read(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    out = run(ctx, attached, etcd=TLS)
    (key,) = (f for f in machine.desired.files if f.path == KEY)
    assert (key.owner, key.group, key.mode, key.content) == (
        'root',
        'neutron',
        0o640,
        TLS['client_key'],
    )
    (said,) = out.get_relations('neutron-plugin')
    assert 'PRIVATE KEY' not in ''.join(said.local_unit_data.values())


@pytest.mark.parametrize('odd', ['client_key', 'client_cert'])
def test_a_certificate_without_its_key_is_none(
    ctx: testing.Context[Any], attached: testing.Resource, odd: str
):
    assert 'etcd_cert_file' in section(run(ctx, attached, etcd=TLS))
    found = section(run(ctx, attached, etcd=TLS | {odd: 'x'}))
    assert 'etcd_cert_file' not in found
    assert 'etcd_key_file' not in found


def test_units_share_the_members():
    need = etcd_store.need('etcd')
    found = (relations.Relation(id=1, name='etcd', app='etcd', units={'etcd/0': TLS}),)
    sites = [relations.Site(unit=f'a/{n}', leader=True, address='10.0.0.9') for n in range(3)]
    members = [store.host for s in sites if (store := need.read(found, s))]
    assert members == ['10.0.0.5', '10.0.0.6', '10.0.0.5']


def test_etcd_that_says_nothing_any_more_is_kept(
    ctx: testing.Context[Any], attached: testing.Resource
):
    out = run(ctx, attached)
    (before,) = out.get_relations('neutron-plugin')
    silent = {r for r in out.relations if r.endpoint != 'etcd'} | {testing.Relation('etcd')}
    out = ctx.run(ctx.on.config_changed(), testing.State(relations=silent, resources={attached}))
    (after,) = out.get_relations('neutron-plugin')
    assert after.local_unit_data == before.local_unit_data


@pytest.mark.parametrize(
    'said',
    [
        '', ',,,', 'x' * 100_000, 'http://[', 'http://10.0.0.5:99999', 'http://a\n[DEFAULT]\nx=y', 'https://-x-:2379',
        'file:///etc/passwd', 'http://0.0.0.0:2379', '[]', 'http://user:secret@10.0.0.5:2379',
    ],
)  # fmt: skip
def test_what_an_etcd_charm_says_is_believed_in_nothing(
    ctx: testing.Context[Any], attached: testing.Resource, said: str
):
    out = run(ctx, attached, etcd={'connection_string': said, 'client_key': 'a\n[x]'})
    assert out.unit_status == testing.WaitingStatus("waiting for etcd: etcd's members")
    assert heard(out)[0] is None
