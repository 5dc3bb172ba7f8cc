"""The old way is closed when nobody has come by it for a while, and at the latest when its time is over."""

from __future__ import annotations

from typing import Any

import pytest
from balancer import old_scheme, reply, schemes, tls
from balancer.schemes import PublishedScheme
from charmkit import Inputs, state
from charmkit import testing as machines
from charmkit.proxy import config, haproxy
from charmkit.relations import Site

TOLD = PublishedScheme('https', 1000.0)
STAT = '# pxname,svname,scur,lastsess\n'


def mode(
    now: float, used: float = 0.0, *, told: PublishedScheme = TOLD, wanted: bool = True
) -> str:
    return schemes.mode(
        wanted=wanted, ready=True, published=told, now=now, transition_s=100, limit_s=500,
        quiet_s=50, used=used,
    )  # fmt: skip


@pytest.mark.parametrize(
    ('now', 'used', 'found'),
    [
        (1099, 0, 'both'), (1100, 0, 'https'), (1100, 1051, 'both'), (1099, 1099, 'both'),
        (1100, 1050, 'https'), (1148, 1099, 'both'), (1149, 1099, 'https'),
        (1499, 1490, 'both'), (1500, 1499, 'https'),
    ],
)  # fmt: skip
def test_http_is_refused_once_nobody_uses_it(now: float, used: float, found: str):
    assert mode(now, used) == found


def test_back_it_is_the_same_and_where_nothing_was_before_nothing_is_waited_for():
    back = PublishedScheme('http', 1000.0)
    assert mode(1110, 1100, told=back, wanted=False) == 'both'
    assert mode(1110, 1000, told=back, wanted=False) == 'http'
    assert mode(1110, 1100, told=PublishedScheme('https')) == 'https'


def test_the_way_is_open_until_it_can_be_closed():
    found = schemes.ends(
        {'public': 'both', 'internal': 'both', 'admin': 'https'},
        dict.fromkeys(('public', 'internal', 'admin'), TOLD),
        100, now=1110, limit_s=500, quiet_s=50, used={'public': 1100.0},
    )  # fmt: skip
    assert found == {'public': 1150, 'internal': 1100}


def test_a_limit_that_is_shorter_than_the_transition_shortens_nothing():
    found = schemes.mode(
        wanted=True, ready=True, published=TOLD, now=1050, transition_s=100, limit_s=10, quiet_s=50,
        used=1049,
    )  # fmt: skip
    assert found == 'both'


def test_what_haproxy_says_of_each_way():
    stat = STAT + (
        'keystone.public-internal.any.plain,BACKEND,0,7\n'
        'keystone.public-internal.any.tls,BACKEND,0,-1\n'
        'glance.public.any.plain,BACKEND,3,900\n'
        'glance.public.any.plain,here,3,900\n'
        'nova.admin.any.plain,BACKEND,0,\n'
        'nova.admin,BACKEND,9,1\n'
    )
    assert old_scheme.ago(stat) == {'public http': 0.0, 'internal http': 7.0}


def test_the_names_are_those_of_the_configuration():
    frontend = config.Frontend(
        name='keystone.public', binds=(config.Bind('10.0.0.1', 5000),), backend='b',
        tls=config.Tls(folders=('/x',), plain_too=True),
    )  # fmt: skip
    what = config.Config(unit='lb/0', ready=config.Ready(port=1), frontends=(frontend,))
    text = haproxy.render(what).text
    for end in ('plain', 'tls'):
        assert f'backend keystone.public.any.{end} from tcp\n' in text


def inputs(**more: Any) -> Inputs:
    return state.Inputs(
        site=Site(unit='lb/0', leader=True, address='10.0.0.1'), now=2000.0, **more
    )


def test_every_worker_is_asked_and_one_that_does_not_answer_is_no_use():
    def ask(_: str, text: str) -> str:
        if text == 'show proc\n':
            return '1 master 0\n# workers\n5 worker 0\n# old workers\n4 worker 1\n'
        seconds = {'@!5 show stat\n': 9, '@!4 show stat\n': 2}[text]
        return f'{STAT}a.public.any.plain,BACKEND,0,{seconds}\n'

    machine = machines.FakeMachine()
    assert old_scheme.LastUse().carry_out(machine) == {}
    machine.sockets = ask
    assert old_scheme.LastUse().carry_out(machine) == {'public http': 2.0}


def test_it_is_asked_only_of_those_that_change_over_and_remembered_over_a_reload():
    peers = {schemes.PUBLISHED: schemes.dump({'public': TOLD})}
    assert old_scheme.asked(inputs(peers=peers)) == (old_scheme.LastUse(),)
    never = {schemes.PUBLISHED: schemes.dump({'public': PublishedScheme('https')})}
    assert old_scheme.asked(inputs()) == old_scheme.asked(inputs(peers=never)) == ()
    seen = old_scheme.used(inputs(seen={old_scheme.TASK: {'public http': 30.0}}))
    assert seen == {'public http': 1970.0}
    assert old_scheme.used(inputs(memory={old_scheme.MEMORY: seen})) == seen
    newer = inputs(memory={old_scheme.MEMORY: seen}, seen={old_scheme.TASK: {'public http': 90.0}})
    assert old_scheme.used(newer) == seen


def test_others_are_told_so_seldom_that_two_units_do_not_wake_one_another_for_ever():
    assert old_scheme.quiet_s(100) == 50 and old_scheme.quiet_s(10_000) == 600
    assert old_scheme.publish({'public http': 1000.0}, {}, 100) == {'public http': 1000.0}
    before = {'public http': 1000.0}
    assert old_scheme.publish({'public http': 1024.0}, before, 100) == before
    assert old_scheme.publish({'public http': 1025.0}, before, 100) == {'public http': 1025.0}
    assert old_scheme.publish({}, before, 100) == {}
    bag = reply.write_member(reply.Member(scheme_used={'public http': 1025.0}))
    assert reply.read_member(bag).scheme_used == {'public http': 1025.0}
    assert reply.write_member(reply.Member())['scheme-used'] == ''


def test_what_is_still_used_is_known_by_type():
    found = tls.Tls(
        published={'public': TOLD, 'admin': TOLD}, modes={'public': 'both', 'admin': 'both'},
        transition_s=100, limit_s=500, used={'public': 1100.0}, now=1110.0,
    )  # fmt: skip
    assert found.still_used == ('public',)
    assert (
        tls.Tls(
            published={'public': TOLD}, modes={'public': 'both'}, transition_s=100, now=1050.0
        ).still_used
        == ()
    )
