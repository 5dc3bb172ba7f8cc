"""How one look at haproxy leads to the next: what is noted, acknowledged, granted and cut, and when it has settled."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from balancer import decision, handshake, options, reply, rotation, settling, vrrp
from balancer.rotation import FORCED_DRAIN, ServerState
from balancer.settling import Settled
from balancer.tasks import DrainProgress, HaproxyState, Servers
from charmkit import Inputs
from charmkit.relations import Databag, Relation, Site, loadbalancer
from charmkit.relations.loadbalancer import Ack, Lifecycle

NOVA = loadbalancer.Api(name='nova', type='compute', frontend_port=8774, backend_port=8764)
NETWORKS = {'public': (vrrp.Interface(name='eth1', address='10.1.0.5', network='10.1.0.0/24'),)}
AT = 10_000.0
WAIT_S = 5.0
TOKEN = 't'


def wish(state: loadbalancer.State, token: str = TOKEN, **more: Any) -> Lifecycle:
    return Lifecycle(state=state, token=token, **more)


READY, DRAIN = wish('ready'), wish('drain')


def key(unit: str) -> rotation.ServerKey:
    return ('nova.public', unit.replace('/', '-'))


def relation(units: Mapping[str, Lifecycle | None]) -> Relation:
    bags: dict[str, Databag] = {}
    for n, (unit, lifecycle) in enumerate(units.items()):
        bag = loadbalancer.unit_request([NOVA], 'public', [f'10.9.0.{n + 1}'], lifecycle or READY)
        if lifecycle is None:
            bag = {k: v for k, v in bag.items() if k != 'lifecycle'}
        bags[unit] = {'ingress-address': f'10.9.0.{n + 1}', **bag}
    app = loadbalancer.app_request([NOVA], 'public')
    return Relation(id=1, name='backend', app='nova', app_data=app, units=bags)


def known(
    units: Mapping[str, Lifecycle | None],
    *,
    leader: bool = True,
    locks: Mapping[str, handshake.Lock] | None = None,
    said: Mapping[str, Ack] | None = None,
    others: Mapping[str, Mapping[str, Ack]] | None = None,
) -> decision.RunInputs:
    """What unit lb/0 knows; *said* is what it acknowledged before, *others* what the other members do."""
    return decision.RunInputs(
        inputs=Inputs(
            site=Site(unit='lb/0', leader=leader, address='10.1.0.5'),
            relations={'backend': (relation(units),)},
            peers={'locks': handshake.dump(locks or {}), 'members': '["lb/0"]'},
            my_peer_data=reply.write_member(reply.Member(acks=said or {})),
            peer_units={
                u: reply.write_member(reply.Member(acks=a)) for u, a in (others or {}).items()
            },
            now=AT,
        ),
        effective=options.read({}, {}),
        networks=NETWORKS,
    )


def granted(since: float = AT, **more: Any) -> handshake.Lock:
    return handshake.Lock(token='t', state='granted', since=since, **more)


def worker(*, current: bool = True, **servers: ServerState) -> rotation.Worker:
    """nova_0 is the server of nova/0."""
    return rotation.Worker(
        pid=1,
        current=current,
        servers={('nova.public', name.replace('_', '-')): s for name, s in servers.items()},
    )


def server(sessions: int = 0, *, admin: int = 0, up: bool = True, check_done: bool = True) -> Any:
    return ServerState(admin=admin, up=up, sessions=sessions, check_done=check_done)


WELL = server()
OUT = server(admin=FORCED_DRAIN)
BUSY = server(2, admin=FORCED_DRAIN)


def look(
    *workers: rotation.Worker, number: int = 1, at: float = AT, began: float = AT, **course: Any
) -> HaproxyState:
    return HaproxyState(
        look=number, at=at, workers=workers, mark='m', course=DrainProgress(began=began, **course)
    )


def settled(of: decision.RunInputs, seen: HaproxyState) -> Settled:
    step = settling.following(of, seen, wait_s=WAIT_S)
    assert isinstance(step, Settled), step
    return step


def another(of: decision.RunInputs, seen: HaproxyState) -> Servers:
    step = settling.following(of, seen, wait_s=WAIT_S)
    assert isinstance(step, Servers), step
    return step


# The first look.


def test_the_first_look_tells_haproxy_what_is_wanted_and_begins_the_course() -> None:
    now = decision.decide(known({'nova/0': READY}))
    assert now.wants[key('nova/0')] == 'ready'
    assert settling.first(now, {}, AT) == Servers(wants=now.wants, course=DrainProgress(began=AT))


@pytest.mark.parametrize(
    ('before', 'since'),
    [
        ({}, AT),
        ({'nova/0': ('t', 9000.0)}, 9000.0),
        ({'nova/0': ('another', 9000.0)}, AT),  # It was drained for an earlier wish.
        ({'nova/1': ('t', 9000.0)}, AT),
    ],
)
def test_a_drain_is_as_old_as_the_wish_that_it_is_for(
    before: dict[str, tuple[str, float]], since: float
) -> None:
    now = decision.decide(
        known({'nova/0': DRAIN, 'nova/1': READY}, locks={'nova/0': granted()}),
    )
    assert settling.first(now, before, AT).course.drains == {'nova/0': ('t', since)}


def test_only_units_that_are_drained_are_noted() -> None:
    units = {'nova/0': DRAIN, 'nova/1': wish('maintenance'), 'nova/2': None, 'nova/3': READY}
    before = {u: ('t', 1.0) for u in units}
    now = decision.decide(known(units))  # Nothing is granted.
    assert settling.first(now, before, AT).course.drains == {}
    gone = decision.decide(known({'nova/0': wish('gone'), 'nova/1': READY}))
    assert settling.first(gone, before, AT).course.drains == {'nova/0': ('t', 1.0)}


@pytest.mark.parametrize(
    ('more', 'since', 'cut'),
    [
        ({'on_deadline': 'force', 'deadline_s': 30}, AT - 30, True),
        ({'on_deadline': 'force', 'deadline_s': 30}, AT - 29, False),
        ({'on_deadline': 'wait', 'deadline_s': 30}, AT - 31, False),
        ({'on_deadline': 'force', 'deadline_s': 1}, None, False),
    ],
)
def test_what_is_left_at_the_deadline_is_cut_off_where_the_unit_wants_that(
    more: dict[str, Any], since: float | None, cut: bool
) -> None:
    units = {'nova/0': wish('drain', **more), 'nova/1': READY}
    of = known(units, locks={'nova/0': granted()})
    before = {} if since is None else {'nova/0': ('t', since)}
    wanted = (key('nova/0'),) if cut else ()
    assert settling.first(decision.decide(of), before, AT).cut == wanted
    # That nothing is left is believed when it was seen twice: what comes meanwhile is cut off too.
    step = another(of, look(worker(nova_0=OUT, nova_1=WELL), drains=before))
    assert step.cut == wanted


def test_a_drain_that_began_after_now_has_just_begun() -> None:
    """A clock may be set back."""
    units = {'nova/0': DRAIN, 'nova/1': READY}
    now = decision.decide(known(units, locks={'nova/0': granted()}))
    at_once = wish('drain', deadline_s=0, on_deadline='force')
    now = dataclasses.replace(now, lifecycles={**now.lifecycles, 'nova/0': at_once})
    assert settling.first(now, {'nova/0': ('t', AT + 60)}, AT).cut == (key('nova/0'),)


# What is granted.


def test_a_grant_is_told_to_haproxy_at_once_and_handed_on() -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY})
    step = another(of, look(worker(nova_0=WELL, nova_1=WELL), number=0, at=AT + 1, began=3.0))
    assert step.wants[key('nova/0')] == 'drain'
    assert step.wants[key('nova/1')] == 'ready'
    assert dataclasses.replace(step, wants={}) == Servers(
        wants={},
        look=1,
        pause_s=0.1,
        course=DrainProgress(
            locks={'nova/0': granted(AT + 1)},
            drains={'nova/0': ('t', AT + 1)},
            began=AT + 1,  # The first look says when the wait begins.
        ),
    )


def test_the_wait_goes_on_from_when_it_began() -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY}, locks={'nova/0': granted()})
    step = another(of, look(worker(nova_0=BUSY, nova_1=WELL), number=3, at=AT + 2))
    assert (step.course.began, step.look) == (AT, 4)


def test_only_the_leader_grants() -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY}, leader=False)
    end = settled(of, look(worker(nova_0=WELL, nova_1=WELL)))
    assert end.course.locks is None
    assert end.decision.locks == {}
    assert end.acks['nova/0'] == Ack(token='t', state='ready')


def test_a_look_goes_by_the_grants_of_the_look_before() -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY})
    locks = {'nova/0': granted()}
    end = settled(
        of,
        look(worker(nova_0=OUT, nova_1=WELL), locks=locks, idle={'nova/0': 1}),
    )
    assert end.acks['nova/0'] == Ack(token='t', state='drained')
    assert end.course.locks == locks
    assert end.decision.locks == locks


def test_grants_that_stay_as_they_were_are_not_decided_anew() -> None:
    of = known({'nova/0': READY, 'nova/1': READY})
    end = settled(of, look(worker(nova_0=WELL, nova_1=WELL)))
    assert end.course.locks is None


def test_a_grant_needs_a_unit_that_all_members_have_taken_in() -> None:
    units = {'nova/0': DRAIN, 'nova/1': READY}
    ready = {'nova/1': Ack(token='t', state='ready')}
    workers = worker(nova_0=WELL, nova_1=WELL)
    both = known(units, others={'lb/1': ready})
    assert another(both, look(workers)).wants[key('nova/0')] == 'drain'
    one = known(units, others={'lb/1': {}})
    end = settled(one, look(workers))
    assert end.decision.locks['nova/0'].state == 'queued'
    assert end.decision.locks['nova/0'].since == AT


@pytest.mark.parametrize(
    ('options_', 'state'),
    [({'max-concurrent-drains': 1}, 'queued'), ({'max-concurrent-drains': 2}, 'granted')],
)
def test_a_grant_keeps_to_the_operators_options(options_: dict[str, Any], state: str) -> None:
    units = {'nova/0': DRAIN, 'nova/1': DRAIN, 'nova/2': READY}
    of = known(units, locks={'nova/0': granted()})
    of = dataclasses.replace(of, effective=options.read(options_, {}))
    step = another(of, look(worker(nova_0=BUSY, nova_1=WELL, nova_2=WELL)))
    found = step.course.locks or {}
    assert found['nova/1'].state == state


def test_a_lease_lasts_as_long_as_the_operator_says() -> None:
    units = {'nova/0': wish('drain', deadline_s=100), 'nova/1': READY}
    for lease, expired in ((1000, True), (1001, True), (1002, False)):
        of = known(units, locks={'nova/0': granted(AT - 1101)})
        of = dataclasses.replace(of, effective=options.read({'drain-lease': lease}, {}))
        step = settling.following(of, look(worker(nova_0=BUSY, nova_1=WELL)), wait_s=0)
        locks = step.course.locks or {'nova/0': granted()}
        assert locks['nova/0'].expired is expired


# What is acknowledged.


def test_a_unit_is_drained_when_two_looks_in_a_row_find_it_idle() -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY}, locks={'nova/0': granted()})
    first = another(of, look(worker(nova_0=OUT, nova_1=WELL)))
    assert first.course.idle == {'nova/0': 1}
    busy = another(of, look(worker(nova_0=BUSY, nova_1=WELL), idle={'nova/0': 1}))
    assert busy.course.idle == {}
    end = settled(of, look(worker(nova_0=OUT, nova_1=WELL), idle={'nova/0': 1, 'nova/1': 5}))
    assert end.course.idle == {'nova/0': 2}
    assert end.acks == {
        'nova/0': Ack(token='t', state='drained'),
        'nova/1': Ack(token='t', state='ready'),
    }


def test_a_unit_that_was_seen_idle_once_is_still_draining() -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY}, locks={'nova/0': granted()})
    end = settled(of, look(worker(nova_0=OUT, nova_1=WELL), at=AT + WAIT_S + 1))
    assert end.acks['nova/0'] == Ack(token='t', state='draining')


@pytest.mark.parametrize(('age', 'state'), [(29, 'drained'), (30, 'forced'), (31, 'forced')])
def test_a_drain_that_came_to_its_deadline_was_forced(age: int, state: str) -> None:
    lifecycle = wish('drain', on_deadline='force', deadline_s=30)
    of = known({'nova/0': lifecycle, 'nova/1': READY}, locks={'nova/0': granted()})
    drains = {'nova/0': ('t', AT - age)}
    seen = look(worker(nova_0=OUT, nova_1=WELL), idle={'nova/0': 1}, drains=drains)
    assert settled(of, seen).acks['nova/0'] == Ack(token='t', state=state)
    once = look(worker(nova_0=OUT, nova_1=WELL), drains=drains, at=AT, began=0.0)
    assert settled(of, once).acks['nova/0'].state == 'draining'


FORCED = wish('drain', on_deadline='force', deadline_s=30)


@pytest.mark.parametrize('waited', [0, WAIT_S + 99])
def test_a_deadline_that_is_over_between_two_looks_is_not_left_to_the_next_run(
    waited: float,
) -> None:
    of = known({'nova/0': FORCED, 'nova/1': READY}, locks={'nova/0': granted()})
    drains = {'nova/0': ('t', AT - 30)}
    seen = look(worker(nova_0=BUSY, nova_1=WELL), drains=drains, began=AT - waited)
    step = another(of, seen)
    assert step.cut == (key('nova/0'),)
    assert step.course.cut == {key('nova/0')}
    # What goes on although it was cut is not cut for ever: the unit hears that its time is over.
    again = look(worker(nova_0=BUSY, nova_1=WELL), drains=drains, cut=step.course.cut)
    assert settled(of, again).acks['nova/0'] == Ack(token='t', state='timeout', sessions=2)


@pytest.mark.parametrize(
    ('lifecycle', 'age', 'server_'),
    [(FORCED, 29, BUSY), (FORCED, 30, OUT), (wish('drain', deadline_s=30), 30, BUSY)],
    ids=['not over', 'nothing under way', 'not to be forced'],
)
def test_and_nothing_else_is(lifecycle: Lifecycle, age: int, server_: ServerState) -> None:
    of = known({'nova/0': lifecycle, 'nova/1': READY}, locks={'nova/0': granted()})
    seen = look(
        worker(nova_0=server_, nova_1=WELL),
        drains={'nova/0': ('t', AT - age)},
        began=AT - WAIT_S - 1,
    )
    assert isinstance(settling.following(of, seen, wait_s=WAIT_S), Settled)


def test_what_the_first_look_cuts_it_notes() -> None:
    of = known({'nova/0': FORCED, 'nova/1': READY}, locks={'nova/0': granted()})
    step = settling.first(decision.decide(of), {'nova/0': ('t', AT - 30)}, AT)
    assert (step.cut, step.course.cut) == ((key('nova/0'),), {key('nova/0')})


def test_requests_on_an_old_worker_count() -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY}, locks={'nova/0': granted()})
    workers = (worker(nova_0=OUT, nova_1=WELL), worker(nova_0=BUSY, nova_1=WELL, current=False))
    end = settled(of, look(*workers, idle={'nova/0': 1}, began=0.0))
    assert end.acks['nova/0'] == Ack(token='t', state='draining', sessions=2)


def test_a_unit_that_knows_no_drain_is_not_answered() -> None:
    of = known({'nova/0': None, 'nova/1': READY})
    end = settled(of, look(worker(nova_0=WELL, nova_1=WELL)))
    assert end.acks == {'nova/1': Ack(token='t', state='ready')}


@pytest.mark.parametrize(
    ('said', 'answer'), [('ready', 'ready'), ('down', 'down'), ('drained', 'down')]
)
def test_what_no_check_has_seen_yet_is_what_was_said_of_it(said: str, answer: str) -> None:
    of = known({'nova/0': READY}, said={'nova/0': Ack(token='t', state=said)})
    end = settled(of, look(worker(nova_0=server(check_done=False))))
    assert end.acks['nova/0'].state == answer
    assert end.workers[0].servers[key('nova/0')].up is (answer == 'ready')


# When it has settled.


def test_the_end_says_what_it_was_made_of() -> None:
    of = known({'nova/0': READY})
    assert settled(of, look(worker(nova_0=WELL), number=7)) == Settled(
        decision=decision.decide(of),
        acks={'nova/0': Ack(token='t', state='ready')},
        course=DrainProgress(began=AT),
        look=7,
        at=AT,
        workers=(worker(nova_0=WELL),),
        mark='m',
    )


@pytest.mark.parametrize(('after', 'waits'), [(WAIT_S, True), (WAIT_S + 0.1, False)])
def test_a_drain_is_waited_for_as_long_as_the_option_says(after: float, waits: bool) -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY}, locks={'nova/0': granted()})
    seen = look(worker(nova_0=BUSY, nova_1=WELL), at=AT + after)
    assert isinstance(settling.following(of, seen, wait_s=WAIT_S), Servers) is waits


@pytest.mark.parametrize(('number', 'more'), [(499, True), (500, False)])
def test_there_is_an_end_to_looking(number: int, more: bool) -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY}, locks={'nova/0': granted()})
    seen = look(worker(nova_0=BUSY, nova_1=WELL), number=number)
    assert isinstance(settling.following(of, seen, wait_s=WAIT_S), Servers) is more


def test_what_is_newly_wanted_is_told_however_late_it_is() -> None:
    of = known({'nova/0': DRAIN, 'nova/1': READY})
    step = another(of, look(worker(nova_0=WELL, nova_1=WELL), at=AT + WAIT_S + 99))
    assert step.wants[key('nova/0')] == 'drain'


@pytest.mark.parametrize(
    ('lifecycle', 'lock', 'state', 'waits'),
    [
        (DRAIN, granted(), BUSY, True),
        (DRAIN, None, server(2, up=False), False),  # Nothing was granted: it is not waited for.
        (DRAIN, granted(expired=True), BUSY, True),
        (wish('ready', 'new'), granted(), server(up=False), True),  # It comes back.
        (wish('ready', 'new'), granted(expired=True), server(up=False), False),
        (READY, None, server(up=False), False),
    ],
)
def test_a_drain_and_a_return_are_waited_for_and_what_is_merely_down_is_not(
    lifecycle: Lifecycle, lock: handshake.Lock | None, state: ServerState, waits: bool
) -> None:
    locks = {'nova/0': lock} if lock else {}
    of = known({'nova/1': READY, 'nova/0': lifecycle}, leader=False, locks=locks)
    seen = look(worker(nova_0=state, nova_1=WELL))
    assert isinstance(settling.following(of, seen, wait_s=WAIT_S), Servers) is waits


# Who the leader sees.


def test_candidates_are_those_that_are_served_with_what_holds_for_them() -> None:
    now = decision.decide(known({'nova/0': DRAIN, 'nova/1': None, 'nova/2': READY}))
    workers = [worker(nova_0=WELL, nova_1=server(up=False))]
    assert settling.candidates(now, workers) == (
        handshake.Candidate(unit='nova/0', services=frozenset({'nova'}), lifecycle=DRAIN, up=True),
        handshake.Candidate(unit='nova/1', services=frozenset({'nova'}), lifecycle=None, up=False),
        handshake.Candidate(unit='nova/2', services=frozenset({'nova'}), lifecycle=READY, up=True),
    )


def test_a_unit_is_up_when_all_its_servers_are_on_the_current_worker() -> None:
    now = dataclasses.replace(
        decision.decide(known({})),
        servers={'a/0': (('b', 'x'), ('b', 'y')), 'a/1': (('b', 'z'),), 'a/2': ()},
    )

    def seen(current: bool, **up: bool) -> rotation.Worker:
        servers = {('b', name): server(up=well) for name, well in up.items()}
        return rotation.Worker(pid=1, current=current, servers=servers)

    def found(*workers: rotation.Worker) -> Iterable[bool]:
        return [*settling.up(now, workers).values()]

    assert found(seen(True, x=True, y=True, z=False)) == [True, False, True]
    assert found(seen(True, x=True, y=False, z=True)) == [False, True, True]
    assert found(seen(True, y=True), seen(False, x=False, z=False)) == [True, True, True]
    assert [*settling.up(now, [])] == ['a/0', 'a/1', 'a/2']


# When the charm must look again.

SOON = wish('drain', deadline_s=100)


@pytest.mark.parametrize(
    ('drains', 'lock', 'gone', 'when'),
    [
        ({}, None, [], 0),
        ({}, None, [AT + 5, AT + 3, AT, AT - 1], AT + 3),
        ({'nova/0': ('t', AT - 60)}, None, [], AT + 40),
        ({'nova/0': ('t', AT - 60)}, None, [AT + 39], AT + 39),
        ({'nova/0': ('t', AT - 100)}, None, [], 0),  # The deadline is now.
        ({'nova/9': ('t', AT)}, None, [], 0),
        ({}, granted(AT - 10), [], AT - 10 + 1800 + 100),
        ({}, granted(AT - 10, expired=True), [], 0),
        ({}, handshake.Lock(token='t', state='queued', since=AT), [], 0),
        ({'nova/0': ('t', AT)}, granted(AT - 1850), [], AT + 50),
    ],
)
def test_the_charm_looks_again_when_the_next_deadline_lease_or_linger_ends(
    drains: dict[str, tuple[str, float]],
    lock: handshake.Lock | None,
    gone: list[float],
    when: float,
) -> None:
    units = {'nova/0': SOON, 'nova/1': READY}
    now = decision.decide(known(units, locks={'nova/0': lock} if lock else {}))
    assert settling.due(now, DrainProgress(drains=drains), gone, began=AT, looked=AT) == when


def test_a_unit_that_knows_no_drain_has_no_deadline() -> None:
    now = decision.decide(known({'nova/0': None, 'nova/1': SOON}))
    held = dataclasses.replace(now, locks={'nova/0': granted(), 'nova/1': granted()})
    drains = {'nova/0': ('t', AT), 'nova/1': ('t', AT)}
    assert settling.due(held, DrainProgress(drains=drains), [], began=AT, looked=AT) == AT + 100


def test_what_the_looks_have_dealt_with_is_not_waited_for_and_what_they_have_not_seen_is() -> None:
    now = decision.decide(known({'nova/0': SOON, 'nova/1': READY}))
    drains = {'nova/0': ('t', AT - 95)}

    def due(looked: float, *gone: float) -> float:
        return settling.due(now, DrainProgress(drains=drains), gone, began=AT, looked=looked)

    assert due(AT + 5) == 0
    assert due(AT + 4) == AT + 5
    assert due(AT + 5, AT + 3) == AT + 3  # That was decided as the run began.


def test_a_lease_ends_at_the_time_that_was_said() -> None:
    of = known({'nova/0': SOON, 'nova/1': READY}, locks={'nova/0': granted(AT - 1900)})
    assert settling.due(decision.decide(of), DrainProgress(), [], began=AT, looked=AT) == 0
    step = settling.following(of, look(worker(nova_0=BUSY, nova_1=WELL)), wait_s=0)
    assert (step.course.locks or {})['nova/0'].expired
