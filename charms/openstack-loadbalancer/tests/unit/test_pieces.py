"""What lingers, who holds VIPs, what haproxy says of itself, and what an upgrade of the lock means."""

from __future__ import annotations

from typing import Any

import pytest
from balancer import (
    departed,
    handshake,
    layout,
    observability,
    programs,
    rotation,
    stats,
    tasks,
    vrrp,
)
from charmkit import state
from charmkit import testing as machines
from charmkit.machine import Finished
from charmkit.proxy import haproxy, keepalived
from charmkit.relations import Network, Relation, Site, loadbalancer

NETWORKS = {
    'public': (
        vrrp.Interface(name='eth1', address='10.1.0.5', network='10.1.0.0/24'),
        vrrp.Interface(name='eth1', address='2001:db8::5', network='2001:db8::/64'),
    ),
    'internal': (vrrp.Interface(name='eth2', address='10.2.0.5', network='10.2.0.0/24'),),
}


def relation(*units: str, i: int = 1) -> Relation:
    return Relation(
        id=i, name='backend', app='nova', app_data={'a': 'b'}, units={u: {} for u in units}
    )


def test_a_relation_that_is_removed_lingers_for_its_time() -> None:
    gone = departed.departed([relation('nova/0')], [], [], now=100, linger_s=60)
    assert [r.units for r in departed.served([], gone)] == [{'nova/0': {}}]
    kept = departed.load_gone(departed.dump_gone(gone))
    assert departed.departed([], [], kept, now=159, linger_s=60) == gone
    assert departed.departed([], [], kept, now=160, linger_s=60) == ()


def test_units_that_leave_one_after_the_other_are_all_served_when_none_is_left() -> None:
    both, one, none = relation('nova/0', 'nova/1'), relation('nova/1'), relation()
    first = departed.departed([both], [one], [], now=100, linger_s=60)
    # One of two has left: it is being removed, and the other serves alone.
    assert [set(r.units) for r in departed.served([one], first)] == [{'nova/1'}]
    second = departed.departed([one], [none], first, now=101, linger_s=60)
    assert [set(r.units) for r in departed.served([none], second)] == [{'nova/0', 'nova/1'}]
    last = departed.departed([none], [], second, now=102, linger_s=60)
    assert [set(r.units) for r in departed.served([], last)] == [{'nova/0', 'nova/1'}]


def test_what_comes_back_no_longer_lingers() -> None:
    gone = departed.departed([relation('nova/0')], [], [], now=100, linger_s=60)
    again = relation('nova/0', i=2)
    assert departed.departed([], [again], gone, now=101, linger_s=60) == ()


def test_all_vips_move_together_and_each_is_on_its_own_network() -> None:
    vips, homeless = vrrp.locate(['10.1.0.9', '2001:db8::9', '10.2.0.9', '10.7.0.9'], NETWORKS)
    assert homeless == ('10.7.0.9',)
    peers = {'lb/0': ('10.1.0.4', '10.2.0.4')}
    text = keepalived.render(
        vrrp.instance('lb/1', vips, NETWORKS, peers, router_id=7, advert_s=0.2)
    )
    assert text.count('vrrp_instance') == 1
    assert (
        'virtual_ipaddress {\n        10.1.0.9/24 dev eth1\n        10.2.0.9/24 dev eth2\n' in text
    )
    assert 'virtual_ipaddress_excluded {\n        2001:db8::9/64 dev eth1\n' in text
    assert 'unicast_peer {\n        10.1.0.4\n    }' in text
    assert 'track_interface {\n        eth1\n        eth2\n    }' in text
    assert 'nopreempt' in text
    assert 'priority 199' in text


def test_a_vip_that_the_unit_holds_is_not_its_own_however_it_is_spelt() -> None:
    held = [
        Network(address=a, interface='eth1', subnet='2001:db8::/64')
        for a in ('2001:db8::5', '2001:db8::9', 'fe80::1')
    ]
    inputs = state.Inputs(
        site=Site(unit='lb/0', leader=True, address='10.0.0.1', networks={'public': tuple(held)}),
        facts=state.Facts(base='debian@12', interfaces={'2001:db8::5': 'eth7'}),
    )
    found = vrrp.interfaces(inputs, 'public', ['2001:DB8:0::9'])
    assert [(i.address, i.name) for i in found] == [('2001:db8::5', 'eth7')]


def test_old_workers_are_told_from_the_current_one() -> None:
    said = (
        '#<PID>          <type>          <reloads>       <uptime>        <version>\n'
        '1               master          2 [failed: 0]   0d00h00m01s     2.6.12\n'
        '# workers\n'
        '30              worker          0               0d00h00m01s     2.6.12\n'
        '# old workers\n'
        '20              worker          1               0d00h00m05s     2.6.12\n'
        '# programs\n'
    )
    assert [(p.pid, p.current) for p in stats.processes(said)] == [(30, True), (20, False)]


def test_statistics_of_units_are_added_up() -> None:
    head = '# pxname,svname,scur,stot,econ,eresp,hrsp_5xx,status,\n'
    lines = stats.merged(
        {
            'lb/0': f'{head}nova.public,nova-0,1,10,0,1,2,UP,\n',
            'lb/1': f'{head}nova.public,nova-0,2,20,1,0,0,DOWN,\n',
        }
    )
    (line,) = lines
    assert (line.requests, line.current, line.errors, line.responses_5xx) == (30, 3, 2, 2)
    assert line.status == 'lb/0 UP, lb/1 DOWN'
    assert stats.table(lines).splitlines()[1].split() == [
        'nova.public', 'nova-0', 'lb/0', 'UP,', 'lb/1', 'DOWN', '30', '3', '2', '2', '2',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('wanted', 'admin', 'told'),
    [
        ('ready', 0, False),
        ('ready', rotation.FORCED_DRAIN, True),
        ('ready', rotation.FORCED_MAINT | rotation.CONFIG_MAINT, True),
        ('ready', rotation.CONFIG_MAINT, False),
        ('drain', 0, True),
        ('drain', rotation.FORCED_MAINT, True),
        ('drain', rotation.FORCED_DRAIN, False),
        ('maint', rotation.FORCED_DRAIN, True),
        ('maint', rotation.FORCED_MAINT, False),
    ],
)
def test_a_server_is_told_only_what_it_does_not_do(
    wanted: rotation.Want, admin: int, told: bool
) -> None:
    place = ('nova.public', 'nova-0')
    server = rotation.ServerState(admin=admin, up=True, sessions=0)
    worker = rotation.Worker(pid=1, current=True, servers={place: server})
    command = f'set server nova.public/nova-0 state {wanted}'
    assert rotation.commands({place: wanted}, worker) == ((command,) if told else ())


def test_a_unit_that_died_frees_the_lock_and_stays_drained() -> None:
    drain = loadbalancer.Lifecycle(state='drain', token='a', deadline_s=300)
    ready = loadbalancer.Lifecycle(state='ready', token='b')
    dead = handshake.Candidate(unit='nova/0', services=frozenset({'nova'}), lifecycle=drain)
    other = handshake.Candidate(unit='nova/1', services=frozenset({'nova'}), lifecycle=drain)
    third = handshake.Candidate(unit='nova/2', services=frozenset({'nova'}), lifecycle=ready)
    acks = {'lb/0': {'nova/2': loadbalancer.Ack(token='b', state='ready')}}
    policy = handshake.Policy(lease_s=60)
    locks = handshake.decide([dead, third], {}, acks, ['lb/0'], policy, 0)
    assert locks['nova/0'].state == 'granted'
    locks = handshake.decide([dead, other, third], locks, acks, ['lb/0'], policy, 300)
    assert locks['nova/1'].state == 'queued'
    later = handshake.load(handshake.dump(locks))
    locks = handshake.decide([dead, other, third], later, acks, ['lb/0'], policy, 361)
    assert locks['nova/0'].expired
    assert locks['nova/1'].state == 'granted'
    assert rotation.want(drain, locks['nova/0']) == 'drain'


def test_the_programs_beside_the_charm_are_programs() -> None:
    for text in (programs.SAVE, programs.WATCH):
        compile(text, 'program', 'exec')
    assert haproxy.STATE_FILE in programs.SAVE


@pytest.mark.parametrize(
    ('before', 'rows', 'wakes'),
    [
        ({}, {'a': 'UP L7OK'}, True),  # A new server passes its check.
        ({}, {'a': 'UP INI'}, False),  # haproxy shows UP from the first moment on.
        ({}, {'a': 'UP * INI'}, False),
        ({}, {'a': 'DOWN L7STS'}, False),
        ({'a': True}, {'a': 'DOWN L7STS'}, True),
        ({'a': False}, {'a': 'UP L7OK'}, True),
        ({'a': True}, {'a': 'UP INI'}, False),  # Just reloaded: nothing is new.
        ({'a': True}, {}, False),  # The charm itself has taken it away.
        ({'a': True, 'b': False}, {'a': 'UP L7OK', 'b': 'DOWN L4CON'}, False),
    ],
)
def test_the_watcher_wakes_the_charm_for_what_it_cannot_know(
    before: dict[str, bool], rows: dict[str, str], wakes: bool
) -> None:
    watcher: dict[str, Any] = {}
    exec(programs.WATCH.partition('passes, busy, woken, rung =')[0], watcher)  # noqa: S102 -- the program itself.

    def row(name: str, said: str) -> str:
        fields = [''] * 40
        fields[:2], (fields[17], _, fields[36]) = ['b', name], said.partition(' ')
        return ','.join(fields)

    answers = {
        'show proc': '# workers\n12 worker 0 0d00h00m01s 2.6\n',
        '@!12 show servers state': '1\n',
        '@!12 show stat': '\n'.join(row(*each) for each in rows.items()),
    }
    watcher['ask'] = answers.__getitem__
    known = {('b', name): well for name, well in before.items()}
    now, _ = watcher['look'](known)
    assert watcher['news'](known, now) is wakes


@pytest.mark.parametrize(
    ('check', 'said', 'answers'),
    [
        ('INI', '', 'down'),
        ('* INI', 'down', 'down'),
        ('INI', 'drained', 'down'),
        ('L7OK', '', 'ready'),
        ('INI', 'ready', 'ready'),  # After a reload: no check has taken it back.
    ],
)
def test_a_unit_is_ready_when_its_check_has_passed_and_not_before(
    check: str, said: str, answers: str
) -> None:
    stat = f'# pxname,svname,status,scur,qcur,check_status,\nb,s,UP,0,0,{check},\n'
    state = '1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n'
    worker = stats.worker(
        stats.Process(pid=1, current=True), stat, state + '3 b 1 s 10.0.0.1 2 0\n'
    )
    ready = frozenset({('b', 's')} if said == 'ready' else ())
    wish = loadbalancer.Lifecycle(state='ready', token='t')
    seen = rotation.believed(worker, ready)
    assert rotation.ack(wish, None, [('b', 's')], [seen], 0).state == answers


def test_what_listens_is_read_from_the_kernel_and_haproxy_itself_is_left_out() -> None:
    said = (
        'LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=1,fd=3))\n'
        'LISTEN 0      128             [::]:22           [::]:*    users:(("sshd",pid=1,fd=4))\n'
        'LISTEN 0      4096 127.0.0.53%lo:53        0.0.0.0:*\n'
        'LISTEN 0      50                 *:8080            *:*\n'
    )
    found = tasks.listeners(said)
    assert [(x.address, x.port, x.program) for x in found] == [
        ('0.0.0.0', 22, 'sshd'),  # noqa: S104
        ('::', 22, 'sshd'),
        ('127.0.0.53', 53, ''),
        ('*', 8080, ''),
    ]


@pytest.mark.parametrize(
    ('listener', 'address', 'in_the_way'),
    [
        ('0.0.0.0', '10.0.0.1', True),  # noqa: S104
        ('0.0.0.0', 'fd00::1', False),  # noqa: S104
        ('::', 'fd00::1', True),
        ('*', '10.0.0.1', True),
        ('10.0.0.1', '10.0.0.1', True),
        ('10.0.0.2', '10.0.0.1', False),
        ('127.0.0.53', '10.0.0.1', False),
    ],
)
def test_who_listens_on_all_addresses_is_in_the_way_on_each(
    listener: str, address: str, in_the_way: bool
) -> None:
    assert layout.Listener(listener, 80).is_in_the_way(address, 80) is in_the_way
    assert not layout.Listener(listener, 81).is_in_the_way(address, 80)


def test_haproxys_own_words_are_found_in_what_it_says() -> None:
    said = (
        '[NOTICE]   (7) : haproxy version is 2.6.12\n'
        "[ALERT]    (7) : config : parsing [/x.cfg:9] : 'http-check' : bad status.\n"
        '[ALERT]    (7) : config : Error(s) found in configuration file : /x.cfg\n'
    )
    assert tasks.words(said) == "parsing [/x.cfg:9] : 'http-check' : bad status."
    assert tasks.words('') == 'it would not say why'
    assert len(tasks.words('[ALERT] (7) : ' + 'x' * 1000)) == 300


def test_every_alert_says_what_is_wrong() -> None:
    rules = observability.alert_rules()['groups'][0]['rules']
    assert all(r['annotations']['summary'] and r['labels']['severity'] for r in rules)


def test_what_haproxy_said_of_an_earlier_configuration_is_not_asked_for() -> None:
    asked: list[tuple[str, ...]] = []
    machine = machines.FakeMachine()
    machine.shell = lambda argv, stdin: (asked.append(tuple(argv)), Finished(0, ''))[1]
    assert tasks.Alerts(since=1_800_000_000.9).carry_out(machine) == ()
    (argv,) = asked
    assert argv[argv.index('--since') + 1] == '@1800000000'
