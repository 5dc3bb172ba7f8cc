"""What haproxy says of itself: read line by line, and the tables of several units made one."""

from __future__ import annotations

import pytest
from balancer import rotation, stats
from balancer.rotation import ServerState
from balancer.stats import Line, Process
from charmkit.proxy import haproxy

HEADING = '#<PID>          <type>          <reloads>       <uptime>        <version>\n'


@pytest.mark.parametrize(
    ('said', 'found'),
    [
        ('', ()),
        ('30 worker 2 0d00h00m01s 2.6.12\n', ((30, True),)),  # Before any heading: current.
        ('30 worker 2\n', ((30, True),)),
        ('30 worker [relative 3] 4 2.6\n', ((30, True),)),
        ('30 worker - 4 0d00h00m01s\n', ((30, True),)),
        ('30 worker - - 5\n', ((30, True),)),
        ('30 worker\n', ()),
        ('1 master 2 0d00h00m01s 2.6.12\n', ()),
        ('30 program 2 0d00h00m01s 2.6.12\n', ()),
        ('x30 worker 2 0d00h00m01s\n', ()),
        ('# workers\n\n30 worker 0 1s\n31 worker 1 1s\n', ((30, True), (31, True))),
        ('# old workers\n20 worker 1 1s\n# workers\n30 worker 0 1s\n', ((20, False), (30, True))),
        ('# programs\n9 worker 1 1s\n', ((9, False),)),
        (f'{HEADING}9 worker 1 1s\n', ((9, True),)),
        (f'# old workers\n{HEADING}9 worker 1 1s\n', ((9, False),)),
    ],
)  # fmt: skip
def test_workers_are_told_from_all_else_and_the_current_from_the_old(
    said: str, found: tuple[tuple[int, bool], ...]
) -> None:
    assert stats.processes(said) == tuple(
        Process(pid=pid, current=current) for pid, current in found
    )


def test_a_row_is_known_by_the_names_of_its_columns() -> None:
    said = '# pxname,svname,scur,\nnova.public,nova-0,1,\nnova.public,nova-1,2,\n\n'
    assert stats.rows(said) == (
        {'pxname': 'nova.public', 'svname': 'nova-0', 'scur': '1'},
        {'pxname': 'nova.public', 'svname': 'nova-1', 'scur': '2'},
    )
    assert stats.rows('') == ()


STATE_HEADING = '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n'


def test_administrative_states_are_found_under_their_heading_wherever_it_puts_them() -> None:
    said = (
        '3 b 1 s0 10.0.0.1 2 9\n'  # Before the heading, nobody knows what is what.
        f'1\n{STATE_HEADING}'
        '3 b 1 s1 10.0.0.1 2 0\n'
        '3 b 2 s2 10.0.0.2 2 8\n'
        '3 b 3 s3 10.0.0.3 2\n'  # Cut off.
        '#3 b 4 s4 10.0.0.4 2 4\n'
        '# srv_admin_state srv_name be_name\n'
        '1 s1 c\n'
    )
    assert stats.admin_states(said) == {('b', 's1'): 0, ('b', 's2'): 8, ('c', 's1'): 1}
    assert stats.admin_states('') == {}


def worker(*rows: str, states: str = '3 b 1 s 10.0.0.1 2 0\n') -> rotation.Worker:
    stat = '\n'.join(('# pxname,svname,status,scur,qcur,check_status,', *rows))
    process = Process(pid=7, current=False)
    return stats.worker(process, stat, f'1\n{STATE_HEADING}{states}')


@pytest.mark.parametrize(
    ('row', 'state'),
    [
        ('UP,1,2,L7OK', ServerState(admin=0, up=True, sessions=3, check_done=True)),
        ('UP,,,L7OK', ServerState(admin=0, up=True, sessions=0, check_done=True)),
        ('UP 1/3,0,0,L7STS', ServerState(admin=0, up=True, sessions=0, check_done=True)),
        ('DRAIN,4,0,L7OK', ServerState(admin=0, up=True, sessions=4, check_done=True)),
        ('no check,0,5,', ServerState(admin=0, up=True, sessions=5, check_done=True)),
        ('DOWN,0,0,L4CON', ServerState(admin=0, up=False, sessions=0, check_done=True)),
        ('DOWN 1/2,0,0,L4CON', ServerState(admin=0, up=False, sessions=0, check_done=True)),
        ('MAINT,0,0,L7OK', ServerState(admin=0, up=False, sessions=0, check_done=True)),
        ('NOLB,0,0,L7OK', ServerState(admin=0, up=False, sessions=0, check_done=True)),
        ('UP,0,0,INI', ServerState(admin=0, up=True, sessions=0, check_done=False)),
        ('UP,0,0,* INI', ServerState(admin=0, up=True, sessions=0, check_done=False)),
    ],
)
def test_a_server_is_up_while_its_check_passes_and_its_requests_are_those_under_way_and_queued(
    row: str, state: ServerState
) -> None:
    seen = worker(f'b,s,{row},')
    assert seen == rotation.Worker(pid=7, current=False, servers={('b', 's'): state})


def test_only_servers_that_both_tables_have_are_a_workers_servers() -> None:
    seen = worker(
        'b,FRONTEND,OPEN,9,9,,',
        'b,unknown,UP,9,9,L7OK,',
        'b,s,UP,1,0,L7OK,',
        'b,BACKEND,UP,9,9,,',
        'b,s2,UP,2,0,L7OK,',
        states='3 b 1 s 10.0.0.1 2 4\n3 b 2 s2 10.0.0.1 2 1\n3 b 3 BACKEND 10.0.0.1 2 0\n'
        '3 b 4 FRONTEND 10.0.0.1 2 0\n',
    )
    assert {key: (s.admin, s.sessions) for key, s in seen.servers.items()} == {
        ('b', 's'): (4, 1),
        ('b', 's2'): (1, 2),
    }


def test_a_table_without_checks_has_all_of_them_passed() -> None:
    process = Process(pid=7, current=True)
    stat = '# pxname,svname,status,scur,qcur,\nb,s,UP,0,0,\n'
    seen = stats.worker(process, stat, f'{STATE_HEADING}3 b 1 s 10.0.0.1 2 0\n')
    assert seen.current
    assert seen.servers['b', 's'].check_done


HEAD = '# pxname,svname,scur,stot,econ,eresp,hrsp_5xx,status,\n'


def test_counts_are_added_up_and_a_status_that_all_share_is_said_once() -> None:
    found = stats.merged(
        {
            'lb/1': f'{HEAD}nova,nova-0,1,10,100,1000,10000,UP,\n',
            'lb/0': f'{HEAD}nova,nova-0,2,20,200,2000,20000,UP,\n',
        }
    )
    assert found == (
        Line(
            service='nova',
            server='nova-0',
            status='UP',
            requests=30,
            current=3,
            errors=3300,
            responses_5xx=30000,
            units=2,
        ),
    )


def test_where_units_differ_each_is_said_with_its_name_in_order() -> None:
    (line,) = stats.merged(
        {
            'lb/1': f'{HEAD}nova,nova-0,,,,,,DOWN,\n',
            'lb/0': f'{HEAD}nova,nova-0,1,1,1,1,1,UP,\n',
        }
    )
    assert line.status == 'lb/0 UP, lb/1 DOWN'
    assert (line.requests, line.current, line.errors, line.responses_5xx) == (1, 1, 2, 1)


def test_servers_are_in_the_order_of_their_names_and_their_sum_comes_last() -> None:
    def row(service: str, server: str) -> str:
        return f'{service},{server},0,0,0,0,0,UP,\n'

    names = ('BACKEND', 'FRONTEND', 'a-1', 'Z-0', 'a-0')
    found = stats.merged(
        {
            'lb/0': HEAD
            + ''.join(row('b', n) for n in names)
            + row('a', 'x')
            + row(haproxy.SELF, 'self')
            + row('metrics', 'BACKEND')
        }
    )
    assert [(x.service, x.server) for x in found] == [
        ('a', 'x'),
        ('b', 'Z-0'),
        ('b', 'a-0'),
        ('b', 'a-1'),
        ('b', 'BACKEND'),
    ]


def test_a_server_that_only_one_unit_knows_counts_for_that_one() -> None:
    row = 'nova,{},1,1,0,0,0,UP,\n'
    found = stats.merged(
        {
            'lb/0': HEAD + row.format('n0') + row.format('n1'),
            'lb/1': HEAD + row.format('n1'),
        }
    )
    assert [(x.server, x.units, x.requests) for x in found] == [('n0', 1, 1), ('n1', 2, 2)]


def test_a_unit_that_says_less_counts_for_less() -> None:
    """Another version of haproxy may have fewer columns."""
    (line,) = stats.merged({'lb/0': '# pxname,svname,\nnova,n0,\n'})
    assert line == Line(
        service='nova',
        server='n0',
        status='',
        requests=0,
        current=0,
        errors=0,
        responses_5xx=0,
        units=1,
    )


def test_the_table_is_for_people() -> None:
    lines = [
        Line(
            service='nova.public',
            server='nova-0',
            status='UP',
            requests=1,
            current=2,
            errors=3,
            responses_5xx=4,
            units=5,
        ),
        Line(
            service='n',
            server='BACKEND',
            status='lb/0 UP, lb/1 DOWN',
            requests=123456,
            current=0,
            errors=0,
            responses_5xx=0,
            units=2,
        ),
    ]
    assert stats.table(lines) == (
        'SERVICE      SERVER   STATUS              TOTAL   NOW  ERRORS  5XX  UNITS\n'
        'nova.public  nova-0   UP                  1       2    3       4    5\n'
        'n            BACKEND  lb/0 UP, lb/1 DOWN  123456  0    0       0    2\n'
    )
    assert stats.table([]) == 'SERVICE  SERVER  STATUS  TOTAL  NOW  ERRORS  5XX  UNITS\n'
