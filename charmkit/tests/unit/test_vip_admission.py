"""Who may hold VIPs: never two units that do not hear one another, never none for long."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from charmkit import departure, front, idle, relations, service, state, vip
from charmkit.proxy import keepalived, vip_admission
from charmkit.relations import Databag, mysql
from charmkit.why import Hook
from hypothesis import given
from hypothesis import strategies as st

# The rule.

NAMES = [f'lb/{n}' for n in (0, 2, 10)]
SAID = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        vip_admission.Said,
        advertises_to=st.frozensets(st.sampled_from(NAMES)),
        takes_part=st.booleans(),
    ),
)


def part(
    unit: str = 'lb/2',
    members: Sequence[str] = NAMES,
    others: dict[str, vip_admission.Said] | None = None,
    **more: Any,
) -> vip_admission.Part:
    given: dict[str, Any] = {'peers': {}, 'before': False, **more}
    return vip_admission.decide(unit, tuple(members), others or {}, **given)


@given(st.sets(st.sampled_from(NAMES)), SAID, st.sets(st.sampled_from(NAMES)))
def test_a_new_unit_waits_for_exactly_those_who_would_hold_a_vip_beside_it_or_serve_more(
    members: set[str], others: dict[str, vip_admission.Said], ahead: set[str]
):
    found = part(members=sorted(members), others=others, ahead=ahead)
    for name in NAMES:
        speaks = name in others and 'lb/2' in others[name].advertises_to
        wanted = name in members - {'lb/2'} and (name in ahead or not speaks)
        assert (name in found.awaited) == wanted
    assert found.joined == ('lb/2' in members and not found.awaited)


@given(st.sets(st.sampled_from(NAMES)), SAID, st.sets(st.sampled_from(NAMES)))
def test_one_that_has_joined_steps_back_before_the_first_of_those_that_left_it_alone(
    members: set[str], others: dict[str, vip_admission.Said], ahead: set[str]
):
    found = part(members=sorted(members), others=others, ahead=ahead, before=True)
    first = others.get('lb/0', vip_admission.Said())
    left = {'lb/0', 'lb/2'} <= members and first.takes_part
    assert found.joined == (not left or 'lb/2' in first.advertises_to)
    assert found.awaited == (() if found.joined else ('lb/0',))


def test_who_has_stepped_back_waits_as_one_that_is_new():
    first = vip_admission.Said(takes_part=True)
    gone = part(others={'lb/0': first}, before=True)
    assert gone.memory == {'joined': False, 'peers-seen': ['lb/0']}
    assert gone.waiting == 'no VIPs here until they know of this unit: lb/0'
    back = {n: vip_admission.Said(advertises_to=frozenset({'lb/2'})) for n in NAMES}
    assert part(others=back).joined
    assert part(others=back).memory == {'joined': True, 'peers-seen': []}


@pytest.mark.parametrize(
    ('peers', 'seen', 'time_passes', 'awaited'),
    [
        ({}, (), False, ()),
        ({'members': '["lb/0", "lb/2"]'}, (), False, ('lb/0',)),
        ({'members': '["lb/0", "lb/2"]'}, ('lb/0',), False, ()),
        ({'members': '["lb/0", "lb/2"]'}, (), True, ()),
        ({'members': 'broken'}, (), False, ()),
    ],
    ids=['nobody', 'not seen yet', 'gone', 'gone before it came', 'unreadable'],
)
def test_one_that_leads_at_once_waits_for_those_whom_it_has_not_seen_yet(
    peers: Databag, seen: tuple[str, ...], time_passes: bool, awaited: tuple[str, ...]
):
    members = vip_admission.members('lb/2', peers, (), leader=True)
    assert members == ('lb/2',)
    found = part(members=members, peers=peers, seen=seen, time_passes=time_passes)
    assert found.awaited == awaited
    assert found.seen == tuple(seen)


def test_the_leader_admits_whom_it_sees_and_others_believe_it():
    peers = {'members': '["lb/0", "lb/10"]'}
    led = vip_admission.members('lb/10', peers, ['lb/2', 'lb/0'], leader=True, excluded={'lb/0'})
    assert led == ('lb/2', 'lb/10')
    assert vip_admission.members('lb/2', peers, ['lb/10'], leader=False) == ('lb/0', 'lb/10')


def test_the_words_name_five():
    assert part(members=()).waiting == 'waiting for the leader to admit this unit'
    many = [f'lb/{n}' for n in range(2, 9)]
    said = part(members=many).waiting
    assert said.endswith(': lb/3, lb/4, lb/5, lb/6, lb/7 and 1 more')
    assert part(members=many[:-1]).waiting.endswith(': lb/3, lb/4, lb/5, lb/6, lb/7')
    assert part(members=['lb/2']).waiting == ''


@pytest.mark.parametrize(
    'said',
    [vip_admission.Said(), vip_admission.Said(advertises_to=frozenset(NAMES), takes_part=True)],
)
def test_what_is_said_is_read_as_it_was_written(said: vip_admission.Said):
    assert vip_admission.read(vip_admission.write(said)) == said


def test_what_is_no_list_names_nobody():
    assert (
        vip_admission.read({'advertises-to': '{"lb/2": 1}', 'takes-part': 'no'})
        == vip_admission.Said()
    )


@pytest.mark.parametrize(
    ('before', 'after', 'alike'),
    [
        (['lb/0'], ['lb/0', 'lb/2'], True),
        (['lb/2'], ['lb/2', 'lb/10'], False),
        (['lb/10'], ['lb/10', 'lb/2'], True),
        (['lb/0', 'lb/10'], ['lb/0'], False),
        ([], ['lb/10'], False),
        ([], {'lb/10': 1}, False),
    ],
)
def test_a_unit_hears_whether_another_speaks_to_it_and_of_nobody_else(
    before: object, after: object, alike: bool
):
    def heard(said: object) -> str:
        bag = {vip_admission.ADVERTISES_TO: json.dumps(said)}
        return idle.digest('peers', 'lb/10', bag, vip_admission.UNHEEDED)

    assert (heard(before) == heard(after)) is alike
    assert {vip_admission.ADVERTISES_TO} == idle.NAMING_UNITS


# Units with a VIP of their own, in any order of what happens to them.

APPS = {'demo-api': vip.App(8778)}
Decide = Callable[..., vip_admission.Part]


class Cloud:
    """Units of one application: what each has seen, says and runs."""

    def __init__(self) -> None:
        self.leader = 0
        self.there: set[int] = set()
        self.peers: Databag = {}
        self.bags: dict[int, Databag] = {}
        self.memory: dict[int, dict[str, Any]] = {}
        self.seen: dict[int, set[int]] = {}
        self.speaks: dict[int, set[int]] = {}
        """Of those whose keepalived runs: to whom."""

    def come(self, n: int) -> None:
        self.there.add(n)
        self.bags[n] = {}
        self.memory[n] = {}
        self.seen[n] = set()
        if self.leader not in self.there:
            self.leader = n

    def go(self, n: int) -> None:
        self.hook(n, dying=True)
        assert n not in self.speaks, 'one that goes passes its VIPs on first'
        self.there.discard(n)
        if self.leader == n and self.there:
            self.leader = max(self.there)  # The worst that Juju may choose: who came last.

    def hook(self, n: int, *, time_passes: bool = False, dying: bool = False) -> None:
        if n not in self.there:
            return
        if time_passes:
            self.seen[n] = self.there - {n}
        address = f'10.0.0.{10 + n}'
        network = relations.Network('eth0', address, '10.0.0.0/24')
        inputs = state.Inputs(
            site=relations.Site(
                unit=f'demo/{n}',
                leader=self.leader == n and not dying,
                address=address,
                networks={'public': (network,)},
            ),
            options={'vip': '10.0.0.9'},
            peers=self.peers,
            my_peer_data=self.bags[n],
            peer_units={f'demo/{m}': self.bags[m] for m in self.seen[n] & self.there},
            memory=self.memory[n],
            dying=dying,
        )
        found = vip.part(
            inputs,
            vip.placed(inputs)[0],
            (address,),
            APPS,
            time_passes=time_passes,
            removing=False,
        )
        self.speaks.pop(n, None)
        for file in found.machine.files:
            if file.path == keepalived.PATH:
                peers = file.content.partition('unicast_peer {')[2].partition('}')[0]
                self.speaks[n] = {int(x) - 10 for x in re.findall(r'10\.0\.0\.(\d+)', peers)}
        self.memory[n] = {**self.memory[n], **found.memory}
        self.bags[n] = found.unit_data
        if self.leader == n and not dying:
            self.peers = found.app_data

    def divided(self) -> bool:
        """Two units may hold VIPs, and one does not hear the other."""
        return any(m not in to for n, to in self.speaks.items() for m in self.speaks if n != m)

    def settle(self) -> None:
        for _ in range(4):
            for n in sorted(self.there):
                self.seen[n] = self.there - {n}
                self.hook(n)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(['hook', 'hook', 'sees', 'come', 'go', 'time']),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=40,
)


def course(steps: Sequence[tuple[str, int, int]]) -> Cloud | None:
    """What *steps* lead to; None when units were divided on the way."""
    cloud = Cloud()
    cloud.come(0)
    for what, n, m in steps:
        if what == 'come' and n not in cloud.bags:  # A name comes once.
            cloud.come(n)
        elif what == 'go' and n in cloud.there:
            cloud.go(n)
        elif what == 'sees' and n != m and {n, m} <= cloud.there:
            cloud.seen[n].add(m)
        elif what in ('hook', 'time'):
            cloud.hook(n, time_passes=what == 'time')
        if cloud.divided():
            return None
    return cloud


@given(STEPS)
def test_no_two_units_hold_a_vip_that_do_not_hear_one_another_and_in_the_end_all_take_part(
    steps: list[tuple[str, int, int]],
):
    cloud = course(steps)
    assert cloud is not None
    cloud.settle()
    for n in cloud.there:
        cloud.hook(n, time_passes=True)
    assert set(cloud.speaks) == cloud.there
    assert not cloud.divided()


def at_once(*args: Any, **more: Any) -> vip_admission.Part:
    return dataclasses.replace(RIGHT(*args, **more), joined=True)


def without_unseen(*args: Any, **more: Any) -> vip_admission.Part:
    return RIGHT(*args, **{**more, 'time_passes': True})


def deaf(unit: str, members: Sequence[str], others: Any, **more: Any) -> vip_admission.Part:
    every = {n: vip_admission.Said(advertises_to=frozenset({unit})) for n in others}
    return RIGHT(unit, members, every, **more)


RIGHT: Decide = vip_admission.decide


def met(n: int, m: int) -> list[tuple[str, int, int]]:
    """Both see one another and run until both take part."""
    return [('sees', n, m), ('sees', m, n), *(('hook', x, 0) for x in (n, m, n, m))]


BEGIN = [('hook', 0, 0), ('come', 1, 0)]
COMES = [*BEGIN, ('hook', 1, 0)]
COMES_LATE = [*BEGIN, ('sees', 0, 1), ('hook', 0, 0), ('sees', 1, 0), ('hook', 1, 0), ('come', 2, 0),
              ('sees', 1, 2), ('hook', 0, 0), ('sees', 2, 1), ('hook', 2, 0)]  # fmt: skip
COMES_BLIND = [*BEGIN, ('sees', 0, 1), ('sees', 1, 0), ('hook', 0, 0), ('come', 2, 0), ('hook', 1, 0),
               ('sees', 1, 0), ('sees', 0, 2), ('sees', 2, 0), ('hook', 0, 0), ('hook', 2, 0)]  # fmt: skip
LEADS_AT_ONCE = [*BEGIN, *met(0, 1), ('come', 2, 0), ('go', 0, 0), ('hook', 2, 0)]


@pytest.mark.parametrize(
    ('steps', 'sabotaged'),
    [
        (COMES, at_once),
        (COMES_LATE, at_once),
        (LEADS_AT_ONCE, without_unseen),
        (COMES_BLIND, deaf),
    ],
)
def test_sabotaged_it_is_found_that_two_hold_it(
    steps: list[tuple[str, int, int]], sabotaged: Decide, monkeypatch: pytest.MonkeyPatch
):
    assert course(steps) is not None
    monkeypatch.setattr(vip_admission, 'decide', sabotaged)
    assert course(steps) is None


# What that means for a charm.

DB = mysql.need('demo')
SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api',),
    needs=(DB,),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo', path='/v2'),),
    config={},
)


def said(*names: int, to_me: bool = True) -> dict[str, Databag]:
    """What other units say, once they know of this one."""
    to = frozenset({'demo/7'}) if to_me else frozenset[str]()
    data = vip_admission.write(vip_admission.Said(advertises_to=to, takes_part=True))
    return {f'demo/{n}': {vip.KEY: json.dumps([f'10.0.0.{n}']), **data} for n in names}


GRANTED: Databag = {'db_host': '10.0.0.5', 'password': 'pw', 'allowed_units': 'demo/7'}
HOOK = Hook('peers-relation-changed')


def desired(granted: Databag | None = GRANTED, why: Hook = HOOK, **more: Any) -> state.Desired:
    """Of demo/7, whose leader has migrated and admitted it."""
    networks = {'public': (relations.Network('eth0', '10.0.0.7', '10.0.0.0/24'),)}
    database = relations.Relation(
        id=1, name='shared-db', app='mysql', units={'mysql/0': granted or {}}
    )
    given: dict[str, Any] = {
        'site': relations.Site(unit='demo/7', leader=False, address='10.0.0.7', networks=networks),
        'options': {'vip': '10.0.0.9'},
        'relations': {} if granted is None else {'shared-db': (database,)},
        'peers': {'members': '["demo/1", "demo/7"]', 'of-a-migration': 'kept'},
        'peer_units': said(1),
        'my_peer_data': {'migrated': 'kept', 'ingress-address': '10.0.0.7'},
        'fresh': 'f' * 64,
        **more,
    }
    return service.desired_state(SPEC, why, state.Inputs(**given))


def states(found: state.Desired) -> dict[str, str]:
    return {s.name: s.state for s in found.host.services if s.name in ('haproxy', 'keepalived')}


def test_a_unit_that_the_others_speak_to_takes_part():
    found = desired()
    assert states(found) == {'haproxy': 'running', 'keepalived': 'running'}
    assert found.memory[vip_admission.JOINED] is True
    assert vip_admission.read(found.unit_data['peers']) == vip_admission.Said(
        advertises_to=frozenset({'demo/1'}), takes_part=True
    )
    assert found.unheeded['peers'] == vip_admission.UNHEEDED | {'renews'}


@pytest.mark.parametrize(
    'others', [{}, said(1, to_me=False), {'demo/1': {vip.KEY: '["10.0.0.1"]'}}]
)
def test_one_that_they_do_not_speak_to_serves_and_says_whom_it_waits_for(
    others: dict[str, Databag],
):
    found = desired(peer_units=others)
    assert states(found) == {'haproxy': 'running', 'keepalived': 'stopped'}
    assert state.Status('waiting', 'no VIPs here until they know of this unit: demo/1') in found.status  # fmt: skip
    assert found.memory[vip_admission.JOINED] is False
    assert found.unit_data['peers'][vip_admission.TAKES_PART] == ''


def test_one_that_has_joined_goes_on_when_others_fall_silent():
    found = desired(peer_units={'demo/1': {}}, memory={vip_admission.JOINED: True})
    assert states(found)['keepalived'] == 'running'


def test_one_that_the_first_of_them_speaks_to_no_more_steps_back():
    found = desired(peer_units=said(1, to_me=False), memory={vip_admission.JOINED: True})
    assert states(found)['keepalived'] == 'stopped'
    assert found.memory[vip_admission.JOINED] is False
    later = desired(
        peer_units=said(8, to_me=False),
        memory={vip_admission.JOINED: True},
        peers={'members': '["demo/7", "demo/8"]'},
    )
    assert states(later)['keepalived'] == 'running'


@pytest.mark.parametrize(
    ('memory', 'keepalived_'),
    [
        ({'vip': '10.0.0.9', 'served': True}, 'running'),
        ({'vip': '10.0.0.9', 'served': False}, 'stopped'),
        ({'vip': '', 'served': True}, 'stopped'),
        ({'vip': '10.0.0.9', 'served': True, 'joined': False}, 'stopped'),
    ],
)
def test_a_unit_of_an_earlier_revision_keeps_its_vip(memory: dict[str, Any], keepalived_: str):
    assert states(desired(memory=memory, peer_units={'demo/1': {}}))['keepalived'] == keepalived_


def test_the_leader_says_who_is_admitted():
    site = relations.Site(
        unit='demo/7',
        leader=True,
        address='10.0.0.7',
        networks={'public': (relations.Network('eth0', '10.0.0.7', '10.0.0.0/24'),)},
    )
    found = desired(site=site, peer_units=said(10, 1))
    assert found.app_data['peers'][vip_admission.MEMBERS] == '["demo/1", "demo/7", "demo/10"]'


def test_without_a_vip_nobody_hears_of_all_this_and_it_is_forgotten():
    found = desired(options={}, memory={vip_admission.JOINED: True})
    assert (
        not {vip_admission.ADVERTISES_TO, vip_admission.TAKES_PART}
        & found.unit_data['peers'].keys()
    )
    assert vip_admission.MEMBERS not in found.app_data['peers']
    assert found.memory[vip_admission.JOINED] is False
    assert 'peers' not in desired({}, options={}).unit_data


def test_a_unit_that_lacks_something_does_not_keep_the_others_waiting():
    found = desired({})
    assert states(found) == {}
    assert found.unit_data['peers'] == {
        'migrated': 'kept',
        'addresses': '["10.0.0.7"]',
        vip_admission.ADVERTISES_TO: '["demo/1"]',
        vip_admission.TAKES_PART: '',
    }
    takes = desired(
        {}, my_peer_data={vip_admission.TAKES_PART: 'yes'}, memory={vip_admission.JOINED: True}
    )
    assert takes.unit_data['peers'][vip_admission.TAKES_PART] == 'yes'
    assert found.app_data['peers']['of-a-migration'] == 'kept'
    assert vip_admission.JOINED not in found.memory, 'it joins when it serves'


@pytest.mark.parametrize('granted', [GRANTED, {}, None], ids=['well', 'silent', 'gone'])
@pytest.mark.parametrize('why', [Hook('shared-db-relation-departed'), Hook('stop')])
def test_a_unit_that_goes_passes_its_vip_on_first(granted: Databag | None, why: Hook):
    found = desired(
        granted,
        why,
        dying=why.name != 'stop',
        memory={vip_admission.JOINED: True, front.SERVED: True},
        seen={departure.NOTICE: True} if why.name != 'stop' else {},
    )
    assert states(found)['keepalived'] == 'stopped'
    assert keepalived.PATH in {a.path for a in found.host.absent}
    said = found.unit_data.get('peers', {})
    assert not vip_admission.read(said).takes_part


def test_one_whose_keepalived_does_not_run_says_what_it_said():
    before = vip_admission.write(vip_admission.Said(advertises_to=frozenset({'demo/3'})))
    found = desired(failed={'keepalived': 'no'}, my_peer_data=before)
    assert vip_admission.read(found.unit_data['peers']).advertises_to == {'demo/3'}


def test_a_vip_that_the_unit_holds_is_not_taken_for_its_own_address():
    networks = {
        'public': (
            relations.Network('eth0', '10.0.0.9', '10.0.0.0/24'),
            relations.Network('eth0', '10.0.0.7', '10.0.0.0/24'),
        )
    }
    site = relations.Site(
        unit='demo/7',
        leader=False,
        address='10.0.0.7',
        networks=networks,
        all_addresses={'public': ('10.0.0.9', '10.0.0.7')},
    )
    found = desired(site=site)
    (conf,) = [f.content for f in found.host.files if f.path == keepalived.PATH]
    assert 'unicast_src_ip 10.0.0.7\n' in conf
    assert front.listen(state.Inputs(site=site, options={'vip': '10.0.0.9'})) == (
        '127.0.0.1',
        '10.0.0.7',
    )
