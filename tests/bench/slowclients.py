"""What clients that send a byte now and then cost the others: at the load balancer, and at a unit without it."""

from __future__ import annotations

import contextlib
import pathlib
import selectors
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from urllib.parse import urlsplit

import yaml

from tools import cloud

from . import clients, local
from .figure import Figure, spread

SLOW = 200
"""Clients without credentials. Each sends 1 kB a second of a body that never ends."""
ROUNDS = 3
WARM_S = 3.0
ROUND_S = 8.0
PORT = 5000
_BODY = 100_000  # bytes that each says it will send: below what keystone refuses at once (112 KiB, oslo.middleware)
_APPS = ('mysql', 'keystone', 'lb')


def slow_clients() -> Iterator[Figure]:
    """Tokens validated a second beside slow clients, of those without them; through the load balancer, and directly."""
    with local.kept():
        juju = local.model('slow')
        local.run('model-config', '--model', 'slow', 'update-status-hook-interval=60m')
        local.run('deploy', '--model', 'slow', str(_bundle()))
        local.seconds_until_active(juju, *_APPS)
        found = cloud.find(juju)
        token = cloud.token(found)
        public = urlsplit(cloud.identity_url(found))
        unit = juju.status().apps['keystone'].units['keystone/0'].public_address
        ways = (
            ('through the load balancer', str(public.hostname), public.port or 80, False),
            ('without it, at the unit', unit, PORT, True),
        )
        for way, address, port, control in ways:
            alone: list[float] = []
            beside: list[float] = []
            for _ in range(ROUNDS):
                alone.append(_rate(address, port, token))
                with trickling(address, port):
                    beside.append(_rate(address, port, token))
            yield Figure(
                f'keystone {way}: tokens validated beside {SLOW} slow clients, of those without them',
                statistics.median(beside) / statistics.median(alone),
                '', 0.5 if control else 0.8, not control,
                f'{spread(beside, digits=0)} and {spread(alone, digits=0)} a second; '
                f'{ROUNDS} rounds each of {ROUND_S:.0f} s, one token',
            )  # fmt: skip
        local.run('destroy-model', '--no-prompt', '--force', 'slow')


@contextlib.contextmanager
def trickling(address: str, port: int) -> Generator[None]:
    """Clients that post to ``/v3/auth/tokens``, 1 kB a second, until the block ends; who is cut off comes again."""
    stop = threading.Event()
    thread = threading.Thread(target=_trickle, args=(address, port, stop))
    thread.start()
    try:
        time.sleep(WARM_S)
        yield
    finally:
        stop.set()
        thread.join()


def _trickle(address: str, port: int, stop: threading.Event) -> None:
    head = (
        f'POST /v3/auth/tokens HTTP/1.1\r\nHost: {address}:{port}\r\n'
        f'Content-Type: application/json\r\nContent-Length: {_BODY}\r\n\r\n'
    ).encode()
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())

        def come() -> None:
            with contextlib.suppress(OSError):
                one = stack.enter_context(socket.create_connection((address, port), timeout=5))
                one.sendall(head)
                one.setblocking(False)
                selector.register(one, selectors.EVENT_READ)

        for _ in range(SLOW):
            come()
        while not stop.wait(1.0):
            for key in list(selector.get_map().values()):
                one = key.fileobj
                assert isinstance(one, socket.socket)
                try:
                    one.send(b' ' * 1000)
                except BlockingIOError:
                    continue
                except OSError:
                    selector.unregister(one)
                    one.close()
                    come()


def _rate(address: str, port: int, token: str) -> float:
    headers = (f'X-Subject-Token: {token}',)
    with clients.asking(address, port, '/v3/auth/tokens', token, headers=headers) as seen:
        time.sleep(WARM_S)
        began = time.monotonic()
        time.sleep(ROUND_S)
        return seen.rate(began, time.monotonic())


def _bundle() -> pathlib.Path:
    """bundles/core.yaml with keystone alone."""
    source = local.ROOT / 'bundles/core.yaml'
    core = yaml.safe_load(source.read_text())
    apps = {name: core['applications'][name] for name in _APPS}
    for app in apps.values():
        app['charm'] = str((source.parent / app['charm']).resolve())
    relations = [
        ends for ends in core['relations'] if {end.partition(':')[0] for end in ends} <= set(_APPS)
    ]
    path = pathlib.Path(tempfile.mkdtemp(prefix='jb-')) / 'slow.yaml'
    path.write_text(yaml.safe_dump({'applications': apps, 'relations': relations}))
    return path
