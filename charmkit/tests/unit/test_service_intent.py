"""A unit's own course: from pause to drain to maintenance and back, when it may stop, and when it may be upgraded."""

from __future__ import annotations

import dataclasses
import json

import pytest
from charmkit import api, front, migration, relations, service, state
from charmkit.relations import loadbalancer, mysql
from charmkit.why import Action, Hook, Why

SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api',),
    needs=(),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo', path='/v2'),),
    config={},
)
SITE = relations.Site(unit='demo/0', leader=True, address='10.0.0.2')
HOOK = Hook('config-changed')
PAUSED = {front.PAUSED: True}


def balancer(
    state_: str = '', *, grant: str = '', acks: tuple[str, ...] = ()
) -> relations.Relation:
    """One load balancer of as many units as there are *acks*; *state_*: what the unit last told it, with token 't'."""
    mine = json.dumps({'state': state_, 'token': 't'}) if state_ else ''
    names = [f'lb/{n}' for n in range(len(acks) or 1)]
    bag = {'interface-versions': '[1, 2]', 'lb-units': json.dumps(names)}
    bag['frontends'] = json.dumps({'demo': {'public': {'url': 'http://lb.example'}}})
    if grant:
        bag['grants'] = json.dumps({'demo/0': {'token': 't', 'state': grant}})
    units = {
        name: {'acks': json.dumps({'demo/0': {'token': 't', 'state': said}})}
        for name, said in zip(names, acks or ('',), strict=True)
    }
    return relations.Relation(
        id=5,
        name='public-backend',
        app='lb',
        app_data=bag,
        units=units,
        my_data={'lifecycle': mine} if mine else {},
    )


def inputs(
    *found: relations.Relation, paused: bool = False, health: str | None = None
) -> state.Inputs:
    return state.Inputs(
        site=SITE,
        relations={'public-backend': found} if found else {},
        memory=PAUSED if paused else {},
        seen={} if health is None else {front.HEALTH: health},
        fresh='f' * 64,
    )


def lifecycle(why: Why, of: state.Inputs) -> loadbalancer.Lifecycle:
    return front.serving_state(SPEC, of, front.intent(why, of)).lifecycle


@pytest.mark.parametrize('before', ['drain', 'maintenance'])
@pytest.mark.parametrize(('health', 'after'), [(None, ''), ('http 503', ''), ('', 'ready')])
def test_a_resumed_unit_is_ready_once_its_own_health_check_has_passed(
    before: str, health: str | None, after: str
) -> None:
    resumed = inputs(balancer(before), health=health)
    found = lifecycle(Action('resume'), resumed)
    assert found.state == (after or before)
    assert (found.token == 't') is not bool(after)
    place = front.serving_state(SPEC, resumed, front.intent(HOOK, resumed))
    assert place.coming_back
    waits = state.Status('waiting', 'waiting to be healthy before clients come back')
    assert place.status == (None if after else waits)


def test_a_new_unit_is_ready_from_its_first_word() -> None:
    assert lifecycle(HOOK, inputs(balancer())).state == 'ready'
    assert not front.serving_state(
        SPEC, inputs(balancer()), front.intent(HOOK, inputs(balancer()))
    ).coming_back


def test_a_healthy_unit_keeps_its_word() -> None:
    assert lifecycle(HOOK, inputs(balancer('ready'), health='')).token == 't'


def test_pause_drains_first_with_what_the_operator_asks_for() -> None:
    asked = Action('pause', params={'reason': 'new disk', 'deadline': 60, 'force': True})
    found = lifecycle(asked, inputs(balancer('ready')))
    assert (found.state, found.reason, found.deadline_s, found.on_deadline, found.force) == (
        'drain',
        'new disk',
        60,
        'force',
        True,
    )
    plain = lifecycle(Action('pause'), inputs(balancer('ready')))
    assert (plain.reason, plain.deadline_s, plain.on_deadline, plain.force) == (
        'paused',
        300,
        'wait',
        False,
    )
    assert found.token not in ('t', '')


@pytest.mark.parametrize(
    ('found', 'stops'),
    [
        (balancer('drain'), False),
        (balancer('drain', grant='queued'), False),
        (balancer('drain', grant='refused'), False),
        (balancer('drain', grant='granted', acks=('draining',)), False),
        (balancer('drain', grant='granted', acks=('drained', 'draining')), False),
        (balancer('drain', grant='granted', acks=('drained', 'drained')), True),
    ],
)
def test_it_stops_when_every_load_balancer_has_seen_the_last_of_its_clients(
    found: relations.Relation, stops: bool
) -> None:
    of = inputs(found, paused=True)
    place = front.serving_state(SPEC, of, front.intent(HOOK, of))
    assert place.out_of_service is stops
    assert place.lifecycle.state == ('maintenance' if stops else 'drain')
    assert place.announced is stops


@pytest.mark.parametrize(
    ('last', 'may'),
    [('', True), ('ready', False), ('drain', False), ('maintenance', True)],
)
def test_an_upgrade_is_refused_while_load_balancers_send_clients_or_have_not_seen_the_last(
    last: str, may: bool
) -> None:
    of = inputs(balancer(last), paused=last in ('drain', 'maintenance'))
    refused = 'a load balancer sends clients to this unit: run the pause action first'
    found = api.run(SPEC, Action('openstack-upgrade', id='7'), of)
    assert found.failure == ('' if may else refused)
    assert (found.host.upgrade is not None) is may
    forced = api.run(SPEC, Action('openstack-upgrade', id='7', params={'force': True}), of)
    assert forced.failure == ''
    assert forced.host.upgrade is not None
    assert forced.host.upgrade.key == 'openstack-upgrade 7'
    assert api.run(SPEC, HOOK, of).host.upgrade is None


def test_without_a_load_balancer_an_upgrade_is_the_operators_affair() -> None:
    assert api.run(SPEC, Action('openstack-upgrade', id='7'), inputs()).failure == ''


@pytest.mark.parametrize('name', ['db-expand', 'db-contract'])
def test_a_migration_needs_a_database(name: str) -> None:
    spec = dataclasses.replace(
        SPEC,
        needs=(mysql.need('demo'),),
        migrations=migration.Commands(
            sync=('demo-manage db sync',), contract=('demo-manage db contract',)
        ),
    )
    assert api.run(spec, Action(name), inputs()).failure == 'there is no database yet'


def test_a_migration_that_the_service_does_not_have_is_not_said_to_be_done() -> None:
    sync = migration.Commands(sync=('demo-manage db sync',))
    spec = dataclasses.replace(SPEC, migrations=sync)
    assert api.run(spec, Action('db-expand'), inputs()).failure == ''
    assert api.run(spec, Action('db-contract'), inputs()).failure == 'demo has no such migration'
    assert api.run(SPEC, Action('db-expand'), inputs()).failure == 'demo has no such migration'


@pytest.mark.parametrize(
    ('name', 'then'),
    [
        ('db-expand', 'run the action again'),
        ('openstack-upgrade', 'it is tried again by itself'),
    ],
)
def test_a_migration_that_fails_says_what_comes_next(name: str, then: str) -> None:
    """Nobody but the operator repeats an order; an upgraded leader's own migration the next hook does."""
    sync = migration.Commands(sync=('demo-manage db sync',))
    spec = dataclasses.replace(SPEC, migrations=sync)
    unrun = {'demo-manage db sync': 'no such table'}
    failed = dataclasses.replace(inputs(), unrun=unrun)
    assert api.run(spec, Action(name), failed).failure.endswith(f'; {then}')


def test_a_migration_on_a_base_that_nobody_knows_fails_in_words() -> None:
    there = dataclasses.replace(inputs(), facts=state.Facts(base='debian@9'))
    assert 'debian@9' in api.run(SPEC, Action('db-expand'), there).failure


def test_resume_says_what_does_not_come_up() -> None:
    down = dataclasses.replace(inputs(paused=True), failed={'apache2': 'no more memory'})
    said = api.run(SPEC, Action('resume'), down).results['status']
    assert said == 'apache2 does not run: no more memory; see journalctl -u apache2'
