"""Requests under load, while backends restart and haproxy is reloaded."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Generator
from typing import Any

from balancer import programs, tasks
from charmkit.proxy import haproxy
from charmkit.proxy import programs as beside
from charmkit.relations import loadbalancer
from unit import load, result, serving

KINDS = {'close': False, 'keep-alive': True}


@contextlib.contextmanager
def under_load(requests: int, clients: int = 6) -> Generator[dict[str, Any]]:
    """Closing and keep-alive clients, GET and POST, at least *requests* each, for as long as it takes."""
    with tempfile.TemporaryDirectory() as folder:
        stop = pathlib.Path(folder) / 'stop'
        running = {
            f'{kind} {method}': load(
                keep_alive=keep,
                post=post,
                requests=requests,
                clients=clients,
                slow_ms=250,
                slow_share=0.02,
                think_ms=5,
                stop_file=str(stop),
            )
            for kind, keep in KINDS.items()
            for method, post in (('GET', 0.0), ('POST', 1.0))
        }
        time.sleep(1)
        found: dict[str, Any] = {}
        yield found
        stop.touch()
        for name, process in running.items():
            found[name] = result(process)


def rolling(
    requests: int = 10_000, drain: bool = True, down_s: float = 1.0, retry: str = ''
) -> dict[str, Any]:
    """Every backend is killed and started again once, drained first or not."""
    options = {'service-options': f'identity: {{retry: {retry}}}'} if retry else {}
    with serving(options=options) as r, under_load(requests) as found:
        times: list[float] = []
        for b in r.backends:
            began = time.monotonic()
            if drain:
                r.pause(b)
            times.append(time.monotonic() - began)
            b.stop()
            time.sleep(down_s)
            b.start()
            time.sleep(0.3)
            if drain:
                r.resume(b)
            else:
                time.sleep(4)
    return {'load': found, 'drain_s': [round(t, 2) for t in times]}


def reloads(requests: int = 10_000, times: int = 20, idle_close: bool = True) -> dict[str, Any]:
    """haproxy is reloaded again and again."""
    with serving():
        config = pathlib.Path('/etc/haproxy/haproxy.cfg')
        wanted = config.read_text()
        if not idle_close:
            config.write_text(wanted.replace('    option idle-close-on-response\n', ''))
            subprocess.run(['systemctl', 'restart', 'haproxy'], check=True)
            time.sleep(3)
        with under_load(requests) as found:
            for _ in range(times):
                subprocess.run(['systemctl', 'reload', 'haproxy'], check=True)
                time.sleep(0.5)
        config.write_text(wanted)
        subprocess.run(['systemctl', 'restart', 'haproxy'], check=True)
    return {'load': found, 'reloads': times}


def inflight(current_only: bool = False) -> dict[str, Any]:
    """A long POST is on a worker that a reload made old, when its backend is drained and stopped."""
    with serving(2) as r:
        everyone = tasks.workers
        if current_only:
            tasks.workers = lambda machine: tuple(w for w in everyone(machine) if w.current)
        try:
            post = load(requests=1, clients=1, post=1.0, slow_ms=4000, slow_share=1.0)
            end = time.monotonic() + 20
            while not (busy := [b for b in r.backends if _under_way(everyone(r.machine), b.unit)]):
                assert time.monotonic() < end, 'the request did not arrive'
                time.sleep(0.05)
            subprocess.run(['systemctl', 'reload', 'haproxy'], check=True)
            r.pause(busy[0])
            left = _under_way(everyone(r.machine), busy[0].unit)
            busy[0].stop()
            return {'post': result(post), 'under_way': left}
        finally:
            tasks.workers = everyone


def _under_way(workers: Any, unit: str) -> int:
    name = unit.replace('/', '-')
    return sum(
        s.sessions for w in workers for (_, server), s in w.servers.items() if server == name
    )


def remembered(remember: bool = True) -> dict[str, Any]:
    """A drained backend gets no request after a reload, nor after a start from nothing."""
    with serving() as r:
        away = r.backends[0]
        r.pause(away)
        if not remember:
            config = pathlib.Path('/etc/haproxy/haproxy.cfg')
            config.write_text(haproxy.shape(config.read_text()))
            pathlib.Path(beside.HAPROXY_DROP_IN).unlink()
            subprocess.run(['systemctl', 'daemon-reload'], check=True)
            pathlib.Path(haproxy.STATE_FILE).unlink()
        out: dict[str, Any] = {}
        for verb in ('reload', 'restart'):
            subprocess.run(['systemctl', verb, 'haproxy'], check=True)
            time.sleep(1)
            out[verb] = result(load(requests=300))['served_by']
        # What was tampered with is put right by the next hook.
        r.hook()
        away.lifecycle = loadbalancer.Lifecycle(state='ready', token='back')
        away.paused = False
        r.resume(away)
        out['resumed'] = result(load(requests=300))['served_by']
    return out


def admitted(remember_itself: bool = False) -> dict[str, Any]:
    """A unit that started out of service is taken in by a reload that changes something else as well."""
    with serving() as r:
        if remember_itself:
            programs.SAVE = programs.SAVE.replace(f"['{haproxy.SELF}']", "['nothing']")
        out: dict[str, Any] = {}
        r.out_of_service = True
        r.hook()
        subprocess.run(['systemctl', 'restart', 'haproxy'], check=True)
        r.hook()
        out['before'] = _ready()
        r.out_of_service = False
        r.options['service-options'] = 'identity: {timeouts: {server: 7m}}'
        r.hook()
        time.sleep(2)
        out['after'] = _ready()
    return out


def _ready() -> int:
    """What the unit answers to who asks whether it wants clients."""
    asked = http.client.HTTPConnection('127.0.0.1', 8405, timeout=5)
    asked.request('GET', '/ready')
    return asked.getresponse().status


def moved(with_ports: bool = False) -> dict[str, Any]:
    """A unit changes its address and port: what a reload remembers of it must not be where it is."""
    with serving(1) as r:
        if with_ports:
            programs.SAVE = programs.SAVE.replace('ports = configured()', 'ports = {}')
        (b,) = r.backends
        b.stop()
        subprocess.run(['ip', 'address', 'replace', '10.66.1.9/32', 'dev', 'lo'], check=True)
        r.service = dataclasses.replace(r.service, backend_port=9001)
        b.address, b.port = '10.66.1.9', 9001
        b.start()
        r.hook()
        subprocess.run(['systemctl', 'reload', 'haproxy'], check=True)
        time.sleep(3)
        return result(load(requests=100))
