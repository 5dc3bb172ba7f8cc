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

from balancer import run, standby
from charmkit import apply, drive, state
from charmkit.relations import Databag, Network, Relation, Site, drains, loadbalancer
from charmkit.why import Hook, Why

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
        service: loadbalancer.Api | None = None,
    ):
        self.options = {'drain-wait': 5, 'linger': 0, **(options or {})}
        self.service = service or loadbalancer.Api(
            name='keystone', type='identity', frontend_port=PORT, backend_port=9000
        )
        self.backends = [Backend(f'keystone/{i}', f'10.66.1.{i + 1}') for i in range(backends)]
        self.replies: dict[int, Databag] = {}
        """By relation, what the load balancer's leader says."""
        self.unit_replies: dict[int, Databag] = {}
        """The same of this unit."""
        self.acks: Databag = {}
        self.peers: Databag = {}
        self.peer_data: Databag = {}
        self.memory: dict[str, Any] = {}
        self.status: list[str] = []
        self.driven: drive.Driven | None = None
        self.machine = apply.LocalMachine('rig', pathlib.Path('/var/lib/rig'))
        for address in (FRONT, *(b.address for b in self.backends)):
            subprocess.run(['ip', 'address', 'replace', f'{address}/32', 'dev', 'lo'], check=True)
        for b in self.backends:
            b.start()
        self.out_of_service = False
        self.secrets: dict[str, dict[str, str]] = {}
        """Juju secrets, by URI."""
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
                b.unit: {
                    'ingress-address': b.address,
                    **loadbalancer.unit_request(services, 'public', [b.address], b.lifecycle),
                }
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
                app_data=self.replies.get(1, {}),
                units={LB: self.acks},
            )
        ]

    def inputs(self) -> state.Inputs:
        """What a run of the charm knows when it begins."""
        relations: dict[str, tuple[Relation, ...]] = {}
        for r in (self.relation(), *self.extra):
            mine = self.unit_replies.get(r.id, {})
            relations[r.name] = (
                *relations.get(r.name, ()),
                dataclasses.replace(r, my_data=mine),
            )
        here = (Network('lo', FRONT, '10.66.0.0/24'),)
        return state.Inputs(
            site=Site(
                unit=LB,
                leader=True,
                address=FRONT,
                networks={'public': here, 'metrics-endpoint': here},
            ),
            facts=state.Facts(base='debian@12', interfaces={FRONT: 'lo'}),
            relations=relations,
            app_data=self.replies,
            peers=self.peers,
            my_peer_data=self.peer_data,
            options=self.options,
            secrets=self.secrets,
            memory={
                **self.memory,
                run.OUT_OF_SERVICE: self.out_of_service,
                standby.FORCED: self.out_of_service,  # It stands alone.
            },
            now=self.machine.now(),
        )

    def hook(self, why: Why = Hook('update-status')) -> state.Desired:  # noqa: B008 -- frozen
        """One run of the load balancer's charm, without Juju."""
        self.driven = drive.drive(self.machine, run.run, why, self.inputs())
        desired = self.driven.desired
        assert not desired.failure, desired.failure
        self.memory = {**self.memory, **json.loads(json.dumps(dict(desired.memory)))}
        self.status = [s.message for s in desired.status]
        if desired.unit_data:
            self.peers = desired.app_data['peers']
            self.peer_data = desired.unit_data['peers']
            self.replies = {r: bag for r, bag in desired.app_data.items() if isinstance(r, int)}
            self.unit_replies = {
                r: bag for r, bag in desired.unit_data.items() if isinstance(r, int)
            }
            self.acks = self.unit_replies[1]
        return desired

    def step(self, b: Backend, *, healthy: bool = True) -> bool:
        """Move *b*'s lifecycle as its charm would; whether it moved."""
        after = drains.next_lifecycle(
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
            self.step(b)
            self.hook()
            if time.monotonic() > end:
                raise TimeoutError(f'{b.unit} is {b.lifecycle}, {self.replies} {self.acks}')
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
        while not drains.in_rotation(self.seen_by(b), b.unit, b.lifecycle):
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
