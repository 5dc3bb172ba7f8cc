"""What a unit tells its load balancers, and what it reads out of their answers, one function at a time."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from charmkit.relations import Relation, drains, loadbalancer
from charmkit.relations.loadbalancer import Lifecycle

READY = Lifecycle(state='ready', token='r')
DRAIN = Lifecycle(state='drain', token='t', reason='paused')


def answered(
    app: str = 'lb',
    *,
    grant: tuple[str, str] | None = None,
    acks: dict[str, tuple[str, str, int]] | None = None,
    versions: list[int] | None = None,
    mine: Lifecycle | None = None,
    **more: Any,
) -> Relation:
    """A load balancer with a unit for each of *acks*, (token, state, sessions); all of them count."""
    told = acks or {f'{app}/0': ('', '', 0)}
    bag = {
        'interface-versions': json.dumps(versions or [1, 2]),
        'lb-units': json.dumps([*told]),
        **{key.replace('_', '-'): json.dumps(value) for key, value in more.items()},
    }
    if grant:
        token, said = grant
        one = {'token': token, 'state': said, 'position': 2, 'reason': 'others first'}
        bag['grants'] = json.dumps({'demo/0': one})
    units = {
        unit: {'acks': json.dumps({'demo/0': {'token': t, 'state': said, 'sessions': n}})}
        for unit, (t, said, n) in told.items()
    }
    data = {'lifecycle': loadbalancer.write_lifecycle(mine)} if mine else {}
    return Relation(id=5, name='public-backend', app=app, app_data=bag, units=units, my_data=data)


DRAINED = answered(grant=('t', 'granted'), acks={'lb/0': ('t', 'drained', 0)})


def following(
    current: Lifecycle | None,
    *found: Relation,
    paused: bool = False,
    healthy: bool = True,
    wish: Lifecycle | None = None,
) -> Lifecycle:
    return drains.next_lifecycle(
        current,
        found,
        unit='demo/0',
        paused=paused,
        healthy=healthy,
        fresh_token='new',
        wish=wish,
    )


def test_a_new_unit_is_ready_at_once():
    assert following(None, healthy=False) == Lifecycle(state='ready', token='new')


def test_one_that_is_ready_stays_so_with_the_token_that_it_has():
    assert following(READY) is READY


def test_one_that_is_paused_asks_for_a_drain_and_says_why():
    assert following(READY, paused=True) == Lifecycle(state='drain', token='new', reason='paused')
    assert following(None, paused=True).state == 'drain'


def test_the_reason_the_deadline_and_the_force_of_a_drain_are_those_of_the_wish():
    wish = Lifecycle(
        state='drain', token='', reason='kernel', deadline_s=9, on_deadline='force', force=True
    )
    assert following(READY, paused=True, wish=wish) == Lifecycle(
        state='drain',
        token='new',
        reason='kernel',
        deadline_s=9,
        on_deadline='force',
        force=True,
    )


def test_a_drain_that_is_not_done_goes_on_as_it_is():
    waiting = answered(grant=('t', 'queued'), acks={'lb/0': ('', '', 0)})
    assert following(DRAIN, waiting, paused=True) is DRAIN


def test_a_drain_that_is_done_becomes_maintenance_with_a_new_token():
    after = following(DRAIN, DRAINED, paused=True)
    assert after == Lifecycle(state='maintenance', token='new', reason='paused')


def test_a_drain_is_forced_by_a_later_wish_once():
    waiting = answered(grant=('t', 'refused'), acks={'lb/0': ('', '', 0)})
    force = Lifecycle(state='drain', token='', reason='now', force=True)
    forced = following(DRAIN, waiting, paused=True, wish=force)
    assert (forced.state, forced.force, forced.token) == ('drain', True, 'new')
    assert following(forced, waiting, paused=True, wish=force) is forced
    gentle = Lifecycle(state='drain', token='', reason='again')
    assert following(DRAIN, waiting, paused=True, wish=gentle) is DRAIN


def test_one_that_resumes_is_ready_only_once_it_is_healthy():
    rests = Lifecycle(state='maintenance', token='m')
    assert following(rests, healthy=False) is rests
    assert following(rests) == Lifecycle(state='ready', token='new')
    assert following(rests, paused=True) is rests


def test_a_drain_that_is_called_off_is_ready_when_healthy():
    assert following(DRAIN, DRAINED, healthy=False) is DRAIN
    assert following(DRAIN, DRAINED) == Lifecycle(state='ready', token='new')


@pytest.mark.parametrize('state', ['ready', 'drain', 'maintenance', 'gone'])
def test_what_a_unit_wrote_is_read_as_it_was_meant(state: loadbalancer.State):
    one = Lifecycle(
        state=state,
        token='t',
        reason='why',
        deadline_s=17,
        on_deadline='force',
        force=True,
        beat=3,
    )
    written = loadbalancer.write_lifecycle(one)
    assert loadbalancer.read_lifecycle({'lifecycle': written}) == one
    assert json.loads(written)['services'] == ['*']


def test_what_a_unit_leaves_out_has_the_usual_values():
    short = loadbalancer.read_lifecycle({'lifecycle': '{"state": "drain"}'})
    assert short == Lifecycle(state='drain', token='')
    assert loadbalancer.read_lifecycle({'lifecycle': '{"state": "asleep"}'}) is None
    assert loadbalancer.read_lifecycle({}) is None


def drained(*found: Relation, lifecycle: Lifecycle = DRAIN) -> drains.Drain:
    return drains.drain(found, 'demo/0', lifecycle)


@pytest.mark.parametrize(
    ('relation', 'state', 'words', 'sessions'),
    [
        (DRAINED, 'drained', '', 0),
        (answered(acks={'lb/0': ('t', 'forced', 0)}), 'drained', '', 0),
        (answered(), 'asked', 'lb has not decided yet', 0),
        (answered(grant=('old', 'granted')), 'asked', 'lb has not decided yet', 0),
        (answered(grant=('', 'refused')), 'asked', 'lb refuses it as things are: others first', 0),
        (answered(grant=('', 'queued')), 'asked', 'lb has not decided yet', 0),
        (answered(grant=('t', 'queued')), 'queued', 'lb: others first', 0),
        (answered(grant=('t', 'refused')), 'refused', 'lb: others first', 0),
        (
            answered(
                grant=('t', 'granted'),
                acks={'lb/0': ('t', 'draining', 3), 'lb/1': ('t', 'drained', 2)},
            ),
            'draining',
            'lb: 5 requests under way',
            5,
        ),
        (
            answered(
                grant=('t', 'granted'),
                acks={'lb/0': ('t', 'timeout', 1), 'lb/1': ('old', 'draining', 8)},
            ),
            'timeout',
            'lb: 1 requests under way',
            1,
        ),
        (
            answered(grant=('old', 'queued'), acks={'lb/0': ('t', 'draining', 4)}),
            'draining',
            'lb: 4 requests under way',
            4,
        ),
        (answered(grant=('t', 'granted'), versions=[1]), 'unsupported', 'lb knows no drain', 0),
        (Relation(id=5, name='public-backend', app='lb', units={'lb/0': {}}), 'asked', 'lb has not answered', 0),
        (Relation(id=5, name='public-backend', app='lb'), 'drained', '', 0),
    ],
)  # fmt: skip
def test_how_far_a_drain_has_come_at_one_load_balancer(
    relation: Relation, state: str, words: str, sessions: int
):
    found = drained(relation)
    assert (found.state, found.reason, found.sessions) == (state, words, sessions)
    assert found.proceed == (state == 'drained')


def test_of_several_load_balancers_each_that_would_refuse_is_heard_before_its_turn_comes():
    first, second = answered('a'), answered('b', grant=('', 'refused'))
    found = drained(second, first)
    assert (found.state, found.reason) == ('asked', 'b refuses it as things are: others first')
    granted = answered('a', grant=('t', 'granted'), acks={'a/0': ('t', 'draining', 1)})
    assert drained(second, granted).state == 'asked'
    forced = dataclasses.replace(DRAIN, force=True)
    assert drained(second, first, lifecycle=forced).reason.endswith('has not decided yet')


def test_one_unit_of_a_load_balancer_that_has_not_seen_the_last_request_end_keeps_a_unit_up():
    half = {'lb/0': ('t', 'drained', 0), 'lb/1': ('t', 'draining', 0)}
    assert drained(answered(grant=('t', 'granted'), acks=half)).state == 'draining'


def test_no_load_balancer_or_a_drain_that_is_done_lets_a_unit_proceed():
    assert drained().proceed
    for state in ('maintenance', 'gone'):
        assert drained(answered(), lifecycle=Lifecycle(state=state, token='t')).proceed


def test_of_several_load_balancers_the_one_furthest_from_done_counts():
    slow = answered('b', grant=('t', 'granted'), acks={'b/0': ('t', 'draining', 1)})
    first = answered('a', grant=('t', 'granted'), acks={'a/0': ('t', 'drained', 0)})
    assert drained(first, slow).state == 'draining'
    assert drained(slow, first).state == 'draining'


def told(relation: Relation, *every: Relation, lifecycle: Lifecycle = DRAIN) -> Lifecycle:
    return drains.lifecycle_for(relation, every, 'demo/0', lifecycle)


def test_load_balancers_are_told_of_a_drain_in_turn():
    asked, later = answered('a', grant=('t', 'queued')), answered('b')
    assert told(asked, asked, later) is DRAIN
    still = told(later, asked, later)
    assert (still.state, still.token) == ('ready', 'before-t')
    granted = answered('a', grant=('t', 'granted'))
    assert told(later, granted, later) is DRAIN
    of_another = answered('a', grant=('old', 'granted'))
    assert told(later, of_another, later).state == 'ready'


def test_one_whose_turn_has_not_come_hears_what_it_heard_before():
    later = answered('b', mine=READY)
    assert told(later, answered('a'), later) == READY


def test_a_forced_drain_and_a_ready_unit_wait_for_nobody():
    force = Lifecycle(state='drain', token='t', force=True)
    later = answered('b')
    assert told(later, answered('a'), later, lifecycle=force) is force
    assert told(later, answered('a'), later, lifecycle=READY) is READY


def test_one_that_knows_no_drain_is_not_waited_for_and_one_that_is_silent_is():
    later = answered('b')
    assert told(later, answered('a', versions=[1]), later) is DRAIN
    silent = Relation(id=4, name='public-backend', app='a', units={'a/0': {}})
    assert told(later, silent, later).state == 'ready'


def test_what_the_unit_last_wanted_is_what_it_told_the_one_that_is_told_first():
    first, second = answered('a', mine=DRAIN), answered('b', mine=READY)
    assert drains.last_lifecycle([second, first]) == DRAIN
    assert drains.last_lifecycle([second, answered('a')]) == READY
    assert drains.last_lifecycle([answered('a')]) is None


def test_a_unit_is_in_rotation_once_every_load_balancer_unit_says_so_with_its_token():
    def rotating(*found: Relation) -> bool:
        return drains.in_rotation(found, 'demo/0', READY)

    here = answered(acks={'lb/0': ('r', 'ready', 0), 'lb/1': ('r', 'ready', 0)})
    assert rotating(here)
    assert not rotating(answered(acks={'lb/0': ('r', 'ready', 0), 'lb/1': ('r', 'drained', 0)}))
    assert not rotating(answered(acks={'lb/0': ('old', 'ready', 0)}))
    assert not rotating(here, answered('b'))
    assert rotating(answered(versions=[1])), 'it says nothing of the kind'
    assert rotating(Relation(id=4, name='public-backend', app='a', units={'a/0': {}}))


FRONTEND = {'ip': ['203.0.113.9', '203.0.113.10'], 'port': 8778}


@pytest.mark.parametrize(
    ('said', 'url'),
    [
        ({}, 'http://203.0.113.9:8778'),
        ({'protocol': 'https'}, 'https://203.0.113.9:8778'),
        ({'hostname': 'cloud.example'}, 'http://cloud.example:8778'),
        ({'ip': ['fd00::9']}, 'http://[fd00::9]:8778'),
        ({'url': 'https://cloud.example/demo'}, 'https://cloud.example/demo'),
        ({'ip': []}, None),
    ],
)
def test_the_url_of_a_frontend_is_what_it_says_or_made_of_where_it_is(
    said: dict[str, object], url: str | None
):
    found = answered(frontends={'demo': {'public': {**FRONTEND, **said}}})
    expected = {} if url is None else {'public': url}
    assert loadbalancer.urls([found]).get('demo', {}) == expected
    assert 'other' not in loadbalancer.urls([found])


def test_everything_that_a_load_balancer_says_is_read():
    reply = loadbalancer.read(
        answered(
            grant=('t', 'queued'),
            acks={'lb/1': ('t', 'draining', 7)},
            frontends={'demo': {'public': {**FRONTEND, 'hostname': 'cloud.example'}}},
            status={'demo': {'state': 'rejected', 'reason': 'port 22 is in use'}},
            proxy={'trusted-cidrs': ['10.0.0.0/8']},
        )
    )
    assert reply == loadbalancer.Reply(
        balancer='lb',
        version=2,
        frontends={
            'demo': {
                'public': loadbalancer.Frontend(
                    url='http://cloud.example:8778',
                    addresses=('203.0.113.9', '203.0.113.10'),
                    port=8778,
                    protocol='http',
                    hostname='cloud.example',
                )
            }
        },
        status={'demo': loadbalancer.Verdict(state='rejected', reason='port 22 is in use')},
        grants={
            'demo/0': loadbalancer.Grant(
                token='t', state='queued', position=2, reason='others first'
            )
        },
        acks={'lb/1': {'demo/0': loadbalancer.Ack(token='t', state='draining', sessions=7)}},
        lb_units=('lb/1',),
        heard=frozenset({'lb/1'}),
        trusted_cidrs=('10.0.0.0/8',),
    )


def test_a_load_balancer_that_has_said_nothing_has_not_answered():
    assert (
        loadbalancer.read(Relation(id=5, name='public-backend', app='lb', app_data={'x': 'y'}))
        is None
    )
    old = loadbalancer.read(
        Relation(id=5, name='public-backend', app='lb', app_data={'frontends': '{}'})
    )
    assert old
    assert (old.version, old.lb_units) == (1, ())


def test_an_operator_hears_of_what_is_refused_and_of_two_load_balancers_for_one_type():
    refuses = answered(
        status={
            'demo': {'state': 'rejected', 'reason': 'its port'},
            '*': {'state': 'rejected', 'reason': 'all of it'},
            'other': {'state': 'ready', 'reason': 'fine'},
        }
    )
    assert loadbalancer.complaints([refuses]) == (
        'lb refuses the relation: all of it',
        'lb refuses demo: its port',
    )
    assert loadbalancer.complaints([answered('a'), answered('b')]) == (
        'public-backend has several load balancers: a, b',
    )
    assert loadbalancer.complaints([Relation(id=5, name='public-backend', app='lb')]) == ()


API = loadbalancer.Api(
    name='demo',
    type='demo-type',
    frontend_port=80,
    backend_port=8778,
    path='/v2',
    min_ready=2,
    requests_at_once=16,
    options={'balance': 'roundrobin'},
)
INSIDE = loadbalancer.Api(
    name='data', type='data', frontend_port=81, backend_port=8779, types=('internal',)
)


def test_what_is_asked_of_a_load_balancer_is_what_has_the_endpoint_type():
    asked = loadbalancer.app_request([API, INSIDE], 'public')
    assert json.loads(asked['interface-versions']) == [1, 2]
    assert json.loads(asked['endpoints']) == [
        {
            'service-name': 'demo',
            'service-type': 'demo-type',
            'frontend-port': 80,
            'check-type': 'http',
            'endpoint-types': ['public'],
            'path': '/v2',
            'min-ready': 2,
            'balance': 'roundrobin',
        }
    ]
    inside = json.loads(loadbalancer.app_request([API, INSIDE], 'internal')['endpoints'])
    assert [e['service-name'] for e in inside] == ['demo', 'data']


def test_each_unit_says_where_it_serves_and_how_much_it_can_take():
    said = loadbalancer.unit_request([API, INSIDE], 'public', ['10.0.0.2', 'fd00::2'], READY)
    assert json.loads(said['endpoints']) == [
        {
            'service-name': 'demo',
            'backend-ip': '10.0.0.2',
            'backend-port': 8778,
            'addresses': ['10.0.0.2', 'fd00::2'],
            'maxconn': 16,
        }
    ]
    assert loadbalancer.read_lifecycle(said) == READY
    spare = loadbalancer.unit_request([INSIDE], 'internal', ['10.0.0.2'], READY, backup=True)
    (one,) = json.loads(spare['endpoints'])
    assert one['backup'] is True
    assert 'maxconn' not in one
