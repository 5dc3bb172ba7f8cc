"""The load balancer as units of a model: refusals, drains under load, VIPs, and taking it away again.

The services behind are stand-ins (charms/openstack-loadbalancer/tests/api): what they run is a page of Python, and how
they drain is the library's, as in every API charm.
"""

from __future__ import annotations

import ipaddress
import json
import pathlib
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterable
from typing import Any

import jubilant
import pytest

from .conftest import CHARMS, Model, settle, subnet

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]

LB = CHARMS / 'openstack-loadbalancer'
SPACES = ('dmz', 'inner', 'admin', 'api')
BIND = {'': 'api', 'public': 'dmz', 'internal': 'inner', 'admin': 'admin'}


@pytest.fixture(scope='module', params=['debian@12', 'debian@13'])
def juju(request: pytest.FixtureRequest, model: Model) -> Generator[jubilant.Juju]:
    with model(request.param, SPACES) as juju:
        juju.deploy(
            LB, 'lb', num_units=2, bind=BIND, config={'vip': f'{vip(juju)} {vip(juju, 6)}'}
        )
        juju.deploy(LB / 'tests' / 'api', 'keystone', num_units=3, bind={'': 'api'})
        for t in ('public', 'internal', 'admin'):
            juju.integrate(f'keystone:{t}-backend', 'lb:backend')
        settle(juju)
        yield juju


def vip(juju: jubilant.Juju, version: int = 4) -> str:
    """The public VIP of IP *version*."""
    return str(subnet(juju, 'dmz', version)[250])


def within(juju: jubilant.Juju, space: str, addresses: Iterable[str]) -> bool:
    networks = [subnet(juju, space, version) for version in (4, 6)]
    return all(any(ipaddress.ip_address(a) in n for n in networks) for a in addresses)


def message(juju: jubilant.Juju, unit: str) -> str:
    return juju.status().get_units(unit.partition('/')[0])[unit].workload_status.message


def until(juju: jubilant.Juju, unit: str, wanted: Callable[[str], bool]) -> None:
    juju.wait(
        lambda s: wanted(s.get_units(unit.partition('/')[0])[unit].workload_status.message),
        successes=1,
    )


def answered(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as got:  # noqa: S310
            return int(got.status)
    except urllib.error.HTTPError as e:
        return e.code
    except OSError:
        return 0


def start_load(
    juju: jubilant.Juju, stop: pathlib.Path, *, keep_alive: bool
) -> subprocess.Popen[str]:
    plan = {
        'url': [vip(juju), 5000], 'clients': 3, 'requests': 500, 'keep_alive': keep_alive, 'post': 0.5,
        'think_ms': 20, 'slow_ms': 300, 'slow_share': 0.02, 'stop_file': str(stop),
    }  # fmt: skip
    argv = [sys.executable, str(LB / 'tests/rig/load.py'), json.dumps(plan)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def owners(juju: jubilant.Juju, version: int = 4) -> list[str]:
    wanted = f' {vip(juju, version)}/'
    units = sorted(juju.status().get_units('lb'))
    return [u for u in units if wanted in juju.exec('ip -o address show', unit=u).stdout]


def owner(juju: jubilant.Juju, *, but: str = '') -> str:
    """The one unit that holds the VIP, once that is another than *but*."""
    end = time.monotonic() + 60
    while len(held := owners(juju)) != 1 or held == [but]:
        assert time.monotonic() < end, f'{held} hold the VIP: {keepalived(juju)}'
        time.sleep(1)
    return held[0]


def keepalived(juju: jubilant.Juju) -> str:
    """What decides about the VIP on each unit, and what it said last: a failure here does not come twice."""
    ask = 'cat /etc/keepalived/keepalived.conf; ip -br address; journalctl -u keepalived -n 40'
    units = sorted(juju.status().get_units('lb'))
    return '\n'.join(f'{unit}: {juju.exec(ask, unit=unit).stdout}' for unit in units)


def drained(status: jubilant.Status, units: Iterable[str]) -> list[str]:
    """Those of *units*, stand-ins for an API, that have stopped."""
    every = status.get_units('keystone')
    return [
        u for u in units if every[u].workload_status.message.startswith('maintenance: drained')
    ]


def own_addresses(juju: jubilant.Juju, unit: str) -> list[str]:
    said = juju.exec('ip -j address show scope global', unit=unit).stdout
    return [a['local'] for link in json.loads(said) for a in link['addr_info'] if a]


def frontends(juju: jubilant.Juju) -> dict[str, Any]:
    shown = json.loads(juju.cli('show-unit', 'keystone/0', '--format', 'json'))['keystone/0']
    found: dict[str, Any] = {}
    for relation in shown['relation-info']:
        if relation['endpoint'].endswith('-backend'):
            found.update(json.loads(relation['application-data']['frontends'])['keystone'])
    return found


def test_each_type_is_served_on_its_own_network_alone(juju: jubilant.Juju) -> None:
    hosts = {t: f['ip'] for t, f in frontends(juju).items()}
    assert hosts['public'] == [vip(juju), vip(juju, 6)]
    assert within(juju, 'inner', hosts['internal'])
    assert within(juju, 'admin', hosts['admin'])
    assert answered(f'http://{vip(juju)}:5000/') == 200
    assert answered(f'http://[{vip(juju, 6)}]:5000/') == 200
    listening = juju.exec("ss -Hltn 'sport = :5000'", unit='lb/0').stdout
    assert '0.0.0.0:5000' not in listening
    assert '*:5000' not in listening


def test_pausing_every_unit_in_turn_loses_no_request(
    juju: jubilant.Juju, tmp_path: pathlib.Path
) -> None:
    stop = tmp_path / 'stop'
    held = owner(juju)
    loads = [start_load(juju, stop, keep_alive=keep) for keep in (True, False)]
    for unit in sorted(juju.status().get_units('keystone')):
        juju.run(unit, 'pause')
        until(juju, unit, lambda m: m.startswith('maintenance: drained'))
        assert juju.exec('systemctl is-active api || true', unit=unit).stdout.strip() == 'inactive'
        juju.run(unit, 'resume')
        end = time.monotonic() + 300
        while juju.run('lb/leader', 'show-grants').results['grants'] != 'none':
            assert time.monotonic() < end
            time.sleep(2)
    stop.touch()
    found = [json.loads(p.communicate()[0]) for p in loads]
    assert {name for f in found for name in f['served_by']} == {
        'keystone/0', 'keystone/1', 'keystone/2',
    }  # fmt: skip
    # A VIP that moves resets connections: a machine without time for its adverts proves nothing.
    assert owner(juju) == held
    assert [f['lost'] for f in found] == [0, 0], found


def test_two_that_pause_at_once_go_one_after_the_other(juju: jubilant.Juju) -> None:
    for unit in ('keystone/0', 'keystone/1'):
        juju.run(unit, 'pause')
    juju.wait(jubilant.all_agents_idle)
    said = sorted(message(juju, u).partition(' ')[0:3:2] for u in ('keystone/0', 'keystone/1'))
    assert [s[0] for s in said] == ['drain:', 'maintenance:']
    assert 'queued lb: waits for keystone/' in said[0][1]
    for unit in ('keystone/0', 'keystone/1'):
        juju.run(unit, 'resume')
    settle(juju)


def test_what_may_not_be_is_refused_by_name(juju: jubilant.Juju) -> None:
    juju.deploy(LB / 'tests' / 'api', 'glance', bind={'': 'api'}, config={'frontend-port': 9292})
    juju.integrate('glance:public-backend', 'lb:backend')
    settle(juju)
    assert answered(f'http://{vip(juju)}:9292/') == 200
    juju.config('glance', {'bad-port': '9292\n    stats admin if TRUE'})
    until(juju, 'lb/0', lambda m: 'glance' in m and 'frontend-port' in m)
    until(juju, 'glance/0', lambda m: 'lb refuses the relation' in m)
    assert answered(f'http://{vip(juju)}:5000/') == 200
    juju.config('glance', {'bad-port': ''})
    settle(juju)


def test_a_lone_unit_is_refused_its_drain(juju: jubilant.Juju) -> None:
    juju.run('glance/0', 'pause')
    until(juju, 'glance/0', lambda m: 'refused lb: glance would have 0 of 1 units left' in m)
    assert answered(f'http://{vip(juju)}:9292/') == 200
    juju.run('glance/0', 'resume')
    settle(juju)


def test_a_service_is_served_on_for_a_while_when_its_relation_goes(juju: jubilant.Juju) -> None:
    juju.config('lb', {'linger': 30})
    juju.wait(jubilant.all_agents_idle)
    juju.remove_relation('glance:public-backend', 'lb:backend')
    time.sleep(5)
    assert answered(f'http://{vip(juju)}:9292/') == 200
    settle(juju)
    # Its own again: it says no URL of the load balancer.
    assert 'public=' not in message(juju, 'glance/0')
    time.sleep(30)
    juju.exec('JUJU_DISPATCH_PATH=hooks/update-status ./dispatch', unit='lb/leader')
    for unit in ('lb/0', 'lb/1'):
        juju.exec('JUJU_DISPATCH_PATH=hooks/update-status ./dispatch', unit=unit)
    assert answered(f'http://{vip(juju)}:9292/') == 0


def test_each_of_two_load_balancers_serves_its_own_type(juju: jubilant.Juju) -> None:
    juju.deploy(
        LB, 'lb-inner', bind=BIND,
        config={'endpoint-types': 'internal', 'address-families': 'ipv6'},
    )  # fmt: skip
    juju.remove_relation('keystone:internal-backend', 'lb:backend')
    juju.integrate('keystone:internal-backend', 'lb-inner:backend')
    settle(juju)
    found = frontends(juju)
    (inner,) = found['internal']['ip']
    assert ipaddress.ip_address(inner) in subnet(juju, 'inner', 6)  # IPv6 alone.
    assert found['public']['ip'] == [vip(juju), vip(juju, 6)]
    assert answered(found['internal']['url']) == 200
    juju.integrate('keystone:public-backend', 'lb-inner:backend')
    until(juju, 'keystone/0', lambda m: 'public-backend has several load balancers' in m)
    until(juju, 'lb-inner/0', lambda m: 'serves internal only' in m)
    juju.remove_relation('keystone:public-backend', 'lb-inner:backend')
    settle(juju)


def test_a_drain_needs_both_and_two_that_pause_at_once_come_to_an_end(
    juju: jubilant.Juju,
) -> None:
    both = ('keystone/0', 'keystone/1')
    for _ in range(3):
        juju.cli('run', '--background', *both, 'pause')
        juju.wait(lambda s: jubilant.all_agents_idle(s) and len(drained(s, both)) == 1)
        (paused,) = drained(juju.status(), both)
        for lb in ('lb/leader', 'lb-inner/leader'):
            assert f'{paused}: granted' in juju.run(lb, 'show-grants').results['grants']
        for unit in both:
            juju.run(unit, 'resume')
        settle(juju)


def test_statistics_of_all_units_are_one_table(juju: jubilant.Juju) -> None:
    assert answered(f'http://{vip(juju)}:5000/') == 200  # A reload begins the counts anew.
    found = json.loads(juju.run('lb/1', 'stats', {'format': 'json'}).results['stats'])
    lines = {(x['service'], x['server']): x for x in found}
    assert lines['keystone.public', 'keystone-0']['units'] == 2
    assert lines['keystone.public', 'BACKEND']['requests'] > 0


def test_a_unit_out_of_service_gives_its_vip_away_and_the_vip_goes_with_the_option(
    juju: jubilant.Juju,
) -> None:
    first = owner(juju)
    juju.run(first, 'drain-self')
    second = owner(juju, but=first)
    assert owners(juju, 6) == [second]
    assert answered(f'http://{vip(juju)}:5000/') == 200
    assert answered(f'http://[{vip(juju, 6)}]:5000/') == 200
    juju.run(first, 'resume-self')
    juju.config('lb', {'vip': ''})
    settle(juju)
    assert owners(juju) == owners(juju, 6) == []
    assert within(juju, 'dmz', frontends(juju)['public']['ip'])


def test_behind_a_load_balancer_of_the_site_its_address_is_registered(
    juju: jubilant.Juju,
) -> None:
    juju.config('lb', {'external-vips': 'public=198.51.100.7', 'hostnames': 'admin=ops.example'})
    settle(juju)
    found = frontends(juju)
    assert found['public']['url'] == 'http://198.51.100.7:5000'
    assert found['admin']['url'] == 'http://ops.example:5000'
    at = next(
        ip for ip in own_addresses(juju, 'lb/0')
        if ipaddress.ip_address(ip) in subnet(juju, 'dmz')
    )  # fmt: skip
    assert answered(f'http://{at}:8405/ready') == 0  # Nobody outside has any business with it,
    juju.config('lb', {'ready-from': str(subnet(juju, 'dmz'))})
    settle(juju)
    assert answered(f'http://{at}:8405/ready') == 200  # but the load balancer of the site.
    juju.run('lb/0', 'drain-self')
    assert answered(f'http://{at}:8405/ready') == 503
    assert answered(f'http://{at}:5000/') == 200  # Whoever still comes is served.
    juju.run('lb/0', 'resume-self')


def test_the_operator_has_the_last_word_on_how_a_service_is_treated(juju: jubilant.Juju) -> None:
    wanted = 'identity: {timeouts: {server: 7m}}\nkeystone: {maxconn: {server: 55}}'
    juju.config('lb', {'service-options': wanted})
    settle(juju)
    said = juju.exec('cat /etc/haproxy/haproxy.cfg', unit='lb/1').stdout
    assert 'timeout server 420000ms' in said
    assert ' maxconn 55 ' in said
    juju.config('lb', {'service-options': 'identity: {timeouts: {server: soon}}'})
    until(juju, 'lb/1', lambda m: 'timeouts server is not a time' in m)
    juju.config('lb', {'service-options': ''})
    settle(juju)


def test_a_unit_that_comes_and_a_leader_that_goes_leave_the_vip_to_who_serves(
    juju: jubilant.Juju,
) -> None:
    juju.config('lb', {'vip': f'{vip(juju)} {vip(juju, 6)}', 'external-vips': '', 'hostnames': ''})
    settle(juju)
    owner(juju)
    seen: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.05):
            seen.append(answered(f'http://{vip(juju)}:5000/'))

    client = threading.Thread(target=ask)
    client.start()
    try:
        juju.add_unit('lb')
        settle(juju)
        assert {*seen} == {200}
        leader = next(u for u, s in juju.status().get_units('lb').items() if s.leader)
        juju.remove_unit(leader)
        juju.wait(lambda s: leader not in s.get_units('lb'))
        settle(juju)
    finally:
        stop.set()
        client.join()
    assert owner(juju) != leader
    lost = [one for one in seen if one != 200]
    assert 503 not in lost
    assert len(lost) < 5  # Those under way in the moment in which the VIP goes from unit to unit.
