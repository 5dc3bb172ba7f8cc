"""What runs on a compute node, what nova-compute is told, and what is said where something is wanting."""

from __future__ import annotations

import pathlib
import stat
from typing import Any

import ops
import pytest
import yaml
from charmkit import neutron
from charmkit import testing as machines
from hypothesis import given, settings
from hypothesis import strategies as st
from ops import testing
from syrupy.assertion import SnapshotAssertion

from charms import conftest as shared
from charms.tests import wheels
from charms.tests.etcd_bags import PLAIN, TLS
from tests.examples import examples

from . import scenes
from .scenes import AGENT, CONF, KEY, POINTER, heard, later, run


@pytest.mark.parametrize('etcd', [PLAIN, TLS], ids=['plain', 'tls'])
def test_files_are_as_the_golden_has_them(
    ctx: testing.Context[Any],
    attached: testing.Resource,
    machine: machines.FakeMachine,
    snapshot: SnapshotAssertion,
    etcd: dict[str, str],
):
    assert run(ctx, attached, etcd=etcd).unit_status == testing.ActiveStatus()
    home = '/usr/local/lib/networking-calico/'
    files = sorted(machine.desired.files, key=lambda f: f.path)
    text = '\n'.join(
        f'==> {f.path} {f.owner}:{f.group} {f.mode:04o}\n{f.content}'
        for f in files
        if not f.path.startswith(home)
    )
    assert text == snapshot


def test_the_agent_runs_and_neutrons_own_does_not(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    run(ctx, attached)
    assert machine.service(AGENT) == 'running'
    assert machine.service('neutron-dhcp-agent') == 'masked'
    assert machine.service('haproxy') == 'masked'
    folder = machine.file(POINTER).strip()
    assert machine.file(f'{folder}/networking_calico/agent/dhcp_agent.py')


def test_nova_compute_hears_of_the_agent_and_gives_servers_their_metadata_on_a_drive(
    ctx: testing.Context[Any], attached: testing.Resource
):
    plugin, sections = heard(run(ctx, attached))
    assert plugin == neutron.Plugin('calico')
    assert sections == {'/etc/nova/nova.conf': {'DEFAULT': {'force_config_drive': 'True'}}}


def test_who_may_read_a_key_is_root_and_the_agent(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    out = run(ctx, attached, etcd=TLS)
    (key,) = (f for f in machine.desired.files if f.path == KEY)
    assert (key.owner, key.group, key.mode) == ('root', 'neutron', 0o640)
    secret = TLS['client_key'].splitlines()[1]
    readable = [f for f in machine.desired.files if f.mode & stat.S_IROTH]
    assert not [f.path for f in readable if TLS['client_key'] in f.content]
    assert secret not in out.unit_status.message
    assert 'client_key' not in str(heard(out))


FILES = ('ca_cert', 'cert', 'key')
WANTING: list[tuple[dict[str, str] | None, str, str]] = [
    (None, 'blocked', 'relate etcd to a charm of etcd, or set etcd-endpoint'),
    ({}, 'waiting', "waiting for etcd: etcd's members"),
    ({'connection_string': 'x'}, 'blocked', 'etcd: connection_string: no address such as'),
    (TLS | {'client_key': 'x'}, 'blocked', 'etcd: client_key: no private key without'),
    (TLS | {'client_ca': 'x'}, 'blocked', 'etcd: client_ca: no certificate in PEM'),
    (TLS | {'connection_string': 'http://10.0.0.5'}, 'blocked', 'no address with https'),
]  # fmt: skip


@pytest.mark.parametrize(('etcd', 'kind', 'said'), WANTING)
def test_nothing_runs_before_etcd_is_known_and_nova_compute_hears_nothing(
    ctx: testing.Context[Any],
    attached: testing.Resource,
    machine: machines.FakeMachine,
    etcd: dict[str, str] | None,
    kind: str,
    said: str,
):
    out = run(ctx, attached, etcd=etcd)
    assert out.unit_status.name == kind
    assert said in out.unit_status.message
    assert 'goes on' not in out.unit_status.message
    assert heard(out) == (None, {})
    assert machine.service(AGENT) == 'stopped'
    assert CONF not in machine.seen.paths


@pytest.mark.parametrize('etcd', [etcd for etcd, *_ in WANTING])
def test_the_last_good_etcd_stays_in_force_and_the_status_says_which(
    ctx: testing.Context[Any],
    attached: testing.Resource,
    machine: machines.FakeMachine,
    etcd: dict[str, str] | None,
):
    before = run(ctx, attached, etcd=TLS)
    machine.steps.clear()
    out = later(ctx, before, etcd)
    assert out.unit_status.name in ('blocked', 'waiting')
    assert f'; {AGENT} goes on with https://10.0.0.' in out.unit_status.message
    assert not machine.steps
    assert AGENT in machine.seen.active
    assert heard(out) == heard(before)
    assert later(ctx, out, TLS).unit_status == testing.ActiveStatus()


def test_a_paused_unit_is_not_less_guarded_afterwards(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine
):
    paused = ctx.run(ctx.on.action('pause'), run(ctx, attached, etcd=TLS))
    assert machine.service(AGENT) == 'stopped'
    out = ctx.run(ctx.on.action('resume'), later(ctx, paused, PLAIN))
    assert out.unit_status.message.startswith(
        'etcd: it says no more: connection_string with https'
    )
    assert KEY in machine.seen.paths


@pytest.mark.parametrize('base', shared.BASES)
def test_on_a_base_that_the_agent_is_not_for_it_says_so_and_stops_there(
    ctx: testing.Context[Any], attached: testing.Resource, machine: machines.FakeMachine, base: str
):
    said = yaml.safe_load((pathlib.Path(__file__).parents[2] / 'lifecycle.yaml').read_text())
    machine.base = base
    out = run(ctx, attached)
    assert (out.unit_status == testing.ActiveStatus()) is (base in said['releases'])
    if base not in said['releases']:
        assert 'goes with neutron of zed, and here is' in out.unit_status.message
        assert out.unit_status.name == 'blocked'
        assert heard(out) == (None, {})


def test_a_resource_that_is_no_agent_is_refused_in_one_sentence(
    ctx: testing.Context[Any], tmp_path: pathlib.Path
):
    out = run(ctx, wheels.resource(tmp_path, b'no archive'))
    assert out.unit_status == testing.BlockedStatus(
        'the resource networking-calico: it is no wheel: File is not a zip file'
    )
    out = run(ctx, wheels.resource(tmp_path, b''))
    assert out.unit_status.message.startswith(
        'the resource networking-calico is empty: juju attach-resource neutron-calico networking-calico='
    )


def test_a_resource_that_cannot_be_had_for_a_moment_changes_nothing(
    ctx: testing.Context[Any],
    attached: testing.Resource,
    machine: machines.FakeMachine,
    monkeypatch: pytest.MonkeyPatch,
):
    before = run(ctx, attached)
    machine.steps.clear()

    def fetch(*_: object) -> pathlib.Path:
        raise ops.ModelError('ERROR could not download resource:\n HTTP request failed\n')

    monkeypatch.setattr(ops.Resources, 'fetch', fetch)
    out = ctx.run(ctx.on.config_changed(), before)
    assert out.unit_status.message.startswith('resource-get networking-calico: ERROR could not')
    assert out.unit_status.message.endswith(f'; {AGENT} goes on with http://10.0.0.5:2379')
    assert not machine.steps


def test_what_the_agent_is_made_of_has_it_start_anew_and_nothing_else_does(
    ctx: testing.Context[Any], tmp_path: pathlib.Path, machine: machines.FakeMachine
):
    out = run(ctx, wheels.resource(tmp_path, wheels.newer('3.29.0')), etcd=TLS)

    def started(again: testing.State) -> bool:
        machine.steps.clear()
        ctx.run(ctx.on.config_changed(), again)
        return f'restart {AGENT}' in machine.steps

    assert not started(out)
    other = scenes.state(wheels.resource(tmp_path, wheels.newer('3.29.1')), etcd=TLS)
    assert started(other)
    machine.steps.clear()
    ca = TLS['client_ca'].replace('TUlJQg', 'TUlJQw')
    later(ctx, out, TLS | {'client_ca': ca})
    assert f'restart {AGENT}' in machine.steps


@settings(deadline=None, max_examples=examples(50))
@given(
    said=st.dictionaries(
        st.sampled_from(('connection_string', 'client_ca', 'client_cert', 'client_key', 'x')),
        st.text(max_size=60) | st.sampled_from(tuple(TLS.values())),
    )
)
def test_whatever_etcd_says_ends_in_a_status_or_in_a_file_with_known_keys(
    tmp_path_factory: pytest.TempPathFactory, said: dict[str, str]
):
    attached = wheels.resource(tmp_path_factory.mktemp('wheel'), wheels.newer())
    machine = machines.FakeMachine()
    charm = shared.load(scenes.NAME).NeutronCalicoCharm
    charm.machine = machine
    try:
        ctx: testing.Context[Any] = testing.Context(charm)
        out = run(ctx, attached, etcd=said)
    finally:
        del charm.machine
    whole = out.unit_status == testing.ActiveStatus()
    assert (CONF in machine.seen.paths) is whole
    assert whole or out.unit_status.name in ('blocked', 'waiting')
    for file in machine.desired.files:
        assert '\r' not in file.content
        if file.path == CONF:
            keys = [line.partition(' = ')[0] for line in file.content.splitlines()[3:-1]]
            assert {*keys} <= {'etcd_host', 'etcd_port', *(f'etcd_{x}_file' for x in FILES)}
