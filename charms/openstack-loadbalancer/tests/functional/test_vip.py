"""VIPs that move between two machines, and have one owner. How long clients see nobody: the benchmark `lb-vip`."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import vip_pair
from charmkit.proxy import keepalived, programs
from vip_pair import Pair, Seen, owner

from tools import systems

SAID = {
    'keepalived': 'cannot raise priority',
    programs.CHECK_SERVICE: 'no real-time priority on this machine',
}
"""What the journal has of a service that is not let."""

pytestmark = pytest.mark.functional


@pytest.fixture(scope='module', params=systems.BASES)
def pair(request: pytest.FixtureRequest, boot: vip_pair.Boot) -> Iterator[Pair]:
    with vip_pair.pair(request.param, boot) as machines:
        yield machines


def two_at_once(seen: list[Seen]) -> int:
    """Moves with two owners at once; one of them may be the machine's, which does something else as well."""
    return max(0, sum(s.overlap > 0 for s in seen) - 1)


def test_vips_move_without_a_second_owner_when_their_unit_is_stopped_in_order(pair: Pair) -> None:
    seen = vip_pair.stopped_in_order(pair, 5)
    assert all(s.back for s in seen)
    assert two_at_once(seen) == 0, seen


def test_vips_move_without_a_second_owner_when_their_unit_is_killed(pair: Pair) -> None:
    seen = vip_pair.killed(pair, 3)
    assert all(s.back for s in seen)
    assert two_at_once(seen) == 0, seen


def test_vips_stay_where_they_are_when_haproxy_is_killed_and_is_back_at_once(pair: Pair) -> None:
    first = owner(pair)
    for _ in range(3):
        assert pair[first].run('systemctl', 'kill', '-s', 'KILL', 'haproxy').returncode == 0
        time.sleep(2)
        assert owner(pair) == first
        assert pair[first].run('systemctl', 'is-active', 'haproxy').stdout.strip() == 'active'


def test_what_was_written_for_systemd_is_in_force(pair: Pair) -> None:
    shown = pair['lb/0'].run(
        'systemctl', 'show', 'haproxy', 'keepalived', '-p', 'NeedDaemonReload,Restart,RestartUSec'
    ).stdout  # fmt: skip
    assert shown.count('NeedDaemonReload=no') == 2
    assert shown.count('Restart=always') == 2
    assert 'RestartUSec=100ms' in shown


def test_keepalived_and_its_check_run_in_real_time_or_say_that_they_cannot(pair: Pair) -> None:
    """As the kernel sees it. Nobody may without the capability SYS_NICE, nor in a group that has no share of it."""
    machine = pair['lb/0']
    wanted = {
        'keepalived': keepalived.REAL_TIME_PRIORITY,
        programs.CHECK_SERVICE: keepalived.REAL_TIME_PRIORITY - 1,
    }
    for service, priority in wanted.items():
        allowed = machine.run('chrt', '--rr', str(priority), 'true').returncode == 0
        main = f'$(systemctl show {service} -p MainPID --value)'
        script = f'for p in {main} $(pidof {service}); do chrt -p $p; done'
        seen = machine.run('sh', '-c', script).stdout
        assert 'scheduling policy' in seen
        found = 'policy: SCHED_RR' in seen and f'priority: {priority}' in seen
        assert found is allowed, seen
        said = machine.run('journalctl', '-b', '-u', service).stdout
        assert (SAID[service] in said) is not allowed, said


def test_both_families_leave_a_unit_whose_haproxy_is_not_ready_and_do_not_come_back(
    pair: Pair,
) -> None:
    first = owner(pair)
    assert {owner(pair, vip) for vip in vip_pair.VIPS} == {first}
    assert pair[first].run('systemctl', 'stop', 'haproxy').returncode == 0
    time.sleep(5)
    second = owner(pair)
    assert second != first
    assert {owner(pair, vip) for vip in vip_pair.VIPS} == {second}
    assert pair[first].run('systemctl', 'start', 'haproxy').returncode == 0
    time.sleep(4)
    assert {owner(pair, vip) for vip in vip_pair.VIPS} == {second}


def _sees_the_other_depart(pair: Pair, *, remembers: bool) -> str:
    """The unit that holds the VIPs hears that the other departs, whose machine goes on; which unit that is."""
    first = owner(pair)
    memory = vip_pair.apply(first, pair[first], said={})['memory']
    vip_pair.apply(first, pair[first], peers={}, said={}, memory=memory if remembers else {})
    time.sleep(vip_pair.SETTLED_S)
    return first


def test_a_unit_that_departs_takes_no_vips_while_it_still_runs(pair: Pair) -> None:
    first = _sees_the_other_depart(pair, remembers=True)
    assert [u for u, m in pair.items() if vip_pair.holds(vip_pair.pid(m), vip_pair.VIPS[0])] == [
        first
    ]


def test_sabotaged_one_that_is_not_advertised_to_takes_them_beside_their_owner(pair: Pair) -> None:
    first = _sees_the_other_depart(pair, remembers=False)
    held = [u for u, m in pair.items() if vip_pair.holds(vip_pair.pid(m), vip_pair.VIPS[0])]
    vip_pair.apply(first, pair[first], said={})
    time.sleep(vip_pair.SETTLED_S)
    assert sorted(held) == sorted(pair)
    assert owner(pair) in pair


def test_two_owners_at_once_would_be_noticed() -> None:
    assert vip_pair.overlap([[0.0, 2.0], [2.5, 4.0]]) == 0
    assert vip_pair.overlap([[0.0, 2.0], [1.5, 4.0]]) == 0.5
