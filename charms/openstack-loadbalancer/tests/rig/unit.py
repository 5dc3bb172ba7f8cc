"""A load balancer unit without Juju: real haproxy, the charm's own modules, databags in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import sys
import time
import uuid
from collections.abc import Generator, Mapping
from typing import Any

from balancer import answer, decision, handshake, haproxy_cfg, interface, publish, vrrp, workload
from charmkit import apply, drive, state
from charmkit.relations import Databag, Relation, Site, loadbalancer

HERE = pathlib.Path(__file__).parent
FRONT = '10.66.0.1'
PORT = 5000
LB = 'lb/0'
READY = loadbalancer.Lifecycle(state='ready', token='t0')


@dataclasses.dataclass
class Backend:
    """A unit of the service behind, and its process."""

    unit: str
    address: str
    port: int = 9000
    lifecycle: loadbalancer.Lifecycle = READY
    process: subprocess.Popen[bytes] | None = None
    paused: bool = False

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                HERE.parent / 'api' / 'src' / 'serve.py',
                self.address,
                str(self.port),
                self.unit,
            ]
        )

    def stop(self) -> None:
        assert self.process
        self.process.terminate()
        self.process.wait()
        self.process = None


class Rig:
    """One load balancer unit, one service, some backends."""

    def __init__(
        self,
        backends: int = 3,
        *,
        options: Mapping[str, Any] | None = None,
        service: loadbalancer.Service | None = None,
    ):
        self.options = {'drain-wait': 5, **(options or {})}
        self.service = service or loadbalancer.Service(
            name='keystone', type='identity', frontend_port=PORT, backend_port=9000
        )
        self.backends = [Backend(f'keystone/{i}', f'10.66.1.{i + 1}') for i in range(backends)]
        self.answers: dict[int, Databag] = {}
        """By relation, what the load balancer's leader says."""
        self.unit_answers: dict[int, Databag] = {}
        """The same of this unit."""
        self.acks: Databag = {}
        self.peers: Databag = {}
        self.peer_data: Databag = {}
        self.drains = workload.Drains()
        self.machine = apply.LocalMachine('rig', pathlib.Path('/var/lib/rig'))
        for address in (FRONT, *(b.address for b in self.backends)):
            subprocess.run(['ip', 'address', 'replace', f'{address}/32', 'dev', 'lo'], check=True)
        for b in self.backends:
            b.start()
        self.out_of_service = False
        self.extra: list[Relation] = []
        """Other relations, of whatever endpoint."""

    def close(self) -> None:
        for b in self.backends:
            if b.process:
                b.stop()

    def relation(self) -> Relation:
        """The backends' side of the relation, as the load balancer sees it."""
        services = [self.service]
        return Relation(
            id=1,
            name='backend',
            app='keystone',
            app_data=loadbalancer.app_request(services, 'public'),
            units={
                b.unit: loadbalancer.unit_request(services, 'public', [b.address], b.lifecycle)
                for b in self.backends
            },
        )

    def seen_by(self, b: Backend) -> list[Relation]:
        """The load balancer's side, as a backend unit sees it."""
        return [
            Relation(
                id=1,
                name='public-backend',
                app='lb',
                app_data=self.answers.get(1, {}),
                units={LB: self.acks},
            )
        ]

    def decided(self) -> tuple[decision.Decision, decision.Known, state.Inputs]:
        """What the charm decides first, from what it knows."""
        relations: dict[str, tuple[Relation, ...]] = {}
        for r in (self.relation(), *self.extra):
            relations[r.name] = (*relations.get(r.name, ()), r)
        inputs = state.Inputs(
            site=Site(unit=LB, leader=True, address=FRONT),
            facts=state.Facts(base='debian@12'),
            relations=relations,
            peers=self.peers,
            options=self.options,
            versions={'haproxy': ''},
        )
        known = decision.Known(
            inputs=inputs,
            networks={
                'public': (vrrp.Interface(name='lo', address=FRONT, network='10.66.0.0/24'),)
            },
            metrics_addresses=(FRONT,),
            out_of_service=self.out_of_service,
        )
        first = decision.decide(known)
        return first, known, inputs

    def hook(self, *, wait_s: float | None = None) -> workload.Settled:
        """One run of the load balancer's charm, without Juju."""
        first, known, _ = self.decided()
        done = drive.reconcile(self.machine, first.host)
        assert not done.failed, done
        workload.runtime.await_worker(haproxy_cfg.mark(first.config))

        def decide(acks: Any, workers: Any, now: decision.Decision) -> decision.Decision:
            locks = handshake.decide(
                workload.candidates(now, workers),
                now.locks,
                {LB: acks},
                now.members,
                handshake.Policy(min_ready=interface.min_ready(now.requests)),
                time.time(),
            )
            return decision.decide(dataclasses.replace(known, locks=locks))

        settled = workload.settle(
            first,
            decide,
            self.drains,
            answer.read_member(self.peer_data).acks,
            wait_s=first.opts.drain_wait_s if wait_s is None else wait_s,
        )
        drive.reconcile(self.machine, settled.decision.host)
        self.drains = settled.drains
        desired = publish.published(known, settled.decision, settled.acks, settled.workers)
        self.peers = desired.app_data['peers']
        self.peer_data = desired.unit_data['peers']
        self.answers = {r: bag for r, bag in desired.app_data.items() if isinstance(r, int)}
        self.unit_answers = {r: b for r, b in desired.unit_data.items() if isinstance(r, int)}
        self.acks = self.unit_answers[1]
        return settled

    def steer(self, b: Backend, *, healthy: bool = True) -> bool:
        """Move *b*'s lifecycle as its charm would; whether it moved."""
        after = loadbalancer.steer(
            b.lifecycle,
            self.seen_by(b),
            unit=b.unit,
            paused=b.paused,
            healthy=healthy,
            fresh_token=uuid.uuid4().hex,
        )
        moved, b.lifecycle = after != b.lifecycle, after
        return moved

    def until(self, b: Backend, wanted: str, timeout_s: float = 30) -> None:
        """Run both sides until *b* is in the lifecycle *wanted*."""
        end = time.monotonic() + timeout_s
        while b.lifecycle.state != wanted:
            self.steer(b)
            self.hook()
            if time.monotonic() > end:
                raise TimeoutError(f'{b.unit} is {b.lifecycle}, {self.answers} {self.acks}')
        self.hook()

    def pause(self, b: Backend) -> None:
        """Drain *b*, and return when it may stop."""
        b.paused = True
        self.until(b, 'maintenance')

    def resume(self, b: Backend, timeout_s: float = 30) -> None:
        """Put *b* back, and return when requests are sent to it again."""
        b.paused = False
        self.until(b, 'ready')
        end = time.monotonic() + timeout_s
        while not loadbalancer.in_rotation(self.seen_by(b), b.unit, b.lifecycle):
            self.hook()
            if time.monotonic() > end:
                raise TimeoutError(f'{b.unit} is not in rotation: {self.acks}')


@contextlib.contextmanager
def serving(backends: int = 3, **kwargs: Any) -> Generator[Rig]:
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


def load(**plan: Any) -> subprocess.Popen[str]:
    """Start load in a process of its own."""
    plan = {'url': [FRONT, PORT], 'clients': 8, 'requests': 1000, 'keep_alive': True, **plan}
    return subprocess.Popen(
        [sys.executable, HERE / 'load.py', json.dumps(plan)], stdout=subprocess.PIPE, text=True
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a finished load says."""
    out, _ = process.communicate()
    assert process.returncode == 0, out
    return json.loads(out)
