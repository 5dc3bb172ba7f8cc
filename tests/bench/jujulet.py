"""What jujulet adds to a hook, and how long a unit takes: on real containers."""

from __future__ import annotations

import os
import pathlib
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import jubilant

from jujulet import client

from . import local
from .figure import Figure, spread

HOOKS = 20
ROUNDS = 5
CALLS = 10
IDLE_S = 20.0


def small_charm() -> Iterator[Figure]:
    """A small charm that installs one package: first ever, from the cache, the next unit; and the model gone."""
    with local.fresh():
        juju = local.model('first')
        began = time.monotonic()
        juju.deploy(local.CHARMS / 'aptsmall')
        local.seconds_until_active(juju, 'aptsmall')
        yield Figure(
            'small charm active, no image yet', time.monotonic() - began, 's', 60, how='one run'
        )
        gone: list[float] = [_gone('first')]
        cached: list[float] = []
        more: list[float] = []
        for i in range(3):
            juju = local.model(f'again{i}')
            began = time.monotonic()
            juju.deploy(local.CHARMS / 'aptsmall')
            local.seconds_until_active(juju, 'aptsmall')
            cached.append(time.monotonic() - began)
            began = time.monotonic()
            juju.add_unit('aptsmall')
            local.seconds_until_active(juju, 'aptsmall')
            more.append(time.monotonic() - began)
            gone.append(_gone(f'again{i}'))
        yield Figure(
            'small charm active, cached', statistics.median(cached), 's', 6, how=spread(cached)
        )
        yield Figure('next unit active', statistics.median(more), 's', 6, how=spread(more))
        yield Figure('model gone', statistics.median(gone), 's', 3, how=spread(gone))


def _gone(model: str) -> float:
    began = time.monotonic()
    local.run('destroy-model', '--no-prompt', '--force', '--destroy-storage', model)
    return time.monotonic() - began


_DISPATCH = f"""#!/bin/sh
i=0
if [ "$JUJU_DISPATCH_PATH" = actions/tools ]; then
    while [ $i -lt {CALLS} ]; do is-leader >/dev/null; i=$((i+1)); done
fi
[ "$JUJU_DISPATCH_PATH" = actions/gate ] && sleep 4
exit 0
"""


def _charm() -> pathlib.Path:
    folder = pathlib.Path(tempfile.mkdtemp(prefix='jb-charm-'))
    (folder / 'metadata.yaml').write_text('name: bare\nsummary: s\ndescription: d\n')
    (folder / 'actions.yaml').write_text('nothing: {}\ntools: {}\ngate: {}\n')
    (folder / 'dispatch').write_text(_DISPATCH)
    (folder / 'dispatch').chmod(0o755)
    return folder


def hook_overhead() -> Iterator[Figure]:
    """A hook against the same ``dispatch`` by hand in that container; and a tool call.

    Actions are queued, so that they run in a row: from the first's start to the last's end there is all that jujulet
    does around each, its commit and the choice of the next included.
    """
    with local.fresh():
        juju = local.model('hooks')
        juju.deploy(_charm())
        juju.wait(lambda s: jubilant.all_agents_idle(s, 'bare'), delay=0.1, successes=2)
        by_hand = _by_hand_ms(juju)
        nothing = [_in_a_row_ms(juju, 'nothing') for _ in range(ROUNDS)]
        tools = [_in_a_row_ms(juju, 'tools') for _ in range(ROUNDS)]
        how = f'{spread(nothing)} rounds of {HOOKS}; by hand {by_hand:.1f} ms'
        over = statistics.median(nothing) - by_hand
        yield Figure('a hook beyond its dispatch by hand', over, 'ms', 60, how=how)
        call = (statistics.median(tools) - statistics.median(nothing)) / CALLS
        yield Figure(
            'a tool call', call, 'ms', 15, how=f'{ROUNDS} rounds of {HOOKS} hooks of {CALLS}'
        )


def _in_a_row_ms(juju: jubilant.Juju, action: str) -> float:
    before = set(_tasks(juju))
    juju.cli('run', '--background', 'bare/0', 'gate')  # All that follows queues up behind it.
    for _ in range(HOOKS):
        juju.cli('run', '--background', 'bare/0', action)
    while True:
        new = [t for i, t in _tasks(juju).items() if i not in before]
        mine = [t for t in new if t['name'] == action]
        if len(mine) == HOOKS and all(t.get('completed') for t in mine):
            break
        time.sleep(0.2)
    first = min(t['started'] for t in mine)
    if first < max(t['enqueued'] for t in mine):
        raise RuntimeError('the actions did not queue up behind the gate: let it sleep longer')
    return (max(t['completed'] for t in mine) - first) / HOOKS * 1000


def _tasks(juju: jubilant.Juju) -> dict[str, dict[str, Any]]:
    return client.Controller().ask('whole-model', model=juju.model)['tasks']


def _by_hand_ms(juju: jubilant.Juju) -> float:
    script = (
        'cd /var/lib/juju/agents/unit-bare-0/charm; a=$(date +%s%N); '
        'for i in 1 2 3 4 5 6 7 8 9 10; do ./dispatch; done; b=$(date +%s%N); echo $(((b-a)/10000))'
    )
    return float(juju.exec(script, machine='0').stdout) / 1000


def status_and_idle() -> Iterator[Figure]:
    """``status --format json`` of ten units, and what a controller that has nothing to do takes."""
    with local.fresh() as folder:
        juju = local.model('ten', 'processes')
        juju.deploy(local.CHARMS / 'ubuntu', num_units=10)
        juju.wait(lambda s: jubilant.all_agents_idle(s), delay=0.2, successes=2)
        times: list[float] = []
        for _ in range(20):
            began = time.monotonic()
            local.run('status', '--model', 'ten', '--format', 'json')
            times.append((time.monotonic() - began) * 1000)
        yield Figure('status of 10 units', statistics.median(times), 'ms', 150, how=spread(times))
        pid = _controller(folder)
        before = _cpu_s(pid)
        time.sleep(IDLE_S)
        used = (_cpu_s(pid) - before) / IDLE_S * 100
        yield Figure('idle controller, of a core', used, '%', 1, how=f'{IDLE_S:.0f} s, 10 units')
        yield Figure('idle controller, resident', _rss_mb(pid), 'MB', 120, how='VmRSS')


def _controller(folder: pathlib.Path) -> int:
    said = local.run('controller', 'status', '--format', 'json')
    match = re.search(r'"pid": ?(\d+)', said)
    if match is None:
        raise RuntimeError(f'no controller serves {folder}: {said}')
    return int(match.group(1))


def _cpu_s(pid: int) -> float:
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def _rss_mb(pid: int) -> float:
    text = pathlib.Path(f'/proc/{pid}/status').read_text()
    found = re.search(r'VmRSS:\s+(\d+) kB', text)
    return int(found.group(1)) / 1024 if found else 0.0
