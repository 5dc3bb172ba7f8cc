"""Proof that a server moves from one compute node to another: as it runs, and to have another size."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import jubilant
from blame import Failed, blamed, until
from leftovers import NAME
from steps import Proof

LIVE, RESIZED = 'the server moved to another compute node as it runs', 'the server, resized'
ALONE = 'there is one compute node'
MOVE_S = 600.0
"""How long a move may take, on a busy host whose processors the guest only has emulated."""
TIMEOUT_S = 120.0
WATCH_S = 0.5
"""Between two looks at the page of a server that moves."""
_BAD = ('error', 'failed', 'cancelled')
Page = Callable[[int, str], str]
"""What the guest answers within so many seconds, by path; empty where nothing comes."""


def nodes(status: jubilant.Status) -> list[str]:
    """The units of the compute nodes."""
    return sorted(status.get_units('nova-compute'))


class Watched:
    """How a page answers while something goes on."""

    def __init__(self, page: Page):
        self._page, self._stop = page, threading.Event()
        self.responses = 0
        self.silence_s = 0.0
        """The longest time between two answers."""

    @contextlib.contextmanager
    def watching(self) -> Generator[None]:
        """Ask, over and over, until the context ends."""
        asking = threading.Thread(target=self._ask, daemon=True)
        asking.start()
        try:
            yield
        finally:
            self._stop.set()
            asking.join(60)

    def _ask(self) -> None:
        last = time.monotonic()
        while not self._stop.is_set():
            responded = bool(self._page(5, '/'))
            now = time.monotonic()
            self.silence_s = max(self.silence_s, now - last)
            if responded:
                self.responses += 1
                last = now
            self._stop.wait(WATCH_S)


def live(proof: Proof, page: Page) -> str:
    """Move it as it runs: it is on another node, was not started anew, answers, and has its volume and its port."""
    compute, uuid = proof.client.compute, proof.made['server']
    source = str(compute.get_server(uuid).compute_host)
    units, watched = _units(proof), Watched(page)
    boot = page(10, '/cgi-bin/disk?boot')
    began = time.monotonic()
    with blamed('compute', f'moving the server from {source}', units), watched.watching():
        compute.live_migrate_server(uuid)
        there = until(lambda: _moved(proof, source), 'the server did not move', MOVE_S)
        took = time.monotonic() - began
        before = watched.responses
        until(
            lambda: watched.responses > before, 'the server did not answer afterwards', TIMEOUT_S
        )
    with blamed('compute', 'looking at the server that has moved', units):
        if boot != (now := page(10, '/cgi-bin/disk?boot')):
            raise RuntimeError(f'it was started anew: its boot was {boot!r}, and is {now!r}')
    _port(proof, there)
    kept = _volume(proof, page, units)
    said = f'{source} → {there} in {took:.0f} s, {watched.responses} answers meanwhile'
    return f'{said}, silent for {watched.silence_s:.1f} s at most{kept}'


def _units(proof: Proof) -> list[str]:
    """The logs of a move are on both nodes."""
    return nodes(proof.juju.status())


def _moved(proof: Proof, source: str) -> str:
    """The host that it is on, once it is another one."""
    found = _at_rest(proof)
    there = str(found.compute_host) if found else source
    return there if there != source and found.status == 'ACTIVE' else ''


def _at_rest(proof: Proof) -> Any:
    """The server while nova does nothing to it, else None; RuntimeError when it has given up."""
    compute, uuid = proof.client.compute, proof.made['server']
    found = compute.get_server(uuid)
    if found.status == 'ERROR':
        fault = dict(found.fault or {}).get('message', 'no reason given')
        raise RuntimeError(f'the server is ERROR: {fault}')
    if found.task_state:
        return None
    for migration in compute.migrations(server_id=uuid):
        if migration.status in _BAD:
            said = f'nova has given up (its migration is {migration.status})'
            raise RuntimeError(f'{said}; the server is {found.status} on {found.compute_host}')
    return found


def _port(proof: Proof, host: str) -> None:
    """Neutron has its port on the node that it is on."""
    network, port = proof.client.network, proof.made['port']
    with blamed('neutron', 'looking for the port of the server that has moved'):
        until(
            lambda: network.get_port(port).binding_host_id == host,
            f'the port was not bound on {host}',
            TIMEOUT_S,
        )


def _volume(proof: Proof, page: Page, units: list[str]) -> str:
    """Its volume has what was written, and takes something else."""
    if 'disk' not in proof.made:
        return ''
    disk, text = proof.made['disk'], proof.made['text']
    with blamed('compute', f'reading {disk} where the server is now', units):
        if text not in (back := page(20, f'/cgi-bin/disk?read/{disk}')):
            raise RuntimeError(f'{disk} gave back {back!r}, and {text} was on it')
        proof.made['text'] = other = text[::-1]
        page(20, f'/cgi-bin/disk?write/{disk}/{other}')
        if other not in (back := page(20, f'/cgi-bin/disk?read/{disk}')):
            raise RuntimeError(f'{disk} gave back {back!r}, and {other} was written')
        status = proof.client.block_storage.get_volume(proof.made['volume']).status
        if status != 'in-use':
            raise RuntimeError(f'its volume is {status}')
    return ', its volume read and written'


def resized(proof: Proof, page: Page) -> str:
    """Give it more memory, which takes it to another node by SSH; it answers, and has its volume."""
    compute, uuid = proof.client.compute, proof.made['server']
    source = str(compute.get_server(uuid).compute_host)
    units, began = _units(proof), time.monotonic()
    with blamed('nova', 'making a larger flavor'):
        larger = compute.create_flavor(name=f'{NAME}-larger', ram=160, vcpus=1, disk=1)
    with blamed('compute', f'resizing the server on {source}', units):
        compute.resize_server(uuid, larger.id)
        until(lambda: _is(proof, 'VERIFY_RESIZE'), 'the server was not resized', MOVE_S)
        compute.confirm_server_resize(uuid)
        until(lambda: _is(proof, 'ACTIVE'), 'the resize was not confirmed', TIMEOUT_S)
        there = str(compute.get_server(uuid).compute_host)
        if there == source:
            raise Failed(f'it was resized on {source}, and was to go to another node')
        until(lambda: page(5, '/'), 'the server did not answer afterwards', MOVE_S)
    _port(proof, there)
    kept = _volume(proof, page, units)
    return f'{source} → {there}, 160 MiB, {time.monotonic() - began:.0f} s{kept}'


def _is(proof: Proof, status: str) -> bool:
    found = _at_rest(proof)
    return bool(found) and found.status == status


def stays_on_its_host(juju: jubilant.Juju) -> bool:
    """Whether a resize may leave a server where it is."""
    config = juju.config('nova-cloud-controller')
    return str(config.get('allow-resize-to-same-host')).lower() == 'true'
