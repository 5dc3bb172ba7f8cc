"""Two keepaliveds on one machine, in network namespaces of their own, that get a processor only now and then."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from typing import Any

from charmkit.proxy import keepalived, programs

VIP = '10.88.0.99'
SIDES = {'lb/0': ('lbA', 'vethA', '10.88.0.2'), 'lb/1': ('lbB', 'vethB', '10.88.0.3')}


def starved(
    seconds: float = 30, still_s: float = 0.9, adverts: int = 0, enough: int = 0
) -> dict[str, Any]:
    """How often a VIP changes its owner while that stands still for *still_s* of each second.

    *adverts*: after so many missed advertisements an owner counts as dead; 0 is what we write.
    *enough*: stop when it was taken so many times; else when *seconds* are over.  In ``longest_s`` is how long it
    stood still at most, since a busy machine lets the one who holds it sleep for longer: until it had a processor.
    """
    with tempfile.TemporaryDirectory() as folder, _namespaces():
        down = pathlib.Path(programs.DOWN)
        down.parent.mkdir(parents=True, exist_ok=True)
        down.write_text('0\n')
        running = {u: _keepalived(u, pathlib.Path(folder), adverts) for u in SIDES}
        try:
            owner = _settled()
            seen = [pathlib.Path(folder) / f'{SIDES[u][0]}.seen' for u in SIDES]
            watching = [_watch(u, path) for u, path in zip(SIDES, seen, strict=True)]
            end = time.monotonic() + seconds
            longest = 0.0
            while time.monotonic() < end and not 0 < enough <= _taken(seen):
                # It may have lost it for good: one that is of lower priority does not take it back.
                owner = next((u for u in SIDES if _holds(u)), owner)
                began = time.monotonic()
                _all(running[owner].pid, signal.SIGSTOP)
                time.sleep(still_s)
                before = _turns(running[owner].pid)
                _all(running[owner].pid, signal.SIGCONT)
                while not before.isdisjoint(_turns(running[owner].pid)) and time.monotonic() < end:
                    time.sleep(0.005)
                longest = max(longest, time.monotonic() - began)
                time.sleep(1 - still_s)
            for w in watching:
                w.terminate()
                w.wait()
            taken = _taken(seen)
        finally:
            for process in running.values():
                _all(process.pid, signal.SIGCONT)
                process.terminate()
                process.wait()
    return {
        'taken by another': taken, 'seconds': seconds, 'still_s': still_s, 'longest_s': longest,
    }  # fmt: skip


@contextlib.contextmanager
def _namespaces() -> Generator[None]:
    (a, va, _), (b, vb, _) = SIDES.values()
    _ip('netns', 'add', a)
    _ip('netns', 'add', b)
    try:
        _ip('link', 'add', va, 'netns', a, 'type', 'veth', 'peer', 'name', vb, 'netns', b)
        for namespace, device, address in SIDES.values():
            _ip('-n', namespace, 'link', 'set', 'lo', 'up')
            _ip('-n', namespace, 'link', 'set', device, 'up')
            _ip('-n', namespace, 'address', 'add', f'{address}/24', 'dev', device)
        yield
    finally:
        for namespace in (a, b):
            _ip('netns', 'del', namespace)


def _keepalived(unit: str, folder: pathlib.Path, adverts: int) -> subprocess.Popen[bytes]:
    namespace, device, address = SIDES[unit]
    (other,) = (u for u in SIDES if u != unit)
    text = keepalived.render(
        keepalived.Instance(
            unit=unit,
            vips=(keepalived.Vip(address=VIP, prefix=24, interface=device),),
            address=address,
            peers=(SIDES[other][2],),
            others=(other,),
            router_id=88,
        )
    )
    if adverts:
        ours = f'vrrp_down_timer_adverts {keepalived.ADVERTS_MISSED}'
        assert ours in text
        text = text.replace(ours, f'vrrp_down_timer_adverts {adverts}')
    path = folder / namespace
    path.write_text(text)
    path.chmod(0o644)
    return subprocess.Popen(
        ['ip', 'netns', 'exec', namespace, 'keepalived', '--dont-fork', '-P', '-f', path,
         '-p', f'{path}.pid', '-r', f'{path}.vrrp'],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _all(parent: int, number: int) -> None:
    """Send a signal to keepalived and the process that it has for VRRP."""
    for process in _family(parent):
        os.kill(process, number)


def _family(parent: int) -> tuple[int, ...]:
    children = pathlib.Path(f'/proc/{parent}/task/{parent}/children').read_text().split()
    return (parent, *map(int, children))


def _turns(parent: int) -> set[tuple[int, str]]:
    """How often each of keepalived's processes has had a processor: the last figure of its ``schedstat``."""
    return {
        (process, pathlib.Path(f'/proc/{process}/schedstat').read_text().split()[-1])
        for process in _family(parent)
    }


def _holds(unit: str) -> bool:
    return f' {VIP}/' in _ip('-n', SIDES[unit][0], '-o', 'address', 'show')


def _settled(patience_s: float = 60) -> str:
    """Who holds the VIP, once it has stayed with one side for three seconds."""
    before, since, end = [], 0.0, time.monotonic() + patience_s
    while time.monotonic() < end:
        owners = [u for u in SIDES if _holds(u)]
        if owners != before:
            before, since = owners, time.monotonic()
        elif len(owners) == 1 and time.monotonic() > since + 3:
            return owners[0]
        time.sleep(0.2)
    raise TimeoutError(f'after {patience_s} s the VIP is held by {before}')


def _watch(unit: str, seen: pathlib.Path) -> subprocess.Popen[bytes]:
    argv = ('ip', '-n', SIDES[unit][0], '-o', 'monitor', 'address')
    with seen.open('wb') as file:
        return subprocess.Popen(argv, stdout=file)


def _taken(seen: list[pathlib.Path]) -> int:
    """How many times the VIP came to a side, as both were seen."""
    lines = [line for path in seen for line in path.read_text().splitlines()]
    return sum(f' {VIP}/' in line and 'Deleted' not in line for line in lines)


def _ip(*argv: str) -> str:
    return subprocess.run(('ip', *argv), check=True, capture_output=True, text=True).stdout
