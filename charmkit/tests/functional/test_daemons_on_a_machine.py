"""Daemons that a charm has systemd run: one that ends again and again is told, each time."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import containers
import pytest

from tools import systems

pytestmark = pytest.mark.functional


@pytest.fixture(scope='module', params=systems.BASES)
def machine(request: pytest.FixtureRequest) -> Iterator[containers.Machine]:
    """A machine with nothing on it."""
    name = f'ck-daemons-{request.param}-{id(request):x}'
    mounts = [f'--volume={here}:{there}:ro' for here, there in containers.MOUNTS.items()]
    try:
        address = systems.start(name, systems.base(request.param), *mounts)
        yield containers.Machine(name, request.param.replace('-', '@'), address)
    finally:
        systems.remove(name)


def desire(
    machine: containers.Machine, probes: dict[str, str] | None = None, **daemons: str
) -> dict[str, Any]:
    """Have the machine run *daemons*, each a line of shell; those in *probes* are to listen there."""
    given = json.dumps({**daemons, 'probes': probes or {}})
    machine.run('sh', '-c', 'cat > /tmp/given.json', stdin=given)
    environment = ['--env', f'PYTHONPATH={containers.PYTHONPATH}']
    argv = ['podman', 'exec', *environment, machine.name, 'python3']
    done = subprocess.run(
        [*argv, '/opt/tests/daemons_on_machine.py', '/tmp/given.json'],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_that_cannot_start_is_told_until_it_can(machine: containers.Machine):
    good, crashes = 'exec sleep 600', 'sleep 0.5; exit 1'
    for _ in range(
        2
    ):  # systemd starts it again meanwhile, and shows it as running half of the time.
        assert desire(machine, good=good, crashes=crashes)['failed'] == {
            'crashes': 'it ended within 3 s of its start'
        }
    mended = desire(machine, good=good, crashes=good)
    assert mended['failed'] == {}
    assert desire(machine, good=good, crashes=good)['steps'] == []


def test_one_that_ends_later_is_started_again_by_the_next_run(machine: containers.Machine):
    good = 'exec sleep 600'
    assert desire(machine, good=good)['failed'] == {}
    machine.sh('systemctl stop good')
    assert desire(machine, good=good) == {'steps': ['start good'], 'failed': {}}


LISTENS = 'exec python3 -m http.server --bind 127.0.0.1 8099'


def test_one_that_is_long_in_coming_up_is_waited_for_and_not_started_again(
    machine: containers.Machine,
):
    slow, probes = f'sleep 8; {LISTENS}', {'slow': '127.0.0.1:8099'}
    words = 'nothing answers on 127.0.0.1:8099'
    assert desire(machine, probes, slow=slow)['failed'] == {'slow': words}
    began = machine.sh('systemctl show -p MainPID slow')
    assert desire(machine, probes, slow=slow) == {'steps': ['start slow'], 'failed': {}}
    assert machine.sh('systemctl show -p MainPID slow') == began
    assert desire(machine, probes, slow=slow)['steps'] == []


def test_one_that_has_stopped_listening_is_started_again(machine: containers.Machine):
    """The twin: that it runs is not enough."""
    first = 'timeout 5 python3 -m http.server --bind 127.0.0.1 8098'
    deaf, probes = f'{first}; {LISTENS[:-4]}8097', {'deaf': '127.0.0.1:8098'}
    assert desire(machine, probes, deaf=deaf)['failed'] == {}
    began = machine.sh('systemctl show -p MainPID deaf; sleep 6')
    assert desire(machine, probes, deaf=deaf) == {'steps': ['start deaf'], 'failed': {}}
    assert machine.sh('systemctl show -p MainPID deaf') != began
