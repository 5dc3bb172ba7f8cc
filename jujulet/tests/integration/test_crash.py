"""The controller is killed again and again while charms come up; nothing is lost, and hooks that ran are run again."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import jubilant
import pytest_jubilant

from . import records, waiting

CHARMS = pathlib.Path(__file__).parents[1] / 'charms'
PAUSES_S = (0.15, 0.4, 0.25, 0.6, 0.1, 0.8, 0.3, 0.5)
"""How long each controller lives: instants that fall into hooks, commits and starts of machines alike."""
LATER = 4
"""So many of them more, once all is up."""


def controller() -> int:
    """The number of the controller's process; one is started if there is none."""
    subprocess.run(['juju', 'controller', 'start'], check=True)
    said = subprocess.run(
        ['juju', 'controller', 'status', '--format', 'json'],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return int(json.loads(said.stdout)['pid'])


def kill_controller() -> int:
    """Kill it without a warning; the next command starts another. The number of the one killed."""
    pid = controller()
    os.kill(pid, signal.SIGKILL)
    while pathlib.Path(f'/proc/{pid}/cmdline').exists() and _alive(pid):
        time.sleep(0.01)
    return pid


def _alive(pid: int) -> bool:
    return ') Z ' not in pathlib.Path(f'/proc/{pid}/stat').read_text()


def test_a_controller_that_is_killed_again_and_again_loses_nothing(
    juju_factory: pytest_jubilant.JujuFactory,
):
    juju = juju_factory.get_juju('crash')
    juju.deploy(CHARMS / 'recorder', 'a', num_units=2, config={'sleep': '0.2'})
    juju.deploy(CHARMS / 'recorder', 'b', config={'sleep': '0.2'})
    juju.integrate('a:out', 'b:in')
    killed = [_after(pause) for pause in PAUSES_S]
    waiting.settle(juju, lambda s: jubilant.all_active(s, 'a', 'b'), timeout=120)
    # Units have both relations now: they write it to them, and are struck at it.
    juju.config('a', {'note': 'before'})
    killed += [_after(pause) for pause in PAUSES_S[:LATER]]
    assert len(set(killed)) == len(killed), 'each must have been another controller'
    waiting.settle(juju, lambda s: jubilant.all_active(s, 'a', 'b'), timeout=120)
    for unit in ('a/0', 'a/1', 'b/0'):
        assert_started_in_order([e.hook for e in records.read(juju, unit)])
    noted = juju.show_unit('b/0').relation_info
    assert any(u.data.get('note') == 'before' for r in noted for u in r.related_units.values()), (
        'what was said before a crash is still said'
    )


def test_a_model_that_goes_while_the_controller_comes_back_leaves_no_machine():
    juju = jubilant.Juju()
    juju.add_model('going', 'processes')
    juju.deploy(CHARMS / 'recorder', 'a', num_units=4)
    waiting.settle(juju, lambda s: jubilant.all_active(s, 'a'), timeout=120)
    kill_controller()
    uuid = juju.show_model().model_uuid
    assert machines_of(uuid), 'machines must be there for this to be about them'
    kill_controller()
    juju.destroy_model('going', force=True)
    time.sleep(1)  # Whoever came back too late would be there by now.
    assert machines_of(uuid) == []


def machines_of(uuid: str) -> list[str]:
    """Programs of the machines of a model; those of plain processes name their folder."""
    found: list[str] = []
    for line in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        with contextlib.suppress(OSError):
            said = line.read_text(errors='replace').replace('\0', ' ')
            found += [said] if uuid in said else []
    return found


def _after(pause: float) -> int:
    time.sleep(pause)
    return kill_controller()


def assert_started_in_order(hooks: list[str]) -> None:
    """The start-up of a unit, where any hook may have run more than once."""
    once = [h for i, h in enumerate(hooks) if i == 0 or hooks[i - 1] != h]
    first = {h: once.index(h) for h in ('install', 'config-changed', 'start')}
    assert once[0] == 'install', once
    assert once[first['config-changed'] + 1] == 'start', 'nothing slips in between'
    joined = [i for i, h in enumerate(once) if h.endswith('-joined')]
    assert all(i > first['start'] for i in joined), once


def test_the_order_that_is_asserted_can_be_broken():
    """The twin: a trace with a hook between config-changed and start is caught."""
    broken = ['install', 'config-changed', 'out-relation-joined', 'start']
    try:
        assert_started_in_order(broken)
    except AssertionError:
        return
    raise RuntimeError('a broken order passed')
