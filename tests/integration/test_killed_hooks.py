"""Every hook of the four charms killed once while it runs, `install` and all: the next run takes up from there."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import signal
import threading
import time
from collections.abc import Generator

import jubilant
import pytest

from .conftest import CHARMS, Model, settle
from .test_control_plane import CLIENT, python

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(3000)]

FOUR = ('mysql', 'keystone', 'placement', 'glance')
SEED = 20261122
ONCE_S = {'mysql install': (0.5, 4.0), 'install': (0.5, 15.0), 'config-changed': (0.05, 0.2)}
"""Within these seconds a hook is killed that comes but once, and so must not have ended before."""
OTHER_S = (0.05, 0.35)
Killed = dict[tuple[str, str], float]


@pytest.mark.parametrize('base', ['debian@12', 'debian@13'])
def test_whatever_hook_is_killed_half_way_the_cloud_comes_about(base: str, model: Model):
    with model(base) as juju:
        # Else a unit starts where another's install hook ended, and its own is never run.
        juju.model_config({'install-cache': False})
        with reaper(juju) as killed:
            deploy(juju)
            settle(juju, timeout=2000)
        print({' '.join(key): round(after, 2) for key, after in killed.items()})
        for app in FOUR:
            hooks = {hook for unit, hook in killed if unit == f'{app}/0'}
            assert hooks >= {'install', 'config-changed'}
            assert any(hook.endswith('-relation-changed') for hook in hooks)
        unit = juju.status().apps['keystone'].units['keystone/0']
        password = juju.run('keystone/0', 'get-admin-password').results['password']
        url = f'http://{unit.public_address}:5000/v3'
        answer = python(juju, 'keystone/0', CLIENT, password, url)
        assert json.loads(answer) == {'project': True, 'image': True, 'inventory': 201}


def deploy(juju: jubilant.Juju) -> None:
    for app in FOUR:
        juju.deploy(CHARMS / app)
    for app in FOUR[1:]:
        juju.integrate(f'{app}:shared-db', 'mysql:shared-db')
    for app in FOUR[2:]:
        juju.integrate(f'{app}:identity-service', 'keystone:identity-service')


@contextlib.contextmanager
def reaper(juju: jubilant.Juju) -> Generator[Killed]:
    """Kills each hook of each unit once, until the block ends; what it has killed, and after how many seconds."""
    stop, killed, chance = threading.Event(), Killed(), random.Random(SEED)  # noqa: S311
    uuid = juju.show_model().model_uuid
    delays: Killed = {}
    begun: dict[tuple[int, str], float] = {}

    def run() -> None:
        while not stop.wait(0.05):
            for pid, unit, hook in hooks(uuid):
                key, now = (unit, hook), time.monotonic()
                began = begun.setdefault((pid, hook), now)
                own = f'{unit.partition("/")[0]} {hook}'
                span = ONCE_S.get(own) or ONCE_S.get(hook, OTHER_S)
                delay = delays.setdefault(key, chance.uniform(*span))
                if key not in killed and now - began >= delay:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed[key] = now - began

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def hooks(uuid: str) -> list[tuple[int, str, str]]:
    """The charms that run in a model of this machine: process, unit and hook."""
    found: list[tuple[int, str, str]] = []
    for process in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if b'/charm/src/charm.py' not in (process / 'cmdline').read_bytes():
                continue
            pairs = (process / 'environ').read_text().split('\0')
        except OSError:  # It has ended meanwhile.
            continue
        said = dict(pair.split('=', 1) for pair in pairs if '=' in pair)
        path = said.get('JUJU_DISPATCH_PATH', '')
        if said.get('JUJU_MODEL_UUID') == uuid and path.startswith('hooks/'):
            hook = path.removeprefix('hooks/')
            found.append((int(process.name), said['JUJU_UNIT_NAME'], hook))
    return found
