"""What a real haproxy does with what the charm decides; each claim with a control that must fail.

The full figures (ten thousand requests of each kind) are in ``make bench`` and in the tests marked slow.
"""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.functional

KINDS = {'close GET', 'close POST', 'keep-alive GET', 'keep-alive POST'}


def lost(found: dict[str, Any], least: int) -> int:
    """Requests lost of all kinds, of which each had at least so many."""
    assert found['load'].keys() == KINDS
    assert all(kind['sent'] >= least for kind in found['load'].values())
    return sum(kind['lost'] for kind in found['load'].values())


def lost_of(found: dict[str, Any], method: str) -> int:
    """Requests lost of one method."""
    return sum(kind['lost'] for name, kind in found['load'].items() if name.endswith(method))


def test_a_rolling_restart_through_the_handshake_loses_nothing(machine: Any) -> None:
    found = machine.scenario('rolling', requests=1000)
    assert lost(found, 1000) == 0, found


def test_backends_that_are_killed_cost_writes_and_no_reads(machine: Any) -> None:
    found = machine.scenario('rolling', requests=1000, drain=False)
    assert lost(found, 1000) > 0
    assert lost_of(found, 'GET') == 0, found


@pytest.mark.slow
def test_without_repeating_reads_they_cost_those_too(machine: Any) -> None:
    found = machine.scenario('rolling', requests=1000, drain=False, retry='conn')
    assert lost_of(found, 'GET') > 0


def test_twenty_reloads_lose_nothing(machine: Any) -> None:
    assert lost(machine.scenario('reloads', requests=1000), 1000) == 0


@pytest.mark.slow
def test_reloads_that_close_idle_connections_lose_requests(machine: Any) -> None:
    assert lost(machine.scenario('reloads', requests=1000, idle_close=False), 1000) > 0


def test_a_post_on_an_old_worker_is_waited_for(machine: Any) -> None:
    found = machine.scenario('inflight')
    assert found['post']['lost'] == 0
    assert found['under_way'] == 0


def test_a_drain_that_asks_only_the_current_worker_loses_the_post(machine: Any) -> None:
    found = machine.scenario('inflight', current_only=True)
    assert found['post']['lost'] == 1
    assert found['under_way'] == 1


def test_a_drain_outlives_a_reload_and_a_start_from_nothing(machine: Any) -> None:
    found = machine.scenario('remembered')
    assert 'keystone/0' not in {**found['reload'], **found['restart']}
    assert found['resumed'].keys() == {'keystone/0', 'keystone/1', 'keystone/2'}


def test_without_what_is_remembered_the_drained_unit_is_asked_again(machine: Any) -> None:
    found = machine.scenario('remembered', remember=False)
    assert 'keystone/0' in found['reload']
    assert 'keystone/0' in found['restart']


def test_a_unit_that_is_admitted_late_is_ready(machine: Any) -> None:
    assert machine.scenario('admitted') == {'before': 503, 'after': 200}


def test_with_its_own_state_remembered_it_would_stay_out_for_good(machine: Any) -> None:
    assert machine.scenario('admitted', remember_itself=True) == {'before': 503, 'after': 503}


def test_a_unit_that_moves_to_another_address_and_port_is_followed(machine: Any) -> None:
    found = machine.scenario('moved')
    assert (found['sent'], found['lost']) == (100, 0)


def test_what_haproxy_remembers_of_ports_would_lose_it(machine: Any) -> None:
    assert machine.scenario('moved', with_ports=True)['lost'] == 100


def test_forged_headers_do_not_reach_the_service(machine: Any) -> None:
    found = machine.scenario('headers')
    assert sorted(found['arrived']) == [
        ['host', '10.66.0.1:5000'],
        ['x-forwarded-for', '10.66.0.1'],
        ['x-forwarded-proto', 'http'],
        ['x-openstack-request-id', 'req-1'],
    ]
    assert (found['other host'], found['trace'], found['healthcheck']) == (421, 405, 404)
    assert found['connect'] == 405
    # haproxy 3.0 refuses such a header itself.
    assert set(found['several hosts'].values()) <= {421, 400}, found['several hosts']
    assert {status for status in found['spellings'].values()} <= {404, 400}, found['spellings']
    assert found['double slash'] == 200
    # Services make links of it, and without the port they would lead to port 80.
    assert set(found['links'].values()) == {'10.66.0.1:5000'}
    assert (found['ready in the DMZ'], found['ready on loopback']) == (0, 200)
    assert found['stats'] == {
        '/stats': 200, '/stats;csv': 200, '/stats;json': 200, '/metrics': 200, '/statsx': 404, '/': 404,
    }  # fmt: skip


def test_a_poisoned_relation_is_refused_by_name_and_the_others_are_served(machine: Any) -> None:
    found = machine.scenario('poisoned')
    assert found['status']['*']['state'] == 'rejected'
    assert 'frontend-port' in found['status']['*']['reason']
    assert (found['served'], found['config']) == (0, 0)


def test_the_load_balancer_of_the_site_says_who_the_client_is_and_nobody_else(
    machine: Any,
) -> None:
    assert machine.scenario('behind_another') == {
        'header from it': '192.0.2.7',
        'header from others': '10.66.0.1',
        'protocol from it': '192.0.2.7',
        'it without the protocol': '',
        'protocol from others': '',
        'others without it': '10.66.0.1',
        'connection for an allowed client': 200,
        'connection for another': 0,
        'nobody is believed': '10.66.3.1',
        'nobody may speak it': '',
    }


def test_consumers_of_the_first_version_of_the_interface_are_served(machine: Any) -> None:
    found = machine.scenario('first_version')
    assert found['frontends'].keys() == {'glance-api', 'nfs-ganesha'}
    public = found['frontends']['glance-api']['public']
    assert (public['ip'], public['port'], public['protocol']) == (['10.66.0.1'], 9292, 'http')
    assert (found['http'], found['tcp']) == (200, 200)
    assert found['modes']['glance-api.public'] == 'http'
    assert found['modes']['nfs-ganesha.public'] == 'tcp'
    assert found['after it asks for nothing'] == 0


def test_what_rules_and_dashboard_ask_for_is_where_prometheus_is_told_to_look(
    machine: Any,
) -> None:
    found = machine.scenario('seen')
    assert found['unit']['prometheus_scrape_unit_name'] == 'lb/0'
    assert {'haproxy_server_status', 'haproxy_backend_active_servers'} <= {*found['by rules']}
    assert {*found['by rules'], *found['by dashboard']} <= {*found['there']}
    assert {'UP', 'DOWN', 'DRAIN', 'MAINT'} <= {*found['states']}


def test_two_hundred_services_are_in_place(machine: Any) -> None:
    """How soon is a figure of `lb-speed`, which has the machine to itself."""
    found = machine.scenario('many')
    assert found['frontends'] == 200 + 3, (
        'and those of the rig: its own service, ready and metrics'
    )


@pytest.mark.slow
def test_ten_thousand_requests_of_each_kind(machine: Any) -> None:
    assert lost(machine.scenario('rolling', requests=10_000), 10_000) == 0
    assert lost(machine.scenario('reloads', requests=10_000), 10_000) == 0


def test_a_port_that_is_taken_is_refused_by_name_and_nothing_else_suffers(machine: Any) -> None:
    found = machine.scenario('taken_port')
    assert found['replies']['other1']['state'] == 'rejected'
    assert 'port 6022 is used by python3 on this unit' in found['replies']['other1']['reason']
    assert (found['in the file'], found['other is served']) == (False, True)
    assert (found['drained'], found['served']) == ('maintenance', 0)


def test_when_nobody_saw_it_the_last_good_file_is_back_and_drains_go_on(machine: Any) -> None:
    found = machine.scenario('taken_port', unseen=True)
    assert found['replies']['*']['state'] == 'rejected'
    assert 'haproxy did not come up with it' in found['replies']['*']['reason']
    assert not found['in the file']
    assert (found['drained'], found['served']) == ('maintenance', 0)
    assert found['steps again'] == [], 'it is not tried again by every hook'


def test_wrong_options_stop_neither_services_nor_drains(machine: Any) -> None:
    found = machine.scenario('wrong_options')
    for name in ('ours', 'nonsense', 'haproxys'):
        assert found[name]['same'], name
        assert (found[name]['relation'], found[name]['drained']) == ('ready', 'maintenance'), name
    assert 'a range that ends before it begins' in found['ours']['status'][0]
    assert '420000ms will not do.' in found['haproxys']['status'][0]
    assert found['long list']['asked'] == 200, found
    assert found['empty list'] == 403
    assert found['lists'] == [1, 0], 'what no configuration refers to is removed'


def test_a_service_that_has_a_new_application_is_served_for_it_when_it_was_said(
    machine: Any,
) -> None:
    found = machine.scenario('departed')
    assert 'which has left, until' in found['status'][0]
    assert 0 < found['wakes in'] <= 6
    assert not [s for s in found['later'] if 'which has left' in s]


def test_a_killed_haproxy_is_back_as_often_as_that_may_be(machine: Any) -> None:
    """How soon, and what it costs, are figures of `lb-killed`."""
    found = machine.scenario('killed', times=8, patience_s=10)
    assert max(found['gaps_s']) < 10, 'it came back each time'


@pytest.mark.slow
def test_as_the_package_has_it_systemd_gives_up(machine: Any) -> None:
    found = machine.scenario('killed', times=8, before=True, patience_s=10)
    assert max(found['gaps_s']) >= 10


def test_slow_clients_take_nothing_of_a_service_whose_requests_are_small(machine: Any) -> None:
    assert machine.scenario('slow_clients')['others']['lost'] == 0


LONG = {'buffered': False, 'length': 1_000_000, 'seconds': 40}


def test_nor_of_one_whose_bodies_are_passed_on_as_they_come(machine: Any) -> None:
    assert machine.scenario('slow_clients', buffered=False)['others']['lost'] == 0
    assert machine.scenario('slow_clients', **LONG)['others']['lost'] == 0
    long = {**LONG, 'buffered': True, 'seconds': 12, 'length': 100_000}
    assert machine.scenario('slow_clients', **long)['others']['lost'] == 0


@pytest.mark.slow  # Minutes of waiting.
def test_where_they_may_have_all_places_they_take_all_of_it(machine: Any) -> None:
    found = machine.scenario('slow_clients', guarded=False, **LONG)
    assert found['others']['lost'] > 0


def test_no_kind_of_slow_transfer_takes_all_places_of_a_service(machine: Any) -> None:
    found = machine.scenario('slow_transfers')
    assert {kind: one['others'] for kind, one in found.items()} == dict.fromkeys(found, 200)
    assert all(one['refused'] for one in found.values()), found
    assert len(found) == 9


def test_downloads_may_have_what_is_free(machine: Any) -> None:
    """More than three quarters of the places, where nothing else wants them; uploads may not."""
    found = machine.scenario('slow_transfers', kinds=['download', 'length'], clients=28)
    assert found['download'] == {'refused': 0, 'others': 200}
    assert found['length']['refused'] and found['length']['others'] == 200


@pytest.mark.slow  # Minutes of waiting.
def test_each_of_them_would_take_them_all(machine: Any) -> None:
    found = machine.scenario('slow_transfers', guarded=False)
    assert {kind: one['others'] for kind, one in found.items()} == dict.fromkeys(found, 0)


@pytest.mark.slow  # It needs a machine that does nothing else.
def test_a_vip_stays_with_a_machine_that_gets_a_processor_now_and_then(machine: Any) -> None:
    """Once in five times at least: on a busy machine it may stand still for longer than we make it."""
    tries: list[dict[str, Any]] = []
    while len(tries) < 5:
        tries.append(machine.scenario('starved', seconds=10))
        if tries[-1]['longest_s'] < 1 and tries[-1]['taken by another'] == 0:
            return
    pytest.fail(f'another took it, or this machine is too busy to show that none does: {tries}')


@pytest.mark.slow
def test_with_as_few_missed_advertisements_as_usual_it_would_move_all_the_time(
    machine: Any,
) -> None:
    found = machine.scenario('starved', seconds=90, adverts=3, enough=3)
    assert found['taken by another'] > 2
