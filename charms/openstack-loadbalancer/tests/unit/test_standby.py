"""Who may go out of service: a unit that leaves another one behind, and of two that go at once only one."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from balancer import reply, standby
from balancer.standby import Wish
from charmkit import testing as machines
from charmkit.machine import HttpRequest, HttpResponse
from hypothesis import given
from hypothesis import strategies as st
from ops import testing

from .test_charm import charm, ctx, machine
from .test_handover import ME, OTHER, SPEAKS, in_service, on, state

__all__ = ['charm', 'ctx', 'machine']  # fixtures

OUT = Wish(out=True)


def may_go(wish: Wish, silent: frozenset[str] = frozenset(), /, **others: reply.Member) -> bool:
    named = {name.replace('_', '/'): m for name, m in others.items()}
    return standby.may_go('lb/1', wish, named, standby.in_service(named, silent))


SERVES, AWAY = reply.Member(), reply.Member(in_service=False)


def test_beside_one_that_serves_a_unit_may_go():
    assert may_go(OUT, lb_0=AWAY, lb_2=SERVES)
    assert not may_go(Wish(), lb_0=SERVES)


@pytest.mark.parametrize('others', [{}, {'lb_0': AWAY}], ids=['alone', 'the other is out'])
def test_the_last_one_stays(others: dict[str, reply.Member]):
    assert not may_go(OUT, **others)
    assert may_go(dataclasses.replace(OUT, forced=True), **others)


def test_who_does_not_answer_is_not_counted_on():
    assert not may_go(OUT, frozenset({'lb/0'}), lb_0=SERVES)
    assert may_go(OUT, frozenset({'lb/0'}), lb_0=SERVES, lb_2=SERVES)


def test_one_that_has_gone_in_order_stays_out_whatever_becomes_of_the_others():
    gone = Wish(out=True, counts_on=frozenset({'lb/0'}))
    assert may_go(gone)
    assert may_go(gone, lb_0=AWAY)
    assert may_go(gone, lb_0=reply.Member(in_service=False, counts_on=frozenset({'lb/2'})))


def test_of_two_that_went_each_counting_on_the_other_the_first_comes_back():
    def back(unit: str, other: str) -> bool:
        wish = Wish(out=True, counts_on=frozenset({other}))
        away = reply.Member(in_service=False, counts_on=frozenset({unit}))
        return not standby.may_go(unit, wish, {other: away}, frozenset())

    assert back('lb/2', 'lb/10')
    assert not back('lb/10', 'lb/2')


@given(st.sets(st.integers(0, 6), min_size=2))
def test_of_all_that_went_at_once_exactly_one_comes_back(numbers: set[int]):
    units = {f'lb/{n}' for n in numbers}
    said = {u: reply.Member(in_service=False, counts_on=frozenset(units - {u})) for u in units}
    back = [
        u
        for u in units
        if not standby.may_go(
            u,
            Wish(out=True, counts_on=said[u].counts_on),
            {o: m for o, m in said.items() if o != u},
            frozenset(),
        )
    ]
    assert back == [f'lb/{min(numbers)}']


def test_what_a_unit_says_of_whom_it_counts_on_is_read_as_it_was_written():
    member = reply.Member(counts_on=frozenset({'lb/0', 'lb/2'}))
    assert reply.read_member(reply.write_member(member)).counts_on == member.counts_on


def test_what_is_remembered_holds_until_the_operator_says_otherwise():
    before = Wish(out=True, forced=True, counts_on=frozenset({'lb/0'}))
    kept = json.loads(json.dumps(before.memory))
    assert standby.wish(kept, out=True, forced=None) == before
    assert standby.wish(kept, out=True, forced=False) == dataclasses.replace(before, forced=False)
    assert standby.wish(kept, out=False, forced=None) == Wish()


# The charm.

URL = {'ready-url': 'http://10.1.0.6:8405/ready'}
AFTER = 'no other unit of this load balancer is in service and answers'
WAITS = f'would go out of service, but {AFTER} (resume-self calls it off)'


def answers(machine: machines.FakeMachine, status: int) -> None:
    def web(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status if request.url == URL['ready-url'] else 0)

    machine.web = web


@pytest.mark.parametrize('said', [{'in-service': 'no'}, URL], ids=['out of service', 'silent'])
def test_the_last_unit_is_not_taken_out_but_by_force(
    ctx: Any, machine: machines.FakeMachine, said: dict[str, str]
):
    on(machine, 'eth0')
    answers(machine, 503)
    served = ctx.run(ctx.on.config_changed(), state({**SPEAKS, **said}))
    with pytest.raises(testing.ActionFailed, match=AFTER):
        ctx.run(ctx.on.action('drain-self'), state({**SPEAKS, **said}, served))
    after = ctx.run(ctx.on.update_status(), state({**SPEAKS, **said}, served))
    assert in_service(machine)
    assert 'would go' not in after.unit_status.message
    ctx.run(ctx.on.action('drain-self', params={'force': True}), state({**SPEAKS, **said}, served))
    assert (
        not in_service(machine) or said == URL
    )  # One that says that it serves is asked to take over first.


def test_who_answers_may_take_over(ctx: Any, machine: machines.FakeMachine):
    answers(machine, 200)
    served = ctx.run(ctx.on.config_changed(), state({**SPEAKS, **URL}))
    out = ctx.run(ctx.on.action('drain-self'), state({**SPEAKS, **URL}, served))
    assert not in_service(machine)
    assert out.get_relation(1000).local_unit_data['counts-on'] == json.dumps([OTHER])


def test_a_unit_whose_successor_dies_before_it_has_the_vips_stays(
    ctx: Any, machine: machines.FakeMachine
):
    on(machine, 'eth0')
    answers(machine, 200)
    served = ctx.run(ctx.on.config_changed(), state({**SPEAKS, **URL}))
    asked = ctx.run(ctx.on.action('drain-self'), state({**SPEAKS, **URL}, served))
    answers(machine, 0)
    machine.clock += 25
    stays = ctx.run(ctx.on.update_status(), state({**SPEAKS, **URL}, asked))
    assert in_service(machine)
    assert stays.unit_status == testing.WaitingStatus(WAITS)
    answers(machine, 200)
    machine.clock += 25
    again = ctx.run(ctx.on.update_status(), state({**SPEAKS, **URL}, stays))
    moved = ctx.run(ctx.on.update_status(), state({**SPEAKS, **URL, 'heeds': ME}, again))
    assert not in_service(machine)
    assert moved.get_relation(1000).local_unit_data['hands-over'] == 'yes'


def test_a_unit_whose_successor_dies_while_it_keeps_connections_comes_back(
    ctx: Any, machine: machines.FakeMachine
):
    on(machine, 'eth0')
    answers(machine, 200)
    heeds = {**SPEAKS, **URL, 'heeds': ME}
    served = ctx.run(ctx.on.config_changed(), state(heeds))
    asked = ctx.run(ctx.on.action('drain-self'), state(heeds, served))
    moved = ctx.run(ctx.on.update_status(), state(heeds, asked))
    assert not in_service(machine)
    on(machine, 'lo')
    answers(machine, 0)
    back = ctx.run(ctx.on.update_status(), state(heeds, moved))
    assert in_service(machine)
    assert back.unit_status == testing.WaitingStatus(WAITS)


def test_of_two_that_were_taken_out_at_once_one_comes_back(
    ctx: Any, machine: machines.FakeMachine
):
    served = ctx.run(ctx.on.config_changed(), state(SPEAKS))
    out = ctx.run(ctx.on.action('drain-self'), state(SPEAKS, served))
    assert not in_service(machine)
    both = {**SPEAKS, 'in-service': 'no', 'counts-on': json.dumps([ME])}
    back = ctx.run(ctx.on.update_status(), state(both, out))
    assert in_service(machine)
    assert 'counts-on' not in back.get_relation(1000).local_unit_data
    assert back.unit_status == testing.WaitingStatus(WAITS)


def test_only_a_unit_that_is_about_to_go_asks_the_others(ctx: Any, machine: machines.FakeMachine):
    def asked() -> bool:
        found = any(r.url == URL['ready-url'] for r in machine.requests)
        machine.requests.clear()
        return found

    answers(machine, 200)
    served = ctx.run(ctx.on.config_changed(), state({**SPEAKS, **URL}))
    assert not asked()
    out = ctx.run(ctx.on.action('drain-self'), state({**SPEAKS, **URL}, served))
    assert asked()
    ctx.run(ctx.on.update_status(), state({**SPEAKS, **URL}, out))
    assert not asked()
