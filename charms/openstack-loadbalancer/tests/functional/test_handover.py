"""VIPs that are given away in order: no connection breaks, whatever is under way on it, in both families."""

from __future__ import annotations

import http.client
import json
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import vip_pair
from charmkit.proxy import vip_handover
from vip_pair import VIPS, Pair, owner

from tools import systems

pytestmark = pytest.mark.functional

LOAD = pathlib.Path(__file__).parents[1] / 'rig/load.py'


@pytest.fixture(scope='module', params=systems.BASES)
def pair(request: pytest.FixtureRequest, boot: vip_pair.Boot) -> Iterator[Pair]:
    with vip_pair.pair(request.param, boot) as machines:
        yield machines


class Clients:
    """Clients of both VIPs until :meth:`end`: short connections, kept ones, and an upload that takes its time."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.stop = folder / 'stop'
        self.loads = [self._load(vip, keep) for vip in VIPS for keep in (True, False)]
        self.uploads = [Upload(vip) for vip in VIPS]
        for upload in self.uploads:
            upload.start()
        time.sleep(1)

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_: object) -> None:
        for load in self.loads:
            load.kill()
            load.communicate()

    def _load(self, vip: str, keep_alive: bool) -> subprocess.Popen[str]:
        plan = {
            'url': [vip, 5000], 'clients': 4, 'requests': 100, 'keep_alive': keep_alive, 'post': 0.5,
            'think_ms': 10, 'slow_ms': 300, 'slow_share': 0.05, 'stop_file': str(self.stop),
        }  # fmt: skip
        argv = [sys.executable, str(LOAD), json.dumps(plan)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def end(self) -> tuple[list[dict[str, Any]], list[int]]:
        """What the loads have counted, and how the uploads were answered (0: not)."""
        time.sleep(2)
        for upload in self.uploads:
            upload.over.set()
            upload.join()
        self.stop.touch()
        said = [
            json.loads(load.communicate(timeout=60)[0].splitlines()[-1]) for load in self.loads
        ]
        return said, [upload.status for upload in self.uploads]


class Upload(threading.Thread):
    """One request whose body trickles until it is told to end, once it is more than haproxy waits for (16 kB)."""

    SIZE, AT_ONCE = 60_000, 40_000

    def __init__(self, vip: str) -> None:
        super().__init__(daemon=True)
        self.vip, self.status, self.over = vip, 0, threading.Event()

    def run(self) -> None:
        talk = http.client.HTTPConnection(self.vip, 5000, timeout=20)
        try:
            talk.putrequest('POST', '/')
            talk.putheader('Content-Length', str(self.SIZE))
            talk.endheaders()
            talk.send(b'x' * self.AT_ONCE)
            left = self.SIZE - self.AT_ONCE
            while not self.over.wait(0.05) and left > 10:
                talk.send(b'x' * 10)
                left -= 10
            talk.send(b'x' * left)
            self.status = talk.getresponse().status
        except (OSError, http.client.HTTPException):
            pass
        talk.close()


class Handing:
    """The owner gives the VIPs away, step by step as the units' hooks do it."""

    def __init__(self, machines: Pair) -> None:
        self.machines = machines
        self.giver = owner(machines)
        self.taker = next(u for u in machines if u != self.giver)
        self.given: dict[str, Any] = {}
        self.taken: dict[str, Any] = {}

    def ask(self) -> None:
        self.given = self._apply(self.giver, {}, {}, action='drain-self')
        assert self.given['failure'] == ''
        assert self.given['says']['hands-over'] == 'yes'
        assert owner(self.machines) == self.giver

    def heed(self) -> None:
        self.taken = self._apply(self.taker, self.taken, self.given)
        assert self.taken['says']['heeds'] == self.giver

    def move(self) -> None:
        self.given = self._apply(self.giver, self.given, self.taken)
        assert self.given['memory']['handover']['moved']
        self.until(lambda: held(self.machines) == [self.taker])

    def finish(self) -> None:
        def over() -> bool:
            self.given = self._apply(self.giver, self.given, self.taken)
            return self.given['says']['hands-over'] == ''

        self.until(over, 60)
        self.taken = self._apply(self.taker, self.taken, self.given)
        assert self.taken['says']['heeds'] == ''

    def back(self) -> None:
        self._apply(self.giver, self.given, self.taken, action='resume-self')

    def _apply(
        self, unit: str, mine: dict[str, Any], theirs: dict[str, Any], **more: str
    ) -> dict[str, Any]:
        other = next(u for u in self.machines if u != unit)
        said = {k: v for k, v in theirs.get('says', {}).items() if k in ('hands-over', 'heeds')}
        return vip_pair.apply(
            unit, self.machines[unit], memory=mine.get('memory', {}), said={other: said}, **more
        )

    @staticmethod
    def until(what: Any, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end
            time.sleep(0.2)


def held(machines: Pair) -> list[str]:
    """The units that have the VIPs on a network: what one keeps for its connections is on its loopback interface."""
    argv = ('ip', '-o', 'address', 'show', 'dev', 'eth0')
    return [u for u, m in machines.items() if f' {VIPS[0]}/' in m.run(*argv).stdout]


def kept(machines: Pair, unit: str) -> str:
    return machines[unit].run('ip', '-o', 'address', 'show', 'dev', 'lo').stdout


def test_nothing_that_is_under_way_breaks(pair: Pair, tmp_path: pathlib.Path) -> None:
    handing = Handing(pair)
    with Clients(tmp_path) as clients:
        handing.ask()
        handing.heed()
        handing.move()
        assert all(f' {vip}/' in kept(pair, handing.giver) for vip in VIPS)
        said, uploads = clients.end()
    handing.finish()
    assert uploads == [200, 200]
    assert [one['why'] for one in said] == [{}] * 4
    assert all(one['sent'] >= 100 for one in said)
    # Who keeps a connection is told that it ends, and makes the next one at the new owner.
    assert [{*one['served_by']} for one in said] == [{*pair}] * 4
    assert not any(f' {vip}/' in kept(pair, handing.giver) for vip in VIPS)
    assert pair[handing.taker].run('nft', 'list', 'tables').stdout == ''
    handing.back()


def test_without_the_passing_on_what_is_under_way_would_break(
    pair: Pair, tmp_path: pathlib.Path
) -> None:
    """The sabotaged twin: the new owner says that it heeds, and does not."""
    handing = Handing(pair)
    with Clients(tmp_path) as clients:
        handing.ask()
        handing.heed()
        assert pair[handing.taker].run('systemctl', 'stop', vip_handover.PASSER).returncode == 0
        handing.move()
        _, uploads = clients.end()
    assert uploads == [0, 0]
