"""How long a call of a hook tool takes, from the start of its process to its end; run as a program.

The real client, over a real socket, answered by ``core.hooktools`` in another process, on a model of the size given.
Prints one line of JSON; exits 1 when a tool's median is above the limit (milliseconds).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection

import toolworld

CALLS: dict[str, tuple[tuple[str, ...], bytes]] = {
    'juju-log': (('juju-log', '--log-level', 'DEBUG', '--', 'Emitting Juju event start.'), b''),
    'is-leader': (('is-leader', '--format=json'), b''),
    'config-get': (('config-get', '--format=json'), b''),
    'relation-get': (('relation-get', '--format=json', '-r', 'db:1', '-', 'mysql/0'), b''),
    'relation-set': (('relation-set', '-r', 'db:1', '--file', '-'), b'{"key": "value"}'),
    'network-get': (('network-get', '--format=json', 'db'), b''),
    'status-set': (('status-set', '--application=False', 'active', '--', 'ready'), b''),
    'secret-add': (('secret-add', '--owner', 'unit', 'key#file=/etc/hostname'), b''),
}


def world_of(units: int) -> toolworld.World:
    """The test world, its machines and units multiplied until there are *units* of them."""
    world = toolworld.World()
    model = world.model
    more = {
        f'mysql/{n}': dataclasses.replace(model.units['mysql/0'], name=f'mysql/{n}')
        for n in range(2, units)
    }
    world.model = dataclasses.replace(model, units={**model.units, **more})
    return world


def serve(units: int, pipe: Connection) -> None:
    """Serve until told to stop."""
    with (
        tempfile.TemporaryDirectory() as folder,
        toolworld.served(world_of(units), pathlib.Path(folder)) as env,
    ):
        pipe.send(env)
        pipe.recv()


def timed(argv: tuple[str, ...], stdin: bytes, env: Mapping[str, str], runs: int) -> list[float]:
    """Milliseconds of each run."""
    program = next(
        path for p in env['PATH'].split(':') if os.access(path := f'{p}/{argv[0]}', os.X_OK)
    )
    out: list[float] = []
    for _ in range(runs + 1):  # The first one warms up.
        start = time.perf_counter()
        subprocess.run((program, *argv[1:]), input=stdin, env=env, check=True, capture_output=True)
        out.append((time.perf_counter() - start) * 1000)
    return out[1:]


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--runs', type=int, default=50)
    parser.add_argument('--units', type=int, default=10)
    parser.add_argument('--limit', type=float, default=15.0, help='milliseconds')
    args = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context('fork').Process(target=serve, args=(args.units, there))
    server.start()
    env: dict[str, str] = here.recv()
    figures: dict[str, dict[str, float]] = {}
    try:
        for name, (argv, stdin) in {'(true)': (('true',), b''), **CALLS}.items():
            times = timed(argv, stdin, env, args.runs)
            figures[name] = {
                'min': round(min(times), 2),
                'median': round(statistics.median(times), 2),
                'max': round(max(times), 2),
            }
    finally:
        here.send('stop')
        server.join()
    worst = max(figure['median'] for figure in figures.values())
    print(json.dumps({'bench': 'hook tools', 'unit': 'ms', 'limit': args.limit, **figures}))
    return 0 if worst <= args.limit else 1


if __name__ == '__main__':
    sys.exit(main())
