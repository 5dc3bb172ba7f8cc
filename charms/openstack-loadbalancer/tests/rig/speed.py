"""How long many services take, and how many requests a second go through."""

from __future__ import annotations

import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time
from typing import Any

from balancer import decision, files, run
from charmkit import drive
from charmkit.relations import Relation, loadbalancer
from charmkit.why import Hook
from unit import FRONT, PORT, load, result, serving


def many(services: int = 200, backends: int = 5, rounds: int = 3) -> dict[str, Any]:
    """How long many services take: decided and rendered, checked and put in place, reloaded.

    The best of some rounds: what else the machine does can only take longer.
    """
    with serving(1) as r:
        r.extra = [
            Relation(
                id=100 + i,
                name='backend',
                app=f'app{i}x',
                app_data=loadbalancer.app_request([service(i)], 'public'),
                units={
                    f'app{i}x/{k}': {
                        'ingress-address': f'10.66.2.{k + 1}',
                        **loadbalancer.unit_request(
                            [service(i)],
                            'public',
                            [f'10.66.2.{k + 1}'],
                            loadbalancer.Lifecycle(state='ready', token='t'),
                        ),
                    }
                    for k in range(backends)
                },
            )
            for i in range(services)
        ]
        asked, took = r.extra, list[tuple[float, float]]()
        frontends = 0
        for _ in range(rounds):
            began = time.monotonic()
            known = run.gather(Hook('config-changed'), r.inputs())
            host = files.desired(known, decision.decide(known))
            decided = time.monotonic()
            done = drive.reconcile(r.machine, host)
            took.append((decided - began, time.monotonic() - decided))
            assert 'reload haproxy' in [str(s) for s in done.steps]
            frontends = pathlib.Path('/etc/haproxy/haproxy.cfg').read_text().count('\nfrontend ')
            r.extra = []
            r.hook()
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


def service(i: int) -> loadbalancer.Api:
    return loadbalancer.Api(
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
    fast = loadbalancer.Api(
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
        with serving(1, service=fast):
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
    with tempfile.TemporaryDirectory() as folder, serving(3):
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
