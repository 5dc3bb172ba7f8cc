"""When something is wrong: with what is asked for, with options, with haproxy itself."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import socket
import subprocess
import tempfile
import time
from typing import Any

from balancer import programs, tasks
from charmkit.proxy import haproxy, transfers
from charmkit.proxy import programs as beside
from charmkit.relations import Relation, loadbalancer
from outside import ask
from unit import FRONT, PORT, load, result, serving


def asking(i: int, port: int, **changes: Any) -> Relation:
    """Another application that asks for a frontend."""
    api = loadbalancer.Api(name=f'other{i}', type='dns', frontend_port=port, backend_port=9000)
    app = dict(loadbalancer.app_request([api], 'public'))
    app['endpoints'] = json.dumps([{**json.loads(app['endpoints'])[0], **changes}])
    ready = loadbalancer.Lifecycle(state='ready', token='t')
    bag = loadbalancer.unit_request([api], 'public', ['10.66.1.1'], ready)
    return Relation(
        id=20 + i,
        name='backend',
        app=f'other{i}x',
        app_data=app,
        units={f'other{i}x/0': {'ingress-address': '10.66.1.1', **bag}},
    )


def taken_port(unseen: bool = False) -> dict[str, Any]:
    """An application asks for a port on which something else listens; *unseen*: nobody had looked who listens."""
    before = tasks.Listening.carry_out
    with serving(2) as r, socket.create_server((FRONT, 6022)):
        if unseen:
            tasks.Listening.carry_out = lambda self, machine: ()
        try:
            r.extra = [asking(1, 6022), asking(2, 6023)]
            r.hook()
            out: dict[str, Any] = {'status': list(r.status)}
            out['replies'] = json.loads(r.replies[21]['status'])
            r.hook()
            config = pathlib.Path(haproxy.CONFIG).read_text()
            out['in the file'] = f'{FRONT}:6022' in config
            out['other is served'] = f'{FRONT}:6023' in config
            # Drains go on, and the file bears a start from nothing.
            r.pause(r.backends[0])
            out['drained'] = r.backends[0].lifecycle.state
            subprocess.run(['systemctl', 'restart', 'haproxy'], check=True)
            time.sleep(1)
            out['served'] = result(load(requests=50))['lost']
            r.resume(r.backends[0])
            out['steps again'] = [str(s) for s in _steps(r)]
        finally:
            tasks.Listening.carry_out = before
    return out


def _steps(r: Any) -> list[Any]:
    r.hook()
    return [s for s in r.driven.steps if s.verb in ('reload', 'restart', 'start')]


def wrong_options() -> dict[str, Any]:
    """Options that we or haproxy refuse: the last good ones stay, and drains go on."""
    out: dict[str, Any] = {}
    with serving(2) as r:
        text = pathlib.Path(haproxy.CONFIG).read_text()
        for name, value in {
            'ours': {'service-options': 'identity: {check: {expect: ["500-200"]}}'},
            'nonsense': {'endpoint-types': 'private'},
            # No check: those are tried on the units first.
            'haproxys': {'service-options': 'identity: {timeouts: {server: 7m}}'},
        }.items():
            if name == 'haproxys':
                _teach(r, '420000ms')
            r.options = {**r.options, **value}
            r.hook()
            out[name] = {
                'status': list(r.status),
                'same': haproxy.mark(pathlib.Path(haproxy.CONFIG).read_text())
                == haproxy.mark(text),
                'relation': json.loads(r.replies[1]['status'])['keystone']['state'],
            }
            r.pause(r.backends[0])
            out[name]['drained'] = r.backends[0].lifecycle.state
            r.resume(r.backends[0])
            for key in value:
                del r.options[key]
        long_ = [f'10.{i}.{j}.0/24' for i in range(60, 70) for j in range(100)]
        nets = json.dumps({'public': [*long_, '10.66.0.0/16']})
        r.options['service-options'] = f'identity: {{exposure: {{allowed-cidrs: {nets}}}}}'
        r.hook()
        out['long list'] = {'status': list(r.status), 'asked': ask('/', {'Host': FRONT})[0]}
        lists = list(pathlib.Path(haproxy.LISTS).iterdir())
        r.options['service-options'] = 'identity: {exposure: {allowed-cidrs: {public: []}}}'
        r.hook()
        out['empty list'] = ask('/', {'Host': FRONT})[0]
        out['lists'] = [len(lists), len(list(pathlib.Path(haproxy.LISTS).iterdir()))]
    return out


def _teach(r: Any, word: str) -> None:
    """Have haproxy's own check refuse *word*: no value that passes ours is known to be refused."""
    program = pathlib.Path('/usr/local/sbin/haproxy')
    program.write_text(
        '#!/bin/sh\n'
        f'for f; do if [ -f "$f" ] && grep -q {word} "$f"; then\n'
        f'echo "[ALERT] (1) : config : parsing [$f:7] : {word} will not do."; exit 1; fi; done\n'
        'exec /usr/sbin/haproxy "$@"\n'
    )
    program.chmod(0o755)


def departed() -> dict[str, Any]:
    """A service has a new application: when it is served for that, and that something wakes up for it."""
    with serving(1, options={'linger': 5}) as r:
        r.hook()
        there = r.relation()
        r.extra = [dataclasses.replace(there, id=30, app='newkeystonex')]
        relation, r.relation = (
            r.relation,
            lambda: dataclasses.replace(there, units={}, app_data={}),
        )
        r.hook()
        out: dict[str, Any] = {'status': list(r.status)}
        wake = float(pathlib.Path(programs.WAKE_AT).read_text())
        out['wakes in'] = round(wake - r.machine.now())
        time.sleep(max(0.0, wake - r.machine.now()) + 0.1)
        r.hook()
        out['later'] = list(r.status)
        r.relation = relation
        r.extra = []
    return out


def killed(
    times: int = 5, signal: str = 'KILL', before: bool = False, patience_s: float = 30
) -> dict[str, Any]:
    """haproxy's master is killed under load: what is lost, and how long nobody answers.

    *before*: with the systemd unit as the package has it.
    """
    gaps: list[float] = []
    with serving() as r, tempfile.TemporaryDirectory() as folder:
        if before:
            pathlib.Path(beside.HAPROXY_DROP_IN).unlink()
            subprocess.run(['systemctl', 'daemon-reload'], check=True)
            subprocess.run(['systemctl', 'restart', 'haproxy'], check=True)
            time.sleep(3)
        over = pathlib.Path(folder) / 'over'
        running = load(
            requests=1, clients=8, post=0.5, slow_ms=100, slow_share=0.2, think_ms=20,
            stop_file=str(over),
        )  # fmt: skip
        time.sleep(1)
        for _ in range(times):
            subprocess.run(['systemctl', 'kill', '-s', signal, 'haproxy'], check=True)
            gaps.append(_silence(patience_s))
            time.sleep(0.5)
        over.touch()
        found = result(running)
        if before:
            subprocess.run(['systemctl', 'reset-failed', 'haproxy'], check=True)
            r.hook()
    return {'gaps_s': [round(g, 2) for g in gaps], 'load': found}


def _silence(patience_s: float) -> float:
    """From now on: how long until somebody has accepted ten connections in a row, less the time of these."""
    began = last = time.monotonic()
    row = 0
    while row < 10 and last - began < patience_s:
        row = row + 1 if _answers() else 0
        if not row:
            last = time.monotonic()
        time.sleep(0.005)
    return last - began


def _answers() -> bool:
    try:
        with socket.create_connection((FRONT, PORT), timeout=0.2):
            return True
    except OSError:
        return False


def slow_clients(
    clients: int = 60,
    seconds: int = 8,
    buffered: bool = True,
    length: int = 4000,
    guarded: bool = True,
) -> dict[str, Any]:
    """Trickled posts to a service: what they take of it, and what others get meanwhile.

    Not *guarded*: transfers may have all places.
    """
    if not guarded:
        transfers.rules = lambda _: iter(())
    api = loadbalancer.Api(
        name='keystone', type='identity' if buffered else 'metric', frontend_port=PORT,
        backend_port=9000, requests_at_once=32,
        options={'check': {'path': '/healthcheck', 'expect': ['200']}},
    )  # fmt: skip
    with serving(1, service=api):
        slow: list[socket.socket] = []
        for _ in range(clients):
            s = socket.create_connection((FRONT, PORT))
            s.sendall(
                f'POST / HTTP/1.1\r\nHost: {FRONT}:{PORT}\r\nContent-Length: {length}\r\n\r\n'.encode()
            )
            slow.append(s)
        running = load(requests=200, clients=4)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for s in slow:
                with contextlib.suppress(OSError):
                    s.send(b'x')
            time.sleep(0.2)
        found = result(running)
        for s in slow:
            s.close()
    return {'others': found}
