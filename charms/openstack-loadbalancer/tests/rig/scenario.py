"""Scenarios with a real haproxy, run inside a machine of its own; each prints one line of JSON.

usage: scenario.py NAME [JSON of arguments]
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from typing import Any

from balancer import haproxy_cfg, runtime
from unit import FRONT, PORT, Rig, load, result

from charmkit import apply
from charmkit.relations import Relation, loadbalancer

KINDS = {'close': False, 'keep-alive': True}


@contextlib.contextmanager
def rig(backends: int = 3, **kwargs: Any) -> Generator[Rig]:
    """A rig that serves on all of its backends."""
    r = Rig(backends, **kwargs)
    try:
        end = time.monotonic() + 20
        while not all(
            json.loads(r.acks.get('acks', '{}')).get(b.unit, {}).get('state') == 'ready'
            for b in r.backends
        ):
            r.hook()
            time.sleep(0.2)
            assert time.monotonic() < end, r.acks
        yield r
    finally:
        r.close()


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


def rolling(requests: int = 10_000, drain: bool = True, down_s: float = 1.0) -> dict[str, Any]:
    """Every backend is stopped and started once, drained first or not."""
    with rig() as r, under_load(requests) as found:
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
    with rig():
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
    with rig(2) as r:
        everyone = runtime.workers
        if current_only:
            runtime.workers = lambda: tuple(w for w in everyone() if w.current)
        try:
            post = load(requests=1, clients=1, post=1.0, slow_ms=4000, slow_share=1.0)
            end = time.monotonic() + 20
            while not (busy := [b for b in r.backends if _under_way(everyone(), b.unit)]):
                assert time.monotonic() < end, 'the request did not arrive'
                time.sleep(0.05)
            subprocess.run(['systemctl', 'reload', 'haproxy'], check=True)
            began = time.monotonic()
            r.pause(busy[0])
            waited = time.monotonic() - began
            busy[0].stop()
            return {'post': result(post), 'waited_s': round(waited, 2)}
        finally:
            runtime.workers = everyone


def _under_way(workers: Any, unit: str) -> int:
    name = unit.replace('/', '-')
    return sum(
        s.sessions for w in workers for (_, server), s in w.servers.items() if server == name
    )


def remembered(remember: bool = True) -> dict[str, Any]:
    """A drained backend gets no request after a reload, nor after a start from nothing."""
    with rig() as r:
        away = r.backends[0]
        r.pause(away)
        if not remember:
            config = pathlib.Path('/etc/haproxy/haproxy.cfg')
            config.write_text(haproxy_cfg.shape(config.read_text()))
            pathlib.Path(
                '/etc/systemd/system/haproxy.service.d/openstack-loadbalancer.conf'
            ).unlink()
            subprocess.run(['systemctl', 'daemon-reload'], check=True)
            pathlib.Path(haproxy_cfg.STATE_FILE).unlink()
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


def headers() -> dict[str, Any]:
    """What reaches the service of the headers that a client forged."""
    forged = {
        'Host': f'{FRONT}:{PORT}', 'Forwarded': 'host=evil', 'X-Forwarded-For': '1.2.3.4',
        'X-Forwarded-Host': 'evil', 'X-Forwarded-Prefix': '/evil', 'X-Forwarded-Proto': 'https',
        'X-Forwarded-Port': '1', 'X_Forwarded_For': '1.2.3.4', 'X-Real-IP': '1.2.3.4',
        'Proxy': 'http://evil', 'X-Openstack-Request-Id': 'req-1',
    }  # fmt: skip
    with rig(1):
        out = {'arrived': json.loads(ask('/headers', forged)[1])}
        out['other host'] = ask('/', {'Host': 'evil'})[0]
        out['healthcheck'] = ask('/healthcheck', {'Host': FRONT})[0]
        out['encoded healthcheck'] = ask('/%68ealthcheck', {'Host': FRONT})[0]
        out['trace'] = ask('/', {'Host': FRONT}, 'TRACE')[0]
        out['ready'] = ask('/ready', {}, port=8405)[0]
    return out


def ask(path: str, head: dict[str, str], method: str = 'GET', port: int = PORT) -> tuple[int, str]:
    """Status and body of one request with exactly these headers."""
    talk = http.client.HTTPConnection(FRONT, port, timeout=10)
    talk.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in head.items():
        talk.putheader(name, value)
    talk.endheaders()
    got = talk.getresponse()
    return got.status, got.read().decode()


def poisoned() -> dict[str, Any]:
    """Data that would add a directive is refused by name, and the others are served."""
    bad = [{'service-name': 'evil', 'frontend-port': '6000\n    stats admin if TRUE'}]
    with rig(1) as r:
        r.extra = [
            Relation(id=7, name='backend', app='evil', app_data={'endpoints': json.dumps(bad)})
        ]
        r.hook()
        r.hook()
        return {
            'status': json.loads(r.answers[7]['status']),
            'served': result(load(requests=100))['lost'],
            'config': pathlib.Path('/etc/haproxy/haproxy.cfg').read_text().count('stats admin'),
        }


def many(services: int = 200, backends: int = 5, rounds: int = 3) -> dict[str, Any]:
    """How long many services take: decided and rendered, checked and put in place, reloaded.

    The best of some rounds: what else the machine does can only take longer.
    """
    with rig(1) as r:
        r.extra = [
            Relation(
                id=100 + i,
                name='backend',
                app=f'app{i}x',
                app_data=loadbalancer.app_request([service(i)], 'public'),
                units={
                    f'app{i}x/{k}': loadbalancer.unit_request(
                        [service(i)],
                        'public',
                        [f'10.66.2.{k + 1}'],
                        loadbalancer.Lifecycle(state='ready', token='t'),
                    )
                    for k in range(backends)
                },
            )
            for i in range(services)
        ]
        asked, took = r.extra, list[tuple[float, float]]()
        frontends = 0
        for _ in range(rounds):
            began = time.monotonic()
            first, _, _ = r.decided()
            decided = time.monotonic()
            done = apply.reconcile(r.machine, first.host)
            runtime.await_worker()
            took.append((decided - began, time.monotonic() - decided))
            assert 'reload haproxy' in [str(s) for s in done.steps]
            frontends = pathlib.Path('/etc/haproxy/haproxy.cfg').read_text().count('\nfrontend ')
            r.extra = []
            r.hook(wait_s=0)
            r.extra = asked
        r.extra = []
    decide_s, apply_s = min(took, key=sum)
    return {
        'decide_s': round(decide_s, 2),
        'apply_s': round(apply_s, 2),
        'total_s': round(decide_s + apply_s, 2),
        'all': [round(sum(t), 2) for t in took],
        'frontends': frontends,
    }


def service(i: int) -> loadbalancer.Service:
    return loadbalancer.Service(
        name=f'service{i}', type='dns', frontend_port=20_000 + i, backend_port=9000
    )


_PLAIN = """
global
    maxconn 4000
    nbthread {threads}
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend fast
    bind {front}:7000
    default_backend fast
backend fast
    server a 10.66.1.1:9100
"""
_FAST = """
global
    maxconn 4000
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend answer
    bind 10.66.1.1:9100
    http-request return status 200 content-type text/plain string ok
"""


def throughput(seconds: int = 4, rounds: int = 3, connections: int = 32) -> dict[str, Any]:
    """Requests a second through this haproxy and through one with a minimal configuration.

    In turns, in one run; and the median latency of both and of the service alone.
    """
    fast = loadbalancer.Service(
        name='keystone', type='identity', frontend_port=PORT, backend_port=9100
    )
    with tempfile.TemporaryDirectory() as folder:
        others: list[subprocess.Popen[bytes]] = []
        subprocess.run(['ip', 'address', 'replace', '10.66.1.1/32', 'dev', 'lo'], check=True)
        threads = os.cpu_count() or 1
        for name, text in (('fast', _FAST), ('plain', _PLAIN)):
            path = pathlib.Path(folder) / name
            path.write_text(text.format(front=FRONT, threads=threads) if name == 'plain' else text)
            if name == 'fast':
                others.append(subprocess.Popen(['haproxy', '-db', '-q', '-f', path]))
        with rig(1, service=fast):
            others.append(subprocess.Popen(['haproxy', '-db', '-q', '-f', f'{folder}/plain']))
            time.sleep(1)
            where = {
                'service': '10.66.1.1:9100',
                'plain': f'{FRONT}:7000',
                'ours': f'{FRONT}:{PORT}',
            }
            rates: dict[str, list[float]] = {name: [] for name in where}
            latencies: dict[str, list[float]] = {name: [] for name in where}
            for _ in range(rounds):
                for name, address in where.items():
                    rate, _ = wrk(address, seconds, connections)
                    rates[name].append(rate)
                    _, median = wrk(address, 2, 1)
                    latencies[name].append(median)
        for other in others:
            other.terminate()
            other.wait()
    best = {name: statistics.median(r) for name, r in rates.items()}
    middle = {name: statistics.median(x) for name, x in latencies.items()}
    return {
        'per_second': best,
        'median_ms': {name: round(x, 3) for name, x in middle.items()},
        'share_of_plain': round(best['ours'] / best['plain'], 3),
        'added_ms': round(middle['ours'] - middle['service'], 3),
    }


def realistic(requests: int = 6000, work_ms: int = 5, clients: int = 40) -> dict[str, Any]:
    """Requests a second through this haproxy and a minimal one, to services that have work to do.

    Keep-alive clients; three services that take *work_ms* for each request. In turns, in one run.
    """
    plain = _PLAIN.replace(
        'server a 10.66.1.1:9100',
        '\n    '.join(f'server s{i} 10.66.1.{i}:9000' for i in (1, 2, 3)),
    )
    with tempfile.TemporaryDirectory() as folder, rig(3):
        path = pathlib.Path(folder) / 'plain'
        path.write_text(plain.format(front=FRONT, threads=os.cpu_count() or 1))
        other = subprocess.Popen(['haproxy', '-db', '-q', '-f', path])
        time.sleep(1)
        rates: dict[str, list[float]] = {'plain': [], 'ours': []}
        for _ in range(3):
            for name, port in (('plain', 7000), ('ours', PORT)):
                done = result(load(
                    url=[FRONT, port], clients=clients, requests=requests, post=0.5,
                    slow_ms=work_ms, slow_share=1.0,
                ))  # fmt: skip
                assert not done['lost'], done
                rates[name].append(done['per_second'])
        other.terminate()
        other.wait()
    best = {name: statistics.median(r) for name, r in rates.items()}
    return {
        'per_second': best,
        'share': round(best['ours'] / best['plain'], 3),
        'work_ms': work_ms,
    }


def wrk(address: str, seconds: int, connections: int) -> tuple[float, float]:
    """Requests a second, and median latency in milliseconds, as wrk measures them."""
    said = subprocess.run(
        ['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--latency', f'http://{address}/'],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    bad = re.search(r'(Non-2xx|Socket errors).*', said)
    assert not bad, said
    rate = re.search(r'Requests/sec:\s+([0-9.]+)', said)
    median = re.search(r'50%\s+([0-9.]+)(us|ms|s)', said)
    assert rate and median, said
    return float(rate[1]), float(median[1]) * {'us': 0.001, 'ms': 1, 's': 1000}[median[2]]


def main() -> None:
    name = sys.argv[1]
    arguments: dict[str, Any] = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    print(json.dumps(globals()[name](**arguments)))


if __name__ == '__main__':
    main()
