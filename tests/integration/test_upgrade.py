"""keystone, two load balancers and the database change under load, and no request is lost."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator

import jubilant
import pytest

from tools import cloud as cloud_

from .conftest import CHARMS, Model, settle, subnet

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

NOW, NEXT = 'debian@12', 'debian@13'
PROGRAMS = pathlib.Path(sys.executable).parent
MOST, LEAST = 5.0, 1.0
"""Requests a second: all machines share this one's processors with what is installed on them meanwhile."""


@pytest.fixture(scope='module')
def juju(model: Model) -> Generator[jubilant.Juju]:
    """The module's own cloud."""
    with cloud(model, CHARMS / 'mysql') as juju:
        yield juju


@contextlib.contextmanager
def cloud(model: Model, mysql: pathlib.Path) -> Generator[jubilant.Juju]:
    """Two keystones behind two load balancers, with a VIP; active, and backed up. *mysql* is the database's charm."""
    with model(NOW) as juju:
        if not juju.status().apps:
            juju.deploy(mysql)
            juju.deploy(CHARMS / 'keystone', num_units=2)
            config = {'vip': str(subnet(juju, 'alpha')[250]), 'allow-shared-spaces': True}
            juju.deploy(CHARMS / 'openstack-loadbalancer', 'lb', num_units=2, config=config)
            juju.integrate('keystone:shared-db', 'mysql:shared-db')
            for kind in ('public', 'internal', 'admin'):
                juju.integrate(f'keystone:{kind}-backend', 'lb:backend')
        settle(juju)
        juju.run('mysql/leader', 'backup')
        yield juju


def rate(juju: jubilant.Juju) -> float:
    """As many requests a second as this machine can answer beside an installation: a third of them ask for a token."""
    cloud, took = cloud_.find(juju), list[float]()
    for _ in range(4):
        began = time.monotonic()
        cloud_.token(cloud)
        took.append(time.monotonic() - began)
    return min(MOST, max(LEAST, 1.5 / min(took)))


@contextlib.contextmanager
def load(juju: jubilant.Juju, journal: pathlib.Path) -> Generator[None]:
    """Clients, until the context ends; each of their requests is in *journal*. It fails if one was lost."""
    argv = [
        *(PROGRAMS / 'juju-matrix', 'load', '-m', str(juju.model)),
        *('--rate', f'{rate(juju):.1f}', '--journal', str(journal)),
    ]
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


def lost(journal: pathlib.Path, least: int = 200) -> list[dict[str, object]]:
    """What was lost of many requests."""
    requests = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len(requests) > least
    return [one for one in requests if not one['ok']]


def bases(juju: jubilant.Juju, app: str) -> list[str]:
    """Of the machines of its units."""
    status = juju.status()
    found = [status.machines[of.machine].base for of in status.get_units(app).values()]
    return [f'{base.name}@{base.channel.partition("/")[0]}' for base in found if base]


def processes(juju: jubilant.Juju, unit: str) -> list[str]:
    """How many processes Apache's process group of keystone is to have there."""
    vhost = '/etc/apache2/sites-enabled/keystone.conf'
    return re.findall(r' processes=([0-9]+)', juju.exec('cat', vhost, unit=unit).stdout)


@pytest.mark.slow
def test_apache_takes_up_options_and_nothing_is_lost(
    juju: jubilant.Juju, tmp_path: pathlib.Path
) -> None:
    journal = tmp_path / 'load.jsonl'
    units = sorted(juju.status().get_units('keystone'))
    with load(juju, journal):
        juju.config('keystone', {'workers': 3})
        settle(juju)
        time.sleep(10)
    assert {unit: processes(juju, unit) for unit in units} == {unit: ['3'] for unit in units}
    assert lost(journal) == []


# An hour of a slow machine has room for one of them.
@pytest.mark.parametrize('app', ['keystone', pytest.param('lb', marks=pytest.mark.slow)])
def test_an_application_is_upgraded_and_nothing_is_lost(
    juju: jubilant.Juju, tmp_path: pathlib.Path, app: str
) -> None:
    journal = tmp_path / 'load.jsonl'
    with load(juju, journal):
        upgraded(juju, journal, app)
    assert bases(juju, app) == [NEXT, NEXT]
    assert lost(journal) == []


@pytest.mark.slow
def test_the_database_is_upgraded_and_nothing_is_lost(
    juju: jubilant.Juju, tmp_path: pathlib.Path
) -> None:
    journal = tmp_path / 'load.jsonl'
    with load(juju, journal):
        upgraded(juju, journal, 'mysql')
    assert bases(juju, 'mysql') == [NEXT]
    assert lost(journal) == []
    held = max(one['seconds'] for one in map(json.loads, journal.read_text().splitlines()))
    print('slowest request', held)


def without(tmp_path: pathlib.Path, module: str, what: str, instead: str) -> pathlib.Path:
    """The database's charm with one safeguard taken out."""
    for name in ('charms/mysql', 'charmkit'):
        shutil.copytree(CHARMS.parent / name, tmp_path / name)
    source = tmp_path / 'charms/mysql/src' / module
    text = source.read_text()
    assert text.count(what) == 1
    source.write_text(text.replace(what, instead))
    return tmp_path / 'charms/mysql'


@pytest.mark.slow
def test_without_accounts_at_the_relays_address_requests_are_lost(
    model: Model, tmp_path: pathlib.Path
) -> None:
    """The control: clients that the former server hands on are strangers to the new one."""
    journal = tmp_path / 'load.jsonl'
    what = '    if inputs.peers.get(CLUSTER):\n        return ()\n    there = addresses(inputs)\n'
    mysql = without(
        tmp_path, 'replicas.py', what, '    return ()\n    there = addresses(inputs)\n'
    )
    with cloud(model, mysql) as juju:
        with pytest.raises(AssertionError, match='lost'), load(juju, journal):
            upgraded(juju, journal, 'mysql')
        assert lost(journal, least=50)
