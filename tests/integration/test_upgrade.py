"""`juju lifecycle`: keystone goes to the next base under load, behind two load balancers, and no request is lost."""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Generator

import jubilant
import pytest

from .conftest import CHARMS, Model, settle, subnet

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2400)]

NOW, NEXT = 'debian@12', 'debian@13'
PROGRAMS = pathlib.Path(sys.executable).parent


@pytest.fixture(scope='module')
def juju(model: Model) -> Generator[jubilant.Juju]:
    """Two keystones behind two load balancers, with a VIP; active, and backed up."""
    with model(NOW) as juju:
        if not juju.status().apps:
            juju.deploy(CHARMS / 'mysql')
            juju.deploy(CHARMS / 'keystone', num_units=2)
            config = {'vip': str(subnet(juju, 'alpha')[250]), 'allow-shared-spaces': True}
            juju.deploy(CHARMS / 'openstack-loadbalancer', 'lb', num_units=2, config=config)
            juju.integrate('keystone:shared-db', 'mysql:shared-db')
            for kind in ('public', 'internal', 'admin'):
                juju.integrate(f'keystone:{kind}-backend', 'lb:backend')
        settle(juju)
        juju.run('mysql/leader', 'backup')
        yield juju


@contextlib.contextmanager
def load(juju: jubilant.Juju, journal: pathlib.Path) -> Generator[None]:
    """Clients, until the context ends; each of their requests is in *journal*. It fails if one was lost."""
    argv = [PROGRAMS / 'juju-matrix', 'load', '-m', str(juju.model), '--journal', str(journal)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        try:
            while not journal.exists():
                assert run.poll() is None, run.communicate()
                time.sleep(0.2)
            yield
        finally:
            run.send_signal(signal.SIGINT)
            said = '\n'.join(run.communicate(timeout=120))
    assert run.returncode == 0, said


def upgraded(juju: jubilant.Juju, journal: pathlib.Path, *what: str) -> str:
    """What the upgrade of these applications said."""
    argv = [
        *(
            PROGRAMS / 'juju-lifecycle',
            'upgrade',
            '--model',
            str(juju.model),
            '--to',
            NEXT,
            '--yes',
        ),
        *('--load-journal', str(journal), *what),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_keystone_is_upgraded_and_nothing_is_lost(
    juju: jubilant.Juju, tmp_path: pathlib.Path
) -> None:
    journal = tmp_path / 'load.jsonl'
    with load(juju, journal):
        upgraded(juju, journal, 'keystone')
    status = juju.status()
    found = [status.machines[of.machine].base for of in status.get_units('keystone').values()]
    bases = [f'{base.name}@{base.channel.partition("/")[0]}' for base in found if base]
    assert bases == [NEXT, NEXT]
    requests = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len(requests) > 500
    assert [one for one in requests if not one['ok']] == []
