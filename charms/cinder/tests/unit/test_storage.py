"""Where volumes are kept: storage comes and goes with subordinates, and the API serves without any."""

from __future__ import annotations

import configparser
import json
from typing import Any

import pytest
from charmkit import cinder
from charmkit import testing as machines
from charmkit.machine import HttpRequest, HttpResponse
from ops import testing

from charms import conftest as shared

OPTIONS = {'volume_driver': 'a.Driver'}


@pytest.fixture
def ctx(machine: machines.FakeMachine) -> testing.Context[Any]:
    return testing.Context(shared.load('cinder').CinderCharm)


def run(ctx: testing.Context[Any], *more: testing.RelationBase, **options: str) -> testing.State:
    relations = {
        shared.database('cinder/0'),
        shared.identity('cinderv3'),
        shared.broker(),
        testing.PeerRelation('peers'),
        *more,
    }
    given = {name.replace('_', '-'): value for name, value in options.items()}
    state = testing.State(
        leader=True, relations=relations, networks=shared.networks(), config=given
    )
    return ctx.run(ctx.on.config_changed(), state)


def storage(app: str = 'cinder-nfs', **says: str) -> testing.SubordinateRelation:
    return testing.SubordinateRelation(
        'storage-backend', remote_app_name=app, remote_unit_data=says
    )


def kept(machine: machines.FakeMachine) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, strict=False)
    found.read_string(machine.file(cinder.CONF))
    return found


def test_without_storage_the_api_serves_and_no_volume_daemon_runs(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = run(ctx)
    assert out.unit_status == testing.ActiveStatus()
    assert machine.service('apache2') == machine.service('cinder-scheduler') == 'running'
    assert machine.service('cinder-volume') == 'stopped'
    assert kept(machine)['DEFAULT']['enabled_backends'] == ''


def test_with_storage_the_volume_daemon_runs_and_has_its_section(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    run(ctx, storage(**cinder.present('fast', OPTIONS)))
    assert machine.service('cinder-volume') == 'running'
    assert kept(machine)['DEFAULT']['enabled_backends'] == 'fast'
    assert dict(kept(machine)['fast']).items() >= OPTIONS.items()


def test_storage_that_has_said_nothing_yet_stops_nothing_and_is_told(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    out = run(ctx, storage('slow'), storage('quick', **cinder.present('fast', OPTIONS)))
    assert out.unit_status == testing.WaitingStatus('storage-backend: slow has said nothing yet')
    assert machine.service('apache2') == machine.service('cinder-volume') == 'running'
    assert kept(machine)['DEFAULT']['enabled_backends'] == 'fast'


@pytest.mark.parametrize(('stateless', 'host'), [(True, 'cinder'), (False, None)])
def test_volumes_that_any_unit_can_reach_belong_to_the_application_and_others_to_their_unit(
    ctx: testing.Context[Any], machine: machines.FakeMachine, stateless: bool, host: str | None
):
    run(ctx, storage(**cinder.present('fast', OPTIONS, stateless=stateless)))
    assert kept(machine)['fast'].get('backend_host') == host


def test_a_subordinate_that_says_whose_they_are_is_believed(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    said = cinder.present('fast', {**OPTIONS, 'backend_host': 'rbd:fast'}, stateless=True)
    run(ctx, storage(**said))
    assert kept(machine)['fast']['backend_host'] == 'rbd:fast'


def test_storage_without_a_section_is_not_served(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    """A backend that has no driver would keep the daemon from starting, and with it the others."""
    said = {**cinder.present('other', OPTIONS), 'backend_name': 'fast'}
    run(ctx, storage(**said))
    assert kept(machine)['DEFAULT']['enabled_backends'] == ''
    assert machine.service('cinder-volume') == 'stopped'


def test_a_name_that_cannot_be_is_told(ctx: testing.Context[Any], machine: machines.FakeMachine):
    out = run(ctx, storage(**{**cinder.present('x', OPTIONS), 'backend_name': 'DEFAULT'}))
    assert out.unit_status == testing.BlockedStatus(
        "storage-backend: cinder-nfs/0: backend_name 'DEFAULT' cannot be the name of a backend"
    )
    assert machine.service('apache2') == 'running'


def test_it_is_in_the_catalogue_as_the_third_version(ctx: testing.Context[Any]):
    out = run(ctx)
    (asked,) = out.get_relations('identity-service')
    assert asked.local_unit_data['service'] == 'cinderv3'
    assert asked.local_unit_data['internal_url'] == 'http://10.0.0.2:8776/v3/%(tenant_id)s'


@pytest.mark.parametrize('ready', ['yes', 'no'])
def test_once_glance_is_related_it_is_waited_for(ctx: testing.Context[Any], ready: str):
    images = {'glance-api-server': 'http://10.0.0.8:9292', 'glance-api-ready': ready}
    out = run(ctx, testing.Relation('image-service', remote_units_data={0: images}))
    waits = testing.WaitingStatus('waiting for image-service to grant images')
    assert out.unit_status == (testing.ActiveStatus() if ready == 'yes' else waits)


def test_a_volume_type_of_two_lines_will_not_do(ctx: testing.Context[Any]):
    out = run(ctx, default_volume_type='a\nb')
    assert out.unit_status.name == 'blocked'
    assert 'default-volume-type' in out.unit_status.message


class Services:
    """The services that cinder tells of, with keystone before it."""

    def __init__(self, **states: str):
        self.states = {name.replace('_at_', '@'): state for name, state in states.items()}
        self.questions = 0
        self.comes_after = 1_000_000
        self.away = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.url.endswith('/healthcheck'):
            return HttpResponse(200)
        if '/auth/tokens' in request.url:
            here = {'interface': 'internal', 'region_id': 'RegionOne', 'url': 'http://cinder/v3/p'}
            body = {'token': {'catalog': [{'type': 'volumev3', 'endpoints': [here]}]}}
            return HttpResponse(201, headers={'x-subject-token': 'a-token'}, body=json.dumps(body))
        assert request.url == 'http://cinder/v3/p/os-services?binary=cinder-volume'
        if self.away:
            return HttpResponse(503)
        self.questions += 1
        up = self.questions > self.comes_after
        found = [
            {'host': host, 'state': 'up' if up else state} for host, state in self.states.items()
        ]
        return HttpResponse(200, body=json.dumps({'services': found}))


FAST = 'waiting for storage to come up: fast: see /var/log/cinder/cinder-volume.log'


@pytest.mark.parametrize(
    ('stateless', 'states', 'message'),
    [
        (True, {'cinder_at_fast': 'up'}, ''),
        (False, {'machine-0_at_fast': 'up'}, ''),
        (True, {'cinder_at_fast': 'down'}, FAST),
        (True, {'other_at_fast': 'up'}, FAST),
        (True, {}, FAST),
    ],
)
def test_a_unit_whose_storage_cinder_does_not_have_up_waits_for_it_and_names_it(
    ctx: testing.Context[Any],
    machine: machines.FakeMachine,
    stateless: bool,
    states: dict[str, str],
    message: str,
):
    machine.web = Services(**states)
    began = machine.clock
    out = run(ctx, storage(**cinder.present('fast', OPTIONS, stateless=stateless)))
    assert out.unit_status.message == message
    assert out.unit_status.name == ('waiting' if message else 'active')
    assert (machine.clock - began >= 60) == bool(message)


def test_storage_that_comes_up_a_moment_after_its_daemon_is_waited_for(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    machine.web = played = Services(cinder_at_fast='down')
    played.comes_after = 4
    out = run(ctx, storage(**cinder.present('fast', OPTIONS, stateless=True)))
    assert out.unit_status == testing.ActiveStatus()


def test_storage_that_is_up_is_asked_for_only_as_time_passes_and_found_down_then(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    machine.web = played = Services(cinder_at_fast='up')
    out = run(ctx, storage(**cinder.present('fast', OPTIONS, stateless=True)))
    played.questions = 0
    out = ctx.run(ctx.on.config_changed(), out)
    assert played.questions == 0
    played.states['cinder@fast'] = 'down'
    out = ctx.run(ctx.on.update_status(), out)
    assert out.unit_status == testing.WaitingStatus(FAST)
    played.states['cinder@fast'] = 'up'
    out = ctx.run(ctx.on.config_changed(), out)
    assert out.unit_status == testing.ActiveStatus()


def test_a_cinder_that_does_not_say_is_no_proof_against_storage(
    ctx: testing.Context[Any], machine: machines.FakeMachine
):
    machine.web = played = Services()
    played.away = True
    out = run(ctx, storage(**cinder.present('fast', OPTIONS, stateless=True)))
    assert out.unit_status == testing.ActiveStatus()
