"""What each server should do on haproxy, what it is told, and what is answered to its unit."""

from __future__ import annotations

from typing import Any

import pytest
from balancer import handshake, rotation
from balancer.rotation import CONFIG_MAINT, FORCED_DRAIN, FORCED_MAINT, ServerState, Worker
from charmkit.relations.loadbalancer import Ack, Lifecycle

X, Y, Z = ('b', 'x'), ('b', 'y'), ('c', 'x')


def wish(state: Any, **more: Any) -> Lifecycle:
    return Lifecycle(state=state, token='t', **more)


def lock(state: str = 'granted', token: str = 't') -> handshake.Lock:  # noqa: S107 -- no password.
    return handshake.Lock(token=token, state=state, since=1.0)


def worker(servers: dict[rotation.ServerKey, ServerState], *, current: bool = True) -> Worker:
    return Worker(pid=7, current=current, servers=servers)


def server(sessions: int = 0, admin: int = 0, *, up: bool = True, check_done: bool = True) -> Any:
    return ServerState(admin=admin, up=up, sessions=sessions, check_done=check_done)


@pytest.mark.parametrize(
    ('lifecycle', 'held', 'wanted'),
    [
        (None, None, 'ready'),
        (None, lock(), 'ready'),
        (wish('ready'), lock(), 'ready'),
        (wish('maintenance'), None, 'maint'),
        (wish('gone'), None, 'drain'),
        (wish('drain'), None, 'ready'),
        (wish('drain'), lock(), 'drain'),
        (wish('drain'), lock('queued'), 'ready'),
        (wish('drain'), lock('refused'), 'ready'),
        (wish('drain'), lock(token='earlier'), 'ready'),
    ],
)
def test_a_unit_is_drained_when_its_own_wish_was_granted(
    lifecycle: Lifecycle | None, held: handshake.Lock | None, wanted: str
) -> None:
    assert rotation.want(lifecycle, held) == wanted


def test_what_no_check_has_seen_is_up_when_it_was_ready_before() -> None:
    fresh, well = server(4, 8, check_done=False), server(up=False)
    seen = worker({X: fresh, Y: fresh, Z: well}, current=False)
    after = rotation.believed(seen, frozenset({X, Z}))
    assert after == worker(
        {
            X: server(4, 8, up=True, check_done=False),
            Y: server(4, 8, up=False, check_done=False),
            Z: well,  # A check has seen it, and knows better.
        },
        current=False,
    )


def test_each_server_that_the_worker_has_is_told_what_it_does_not_do() -> None:
    seen = worker({X: server(), Z: server(admin=FORCED_DRAIN)})
    wants: dict[rotation.ServerKey, rotation.Want] = {X: 'maint', Y: 'maint', Z: 'ready'}
    assert rotation.commands(wants, seen) == (
        'set server b/x state maint',
        'set server c/x state ready',
    )
    assert rotation.commands({X: 'ready', Z: 'drain'}, seen) == ()


@pytest.mark.parametrize(
    ('admin', 'does'),
    [
        (0, 'ready'),
        (FORCED_DRAIN, 'drain'),
        (FORCED_MAINT, 'maint'),
        (FORCED_MAINT | FORCED_DRAIN, 'maint'),
        (CONFIG_MAINT, 'ready'),
        (CONFIG_MAINT | FORCED_DRAIN, 'drain'),
    ],
)
def test_a_server_does_one_thing_and_is_told_any_other(admin: int, does: rotation.Want) -> None:
    seen = worker({X: server(admin=admin)})
    for wanted in ('ready', 'drain', 'maint'):
        told = rotation.commands({X: wanted}, seen)
        assert told == (() if wanted == does else (f'set server b/x state {wanted}',))


def test_only_what_is_under_way_is_cut() -> None:
    seen = worker({X: server(1), Y: server(0), Z: server(2)})
    assert rotation.cuts([X, Y, ('b', 'unknown')], seen) == ('shutdown sessions server b/x',)
    assert rotation.cuts([Z, X], seen) == (
        'shutdown sessions server c/x',
        'shutdown sessions server b/x',
    )


def test_requests_are_counted_over_all_workers_and_of_these_servers_only() -> None:
    workers = [worker({X: server(1), Y: server(2)}), worker({X: server(4), Z: server(8)}, current=False)]  # fmt: skip
    assert rotation.sessions(iter([X, Y]), workers) == 7
    assert rotation.sessions([X], workers) == 5
    assert rotation.sessions([], workers) == 0


def test_a_server_is_out_when_no_worker_sends_it_more() -> None:
    drained, shut = server(admin=FORCED_DRAIN), server(admin=FORCED_MAINT)
    two = [worker({X: drained, Y: shut}), worker({X: shut}, current=False)]
    assert rotation.out(iter([X, Y, Z]), two)
    assert not rotation.out([X], [*two, worker({X: server()}, current=False)])
    assert not rotation.out([X, Y], [worker({X: drained, Y: server(admin=CONFIG_MAINT)})])
    assert rotation.out([X], [])


GONE = wish('gone', deadline_s=100)
CUT = wish('gone', deadline_s=100, on_deadline='force')


@pytest.mark.parametrize(
    ('lifecycle', 'seen', 'age', 'state'),
    [
        (GONE, server(2, FORCED_DRAIN), 99, 'draining'),
        (GONE, server(2, FORCED_DRAIN), 100, 'timeout'),
        (GONE, server(0, FORCED_DRAIN), 99, 'drained'),
        (GONE, server(0, FORCED_DRAIN), 100, 'drained'),
        (CUT, server(0, FORCED_DRAIN), 99, 'drained'),
        (CUT, server(0, FORCED_DRAIN), 100, 'forced'),
        (CUT, server(1, FORCED_DRAIN), 100, 'timeout'),
        (GONE, server(0), 99, 'draining'),  # It is still sent some.
        (GONE, server(0), 100, 'timeout'),
        (wish('maintenance'), server(0, FORCED_MAINT, up=False), 0, 'drained'),
    ],
)
def test_a_unit_is_drained_when_nothing_is_sent_to_it_and_nothing_is_left(
    lifecycle: Lifecycle, seen: ServerState, age: float, state: str
) -> None:
    assert rotation.ack(lifecycle, None, [X], [worker({X: seen})], age) == Ack(
        token='t', state=state, sessions=seen.sessions
    )


@pytest.mark.parametrize(
    ('servers', 'state'),
    [
        ({X: server(), Y: server()}, 'ready'),
        ({X: server(3), Y: server(up=False)}, 'down'),
        ({X: server(), Y: server(admin=FORCED_DRAIN)}, 'down'),
        ({X: server(), Y: server(admin=FORCED_MAINT)}, 'down'),
        ({X: server()}, 'ready'),
        ({Z: server()}, 'down'),
    ],
)
def test_a_unit_is_ready_when_all_its_servers_are_up_and_in_rotation(
    servers: dict[rotation.ServerKey, ServerState], state: str
) -> None:
    old = worker({X: server(up=False)}, current=False)
    said = rotation.ack(wish('ready'), None, iter([X, Y]), iter([worker(servers), old]), 9e9)
    assert said == Ack(token='t', state=state, sessions=0)


@pytest.mark.parametrize(
    ('lifecycle', 'wanted', 'age', 'cut'),
    [
        (CUT, 'drain', 100, True),
        (CUT, 'drain', 99, False),
        (CUT, 'maint', 100, False),
        (CUT, 'ready', 100, False),
        (GONE, 'drain', 100, False),
    ],
)
def test_what_is_left_is_cut_at_the_deadline_of_a_drain_that_wants_it(
    lifecycle: Lifecycle, wanted: rotation.Want, age: float, cut: bool
) -> None:
    assert rotation.to_cut(lifecycle, wanted, age) is cut


@pytest.mark.parametrize(
    ('state', 'serves'),
    [
        (server(), True),
        (server(admin=CONFIG_MAINT), True),  # It came back after a reload.
        (server(up=False), False),
        (server(admin=FORCED_DRAIN), False),
        (server(admin=FORCED_MAINT | CONFIG_MAINT), False),
    ],
)
def test_a_backend_serves_while_one_of_its_servers_gets_requests(
    state: ServerState, serves: bool
) -> None:
    assert rotation.serves(X[0], [worker({X: state})]) is serves
    assert not rotation.serves('another', [worker({X: state})])
    assert not rotation.serves(X[0], [worker({X: state}, current=False)])
