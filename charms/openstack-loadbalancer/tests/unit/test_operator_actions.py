"""What the operator's actions change, when they are refused, and what they answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from balancer import actions, decision, handshake, options, reply, rotation, tasks
from charmkit import Action, Desired, Inputs, Status
from charmkit.relations import Databag, Relation, Site, loadbalancer
from charmkit.why import Hook

NOVA = loadbalancer.Api(name='nova', type='compute', frontend_port=8774, backend_port=8764)


def act(name: str, **params: Any) -> Action:
    return Action(name=name, params=params, id='7')


def behind(*units: str) -> Relation:
    ready = loadbalancer.Lifecycle(state='ready', token='t')
    return Relation(
        id=1,
        name='backend',
        app='nova',
        app_data=loadbalancer.app_request([NOVA], 'public'),
        units={
            u: {
                'ingress-address': f'10.9.0.{n + 1}',
                **loadbalancer.unit_request([NOVA], 'public', [f'10.9.0.{n + 1}'], ready),
            }
            for n, u in enumerate(units)
        },
    )


def inputs(
    *units: str,
    leader: bool = True,
    peers: Databag | None = None,
    others: Mapping[str, Databag] | None = None,
    seen: Mapping[str, Any] | None = None,
) -> Inputs:
    """What unit lb/0 knows, with *units* of nova behind it."""
    return Inputs(
        site=Site(unit='lb/0', leader=leader, address='10.0.0.1'),
        relations={'backend': (behind(*units),)},
        peers=peers or {},
        peer_units=others or {},
        seen=seen or {},
    )


def decided(known: Inputs, **more: Any) -> decision.Decision:
    return decision.decide(
        decision.RunInputs(inputs=known, effective=options.read({}, {}), networks=NETWORKS, **more)
    )


NETWORKS: dict[str, Any] = {}


def locks(**more: Any) -> dict[str, handshake.Lock]:
    return {
        unit.replace('_', '/'): handshake.Lock(token='t', state=state, since=1.0, reason=reason)
        for unit, (state, reason) in more.items()
    }


# What an action changes.


@pytest.mark.parametrize(
    ('why', 'orders'),
    [
        (act('resume-backend', unit='nova/0'), decision.Orders(resume=frozenset({'nova/0'}))),
        (act('release-grant', unit='nova/0'), decision.Orders(release=frozenset({'nova/0'}))),
        (act('exclude-unit', unit='lb/1'), decision.Orders(exclude=frozenset({'lb/1'}))),
        (act('include-unit', unit='lb/1'), decision.Orders(include=frozenset({'lb/1'}))),
        (act('include-unit'), decision.Orders(include=frozenset({''}))),
        (act('stats', unit='lb/1'), decision.Orders()),
        (act('drain-self'), decision.Orders()),
        (Hook(name='update-status'), decision.Orders()),
    ],
)
def test_an_action_orders_what_its_name_says(why: Any, orders: decision.Orders) -> None:
    assert actions.orders(why) == orders


@pytest.mark.parametrize(
    ('params', 'more'),
    [
        ({}, {}),
        ({'deadline': 7}, {'deadline_s': 7}),
        ({'force': False}, {}),
        ({'force': True}, {'force': True, 'on_deadline': 'force'}),
    ],
)
def test_the_operators_drain_waits_five_minutes_and_cuts_nothing_unless_told(
    params: dict[str, Any], more: dict[str, Any]
) -> None:
    wish = loadbalancer.Lifecycle(
        state='drain',
        token='operator-7',
        reason='the operator',
        deadline_s=300,
        on_deadline='wait',
        force=False,
    )
    hold = {'nova/0': dataclasses.replace(wish, **more)}
    assert actions.orders(act('drain-backend', unit='nova/0', **params)) == decision.Orders(
        hold=hold
    )


@pytest.mark.parametrize('before', [False, True])
def test_a_unit_is_out_of_service_from_drain_self_to_resume_self(before: bool) -> None:
    def out(why: Any) -> bool:
        return actions.wish(why, {}, out=before).out

    assert out(act('drain-self')) is True
    assert out(act('resume-self')) is False
    assert out(act('stats')) is before
    assert out(Hook(name='drain-self')) is before


# When it is refused.

HELD = {'holds': json.dumps({'nova/1': '{}', 'nova/0': '{}'})}
LOCKED = {'locks': handshake.dump(locks(nova_1=('granted', ''), nova_0=('queued', 'waits')))}
EXCLUDED = {'excluded': '["lb/2", "lb/1"]'}
OTHERS: dict[str, Databag] = {'lb/2': {}, 'lb/1': {}}
LEADER = 'Only the leader can do this: run it on the unit APPLICATION/leader.'


@pytest.mark.parametrize(
    ('name', 'unit', 'peers', 'said'),
    [
        ('drain-backend', 'nova/9', {}, 'nova/9 is not served here; there are: nova/0, nova/1'),
        ('drain-backend', 'nova/1', {}, ''),
        ('resume-backend', 'nova/9', {}, 'drain-backend has taken out no nova/9, but: none'),
        ('resume-backend', 'nova/9', HELD, 'drain-backend has taken out no nova/9, but: nova/0, nova/1'),
        ('resume-backend', 'nova/1', HELD, ''),
        ('release-grant', 'nova/9', {}, 'nova/9 has no grant; there are grants of: none'),
        ('release-grant', 'nova/9', LOCKED, 'nova/9 has no grant; there are grants of: nova/0, nova/1'),
        ('release-grant', 'nova/1', LOCKED, ''),
        ('exclude-unit', 'lb/9', {}, 'lb/9 is no unit of this load balancer; there are: lb/0, lb/1, lb/2'),
        ('exclude-unit', 'lb/1', EXCLUDED, 'lb/1 is excluded already'),
        ('exclude-unit', 'lb/1', {}, ''),
        ('exclude-unit', 'lb/0', {}, ''),
        ('include-unit', 'lb/0', EXCLUDED, 'lb/0 is not excluded; excluded are: lb/1, lb/2'),
        ('include-unit', 'lb/0', {}, 'lb/0 is not excluded; excluded are: none'),
        ('include-unit', 'lb/1', EXCLUDED, ''),
    ],
)  # fmt: skip
def test_what_an_action_cannot_do_is_said_with_what_it_could(
    name: str, unit: str, peers: Databag, said: str
) -> None:
    def refused(*, leader: bool) -> str:
        known = inputs('nova/1', 'nova/0', leader=leader, peers=peers, others=OTHERS)
        return actions.refused(act(name, unit=unit), known, SERVED)

    assert refused(leader=True) == said
    assert refused(leader=False) == LEADER


SERVED = dataclasses.replace(
    decided(inputs()), servers={u: (('nova.public', u),) for u in ('nova/1', 'nova/0')}
)


@pytest.mark.parametrize('name', ['stats', 'list-backends', 'drain-self', 'resume-self'])
def test_what_concerns_the_unit_alone_is_done_on_any(name: str) -> None:
    known = inputs(leader=False)
    assert actions.refused(act(name), known, decided(known)) == ''


# What it answers.


@pytest.mark.parametrize('name', ['drain-backend', 'resume-backend', 'release-grant'])
@pytest.mark.parametrize(
    ('lock', 'said'),
    [
        (('granted', ''), 'granted'),
        (('queued', 'waits for nova/1'), 'queued waits for nova/1'),
        (None, 'none'),
    ],
)
def test_it_says_what_has_become_of_the_grant(
    name: str, lock: tuple[str, str] | None, said: str
) -> None:
    now = dataclasses.replace(SERVED, locks=locks(nova_0=lock) if lock else {})
    assert actions.outcome(act(name, unit='nova/0'), now, []) == (
        '',
        {'unit': 'nova/0', 'grant': said},
    )


def test_a_drain_that_is_refused_fails_and_an_end_of_one_does_not() -> None:
    now = dataclasses.replace(SERVED, locks=locks(nova_0=('refused', 'too few would be left')))
    assert actions.outcome(act('drain-backend', unit='nova/0'), now, []) == (
        'nova/0 may not be drained: too few would be left (force does it all the same)',
        {},
    )
    assert actions.outcome(act('resume-backend', unit='nova/0'), now, []) == (
        '',
        {'unit': 'nova/0', 'grant': 'refused too few would be left'},
    )


@pytest.mark.parametrize('name', ['exclude-unit', 'include-unit'])
def test_it_says_who_is_excluded(name: str) -> None:
    now = dataclasses.replace(SERVED, excluded=frozenset({'lb/2', 'lb/1'}))
    assert actions.outcome(act(name), now, []) == ('', {'excluded': 'lb/1 lb/2'})
    assert actions.outcome(act(name), SERVED, []) == ('', {'excluded': 'none'})


def test_a_unit_that_goes_or_comes_says_its_status_and_other_runs_say_nothing() -> None:
    status = [Status('maintenance', 'out of service')]
    for name in ('drain-self', 'resume-self'):
        assert actions.outcome(act(name), SERVED, status) == ('', {'status': 'out of service'})
    assert actions.outcome(act('something else'), SERVED, status) == ('', {})
    assert actions.outcome(Hook(name='drain-self'), SERVED, status) == ('', {})


def test_an_action_that_names_no_unit_is_about_none() -> None:
    """Juju sees to it that it does, for the actions that need one."""
    assert actions.outcome(act('release-grant'), SERVED, []) == ('', {'unit': '', 'grant': 'none'})
    known = inputs()
    said = actions.refused(act('drain-backend'), known, SERVED)
    assert said == ' is not served here; there are: nova/0, nova/1'


# What only looks.


def test_grants_are_shown_a_line_for_each_and_as_json() -> None:
    held = locks(nova_0=('granted', ''), nova_1=('queued', 'waits for nova/0'))
    now = dataclasses.replace(SERVED, locks=held)
    assert actions.looked(act('show-grants'), inputs(), now) == Desired(
        read_only=True,
        results={
            'grants': 'nova/0: granted\nnova/1: queued waits for nova/0',
            'json': handshake.dump(held),
        },
    )
    nothing = actions.looked(act('show-grants'), inputs(), SERVED)
    assert nothing.results == {'grants': 'none', 'json': '{}'}


WORKERS = (
    rotation.Worker(
        pid=2,
        current=True,
        servers={
            ('nova.public', 'nova/0'): rotation.ServerState(admin=0, up=True, sessions=3),
            ('nova.public', 'nova/1'): rotation.ServerState(admin=0, up=False, sessions=0),
        },
    ),
    rotation.Worker(
        pid=1,
        current=False,
        servers={('nova.public', 'nova/0'): rotation.ServerState(admin=8, up=False, sessions=2)},
    ),
)


def listed(seen: object, now: decision.Decision) -> Desired:
    known = inputs(seen={} if seen is None else {'look': seen})
    return actions.looked(act('list-backends'), known, now)


def test_backends_are_listed_once_haproxy_was_looked_at() -> None:
    now = dataclasses.replace(
        SERVED,
        wants={('nova.public', 'nova/0'): 'drain', ('nova.public', 'nova/1'): 'ready'},
        locks=locks(nova_0=('granted', '')),
    )
    assert listed(None, now) == Desired(read_only=True, tasks=(tasks.ProbeHaproxy(),))
    shown = listed(WORKERS, now)
    assert (shown.read_only, shown.tasks, shown.failure) == (True, (tasks.ProbeHaproxy(),), '')
    assert shown.results['backends'] == (
        'BACKEND      UNIT    WANTED  CHECK  SESSIONS  GRANT    RELEASE  BASE\n'
        'nova.public  nova/0  drain   up     5         granted  ?        ?\n'
        'nova.public  nova/1  ready   down   0                  ?        ?\n'
    )
    assert json.loads(shown.results['json'])[0] == {
        'backend': 'nova.public',
        'unit': 'nova/0',
        'wanted': 'drain',
        'check': 'up',
        'sessions': 5,
        'grant': 'granted',
        'release': '?',
        'base': '?',
    }
    assert len(json.loads(shown.results['json'])) == 2


def test_backends_are_down_where_there_is_no_current_worker() -> None:
    now = dataclasses.replace(SERVED, wants=dict.fromkeys(SERVED_KEYS, 'ready'))
    rows = json.loads(listed(WORKERS[1:], now).results['json'])
    assert [(r['unit'], r['check'], r['sessions']) for r in rows] == [
        ('nova/0', 'down', 2),
        ('nova/1', 'down', 0),
    ]


SERVED_KEYS = [('nova.public', 'nova/0'), ('nova.public', 'nova/1')]


def test_a_haproxy_that_does_not_answer_fails_the_action_with_its_reason() -> None:
    assert listed(tasks.Unreachable('no such socket'), SERVED) == Desired(failure='no such socket')


HEAD = '# pxname,svname,scur,stot,econ,eresp,hrsp_5xx,status,\n'
METRICS: dict[str, Databag] = {
    'lb/1': reply.write_member(reply.Member(metrics='10.0.0.2:8404')),
    'lb/2': {},  # It has not said yet where.
}


def statistics(seen: object = None, **params: Any) -> Desired:
    known = inputs(others=METRICS, seen={} if seen is None else {'statistics': seen})
    return actions.looked(act('stats', **params), known, SERVED)


def test_statistics_are_asked_of_this_unit_and_of_those_that_say_where() -> None:
    task = tasks.Statistics({'lb/1': '10.0.0.2:8404'}, 'lb/0')
    assert statistics() == Desired(read_only=True, tasks=(task,))


def test_statistics_are_one_table_and_say_who_could_not_be_asked() -> None:
    task = tasks.Statistics({'lb/1': '10.0.0.2:8404'}, 'lb/0')
    texts = {'lb/0': f'{HEAD}nova,n0,1,2,3,4,5,UP,\n', 'lb/1': f'{HEAD}nova,n0,1,2,3,4,5,UP,\n'}
    table = (
        'SERVICE  SERVER  STATUS  TOTAL  NOW  ERRORS  5XX  UNITS\n'
        'nova     n0      UP      4      2    14      10   2\n'
    )
    whole = Desired(read_only=True, tasks=(task,), results={'stats': table})
    assert statistics((texts, ())) == whole
    assert statistics((texts, ()), format='table') == whole
    missing = statistics((texts, ('lb/2: 503', 'lb/3: timed out')))
    assert missing.results == {'stats': table, 'missing': 'lb/2: 503; lb/3: timed out'}


def test_statistics_are_json_where_that_is_asked_for() -> None:
    shown = statistics(({'lb/0': f'{HEAD}nova,n0,1,2,3,4,5,UP,\n'}, ()), format='json')
    assert json.loads(shown.results['stats']) == [
        {
            'service': 'nova',
            'server': 'n0',
            'status': 'UP',
            'requests': 2,
            'current': 1,
            'errors': 7,
            'responses_5xx': 5,
            'units': 1,
        }
    ]
