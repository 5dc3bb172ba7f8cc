"""Which processes are those of a WSGI application, and what is said when there are none."""

from __future__ import annotations

import pathlib
import signal
import time
from collections.abc import Iterable

import pytest
from charmkit import processes

WORDS = b'neutron-api      \0-k\0start\0'


@pytest.mark.parametrize(
    ('comm', 'words', 'is_one'),
    [
        ('apache2', WORDS, True),
        # Seen on Debian 12: neutron loads setproctitle.
        ('neutron-api    ', b'neutron-api       -k start\0', True),
        ('python3', WORDS, False),
        ('apache2', b'/usr/sbin/apache2\0-k\0start\0', False),
        ('neutron-api', b'/usr/bin/python3\0/usr/bin/neutron-api\0', False),
    ],
)
def test_a_process_is_known_by_its_words_and_its_program(
    tmp_path: pathlib.Path, comm: str, words: bytes, is_one: bool
):
    (tmp_path / '17').mkdir()
    (tmp_path / '17/comm').write_text(f'{comm}\n')
    (tmp_path / '17/cmdline').write_bytes(words)
    found = processes._of('neutron-api', tmp_path)  # pyright: ignore[reportPrivateUsage]
    assert found == (frozenset({17}) if is_one else frozenset())


def test_renewing_what_is_not_there_is_no_success():
    assert processes.recycle('wsgi:nobody-is-this') != ''


@pytest.mark.parametrize(('serves', 'ended'), [(True, [1, 2, 3]), (False, [1, 2])])
def test_the_half_that_serves_stays_as_long_as_the_new_one_does_not(
    monkeypatch: pytest.MonkeyPatch, serves: bool, ended: list[int]
) -> None:
    there, killed, clock = {1, 2, 3}, list[int](), [0.0]

    def kill(pid: int, number: int) -> None:
        assert number == signal.SIGUSR1
        killed.append(pid)
        there.discard(pid)
        there.add(pid + 10)

    def serving(pids: Iterable[int]) -> int:
        return sum(serves or pid < 10 for pid in pids)

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    def of(_: str) -> frozenset[int]:
        return frozenset(there)

    monkeypatch.setattr(processes, '_of', of)
    monkeypatch.setattr(processes, '_serving', serving)
    monkeypatch.setattr('os.kill', kill)
    monkeypatch.setattr(time, 'monotonic', lambda: clock[0])
    monkeypatch.setattr(time, 'sleep', sleep)
    said = processes.recycle('wsgi:demo')
    assert killed == ended
    assert (said == '') is serves
    assert serves or said.endswith('see /var/log/openstack-apache/demo-error.log')


OLD, LOADING, SERVING = frozenset({1, 2}), frozenset({3, 4}), frozenset({3, 5})


@pytest.mark.parametrize(
    ('seen', 'looks'),
    [
        ([OLD, OLD | LOADING, LOADING, frozenset({3, 4}), SERVING], 5),
        ([frozenset[int](), SERVING], 2),  # None is there for a moment.
        ([SERVING], 1),
        ([OLD], 600),
        ([frozenset({1, 3, 5})], 600),
    ],
)
def test_a_renewal_is_awaited_until_all_are_new_and_serve(
    monkeypatch: pytest.MonkeyPatch, seen: list[frozenset[int]], looks: int
) -> None:
    clock, count = [0.0], [0]

    def of(name: str) -> frozenset[int]:
        assert name == 'demo'
        count[0] += 1
        return seen[min(count[0], len(seen)) - 1]

    def serving(pids: Iterable[int]) -> int:
        return sum(pid in (1, 2, 3, 5) for pid in pids)

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(processes, '_of', of)
    monkeypatch.setattr(processes, '_serving', serving)
    monkeypatch.setattr(time, 'sleep', sleep)
    monkeypatch.setattr(time, 'monotonic', lambda: clock[0])
    processes.await_renewal(['wsgi:demo'], OLD)
    assert count[0] == pytest.approx(looks, abs=2)


def test_a_service_without_process_groups_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, 'sleep', pytest.fail)
    assert processes.of([]) == frozenset()
    processes.await_renewal([], frozenset())
    processes.await_renewal(['wsgi:demo'], frozenset())
